"""A report that calls itself critical opens the loop of a critical value, in case its push is late or never comes."""

from __future__ import annotations

from gateway.messages.common import CriticalHeader
from gateway.messages.critical_value import CriticalDetail, CriticalPatient, CriticalVisit, PushCriticalValueRequest
from gateway.messages.report import LabResult, SubmitReportRequest
from gateway.operations.critical_loop import MOST_DETAILS, find_values, open_loop, tell, values_of_report
from gateway.operations.unit import Unit
from gateway.terms import AbnormalFlag, CriticalStatus, ReportAction, ReportType

SOURCE_TYPES = {ReportType.LAB: "1", ReportType.PATH: "2", ReportType.ECG: "3", ReportType.EXAM: "6"}
MODALITIES = {"US": "4", "ES": "5"}
ALARMING = frozenset({AbnormalFlag.LL, AbnormalFlag.HH, AbnormalFlag.AA})
LONGEST_CONTENT = 2000


def open_loops(request: SubmitReportRequest, unit: Unit) -> list[str]:
    """Open what is not known yet and tell it at once, queued and urgent. Returns the numbers the report stands for."""
    if not request.critical or request.action is ReportAction.WITHDRAW:
        return []
    named = list(dict.fromkeys(reference.critical_id for reference in request.criticals))
    known = [v for v in values_of_report(unit, request.report_no) if v.state is not CriticalStatus.CANCELLED]
    others = [value.critical_id for value in known if value.critical_id not in named]
    if others:
        return [*(number for number in named if find_values(unit, number, unit.sender_code)), *others]
    wanted = named or [request.report_no]
    for part, number in enumerate(wanted, 1):
        if not find_values(unit, number, unit.sender_code):
            message = _push(request, unit, number)
            value, _ = open_loop(unit, message, report_part=part)
            tell(unit, value, message, at_once=False)
    return wanted


def _push(request: SubmitReportRequest, unit: Unit, critical_id: str) -> PushCriticalValueRequest:
    """The push the department would have sent, as far as the report tells."""
    patient, visit = request.patient, request.visit
    return PushCriticalValueRequest(
        header=_header(request, unit),
        critical_id=critical_id,
        action="NEW",
        source_type=MODALITIES.get(request.modality or "", SOURCE_TYPES[request.report_type]),
        requisition_no=request.requisitions[0].requisition_no,
        orders=request.orders,
        report_no=request.report_no,
        study_no=request.study_no,
        patient=CriticalPatient(
            patient_id=patient.patient_id,
            empi_id=patient.empi_id,
            patient_name=patient.patient_name,
            sex_code=patient.sex_code,
            birth_date=patient.birth_date,
            age_text=patient.age_text,
            phone=patient.phone,
        ),
        visit=None
        if visit is None
        else CriticalVisit(
            visit_type=visit.visit_type,
            visit_no=visit.visit_no,
            visit_seq=visit.visit_seq,
            dept_code=visit.dept_code,
            dept_name=visit.dept_name,
            ward_code=visit.ward_code,
            ward_name=visit.ward_name,
            bed_no=visit.bed_no,
        ),
        content=(request.impression or request.findings or "报告标记为危急值，详见报告。")[:LONGEST_CONTENT],
        details=tuple(_detail(r) for r in request.results if r.abnormal_flag in ALARMING)[:MOST_DETAILS],
        found_at=request.reported_at,
        confirmed_at=request.audited_at,
        reported_at=request.reported_at,
        reporter_code=request.reporter_code,
        reporter_name=request.reporter_name,
    )


def _header(request: SubmitReportRequest, unit: Unit) -> CriticalHeader:
    header = request.header
    return CriticalHeader(
        message_id=header.message_id,
        sender_code=unit.sender_code,
        hospital_code=unit.hospital_code,
        branch_code=header.branch_code,
        sent_at=header.sent_at,
        operator_code=header.operator_code,
        operator_name=header.operator_name,
    )


def _detail(result: LabResult) -> CriticalDetail:
    return CriticalDetail(
        item_code=result.item_code,
        item_name=result.item_name,
        value=result.value_text or (None if result.value_num is None else format(result.value_num, "f")),
        unit=result.unit,
        ref_range=result.ref_range,
        flag=result.abnormal_flag,
    )
