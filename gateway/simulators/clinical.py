"""What HIS and EMR have in common: clinicians read reports and critical values there; and what all systems hear."""

from __future__ import annotations

from gateway.errors import ReportConflict
from gateway.messages.critical_value import (
    AcknowledgeCriticalValueRequest,
    AcknowledgeCriticalValueResponseType,
    PushCriticalValueRequest,
    PushCriticalValueResponseType,
)
from gateway.messages.report import SubmitReportRequest, SubmitReportResponseType
from gateway.messages.visit_event import ReportVisitEventRequest, ReportVisitEventResponseType
from gateway.simulators.system import SimulatedSystem, own_key, sender_of
from gateway.terms import AckType, CriticalStatus, ReportAction, StatusCode, VisitEvent, VisitState

STATUS_AFTER_ACK = {
    AckType.RECEIVE_NURSE: CriticalStatus.NURSE_RECEIVED,
    AckType.FORWARD_DOCTOR: CriticalStatus.NURSE_RECEIVED,
    AckType.RECEIVE_DOCTOR: CriticalStatus.DOCTOR_RECEIVED,
    AckType.HANDLE: CriticalStatus.HANDLED,
    AckType.TECH_CONFIRM: CriticalStatus.CLOSED,
}

STATE_AFTER_EVENT = {
    VisitEvent.DISCHARGE: VisitState.DISCHARGED,
    VisitEvent.SETTLE: VisitState.SETTLED,
    VisitEvent.UNSETTLE: VisitState.DISCHARGED,
    VisitEvent.CANCEL_VISIT: VisitState.CANCELLED,
}


class TellsOfVisits(SimulatedSystem):
    """Follows a patient through the house and remembers what was acknowledged."""

    def report_visit_event(self, request: ReportVisitEventRequest) -> ReportVisitEventResponseType:
        self.memory.remember(
            "visit_events",
            own_key(request, request.event_no),
            event_no=request.event_no,
            event=request.event,
            visit_no=request.visit.visit_no,
        )
        return ReportVisitEventResponseType(
            result=self.accepted(request),
            visit_no=request.visit.visit_no,
            visit_state=STATE_AFTER_EVENT.get(request.event, VisitState.OPEN),
        )

    def acknowledge_critical_value(
        self, request: AcknowledgeCriticalValueRequest
    ) -> AcknowledgeCriticalValueResponseType:
        """Keeps every acknowledgement; the opinion of a HANDLE is what the reporting department waits for."""
        key = (*own_key(request, request.ack_id), request.critical_id)
        known = self.memory.recall("acknowledgements", key)
        if known is None:
            self.memory.remember(
                "acknowledgements",
                key,
                critical_id=request.critical_id,
                ack_id=request.ack_id,
                ack_type=request.ack_type,
                sender=sender_of(request),
                opinion=request.opinion,
            )
        return AcknowledgeCriticalValueResponseType(
            result=self.accepted(request, duplicate=known is not None),
            critical_id=request.critical_id,
            critical_status=STATUS_AFTER_ACK.get(request.ack_type, CriticalStatus.NOTIFIED),
        )


class ClinicalSystem(TellsOfVisits):
    """Where doctors and nurses work."""

    def submit_report(self, request: SubmitReportRequest) -> SubmitReportResponseType:
        key = own_key(request, request.report_no)
        known = self.memory.recall("reports", key)
        if known is not None and request.report_version < known["report_version"]:
            raise ReportConflict()
        withdrawn = request.action is ReportAction.WITHDRAW
        self.memory.remember(
            "reports",
            key,
            report_no=request.report_no,
            report_version=request.report_version,
            action=request.action,
            sender=sender_of(request),
            requisition_nos=[reference.requisition_no for reference in request.requisitions],
        )
        return SubmitReportResponseType(
            result=self.accepted(request, duplicate=known is not None and known["action"] == request.action),
            report_no=request.report_no,
            report_version=request.report_version,
            current_status=StatusCode.EXAMINED if withdrawn else StatusCode.REPORTED,
        )

    def push_critical_value(self, request: PushCriticalValueRequest) -> PushCriticalValueResponseType:
        """A pop-up at the ward: whatever comes is shown, nothing is refused."""
        key = own_key(request, request.critical_id)
        known = self.memory.recall("critical_values", key)
        self.memory.remember(
            "critical_values",
            key,
            critical_id=request.critical_id,
            action=request.action or "NEW",
            sender=sender_of(request),
            visit_no=request.visit.visit_no if request.visit else None,
            requisition_no=request.requisition_no,
        )
        return PushCriticalValueResponseType(
            result=self.accepted(request, duplicate=known is not None),
            critical_id=request.critical_id,
            critical_status=CriticalStatus.NOTIFIED,
        )
