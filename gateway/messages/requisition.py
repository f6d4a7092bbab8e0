"""Requisitions. Made from xsd/requisition.xsd by generate.py; change the XSD, not this file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.messages.common import Header, Patient, Result, Visit
from gateway.terms import DiagnosisType, GatewayStatus, Priority, ReleaseEvent, RequisitionAction, RequisitionType


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Diagnosis. 诊断."""

    code: str
    name: str
    type: DiagnosisType


@dataclass(frozen=True, slots=True, kw_only=True)
class RequisitionCharge:
    """What is charged for an item. 收费项目."""

    charge_code: str
    insurance_code: str | None = None
    item_name: str
    unit: str | None = None
    quantity: Decimal
    unit_price: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequisitionItem:
    """Item of a requisition. 申请项目."""

    item_seq: int
    order_no: str
    item_code: str
    item_name: str
    package_code: str | None = None
    package_name: str | None = None
    body_part_code: str | None = None
    body_part_name: str | None = None
    method: str | None = None
    specimen_code: str | None = None
    specimen_name: str | None = None
    container_code: str | None = None
    barcode: str | None = None
    quantity: Decimal
    unit_price: Decimal | None = None
    amount: Decimal | None = None
    charge_items: tuple[RequisitionCharge, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRequisitionRequest:
    """Submit, change or cancel a requisition. 提交电子申请单."""

    header: Header
    action: RequisitionAction
    requisition_no: str
    requisition_type: RequisitionType
    patient: Patient
    visit: Visit
    release_event: ReleaseEvent | None = None
    paid_at: datetime | None = None
    receipt_no: str | None = None
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
    cancel_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRequisitionResponseType:
    """Answer to SubmitRequisition. 提交电子申请单应答."""

    result: Result
    requisition_no: str | None = None
    gateway_status: GatewayStatus | None = None
    accession_no: str | None = None
