"""Critical values. Made from xsd/critical_value.xsd by generate.py; change the XSD, not this file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from gateway.messages.common import CriticalHeader, Header, OrderRef, Result
from gateway.terms import AckType, CriticalStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalPatient:
    """Patient of a critical value, everything optional. 危急值患者信息."""

    patient_id: str | None = None
    empi_id: str | None = None
    patient_name: str | None = None
    sex_code: str | None = None
    birth_date: date | None = None
    age_text: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalVisit:
    """Visit of a critical value, everything optional. 危急值就诊信息."""

    visit_type: str | None = None
    visit_no: str | None = None
    visit_seq: str | None = None
    dept_code: str | None = None
    dept_name: str | None = None
    ward_code: str | None = None
    ward_name: str | None = None
    bed_no: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalDetail:
    """Detail of a critical value. 危急值明细."""

    item_code: str | None = None
    item_name: str | None = None
    value: str | None = None
    unit: str | None = None
    ref_range: str | None = None
    flag: str | None = None
    critical_rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffRef:
    """Member of staff. 人员."""

    code: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushCriticalValueRequest:
    """Push a critical value. 上报危急值."""

    header: CriticalHeader
    critical_id: str
    action: str | None = None
    source_type: str | None = None
    requisition_no: str | None = None
    orders: tuple[OrderRef, ...] = ()
    report_no: str | None = None
    study_no: str | None = None
    barcode: str | None = None
    patient: CriticalPatient | None = None
    visit: CriticalVisit | None = None
    level: str | None = None
    content: str
    details: tuple[CriticalDetail, ...] = ()
    found_at: datetime | None = None
    confirmed_at: datetime | None = None
    reported_at: datetime | None = None
    reporter_code: str | None = None
    reporter_name: str | None = None
    reporter_phone: str | None = None
    target_dept_code: str | None = None
    target_ward_code: str | None = None
    target_doctors: tuple[StaffRef, ...] = ()
    receive_deadline: datetime | None = None
    handle_deadline: datetime | None = None
    specimen_name: str | None = None
    collected_at: datetime | None = None
    explanation: str | None = None
    warning: str | None = None
    overdue_stage: str | None = None
    overdue_since: datetime | None = None
    escalation_level: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushCriticalValueResponseType:
    """Answer to PushCriticalValue. 上报危急值应答."""

    result: Result
    critical_id: str | None = None
    critical_status: CriticalStatus | None = None
    receive_deadline: datetime | None = None
    handle_deadline: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Measure taken. 处置措施."""

    code: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRef:
    """Reference to a document. 病历文书引用."""

    doc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeCriticalValueRequest:
    """Acknowledge or handle a critical value. 确认或处理危急值."""

    header: Header
    critical_id: str
    source_system: str | None = None
    ack_id: str
    ack_type: AckType
    actor_code: str
    actor_name: str
    actor_role: str
    actor_dept_code: str
    acted_at: datetime
    opinion: str | None = None
    measures: tuple[Measure, ...] = ()
    related_orders: tuple[OrderRef, ...] = ()
    related_documents: tuple[DocumentRef, ...] = ()
    consult_id: str | None = None
    contact_name: str | None = None
    contact_phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeCriticalValueResponseType:
    """Answer to AcknowledgeCriticalValue. 确认危急值应答."""

    result: Result
    critical_id: str | None = None
    critical_status: CriticalStatus | None = None
