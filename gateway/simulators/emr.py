"""The simulated EMR: gives the record of this visit or of all visits, with or without orders; all of it invented."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import NamedTuple

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
DIALYSIS = re.compile(r"PHD([1-9]\d{0,3})")
"""A patient on dialysis with so many visits, three a week: PHD400 has 400."""
BETWEEN_SESSIONS = timedelta(hours=56)

NAME, ID_NO, PHONE = "虚构患者", "99999919680417001X", "19900000001"

SECTIONS = {
    "SUMMARY": (
        "病历摘要",
        f"{NAME}（身份证 {ID_NO}，电话 {PHONE}）一般情况可，神志清楚。此为虚构病历，仅供演示。",
    ),
    "DIAG": ("诊断", "1. 肺栓塞？ 2. 高血压病 2 级"),
    "ADMISSION": ("入院记录", "突发胸痛、气促 2 小时入院；SpO2 89%（<90%），右下肢肿胀。"),
    "PROGRESS": ("病程记录", "吸氧、心电监护；D-二聚体升高，拟行胸部CT增强以排除肺栓塞。"),
    "LAB": ("检验结果", "D-二聚体 4.6 mg/L ↑；肌钙蛋白 I 0.02 ng/mL；血钾 3.9 mmol/L。"),
    "EXAM": ("检查结果", "心电图：窦性心动过速，SⅠQⅢTⅢ。"),
    "ALLERGY": ("过敏史", "青霉素过敏；无碘对比剂过敏史。"),
    "HIV": ("HIV 检测", "HIV 抗体阴性。"),
    "PSYCH": ("精神科会诊", "焦虑状态，建议随访。"),
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
        visits = _visits(request, patient_id)
        page, size = request.page_no or 1, request.page_size or 50
        return GetMedicalRecordResponseType(
            result=self.accepted(request),
            patient=_patient(patient_id),
            visits=tuple(visits[(page - 1) * size : page * size]),
            total_count=len(visits),
            masked=False,
        )

    def report_status(self, request: ReportStatusRequest) -> ReportStatusResponseType:
        return ReportStatusResponseType(
            result=self.accepted(request), current_status=STATUS_AFTER[request.event], applied=True
        )


def _patient(patient_id: str) -> Patient:
    return Patient(
        patient_id=patient_id,
        patient_name=NAME,
        sex_code=SexCode.MALE,
        birth_date=date(1968, 4, 17),
        id_type="01",
        id_no=ID_NO,
        phone=PHONE,
        address="示例市样例区测试路88号",
    )


def _visits(request: GetMedicalRecordRequest, patient_id: str) -> list[RecordVisit]:
    """The newest visit first; of the others those that begin within the days asked for."""
    now = datetime.now().astimezone().replace(minute=0, second=0, microsecond=0)
    sessions = DIALYSIS.fullmatch(patient_id)
    history = _sessions(now, int(sessions[1])) if sessions else _stays(now, request.visit_no)
    if request.scope is RecordScope.THIS_VISIT:
        this = next((one for one in history if one.number == request.visit_no), history[0])
        return [_visit(request, this)]
    first, last = request.date_from or date.min, request.date_to or date.max
    return [_visit(request, one) for one in history if one is history[0] or first <= one.started.date() <= last]


class _Visit(NamedTuple):
    number: str
    kind: VisitType
    department: str
    started: datetime
    ended: datetime | None


def _stays(now: datetime, current: str | None) -> list[_Visit]:
    """The visit asked about, which has just begun, and two earlier ones."""
    this = _Visit(current or "ZY20260099999", VisitType.INPATIENT, "呼吸与危重症医学科", now - timedelta(hours=6), None)
    earlier = [
        _Visit(number, kind, department, now - started, None if ended is None else now - ended)
        for number, kind, department, started, ended in EARLIER_VISITS
    ]
    return [this, *earlier]


def _sessions(now: datetime, count: int) -> list[_Visit]:
    """So many sessions of dialysis, the newest this morning."""
    began = [now.replace(hour=0) - BETWEEN_SESSIONS * number for number in range(count)]
    return [
        _Visit(f"HD{count - number:04d}", VisitType.OUTPATIENT, "血液净化中心", at, at + timedelta(hours=4))
        for number, at in enumerate(began)
    ]


def _visit(request: GetMedicalRecordRequest, visit: _Visit) -> RecordVisit:
    wanted = [reference.code for reference in request.sections] or list(SECTIONS)
    sections = [
        RecordSection(
            code=code,
            name=SECTIONS[code][0],
            documents=(
                RecordDocument(
                    doc_id=f"{visit.number}-{code}",
                    type=code,
                    title=SECTIONS[code][0],
                    author_name="赵示例",
                    at=visit.started + timedelta(hours=1),
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
            order_no=f"{visit.number}-{position}",
            order_text=text,
            order_type=kind_of_order,
            status="执行中" if visit.ended is None else "已停止",
            ordered_at=visit.started + timedelta(hours=1),
            stopped_at=visit.ended,
            doctor_name="赵示例",
        )
        for position, (text, kind_of_order) in enumerate(ORDERS, 1)
    ]
    return RecordVisit(
        visit_type=visit.kind,
        visit_no=visit.number,
        dept_name=visit.department,
        started_at=visit.started,
        ended_at=visit.ended,
        sections=tuple(sections),
        orders=tuple(orders) if request.include_orders else (),
    )
