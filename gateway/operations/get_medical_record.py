"""GetMedicalRecord: a department reads a patient's record; who may is decided here, and every look is audited.

The gateway keeps nothing of the record. It asks the EMR while the caller waits, and passes on no more than was asked
for and allowed (docs/specification/records.md).
"""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import (
    RecordSystemUnreachable,
    RecordTimeout,
    RecordTooLarge,
    RequestRefused,
)
from gateway.messages.medical_record import GetMedicalRecordRequest, GetMedicalRecordResponseType
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.operations.record_access import Access, check_access, check_whose
from gateway.operations.record_disclosure import disclose
from gateway.operations.record_quota import count_look
from gateway.operations.unit import Unit

OPERATION = "GetMedicalRecord"
NO_ORDER = ""
"""Two readers of one record need not wait for each other."""
TOO_LARGE = "TOO-LARGE"
"""How the delivery side calls an answer it gave up reading."""
PASSED_ON = {reason.code: reason for reason in RequestRefused.catalogue() if reason.code.startswith("EMR-")}
"""Refusals of the EMR that mean the same to the caller."""


def get_medical_record(request: GetMedicalRecordRequest, unit: Unit) -> GetMedicalRecordResponseType:
    """The record from the EMR, if the caller may read it; nothing is read that was not audited."""
    unit.subject = _subject(request)
    unit.purpose, unit.detail = request.purpose, _asked_for(request)
    unit.requisition_no, unit.visit_no = request.requisition_no, request.visit_no
    access = check_access(request, unit)
    count_look(access, unit)
    partners = unit.dispatch.partners_for(OPERATION, hospital_code=unit.hospital_code)
    partner = next((p for p in partners if unit.dispatch.client_of(p) != unit.sender_code), None)
    if partner is None:
        raise RecordSystemUnreachable("未配置电子病历系统。", "No EMR is configured.")
    answer = unit.ask(partner, OPERATION, access.question(), NO_ORDER, keep=False)
    record = _understood(answer)
    _refuse_another_patient(access, unit, record)
    record = disclose(record, access, today=unit.now.date(), most_bytes=unit.site.limits.record_bytes)
    unit.detail = f"{unit.detail} {_given(record)}"
    return replace(record, result=unit.accepted())


# --- what the EMR answers ---------------------------------------------------------------------------------------------


def _understood(answer: PartnerAnswer) -> GetMedicalRecordResponseType:
    """The record. Raises what the EMR's refusal or silence means for the caller."""
    if answer.is_yes:
        record: GetMedicalRecordResponseType = answer.response
        return record
    if answer.code == TOO_LARGE:
        raise RecordTooLarge("请减小 PageSize。", "Ask with a smaller PageSize.")
    if answer.outcome is Outcome.UNKNOWN:
        raise RecordTimeout()
    reason = PASSED_ON.get(answer.code)
    if reason is None:
        raise RecordSystemUnreachable()
    new_id = getattr(answer.response, "new_patient_id", None)
    raise reason(answer.text[:200], **({"new_patient_id": new_id} if new_id is not None else {}))


def _refuse_another_patient(access: Access, unit: Unit, record: GetMedicalRecordResponseType) -> None:
    """An EMR that answers with somebody else's record is out of order: nobody may see it."""
    answered = record.patient.patient_id if record.patient is not None else None
    if access.patient_id is None or answered is None or answered in access.patient_ids:
        check_whose(access, unit, answered)
        return
    unit.alerts_if_refused.append(("RECORD_OF_ANOTHER_PATIENT", unit.subject))
    raise RecordSystemUnreachable(
        "电子病历系统返回了其他患者的病历。", "The EMR answered with another patient's record."
    )


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
    page = f" page={request.page_no}" if request.page_no is not None else ""
    authorization = f" authorization={request.authorization_no}" if request.authorization_no is not None else ""
    return f"scope={request.scope} sections={sections} orders={orders}{visit}{page}{authorization}"


def _given(record: GetMedicalRecordResponseType) -> str:
    if record.view_url is not None:
        return "address=yes"
    documents = sum(len(section.documents) for visit in record.visits for section in visit.sections)
    orders = sum(len(visit.orders) for visit in record.visits)
    masked = "yes" if record.masked else "no"
    return f"visits={len(record.visits)} documents={documents} orders_given={orders} masked={masked}"
