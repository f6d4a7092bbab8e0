"""Visit events. Made from xsd/visit_event.xsd by generate.py; change the XSD, not this file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.messages.common import Header, Patient, Result, Visit
from gateway.terms import VisitEvent, VisitState


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportVisitEventRequest:
    """Report what happened to a visit. 上报就诊事件."""

    header: Header
    event_no: str
    event: VisitEvent
    occurred_at: datetime
    patient: Patient
    visit: Visit
    previous_patient_id: str | None = None
    previous_visit_no: str | None = None
    from_dept_code: str | None = None
    from_ward_code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportVisitEventResponseType:
    """Answer to ReportVisitEvent. 上报就诊事件应答."""

    result: Result
    visit_no: str | None = None
    visit_state: VisitState | None = None
