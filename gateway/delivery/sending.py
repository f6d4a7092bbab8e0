"""One attempt to deliver: mark it begun, call the partner, store what came of it.

Three steps in two short transactions; no row is locked while a partner thinks. What follows from an answer is stored
in the transaction that stores the answer, and by one process only, whoever else tried the same delivery meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from lxml import etree
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, defer, sessionmaker

from gateway.contract import NAMESPACE
from gateway.delivery.alarms import raise_alarms
from gateway.delivery.holds import HELD_SECONDS, Holds
from gateway.delivery.jobs import Jobs
from gateway.delivery.locks import Lock, is_money
from gateway.delivery.policy import Case, Step, Verdict, decide, waits_for_code
from gateway.delivery.replayed import after_replay
from gateway.delivery.usual import delivered, take
from gateway.delivery.waiting import park
from gateway.errors import InvalidMessage
from gateway.messages.wire import Wire
from gateway.model.delivery import Delivery, DeliveryAttempt, DeliveryState, Lane
from gateway.operations.dispatch import Dispatch, Forward, Origin, Outcome, OutcomeHook, PartnerAnswer
from gateway.operations.insurance import OPERATIONS
from gateway.operations.report_status import ASKS_HIS as BOOKED_BY_HIS
from gateway.operations.report_status import OPERATION as STATUS
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners

Result = TypeVar("Result")
Attempted = Callable[[str, str, str, float], None]
"""Takes partner, operation, what came of it (see _outcome_of) and seconds."""

FINAL = frozenset({DeliveryState.DELIVERED, DeliveryState.REFUSED, DeliveryState.DISCARDED})
READS = frozenset({"GetMedicalRecord", "QueryRequisition", "QueryTransaction"})
"""Operations whose answers are passed on and not kept."""
BILL = "ChargeItemRequest"
"""What every message to an insurance platform is kept as."""
GRACE_SECONDS = 2.0
"""After its deadline, until an attempt nobody finished is taken for lost."""
STORING_WAITS = (0.5, 1, 2, 4, 8)
"""Seconds between tries to store an outcome while the database is away; after that the attempt counts as lost."""
DEFAULT_ATTEMPTS, DEFAULT_SECONDS = 12, 20.0
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)
UNREADABLE = (InvalidMessage, etree.XMLSyntaxError)

_WITHOUT_CONTENT = (defer(Delivery.request), defer(Delivery.answer))

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """An attempt that has begun."""

    delivery_id: int
    created_at: datetime
    attempts: int
    """Which attempt it is; a later number in the row means that somebody else has taken over."""
    forward: Forward
    stamp: Stamp
    keep: bool
    asks_first: bool
    """True for money with a lost answer: the partner is asked what became of it before it is sent again."""
    registers: bool
    """True for a registration, or its withdrawal, by which this HIS books: that is money too."""
    started_at: datetime
    clock: float
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Report:
    """How an attempt ended; no answer when none was needed."""

    verdict: Verdict
    answer: PartnerAnswer | None = None
    job_removed: bool = False
    """True when the job went in the transaction that stored the outcome."""


class Sender:
    """Makes attempts; any number of threads may use it. `hooks` is looked into when an answer is there."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        wire: Wire,
        partners: Partners,
        hooks: Mapping[str, OutcomeHook],
        jobs: Jobs,
        now: Callable[[], datetime],
        *,
        sync_seconds: float = 8,
        holds: Holds | None = None,
    ) -> None:
        self.sessions = sessions
        self.wire = wire
        self.partners = partners
        self.jobs = jobs
        self.now = now
        self.holds = holds or Holds(now)
        self._hooks = hooks
        self.dispatch: Dispatch | None = None
        """What the hooks send by; set by the QueueDispatch that works with this sender."""
        self._sync_seconds = sync_seconds
        self.attempted: Attempted = lambda partner, operation, outcome, seconds: None
        """Told of every attempt that has ended; what counts them is set from outside."""

    def look_at_holds(self) -> None:
        """Learn what operators have ordered meanwhile."""
        with self.sessions.begin() as session:
            self.holds.refresh(session)

    # --- from the queue ---------------------------------------------------------------------------------------------

    def attempt(self, delivery_id: int, *, keep: bool = True, job_id: int | None = None) -> Report:
        """Send a delivery whose turn has come, or ask what became of it; `job_id` is the job that is run for it."""
        work = self._begin(delivery_id, keep)
        if isinstance(work, Work) and work.asks_first:
            found = self.partners.find_booking(
                work.forward.partner, work.forward.operation, work.forward.request, work.stamp
            )
            if found is not None:
                return self._report(work, found)
            work = self._begin_again(work)
        if isinstance(work, Verdict):
            return Report(work)
        answer = self.call(work)
        if answer.is_yes and not work.is_replay:
            report = while_database_is_away(lambda: self._delivered(work, answer, job_id), STORING_WAITS)
            if report is not None:
                return report
        return self._report(work, answer)

    def _report(self, work: Work, answer: PartnerAnswer) -> Report:
        return Report(*while_database_is_away(lambda: self.conclude(work, answer), STORING_WAITS))

    def call(self, work: Work, seconds: float | None = None) -> PartnerAnswer:
        """Send once and read the answer; never raises."""
        return self.partners.call(
            work.forward.partner, work.forward.operation, work.forward.request, work.stamp, seconds
        )

    def _begin(self, delivery_id: int, keep: bool) -> Work | Verdict:
        """Mark a delivery as being sent, or say what is to be done instead."""
        if self.holds.may_be_old:
            self.look_at_holds()
        with self.sessions() as session:
            taken = take(session, delivery_id, self.now(), self.holds.queues())
        if taken is None:
            return self._begin_unusual(delivery_id, keep)
        try:
            return self._work(taken, forward_of(self.wire, taken), keep)
        except UNREADABLE:
            with self.sessions.begin() as session:
                return self._unreadable(session, session.get_one(Delivery, delivery_id, with_for_update=True))

    def _begin_unusual(self, delivery_id: int, keep: bool) -> Work | Verdict:
        with self.sessions.begin() as session:
            row = session.get(Delivery, delivery_id, with_for_update=True)
            if row is None:
                return Verdict(DeliveryState.DISCARDED, Step.DONE)
            state = DeliveryState(row.state)
            if state in FINAL:
                return Verdict(state, Step.DONE)
            if state is DeliveryState.DEAD:
                holds_nobody = is_money(row.operation) or row.released_at is not None
                return Verdict(state, Step.DONE if holds_nobody else Step.PARKED)
            if self._is_held(session, row):
                return Verdict(state, Step.AGAIN, HELD_SECONDS)
            wait = self._seconds_too_early(row)
            if wait > 0:
                return Verdict(state, Step.AGAIN, wait)
            try:
                forward = forward_of(self.wire, row)
            except UNREADABLE:
                return self._unreadable(session, row)
            if state is DeliveryState.SENDING:
                nothing = PartnerAnswer(Outcome.UNKNOWN, "LOST")
                lost, _ = self._apply(session, row, self._work(row, forward, keep), nothing)
                if lost.step is not Step.AGAIN:
                    return lost
            if row.state == DeliveryState.UNKNOWN and (is_money(row.operation) or self._registers(forward)):
                return self._work(row, forward, keep, asks_first=True)
            return self.mark_sending(row, forward, keep)

    def _unreadable(self, session: Session, row: Delivery) -> Verdict:
        """What is stored of the message cannot be sent."""
        row.state, row.last_code, row.finished_at = DeliveryState.DEAD, "MESSAGE", self.now()
        raise_alarms(session, row, Outcome.FAULT, self.now())
        return Verdict(DeliveryState.DEAD, Step.PARKED if row.released_at is None else Step.DONE)

    def _begin_again(self, work: Work) -> Work | Verdict:
        """The partner does not know the charge or refund: it goes out again under the same number."""
        with self.sessions.begin() as session:
            row = session.get_one(Delivery, work.delivery_id, with_for_update=True)
            if row.state != DeliveryState.UNKNOWN or row.attempts != work.attempts:
                return Verdict(DeliveryState(row.state), Step.AGAIN, GRACE_SECONDS)
            if self._is_held(session, row):
                return Verdict(DeliveryState(row.state), Step.AGAIN, HELD_SECONDS)
            return self.mark_sending(row, work.forward, work.keep)

    def _is_held(self, session: Session, row: Delivery) -> bool:
        """Nothing begins any more once an operator has held the partner, whoever has the job in his hands."""
        self.holds.refresh(session)
        return self.holds.of(row.partner, row.lane) is not None

    def mark_sending(self, row: Delivery, forward: Forward, keep: bool, seconds: float | None = None) -> Work:
        """The row as it stands while a partner is called, for `seconds` at most if that is known; caller commits."""
        row.state = DeliveryState.SENDING
        row.attempts = (row.attempts or 0) + 1
        row.started_at = self.now()
        row.next_attempt_at = row.started_at + timedelta(seconds=seconds + GRACE_SECONDS) if seconds else None
        return self._work(row, forward, keep)

    def _work(self, row: Delivery, forward: Forward, keep: bool, *, asks_first: bool = False) -> Work:
        registers, is_replay = self._registers(forward), row.replay_of is not None
        # A registration has no number of its own: HIS knows it, and what it charged, by its MessageId alone.
        message_id = f"GW-{row.replay_of}" if registers and is_replay else row.message_id
        return Work(
            delivery_id=row.id,
            created_at=row.created_at,
            attempts=row.attempts,
            forward=forward,
            stamp=Stamp(message_id, forward.origin),
            keep=keep,
            asks_first=asks_first,
            registers=registers,
            is_replay=is_replay,
            started_at=self.now(),
            clock=time.monotonic(),
        )

    def _registers(self, forward: Forward) -> bool:
        settings = self.partners.settings(forward.partner)
        charges = settings is not None and settings.registration_charges
        return charges and forward.operation == STATUS and forward.request.event in BOOKED_BY_HIS

    def _seconds_too_early(self, row: Delivery) -> float:
        """A job may be run before its time: after a crash, or while another process still waits for the answer."""
        due = row.next_attempt_at
        if row.state == DeliveryState.SENDING and row.started_at is not None and due is None:
            settings = self.partners.settings(row.partner)
            patience = max(settings.total_seconds if settings else DEFAULT_SECONDS, self._sync_seconds)
            due = row.started_at + timedelta(seconds=patience + GRACE_SECONDS)
        return (due - self.now()).total_seconds() if due is not None else 0

    # --- the outcome --------------------------------------------------------------------------------------------------

    def _delivered(self, work: Work, answer: PartnerAnswer, job_id: int | None) -> Report | None:
        """Store a yes and what follows from it; None, with nothing done, when that is not all there is to it."""
        hook, operation = self._hooks.get(work.forward.operation), work.forward.operation
        values = {
            "id": work.delivery_id,
            "created_at": work.created_at,
            "attempts": work.attempts,
            "job_id": job_id,
            "now": self.now(),
            "answer": None if operation in READS else self.wire.write(answer.response),
            "started_at": work.started_at,
            "milliseconds": int((time.monotonic() - work.clock) * 1000),
        }
        with self.sessions() as session:
            done, removed = delivered(session, values, alone=hook is None)
            if done and hook is not None:
                assert self.dispatch is not None
                try:
                    hook(session, work.forward, answer, self.dispatch)
                    session.commit()
                except DATABASE_AWAY:
                    raise
                except Exception:
                    return None  # `conclude` does it again, and says what is wrong
        if not done:
            return None
        self._tell(work, answer)
        return Report(Verdict(DeliveryState.DELIVERED, Step.DONE), answer, removed)

    def conclude(
        self, work: Work, answer: PartnerAnswer, *, job_at: datetime | None = None
    ) -> tuple[Verdict, PartnerAnswer]:
        """Store an attempt, the state it leads to and all that follows from it, in one transaction.

        `job_at` is given by who asked at once: when the job that stands for it in the queue will run. The answer given
        back is UNKNOWN instead when what should follow from it could not be done: it will then be asked for again.
        """
        with self.sessions.begin() as session:
            row = session.get_one(Delivery, work.delivery_id, with_for_update=True, options=_WITHOUT_CONTENT)
            if row.state in FINAL:
                return Verdict(DeliveryState(row.state), Step.DONE), answer
            expected = DeliveryState.UNKNOWN if work.asks_first else DeliveryState.SENDING
            taken_over = row.attempts != work.attempts or row.state != expected
            if taken_over and decide(self._case(row, work), answer).state not in FINAL:
                return Verdict(DeliveryState(row.state), Step.AGAIN, GRACE_SECONDS), answer
            verdict, answer = self._apply(session, row, work, answer)
            self._tell(work, answer)
            if job_at is not None and verdict.step is Step.DONE:
                self.jobs.remove(session, row)
            elif job_at is not None and verdict.step is Step.AGAIN:
                row.next_attempt_at = job_at
            return verdict, answer

    def _apply(
        self, session: Session, row: Delivery, work: Work, answer: PartnerAnswer
    ) -> tuple[Verdict, PartnerAnswer]:
        is_replay = row.replay_of is not None
        if not is_replay and not self.follow_up(session, work.forward, answer):
            answer = PartnerAnswer(Outcome.UNKNOWN, "INTERNAL")
        case, now = self._case(row, work), self.now()
        verdict, waits = decide(case, answer), waits_for_code(case, answer)
        if not (waits and row.last_code == answer.code):
            session.add(_attempt(row, work, answer))
        if waits:
            verdict = park(session, row, answer, verdict, now)
        row.state, row.last_code = verdict.state, answer.code
        row.next_attempt_at = now + timedelta(seconds=verdict.wait) if verdict.step is Step.AGAIN else None
        row.finished_at = None if verdict.step is Step.AGAIN else now
        if is_replay:
            after_replay(session, self.wire, row, answer, now, registers=work.registers)
        else:
            raise_alarms(session, row, answer.outcome, now, registers=work.registers)
        if answer.response is not None and row.operation not in READS:
            row.answer = self.wire.write(answer.response)
        return verdict, answer

    def follow_up(self, session: Session, forward: Forward, answer: PartnerAnswer) -> bool:
        """Run the operation's hook; False when it failed, with nothing of it done."""
        hook = self._hooks.get(forward.operation)
        if hook is None:
            return True
        assert self.dispatch is not None
        try:
            with session.begin_nested():
                hook(session, forward, answer, self.dispatch)
        except DATABASE_AWAY:
            raise
        except Exception as problem:
            _log.error("What follows from an answer to %s could not be done.", forward.operation, exc_info=problem)
            return False
        return True

    def _tell(self, work: Work, answer: PartnerAnswer) -> None:
        self.attempted(work.forward.partner, work.forward.operation, _outcome_of(answer), time.monotonic() - work.clock)

    def _case(self, row: Delivery, work: Work) -> Case:
        settings = self.partners.settings(row.partner)
        return Case(
            operation=row.operation,
            lane=row.lane,
            attempts=row.attempts,
            max_attempts=settings.max_attempts if settings else DEFAULT_ATTEMPTS,
            age=(self.now() - row.started_at).total_seconds() if row.started_at else 0,
            keep=work.keep,
            released=row.released_at is not None,
            registers=work.registers,
            replay=row.replay_of is not None,
        )


def _attempt(row: Delivery, work: Work, answer: PartnerAnswer) -> DeliveryAttempt:
    return DeliveryAttempt(
        delivery_id=row.id,
        started_at=work.started_at,
        milliseconds=int((time.monotonic() - work.clock) * 1000),
        outcome=answer.outcome,
        code=answer.code,
        detail=answer.detail or None,
    )


def _outcome_of(answer: PartnerAnswer) -> str:
    if answer.outcome is not Outcome.ANSWERED:
        return answer.outcome.lower()
    return "yes" if answer.is_yes else "no"


def forward_of(wire: Wire, row: Delivery) -> Forward:
    """The message of a stored delivery as it was handed over."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    request = etree.fromstring(f'<Request xmlns="{NAMESPACE}">{row.request}</Request>'.encode(), parser)
    lock = Lock.parse(row.lock)
    return Forward(
        partner=row.partner,
        operation=row.operation,
        request=wire.read(BILL if row.operation in OPERATIONS else f"{row.operation}Request", request),
        key=lock.key,
        origin=Origin(
            txn_no=row.txn_no,
            hospital_code=row.hospital_code,
            branch_code=lock.branch_code,
            sender_code=row.origin_sender_code,
            message_id=row.origin_message_id,
        ),
        urgent=row.lane == Lane.CRITICAL,
    )


def while_database_is_away(store: Callable[[], Result], waits: Iterable[float]) -> Result:
    """An answer that came must not be forgotten because the database is restarted, or two transactions collide."""
    for wait in waits:
        try:
            return store()
        except DATABASE_AWAY:
            time.sleep(wait)
    return store()
