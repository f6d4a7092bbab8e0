"""MOVE (转记): what one department charged is given back and charged to another instead, as one linked movement.

The refund and the new charge carry one CorrelationNo. HIS is asked to book the charge once it has booked the refund; a
refund that HIS refuses takes the charge with it (docs/specification/money.md, "Packages").
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gateway.errors import RefundInvalid
from gateway.messages.charge import ChargeItemRequest, RefundItemRequest
from gateway.model.delivery import Delivery
from gateway.model.money import ChargeOnce, MoneyKind, MoneyTransaction
from gateway.model.requisition import Requisition
from gateway.operations.dispatch import Dispatch, Forward, Origin
from gateway.operations.insurance import insurer_of, plan
from gateway.operations.ledger import add_transaction, billing_partner_of, charge_lines, locked, move_on, remaining
from gateway.operations.lookups import submitted
from gateway.operations.unit import Unit
from gateway.terms import ChargePoint, TransactionState

CHARGE = "ChargeItem"


def check_move(request: RefundItemRequest, charge: MoneyTransaction) -> None:
    """Raises RefundInvalid when there is nothing to move, or nowhere else."""
    if request.move_to_dept_code is None:
        return
    if request.move_to_dept_code == charge.perform_dept_code:
        raise RefundInvalid("转记科室与原科室相同。", "MoveToDeptCode is the department that charged it.")
    if any(line.amount is None for line in charge.lines):
        raise RefundInvalid("该计费未定价，请由 HIS 转记。", "HIS told no price of this charge: let HIS move it.")


def plan_move(
    request: RefundItemRequest,
    unit: Unit,
    charge: MoneyTransaction,
    requisition: Requisition | None,
    lines: list[dict[str, Any]],
    *,
    by_his: bool,
) -> str | None:
    """Write the new charge beside its refund; its key. None when nothing is moved.

    Raises RefundInvalid when nobody told the gateway of the patient in a way HIS could be told again.
    """
    dept = request.move_to_dept_code
    if dept is None:
        return None
    key = f"{unit.txn_no}-M"
    entered = [_line(line) for line in lines]
    message = _message(request, unit, charge, requisition, entered, dept)
    insurer = insurer_of(unit, message.visit, by_his=by_his)
    add_transaction(
        unit,
        key=key,
        kind=MoneyKind.CHARGE,
        state=TransactionState.CONFIRMED if by_his else TransactionState.PROPOSED,
        number=message.charge_no,
        visit_type=charge.visit_type,
        visit_no=charge.visit_no,
        patient_id=charge.patient_id,
        source="HIS" if by_his else "GATEWAY",
        lines=entered,
        occurred_at=message.occurred_at,
        branch_code=charge.branch_code,
        requisition_key=charge.requisition_key,
        perform_dept_code=dept,
        charge_point=ChargePoint.SUPPLEMENT,
        correlation_no=unit.txn_no,
        insurer=insurer,
        request=None if by_his else unit.wire.write(message),
    )
    plan(
        unit,
        insurer,
        key,
        message.visit,
        entered,
        branch_code=charge.branch_code,
        patient_id=charge.patient_id,
        perform_dept_code=dept,
        occurred_at=message.occurred_at,
    )
    return key


def follow_refund(session: Session, refund: MoneyTransaction, at: datetime, dispatch: Dispatch) -> None:
    """What becomes of the new charge now that the refund of a movement is booked or refused."""
    found = moved_charge(session, refund) if refund.kind == MoneyKind.REFUND else None
    if found is None:
        return
    charge = locked(session, found.key)
    if refund.standing is not TransactionState.CONFIRMED:
        move_on(session, charge, TransactionState.REJECTED, at, code=refund.refusal_code, text=refund.refusal_text)
        return
    take_places(session, refund, charge)
    if charge.standing is not TransactionState.PROPOSED or charge.request is None:
        return
    partner = billing_partner_of(
        dispatch, CHARGE, charge.hospital_code, charge.perform_dept_code, sender_code=charge.sender_code
    )
    if partner is not None:
        message = dispatch.kept("ChargeItemRequest", charge.request)
        origin = Origin(charge.txn_no, charge.hospital_code, charge.branch_code, charge.sender_code, charge.message_id)
        dispatch.enqueue(session, [Forward(partner, CHARGE, message, charge.visit_no, origin)])


def take_places(session: Session, refund: MoneyTransaction, charge: MoneyTransaction) -> None:
    """An item that was moved whole stays charged: another registration must not charge it once more."""
    original = session.get_one(MoneyTransaction, refund.original_key)
    left = remaining(session, original, (TransactionState.CONFIRMED,))
    whole = {line.line_no for line in left if line.is_back}
    for line in refund.lines:
        if line.original_line_no in whole:
            place = (ChargeOnce.transaction_key == original.key, ChargeOnce.line_no == line.original_line_no)
            session.execute(update(ChargeOnce).where(*place).values(transaction_key=charge.key, line_no=line.line_no))


def moved_charge(session: Session, refund: MoneyTransaction) -> MoneyTransaction | None:
    """The new charge of a movement; None when the refund moved nothing."""
    if refund.correlation_no is None:
        return None
    return session.scalars(
        select(MoneyTransaction).where(
            MoneyTransaction.correlation_no == refund.correlation_no, MoneyTransaction.kind == MoneyKind.CHARGE
        )
    ).one_or_none()


def _line(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "line_no": line["line_no"],
        "item_seq": line["item_seq"],
        "package_code": line["package_code"],
        "charge_code": line["charge_code"],
        "item_name": line["item_name"],
        "quantity": line["quantity"],
        "unit_price": None,
        "list_amount": line["amount"],
        "amount": line["amount"],
    }


def _message(
    request: RefundItemRequest,
    unit: Unit,
    charge: MoneyTransaction,
    requisition: Requisition | None,
    lines: list[dict[str, Any]],
    dept: str,
) -> ChargeItemRequest:
    patient, visit = _whose(unit, charge, requisition)
    return ChargeItemRequest(
        header=replace(request.header, branch_code=charge.branch_code or None),
        charge_no=f"GW-{unit.txn_no}-M",
        requisition_no=requisition.requisition_no if requisition is not None else None,
        patient=patient,
        visit=visit,
        charge_point=ChargePoint.SUPPLEMENT,
        occurred_at=request.occurred_at or unit.now,
        perform_dept_code=dept,
        lines=charge_lines(lines),
    )


def _whose(unit: Unit, charge: MoneyTransaction, requisition: Requisition | None) -> tuple[Any, Any]:
    """Patient and visit as they were last told: by the requisition, else by the charge itself."""
    if requisition is not None:
        request = submitted(unit, requisition)
        return request.patient, request.visit
    query = select(Delivery.request).where(Delivery.txn_no == charge.txn_no, Delivery.operation == CHARGE)
    kept = unit.session.scalars(query.order_by(Delivery.id).limit(1)).one_or_none()
    if kept is None:
        raise RefundInvalid("该计费由 HIS 记账，请由 HIS 转记。", "HIS made this charge: let HIS move it.")
    message = unit.wire.read_text("ChargeItemRequest", kept)
    return message.patient, message.visit
