"""RefundItem: money goes back, from the cashier or ward by HIS, or from the performing department itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import select

from gateway.errors import (
    ExamAlreadyStarted,
    RefundExceedsCharge,
    RefundInvalid,
    RefundNotSent,
    RefundOfRefund,
    RefundOriginalUnknown,
    RefundOutcomeUnknown,
    RefundUnmapped,
    RefundVisitClosed,
    RefundWrongChannel,
)
from gateway.messages.charge import LineOutcome, RefundItemRequest, RefundItemResponseType, RefundLine
from gateway.model.client import SpecialRight
from gateway.model.exam_state import OrderEvent, Party, Verdict, decide
from gateway.model.money import FINAL, STANDING, MoneyKind, MoneyLine, MoneyTransaction, rounded
from gateway.model.requisition import Requisition
from gateway.model.visit import MONEY_CLOSED
from gateway.operations.booking import tell_insurer_now
from gateway.operations.cancelling import cancel
from gateway.operations.charge_item import find_transaction, money_result
from gateway.operations.insurance import refuse_while_settled
from gateway.operations.ledger import (
    Remaining,
    add_transaction,
    billing_partner,
    content_hash,
    free_places,
    locked,
    remaining,
)
from gateway.operations.lookups import find_requisition, performers, relock, visit_state
from gateway.operations.move import check_move, moved_charge, plan_move, take_places
from gateway.operations.unit import Unit
from gateway.terms import Initiator, RequisitionAction, TransactionState, VisitType

OPERATION = "RefundItem"
FINEST = Decimal("0.0001")
"""What a quantity is counted in."""


def refund_item(request: RefundItemRequest, unit: Unit) -> RefundItemResponseType:
    """Give back what the lines name, all or none; `0` only when it is booked (docs/specification/money.md)."""
    unit.subject, unit.requisition_no = f"refund {request.refund_no}", request.requisition_no
    digest = content_hash(unit, request)
    known = find_transaction(unit, MoneyKind.REFUND, request.refund_no)
    if known is not None:
        if known.content_hash != digest:
            raise RefundExceedsCharge("该 RefundNo 已用于内容不同的退费。", "RefundNo was used for another refund.")
        return _answer(unit, known, duplicate=True)
    _check_request(request)
    by_his = unit.caller.may(SpecialRight.HIS)
    if request.initiator is not Initiator.PERFORM_DEPT and not by_his:
        raise RefundInvalid("只有 HIS 可以代表临床或收费处退费。", "Only HIS may refund for clinic or cashier.")
    charge = _original(request, unit)
    unit.visit_no, unit.patient_id = charge.visit_no, charge.patient_id
    requisition = _lock(charge, unit)
    _check_rules(request, unit, charge, requisition, by_his=by_his)
    check_move(request, charge)
    request = _measured(request, unit, charge)
    _keep_last_line(request, unit, charge)
    lines = _lines(request, charge)
    partner = None if by_his else billing_partner(unit, OPERATION, charge.perform_dept_code)
    if partner is None and not by_his:
        raise RefundUnmapped("未配置计费系统，请联系信息科。", "No billing system is configured: ask IT.")
    _store(request, unit, charge, lines, digest, by_his=by_his)
    moved = plan_move(request, unit, charge, requisition, lines, by_his=by_his)
    _flag_refunded(unit, charge, requisition)
    if partner is not None:
        message = replace(
            request, original_charge_no=charge.number, source_system=charge.sender_code, move_to_dept_code=None
        )
        unit.ask(partner, OPERATION, message, charge.visit_no, keep=True)
    else:
        _booked(unit, charge, moved)
        _close_refunded(unit, charge, requisition, request)
    return _answer(unit, unit.session.get_one(MoneyTransaction, f"{unit.txn_no}-R", populate_existing=True))


def _check_request(request: RefundItemRequest) -> None:
    if request.original_charge_no is None and request.requisition_no is None:
        raise RefundInvalid("OriginalChargeNo 和 RequisitionNo 至少填一个。", "Give OriginalChargeNo or RequisitionNo.")
    for line in request.lines:
        where_zh, where_en = f"OriginalLineNo={line.original_line_no}。", f"OriginalLineNo={line.original_line_no}."
        if (line.refund_quantity is None) == (line.refund_share is None):
            raise RefundInvalid(
                f"RefundQuantity 与 RefundShare 填且只填一个，{where_zh}",
                f"Give either RefundQuantity or RefundShare, {where_en}",
            )
        if any(given is not None and given < least for given, least in _least(line)):
            raise RefundInvalid(
                f"退费数量和金额必须大于 0，{where_zh}", f"Quantity and amount must be greater than 0, {where_en}"
            )


def _least(line: RefundLine) -> tuple[tuple[Decimal | None, Decimal], ...]:
    """What a line gives, each with the least that means anything; an amount may be 0 where the line was free."""
    return (line.refund_quantity, FINEST), (line.refund_amount, Decimal(0))


# --- the charge that goes back ----------------------------------------------------------------------------------------


def _original(request: RefundItemRequest, unit: Unit) -> MoneyTransaction:
    found = _by_number(request, unit) if request.original_charge_no else _by_requisition(request, unit)
    if len(found) > 1:
        raise RefundUnmapped()
    if not found:
        raise RefundOriginalUnknown()
    charge = found[0]
    if charge.kind != MoneyKind.CHARGE:
        raise RefundOfRefund()
    if charge.standing is not TransactionState.CONFIRMED:
        raise RefundOriginalUnknown("原计费尚未记账。", "The charge is not booked yet.")
    return charge


def _by_number(request: RefundItemRequest, unit: Unit) -> list[MoneyTransaction]:
    """By its number: the caller's own first, unless another source is named."""
    query = select(MoneyTransaction).where(
        MoneyTransaction.hospital_code == unit.hospital_code,
        MoneyTransaction.number == request.original_charge_no,
        MoneyTransaction.state.in_(STANDING),
    )
    if request.source_system is not None:
        query = query.where(MoneyTransaction.sender_code == request.source_system)
    if unit.branch_code:
        query = query.where(MoneyTransaction.branch_code == unit.branch_code)
    found = list(unit.session.scalars(query))
    charges = [transaction for transaction in found if transaction.kind == MoneyKind.CHARGE]
    return charges or found[:1]


def _by_requisition(request: RefundItemRequest, unit: Unit) -> list[MoneyTransaction]:
    """By its requisition: the one charge that holds every line named; of several, the one that has not gone back."""
    requisition = find_requisition(unit, request.requisition_no or "", ambiguous=RefundUnmapped)
    if requisition is None:
        return []
    charges = unit.session.scalars(
        select(MoneyTransaction).where(
            MoneyTransaction.requisition_key == requisition.key,
            MoneyTransaction.kind == MoneyKind.CHARGE,
            MoneyTransaction.state.in_(STANDING),
        )
    ).all()
    wanted = {(line.original_line_no, line.charge_code) for line in request.lines}
    found = [c for c in charges if wanted <= {(line.line_no, line.charge_code) for line in c.lines}]
    return found if len(found) < 2 else [c for c in found if _has_left(unit, c, wanted)] or found[:1]


def _has_left(unit: Unit, charge: MoneyTransaction, wanted: set[tuple[int, str]]) -> bool:
    """Whether any of these lines has not gone back whole, as after a registration that was withdrawn."""
    left = remaining(unit.session, charge)
    return any(line.quantity > 0 for line in left if (line.line_no, line.charge_code) in wanted)


def _lock(charge: MoneyTransaction, unit: Unit) -> Requisition | None:
    """Refund and registration race on the requisition's row; charges without one are locked themselves."""
    locked(unit.session, charge.key)
    if charge.requisition_key is None:
        return None
    requisition = relock(unit, unit.session.get_one(Requisition, charge.requisition_key))
    unit.requisition_no = requisition.requisition_no
    return requisition


# --- the rules --------------------------------------------------------------------------------------------------------


def _check_rules(
    request: RefundItemRequest,
    unit: Unit,
    charge: MoneyTransaction,
    requisition: Requisition | None,
    *,
    by_his: bool,
) -> None:
    if request.initiator is Initiator.PERFORM_DEPT:
        if charge.visit_type != VisitType.INPATIENT:
            raise RefundWrongChannel()
        if not by_his and not _is_performing(unit, charge, requisition):
            raise RefundInvalid("只有执行科室或原计费系统可以退费。", "Only the performing department may refund this.")
    elif requisition is not None and _started(charge, requisition, request.lines):
        raise ExamAlreadyStarted()
    if by_his and charge.insurer is None:
        return
    branch = charge.branch_code or unit.branch_code
    state = visit_state(unit, charge.visit_no, branch, ambiguous=RefundUnmapped)
    if not by_his and state in MONEY_CLOSED:
        raise RefundVisitClosed()
    refuse_while_settled(unit, charge, state)


def _is_performing(unit: Unit, charge: MoneyTransaction, requisition: Requisition | None) -> bool:
    """Whether the caller made the charge, or the requisition it belongs to is routed to it.

    Where no route leads anywhere a status may come from everybody, money from whoever charged it alone.
    """
    if charge.sender_code == unit.sender_code:
        return True
    return requisition is not None and unit.sender_code in performers(unit, requisition)


def _started(charge: MoneyTransaction, requisition: Requisition, lines: Sequence[RefundLine]) -> bool:
    """Whether any item these lines belong to has been registered."""
    by_line = {line.line_no: line.item_seq for line in charge.lines}
    seqs = {by_line.get(line.original_line_no) for line in lines}
    locks = Verdict.LOCKED
    refund = OrderEvent.REFUND
    closed = {i.item_seq for i in requisition.items if decide(i.state, refund, Party.CLINIC).verdict is locks}
    return bool(closed) and (None in seqs or bool(seqs & closed))


def _measured(request: RefundItemRequest, unit: Unit, charge: MoneyTransaction) -> RefundItemRequest:
    """The request with the quantity and amount of every line, as HIS is told and the ledger keeps them.

    Raises RefundExceedsCharge, naming the line, when more is wanted than is left.
    """
    charged = {line.line_no: line for line in charge.lines}
    left = {line.line_no: line for line in remaining(unit.session, charge)}
    measured = []
    for line in request.lines:
        where_zh, where_en = f"OriginalLineNo={line.original_line_no}。", f"OriginalLineNo={line.original_line_no}."
        original = left.get(line.original_line_no)
        if original is None or original.charge_code != line.charge_code:
            raise RefundOriginalUnknown(where_zh, where_en)
        quantity, amount = _share(line, charged[line.original_line_no], original)
        if quantity > original.quantity or (original.amount is not None and amount > original.amount):
            raise RefundExceedsCharge(where_zh, where_en)
        if amount == 0 and original.amount:
            raise RefundInvalid(f"退费金额必须大于 0，{where_zh}", f"RefundAmount must be greater than 0, {where_en}")
        rest = None if original.amount is None else original.amount - amount
        left[line.original_line_no] = replace(original, quantity=original.quantity - quantity, amount=rest)
        measured.append(replace(line, refund_quantity=quantity, refund_amount=amount, refund_share=None))
    return replace(request, lines=tuple(measured))


def _share(line: RefundLine, charged: MoneyLine, left: Remaining) -> tuple[Decimal, Decimal]:
    """How much of a line goes back: without an amount its own share, and the last share takes what is left.

    An item that HIS has not priced goes back at whatever HIS booked for it.
    """
    quantity = line.refund_quantity
    if quantity is None:
        quantity = (charged.quantity * (line.refund_share or Decimal(0))).quantize(FINEST, ROUND_HALF_UP)
    if line.refund_amount is not None:
        return quantity, line.refund_amount
    if charged.amount is None or left.amount is None:
        return quantity, Decimal("0.00")
    if quantity == left.quantity:
        return quantity, left.amount
    return quantity, min(rounded(charged.amount * quantity / charged.quantity), left.amount)


def _keep_last_line(request: RefundItemRequest, unit: Unit, charge: MoneyTransaction) -> None:
    """Where the site wants it, the department must leave something of what it has charged: a visit without any charge
    is an exam nobody paid."""
    if unit.site.rules.refund_last_line or request.initiator is not Initiator.PERFORM_DEPT:
        return
    back = sum((line.refund_quantity or Decimal(0) for line in request.lines), Decimal(0))
    if back >= sum((line.quantity for line in remaining(unit.session, charge)), Decimal(0)):
        raise RefundExceedsCharge("本院不允许退掉最后一条明细。", "This hospital does not let the last line go back.")


def _lines(request: RefundItemRequest, charge: MoneyTransaction) -> list[dict[str, Any]]:
    """The lines to store."""
    charged = {line.line_no: line for line in charge.lines}
    return [
        {
            "line_no": position,
            "item_seq": charged[line.original_line_no].item_seq,
            "package_code": charged[line.original_line_no].package_code,
            "charge_code": line.charge_code,
            "item_name": charged[line.original_line_no].item_name,
            "quantity": line.refund_quantity,
            "amount": line.refund_amount,
            "original_key": charge.key,
            "original_line_no": line.original_line_no,
        }
        for position, line in enumerate(request.lines, 1)
    ]


# --- what is written --------------------------------------------------------------------------------------------------


def _store(
    request: RefundItemRequest,
    unit: Unit,
    charge: MoneyTransaction,
    lines: list[dict[str, Any]],
    digest: str,
    *,
    by_his: bool,
) -> None:
    add_transaction(
        unit,
        key=f"{unit.txn_no}-R",
        kind=MoneyKind.REFUND,
        state=TransactionState.CONFIRMED if by_his else TransactionState.SENT,
        number=request.refund_no,
        visit_type=charge.visit_type,
        visit_no=charge.visit_no,
        patient_id=charge.patient_id,
        source="HIS" if by_his else "GATEWAY",
        lines=lines,
        occurred_at=request.occurred_at or unit.now,
        content_hash=digest,
        branch_code=charge.branch_code,
        requisition_key=charge.requisition_key,
        perform_dept_code=charge.perform_dept_code,
        initiator=request.initiator,
        reason=request.reason_code,
        original_key=charge.key,
        correlation_no=unit.txn_no if request.move_to_dept_code is not None else None,
    )


def _booked(unit: Unit, charge: MoneyTransaction, moved: str | None) -> None:
    """HIS has booked it already: the new charge of a movement takes the places, and who insures the visit is told."""
    unit.flush()
    refund = unit.session.get_one(MoneyTransaction, f"{unit.txn_no}-R")
    if moved is not None:
        take_places(unit.session, refund, unit.session.get_one(MoneyTransaction, moved))
    free_places(unit.session, charge)
    for key in (refund.key, moved):
        if key is not None:
            tell_insurer_now(unit, key)


def _flag_refunded(unit: Unit, charge: MoneyTransaction, requisition: Requisition | None) -> None:
    """Items whose money went back whole, or is on its way back, are marked; their state is not touched."""
    if requisition is None:
        return
    unit.flush()
    left = remaining(unit.session, charge)
    back = {line.item_seq for line in left if line.is_back}
    kept = {line.item_seq for line in left if not line.is_back}
    for item in requisition.items:
        if item.item_seq in back - kept:
            item.refunded = True


def _close_refunded(
    unit: Unit, charge: MoneyTransaction, requisition: Requisition | None, request: RefundItemRequest
) -> None:
    """HIS gave money back before anybody registered: a requisition whose money is back whole is cancelled."""
    if requisition is None or request.initiator is Initiator.PERFORM_DEPT:
        return
    if not all(item.refunded for item in requisition.items) or not requisition.refund_allowed:
        return
    cancel(unit, requisition, RequisitionAction.CANCEL, "已退费")


def _answer(unit: Unit, refund: MoneyTransaction, *, duplicate: bool = False) -> RefundItemResponseType:
    """The refund as it stands, and the new charge if it is one half of a movement."""
    result = money_result(unit, refund, RefundNotSent, RefundOutcomeUnknown)
    moved = moved_charge(unit.session, refund)
    if moved is not None and moved.standing not in FINAL:
        unit.is_final = False
    lines: list[MoneyLine] = refund.lines
    return RefundItemResponseType(
        result=replace(result, duplicate=duplicate),
        refund_no=refund.number,
        his_refund_no=refund.his_no,
        transaction_state=refund.standing,
        refunded_amount=refund.amount,
        lines=tuple(
            LineOutcome(
                line_no=line.original_line_no or line.line_no,
                result_code=result.result_code,
                result_text=result.result_text,
                amount=line.amount,
            )
            for line in lines
        ),
        move_charge_no=moved.number if moved is not None else None,
        move_transaction_state=moved.standing if moved is not None else None,
    )
