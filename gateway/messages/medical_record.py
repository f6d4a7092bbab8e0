"""Medical records. Made from xsd/medical_record.xsd by generate.py; change the XSD, not this file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from gateway.messages.common import Header, Patient, Result
from gateway.terms import RecordPurpose, RecordScope, ReturnMode, VisitType


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRef:
    """Section of a record. 病历部分."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetMedicalRecordRequest:
    """Read a patient's medical record. 调阅病历."""

    header: Header
    patient_id: str | None = None
    empi_id: str | None = None
    requisition_no: str | None = None
    visit_no: str | None = None
    scope: RecordScope
    include_orders: bool
    sections: tuple[SectionRef, ...] = ()
    date_from: date | None = None
    date_to: date | None = None
    page_no: int | None = None
    page_size: int | None = None
    return_mode: ReturnMode | None = None
    purpose: RecordPurpose
    authorization_no: str | None = None
    emergency_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDocument:
    """Document. 病历文书."""

    doc_id: str
    type: str
    title: str
    author_code: str | None = None
    author_name: str | None = None
    at: datetime | None = None
    status: str | None = None
    content: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSection:
    """Section. 病历部分."""

    code: str
    name: str | None = None
    documents: tuple[RecordDocument, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOrder:
    """Order. 医嘱."""

    order_no: str
    order_text: str
    order_type: str | None = None
    status: str | None = None
    ordered_at: datetime | None = None
    stopped_at: datetime | None = None
    doctor_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordVisit:
    """Record of one visit. 就诊病历."""

    visit_type: VisitType
    visit_no: str
    visit_seq: str | None = None
    dept_code: str | None = None
    dept_name: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    sections: tuple[RecordSection, ...] = ()
    orders: tuple[RecordOrder, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GetMedicalRecordResponseType:
    """Answer to GetMedicalRecord. 调阅病历应答."""

    result: Result
    patient: Patient | None = None
    visits: tuple[RecordVisit, ...] = ()
    total_count: int | None = None
    masked: bool | None = None
    view_url: str | None = None
    new_patient_id: str | None = None
