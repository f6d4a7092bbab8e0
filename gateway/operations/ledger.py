"""The ledger: transactions are entered, moved on and counted here, and nowhere else.

The rules are docs/specification/money.md. A transaction HIS told us of is CONFIRMED at once and goes to no billing
system; one that HIS has to book is PROPOSED or SENT, until HIS answers (gateway/operations/booking.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import case, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gateway.messages.charge import ChargeLine
from gateway.model.money import (
    MONEY_TRANSITIONS,
    STANDING,
    ChargeOnce,
    LedgerEntry,
    MoneyKind,
    MoneyLine,
    MoneyState,
    MoneyTransaction,
    entries_of,
)
from gateway.model.requisition import Requisition
from gateway.operations.dispatch import Dispatch
from gateway.operations.unit import Unit
from gateway.store import Row, insert_rows
from gateway.terms import TransactionState


def add_transaction(
    unit: Unit,
    *,
    key: str,
    kind: MoneyKind,
    state: TransactionState,
    number: str,
    visit_type: str,
    visit_no: str,
    patient_id: str,
    source: str,
    lines: list[dict[str, Any]],
    occurred_at: datetime,
    content_hash: str = "",
    branch_code: str | None = None,
    **values: Any,
) -> None:
    """Write a transaction with its lines, state and entries, in the round trip of the message."""
    unit.add(
        MoneyTransaction,
        key=key,
        txn_no=unit.txn_no,
        kind=kind,
        hospital_code=unit.hospital_code,
        branch_code=unit.branch_code if branch_code is None else branch_code,
        sender_code=unit.sender_code,
        number=number,
        message_id=unit.message_id,
        visit_type=visit_type,
        visit_no=visit_no,
        patient_id=patient_id,
        source=source,
        content_hash=content_hash,
        occurred_at=occurred_at,
        created_at=unit.now,
        **values,
    )
    unit.add(MoneyState, transaction_key=key, seq=1, state=state, at=unit.now)
    for line in lines:
        unit.add(MoneyLine, transaction_key=key, **line)
    if state is TransactionState.CONFIRMED:
        branch = unit.branch_code if branch_code is None else branch_code
        amounts = [(line["line_no"], line["amount"]) for line in lines]
        for entry in entries_of(kind, unit.hospital_code, branch, visit_no, values.get("perform_dept_code"), amounts):
            unit.add(LedgerEntry, transaction_key=key, at=unit.now, **entry)


def charge_lines(lines: Iterable[dict[str, Any]]) -> tuple[ChargeLine, ...]:
    """The lines of a charge as HIS is asked to book them."""
    return tuple(
        ChargeLine(
            line_no=line["line_no"],
            item_seq=line["item_seq"],
            package_code=line["package_code"],
            charge_code=line["charge_code"],
            item_name=line["item_name"],
            quantity=line["quantity"],
            unit_price=line["unit_price"],
            list_amount=line["list_amount"],
            actual_amount=line["amount"],
        )
        for line in lines
    )


def guard_once(unit: Unit, requisition_no: str, branch_code: str, key: str, lines: Iterable[dict[str, Any]]) -> None:
    """Take the one place every charged item of a requisition has; a second charge then breaks on the primary key."""
    for line in lines:
        unit.add(
            ChargeOnce,
            hospital_code=unit.hospital_code,
            branch_code=branch_code,
            requisition_no=requisition_no,
            item_seq=line["item_seq"],
            charge_code=line["charge_code"],
            transaction_key=key,
            line_no=line["line_no"],
        )


def charged_already(unit: Unit, requisition_no: str, branch_code: str) -> dict[tuple[int, str], str]:
    """What is charged of a requisition: item and price code -> transaction."""
    rows = unit.session.scalars(
        select(ChargeOnce).where(
            ChargeOnce.hospital_code == unit.hospital_code,
            ChargeOnce.branch_code == branch_code,
            ChargeOnce.requisition_no == requisition_no,
        )
    )
    return {(row.item_seq, row.charge_code): row.transaction_key for row in rows}


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a charged line after its refunds."""

    line_no: int
    item_seq: int | None
    charge_code: str
    item_name: str
    quantity: Decimal
    amount: Decimal | None

    @property
    def is_back(self) -> bool:
        """Whether it has gone back whole: a part of its price that was kept is still a charge."""
        return self.quantity <= 0 and not self.amount


def remaining(
    session: Session, charge: MoneyTransaction, states: Iterable[TransactionState] = STANDING
) -> list[Remaining]:
    """Of every line of a charge, what has not gone back and is not on its way back; a correction changes the amount."""
    is_back = MoneyTransaction.kind != MoneyKind.ADJUST
    rows = session.execute(
        select(
            MoneyLine.original_line_no,
            func.coalesce(func.sum(MoneyLine.quantity).filter(is_back), 0),
            func.sum(case((is_back, MoneyLine.amount), else_=-MoneyLine.amount)),
        )
        .join(MoneyTransaction, MoneyTransaction.key == MoneyLine.transaction_key)
        .where(MoneyLine.original_key == charge.key, MoneyTransaction.state.in_(states))
        .group_by(MoneyLine.original_line_no)
    )
    gone = {line_no: (quantity, amount or Decimal(0)) for line_no, quantity, amount in rows}
    result = []
    for line in charge.lines:
        quantity, amount = gone.get(line.line_no, (Decimal(0), Decimal(0)))
        left = None if line.amount is None else line.amount - amount
        result.append(
            Remaining(line.line_no, line.item_seq, line.charge_code, line.item_name, line.quantity - quantity, left)
        )
    return result


def free_places(session: Session, charge: MoneyTransaction) -> frozenset[int]:
    """Give up the place of every line whose money is back whole: its item may be charged again. Returns the items."""
    booked = remaining(session, charge, (TransactionState.CONFIRMED,))
    back = {line.line_no: line.item_seq for line in booked if line.is_back}
    if back:
        session.execute(
            delete(ChargeOnce).where(ChargeOnce.transaction_key == charge.key, ChargeOnce.line_no.in_(back))
        )
    return frozenset(seq for seq in back.values() if seq is not None)


def places_taken(session: Session, requisition: Requisition, lines: Iterable[Remaining]) -> set[str]:
    """The charges that hold the places of these lines of a requisition."""
    places = [(line.item_seq, line.charge_code) for line in lines]
    return set(
        session.scalars(
            select(ChargeOnce.transaction_key).where(
                ChargeOnce.hospital_code == requisition.hospital_code,
                ChargeOnce.branch_code == requisition.branch_code,
                ChargeOnce.requisition_no == requisition.requisition_no,
                tuple_(ChargeOnce.item_seq, ChargeOnce.charge_code).in_(places),
            )
        )
    )


def retake_places(
    session: Session, requisition: Requisition, charge: MoneyTransaction, lines: Iterable[Remaining]
) -> None:
    """Give these lines of a charge their places again, where no other charge holds them."""
    rows = [
        {
            "hospital_code": requisition.hospital_code,
            "branch_code": requisition.branch_code,
            "requisition_no": requisition.requisition_no,
            "item_seq": line.item_seq,
            "charge_code": line.charge_code,
            "transaction_key": charge.key,
            "line_no": line.line_no,
        }
        for line in lines
    ]
    if rows:
        session.execute(insert(ChargeOnce).values(rows).on_conflict_do_nothing())


def locked(session: Session, key: str) -> MoneyTransaction:
    """A transaction whose state nobody else changes until this database transaction ends.

    Its row never changes, so what is read with the lock may be older than the lock: the state is read behind it.
    """
    session.execute(select(MoneyTransaction.key).where(MoneyTransaction.key == key).with_for_update())
    query = select(MoneyTransaction).where(MoneyTransaction.key == key)
    return session.scalars(query, execution_options={"populate_existing": True}).one()


def move_on(
    session: Session,
    transaction: MoneyTransaction,
    state: TransactionState,
    at: datetime,
    *,
    his_no: str | None = None,
    code: str | None = None,
    text: str | None = None,
    prices: Mapping[int, Decimal] | None = None,
) -> None:
    """Put a state behind the last one of a locked transaction; booked, its lines are entered in the ledger.

    `prices` are the amounts HIS gave to lines that came without one, of a refund by the line of the charge; where it
    gave none, all that is left of that line goes back. The same state again changes nothing.
    Raises ValueError for a state that may not follow.
    """
    if transaction.standing is state:
        return
    if state not in MONEY_TRANSITIONS[transaction.standing]:
        raise ValueError(f"{transaction.standing} is not followed by {state}")
    session.flush()
    seq = select(func.max(MoneyState.seq)).where(MoneyState.transaction_key == transaction.key)
    values = {"state": state, "at": at, "his_no": his_no or transaction.his_no, "code": code, "text": text}
    rows: list[Row] = [
        (MoneyState, {"transaction_key": transaction.key, "seq": session.scalars(seq).one() + 1, **values})
    ]
    if state is TransactionState.CONFIRMED:
        known = {**_left_unpriced(session, transaction), **(prices or {})}
        amounts = [
            (line.line_no, known.get(line.original_line_no or line.line_no) if line.amount is None else line.amount)
            for line in transaction.lines
        ]
        place = (transaction.hospital_code, transaction.branch_code, transaction.visit_no)
        entries = entries_of(transaction.kind, *place, transaction.perform_dept_code, amounts)
        rows += [(LedgerEntry, {"transaction_key": transaction.key, "at": at, **entry}) for entry in entries]
    insert_rows(session, rows)
    session.refresh(transaction)


def _left_unpriced(session: Session, transaction: MoneyTransaction) -> dict[int, Decimal]:
    """What is left of a charge some of whose lines go back without an amount: it was not priced when they were."""
    if transaction.original_key is None or all(line.amount is not None for line in transaction.lines):
        return {}
    charge = session.get_one(MoneyTransaction, transaction.original_key, populate_existing=True)
    left = remaining(session, charge, (TransactionState.CONFIRMED,))
    return {line.line_no: line.amount for line in left if line.amount is not None}


def billing_partner(unit: Unit, operation: str, perform_dept: str | None) -> str | None:
    """The HIS that books, None when the site has none or the message came from it."""
    return billing_partner_of(unit.dispatch, operation, unit.hospital_code, perform_dept, sender_code=unit.sender_code)


def billing_partner_of(
    dispatch: Dispatch, operation: str, hospital_code: str, perform_dept: str | None, *, sender_code: str
) -> str | None:
    """The same, where there is no message."""
    partners = dispatch.partners_for(operation, hospital_code=hospital_code, perform_dept=perform_dept)
    return next((p for p in partners if dispatch.client_of(p) != sender_code), None)


def content_hash(unit: Unit, request: Any) -> str:
    """Equal for two messages that say the same apart from their headers: the second guard, by business number."""
    header = replace(request.header, message_id="-", sent_at=datetime(2000, 1, 1, tzinfo=UTC), operator_code=None)
    header = replace(header, operator_name=None, version=None)
    return hashlib.sha256(unit.text_of(replace(request, header=header)).encode()).hexdigest()
