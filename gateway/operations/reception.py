"""Takes a checked message through the rules: recognises repetitions, runs its operation, keeps what came of it.

Whatever the outcome, one transaction holds journal entry, key, entities, deliveries and audit entry. Two identical
messages that race on several processes have one effect, because the key is a primary key: the loser of the race starts
again and finds the winner's answer (docs/specification/idempotency.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from gateway.contract import Contract, Operation
from gateway.errors import GatewayError, MessageConflict, NotAllowed, RequestRefused, ServiceUnavailable
from gateway.messages.wire import Wire
from gateway.model.journal import JournalEntry, MessageKey, ParkedMessage
from gateway.operations.arrivals import awaited, hold
from gateway.operations.dispatch import Dispatch
from gateway.operations.unit import PARKED, Received, Site, Unit, new_txn_no, patient_of
from gateway.store import insert_rows

Handler = Callable[[Any, Unit], Any]
"""An operation: the request dataclass and its unit of work in, the response dataclass out; raises RequestRefused."""

READS = frozenset({"GetMedicalRecord", "QueryRequisition", "QueryTransaction"})
"""Operations without effect: a repetition is read again, so they store no key."""

NOT_STORED = frozenset({"402", "404", "413", "422", "423", "424", "429", "503", "504"})
"""Refusals without effect whose cause may go away: the same MessageId is decided again."""

LOST_RACE = frozenset({"23505", "40001", "40P01"})
"""SQLSTATEs of a message that lost a race, or repeats an earlier one: unique violation, serialization, deadlock."""

RACES = 5
"""How often a message that lost a race starts again before the gateway calls itself unavailable."""

NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands for SentAt where content is compared."""


@dataclass(frozen=True)
class _ParkedCaller:
    """The sender of a parked message; its rights were checked when the message came."""

    name: str

    def may(self, right: str) -> bool:
        return True


def _may_start_again(problem: DBAPIError | PoolTimeout, attempt: int) -> bool:
    """After a lost race; once after a lost connection, which says nothing about whether the database is there."""
    if not isinstance(problem, DBAPIError):
        return False
    lost_connection = problem.connection_invalidated and attempt == 0
    return lost_connection or getattr(problem.orig, "sqlstate", None) in LOST_RACE


def _as_answer(problem: DBAPIError | PoolTimeout) -> Exception:
    """A database that is away is told to the sender; anything else is a mistake of ours."""
    away = isinstance(problem, OperationalError | InterfaceError | PoolTimeout) or problem.connection_invalidated
    return ServiceUnavailable() if away else problem


class Reception:
    """The one entry for every operation; safe for any number of threads."""

    def __init__(
        self,
        *,
        sessions: sessionmaker[Session],
        contract: Contract,
        wire: Wire,
        site: Site,
        dispatch: Dispatch,
        handlers: Mapping[str, Handler],
        clock: Callable[[], datetime],
    ) -> None:
        self._sessions = sessions
        self._wire = wire
        self._site = site
        self._dispatch = dispatch
        self._handlers = handlers
        self._clock = clock
        self._operations: Mapping[str, Operation] = {o.name: o for o in contract.operations}
        self._response_types = {o.name: wire.class_of(o.response_type) for o in contract.operations}

    def receive(self, received: Received) -> Any:
        """The response to a message.

        Raises NotAllowed for a foreign SenderCode or hospital, ServiceUnavailable when nothing can be stored. A refusal
        by a rule is a response.
        """
        self._check_sender(received)
        written = self._wire.write(received.request)
        content_hash = "" if received.operation in READS else self.content_hash(received.request, written)
        for attempt in range(RACES):
            try:
                return self._once(received, written, content_hash, look_up=attempt > 0)
            except (DBAPIError, PoolTimeout) as problem:
                if not _may_start_again(problem, attempt):
                    raise _as_answer(problem) from None
        raise ServiceUnavailable()

    def content_hash(self, request: Any, written: str) -> str:
        """Equal for equal content, whatever the client stamps anew on a retry; `written` is the request as XML."""
        header = replace(request.header, operator_code=None, operator_name=None, version=None)
        if header.sent_at is not None:
            header = replace(header, sent_at=NO_TIME)
        body = written[written.index("</Header>") :]
        return hashlib.sha256((self._wire.write(header) + body).encode()).hexdigest()

    def _check_sender(self, received: Received) -> None:
        header = received.request.header
        if header.sender_code != received.caller.name:
            raise NotAllowed("SenderCode 与登录用户不一致。", "SenderCode differs from the user who authenticated.")
        if header.hospital_code is not None and header.hospital_code not in self._site.hospital_codes:
            raise NotAllowed("网关不服务于该 HospitalCode。", "This gateway does not serve that HospitalCode.")

    def _once(self, received: Received, written: str, content_hash: str, *, look_up: bool, missing: str = "") -> Any:
        """Decide a message in one unit of work.

        Nearly every message is new, so its key is not looked up first: a repetition breaks on the primary key, is
        rolled back whole and comes again with `look_up`. That saves every new message a round trip. What names a thing
        that is `missing` comes again as well, holding its arrival: either it is there now, or what brings it will see
        the parked message.
        """
        with self._sessions() as session:
            if missing:
                hold(session, [missing])
            unit = self._unit(session, received, written, content_hash)
            known = self._known(unit) if look_up else None
            unit.needs_key = known is None and received.operation not in READS
            try:
                self._check_content(known, content_hash)
                if known is not None and known.answer is not None:
                    return self._repeat(unit, known)
                response = self._handlers[received.operation](received.request, unit)
            except RequestRefused as reason:
                session.rollback()
                if not look_up and not unit.has_asked and self._known(unit) is not None:
                    return self._once(received, written, content_hash, look_up=True)
                if reason.waits_for not in ("", missing):
                    return self._once(received, written, content_hash, look_up=look_up, missing=reason.waits_for)
                response = self._refuse(unit, reason)
            else:
                self._keep(unit, response, known)
            wanted = self._wanted(unit)
            session.commit()
        for what in wanted:
            self._apply_parked(what)
        return response

    def _unit(self, session: Session, received: Received, written: str, content_hash: str) -> Unit:
        return Unit(
            session=session,
            received=received,
            site=self._site,
            dispatch=self._dispatch,
            wire=self._wire,
            hospital_code=received.request.header.hospital_code or self._site.hospital_code,
            content_hash=content_hash,
            request_text=written,
            patient_id=patient_of(received.request),
        )

    @staticmethod
    def _check_content(known: MessageKey | None, content_hash: str) -> None:
        if known is not None and known.content_hash != content_hash:
            raise MessageConflict()

    @staticmethod
    def _known(unit: Unit) -> MessageKey | None:
        if unit.received.operation in READS:
            return None
        return unit.session.get(MessageKey, (unit.sender_code, unit.received.operation, unit.message_id))

    def _repeat(self, unit: Unit, known: MessageKey) -> Any:
        """The first answer once more; the repetition itself is journalled."""
        response = self._stored_answer(unit.received.operation, known.answer or "")
        response = replace(response, result=replace(response.result, duplicate=True))
        unit.subject, unit.detail = f"message {known.txn_no}", "duplicate"
        insert_rows(
            unit.session, [unit.journal_row(response.result.result_code), unit.audit_row(response.result.result_code)]
        )
        unit.session.commit()
        return response

    def _stored_answer(self, operation: str, answer: str) -> Any:
        return self._wire.read_text(self._operations[operation].response_type, answer)

    def _keep(self, unit: Unit, response: Any, known: MessageKey | None) -> None:
        """Store the answer with everything the operation wrote."""
        code = response.result.result_code
        answer = self._wire.write(response) if unit.is_final else None
        if unit.has_asked:
            self._complete(unit, code, answer)
        else:
            rows = [unit.journal_row(code)]
            if unit.needs_key:
                rows.append(unit.key_row(answer))
            for model, values in rows:
                unit.add(model, **values)
        if known is not None and answer is not None:
            known.answer = answer
        audit, values = unit.audit_row(code)
        unit.add(audit, **values)
        unit.flush()

    def _complete(self, unit: Unit, code: str, answer: str | None) -> None:
        """The second transaction of a message that asked a partner."""
        session = unit.session
        session.execute(
            update(JournalEntry)
            .where(JournalEntry.txn_no == unit.txn_no)
            .values(result_code=code, answered_at=self._clock())
        )
        session.execute(
            update(MessageKey)
            .where(
                MessageKey.sender_code == unit.sender_code,
                MessageKey.operation == unit.received.operation,
                MessageKey.message_id == unit.message_id,
            )
            .values(answer=answer)
        )

    def _refuse(self, unit: Unit, reason: RequestRefused) -> Any:
        """Store a refusal; nothing the operation wanted is kept."""
        result = unit.refused(reason)
        response = self._response_types[unit.received.operation](result=result, **reason.answer)
        rows = [unit.journal_row(result.result_code), unit.audit_row(result.result_code)]
        stored = result.result_code.rpartition("-")[2] not in NOT_STORED and result.result_code != MessageConflict.code
        if unit.has_asked:
            rows = rows[1:]
            self._complete(unit, result.result_code, self._wire.write(response) if stored else None)
        elif stored and unit.needs_key:
            rows.append(unit.key_row(self._wire.write(response)))
        insert_rows(unit.session, rows)
        for kind, subject in unit.alerts_if_refused:
            unit.alert(kind, subject)
        if reason.waits_for:
            self._park(unit, reason.waits_for)
        return response

    # --- messages about something not yet known ---------------------------------------------------------------------

    def _park(self, unit: Unit, waits_for: str) -> None:
        """Keep a message until what it is about arrives; a repeat joins the first, and may by now wait for another."""
        key = (unit.sender_code, unit.received.operation, unit.message_id)
        parked = unit.session.get(ParkedMessage, key)
        if parked is not None and parked.applied_at is None and parked.expires_at > unit.now:
            parked.waits_for = waits_for
            return
        rules = unit.site.rules
        hours, minutes = rules.parked_acknowledgement_hours, rules.parked_minutes
        is_long = unit.received.operation == "AcknowledgeCriticalValue"
        longest = timedelta(hours=hours) if is_long else timedelta(minutes=minutes)
        unit.session.merge(
            ParkedMessage(
                sender_code=unit.sender_code,
                operation=unit.received.operation,
                message_id=unit.message_id,
                txn_no=unit.txn_no,
                waits_for=waits_for,
                request=unit.request_text,
                parked_at=unit.now,
                expires_at=unit.now + longest,
                applied_at=None,
                result_code=None,
            )
        )

    @staticmethod
    def _wanted(unit: Unit) -> list[str]:
        """Of what this message brings, that for which parked messages wait."""
        if not unit.arrived:
            return unit.awaited
        hold(unit.session, unit.arrived)
        return unit.awaited + awaited(unit.session, unit.arrived, unit.now)

    def _apply_parked(self, what: str) -> None:
        """Run the messages that waited for `what`, oldest first, each in a unit of work of its own."""
        now = self._clock()
        with self._sessions() as session:
            waiting = session.scalars(
                select(ParkedMessage)
                .where(
                    ParkedMessage.waits_for == what, ParkedMessage.applied_at.is_(None), ParkedMessage.expires_at > now
                )
                .order_by(ParkedMessage.parked_at, ParkedMessage.txn_no)
            ).all()
        for parked in waiting:
            request = self._wire.read_text(self._operations[parked.operation].request_type, parked.request)
            received = Received(
                operation=parked.operation,
                request=request,
                caller=_ParkedCaller(parked.sender_code),
                xml=parked.request.encode(),
                soap_version=PARKED,
                received_at=now,
                txn_no=new_txn_no(now),
            )
            try:
                result = self.receive(received).result
            except GatewayError:
                continue  # it stays, and is listed when its time is over
            if result.parked:
                continue  # it waits for something else as well
            with self._sessions.begin() as session:
                done = session.get_one(ParkedMessage, (parked.sender_code, parked.operation, parked.message_id))
                done.applied_at, done.result_code = now, result.result_code
