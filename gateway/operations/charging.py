"""What a requisition is charged and when: at its release, at registration, and what is taken back of it.

The rules are docs/specification/money.md, "Charge point".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select

from gateway.config import Rules
from gateway.messages.charge import ChargeItemRequest, RefundItemRequest, RefundLine
from gateway.messages.common import Header
from gateway.messages.requisition import RequisitionItem as SubmittedItem
from gateway.messages.requisition import SubmitRequisitionRequest
from gateway.model.money import (
    STANDING,
    ChargeOnce,
    MoneyKind,
    MoneyTransaction,
    rounded,
    shares,
)
from gateway.model.requisition import Requisition
from gateway.operations import insurance
from gateway.operations.booking import tell_insurer_now
from gateway.operations.ledger import Remaining, add_transaction, charge_lines, charged_already, guard_once, remaining
from gateway.operations.lookups import submitted
from gateway.operations.unit import Unit
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
    """The lines a requisition is charged by: its charge items where it has any, else each item itself.

    The charge items of a package (组套) that costs less than they do together share its price.
    """
    lines: list[dict[str, Any]] = []
    for item in items:
        charges: Sequence[Any] = item.charge_items or (item,)
        listed = [_list_amount(charge) for charge in charges]
        actual = package_amounts(item.amount, listed) if item.package_code is not None else listed
        for charge, list_amount, amount in zip(charges, listed, actual, strict=True):
            lines.append(
                {
                    "line_no": len(lines) + 1,
                    "item_seq": item.item_seq,
                    "package_code": item.package_code,
                    "charge_code": getattr(charge, "charge_code", item.item_code),
                    "item_name": charge.item_name,
                    "quantity": charge.quantity,
                    "unit_price": charge.unit_price,
                    "list_amount": list_amount,
                    "amount": amount,
                }
            )
    return [line for line in lines if seqs is None or line["item_seq"] in seqs]


def _list_amount(charge: Any) -> Decimal | None:
    if charge.amount is not None:
        return Decimal(charge.amount)
    return None if charge.unit_price is None else rounded(charge.unit_price * charge.quantity)


def package_amounts(price: Decimal | None, listed: list[Decimal | None]) -> list[Decimal | None]:
    """What each line of a package costs: the price is shared by list amount, the last line takes what rounding leaves.

    Without a price, or with one above the lines together, each line costs its list amount. HIS prices all lines when
    one of them has no price.
    """
    known = [amount for amount in listed if amount is not None]
    if price is None or len(known) < len(listed) or price >= sum(known):
        return listed
    return [*shares(price, known)]


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
    insurer = insurance.insurer_of(unit, request.visit, by_his=True)
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
        insurer=insurer,
    )
    guard_once(unit, request.requisition_no, branch_code, f"{unit.txn_no}-C", lines)
    if insurer is not None:
        at = request.paid_at or unit.now
        insurance.plan_requisition(unit, insurer, f"{unit.txn_no}-C", request, lines, branch_code, at)
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
    # One report may imply the registration of several requisitions.
    nth = unit.count("charge")
    key = f"{unit.txn_no}-C" + (str(nth) if nth > 1 else "")
    number = f"GW-{unit.txn_no}" + (f"-{nth}" if nth > 1 else "")
    insurer = insurance.insurer_of(unit, request.visit, by_his=False)
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
        insurer=insurer,
    )
    guard_once(unit, requisition.requisition_no, requisition.branch_code, key, lines)
    insurance.plan_requisition(unit, insurer, key, request, lines, requisition.branch_code, at)
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
        lines=charge_lines(lines),
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
    for charge in charges:
        left = [line for line in remaining(unit.session, charge) if line.item_seq in seqs and line.quantity > 0]
        if left:
            suffix = f"R{unit.count('reversal')}"
            bookings.append(_reverse(unit, requisition, charge, left, suffix, by_his=by_his))
    return bookings


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
