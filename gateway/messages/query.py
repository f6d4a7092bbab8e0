"""Queries. Made from xsd/query.xsd by generate.py; change the XSD, not this file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.messages.common import Header, Patient, Result, Visit
from gateway.messages.requisition import Diagnosis, RequisitionItem
from gateway.terms import GatewayStatus, Priority, ReleaseEvent, RequisitionType, StatusCode, TransactionState


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequisitionRequest:
    """Find requisitions by visit, number, barcode, patient or department. 查询申请单."""

    header: Header
    visit_no: str | None = None
    requisition_no: str | None = None
    barcode: str | None = None
    patient_id: str | None = None
    perform_dept_code: str | None = None
    requisition_type: RequisitionType | None = None
    ordered_from: datetime | None = None
    ordered_to: datetime | None = None
    page_no: int | None = None
    page_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """State of an item. 项目状态."""

    item_seq: int
    status_code: StatusCode
    accession_no: str | None = None
    refunded: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequisitionRecord:
    """Requisition. 申请单."""

    branch_code: str | None = None
    requisition_no: str
    requisition_type: RequisitionType
    status_code: StatusCode
    gateway_status: GatewayStatus
    refund_allowed: bool
    patient: Patient
    visit: Visit
    release_event: ReleaseEvent | None = None
    priority: Priority
    ordering_dept_code: str
    ordering_dept_name: str | None = None
    ordering_doctor_code: str
    ordering_doctor_name: str
    ordered_at: datetime
    perform_dept_code: str
    perform_dept_name: str | None = None
    clinical_summary: str | None = None
    symptoms: str | None = None
    purpose: str | None = None
    allergy: str | None = None
    precautions: str | None = None
    pregnant: bool | None = None
    infectious: bool | None = None
    diagnoses: tuple[Diagnosis, ...] = ()
    items: tuple[RequisitionItem, ...]
    item_states: tuple[ItemState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequisitionResponseType:
    """Answer to QueryRequisition. 查询申请单应答."""

    result: Result
    requisitions: tuple[RequisitionRecord, ...] = ()
    total_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryTransactionRequest:
    """Ask what became of a message, charge or refund by its number, or list what was booked in a time. 查询交易."""

    header: Header
    queried_message_id: str | None = None
    queried_operation: str | None = None
    gateway_txn_no: str | None = None
    charge_no: str | None = None
    refund_no: str | None = None
    source_system: str | None = None
    booked_from: datetime | None = None
    booked_to: datetime | None = None
    perform_dept_code: str | None = None
    totals_only: bool | None = None
    page_no: int | None = None
    page_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRecord:
    """Transaction. 交易."""

    operation: str
    gateway_txn_no: str
    sender_code: str
    message_id: str
    received_at: datetime
    result_code: str
    charge_no: str | None = None
    refund_no: str | None = None
    his_charge_no: str | None = None
    his_refund_no: str | None = None
    transaction_state: TransactionState | None = None
    amount: Decimal | None = None
    delivered: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingRecord:
    """A charge or refund as it is booked. 记账."""

    sender_code: str
    branch_code: str | None = None
    charge_no: str | None = None
    refund_no: str | None = None
    his_no: str | None = None
    transaction_state: TransactionState
    amount: Decimal
    booked_at: datetime
    perform_dept_code: str | None = None
    visit_no: str | None = None
    requisition_no: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingTotal:
    """What is booked of a department. 科室合计."""

    perform_dept_code: str | None = None
    charge_count: int
    charge_amount: Decimal
    refund_count: int
    refund_amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryTransactionResponseType:
    """Answer to QueryTransaction. 查询交易应答."""

    result: Result
    transactions: tuple[TransactionRecord, ...] = ()
    bookings: tuple[BookingRecord, ...] = ()
    totals: tuple[BookingTotal, ...] = ()
    total_count: int | None = None
