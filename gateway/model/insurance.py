"""What is registered of a visit's money with an insurance platform: batches of details, settlements, and their states.

A batch and its lines, a settlement and every state are written once and never changed
(docs/specification/insurance.md).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gateway.model.append_only import keep_forever
from gateway.model.base import Base, Money, Price, Quantity


class InsuranceState(StrEnum):
    """Where a batch or a settlement stands at the platform."""

    PLANNED = "PLANNED"
    """Waits until HIS has booked the charge."""
    PENDING = "PENDING"
    """On its way to the platform."""
    UPLOADED = "UPLOADED"
    SETTLED = "SETTLED"
    WITHDRAWING = "WITHDRAWING"
    """The withdrawal, or the reversal of a settlement, is on its way."""
    WITHDRAWN = "WITHDRAWN"
    REFUSED = "REFUSED"
    """The platform never took it."""


STANDING = frozenset({InsuranceState.PENDING, InsuranceState.UPLOADED})
"""States of a batch that the platform has, or will have."""


class InsuranceBatch(Base):
    """The details of one charge that are uploaded, and withdrawn, together; with what the platform must know of it."""

    __tablename__ = "insurance_batch"
    __table_args__ = (
        Index("ix_insurance_batch_transaction_key", "transaction_key", "seq", unique=True),
        Index("ix_insurance_batch_visit_no", "hospital_code", "visit_no"),
        Index("ix_insurance_batch_occurred_at", "hospital_code", "occurred_at"),
    )

    number: Mapped[str] = mapped_column(primary_key=True)
    """The key of the charge, with the number of the batch from the second on."""
    transaction_key: Mapped[str] = mapped_column(ForeignKey("money_transaction.key"))
    seq: Mapped[int]
    partner: Mapped[str]
    hospital_code: Mapped[str]
    branch_code: Mapped[str]
    visit_no: Mapped[str]
    visit_type: Mapped[str]
    visit_seq: Mapped[str | None]
    insurance_no: Mapped[str | None]
    dept_code: Mapped[str | None]
    patient_id: Mapped[str]
    perform_dept_code: Mapped[str]
    occurred_at: Mapped[datetime]

    lines: Mapped[list[InsuranceLine]] = relationship(order_by="InsuranceLine.line_no", lazy="selectin")


class InsuranceLine(Base):
    """One line of a batch."""

    __tablename__ = "insurance_line"

    batch_number: Mapped[str] = mapped_column(ForeignKey("insurance_batch.number"), primary_key=True)
    line_no: Mapped[int] = mapped_column(primary_key=True)
    """As in the charge."""
    charge_code: Mapped[str]
    insurance_code: Mapped[str | None]
    item_name: Mapped[str]
    quantity: Mapped[Quantity]
    unit_price: Mapped[Price | None]
    amount: Mapped[Money | None]
    """None until HIS has priced the item; what it answered stands in the charge."""


class InsuranceSettlement(Base):
    """One settlement of a visit that the gateway has the platform make."""

    __tablename__ = "insurance_settlement"
    __table_args__ = (Index("ix_insurance_settlement_visit_no", "hospital_code", "visit_no"),)

    number: Mapped[str] = mapped_column(primary_key=True)
    partner: Mapped[str]
    hospital_code: Mapped[str]
    branch_code: Mapped[str]
    visit_no: Mapped[str]
    total: Mapped[Money]
    created_at: Mapped[datetime]


class InsuranceEvent(Base):
    """One state of a batch or a settlement; the newest is the present one."""

    __tablename__ = "insurance_event"
    __table_args__ = (Index("ix_insurance_event_subject", "subject", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    subject: Mapped[str]
    """The number of the batch or settlement."""
    state: Mapped[str]
    at: Mapped[datetime]
    code: Mapped[str | None]
    """The infcode of a refusal, or the platform's own number of a settlement."""


keep_forever(InsuranceBatch, InsuranceLine, InsuranceSettlement, InsuranceEvent)
