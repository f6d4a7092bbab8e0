"""ChargeItem: a department or the nurse station charges items of a visit; HIS books them, the gateway never twice."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select

from gateway.errors import (
    AlreadyCharged,
    ChargeAmountWrong,
    ChargeInvalid,
    ChargeNotSent,
    ChargeOutcomeUnknown,
    ChargeUnknown,
    ChargeUnmapped,
    ChargeVisitClosed,
    GatewayError,
)
from gateway.messages.charge import ChargeItemRequest, ChargeItemResponseType, ChargeLine, LineOutcome
from gateway.messages.common import Result
from gateway.model.client import SpecialRight
from gateway.model.money import MoneyKind, MoneyTransaction, rounded, shares
from gateway.model.requisition import Requisition
from gateway.model.visit import MONEY_CLOSED
from gateway.operations.booking import tell_insurer_now
from gateway.operations.insurance import insurer_of, plan
from gateway.operations.ledger import add_transaction, billing_partner, charged_already, content_hash, guard_once
from gateway.operations.lookups import find_requisition, visit_state
from gateway.operations.unit import Unit
from gateway.terms import ChargePoint, GatewayStatus, TransactionState

OPERATION = "ChargeItem"
GUARDED = frozenset({ChargePoint.NURSE_SEND, ChargePoint.REGISTER})
CENT = Decimal("0.01")


def charge_item(request: ChargeItemRequest, unit: Unit) -> ChargeItemResponseType:
    """Charge the lines, all or none; `0` only when they are booked (docs/specification/money.md)."""
    unit.subject, unit.visit_no = f"charge {request.charge_no}", request.visit.visit_no
    unit.requisition_no = request.requisition_no
    digest = content_hash(unit, request)
    known = find_transaction(unit, MoneyKind.CHARGE, request.charge_no)
    if known is not None:
        if known.content_hash != digest:
            raise AlreadyCharged("该 ChargeNo 已用于内容不同的计费。", "This ChargeNo was used for another charge.")
        return _answer(unit, known, duplicate=True)
    request = _priced(request)
    _check_lines(request)
    requisition = _requisition(request, unit)
    by_his = unit.caller.may(SpecialRight.HIS)
    if request.charge_point is ChargePoint.NURSE_SEND and not by_his:
        raise ChargeInvalid("只有 HIS 可以按护士发送计费。", "Only HIS may charge at NURSE_SEND.")
    branch = requisition.branch_code if requisition is not None else unit.branch_code
    if not by_his and visit_state(unit, request.visit.visit_no, branch, ambiguous=ChargeUnmapped) in MONEY_CLOSED:
        raise ChargeVisitClosed()
    _refuse_charged(request, unit, requisition)
    partner = None if by_his else billing_partner(unit, OPERATION, request.perform_dept_code)
    if partner is None and not by_his:
        raise ChargeUnmapped("未配置计费系统，请联系信息科。", "No billing system is configured: ask IT.")
    insurer = insurer_of(unit, request.visit, by_his=by_his)
    _store(request, unit, requisition, digest, insurer, by_his=by_his)
    if partner is not None:
        unit.ask(partner, OPERATION, request, request.visit.visit_no, keep=True)
    elif insurer is not None:
        tell_insurer_now(unit, f"{unit.txn_no}-C")
    else:
        unit.flush()
    return _answer(unit, unit.session.get_one(MoneyTransaction, f"{unit.txn_no}-C", populate_existing=True))


def find_transaction(unit: Unit, kind: MoneyKind, number: str) -> MoneyTransaction | None:
    """The caller's own transaction of that number."""
    return unit.session.scalars(
        select(MoneyTransaction).where(
            MoneyTransaction.hospital_code == unit.hospital_code,
            MoneyTransaction.sender_code == unit.sender_code,
            MoneyTransaction.kind == kind,
            MoneyTransaction.number == number,
        )
    ).one_or_none()


def _priced(request: ChargeItemRequest) -> ChargeItemRequest:
    """The request with the ActualAmount of every line of a package that came with a price.

    Raises ChargeInvalid or ChargeAmountWrong when a package's lines and its price do not fit.
    """
    actual: dict[int, Decimal] = {}
    for package in request.packages:
        lines = [line for line in request.lines if line.package_code == package.package_code]
        where_zh, where_en = f"PackageCode={package.package_code}。", f"PackageCode={package.package_code}."
        if not lines or any(line.list_amount is None or line.actual_amount is not None for line in lines):
            raise ChargeInvalid(
                f"组套明细须填应收、不填实收，{where_zh}", f"Its lines need ListAmount and no ActualAmount, {where_en}"
            )
        listed = [line.list_amount or Decimal(0) for line in lines]
        if package.amount > sum(listed):
            raise ChargeAmountWrong(
                f"组套价格大于其明细应收之和，{where_zh}", f"It costs more than its lines together, {where_en}"
            )
        actual |= zip((line.line_no for line in lines), shares(package.amount, listed), strict=True)
    if not request.packages:
        return request
    lines = [replace(line, actual_amount=actual.get(line.line_no, line.actual_amount)) for line in request.lines]
    return replace(request, lines=tuple(lines))


def _check_lines(request: ChargeItemRequest) -> None:
    numbers = [line.line_no for line in request.lines]
    if len(set(numbers)) != len(numbers):
        raise ChargeInvalid("LineNo 重复。", "A LineNo occurs twice.")
    if request.charge_point in GUARDED:
        if request.requisition_no is None or any(line.item_seq is None for line in request.lines):
            raise ChargeInvalid(
                "护士发送和登记计费必须填写 RequisitionNo 和 ItemSeq。",
                "NURSE_SEND and REGISTER need RequisitionNo and ItemSeq.",
            )
        places = [(line.item_seq, line.charge_code) for line in request.lines]
        if len(set(places)) != len(places):
            raise AlreadyCharged("同一项目的收费代码重复。", "An item's ChargeCode occurs twice in the message.")
    for line in request.lines:
        _check_line(request, line)


def _check_line(request: ChargeItemRequest, line: ChargeLine) -> None:
    where_zh, where_en = f"LineNo={line.line_no}。", f"LineNo={line.line_no}."
    if line.quantity <= 0:
        raise ChargeInvalid(f"Quantity 必须大于 0，{where_zh}", f"Quantity must be greater than 0, {where_en}")
    if line.list_amount is None or line.actual_amount is None:
        if request.charge_point is ChargePoint.NURSE_SEND:
            raise ChargeInvalid(f"护士发送计费必须有金额，{where_zh}", f"NURSE_SEND needs amounts, {where_en}")
        if line.list_amount is None and line.actual_amount is None:
            return
        raise ChargeInvalid(f"应收和实收必须同时填写，{where_zh}", f"Give both amounts or none, {where_en}")
    if not Decimal(0) <= line.actual_amount <= line.list_amount:
        raise ChargeAmountWrong(f"实收须在 0 与应收之间，{where_zh}", f"0 <= ActualAmount <= ListAmount, {where_en}")
    if line.unit_price is not None and abs(line.list_amount - line.unit_price * line.quantity) > CENT:
        raise ChargeAmountWrong(where_zh, where_en)


def _requisition(request: ChargeItemRequest, unit: Unit) -> Requisition | None:
    if request.requisition_no is None:
        return None
    found = find_requisition(unit, request.requisition_no, ambiguous=ChargeUnmapped)
    if found is None or found.tombstone:
        raise ChargeUnknown("申请单不存在。", "The requisition is unknown.")
    if found.gateway_status == GatewayStatus.CANCELLED:
        raise ChargeVisitClosed("申请单已取消。", "The requisition is cancelled.")
    if found.visit_no != request.visit.visit_no:
        raise ChargeUnknown("申请单不属于该就诊。", "The requisition is not of this visit.")
    seqs = {item.item_seq for item in found.items}
    for line in request.lines:
        if line.item_seq is not None and line.item_seq not in seqs:
            raise ChargeUnknown(f"申请单没有该项目，LineNo={line.line_no}。", f"No such item, LineNo={line.line_no}.")
    return found


def _refuse_charged(request: ChargeItemRequest, unit: Unit, requisition: Requisition | None) -> None:
    if requisition is None or request.charge_point not in GUARDED:
        return
    known = charged_already(unit, requisition.requisition_no, requisition.branch_code)
    for line in request.lines:
        if (line.item_seq, line.charge_code) in known:
            raise AlreadyCharged(f"LineNo={line.line_no}。", f"LineNo={line.line_no}.")


def _store(
    request: ChargeItemRequest,
    unit: Unit,
    requisition: Requisition | None,
    digest: str,
    insurer: str | None,
    *,
    by_his: bool,
) -> None:
    key = f"{unit.txn_no}-C"
    branch = requisition.branch_code if requisition is not None else unit.branch_code
    lines = [
        {
            "line_no": line.line_no,
            "item_seq": line.item_seq,
            "package_code": line.package_code,
            "charge_code": line.charge_code,
            "item_name": line.item_name,
            "quantity": line.quantity,
            "unit_price": line.unit_price,
            "list_amount": line.list_amount,
            "amount": None if line.actual_amount is None else rounded(line.actual_amount),
        }
        for line in request.lines
    ]
    add_transaction(
        unit,
        key=key,
        kind=MoneyKind.CHARGE,
        state=TransactionState.CONFIRMED if by_his else TransactionState.SENT,
        number=request.charge_no,
        visit_type=request.visit.visit_type,
        visit_no=request.visit.visit_no,
        patient_id=request.patient.patient_id,
        source="HIS" if by_his else "GATEWAY",
        lines=lines,
        occurred_at=request.occurred_at,
        content_hash=digest,
        branch_code=branch,
        requisition_key=requisition.key if requisition is not None else None,
        perform_dept_code=request.perform_dept_code,
        charge_point=request.charge_point,
        insurer=insurer,
    )
    plan(
        unit,
        insurer,
        key,
        request.visit,
        [line | {"insurance_code": given.insurance_code} for line, given in zip(lines, request.lines, strict=True)],
        branch_code=branch,
        patient_id=request.patient.patient_id,
        perform_dept_code=request.perform_dept_code,
        occurred_at=request.occurred_at,
    )
    if requisition is not None and request.charge_point in GUARDED:
        guard_once(unit, requisition.requisition_no, branch, key, lines)


def _answer(unit: Unit, charge: MoneyTransaction, *, duplicate: bool = False) -> ChargeItemResponseType:
    """The charge as it stands."""
    result = money_result(unit, charge, ChargeNotSent, ChargeOutcomeUnknown)
    code, text = result.result_code, result.result_text
    return ChargeItemResponseType(
        result=replace(result, duplicate=duplicate),
        charge_no=charge.number,
        his_charge_no=charge.his_no,
        transaction_state=charge.standing,
        lines=tuple(
            LineOutcome(line_no=line.line_no, result_code=code, result_text=text, amount=line.amount)
            for line in charge.lines
        ),
    )


def money_result(
    unit: Unit, transaction: MoneyTransaction, not_sent: type[GatewayError], unknown: type[GatewayError]
) -> Result:
    """`0` only when it is booked; anything that may still change is not kept as the final answer."""
    state = transaction.standing
    if state is TransactionState.CONFIRMED:
        return unit.accepted()
    if state is TransactionState.REVERSED:
        text = ("已人工核实：HIS 未记账。", "People have found out that HIS has not booked it.")
        return replace(unit.refused(not_sent()), result_text=text[0], result_text_en=text[1], retryable=False)
    if state is TransactionState.REJECTED:
        code = transaction.refusal_code or "REJECTED"
        family = not_sent.code[:4]
        return replace(
            unit.refused(not_sent()),
            result_code=code if code.startswith(family) and len(code) <= 10 else f"{family}400",
            result_text=f"HIS 拒绝：{transaction.refusal_text or code}"[:500],
            result_text_en=f"Refused by HIS ({code}).",
            retryable=False,
        )
    unit.is_final = False
    return unit.refused(not_sent() if state is TransactionState.PROPOSED else unknown())
