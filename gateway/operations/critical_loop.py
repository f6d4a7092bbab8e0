"""Opens the loop of a critical value, finds it again, and tells those who must act, whoever noticed it.

A push and a report that calls itself critical open the same loop. None is ever refused because a code, a visit or a
recipient is unknown: it is kept, marked, and told to the fallback receiver (docs/specification/critical-value.md).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Select, select

from gateway.messages.critical_value import PushCriticalValueRequest, StaffRef
from gateway.model.critical_value import CriticalValue
from gateway.model.requisition import Requisition
from gateway.model.visit import Visit
from gateway.operations.dispatch import PartnerAnswer
from gateway.operations.unit import Unit
from gateway.terms import CriticalStatus, RequisitionType, SexCode, VisitType

OPERATION = "PushCriticalValue"
SOURCE_TYPES = frozenset("12345679")
"""Laboratory, pathology, ECG, ultrasound, endoscopy, imaging, point of care, by hand."""
LEVELS = frozenset("AB")
MOST_DOCTORS = MOST_DETAILS = 50
"""As many as the contract allows in one push."""


def waits_for(unit: Unit, critical_id: str) -> str:
    """What an acknowledgement that came too early waits for."""
    return f"critical|{unit.hospital_code}|{critical_id}"


def order_key(value: CriticalValue) -> str:
    """What keeps the messages about one critical value in order."""
    return f"{value.critical_id}|{value.sender_code}"


def find_values(unit: Unit, critical_id: str, sender_code: str | None = None) -> list[CriticalValue]:
    """The critical values of that number, of one sender or of any, locked until the message is decided.

    One that a report opened under its own number is also found by that number when its push has given it another.
    """
    of_sender = () if sender_code is None else (CriticalValue.sender_code == sender_code,)
    same_hospital = CriticalValue.hospital_code == unit.hospital_code
    query = select(CriticalValue).where(same_hospital, CriticalValue.critical_id == critical_id, *of_sender)
    found = _locked(unit, query)
    if found:
        return found
    by_report = (CriticalValue.opened_by_report.is_(True), CriticalValue.report_no == critical_id)
    return _locked(unit, select(CriticalValue).where(same_hospital, *by_report, *of_sender))


def values_of_report(unit: Unit, report_no: str) -> list[CriticalValue]:
    """What is known of the caller's report: pushes that name it, and what it opened itself."""
    return _locked(
        unit,
        select(CriticalValue).where(
            CriticalValue.hospital_code == unit.hospital_code,
            CriticalValue.sender_code == unit.sender_code,
            CriticalValue.report_no == report_no,
        ),
    )


def open_loop(
    unit: Unit, request: PushCriticalValueRequest, *, report_part: int | None = None
) -> tuple[CriticalValue, list[str]]:
    """A new critical value of the caller, and what is doubtful about it; its deadlines run from now.

    `report_part` counts those that one report opens; None for a push.
    """
    rules = unit.site.rules
    value = CriticalValue(
        key=unit.txn_no if report_part is None else f"{unit.txn_no}-{report_part}",
        hospital_code=unit.hospital_code,
        branch_code=unit.branch_code,
        sender_code=unit.sender_code,
        critical_id=request.critical_id,
        status=CriticalStatus.NEW,
        opened_by_report=report_part is not None,
        content_hash="",
        received_at=unit.now,
        receive_deadline=unit.now + timedelta(minutes=rules.receive_minutes),
        handle_deadline=unit.now + timedelta(minutes=rules.handle_minutes),
    )
    doubts = describe(unit, value, request)
    unit.session.add(value)
    unit.arrived.append(waits_for(unit, request.critical_id))
    return value, doubts


def describe(unit: Unit, value: CriticalValue, request: PushCriticalValueRequest) -> list[str]:
    """Take over what the message says. Returns what is doubtful; if anything, the fallback receiver is told as well."""
    requisition = requisition_of(unit, request)
    visit_no = request.visit.visit_no if request.visit is not None else None
    patient_id = request.patient.patient_id if request.patient is not None else None
    value.request = unit.text_of(request)
    value.source_type = request.source_type or value.source_type
    value.requisition_no = request.requisition_no or value.requisition_no
    value.report_no = request.report_no or value.report_no
    value.patient_id = patient_id or value.patient_id
    value.visit_no = visit_no or value.visit_no or (requisition.visit_no if requisition is not None else None)
    value.target_dept_code = request.target_dept_code or value.target_dept_code
    value.target_ward_code = request.target_ward_code or value.target_ward_code
    doubts = [*_unknown_codes(request), *_unknown_people(unit, value, request, requisition)]
    value.to_fallback = bool(doubts)
    if doubts:
        unit.alert("CRITICAL_TO_FALLBACK", f"critical value {value.critical_id} of {value.sender_code}")
    return doubts


def tell(
    unit: Unit, value: CriticalValue, request: PushCriticalValueRequest, *, at_once: bool
) -> tuple[bool, PartnerAnswer | None]:
    """Tell everybody the routes name, urgently; with `at_once` wait for the first one's answer.

    Returns whether anybody will get it. When nobody will, the duty office is told.
    """
    message = replace(request, critical_id=value.critical_id, target_doctors=_doctors(unit, value, request))
    partners = _receivers(unit, requisition_of(unit, request))
    if not partners:
        unit.alert("CRITICAL_NO_ROUTE", f"critical value {value.critical_id} of {value.sender_code}")
        return False, None
    waiting = partners[1:] if at_once else partners
    unit.send(waiting, OPERATION, message, order_key(value), urgent=True)
    if not at_once:
        return True, None
    return True, unit.ask(partners[0], OPERATION, message, order_key(value), keep=True, urgent=True)


def requisition_of(unit: Unit, request: PushCriticalValueRequest) -> Requisition | None:
    """The requisition it belongs to, if the gateway knows exactly one of that number."""
    if request.requisition_no is None:
        return None
    query = select(Requisition).where(
        Requisition.hospital_code == unit.hospital_code,
        Requisition.requisition_no == request.requisition_no,
        Requisition.tombstone.is_(False),
    )
    if unit.branch_code:
        query = query.where(Requisition.branch_code == unit.branch_code)
    found = unit.session.scalars(query.limit(2)).all()
    return found[0] if len(found) == 1 else None


def _locked(unit: Unit, query: Select[CriticalValue]) -> list[CriticalValue]:
    ordered = query.order_by(CriticalValue.key).with_for_update()
    return list(unit.session.scalars(ordered, execution_options={"populate_existing": True}))


def _unknown_codes(request: PushCriticalValueRequest) -> list[str]:
    sex = request.patient.sex_code if request.patient is not None else None
    kind = request.visit.visit_type if request.visit is not None else None
    given = (
        ("SourceType", request.source_type, SOURCE_TYPES),
        ("Level", request.level, LEVELS),
        ("SexCode", sex, frozenset(SexCode)),
        ("VisitType", kind, frozenset(VisitType)),
    )
    return [f"{name} 未知 (unknown)" for name, code, known in given if code is not None and code not in known]


def _unknown_people(
    unit: Unit, value: CriticalValue, request: PushCriticalValueRequest, requisition: Requisition | None
) -> list[str]:
    known, has_place = _visit_is_known(unit, value.visit_no)
    doubts = [] if known else ["就诊未知 (visit unknown)"]
    visit = request.visit
    named = value.target_dept_code or value.target_ward_code or request.target_doctors
    placed = visit is not None and (visit.dept_code or visit.ward_code)
    if not (named or placed or has_place or requisition is not None):
        doubts.append("没有接收人 (no recipient)")
    return doubts


def _visit_is_known(unit: Unit, visit_no: str | None) -> tuple[bool, bool]:
    """Whether the gateway has heard of the visit, and whether it knows where the patient is."""
    if visit_no is None:
        return False, False
    visits = unit.session.scalars(
        select(Visit).where(Visit.hospital_code == unit.hospital_code, Visit.visit_no == visit_no)
    ).all()
    if visits:
        return True, any(visit.dept_code or visit.ward_code for visit in visits)
    query = select(Requisition.key).where(
        Requisition.hospital_code == unit.hospital_code, Requisition.visit_no == visit_no
    )
    return unit.session.scalars(query.limit(1)).first() is not None, False


def _doctors(unit: Unit, value: CriticalValue, request: PushCriticalValueRequest) -> tuple[StaffRef, ...]:
    """Whom to tell: those the sender named, and the fallback receiver when that is not enough."""
    if not value.to_fallback or len(request.target_doctors) >= MOST_DOCTORS:
        return request.target_doctors
    return (*request.target_doctors, StaffRef(code=unit.site.rules.fallback_receiver))


def _receivers(unit: Unit, requisition: Requisition | None) -> tuple[str, ...]:
    partners = unit.dispatch.partners_for(
        OPERATION,
        hospital_code=unit.hospital_code,
        requisition_type=RequisitionType(requisition.requisition_type) if requisition is not None else None,
        perform_dept=requisition.perform_dept_code if requisition is not None else None,
    )
    return tuple(partner for partner in partners if unit.dispatch.client_of(partner) != unit.sender_code)
