"""Reports. Made from xsd/report.xsd by generate.py; change the XSD, not this file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.messages.common import Header, OrderRef, Patient, Result, Visit
from gateway.terms import (
    AbnormalFlag,
    PositiveFlag,
    ReportAction,
    ReportFileFormat,
    ReportType,
    StatusCode,
    Susceptibility,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequisitionRef:
    """Reference to a requisition. 申请单引用."""

    requisition_no: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Antibiotic:
    """Antibiotic. 药敏."""

    code: str | None = None
    name: str
    result: Susceptibility | None = None
    value_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabResult:
    """Laboratory result. 检验结果."""

    item_code: str
    loinc_code: str | None = None
    item_name: str
    value_text: str | None = None
    value_num: Decimal | None = None
    unit: str | None = None
    ref_range: str | None = None
    abnormal_flag: AbnormalFlag | None = None
    organism_code: str | None = None
    organism_name: str | None = None
    antibiotics: tuple[Antibiotic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyImage:
    """Key image. 关键图像."""

    sop_instance_uid: str | None = None
    caption: str | None = None
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """Report file: Url or Content. 报告文件."""

    format: ReportFileFormat
    url: str | None = None
    content: bytes | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalRef:
    """Reference to a critical value. 危急值引用."""

    critical_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitReportRequest:
    """Submit, amend or withdraw a report. 回传报告."""

    header: Header
    report_no: str
    report_version: int
    action: ReportAction
    requisitions: tuple[RequisitionRef, ...]
    orders: tuple[OrderRef, ...] = ()
    accession_no: str | None = None
    study_no: str | None = None
    patient: Patient
    visit: Visit | None = None
    report_type: ReportType
    findings: str | None = None
    impression: str | None = None
    positive: PositiveFlag | None = None
    reporter_code: str
    reporter_name: str
    reported_at: datetime
    auditor_code: str | None = None
    auditor_name: str | None = None
    audited_at: datetime | None = None
    exam_at: datetime | None = None
    device_code: str | None = None
    critical: bool | None = None
    criticals: tuple[CriticalRef, ...] = ()
    delay_reason: str | None = None
    results: tuple[LabResult, ...] = ()
    study_instance_uid: str | None = None
    modality: str | None = None
    series_count: int | None = None
    image_count: int | None = None
    viewer_url: str | None = None
    key_images: tuple[KeyImage, ...] = ()
    report_files: tuple[ReportFile, ...] = ()
    signature_value: str | None = None
    certificate_serial: str | None = None
    withdraw_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitReportResponseType:
    """Answer to SubmitReport. 回传报告应答."""

    result: Result
    report_no: str | None = None
    report_version: int | None = None
    current_status: StatusCode | None = None
    criticals: tuple[CriticalRef, ...] = ()
