"""The simulated EMR: gives the record of this visit or of all visits, with or without orders; all of it invented."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from gateway.errors import RecordUnknown
from gateway.messages.common import Patient
from gateway.messages.medical_record import (
    GetMedicalRecordRequest,
    GetMedicalRecordResponseType,
    RecordDocument,
    RecordOrder,
    RecordSection,
    RecordVisit,
)
from gateway.messages.status import ReportStatusRequest, ReportStatusResponseType
from gateway.simulators.clinical import ClinicalSystem
from gateway.simulators.his import STATUS_AFTER
from gateway.terms import RecordScope, ReturnMode, SexCode, VisitType

KNOWN_PATIENTS = "P"
"""Every patient id that begins so has a record; others are unknown, so that EMR-404 can be seen."""

SECTIONS = {
    "SUMMARY": ("病历摘要", "患者一般情况可，神志清楚。此为虚构病历，仅供演示。"),
    "DIAG": ("诊断", "1. 肺栓塞？ 2. 高血压病 2 级"),
    "ADMISSION": ("入院记录", "突发胸痛、气促 2 小时入院；SpO2 89%（<90%），右下肢肿胀。"),
    "PROGRESS": ("病程记录", "吸氧、心电监护；D-二聚体升高，拟行胸部CT增强以排除肺栓塞。"),
    "LAB": ("检验结果", "D-二聚体 4.6 mg/L ↑；肌钙蛋白 I 0.02 ng/mL；血钾 3.9 mmol/L。"),
    "EXAM": ("检查结果", "心电图：窦性心动过速，SⅠQⅢTⅢ。"),
    "ALLERGY": ("过敏史", "青霉素过敏；无碘对比剂过敏史。"),
}
EARLIER_VISITS = (
    ("MZ20250312007", VisitType.OUTPATIENT, "心血管内科门诊", timedelta(days=620), None),
    ("ZY20240005678", VisitType.INPATIENT, "骨科", timedelta(days=980), timedelta(days=970)),
)
ORDERS = (("吸氧 3L/min", "长期"), ("低分子肝素钙 4100IU 皮下注射 q12h", "长期"), ("胸部CT平扫+增强", "临时"))


class SimulatedEmr(ClinicalSystem):
    """The electronic medical record of the house."""

    name = "EMR"

    def get_medical_record(self, request: GetMedicalRecordRequest) -> GetMedicalRecordResponseType:
        patient_id = request.patient_id or request.empi_id or ""
        if not patient_id.startswith((KNOWN_PATIENTS, "E")):
            raise RecordUnknown()
        if request.return_mode is ReturnMode.VIEW_URL:
            address = f"https://emr.example.org/view/{request.header.message_id}"
            return GetMedicalRecordResponseType(result=self.accepted(request), total_count=0, view_url=address)
        visits = _visits(request)
        page, size = request.page_no or 1, request.page_size or 50
        return GetMedicalRecordResponseType(
            result=self.accepted(request),
            patient=Patient(patient_id=patient_id, patient_name="虚构患者", sex_code=SexCode.MALE),
            visits=tuple(visits[(page - 1) * size : page * size]),
            total_count=len(visits),
            masked=False,
        )

    def report_status(self, request: ReportStatusRequest) -> ReportStatusResponseType:
        return ReportStatusResponseType(
            result=self.accepted(request), current_status=STATUS_AFTER[request.event], applied=True
        )


def _visits(request: GetMedicalRecordRequest) -> list[RecordVisit]:
    """This visit first, then, if wanted, the earlier ones."""
    now = datetime.now().astimezone().replace(minute=0, second=0, microsecond=0)
    current = request.visit_no or "ZY20260099999"
    this = _visit(request, current, VisitType.INPATIENT, "呼吸与危重症医学科", now - timedelta(hours=6), None)
    if request.scope is RecordScope.THIS_VISIT:
        return [this]
    first, last = request.date_from or date.min, request.date_to or date.max
    return [this] + [
        _visit(request, number, kind, department, now - started, None if ended is None else now - ended)
        for number, kind, department, started, ended in EARLIER_VISITS
        if first <= (now - started).date() <= last
    ]


def _visit(
    request: GetMedicalRecordRequest,
    number: str,
    kind: VisitType,
    department: str,
    started: datetime,
    ended: datetime | None,
) -> RecordVisit:
    wanted = [reference.code for reference in request.sections] or list(SECTIONS)
    sections = [
        RecordSection(
            code=code,
            name=SECTIONS[code][0],
            documents=(
                RecordDocument(
                    doc_id=f"{number}-{code}",
                    type=code,
                    title=SECTIONS[code][0],
                    author_name="赵示例",
                    at=started + timedelta(hours=1),
                    status="SIGNED",
                    content=SECTIONS[code][1],
                ),
            ),
        )
        for code in wanted
        if code in SECTIONS
    ]
    orders = [
        RecordOrder(
            order_no=f"{number}-{position}",
            order_text=text,
            order_type=kind_of_order,
            status="执行中" if ended is None else "已停止",
            ordered_at=started + timedelta(hours=1),
            stopped_at=ended,
            doctor_name="赵示例",
        )
        for position, (text, kind_of_order) in enumerate(ORDERS, 1)
    ]
    return RecordVisit(
        visit_type=kind,
        visit_no=number,
        dept_name=department,
        started_at=started,
        ended_at=ended,
        sections=tuple(sections),
        orders=tuple(orders) if request.include_orders else (),
    )
