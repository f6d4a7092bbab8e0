"""What the gateway knows of visits and of merged patients, told by HIS."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from gateway.model.base import Base
from gateway.terms import VisitEvent, VisitState

VISIT_TRANSITIONS: dict[VisitEvent, dict[VisitState, VisitState]] = {
    VisitEvent.ADMIT: {VisitState.UNKNOWN: VisitState.OPEN, VisitState.OPEN: VisitState.OPEN},
    VisitEvent.TRANSFER: {VisitState.UNKNOWN: VisitState.OPEN, VisitState.OPEN: VisitState.OPEN},
    VisitEvent.DISCHARGE: {VisitState.UNKNOWN: VisitState.DISCHARGED, VisitState.OPEN: VisitState.DISCHARGED},
    VisitEvent.CANCEL_DISCHARGE: {VisitState.UNKNOWN: VisitState.OPEN, VisitState.DISCHARGED: VisitState.OPEN},
    VisitEvent.SETTLE: {
        VisitState.UNKNOWN: VisitState.SETTLED,
        VisitState.OPEN: VisitState.SETTLED,
        VisitState.DISCHARGED: VisitState.SETTLED,
    },
    VisitEvent.UNSETTLE: {VisitState.UNKNOWN: VisitState.DISCHARGED, VisitState.SETTLED: VisitState.DISCHARGED},
    VisitEvent.CANCEL_VISIT: {VisitState.UNKNOWN: VisitState.CANCELLED, VisitState.OPEN: VisitState.CANCELLED},
}
"""Event -> present state -> next state. An event of its own outcome is a repetition; other missing pairs are illegal.
MERGE, SPLIT and IDENTIFY are about patients and leave the visit's state alone."""

MONEY_CLOSED = frozenset({VisitState.DISCHARGED, VisitState.SETTLED, VisitState.CANCELLED})


class Visit(Base):
    """A visit as HIS last told it. A visit without a row is unknown and never assumed open for money."""

    __tablename__ = "visit"

    hospital_code: Mapped[str] = mapped_column(primary_key=True)
    visit_no: Mapped[str] = mapped_column(primary_key=True)
    branch_code: Mapped[str] = mapped_column(primary_key=True)
    visit_type: Mapped[str]
    patient_id: Mapped[str]
    state: Mapped[str]
    dept_code: Mapped[str | None]
    ward_code: Mapped[str | None]
    bed_no: Mapped[str | None]
    changed_at: Mapped[datetime]
    """By the sender's clock: an event older than this is recorded and changes nothing."""


class VisitEventRecord(Base):
    """One visit event as told by HIS."""

    __tablename__ = "visit_event"
    __table_args__ = (Index("ix_visit_event_number", "hospital_code", "sender_code", "event_no", unique=True),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    hospital_code: Mapped[str]
    branch_code: Mapped[str]
    sender_code: Mapped[str]
    event_no: Mapped[str]
    event: Mapped[str]
    visit_no: Mapped[str]
    patient_id: Mapped[str]
    previous_patient_id: Mapped[str | None]
    occurred_at: Mapped[datetime]
    """By HIS's clock, but never later than the gateway's when it came: the journal has it as told."""
    content_hash: Mapped[str]
    txn_no: Mapped[str]


class PatientMerge(Base):
    """A patient id that was merged into another; a split removes the row."""

    __tablename__ = "patient_merge"

    hospital_code: Mapped[str] = mapped_column(primary_key=True)
    former_patient_id: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[str]
    merged_at: Mapped[datetime]
