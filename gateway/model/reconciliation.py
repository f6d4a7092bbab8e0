"""What came of comparing the books: each comparison, each difference it found, and what was decided about it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from gateway.model.append_only import keep_forever
from gateway.model.base import Base, Money


class ReconciliationRun(Base):
    """One comparison of a day with one counterpart; never changed. A later one of the same day stands beside it."""

    __tablename__ = "reconciliation_run"
    __table_args__ = (Index("ix_reconciliation_run_day", "hospital_code", "day", "counterpart"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    hospital_code: Mapped[str]
    day: Mapped[date]
    counterpart: Mapped[str]
    """HIS or INSURER."""
    department: Mapped[str]
    """The only performing department that was compared; empty for all."""
    source: Mapped[str]
    """The file, or the partner that was asked."""
    actor: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]
    ours: Mapped[int]
    theirs: Mapped[int]
    matched: Mapped[int]
    differences: Mapped[int]
    totals: Mapped[str]
    """Of each performing department, both sides, as JSON."""
    notes: Mapped[str]
    """What was left out or counted once, as JSON."""


class ReconciliationDifference(Base):
    """One difference a comparison found; never changed."""

    __tablename__ = "reconciliation_difference"
    __table_args__ = (
        Index("ix_reconciliation_difference_run_id", "run_id", "identity"),
        Index("ix_reconciliation_difference_our_key", "our_key"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("reconciliation_run.id"))
    kind: Mapped[str]
    identity: Mapped[str]
    """Equal for the same difference in a later comparison of the same day."""
    direction: Mapped[str]
    dept_code: Mapped[str]
    branch_code: Mapped[str]
    sender_code: Mapped[str]
    number: Mapped[str]
    visit_no: Mapped[str]
    requisition_no: Mapped[str]
    item_seq: Mapped[int | None]
    our_key: Mapped[str | None]
    our_amount: Mapped[Money | None]
    our_state: Mapped[str | None]
    our_at: Mapped[datetime | None]
    their_no: Mapped[str | None]
    their_amount: Mapped[Money | None]
    their_state: Mapped[str | None]
    their_at: Mapped[datetime | None]
    remark: Mapped[str]
    """DUPLICATE, OTHER_DAY or empty."""
    is_new: Mapped[bool]
    """Whether the comparison before had not found it."""


class ReconciliationResolution(Base):
    """What a person did about a difference; never changed. It holds for the same difference in later comparisons."""

    __tablename__ = "reconciliation_resolution"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    difference_id: Mapped[int] = mapped_column(ForeignKey("reconciliation_difference.id"), index=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    text: Mapped[str]


class Turn(Base):
    """What has to be done once in an hour by one process of the site: the last hour in which it was."""

    __tablename__ = "turn"

    name: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime]


keep_forever(ReconciliationRun, ReconciliationDifference, ReconciliationResolution)
