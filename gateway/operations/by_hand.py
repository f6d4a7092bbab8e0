"""What people decide about money when machines cannot: the outcome of a transaction, and a correction of the books.

Two persons are needed for each: one who does it and one who approves. Nothing that is booked is changed; a correction
is an ADJUST beside it (docs/specification/money.md, "By hand").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.model.money import LedgerEntry, MoneyKind, MoneyLine, MoneyState, MoneyTransaction, entries_of
from gateway.operations.booking import booked, not_booked, tell_insurer
from gateway.operations.dispatch import Dispatch
from gateway.operations.ledger import locked, move_on, remaining
from gateway.store import Row, insert_rows
from gateway.terms import TransactionState as S

OPEN = (S.PROPOSED, S.SENT, S.PENDING_CONFIRM, S.MANUAL)
SENDER = "GATEWAY"
"""Who corrections come from."""


class HandRefused(Exception):
    """It cannot be decided like this; the text says why, and names no patient."""


@dataclass(frozen=True, slots=True)
class People:
    """Who does it, who approves it, and why."""

    operator: str
    approver: str
    reason: str

    def __post_init__(self) -> None:
        if not (self.operator.strip() and self.approver.strip() and self.reason.strip()):
            raise HandRefused("Name who does it, who approves it, and why.")
        if self.operator.strip() == self.approver.strip():
            raise HandRefused("Another person has to approve it than the one who does it.")

    def __str__(self) -> str:
        return f"{self.reason.strip()} ({self.operator.strip()}, approved by {self.approver.strip()})"


def find(
    session: Session, number: str, *, kind: MoneyKind | None = None, sender: str | None = None
) -> MoneyTransaction:
    """The one transaction of a number. Raises HandRefused when there is none, or several."""
    query = select(MoneyTransaction).where(MoneyTransaction.number == number)
    if kind is not None:
        query = query.where(MoneyTransaction.kind == kind)
    if sender is not None:
        query = query.where(MoneyTransaction.sender_code == sender)
    found = session.scalars(query.limit(2)).all()
    if not found:
        raise HandRefused(f"No transaction has the number {number}.")
    if len(found) > 1:
        raise HandRefused(f"Several transactions have the number {number}: give --sender, and --kind if needed.")
    return found[0]


def take_over(session: Session, transaction: MoneyTransaction, people: People, now: datetime) -> None:
    """From now on people look after it: the gateway asks HIS no more, and what waits behind it goes on."""
    row = _undecided(session, transaction)
    if row.standing is not S.MANUAL:
        move_on(session, row, S.MANUAL, now, text=str(people))


def resolve(
    session: Session,
    transaction: MoneyTransaction,
    people: People,
    now: datetime,
    dispatch: Dispatch,
    *,
    is_booked: bool,
    his_no: str | None = None,
) -> None:
    """Settle it as HIS has it: booked there, or certainly not. The caller has given up its delivery before."""
    row = _undecided(session, transaction)
    if is_booked:
        prices = {line.line_no: line.amount for line in row.lines}
        if None in prices.values():
            raise HandRefused(
                "A line has no price yet: enter it with `gateway money adjust` and say --not-booked here."
            )
        booked(session, row, now, dispatch, his_no=his_no, text=str(people))
    else:
        not_booked(session, row, S.REVERSED, now, dispatch, text=str(people))


def _undecided(session: Session, transaction: MoneyTransaction) -> MoneyTransaction:
    row = locked(session, transaction.key)
    if row.standing not in OPEN:
        raise HandRefused(
            f"{row.kind} {row.number} is {row.standing}: that is final. Correct it with `gateway money adjust`."
        )
    return row


@dataclass(frozen=True, slots=True)
class Place:
    """What a correction is about that belongs to no charge of the gateway."""

    hospital_code: str
    branch_code: str
    visit_no: str
    visit_type: str
    patient_id: str
    perform_dept: str
    charge_code: str


def adjust_charge(
    session: Session,
    charge: MoneyTransaction,
    line_no: int,
    amount: Decimal,
    people: People,
    now: datetime,
    key: str,
    dispatch: Dispatch,
) -> None:
    """Correct what a line of a booked charge costs, by `amount` more or less; the insurer is told."""
    charge = locked(session, charge.key)
    if charge.kind != MoneyKind.CHARGE or charge.standing is not S.CONFIRMED:
        raise HandRefused(f"{charge.kind} {charge.number} is {charge.standing}: only a booked charge is corrected.")
    left = next((line for line in remaining(session, charge) if line.line_no == line_no), None)
    if left is None:
        raise HandRefused(f"Charge {charge.number} has no line {line_no}.")
    if left.amount is None or left.amount + amount < 0:
        raise HandRefused(f"Line {line_no} would cost less than nothing: {left.amount} is left of it.")
    place = Place(
        charge.hospital_code,
        charge.branch_code,
        charge.visit_no,
        charge.visit_type,
        charge.patient_id,
        charge.perform_dept_code or "",
        left.charge_code,
    )
    _enter(session, place, amount, people, now, key, name=left.item_name, charge=charge, line_no=line_no)
    tell_insurer(session, session.get_one(MoneyTransaction, key), dispatch)


def adjust_visit(
    session: Session, place: Place, name: str, amount: Decimal, people: People, now: datetime, key: str
) -> None:
    """Enter what HIS booked and no message told of, or what has to be taken off a visit's account."""
    _enter(session, place, amount, people, now, key, name=name)


def _enter(
    session: Session,
    place: Place,
    amount: Decimal,
    people: People,
    now: datetime,
    key: str,
    *,
    name: str,
    charge: MoneyTransaction | None = None,
    line_no: int | None = None,
) -> None:
    if amount == 0 or amount != amount.quantize(Decimal("0.01")):
        raise HandRefused("A correction is an amount of at least 0.01, with two places.")
    transaction = {
        "key": key,
        "txn_no": key,
        "kind": MoneyKind.ADJUST,
        "hospital_code": place.hospital_code,
        "branch_code": place.branch_code,
        "sender_code": SENDER,
        "number": f"ADJ-{key}",
        "message_id": key,
        "requisition_key": charge.requisition_key if charge is not None else None,
        "visit_type": place.visit_type,
        "visit_no": place.visit_no,
        "patient_id": place.patient_id,
        "perform_dept_code": place.perform_dept or None,
        "original_key": charge.key if charge is not None else None,
        "source": "HAND",
        "reason": str(people),
        "content_hash": "",
        "occurred_at": now,
        "created_at": now,
    }
    line = {
        "transaction_key": key,
        "line_no": 1,
        "charge_code": place.charge_code,
        "item_name": name,
        "quantity": Decimal(1),
        "amount": amount,
        "original_key": charge.key if charge is not None else None,
        "original_line_no": line_no,
    }
    where = (place.hospital_code, place.branch_code, place.visit_no, place.perform_dept or None)
    rows: list[Row] = [
        (MoneyTransaction, transaction),
        (MoneyLine, line),
        (MoneyState, {"transaction_key": key, "seq": 1, "state": S.CONFIRMED, "at": now, "text": str(people)}),
        *[
            (LedgerEntry, {"transaction_key": key, "at": now, **entry})
            for entry in entries_of(MoneyKind.ADJUST, *where, [(1, amount)])
        ],
    ]
    insert_rows(session, rows)
