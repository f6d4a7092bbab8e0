"""What was charged and given back: an append-only ledger, and the guard that nothing is ever charged twice.

A transaction, its lines and its states are written once and never changed; what happens to a transaction is another
state behind the last. When it is booked, each of its lines is entered twice, so that every transaction sums to zero
(docs/specification/money.md, "The ledger").
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    DDL,
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    ScalarSelect,
    UniqueConstraint,
    case,
    event,
    func,
    select,
)
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from gateway.model.append_only import keep_forever
from gateway.model.base import Base, Money, Price, Quantity
from gateway.terms import TransactionState

CENT = Decimal("0.01")
S = TransactionState


class MoneyKind(StrEnum):
    """What a money transaction does."""

    CHARGE = "CHARGE"
    """The visit owes the department."""
    REFUND = "REFUND"
    """Lines of a charge go back, whole or in part."""
    REVERSAL = "REVERSAL"
    """What is left of a charge goes back because what it was for is undone (冲正)."""
    ADJUST = "ADJUST"
    """A correction after the books were compared, made by a person and approved by another (调账)."""


STANDING = (S.PROPOSED, S.SENT, S.CONFIRMED, S.PENDING_CONFIRM, S.MANUAL)
"""States in which a transaction counts: booked, or it may still be."""

FINAL = (S.CONFIRMED, S.REJECTED, S.REVERSED)
"""Booked, refused, or known never to have been booked; nothing follows."""

MONEY_TRANSITIONS: dict[TransactionState, frozenset[TransactionState]] = {
    S.PROPOSED: frozenset({S.SENT, S.CONFIRMED, S.REJECTED, S.PENDING_CONFIRM, S.MANUAL, S.REVERSED}),
    S.SENT: frozenset({S.PROPOSED, S.CONFIRMED, S.REJECTED, S.PENDING_CONFIRM, S.MANUAL, S.REVERSED}),
    S.PENDING_CONFIRM: frozenset({S.CONFIRMED, S.REJECTED, S.REVERSED, S.MANUAL}),
    S.MANUAL: frozenset({S.CONFIRMED, S.REVERSED}),
    S.CONFIRMED: frozenset(),
    S.REJECTED: frozenset(),
    S.REVERSED: frozenset(),
}
"""Which state may follow which. A booked transaction is final: what undoes it is another transaction."""


def rounded(amount: Decimal) -> Decimal:
    """An amount as it is booked: two places, half up, rounded once and only here."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def shares(total: Decimal, weights: list[Decimal]) -> list[Decimal]:
    """`total` divided by weight, each part rounded, the last part taking what rounding leaves; the sum is `total`.

    Weights that are all zero count as equal. Parts never leave the range from zero to `total`.
    """
    if not any(weights):
        weights = [Decimal(1)] * len(weights)
    parts: list[Decimal] = []
    left, weight_left = total, sum(weights, Decimal(0))
    for weight in weights:
        part = rounded(left * weight / weight_left) if weight_left != weight else left
        parts.append(part)
        left, weight_left = left - part, weight_left - weight
    return parts


class MoneyState(Base):
    """One state of a transaction; the one with the highest number is the present one."""

    __tablename__ = "money_state"

    transaction_key: Mapped[str] = mapped_column(ForeignKey("money_transaction.key"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    """From 1; the primary key lets only one of two processes write what follows a state."""
    state: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)
    his_no: Mapped[str | None]
    """HIS's own number, once it is known."""
    code: Mapped[str | None]
    """Of a refusal: the code HIS gave."""
    text: Mapped[str | None]


class LedgerEntry(Base):
    """One side of a booked line: what an account is debited (positive) or credited (negative)."""

    __tablename__ = "ledger_entry"
    __table_args__ = (Index("ix_ledger_entry_account", "account", "at"),)

    transaction_key: Mapped[str] = mapped_column(ForeignKey("money_transaction.key"), primary_key=True)
    line_no: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    """VISIT, hospital, branch and visit number, or DEPT, hospital, branch and department, with bars between."""
    amount: Mapped[Money]
    at: Mapped[datetime]


def _newest(column: Any, key: Any) -> ScalarSelect[Any]:
    """A column of the newest state of the transaction with this key."""
    query = select(column).where(MoneyState.transaction_key == key)
    return query.order_by(MoneyState.seq.desc()).limit(1).correlate_except(MoneyState).scalar_subquery()


def _entered(key: Any, line_no: Any) -> ScalarSelect[Any]:
    """What was entered for a line: it stands there as a debit and as a credit, the greater of the two."""
    query = select(func.max(LedgerEntry.amount)).where(LedgerEntry.transaction_key == key)
    return query.where(LedgerEntry.line_no == line_no).correlate_except(LedgerEntry).scalar_subquery()


class MoneyTransaction(Base):
    """One charge, refund, reversal or correction; unique by sender and number, so a repetition is found again."""

    __tablename__ = "money_transaction"
    __table_args__ = (
        UniqueConstraint("hospital_code", "sender_code", "kind", "number"),
        Index("ix_money_transaction_requisition_key", "requisition_key"),
        Index("ix_money_transaction_visit_no", "hospital_code", "visit_no"),
        Index("ix_money_transaction_number", "hospital_code", "number"),
        Index("ix_money_transaction_original_key", "original_key"),
        Index("ix_money_transaction_txn_no", "txn_no"),
        Index("ix_money_transaction_occurred_at", "occurred_at"),
        Index("ix_money_transaction_created_at", "created_at"),
        Index("ix_money_transaction_correlation_no", "correlation_no"),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    """The transaction number of the message, with a suffix when one message makes several."""
    txn_no: Mapped[str]
    kind: Mapped[str]
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
    """Of a refund, reversal or correction: the charge."""
    correlation_no: Mapped[str | None]
    """The same for the refund and the new charge of one MOVE (转记)."""
    source: Mapped[str]
    """HIS when HIS booked it and told us, GATEWAY when HIS has to book it, HAND when a person entered it."""
    insurer: Mapped[str | None]
    """Of a charge: the insurance platform its details are registered with; None when nobody has to be told."""
    reason: Mapped[str | None]
    """Why money goes back: the code of the reason; of a correction the words of who made it."""
    request: Mapped[str | None]
    """Of a charge that waits for the refund of its movement: what HIS will be asked, as it is kept."""
    content_hash: Mapped[str]
    occurred_at: Mapped[datetime]
    created_at: Mapped[datetime]

    lines: Mapped[list[MoneyLine]] = relationship(
        back_populates="transaction", order_by="MoneyLine.line_no", lazy="selectin"
    )

    state: Mapped[str] = column_property(_newest(MoneyState.state, key))
    """The newest state, as are the four that follow; they change with another MoneyState, never here."""
    settled_at: Mapped[datetime | None] = column_property(
        _newest(case((MoneyState.state.in_(FINAL), MoneyState.at)), key)
    )
    """When the state became final, None while it can still change."""
    his_no: Mapped[str | None] = column_property(_newest(MoneyState.his_no, key))
    refusal_code: Mapped[str | None] = column_property(_newest(MoneyState.code, key))
    refusal_text: Mapped[str | None] = column_property(_newest(MoneyState.text, key))

    @property
    def standing(self) -> TransactionState:
        return TransactionState(self.state)

    @property
    def amount(self) -> Decimal:
        """What the transaction moves; of a charge the actual amounts."""
        return sum((line.amount for line in self.lines if line.amount is not None), Decimal("0.00"))


class MoneyLine(Base):
    """One line of a charge, refund, reversal or correction."""

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
    stated_amount: Mapped[Money | None] = mapped_column("amount")
    """What the message said; None when HIS prices the item. Negative only in a correction."""
    original_key: Mapped[str | None]
    original_line_no: Mapped[int | None]

    amount: Mapped[Decimal | None] = column_property(
        func.coalesce(stated_amount, _entered(transaction_key, line_no), type_=Numeric(16, 2))
    )
    """What is booked, or will be as far as is known; None until HIS has priced the item."""

    transaction: Mapped[MoneyTransaction] = relationship(back_populates="lines")


def entries_of(
    kind: str,
    hospital_code: str,
    branch_code: str,
    visit_no: str,
    perform_dept: str | None,
    amounts: Iterable[tuple[int, Decimal | None]],
) -> list[dict[str, Any]]:
    """Both entries of every line: its number, account and amount; a charge debits the visit and credits the department.

    A refund or reversal is the other way round. A line nobody has priced is not entered.
    """
    visit = f"VISIT|{hospital_code}|{branch_code}|{visit_no}"
    dept = f"DEPT|{hospital_code}|{branch_code}|{perform_dept or ''}"
    sign = -1 if kind in (MoneyKind.REFUND, MoneyKind.REVERSAL) else 1
    return [
        {"line_no": line_no, "account": account, "amount": amount * side}
        for line_no, amount in amounts
        if amount is not None
        for account, side in ((visit, sign), (dept, -sign))
    ]


class ChargeOnce(Base):
    """The guard against double charges: one row per charged item of a requisition, gone when it is fully refunded.

    It is a reservation and no part of the ledger. All parts of the key are required, since NULLs would let duplicates
    through (docs/specification/money.md).
    """

    __tablename__ = "charge_once"

    hospital_code: Mapped[str] = mapped_column(primary_key=True)
    branch_code: Mapped[str] = mapped_column(primary_key=True)
    requisition_no: Mapped[str] = mapped_column(primary_key=True)
    item_seq: Mapped[int] = mapped_column(primary_key=True)
    charge_code: Mapped[str] = mapped_column(primary_key=True)
    transaction_key: Mapped[str] = mapped_column(index=True)
    line_no: Mapped[int]


BALANCED = """
CREATE OR REPLACE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added GROUP BY transaction_key HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'the ledger entries of a transaction do not sum to zero' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""
BALANCE_TRIGGER = (
    "CREATE TRIGGER balanced AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS added "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced()"
)
"""Checked once per statement, since all entries of a transaction are written by one."""

VIEWS = (
    """
    CREATE OR REPLACE VIEW money_now AS
    SELECT t.*, s.state, s.at AS changed_at, s.his_no,
        CASE WHEN s.state IN ('CONFIRMED', 'REJECTED', 'REVERSED') THEN s.at END AS settled_at
    FROM money_transaction t
    CROSS JOIN LATERAL (
        SELECT state, at, his_no FROM money_state WHERE transaction_key = t.key ORDER BY seq DESC LIMIT 1) s
    """,
    """
    CREATE OR REPLACE VIEW money_line_now AS
    SELECT l.transaction_key, l.line_no, l.item_seq, l.charge_code, l.quantity, l.original_key, l.original_line_no,
        coalesce(l.amount, (SELECT max(e.amount) FROM ledger_entry e
            WHERE e.transaction_key = l.transaction_key AND e.line_no = l.line_no)) AS amount
    FROM money_line l
    """,
)
"""For whoever reads the books in SQL: transactions with their newest state, lines with what is booked."""

keep_forever(MoneyTransaction, MoneyLine, MoneyState, LedgerEntry)
for _statement in (BALANCED, BALANCE_TRIGGER):
    event.listen(LedgerEntry.__table__, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]
for _statement in VIEWS:
    event.listen(Base.metadata, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]
