"""Charges and refunds. Made from xsd/charge.xsd by generate.py; change the XSD, not this file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.messages.common import Header, Patient, Result, Visit
from gateway.terms import ChargePoint, Initiator, RefundReason, TransactionState


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLine:
    """Line of a charge. 计费明细."""

    line_no: int
    item_seq: int | None = None
    package_code: str | None = None
    charge_code: str
    insurance_code: str | None = None
    item_name: str
    spec: str | None = None
    unit: str | None = None
    quantity: Decimal
    unit_price: Decimal | None = None
    list_amount: Decimal | None = None
    actual_amount: Decimal | None = None
    batch_no: str | None = None
    udi: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagePrice:
    """Price of a package. 组套价格."""

    package_code: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeItemRequest:
    """Charge items of a visit. 计费."""

    header: Header
    charge_no: str
    requisition_no: str | None = None
    patient: Patient
    visit: Visit
    charge_point: ChargePoint
    occurred_at: datetime
    ordering_dept_code: str | None = None
    perform_dept_code: str
    nurse_unit_code: str | None = None
    lines: tuple[ChargeLine, ...]
    packages: tuple[PackagePrice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOutcome:
    """What became of a line. 明细结果."""

    line_no: int
    result_code: str
    result_text: str | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeItemResponseType:
    """Answer to ChargeItem. 计费应答."""

    result: Result
    charge_no: str | None = None
    his_charge_no: str | None = None
    transaction_state: TransactionState | None = None
    lines: tuple[LineOutcome, ...] = ()
    visit_balance: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLine:
    """Line of a refund. 退费明细."""

    original_line_no: int
    charge_code: str
    refund_quantity: Decimal | None = None
    refund_amount: Decimal | None = None
    refund_share: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundItemRequest:
    """Give back what was charged. 退费."""

    header: Header
    refund_no: str
    original_charge_no: str | None = None
    requisition_no: str | None = None
    source_system: str | None = None
    initiator: Initiator
    reason_code: RefundReason
    reason_text: str | None = None
    approver_code: str | None = None
    occurred_at: datetime | None = None
    lines: tuple[RefundLine, ...]
    move_to_dept_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundItemResponseType:
    """Answer to RefundItem. 退费应答."""

    result: Result
    refund_no: str | None = None
    his_refund_no: str | None = None
    transaction_state: TransactionState | None = None
    refunded_amount: Decimal | None = None
    lines: tuple[LineOutcome, ...] = ()
    move_charge_no: str | None = None
    move_transaction_state: TransactionState | None = None
