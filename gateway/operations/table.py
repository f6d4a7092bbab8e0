"""Which function does which operation, and what follows from a partner's answer."""

from __future__ import annotations

from gateway.operations.acknowledge_critical_value import (
    acknowledge_critical_value,
    acknowledgement_delivered,
)
from gateway.operations.booking import settle
from gateway.operations.charge_item import charge_item
from gateway.operations.dispatch import OutcomeHook
from gateway.operations.get_medical_record import get_medical_record
from gateway.operations.insurance import OPERATIONS, insurance_answered
from gateway.operations.push_critical_value import critical_value_delivered, push_critical_value
from gateway.operations.query_requisition import query_requisition
from gateway.operations.query_transaction import query_transaction
from gateway.operations.reception import Handler
from gateway.operations.refund_item import refund_item
from gateway.operations.report_status import report_status, status_delivered
from gateway.operations.report_visit_event import report_visit_event
from gateway.operations.submit_report import submit_report
from gateway.operations.submit_requisition import submit_requisition

HANDLERS: dict[str, Handler] = {
    "SubmitRequisition": submit_requisition,
    "ReportStatus": report_status,
    "SubmitReport": submit_report,
    "ChargeItem": charge_item,
    "RefundItem": refund_item,
    "PushCriticalValue": push_critical_value,
    "AcknowledgeCriticalValue": acknowledge_critical_value,
    "GetMedicalRecord": get_medical_record,
    "ReportVisitEvent": report_visit_event,
    "QueryRequisition": query_requisition,
    "QueryTransaction": query_transaction,
}

HOOKS: dict[str, OutcomeHook] = {
    "ReportStatus": status_delivered,
    "ChargeItem": settle,
    "RefundItem": settle,
    "PushCriticalValue": critical_value_delivered,
    "AcknowledgeCriticalValue": acknowledgement_delivered,
    **dict.fromkeys(OPERATIONS, insurance_answered),
}
"""Operations that remember what a partner answered; both the first attempt and the queue run them."""
