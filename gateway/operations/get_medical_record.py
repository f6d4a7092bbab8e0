"""GetMedicalRecord: a department reads a patient's record; who may is decided here, and every look is audited.

The gateway keeps nothing of the record. It asks the EMR while the caller waits, and passes on no more than was asked
for and allowed (docs/specification/records.md).
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from gateway.errors import (
    RecordInvalid,
    RecordNotAllowed,
    RecordPatientMerged,
    RecordSystemUnreachable,
    RecordTimeout,
    RecordUnknown,
    RequestRefused,
)
from gateway.messages.medical_record import GetMedicalRecordRequest, GetMedicalRecordResponseType, RecordVisit
from gateway.model.client import SpecialRight
from gateway.model.requisition import Requisition
from gateway.model.visit import Visit
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.operations.lookups import merged_into, patient_ids
from gateway.operations.unit import Unit
from gateway.terms import RecordPurpose, RecordScope, ReturnMode

OPERATION = "GetMedicalRecord"
NO_ORDER = ""
"""Two readers of one record need not wait for each other."""
ORDERS = "ORDER"
"""The section that holds orders; it needs the same right as IncludeOrders."""
NEEDS_AUTHORIZATION = frozenset({RecordPurpose.CLAIM, RecordPurpose.RESEARCH, RecordPurpose.REGIONAL})
PASSED_ON = {reason.code: reason for reason in RequestRefused.catalogue() if reason.code.startswith("EMR-")}
"""Refusals of the EMR that mean the same to the caller."""


def get_medical_record(request: GetMedicalRecordRequest, unit: Unit) -> GetMedicalRecordResponseType:
    """The record from the EMR, if the caller may read it; nothing is read that was not audited."""
    unit.subject = _subject(request)
    unit.purpose, unit.detail = request.purpose, _asked_for(request)
    unit.requisition_no, unit.visit_no = request.requisition_no, request.visit_no
    _check(request)
    _check_rights(request, unit)
    requisition = _requisition(request, unit)
    _refuse_merged(request, unit)
    _check_relation(request, unit, requisition)
    partners = unit.dispatch.partners_for(OPERATION, hospital_code=unit.hospital_code)
    partner = next((p for p in partners if unit.dispatch.client_of(p) != unit.sender_code), None)
    if partner is None:
        raise RecordSystemUnreachable("未配置电子病历系统。", "No EMR is configured.")
    answer = unit.ask(partner, OPERATION, request, NO_ORDER, keep=False)
    record = _filtered(request, _understood(answer), _visit_no(request, requisition))
    _refuse_another_patient(request, unit, requisition, record)
    unit.detail = f"{unit.detail} {_given(record)}"
    return replace(record, result=unit.accepted())


# --- may it be read? --------------------------------------------------------------------------------------------------


def _check(request: GetMedicalRecordRequest) -> None:
    if request.patient_id is None and request.empi_id is None and request.requisition_no is None:
        raise RecordInvalid("PatientId、EmpiId、RequisitionNo 至少填一个。", "Give PatientId, EmpiId or RequisitionNo.")
    if request.date_from is not None and request.date_to is not None and request.date_from > request.date_to:
        raise RecordInvalid("DateFrom 晚于 DateTo。", "DateFrom is after DateTo.")


def _check_rights(request: GetMedicalRecordRequest, unit: Unit) -> None:
    may = unit.caller.may
    if request.scope is RecordScope.ALL_VISITS and not may(SpecialRight.RECORD_ALL_VISITS):
        raise RecordNotAllowed("没有调阅全部就诊的权限。", "ALL_VISITS needs a right of its own.")
    if _wants_orders(request) and not may(SpecialRight.RECORD_ORDERS):
        raise RecordNotAllowed("没有调阅医嘱的权限。", "Orders need a right of their own.")
    if request.purpose in NEEDS_AUTHORIZATION and request.authorization_no is None:
        raise RecordNotAllowed("该目的必须填写 AuthorizationNo。", "This purpose needs an AuthorizationNo.")


def _wants_orders(request: GetMedicalRecordRequest) -> bool:
    return request.include_orders or any(section.code == ORDERS for section in request.sections)


def _requisition(request: GetMedicalRecordRequest, unit: Unit) -> Requisition | None:
    """The requisition named; it must be known, of the patient named, and of one branch."""
    if request.requisition_no is None:
        return None
    query = select(Requisition).where(
        Requisition.hospital_code == unit.hospital_code,
        Requisition.requisition_no == request.requisition_no,
        Requisition.tombstone.is_(False),
    )
    if unit.branch_code:
        query = query.where(Requisition.branch_code == unit.branch_code)
    found = unit.session.scalars(query.limit(2)).all()
    if len(found) > 1:
        raise RecordInvalid(
            "多个院区有相同的申请单号，请填写 BranchCode。", "Several branches have this number: give BranchCode."
        )
    if not found and request.patient_id is not None and request.emergency_reason is not None:
        return None
    if not found:
        raise RecordUnknown("申请单不存在。", "The requisition is unknown.")
    if request.patient_id is not None and found[0].patient_id not in patient_ids(unit, request.patient_id):
        raise RecordNotAllowed("申请单不属于该患者。", "The requisition is not of this patient.")
    return found[0]


def _refuse_merged(request: GetMedicalRecordRequest, unit: Unit) -> None:
    """An id that was merged is answered with today's, so that the caller mends its own data."""
    new_id = merged_into(unit, request.patient_id) if request.patient_id is not None else None
    if new_id is not None:
        raise RecordPatientMerged(new_patient_id=new_id)


def _check_relation(request: GetMedicalRecordRequest, unit: Unit, requisition: Requisition | None) -> None:
    """Treatment needs a relation: the hospital knows a requisition or visit of the patient. An emergency breaks it."""
    if request.purpose is not RecordPurpose.TREAT or _is_related(request, unit, requisition):
        return
    if request.emergency_reason is None:
        raise RecordNotAllowed(
            "没有诊疗关系；紧急情况请填写 EmergencyReason。",
            "There is no treatment relation; in an emergency give EmergencyReason.",
        )
    unit.detail = f"{unit.detail} emergency=yes"
    unit.alert("RECORD_EMERGENCY", f"{unit.subject}, read by {unit.sender_code}")


def _is_related(request: GetMedicalRecordRequest, unit: Unit, requisition: Requisition | None) -> bool:
    if requisition is not None:
        return request.visit_no in (None, requisition.visit_no) or request.scope is RecordScope.ALL_VISITS
    if request.patient_id is None:
        return False  # of an EmpiId alone the gateway cannot tell whose it is
    ids = patient_ids(unit, request.patient_id)
    for table in (Requisition, Visit):
        query = select(table.visit_no).where(table.hospital_code == unit.hospital_code, table.patient_id.in_(ids))
        if request.visit_no is not None and request.scope is RecordScope.THIS_VISIT:
            query = query.where(table.visit_no == request.visit_no)
        if unit.session.scalars(query.limit(1)).first() is not None:
            return True
    return False


# --- what the EMR answers ---------------------------------------------------------------------------------------------


def _understood(answer: PartnerAnswer) -> GetMedicalRecordResponseType:
    """The record. Raises what the EMR's refusal or silence means for the caller."""
    if answer.is_yes:
        record: GetMedicalRecordResponseType = answer.response
        return record
    if answer.outcome is Outcome.UNKNOWN:
        raise RecordTimeout()
    reason = PASSED_ON.get(answer.code)
    if reason is None:
        raise RecordSystemUnreachable()
    new_id = getattr(answer.response, "new_patient_id", None)
    raise reason(answer.text[:200], **({"new_patient_id": new_id} if new_id is not None else {}))


def _refuse_another_patient(
    request: GetMedicalRecordRequest,
    unit: Unit,
    requisition: Requisition | None,
    record: GetMedicalRecordResponseType,
) -> None:
    """An EMR that answers with somebody else's record is out of order: nobody may see it."""
    asked = request.patient_id or (requisition.patient_id if requisition is not None else None)
    if asked is None or record.patient is None or record.patient.patient_id in patient_ids(unit, asked):
        return
    unit.alerts_if_refused.append(("RECORD_OF_ANOTHER_PATIENT", unit.subject))
    raise RecordSystemUnreachable(
        "电子病历系统返回了其他患者的病历。", "The EMR answered with another patient's record."
    )


def _visit_no(request: GetMedicalRecordRequest, requisition: Requisition | None) -> str | None:
    """The one visit that may be read, None when it is not known or all may be."""
    if request.scope is RecordScope.ALL_VISITS:
        return None
    return request.visit_no or (requisition.visit_no if requisition is not None else None)


def _filtered(
    request: GetMedicalRecordRequest, record: GetMedicalRecordResponseType, visit_no: str | None
) -> GetMedicalRecordResponseType:
    """No more than was asked for: an EMR that answers generously must not widen what may be read."""
    visits = [visit for visit in record.visits if visit_no is None or visit.visit_no == visit_no]
    by_url = request.return_mode is ReturnMode.VIEW_URL
    return replace(
        record,
        visits=tuple(_without_extras(request, visit) for visit in visits),
        view_url=record.view_url if by_url else None,
    )


def _without_extras(request: GetMedicalRecordRequest, visit: RecordVisit) -> RecordVisit:
    wanted = {section.code for section in request.sections}
    sections = [s for s in visit.sections if s.code in wanted or (not wanted and _may_show(request, s.code))]
    return replace(visit, sections=tuple(sections), orders=visit.orders if request.include_orders else ())


def _may_show(request: GetMedicalRecordRequest, code: str) -> bool:
    return code != ORDERS or request.include_orders


# --- what the audit says ----------------------------------------------------------------------------------------------


def _subject(request: GetMedicalRecordRequest) -> str:
    if request.patient_id is not None:
        return f"patient {request.patient_id}"
    if request.empi_id is not None:
        return f"empi {request.empi_id}"
    return f"requisition {request.requisition_no}"


def _asked_for(request: GetMedicalRecordRequest) -> str:
    sections = ",".join(section.code for section in request.sections) or "all"
    orders = "yes" if request.include_orders else "no"
    visit = f" visit={request.visit_no}" if request.visit_no is not None else ""
    authorization = f" authorization={request.authorization_no}" if request.authorization_no is not None else ""
    return f"scope={request.scope} sections={sections} orders={orders}{visit}{authorization}"


def _given(record: GetMedicalRecordResponseType) -> str:
    documents = sum(len(section.documents) for visit in record.visits for section in visit.sections)
    orders = sum(len(visit.orders) for visit in record.visits)
    return f"visits={len(record.visits)} documents={documents} orders_given={orders}"
