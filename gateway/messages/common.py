"""What all messages share: patient, visit, codes, quantities and money. Made from xsd/common.xsd by generate.py; change the XSD, not this file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from gateway.terms import SexCode, VisitType


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Header: the first element of every request. 报文头."""

    message_id: str
    sender_code: str
    hospital_code: str
    branch_code: str | None = None
    sent_at: datetime
    operator_code: str | None = None
    operator_name: str | None = None
    version: str | None = None
    origin_sender_code: str | None = None
    origin_message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalHeader:
    """Header of a critical value: only message id and sender are required. 危急值报文头."""

    message_id: str
    sender_code: str
    hospital_code: str | None = None
    branch_code: str | None = None
    sent_at: datetime | None = None
    operator_code: str | None = None
    operator_name: str | None = None
    version: str | None = None
    origin_sender_code: str | None = None
    origin_message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Result: the first element of every response. 处理结果."""

    result_code: str
    result_text: str
    result_text_en: str
    message_id: str
    gateway_txn_no: str
    duplicate: bool
    retryable: bool
    processed_at: datetime
    parked: bool | None = None
    forwarded: bool | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Patient. 患者信息."""

    patient_id: str
    empi_id: str | None = None
    patient_name: str
    sex_code: SexCode
    birth_date: date | None = None
    age_text: str | None = None
    id_type: str | None = None
    id_no: str | None = None
    phone: str | None = None
    address: str | None = None
    mother_patient_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Visit. 就诊信息."""

    visit_type: VisitType
    visit_no: str
    visit_seq: str | None = None
    dept_code: str | None = None
    dept_name: str | None = None
    ward_code: str | None = None
    ward_name: str | None = None
    bed_no: str | None = None
    fee_type: str | None = None
    insurance_no: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRef:
    """Reference to an order. 医嘱引用."""

    order_no: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthHeader:
    """Authentication header, in soap:Header; or use WS-Security or HTTP Basic. 身份验证头."""

    username: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFaultType:
    """What was wrong. 故障明细."""

    code: str
    message: str
    message_en: str
    error_id: str
    path: str | None = None
    expected: str | None = None
    retryable: bool
