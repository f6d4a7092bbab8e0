"""SubmitRequisition: HIS or EMR orders an examination; the performing department gets it as soon as it is released."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from gateway import identity
from gateway.errors import (
    NotAllowed,
    RequisitionCancelled,
    RequisitionConflict,
    RequisitionForeign,
    RequisitionInvalid,
    RequisitionLocked,
    RequisitionNotAsked,
    RequisitionNotPaid,
    RequisitionPatientInvalid,
    RequisitionUnknown,
    RequisitionUnmapped,
)
from gateway.messages.requisition import RequisitionItem as SubmittedItem
from gateway.messages.requisition import SubmitRequisitionRequest, SubmitRequisitionResponseType
from gateway.model.client import SpecialRight
from gateway.model.exam_state import WHO, OrderEvent, Verdict, verdict_of
from gateway.model.partner_hold import HoldMode
from gateway.model.requisition import Requisition, RequisitionItem
from gateway.operations.cancelling import OPERATION, close, performing, withdraw
from gateway.operations.charging import charge_at_release, charge_point
from gateway.operations.dispatch import PartnerAnswer
from gateway.operations.ledger import charged_already
from gateway.operations.lookups import (
    find_requisition,
    first_look,
    merged_into,
    parties_of,
    relock,
    requisition_arrival,
    submitted,
)
from gateway.operations.unit import Unit
from gateway.terms import GatewayStatus, ReleaseEvent, RequisitionAction, StatusCode, VisitType

_NOT_CONTENT = re.compile(
    r"<Header>.*?</Header>|<(?P<name>Action|ReleaseEvent|PaidAt|ReceiptNo|CancelReason)>[^<]*</(?P=name)>", re.DOTALL
)
"""In a request as it is kept, where free text holds no bare angle bracket."""


def submit_requisition(request: SubmitRequisitionRequest, unit: Unit) -> SubmitRequisitionResponseType:
    """Keep, release, change or cancel a requisition (docs/specification/requisition.md)."""
    unit.subject = f"requisition {request.requisition_no}"
    unit.requisition_no, unit.visit_no = request.requisition_no, request.visit.visit_no
    _check(request, unit)
    if request.action is RequisitionAction.CANCEL:
        return _cancel(request, unit)
    if request.action is RequisitionAction.NEW:
        return _new(request, unit)
    known = _find(request, unit)
    _check_patient(request, unit)
    if known is None:
        raise RequisitionUnknown()
    return _update(request, unit, known)


def _check(request: SubmitRequisitionRequest, unit: Unit) -> None:
    seqs = [item.item_seq for item in request.items]
    if len(set(seqs)) != len(seqs):
        raise RequisitionInvalid("ItemSeq 重复。", "An ItemSeq occurs twice.")
    if any(item.quantity <= 0 or any(c.quantity <= 0 for c in item.charge_items) for item in request.items):
        raise RequisitionInvalid("Quantity 必须大于 0。", "A Quantity must be greater than 0.")
    if request.action is RequisitionAction.CANCEL:
        return
    if request.release_event is ReleaseEvent.GREEN_CHANNEL and not unit.caller.may(SpecialRight.GREEN_CHANNEL):
        raise NotAllowed("没有绿色通道放行权限。", "Releasing by GREEN_CHANNEL needs a right of its own.")
    if request.release_event is ReleaseEvent.NURSE_SENT and request.visit.visit_type is VisitType.OUTPATIENT:
        raise RequisitionNotPaid("门诊申请单不能以护士发送放行。", "A nurse cannot release an outpatient requisition.")
    _check_identity(request, unit)


def _check_identity(request: SubmitRequisitionRequest, unit: Unit) -> None:
    """An identity card that does not fit is pointed out; it is refused only where the site wants that."""
    patient = request.patient
    doubts = identity.doubts(
        patient.id_no,
        patient.id_type,
        sex_code=patient.sex_code,
        birth_date=patient.birth_date,
        today=unit.now.date(),
    )
    if doubts and unit.site.rules.identity == "strict":
        raise RequisitionPatientInvalid("；".join(doubts), "IdNo does not fit the patient.")
    unit.warnings += doubts


def _check_patient(request: SubmitRequisitionRequest, unit: Unit) -> None:
    new_id = merged_into(unit, request.patient.patient_id)
    if new_id is not None:
        raise RequisitionPatientInvalid(f"合并后的患者ID：{new_id}。", f"The patient id is now {new_id}.")


def _find(request: SubmitRequisitionRequest, unit: Unit) -> Requisition | None:
    return find_requisition(unit, request.requisition_no, ambiguous=RequisitionUnmapped)


# --- NEW --------------------------------------------------------------------------------------------------------------


def _new(request: SubmitRequisitionRequest, unit: Unit) -> SubmitRequisitionResponseType:
    look = first_look(unit, request.requisition_no, request.patient.patient_id, request.visit.visit_no)
    if look.is_merged:
        _check_patient(request, unit)
    if look.is_of_cancelled_visit:
        unit.warnings.append("就诊已取消 (the visit is cancelled)")
    if look.is_awaited:
        unit.awaited.append(requisition_arrival(unit.hospital_code, request.requisition_no))
    known = _find(request, unit) if look.is_known else None
    if known is None:
        return _store(request, unit)
    if known.gateway_status == GatewayStatus.CANCELLED:
        raise RequisitionCancelled()
    if known.content_hash != _content_hash(request, unit):
        raise RequisitionConflict()
    if request.release_event is not None and not known.is_released:
        _check_caller(unit, known, OrderEvent.RELEASE)
        return _release(request, unit, known)
    answer = _answer(unit, known)
    return replace(answer, result=replace(answer.result, duplicate=True))


def _store(request: SubmitRequisitionRequest, unit: Unit) -> SubmitRequisitionResponseType:
    released = request.release_event is not None
    if not released and unit.site.rules.unpaid == "refuse":
        raise RequisitionNotPaid()
    point = _charge_point(request, unit) if released else None
    unit.add(
        Requisition,
        key=unit.txn_no,
        hospital_code=unit.hospital_code,
        branch_code=unit.branch_code,
        sender_code=unit.sender_code,
        received_at=unit.now,
        gateway_status=GatewayStatus.RELEASED if released else GatewayStatus.HELD,
        released_at=unit.now if released else None,
        charge_point=point,
        tombstone=False,
        **_columns(request, unit),
    )
    for item in request.items:
        unit.add(RequisitionItem, requisition_key=unit.txn_no, **_item_columns(item, released=released))
    forwarded = False
    if released:
        charge_at_release(unit, request, unit.txn_no, unit.branch_code, point or "", is_new=True)
        forwarded = _send_new(unit, request)
    return SubmitRequisitionResponseType(
        result=unit.accepted(forwarded=False if forwarded else None),
        requisition_no=request.requisition_no,
        gateway_status=GatewayStatus.RELEASED if released else GatewayStatus.HELD,
    )


# --- UPDATE -----------------------------------------------------------------------------------------------------------


def _update(request: SubmitRequisitionRequest, unit: Unit, known: Requisition) -> SubmitRequisitionResponseType:
    _check_caller(unit, known, OrderEvent.UPDATE)
    if known.gateway_status == GatewayStatus.CANCELLED:
        raise RequisitionCancelled()
    changed = known.content_hash != _content_hash(request, unit)
    if known.is_released and changed:
        known = _agree(request, unit, known)
    if changed:
        _replace_content(request, unit, known)
    if request.release_event is not None and not known.is_released:
        return _release(request, unit, known)
    return _answer(unit, known)


def _agree(request: SubmitRequisitionRequest, unit: Unit, known: Requisition) -> Requisition:
    """A released requisition changes only while nobody has registered it, and when the department says yes."""
    _check_open(known, OrderEvent.UPDATE)
    items_change = request.items != submitted(unit, known).items
    if items_change and charged_already(unit, known.requisition_no, known.branch_code):
        raise RequisitionLocked(
            "项目已计费，请先退费再修改项目。", "Items are charged: refund them before changing items."
        )
    partners = performing(unit, request)
    if not partners:
        return known
    if withdraw(unit, known, partners):
        unit.send(partners, OPERATION, replace(request, action=RequisitionAction.NEW), known.requisition_no)
        return known
    _need_yes(unit.ask(partners[0], OPERATION, request, known.requisition_no, keep=False))
    return _check_open(relock(unit, known), OrderEvent.UPDATE)


def _replace_content(request: SubmitRequisitionRequest, unit: Unit, known: Requisition) -> None:
    for name, value in _columns(request, unit).items():
        if name not in ("release_event", "status_seq", "accession_no"):
            setattr(known, name, value)
    states = {item.item_seq: item for item in known.items}
    known.items = [
        states.get(item.item_seq)
        or RequisitionItem(**_item_columns(item, released=known.is_released), accession_no=None)
        for item in request.items
    ]
    for row, item in zip(known.items, request.items, strict=True):
        row.order_no, row.item_code, row.barcode = item.order_no, item.item_code, item.barcode
    for gone in set(states.values()) - set(known.items):
        unit.session.delete(gone)


def _release(request: SubmitRequisitionRequest, unit: Unit, known: Requisition) -> SubmitRequisitionResponseType:
    """Payment or the nurse came later than the requisition."""
    known.gateway_status = GatewayStatus.RELEASED
    known.release_event, known.released_at = request.release_event, unit.now
    known.charge_point = _charge_point(request, unit)
    known.request = unit.text_of(request)
    for item in known.items:
        if item.state is StatusCode.HELD:
            item.status_code = StatusCode.RELEASED
    charge_at_release(unit, request, known.key, known.branch_code, known.charge_point)
    _send_new(unit, replace(request, action=RequisitionAction.NEW))
    return _answer(unit, known)


def _send_new(unit: Unit, request: SubmitRequisitionRequest) -> bool:
    """To whoever performs it. When that is nobody, the department has to ask for it, or its code is wrong."""
    forwarded = unit.send(performing(unit, request), OPERATION, request, request.requisition_no)
    if not forwarded:
        unit.warnings.append(
            "没有系统接收该申请单，请核对 PerformDeptCode (no system is sent this requisition: check PerformDeptCode)"
        )
    return forwarded


# --- CANCEL -----------------------------------------------------------------------------------------------------------


def _cancel(request: SubmitRequisitionRequest, unit: Unit) -> SubmitRequisitionResponseType:
    known = _find(request, unit)
    if known is None or known.tombstone:
        return _remember_cancellation(request, unit, known)
    _check_caller(unit, known, OrderEvent.CANCEL)
    _check_open(known, OrderEvent.CANCEL)
    partners = performing(unit, submitted(unit, known))
    if known.is_released and partners and not withdraw(unit, known, partners):
        _need_yes(unit.ask(partners[0], OPERATION, request, known.requisition_no, keep=False))
        known = _check_open(relock(unit, known), OrderEvent.CANCEL)
    close(unit, known, RequisitionAction.CANCEL, request.cancel_reason)
    return _answer(unit, known)


def _remember_cancellation(
    request: SubmitRequisitionRequest, unit: Unit, known: Requisition | None
) -> SubmitRequisitionResponseType:
    """A CANCEL that overtook its NEW is remembered, so that the NEW is refused when it comes."""
    if known is None:
        unit.add(
            Requisition,
            key=unit.txn_no,
            hospital_code=unit.hospital_code,
            branch_code=unit.branch_code,
            sender_code=unit.sender_code,
            received_at=unit.now,
            gateway_status=GatewayStatus.CANCELLED,
            tombstone=True,
            **_columns(request, unit),
        )
    unit.is_final = False
    return SubmitRequisitionResponseType(
        result=unit.refused(
            RequisitionUnknown("已记录取消，之后到达的新增将被拒绝。", "The cancellation is remembered.")
        ),
        requisition_no=request.requisition_no,
        gateway_status=GatewayStatus.CANCELLED,
    )


# --- shared -----------------------------------------------------------------------------------------------------------


def _need_yes(answer: PartnerAnswer) -> None:
    """Without a clear yes of the performing department nothing changes."""
    if answer.code in HoldMode.__members__:
        raise RequisitionNotAsked()
    if not answer.is_yes:
        raise RequisitionLocked(f"执行科室应答：{answer.code}。", f"The department's answer: {answer.code}.")


def _check_caller(unit: Unit, known: Requisition, event: OrderEvent) -> None:
    if not WHO[event] & parties_of(unit, known):
        raise RequisitionForeign()


def _check_open(known: Requisition, event: OrderEvent) -> Requisition:
    """The requisition, while the clinic may still change or cancel it; asked again after the department was asked."""
    verdict = verdict_of((item.state for item in known.items), event)
    if known.gateway_status == GatewayStatus.CANCELLED or verdict is Verdict.FINAL:
        raise RequisitionCancelled()
    if verdict is Verdict.LOCKED:
        raise RequisitionLocked()
    return known


def _charge_point(request: SubmitRequisitionRequest, unit: Unit) -> str:
    return charge_point(
        unit.site.rules, unit.hospital_code, request.perform_dept_code, request.visit.visit_type, unit.now.date()
    )


def _answer(unit: Unit, known: Requisition) -> SubmitRequisitionResponseType:
    return SubmitRequisitionResponseType(
        result=unit.accepted(),
        requisition_no=known.requisition_no,
        gateway_status=GatewayStatus(known.gateway_status),
        accession_no=known.accession_no if known.accession_no and len(known.accession_no) <= 16 else None,
    )


def _columns(request: SubmitRequisitionRequest, unit: Unit) -> dict[str, object]:
    return {
        "requisition_no": request.requisition_no,
        "requisition_type": request.requisition_type,
        "patient_id": request.patient.patient_id,
        "visit_type": request.visit.visit_type,
        "visit_no": request.visit.visit_no,
        "perform_dept_code": request.perform_dept_code,
        "priority": request.priority,
        "ordered_at": request.ordered_at,
        "release_event": request.release_event,
        "content_hash": _content_hash(request, unit),
        "request": unit.text_of(request),
    }


def _item_columns(item: SubmittedItem, *, released: bool) -> dict[str, object]:
    return {
        "item_seq": item.item_seq,
        "order_no": item.order_no,
        "item_code": item.item_code,
        "barcode": item.barcode,
        "status_code": StatusCode.RELEASED if released else StatusCode.HELD,
        "refunded": False,
    }


def _content_hash(request: SubmitRequisitionRequest, unit: Unit) -> str:
    """Of what is ordered, for whom and where: without the header and without what tells of payment."""
    written = unit.text_of(request)
    return hashlib.sha256(_NOT_CONTENT.sub("", written).encode()).hexdigest()
