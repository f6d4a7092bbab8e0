"""The delivery side as operations see it: routes, queues, and a question at once (gateway/operations/dispatch.py)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from gateway.config import Settings
from gateway.delivery.alarms import alert_stopped
from gateway.delivery.enqueue import enqueue
from gateway.delivery.gate import Gate
from gateway.delivery.locks import Lock, earlier
from gateway.delivery.routing import partners_of
from gateway.delivery.sending import GRACE_SECONDS, Sender, Work, while_database_is_away
from gateway.model.delivery import Delivery, DeliveryAttempt, DeliveryState, Lane
from gateway.model.partner_hold import HoldMode
from gateway.operations.dispatch import UNMAPPED, Forward, Held, Outcome, PartnerAnswer
from gateway.partner_config import Partner
from gateway.terms import RequisitionType

IN_ORDER = text("SELECT pg_advisory_xact_lock(hashtextextended(lock, 0)) FROM unnest(CAST(:locks AS text[])) lock")
"""Transactions that add to one lock wait for each other, so that ids, jobs and commits have the same order."""
TURN_POLL_SECONDS = 0.05
STORING_WAITS = (0.2, 0.5)
"""Seconds between tries to store an answer while its caller waits; then the job in the queue finds out again."""
WITHDRAWABLE = frozenset({DeliveryState.QUEUED, DeliveryState.DEAD, DeliveryState.DISCARDED})


class QueueDispatch:
    """Implements gateway.operations.dispatch.Dispatch; one per process, for any number of threads."""

    def __init__(self, settings: Settings, sender: Sender) -> None:
        self._routes = settings.routes
        self._partners = {partner.name: partner for partner in settings.partners}
        self._gates = {name: Gate() for name in self._partners}
        self._zone = settings.zone
        self._sender = sender
        sender.dispatch = self
        self._jobs = sender.jobs

    # --- the site's partners ------------------------------------------------------------------------------------------

    def partners_for(
        self,
        operation: str,
        *,
        hospital_code: str,
        requisition_type: RequisitionType | None = None,
        perform_dept: str | None = None,
    ) -> tuple[str, ...]:
        return partners_of(
            self._routes,
            operation,
            hospital_code=hospital_code,
            requisition_type=requisition_type,
            perform_dept=perform_dept,
        )

    def client_of(self, partner: str) -> str:
        found = self._partners.get(partner)
        return found.client_name if found else partner

    def partner_of(self, client: str) -> str | None:
        return next((name for name, partner in self._partners.items() if partner.client_name == client), None)

    def charges_on_register(self, partner: str) -> bool:
        found: Partner | None = self._partners.get(partner)
        return found is not None and found.registration_charges

    def settles_insurance(self, partner: str) -> bool:
        found = self._partners.get(partner)
        return found is not None and found.insurance is not None and found.insurance.settles

    def held(self, session: Session, partner: str, *, urgent: bool) -> Held | None:
        holds = self._sender.holds
        holds.refresh(session)
        hold = holds.of(partner, Lane.CRITICAL if urgent else Lane.NORMAL)
        if hold is None:
            return None
        until = f"{hold.until.astimezone(self._zone):%Y-%m-%d %H:%M}" if hold.until is not None else ""
        return Held(partner, HoldMode(hold.mode), until)

    # --- sending ------------------------------------------------------------------------------------------------------

    def enqueue(self, session: Session, forwards: Sequence[Forward]) -> None:
        enqueue(session, [self._values(forward) for forward in forwards])
        for forward in forwards:
            if forward.urgent and self.held(session, forward.partner, urgent=True):
                self._alert_stopped(session, forward)

    def ask(self, session: Session, forward: Forward, seconds: float, *, keep: bool) -> PartnerAnswer:
        held = self.held(session, forward.partner, urgent=forward.urgent)
        if held is not None:
            if forward.urgent:
                self._alert_stopped(session, forward)
            return self._ask(session, forward, seconds, keep, held.mode)
        if forward.urgent or forward.partner not in self._gates:
            return self._ask(session, forward, seconds, keep, "")
        gate, answer = self._gates[forward.partner], None
        refusal = gate.enter()
        try:
            answer = self._ask(session, forward, seconds, keep, refusal)
        finally:
            if not refusal:
                gate.leave(None if answer is None or answer.code in ("ORDER", UNMAPPED) else answer)
        return answer

    def _ask(self, session: Session, forward: Forward, seconds: float, keep: bool, refusal: str) -> PartnerAnswer:
        """Ask, unless there is a reason not to; what is kept is stored either way."""
        deadline = time.monotonic() + seconds
        job_at = self._sender.now() + timedelta(seconds=seconds + GRACE_SECONDS)
        row = self._row(forward)
        _keep_order(session, [row])
        session.add(row)
        session.flush()
        if keep or forward.key:
            # Holds the lock while the question is out, and goes on with it if this process dies.
            self._jobs.add(session, row, at=job_at, keep=keep)
        at_once = not refusal and not earlier(session, row)
        work = self._sender.mark_sending(row, forward, keep, seconds) if at_once else None
        if work is None:
            row.next_attempt_at = job_at
        session.commit()
        if work is None and not refusal:
            work = self._await_turn(row.id, forward, keep, deadline, seconds / 2)
        if work is None:
            nothing = PartnerAnswer(Outcome.NOT_SENT, refusal or "ORDER")
            self._give_up(row.id, forward, nothing, keep=keep)
            return nothing
        sent = work
        answer = self._sender.call(sent, max(deadline - time.monotonic(), 0.01))
        return while_database_is_away(lambda: self._sender.conclude(sent, answer, job_at=job_at), STORING_WAITS)[1]

    def _alert_stopped(self, session: Session, forward: Forward) -> None:
        subject, now = forward.key or forward.origin.message_id, self._sender.now()
        alert_stopped(session, forward.operation, forward.partner, subject, forward.origin.txn_no, now)

    def kept(self, type_name: str, text: str) -> Any:
        return self._sender.wire.read_text(type_name, text)

    def withdraw(self, session: Session, *, hospital_code: str, branch_code: str, partner: str, key: str) -> bool:
        lock = str(Lock("requisition", partner, hospital_code, branch_code, key))
        rows = session.scalars(
            select(Delivery).where(Delivery.lock == lock).order_by(Delivery.id).with_for_update()
        ).all()
        if any(row.state not in WITHDRAWABLE for row in rows) or _was_seen(session, [row.id for row in rows]):
            return False
        for row in rows:
            if row.state != DeliveryState.DISCARDED:
                row.state, row.last_code, row.finished_at = DeliveryState.DISCARDED, "WITHDRAWN", self._sender.now()
                self._jobs.remove(session, row)
        return True

    def _row(self, forward: Forward) -> Delivery:
        return Delivery(**self._values(forward))

    def _values(self, forward: Forward) -> dict[str, Any]:
        """What is stored of a delivery before its first attempt."""
        origin = forward.origin
        return {
            "partner": forward.partner,
            "operation": forward.operation,
            "lane": Lane.CRITICAL if forward.urgent else Lane.NORMAL,
            "lock": str(Lock.of(forward.operation, forward.partner, origin, forward.key)),
            "state": DeliveryState.QUEUED,
            "attempts": 0,
            "txn_no": origin.txn_no,
            "hospital_code": origin.hospital_code,
            "origin_sender_code": origin.sender_code,
            "origin_message_id": origin.message_id,
            "subject": forward.key or origin.message_id,
            "request": forward.written or self._sender.wire.write(forward.request),
            "created_at": self._sender.now(),
        }

    # --- order --------------------------------------------------------------------------------------------------------

    def _await_turn(
        self, delivery_id: int, forward: Forward, keep: bool, deadline: float, for_sending: float
    ) -> Work | None:
        """Wait while what goes before is just being sent, or about to be; None when it has failed, or takes so long
        that less than `for_sending` would be left until the deadline."""
        while (left := deadline - time.monotonic()) > for_sending:
            time.sleep(TURN_POLL_SECONDS)
            with self._sender.sessions.begin() as session:
                row = session.get_one(Delivery, delivery_id)
                before = earlier(session, row)
                if any(one.state != DeliveryState.SENDING and _was_tried(one) for one in before):
                    return None
                if not before:
                    session.refresh(row, with_for_update=True)
                    is_waiting = row.state == DeliveryState.QUEUED and row.attempts == 0
                    return self._sender.mark_sending(row, forward, keep, left) if is_waiting else None
        return None

    def _give_up(self, delivery_id: int, forward: Forward, nothing: PartnerAnswer, *, keep: bool) -> None:
        """A message that may not wait in the queue ends here; of any other it is noted that nothing was sent so far."""
        with self._sender.sessions.begin() as session:
            row = session.get_one(Delivery, delivery_id, with_for_update=True)
            if row.state != DeliveryState.QUEUED:
                return
            if keep:
                self._sender.follow_up(session, forward, nothing)
                return
            row.state, row.last_code, row.finished_at = DeliveryState.DISCARDED, nothing.code, self._sender.now()
            self._jobs.remove(session, row)


def _was_tried(row: Delivery) -> bool:
    return row.attempts > 0 or row.last_code == UNMAPPED


def _keep_order(session: Session, rows: Sequence[Delivery]) -> None:
    locks = sorted({row.lock for row in rows if Lock.parse(row.lock).key})
    if locks:
        session.execute(IN_ORDER, {"locks": locks})


def _was_seen(session: Session, delivery_ids: Sequence[int]) -> bool:
    """Whether a partner may have read any of these: only what was never sent is certainly unknown to it."""
    query = select(DeliveryAttempt.id).where(
        DeliveryAttempt.delivery_id.in_(delivery_ids), DeliveryAttempt.outcome != Outcome.NOT_SENT
    )
    return session.scalars(query.limit(1)).first() is not None
