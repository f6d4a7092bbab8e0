"""A critical value and everybody who answered for it: its states, its clocks, and what was done when one ran out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gateway.model.append_only import keep_forever
from gateway.model.base import Base
from gateway.terms import AckType, CriticalStatus

NEW, NOTIFIED, NURSE, DOCTOR, HANDLED, CLOSED, CANCELLED = CriticalStatus


class CriticalEvent(StrEnum):
    """What happens to a critical value after its push: the acknowledgements, and what the gateway sees by itself."""

    DELIVERED = "DELIVERED"
    """HIS has it."""
    READ = AckType.READ
    RECEIVE_NURSE = AckType.RECEIVE_NURSE
    FORWARD_DOCTOR = AckType.FORWARD_DOCTOR
    RECEIVE_DOCTOR = AckType.RECEIVE_DOCTOR
    HANDLE = AckType.HANDLE
    TRANSFER = AckType.TRANSFER
    TECH_CONFIRM = AckType.TECH_CONFIRM
    UNREACHABLE = AckType.UNREACHABLE
    RETURNED = "RETURNED"
    """The department that found it has taken the opinion, where the site closes values by that."""
    CANCEL = "CANCEL"


def _kept(*states: CriticalStatus) -> dict[CriticalStatus, CriticalStatus]:
    """Recorded, and nothing moves."""
    return {state: state for state in states}


_LIVING = (NEW, NOTIFIED, NURSE, DOCTOR, HANDLED, CLOSED)
CRITICAL_TRANSITIONS: dict[CriticalEvent, dict[CriticalStatus, CriticalStatus]] = {
    CriticalEvent.DELIVERED: {NEW: NOTIFIED, **_kept(NOTIFIED, NURSE, DOCTOR, HANDLED, CLOSED, CANCELLED)},
    CriticalEvent.READ: _kept(*_LIVING),
    CriticalEvent.RECEIVE_NURSE: {NEW: NURSE, NOTIFIED: NURSE, **_kept(NURSE, DOCTOR, HANDLED, CLOSED)},
    CriticalEvent.FORWARD_DOCTOR: {NEW: NURSE, NOTIFIED: NURSE, **_kept(NURSE, DOCTOR, HANDLED, CLOSED)},
    CriticalEvent.RECEIVE_DOCTOR: {**dict.fromkeys((NEW, NOTIFIED, NURSE), DOCTOR), **_kept(DOCTOR, HANDLED, CLOSED)},
    CriticalEvent.HANDLE: {**dict.fromkeys((NEW, NOTIFIED, NURSE, DOCTOR), HANDLED), **_kept(HANDLED, CLOSED)},
    CriticalEvent.TRANSFER: _kept(*_LIVING),
    CriticalEvent.TECH_CONFIRM: {**_kept(NEW, NOTIFIED, NURSE, DOCTOR, CLOSED), HANDLED: CLOSED},
    CriticalEvent.UNREACHABLE: _kept(*_LIVING),
    CriticalEvent.RETURNED: {**_kept(NEW, NOTIFIED, NURSE, DOCTOR, CLOSED, CANCELLED), HANDLED: CLOSED},
    CriticalEvent.CANCEL: {**dict.fromkeys((NEW, NOTIFIED, NURSE, DOCTOR), CANCELLED), **_kept(CANCELLED)},
}
"""Event -> present state -> next state; a missing pair is refused: CRV-410 after a cancellation, CRV-423 for cancelling
what was handled. Nothing ever moves back."""

OPEN = (NEW, NOTIFIED, NURSE, DOCTOR)
"""States in which somebody still has to act for the patient."""


class CriticalStage(StrEnum):
    """What has to be done within a time of its own."""

    NOTIFY = "NOTIFY"
    RECEIVE = "RECEIVE"
    FORWARD = "FORWARD"
    HANDLE = "HANDLE"
    TOTAL = "TOTAL"
    RETURN = "RETURN"


STAGE_STATES: dict[CriticalStage, tuple[CriticalStatus, ...]] = {
    CriticalStage.NOTIFY: (NEW,),
    CriticalStage.RECEIVE: (NEW, NOTIFIED),
    CriticalStage.FORWARD: (NURSE,),
    CriticalStage.HANDLE: (NURSE, DOCTOR),
    CriticalStage.TOTAL: OPEN,
    CriticalStage.RETURN: (HANDLED,),
}
"""In which states a stage's clock runs, once its deadline is set."""
STAGE_DEADLINES: dict[CriticalStage, str] = {
    CriticalStage.NOTIFY: "notify_deadline",
    CriticalStage.RECEIVE: "receive_deadline",
    CriticalStage.FORWARD: "forward_deadline",
    CriticalStage.HANDLE: "doctor_deadline",
    CriticalStage.TOTAL: "handle_deadline",
    CriticalStage.RETURN: "return_deadline",
}
_ENDED_BY: dict[CriticalStage, str] = {CriticalStage.FORWARD: "forwarded_at", CriticalStage.RETURN: "returned_at"}
"""Moments that end a clock although the state stays."""


class CriticalValue(Base):
    """One critical value of a sender; open until it is handled, cancelled or closed.

    Its deadlines are moments, set once when a stage begins: no restart, no midnight and no day changes them.
    """

    __tablename__ = "critical_value"
    __table_args__ = (
        UniqueConstraint("hospital_code", "critical_id", "sender_code"),
        Index("ix_critical_value_report_no", "hospital_code", "sender_code", "report_no"),
        Index("ix_critical_value_open", "status"),
        Index("ix_critical_value_next_due", "next_due"),
        Index("ix_critical_value_visit_no", "hospital_code", "visit_no"),
        Index("ix_critical_value_received_at", "received_at"),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    hospital_code: Mapped[str]
    branch_code: Mapped[str]
    sender_code: Mapped[str]
    critical_id: Mapped[str]
    status: Mapped[str]
    source_type: Mapped[str | None]
    requisition_no: Mapped[str | None]
    report_no: Mapped[str | None]
    patient_id: Mapped[str | None]
    visit_no: Mapped[str | None]
    visit_type: Mapped[str | None]
    target_dept_code: Mapped[str | None]
    target_ward_code: Mapped[str | None]
    dept_code: Mapped[str | None]
    """The department that has to act: the one the push names, else the patient's."""
    ward_code: Mapped[str | None]
    bed_no: Mapped[str | None]
    reporter_code: Mapped[str | None]
    to_fallback: Mapped[bool]
    """True when nobody was named whom the gateway knows: the fallback receiver is told."""
    opened_by_report: Mapped[bool]
    content_hash: Mapped[str]
    request: Mapped[str]
    """The children of the latest Request element as XML."""
    received_at: Mapped[datetime]
    notify_deadline: Mapped[datetime | None]
    receive_deadline: Mapped[datetime]
    forward_deadline: Mapped[datetime | None]
    doctor_deadline: Mapped[datetime | None]
    """For the doctor who has received it; `handle_deadline` is for all of it, from the push on."""
    handle_deadline: Mapped[datetime]
    return_deadline: Mapped[datetime | None]
    notified_at: Mapped[datetime | None]
    receipt_at: Mapped[datetime | None]
    """When the first person received it, nurse or doctor."""
    forwarded_at: Mapped[datetime | None]
    """When a doctor had it: forwarded to one, or received by one."""
    handled_at: Mapped[datetime | None]
    returned_at: Mapped[datetime | None]
    """When the department that found it had taken the opinion."""
    closes_itself: Mapped[bool] = mapped_column(server_default="false")
    """Whether it is closed as soon as the opinion is back; the site's choice when it was opened."""
    next_due: Mapped[datetime | None]
    """When its clocks have to be looked at next; empty when none runs."""

    acknowledgements: Mapped[list[CriticalAcknowledgement]] = relationship(
        back_populates="critical_value", order_by="CriticalAcknowledgement.id", lazy="selectin"
    )

    @property
    def state(self) -> CriticalStatus:
        return CriticalStatus(self.status)

    def may(self, event: CriticalEvent) -> bool:
        return self.state in CRITICAL_TRANSITIONS[event]

    def move_on(self, event: CriticalEvent, now: datetime) -> None:
        """Note what happened and move the loop on; what comes late or out of turn is kept and moves nothing back.

        A step that was skipped is taken as done. Only for an event the value may have.
        """
        before, self.status = self.state, CRITICAL_TRANSITIONS[event][self.state]
        if event is CriticalEvent.DELIVERED:
            self.notified_at = self.notified_at or now
        if before in OPEN and self.state in (NURSE, DOCTOR, HANDLED):
            self.receipt_at = self.receipt_at or now
        if before in OPEN and (event is CriticalEvent.FORWARD_DOCTOR or self.state in (DOCTOR, HANDLED)):
            self.forwarded_at = self.forwarded_at or now
        if self.state is HANDLED:
            self.handled_at = self.handled_at or now
        if before is HANDLED and self.state is CLOSED:
            self.returned_at = self.returned_at or now

    def opinion_is_back(self, now: datetime) -> None:
        """The department that found it has taken the opinion; with that it may be closed."""
        if self.state is HANDLED:
            self.returned_at = self.returned_at or now
            if self.closes_itself:
                self.move_on(CriticalEvent.RETURNED, now)

    def running(self) -> dict[CriticalStage, datetime]:
        """The stages whose clocks run, with their deadlines."""
        found = {}
        for stage, states in STAGE_STATES.items():
            deadline: datetime | None = getattr(self, STAGE_DEADLINES[stage])
            ended = stage in _ENDED_BY and getattr(self, _ENDED_BY[stage]) is not None
            if deadline is not None and self.state in states and not ended:
                found[stage] = deadline
        return found

    def overdue(self, now: datetime) -> list[CriticalStage]:
        """The stages that are late: a flag beside the state, never a state of its own."""
        return [stage for stage, deadline in self.running().items() if deadline <= now]


class CriticalAcknowledgement(Base):
    """One acknowledgement; append-only, the last opinion is what the sender reads, all are kept."""

    __tablename__ = "critical_acknowledgement"
    __table_args__ = (UniqueConstraint("critical_value_key", "sender_code", "ack_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    critical_value_key: Mapped[str] = mapped_column(ForeignKey("critical_value.key"))
    sender_code: Mapped[str]
    ack_id: Mapped[str]
    ack_type: Mapped[str]
    actor_code: Mapped[str]
    acted_at: Mapped[datetime]
    received_at: Mapped[datetime]
    content_hash: Mapped[str]
    request: Mapped[str]
    txn_no: Mapped[str]

    critical_value: Mapped[CriticalValue] = relationship(back_populates="acknowledgements")


class CriticalEscalation(Base):
    """One level of one stage that was told because its time had passed; append-only, each level once per stage."""

    __tablename__ = "critical_escalation"
    __table_args__ = (UniqueConstraint("critical_value_key", "stage", "level"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    critical_value_key: Mapped[str] = mapped_column(ForeignKey("critical_value.key"))
    stage: Mapped[str]
    level: Mapped[int]
    due_at: Mapped[datetime]
    """The stage's deadline."""
    raised_at: Mapped[datetime]
    receivers: Mapped[str]
    """Codes of people, roles and wards, with commas between."""
    partners: Mapped[str]
    """The systems that were sent a message, with commas between; what came of it stands in their deliveries."""


class Notification(Base):
    """One escalation to be told through one outside channel, until that has taken it."""

    __tablename__ = "notification"
    __table_args__ = (
        Index("ix_notification_next_attempt_at", "notifier", "next_attempt_at"),
        Index("ix_notification_escalation_id", "escalation_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    escalation_id: Mapped[int] = mapped_column(ForeignKey("critical_escalation.id"))
    notifier: Mapped[str]
    attempts: Mapped[int]
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime | None]
    """Empty when nothing more is to be done."""
    sent_at: Mapped[datetime | None]
    last_code: Mapped[str | None]
    """What came of the last attempt."""

    escalation: Mapped[CriticalEscalation] = relationship()


keep_forever(CriticalAcknowledgement, CriticalEscalation)
