"""Messages of one invented patient's day, complete and valid; a test names only what it is about."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from gateway.messages.charge import ChargeItemRequest, ChargeLine, RefundItemRequest, RefundLine
from gateway.messages.common import CriticalHeader, Header, OrderRef, Patient, Visit
from gateway.messages.critical_value import (
    AcknowledgeCriticalValueRequest,
    CriticalPatient,
    CriticalVisit,
    PushCriticalValueRequest,
    StaffRef,
)
from gateway.messages.medical_record import GetMedicalRecordRequest, SectionRef
from gateway.messages.query import QueryRequisitionRequest, QueryTransactionRequest
from gateway.messages.report import RequisitionRef, SubmitReportRequest
from gateway.messages.requisition import RequisitionCharge, RequisitionItem, SubmitRequisitionRequest
from gateway.messages.status import ItemRef, ReportStatusRequest
from gateway.messages.visit_event import ReportVisitEventRequest
from gateway.terms import (
    AckType,
    ChargePoint,
    Initiator,
    Priority,
    RecordPurpose,
    RecordScope,
    RefundReason,
    ReleaseEvent,
    ReportAction,
    ReportType,
    RequisitionAction,
    RequisitionType,
    SexCode,
    StatusEvent,
    VisitEvent,
    VisitType,
)

ZONE = timezone(timedelta(hours=8))
TEN = datetime(2026, 11, 16, 10, 0, tzinfo=ZONE)
"""Ten in the morning of the day on which everything happens; the hospital's clock stands there when a test begins."""
HOSPITAL = "44643245-7"
OTHER_HOSPITAL = "44643246-5"

_numbers = itertools.count(1)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def header(
    sender: str, *, branch: str | None = None, hospital: str = HOSPITAL, message_id: str | None = None
) -> Header:
    """A header with a MessageId of its own."""
    number = message_id or f"{sender}-{next(_numbers):06d}"
    return Header(message_id=number, sender_code=sender, hospital_code=hospital, branch_code=branch, sent_at=TEN)


def again(request: Any) -> Any:
    """The same content under a new MessageId, as a client sends that has forgotten the old one."""
    return replace(request, header=replace(request.header, message_id=f"AGAIN-{next(_numbers):06d}"))


def at_branch(request: Any, branch: str) -> Any:
    """The same message from another branch, under a new MessageId."""
    return again(replace(request, header=replace(request.header, branch_code=branch)))


def patient(patient_id: str = "P1", **changes: Any) -> Patient:
    values: dict[str, Any] = {"patient_id": patient_id, "patient_name": "王𠮷祥", "sex_code": SexCode.MALE}
    return Patient(**values | changes)


def visit(visit_no: str = "V1", **changes: Any) -> Visit:
    values: dict[str, Any] = {
        "visit_type": VisitType.INPATIENT,
        "visit_no": visit_no,
        "dept_code": "2001",
        "ward_code": "W2001",
        "bed_no": "加12",
    }
    return Visit(**values | changes)


def charge_code(code: str = "210300002", price: str = "400.00", **changes: Any) -> RequisitionCharge:
    """What is charged for an item."""
    values: dict[str, Any] = {
        "charge_code": code,
        "item_name": "CT增强扫描",
        "quantity": Decimal(1),
        "unit_price": Decimal(price),
        "amount": Decimal(price),
    }
    return RequisitionCharge(**values | changes)


def requisition_item(seq: int = 1, **changes: Any) -> RequisitionItem:
    """An item with order O<seq> and one charge of 400.00."""
    values: dict[str, Any] = {
        "item_seq": seq,
        "order_no": f"O{seq}",
        "item_code": f"CT020{seq}",
        "item_name": "胸部CT增强",
        "quantity": Decimal(1),
        "unit_price": Decimal("400.00"),
        "amount": Decimal("400.00"),
        "charge_items": (charge_code(f"21030000{seq}"),),
    }
    return RequisitionItem(**values | changes)


def ct_requisition(
    requisition_no: str = "R1", *, items: int | tuple[RequisitionItem, ...] = 1, **changes: Any
) -> SubmitRequisitionRequest:
    """A CT of the inpatient P1 in visit V1, sent by the nurse; release_event=None leaves it held.

    `items` are the items themselves, or how many of the usual kind.
    """
    values: dict[str, Any] = {
        "header": header("HIS"),
        "action": RequisitionAction.NEW,
        "requisition_no": requisition_no,
        "requisition_type": RequisitionType.EXAM,
        "patient": patient(),
        "visit": visit(),
        "release_event": ReleaseEvent.NURSE_SENT,
        "priority": Priority.ROUTINE,
        "ordering_dept_code": "2001",
        "ordering_doctor_code": "D1066",
        "ordering_doctor_name": "赵䶮",
        "ordered_at": TEN - minutes(30),
        "perform_dept_code": "0103",
        "items": tuple(map(requisition_item, range(1, items + 1))) if isinstance(items, int) else items,
    }
    return SubmitRequisitionRequest(**values | changes)


def outpatient_ct(requisition_no: str = "R1", **changes: Any) -> SubmitRequisitionRequest:
    """A CT of an outpatient who has paid; release_event=None: who has not."""
    values: dict[str, Any] = {
        "visit": visit("OP1", visit_type=VisitType.OUTPATIENT, ward_code=None, bed_no=None),
        "release_event": ReleaseEvent.PAID,
    }
    return ct_requisition(requisition_no, **values | changes)


def cancellation(request: SubmitRequisitionRequest, reason: str = "开错") -> SubmitRequisitionRequest:
    return again(replace(request, action=RequisitionAction.CANCEL, cancel_reason=reason))


def update(request: SubmitRequisitionRequest, **changes: Any) -> SubmitRequisitionRequest:
    return again(replace(request, action=RequisitionAction.UPDATE, **changes))


def status(
    requisition_no: str = "R1", event: StatusEvent = StatusEvent.REGISTER, **changes: Any
) -> ReportStatusRequest:
    """The PACS reports an event; `seqs` names the items, all when left out."""
    seqs = changes.pop("seqs", ())
    values: dict[str, Any] = {
        "header": header("PACS"),
        "requisition_no": requisition_no,
        "event": event,
        "occurred_at": TEN,
        "items": tuple(ItemRef(item_seq=seq) for seq in seqs),
        "reason": "患者要求" if event in (StatusEvent.CANCEL_REG, StatusEvent.STOP, StatusEvent.REJECT) else None,
    }
    return ReportStatusRequest(**values | changes)


def charge_line(line_no: int = 1, code: str = "YP1108", price: str = "238.50", **changes: Any) -> ChargeLine:
    values: dict[str, Any] = {
        "line_no": line_no,
        "charge_code": code,
        "item_name": "碘海醇注射液",
        "quantity": Decimal(1),
        "unit_price": Decimal(price),
        "list_amount": Decimal(price),
        "actual_amount": Decimal(price),
    }
    return ChargeLine(**values | changes)


def charge(charge_no: str = "C1", **changes: Any) -> ChargeItemRequest:
    """The PACS charges contrast medium afterwards."""
    values: dict[str, Any] = {
        "header": header("PACS"),
        "charge_no": charge_no,
        "patient": patient(),
        "visit": visit(),
        "charge_point": ChargePoint.SUPPLEMENT,
        "occurred_at": TEN,
        "perform_dept_code": "0103",
        "lines": (charge_line(),),
    }
    return ChargeItemRequest(**values | changes)


def refund_line(line_no: int = 1, code: str = "YP1108", amount: str = "238.50", **changes: Any) -> RefundLine:
    values: dict[str, Any] = {
        "original_line_no": line_no,
        "charge_code": code,
        "refund_quantity": Decimal(1),
        "refund_amount": Decimal(amount),
    }
    return RefundLine(**values | changes)


def refund(refund_no: str = "F1", charge_no: str | None = "C1", **changes: Any) -> RefundItemRequest:
    """The performing department gives back what it charged."""
    values: dict[str, Any] = {
        "header": header("PACS"),
        "refund_no": refund_no,
        "original_charge_no": charge_no,
        "initiator": Initiator.PERFORM_DEPT,
        "reason_code": RefundReason.WRONG_ITEM,
        "lines": (refund_line(),),
    }
    return RefundItemRequest(**values | changes)


def report(report_no: str = "BG1", version: int = 1, *requisition_nos: str, **changes: Any) -> SubmitReportRequest:
    """A final report of the PACS about R1, or about the requisitions named; `orders` are order numbers."""
    orders = changes.pop("orders", ())
    values: dict[str, Any] = {
        "header": header("PACS"),
        "report_no": report_no,
        "report_version": version,
        "action": ReportAction.FINAL,
        "requisitions": tuple(RequisitionRef(requisition_no=no) for no in requisition_nos or ("R1",)),
        "orders": tuple(OrderRef(order_no=no) for no in orders),
        "patient": patient(),
        "visit": visit(),
        "report_type": ReportType.EXAM,
        "findings": "右肺动脉主干见充盈缺损。",
        "impression": "右肺动脉栓塞。",
        "reporter_code": "R0345",
        "reporter_name": "周试",
        "reported_at": TEN - minutes(10),
        "auditor_code": "R0102",
        "auditor_name": "吴䶮",
        "audited_at": TEN - minutes(5),
    }
    return SubmitReportRequest(**values | changes)


def withdrawal(report_no: str = "BG1", version: int = 2, **changes: Any) -> SubmitReportRequest:
    return report(report_no, version, **{"action": ReportAction.WITHDRAW, "withdraw_reason": "部位错误"} | changes)


def push(critical_id: str = "WJZ1", **changes: Any) -> PushCriticalValueRequest:
    """The PACS pushes a critical value of a known visit, with a ward and a doctor to tell."""
    values: dict[str, Any] = {
        "header": critical_header("PACS"),
        "critical_id": critical_id,
        "action": "NEW",
        "source_type": "6",
        "requisition_no": "R1",
        "patient": CriticalPatient(patient_id="P1", patient_name="王𠮷祥", sex_code="1"),
        "visit": CriticalVisit(visit_type="3", visit_no="V1", dept_code="2001", ward_code="W2001", bed_no="加12"),
        "content": "右肺动脉主干充盈缺损，考虑急性肺动脉栓塞。",
        "found_at": TEN - minutes(4),
        "reported_at": TEN - minutes(1),
        "reporter_code": "R0345",
        "target_dept_code": "2001",
        "target_ward_code": "W2001",
        "target_doctors": (StaffRef(code="D1066", name="赵䶮"),),
    }
    return PushCriticalValueRequest(**values | changes)


def bare_push(critical_id: str = "WJZ1", **changes: Any) -> PushCriticalValueRequest:
    """A push with nothing but what is required."""
    values: dict[str, Any] = {"header": critical_header("LIS"), "critical_id": critical_id, "content": "血钾 7.1"}
    return PushCriticalValueRequest(**values | changes)


def critical_header(sender: str) -> CriticalHeader:
    return CriticalHeader(message_id=f"{sender}-{next(_numbers):06d}", sender_code=sender)


def acknowledgement(
    critical_id: str = "WJZ1", kind: AckType = AckType.RECEIVE_DOCTOR, ack_id: str | None = None, **changes: Any
) -> AcknowledgeCriticalValueRequest:
    """A doctor acknowledges in HIS; HANDLE comes with an opinion."""
    values: dict[str, Any] = {
        "header": header("HIS"),
        "critical_id": critical_id,
        "ack_id": ack_id or f"QR{next(_numbers)}",
        "ack_type": kind,
        "actor_code": "D1066",
        "actor_name": "赵䶮",
        "actor_role": "DOCTOR",
        "actor_dept_code": "2001",
        "acted_at": TEN,
        "opinion": "低分子肝素抗凝，请心内科会诊。" if kind is AckType.HANDLE else None,
    }
    return AcknowledgeCriticalValueRequest(**values | changes)


def record_request(**changes: Any) -> GetMedicalRecordRequest:
    """The PACS reads the record of requisition R1's visit, for treatment; `sections` are their codes."""
    sections = changes.pop("sections", ())
    values: dict[str, Any] = {
        "header": header("PACS"),
        "requisition_no": "R1",
        "scope": RecordScope.THIS_VISIT,
        "include_orders": False,
        "sections": tuple(SectionRef(code=code) for code in sections),
        "purpose": RecordPurpose.TREAT,
    }
    return GetMedicalRecordRequest(**values | changes)


def visit_event(
    event: VisitEvent = VisitEvent.ADMIT, event_no: str | None = None, **changes: Any
) -> ReportVisitEventRequest:
    """HIS tells of an event of visit V1."""
    values: dict[str, Any] = {
        "header": header("HIS"),
        "event_no": event_no or f"JZ{next(_numbers)}",
        "event": event,
        "occurred_at": TEN,
        "patient": patient(),
        "visit": visit(),
    }
    return ReportVisitEventRequest(**values | changes)


def merge(former: str, surviving: str, **changes: Any) -> ReportVisitEventRequest:
    """HIS tells that `former` and `surviving` are the same patient."""
    values: dict[str, Any] = {"patient": patient(surviving), "previous_patient_id": former}
    return visit_event(changes.pop("event", VisitEvent.MERGE), **values | changes)


def find_requisitions(sender: str = "PACS", **criteria: Any) -> QueryRequisitionRequest:
    return QueryRequisitionRequest(header=header(sender), **criteria)


def find_transactions(sender: str = "PACS", **criteria: Any) -> QueryTransactionRequest:
    return QueryTransactionRequest(header=header(sender), **criteria)
