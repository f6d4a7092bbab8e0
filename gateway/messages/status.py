"""Status reports. Made from xsd/status.xsd by generate.py; change the XSD, not this file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.messages.common import Header, Result
from gateway.terms import StatusCode, StatusEvent, TransactionState


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRef:
    """Reference to an item by its number or its order. 项目引用."""

    item_seq: int | None = None
    order_no: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStatusRequest:
    """Report what happened to a requisition. 回传状态."""

    header: Header
    requisition_no: str
    event: StatusEvent
    status_seq: int | None = None
    occurred_at: datetime
    items: tuple[ItemRef, ...] = ()
    accession_no: str | None = None
    study_no: str | None = None
    barcode: str | None = None
    device_code: str | None = None
    room: str | None = None
    performer_code: str | None = None
    performer_name: str | None = None
    scheduled_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeOutcome:
    """What became of the charge. 计费结果."""

    charge_no: str | None = None
    his_charge_no: str | None = None
    transaction_state: TransactionState
    amount: Decimal | None = None
    result_code: str
    result_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStatusResponseType:
    """Answer to ReportStatus. 回传状态应答."""

    result: Result
    current_status: StatusCode | None = None
    applied: bool | None = None
    refund_allowed: bool | None = None
    charge_result: ChargeOutcome | None = None
