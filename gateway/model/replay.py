"""Messages that are sent again although they were delivered: who wanted it, who approved it, and which they are."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from gateway.model.base import Base


class ReplayState(StrEnum):
    """Where a replay stands."""

    PROPOSED = "PROPOSED"
    """Waits for a second person."""
    APPROVED = "APPROVED"
    """May begin."""
    RUNNING = "RUNNING"
    """Some are handed to the queue, others not yet."""
    DONE = "DONE"
    """All are handed to the queue."""
    CANCELLED = "CANCELLED"
    """No more are handed to the queue."""


class ReplayBatch(Base):
    """One replay. The database itself refuses that somebody approves his own, or that it begins unapproved."""

    __tablename__ = "replay_batch"
    __table_args__ = (
        CheckConstraint("approved_by <> proposed_by", name="two_persons"),
        CheckConstraint(
            "NOT needs_approval OR approved_by IS NOT NULL OR state IN ('PROPOSED', 'CANCELLED')", name="approved_first"
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    proposed_at: Mapped[datetime]
    proposed_by: Mapped[str]
    """An account of the operating system, as the kernel names it."""
    reason: Mapped[str]
    selection: Mapped[str]
    """As it was given."""
    with_superseded: Mapped[bool]
    """True when also that is sent which a later message has overtaken."""
    superseded: Mapped[int]
    """How many of the selection were left out because a later message has overtaken them."""
    needs_approval: Mapped[bool]
    """True for money and clinical content."""
    per_second: Mapped[int]
    state: Mapped[str]
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    """When it was done or cancelled."""


class ReplayMember(Base):
    """One delivery that is to be sent again; which they are is decided when the replay is proposed."""

    __tablename__ = "replay_member"
    __table_args__ = (Index("ix_replay_member_original_id", "original_id"),)

    batch_id: Mapped[int] = mapped_column(ForeignKey("replay_batch.id"), primary_key=True)
    original_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    partner: Mapped[str]
    operation: Mapped[str]
    delivery_id: Mapped[int | None] = mapped_column(BigInteger)
    """The delivery by which it is sent again, once it is handed to the queue."""
    left_out: Mapped[str | None]
    """Why it is not sent after all: SUPERSEDED by a later message, or GONE with its month."""
