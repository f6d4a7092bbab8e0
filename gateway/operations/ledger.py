"""The money side of every operation: what is charged when, what may go back, and what HIS's answer means.

The rules are docs/specification/money.md. A transaction HIS told us of is CONFIRMED at once and goes to no billing
system; one that HIS has to book is PROPOSED, and only HIS's answer, or a query, ever changes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import case, delete, func, select
from sqlalchemy.orm import Session

from gateway.config import Rules
from gateway.messages.charge import ChargeItemRequest, ChargeLine, RefundItemRequest, RefundLine
from gateway.messages.common import Header
from gateway.messages.requisition import RequisitionItem as SubmittedItem
from gateway.messages.requisition import SubmitRequisitionRequest
from gateway.model.money import (
    FINAL,
    MONEY_TRANSITIONS,
    STANDING,
    ChargeOnce,
    LedgerEntry,
    MoneyKind,
    MoneyLine,
    MoneyState,
    MoneyTransaction,
    entries_of,
    rounded,
)
from gateway.model.requisition import Requisition
from gateway.operations import insurance
from gateway.operations.dispatch import Dispatch, Forward, Outcome, PartnerAnswer
from gateway.operations.lookups import submitted
from gateway.operations.unit import Unit
from gateway.store import Row, insert_rows
from gateway.terms import ChargePoint, Initiator, RefundReason, ReleaseEvent, TransactionState, VisitType

NO_CHARGE_POINT = "NONE"
PAID_EVENTS = frozenset({ReleaseEvent.PAID, ReleaseEvent.PREPAID_CARD})


@dataclass(frozen=True, slots=True)
class Booking:
    """A transaction the gateway made and the request by which HIS is to book it."""

    key: str
    operation: str
    request: Any
    visit_no: str


def charge_point(rules: Rules, hospital_code: str, perform_dept: str, visit_type: VisitType, day: date) -> str:
    """NURSE_SEND, REGISTER or NONE: the first rule of the site that fits, else inpatients at registration."""
    for rule in rules.charge_points:
        if (
            rule.hospital_code in (None, hospital_code)
            and rule.perform_dept in (None, perform_dept)
            and rule.visit_type in (None, visit_type)
            and (rule.effective_from is None or rule.effective_from <= day)
        ):
            return rule.charge_point
    return ChargePoint.REGISTER if visit_type is VisitType.INPATIENT else NO_CHARGE_POINT


def lines_of(items: Iterable[SubmittedItem], seqs: frozenset[int] | None = None) -> list[dict[str, Any]]:
    """The lines a requisition is charged by: its charge items where it has any, else each item itself."""
    lines: list[dict[str, Any]] = []
    for item in items:
        charges: Sequence[Any] = item.charge_items or (item,)
        for charge in charges:
            amount = charge.amount
            if amount is None and charge.unit_price is not None:
                amount = rounded(charge.unit_price * charge.quantity)
            lines.append(
                {
                    "line_no": len(lines) + 1,
                    "item_seq": item.item_seq,
                    "package_code": item.package_code,
                    "charge_code": getattr(charge, "charge_code", item.item_code),
                    "item_name": charge.item_name,
                    "quantity": charge.quantity,
                    "unit_price": charge.unit_price,
                    "list_amount": amount,
                    "amount": amount,
                }
            )
    return [line for line in lines if seqs is None or line["item_seq"] in seqs]


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


def charge_at_release(
    unit: Unit, request: SubmitRequisitionRequest, key: str, branch_code: str, point: str, *, is_new: bool = False
) -> None:
    """Enter what HIS charged by itself when it released the requisition: paid, or sent by the nurse."""
    event = request.release_event
    if event not in PAID_EVENTS and not (event is ReleaseEvent.NURSE_SENT and point == ChargePoint.NURSE_SEND):
        return
    number = f"GW-{unit.txn_no}"
    known = {} if is_new else charged_already(unit, request.requisition_no, branch_code)
    lines = [line for line in lines_of(request.items) if (line["item_seq"], line["charge_code"]) not in known]
    lines = _one_per_code(lines)
    if not lines:
        return
    add_transaction(
        unit,
        key=f"{unit.txn_no}-C",
        kind=MoneyKind.CHARGE,
        state=TransactionState.CONFIRMED,
        number=number,
        visit_type=request.visit.visit_type,
        visit_no=request.visit.visit_no,
        patient_id=request.patient.patient_id,
        source="HIS",
        lines=lines,
        occurred_at=request.paid_at or unit.now,
        branch_code=branch_code,
        requisition_key=key,
        perform_dept_code=request.perform_dept_code,
        charge_point=ChargePoint.NURSE_SEND if event is ReleaseEvent.NURSE_SENT else None,
        insurer=insurance.insurer_of(unit, request.visit),
    )
    guard_once(unit, request.requisition_no, branch_code, f"{unit.txn_no}-C", lines)
    if insurance.plan_requisition(unit, request, f"{unit.txn_no}-C", lines, branch_code, request.paid_at or unit.now):
        tell_insurer_now(unit, f"{unit.txn_no}-C")


def charge_registration(unit: Unit, requisition: Requisition, seqs: frozenset[int], at: datetime) -> Booking | None:
    """Charge the items that were just registered, unless they are charged already."""
    if requisition.charge_point != ChargePoint.REGISTER or not seqs:
        return None
    request = submitted(unit, requisition)
    known = charged_already(unit, requisition.requisition_no, requisition.branch_code)
    lines = [line for line in lines_of(request.items, seqs) if (line["item_seq"], line["charge_code"]) not in known]
    lines = _one_per_code(lines)
    if not lines:
        return None
    key, number = f"{unit.txn_no}-C", f"GW-{unit.txn_no}"
    add_transaction(
        unit,
        key=key,
        kind=MoneyKind.CHARGE,
        state=TransactionState.PROPOSED,
        number=number,
        visit_type=requisition.visit_type,
        visit_no=requisition.visit_no,
        patient_id=requisition.patient_id,
        source="GATEWAY",
        lines=lines,
        occurred_at=at,
        branch_code=requisition.branch_code,
        requisition_key=requisition.key,
        perform_dept_code=requisition.perform_dept_code,
        charge_point=ChargePoint.REGISTER,
        insurer=insurance.insurer_of(unit, request.visit),
    )
    guard_once(unit, requisition.requisition_no, requisition.branch_code, key, lines)
    insurance.plan_requisition(unit, request, key, lines, requisition.branch_code, at)
    message = ChargeItemRequest(
        header=_header(unit, requisition),
        charge_no=number,
        requisition_no=requisition.requisition_no,
        patient=request.patient,
        visit=request.visit,
        charge_point=ChargePoint.REGISTER,
        occurred_at=at,
        ordering_dept_code=request.ordering_dept_code,
        perform_dept_code=request.perform_dept_code,
        lines=tuple(
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
        ),
    )
    return Booking(key, "ChargeItem", message, requisition.visit_no)


def reverse_charges(
    unit: Unit, requisition: Requisition, point: ChargePoint, seqs: frozenset[int], *, by_his: bool
) -> list[Booking]:
    """Take back what was charged at `point` for these items: a withdrawn registration, a cancelled requisition."""
    charges = unit.session.scalars(
        select(MoneyTransaction).where(
            MoneyTransaction.requisition_key == requisition.key,
            MoneyTransaction.kind == MoneyKind.CHARGE,
            MoneyTransaction.charge_point == point,
            MoneyTransaction.state.in_(STANDING),
        )
    ).all()
    bookings = []
    for number, charge in enumerate(charges, 1):
        left = [line for line in remaining(unit.session, charge) if line.item_seq in seqs and line.quantity > 0]
        if left:
            bookings.append(_reverse(unit, requisition, charge, left, f"R{number}", by_his=by_his))
    return bookings


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a charged line after its refunds."""

    line_no: int
    item_seq: int | None
    charge_code: str
    item_name: str
    quantity: Decimal
    amount: Decimal | None


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
    back = {line.line_no: line.item_seq for line in booked if line.quantity <= 0}
    if back:
        session.execute(
            delete(ChargeOnce).where(ChargeOnce.transaction_key == charge.key, ChargeOnce.line_no.in_(back))
        )
    return frozenset(seq for seq in back.values() if seq is not None)


def billing_partner(unit: Unit, operation: str, perform_dept: str | None) -> str | None:
    """The HIS that books, None when the site has none or the message came from it."""
    partners = unit.dispatch.partners_for(operation, hospital_code=unit.hospital_code, perform_dept=perform_dept)
    return next((p for p in partners if unit.dispatch.client_of(p) != unit.sender_code), None)


def settle(session: Session, forward: Forward, answer: PartnerAnswer, dispatch: Dispatch) -> None:
    """What HIS's answer to a ChargeItem or RefundItem means; runs in the transaction that stores the answer."""
    is_charge = forward.operation == "ChargeItem"
    number = forward.request.charge_no if is_charge else forward.request.refund_no
    kinds = (MoneyKind.CHARGE,) if is_charge else (MoneyKind.REFUND, MoneyKind.REVERSAL)
    found = session.scalars(
        select(MoneyTransaction.key).where(
            MoneyTransaction.hospital_code == forward.origin.hospital_code,
            MoneyTransaction.number == number,
            MoneyTransaction.sender_code == forward.origin.sender_code,
            MoneyTransaction.kind.in_(kinds),
        )
    ).one_or_none()
    if found is None:
        return
    transaction = locked(session, found)
    if transaction.standing not in FINAL:
        apply_answer(session, transaction, answer, dispatch)


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

    `prices` are the amounts HIS gave to lines that came without one. The same state again changes nothing.
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
        known = prices or {}
        amounts = [
            (line.line_no, known.get(line.line_no) if line.amount is None else line.amount)
            for line in transaction.lines
        ]
        place = (transaction.hospital_code, transaction.branch_code, transaction.visit_no)
        entries = entries_of(transaction.kind, *place, transaction.perform_dept_code, amounts)
        rows += [(LedgerEntry, {"transaction_key": transaction.key, "at": at, **entry}) for entry in entries]
    insert_rows(session, rows)
    session.refresh(transaction)


def tell_insurer(session: Session, transaction: MoneyTransaction, dispatch: Dispatch) -> None:
    """Tell the insurance platform of a transaction that is booked now, in the same transaction of the database."""
    charge = transaction
    if transaction.original_key is not None:
        charge = session.get_one(MoneyTransaction, transaction.original_key)
    if charge.insurer is None:
        return
    session.flush()
    left = remaining(session, charge, (TransactionState.CONFIRMED,))
    dispatch.enqueue(session, insurance.booked(session, charge, left, transaction))


def tell_insurer_now(unit: Unit, key: str) -> None:
    """The same of a transaction that HIS told us of, and that is booked with its message."""
    unit.flush()
    tell_insurer(unit.session, unit.session.get_one(MoneyTransaction, key), unit.dispatch)


def apply_answer(session: Session, transaction: MoneyTransaction, answer: PartnerAnswer, dispatch: Dispatch) -> None:
    """Move a locked transaction on by HIS's answer: booked, refused, unknown, or not sent and therefore unchanged."""
    now = datetime.now(UTC)
    if answer.is_yes:
        his_no, prices = _his_no(answer.response), _prices(answer.response)
        move_on(session, transaction, TransactionState.CONFIRMED, now, his_no=his_no, prices=prices)
        if transaction.original_key is not None:
            free_places(session, session.get_one(MoneyTransaction, transaction.original_key))
        tell_insurer(session, transaction, dispatch)
    elif answer.outcome is Outcome.ANSWERED or answer.outcome is Outcome.FAULT:
        if _may_change(answer):
            return
        move_on(session, transaction, TransactionState.REJECTED, now, code=answer.code, text=answer.text[:500])
        session.execute(delete(ChargeOnce).where(ChargeOnce.transaction_key == transaction.key))
    elif answer.outcome is Outcome.UNKNOWN:
        if transaction.standing is not TransactionState.MANUAL:
            move_on(session, transaction, TransactionState.PENDING_CONFIRM, now)
    elif transaction.standing is TransactionState.SENT:
        move_on(session, transaction, TransactionState.PROPOSED, now)


def _may_change(answer: PartnerAnswer) -> bool:
    """A partner's answer that is not its last word: it asks to be asked again."""
    result = getattr(answer.response, "result", None)
    return bool(result is not None and result.retryable and answer.code.rpartition("-")[2] in ("429", "503", "504"))


def _his_no(response: Any) -> str | None:
    if response is None:
        return None
    for name in ("his_charge_no", "his_refund_no"):
        if getattr(response, name, None):
            return str(getattr(response, name))
    outcome = getattr(response, "charge_result", None)
    return outcome.his_charge_no if outcome is not None else None


def _prices(response: Any) -> dict[int, Decimal]:
    """What HIS booked, by line; an item without a price is booked at that."""
    return {line.line_no: line.amount for line in getattr(response, "lines", ()) if line.amount is not None}


def _one_per_code(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines of one item with the same price code become one line: an item holds one place per code."""
    merged: dict[tuple[int, str], dict[str, Any]] = {}
    for line in lines:
        first = merged.get((line["item_seq"], line["charge_code"]))
        if first is None:
            merged[(line["item_seq"], line["charge_code"])] = dict(line)
            continue
        first["quantity"] += line["quantity"]
        for amount in ("list_amount", "amount"):
            if first[amount] is not None:
                first[amount] = None if line[amount] is None else first[amount] + line[amount]
    return list(merged.values())


def _header(unit: Unit, requisition: Requisition) -> Header:
    header = unit.received.request.header
    return Header(
        message_id=unit.message_id,
        sender_code=unit.sender_code,
        hospital_code=unit.hospital_code,
        branch_code=requisition.branch_code or None,
        sent_at=unit.now,
        operator_code=header.operator_code,
        operator_name=header.operator_name,
    )


def _reverse(
    unit: Unit, requisition: Requisition, charge: MoneyTransaction, left: list[Remaining], suffix: str, *, by_his: bool
) -> Booking:
    key, number = f"{unit.txn_no}-{suffix}", f"GW-{unit.txn_no}-{suffix}"
    add_transaction(
        unit,
        key=key,
        kind=MoneyKind.REVERSAL,
        state=TransactionState.CONFIRMED if by_his else TransactionState.PROPOSED,
        number=number,
        visit_type=charge.visit_type,
        visit_no=charge.visit_no,
        patient_id=charge.patient_id,
        source="HIS" if by_his else "GATEWAY",
        lines=[
            {
                "line_no": position,
                "item_seq": line.item_seq,
                "charge_code": line.charge_code,
                "item_name": line.item_name,
                "quantity": line.quantity,
                "amount": line.amount,
                "original_key": charge.key,
                "original_line_no": line.line_no,
            }
            for position, line in enumerate(left, 1)
        ],
        occurred_at=unit.now,
        branch_code=charge.branch_code,
        requisition_key=requisition.key,
        perform_dept_code=charge.perform_dept_code,
        original_key=charge.key,
    )
    unit.session.execute(
        delete(ChargeOnce).where(
            ChargeOnce.transaction_key == charge.key, ChargeOnce.line_no.in_([line.line_no for line in left])
        )
    )
    if by_his and charge.insurer is not None:
        tell_insurer_now(unit, key)
    message = RefundItemRequest(
        header=_header(unit, requisition),
        refund_no=number,
        original_charge_no=charge.number,
        requisition_no=requisition.requisition_no,
        source_system=charge.sender_code,
        initiator=Initiator.PERFORM_DEPT,
        reason_code=RefundReason.CANCELLED_ORDER,
        reason_text="取消登记",
        occurred_at=unit.now,
        lines=tuple(
            RefundLine(
                original_line_no=line.line_no,
                charge_code=line.charge_code,
                refund_quantity=line.quantity,
                refund_amount=line.amount if line.amount is not None else Decimal("0.00"),
            )
            for line in left
        ),
    )
    return Booking(key, "RefundItem", message, charge.visit_no)


def content_hash(unit: Unit, request: Any) -> str:
    """Equal for two messages that say the same apart from their headers: the second guard, by business number."""
    header = replace(request.header, message_id="-", sent_at=datetime(2000, 1, 1, tzinfo=UTC), operator_code=None)
    header = replace(header, operator_name=None, version=None)
    return hashlib.sha256(unit.text_of(replace(request, header=header)).encode()).hexdigest()
