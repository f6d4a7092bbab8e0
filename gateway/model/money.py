"""What was charged and given back, and that nothing is ever charged twice."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gateway.model.base import Base, Money, Price, Quantity
from gateway.terms import TransactionState

CENT = Decimal("0.01")


class MoneyKind(StrEnum):
    """What a money transaction does."""

    CHARGE = "CHARGE"
    REFUND = "REFUND"
    REVERSAL = "REVERSAL"


STANDING = (
    TransactionState.PROPOSED,
    TransactionState.SENT,
    TransactionState.CONFIRMED,
    TransactionState.PENDING_CONFIRM,
)
"""States in which a transaction counts: booked, or it may still be."""


def rounded(amount: Decimal) -> Decimal:
    """An amount as it is booked: two places, half up, rounded once and only here."""
    return amount.quantize(CENT, ROUND_HALF_UP)


class MoneyTransaction(Base):
    """One charge, refund or reversal with its lines; unique by sender and number, so a repetition is found again."""

    __tablename__ = "money_transaction"
    __table_args__ = (
        UniqueConstraint("hospital_code", "sender_code", "kind", "number"),
        Index("ix_money_transaction_requisition_key", "requisition_key"),
        Index("ix_money_transaction_visit_no", "hospital_code", "visit_no"),
        Index("ix_money_transaction_number", "hospital_code", "number"),
        Index("ix_money_transaction_original_key", "original_key"),
        Index("ix_money_transaction_created_at", "created_at"),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    """The transaction number of the message, with a suffix when one message makes several."""
    txn_no: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str]
    hospital_code: Mapped[str]
    branch_code: Mapped[str]
    sender_code: Mapped[str]
    number: Mapped[str]
    """ChargeNo or RefundNo; GW- and the transaction number for what the gateway makes itself."""
    message_id: Mapped[str]
    requisition_key: Mapped[str | None] = mapped_column(ForeignKey("requisition.key"))
    visit_type: Mapped[str]
    visit_no: Mapped[str]
    patient_id: Mapped[str]
    perform_dept_code: Mapped[str | None]
    charge_point: Mapped[str | None]
    initiator: Mapped[str | None]
    original_key: Mapped[str | None] = mapped_column(ForeignKey("money_transaction.key"))
    """Of a refund or reversal: the charge."""
    source: Mapped[str]
    """HIS when HIS booked it and told us, GATEWAY when HIS has to book it."""
    his_no: Mapped[str | None]
    insurer: Mapped[str | None]
    """Of a charge: the insurance platform its details are registered with; None when nobody has to be told."""
    content_hash: Mapped[str]
    occurred_at: Mapped[datetime]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    """When the state became final."""
    refusal_code: Mapped[str | None]
    refusal_text: Mapped[str | None]

    lines: Mapped[list[MoneyLine]] = relationship(
        back_populates="transaction", order_by="MoneyLine.line_no", lazy="selectin"
    )

    @property
    def standing(self) -> TransactionState:
        return TransactionState(self.state)

    @property
    def amount(self) -> Decimal:
        """What the transaction moves; of a charge the actual amounts."""
        return sum((line.amount for line in self.lines if line.amount is not None), Decimal("0.00"))


class MoneyLine(Base):
    """One line of a charge or refund."""

    __tablename__ = "money_line"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        Index("ix_money_line_original", "original_key", "original_line_no"),
    )

    transaction_key: Mapped[str] = mapped_column(ForeignKey("money_transaction.key"), primary_key=True)
    line_no: Mapped[int] = mapped_column(primary_key=True)
    item_seq: Mapped[int | None]
    package_code: Mapped[str | None]
    charge_code: Mapped[str]
    item_name: Mapped[str]
    quantity: Mapped[Quantity]
    unit_price: Mapped[Price | None]
    list_amount: Mapped[Money | None]
    amount: Mapped[Money | None]
    """What is booked; None until HIS has priced the item."""
    original_key: Mapped[str | None]
    original_line_no: Mapped[int | None]

    transaction: Mapped[MoneyTransaction] = relationship(back_populates="lines")


class ChargeOnce(Base):
    """The guard against double charges: one row per charged item of a requisition, gone when it is fully refunded.

    All parts of the key are required, since NULLs would let duplicates through (docs/specification/money.md).
    """

    __tablename__ = "charge_once"

    hospital_code: Mapped[str] = mapped_column(primary_key=True)
    branch_code: Mapped[str] = mapped_column(primary_key=True)
    requisition_no: Mapped[str] = mapped_column(primary_key=True)
    item_seq: Mapped[int] = mapped_column(primary_key=True)
    charge_code: Mapped[str] = mapped_column(primary_key=True)
    transaction_key: Mapped[str] = mapped_column(index=True)
    line_no: Mapped[int]
