"""Opens the loop of a critical value, finds it again, and tells those who must act, whoever noticed it.

A push and a report that calls itself critical open the same loop. None is ever refused because a code, a visit or a
recipient is unknown: it is kept, marked, and told to the fallback receiver (docs/specification/critical-value.md).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from gateway.messages.critical_value import CriticalVisit, PushCriticalValueRequest, StaffRef
from gateway.messages.wire import Wire
from gateway.model.critical_value import OPEN, CriticalValue
from gateway.model.requisition import Requisition
from gateway.model.visit import Visit
from gateway.operations.critical_clocks import begin
from gateway.operations.dispatch import Dispatch, Forward, Origin, PartnerAnswer
from gateway.operations.lookups import patient_ids, submitted
from gateway.operations.unit import Unit
from gateway.terms import CriticalStatus, RequisitionType, SexCode, VisitState, VisitType

OPERATION = "PushCriticalValue"
SOURCE_TYPES = frozenset("12345679")
"""Laboratory, pathology, ECG, ultrasound, endoscopy, imaging, point of care, by hand."""
LEVELS = frozenset("AB")
MOST_DOCTORS = MOST_DETAILS = 50
"""As many as the contract allows in one push."""
GONE = frozenset({VisitState.DISCHARGED, VisitState.CANCELLED})
MOVED = "患者已转移，请现科室接收 (the patient was moved: the new ward must receive it)"
LEFT = "患者已离院，请电话通知 (the patient has left: telephone)"


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
    value = CriticalValue(
        key=unit.txn_no if report_part is None else f"{unit.txn_no}-{report_part}",
        hospital_code=unit.hospital_code,
        branch_code=unit.branch_code,
        sender_code=unit.sender_code,
        critical_id=request.critical_id,
        status=CriticalStatus.NEW,
        opened_by_report=report_part is not None,
        content_hash="",
    )
    doubts = describe(unit, value, request)
    begin(value, unit.site.rules.critical, unit.now, request)
    unit.session.add(value)
    unit.arrived.append(waits_for(unit, request.critical_id))
    return value, doubts


def describe(unit: Unit, value: CriticalValue, request: PushCriticalValueRequest) -> list[str]:
    """Take over what the message says. Returns what is doubtful; if anything, the fallback receiver is told as well."""
    requisition = requisition_of(unit, request)
    visit, patient = request.visit or CriticalVisit(), request.patient
    value.request = unit.text_of(request)
    value.source_type = request.source_type or value.source_type
    value.requisition_no = request.requisition_no or value.requisition_no
    value.report_no = request.report_no or value.report_no
    value.reporter_code = request.reporter_code or value.reporter_code
    value.patient_id = (patient.patient_id if patient is not None else None) or value.patient_id
    value.visit_no = visit.visit_no or value.visit_no or (requisition.visit_no if requisition is not None else None)
    value.visit_type = visit.visit_type or value.visit_type
    value.target_dept_code = request.target_dept_code or value.target_dept_code
    value.target_ward_code = request.target_ward_code or value.target_ward_code
    known = _visits(unit, value)
    _place(value, visit, known)
    doubts = [*_unknown_codes(request), *_unknown_people(unit, value, request, requisition, known)]
    value.to_fallback = bool(doubts)
    if doubts:
        unit.alert("CRITICAL_TO_FALLBACK", subject_of(value))
    return doubts


def tell(
    unit: Unit, value: CriticalValue, request: PushCriticalValueRequest, *, at_once: bool
) -> tuple[bool, PartnerAnswer | None]:
    """Tell everybody the routes name, urgently; with `at_once` wait for the first one's answer.

    Returns whether anybody will get it. When nobody will, the duty office is told.
    """
    message = replace(_to_place(value, request), target_doctors=_doctors(unit, value, request))
    partners = receivers_of(unit.session, unit.dispatch, value)
    if not partners:
        unit.alert("CRITICAL_NO_ROUTE", subject_of(value))
        return False, None
    waiting = partners[1:] if at_once else partners
    unit.send(waiting, OPERATION, message, order_key(value), urgent=True)
    if not at_once:
        return True, None
    return True, unit.ask(partners[0], OPERATION, message, order_key(value), keep=True, urgent=True)


def subject_of(value: CriticalValue) -> str:
    """How alerts name a critical value."""
    return f"critical value {value.critical_id} of {value.sender_code}"


# --- telling again ----------------------------------------------------------------------------------------------------


def tell_again(
    session: Session, dispatch: Dispatch, wire: Wire, value: CriticalValue, **changes: Any
) -> tuple[str, ...]:
    """Queue the value as it stands as an UPDATE, urgent, for everybody the routes name; returns their names.

    The message is the finder's, whoever caused it: it also goes to a system that has just told where the patient is.
    """
    stored: PushCriticalValueRequest = wire.read_text("PushCriticalValueRequest", value.request)
    message = replace(_to_place(value, stored), action="UPDATE", **changes)
    origin = Origin(value.key, value.hospital_code, value.branch_code, value.sender_code, message.header.message_id)
    partners = receivers_of(session, dispatch, value)
    key = order_key(value)
    if partners:
        dispatch.enqueue(session, [Forward(name, OPERATION, message, key, origin, urgent=True) for name in partners])
    return partners


def reroute_open_values(unit: Unit, visit: Visit) -> int:
    """After an ADMIT, a TRANSFER, a DISCHARGE or a CANCEL_VISIT: tell those who now have to act for the patient.

    `visit` is the visit as it stands after the event. What is still open for it is sent again with the new ward and
    department; also what is open for the same patient from another visit, when this one has begun. Of a patient who
    has left, the ordering doctor and the fallback receiver are told, and the duty office is alarmed. The clocks run
    on. Returns how many values were sent again.
    """
    state = VisitState(visit.state)
    if state not in (VisitState.OPEN, *GONE):
        return 0
    whose = CriticalValue.visit_no == visit.visit_no
    if visit.branch_code:
        whose &= CriticalValue.branch_code.in_(("", visit.branch_code))
    if state is VisitState.OPEN:
        whose = or_(whose, CriticalValue.patient_id.in_(patient_ids(unit, visit.patient_id)))
    same_hospital = CriticalValue.hospital_code == visit.hospital_code
    values = _locked(unit, select(CriticalValue).where(same_hospital, CriticalValue.status.in_(OPEN), whose))
    follow = _follow_home if state in GONE else _follow_to_ward
    return sum(follow(unit, value, visit) for value in values)


def _follow_to_ward(unit: Unit, value: CriticalValue, visit: Visit) -> bool:
    place = (visit.dept_code, visit.ward_code, visit.bed_no)
    if not (visit.dept_code or visit.ward_code) or place == (value.dept_code, value.ward_code, value.bed_no):
        return False
    value.visit_no, value.visit_type = visit.visit_no, visit.visit_type
    value.dept_code, value.ward_code, value.bed_no = place
    value.target_dept_code, value.target_ward_code = visit.dept_code, visit.ward_code
    stored: PushCriticalValueRequest = unit.wire.read_text("PushCriticalValueRequest", value.request)
    moved = replace(
        stored,
        visit=CriticalVisit(
            visit_type=visit.visit_type,
            visit_no=visit.visit_no,
            dept_code=visit.dept_code,
            ward_code=visit.ward_code,
            bed_no=visit.bed_no,
        ),
        target_dept_code=visit.dept_code,
        target_ward_code=visit.ward_code,
    )
    value.request = unit.wire.write(moved)
    tell_again(unit.session, unit.dispatch, unit.wire, value, warning=MOVED)
    return True


def _follow_home(unit: Unit, value: CriticalValue, visit: Visit) -> bool:
    stored: PushCriticalValueRequest = unit.wire.read_text("PushCriticalValueRequest", value.request)
    doctors = {doctor.code: doctor for doctor in stored.target_doctors}
    requisition = requisition_of(unit, stored)
    if requisition is not None:
        order = submitted(unit, requisition)
        ordering = StaffRef(code=order.ordering_doctor_code, name=order.ordering_doctor_name)
        doctors.setdefault(ordering.code, ordering)
    fallback = StaffRef(code=unit.site.rules.fallback_receiver)
    doctors.setdefault(fallback.code, fallback)
    unit.alert("CRITICAL_PATIENT_LEFT", subject_of(value))
    told = tuple(doctors.values())[-MOST_DOCTORS:]
    tell_again(unit.session, unit.dispatch, unit.wire, value, target_doctors=told, warning=LEFT)
    return True


# --- who and where ----------------------------------------------------------------------------------------------------


def requisition_of(unit: Unit, request: PushCriticalValueRequest) -> Requisition | None:
    """The requisition it belongs to, if the gateway knows exactly one of that number."""
    return _requisition(unit.session, unit.hospital_code, unit.branch_code, request.requisition_no)


def receivers_of(session: Session, dispatch: Dispatch, value: CriticalValue) -> tuple[str, ...]:
    """The partners the routes name, without the one that found it."""
    requisition = _requisition(session, value.hospital_code, value.branch_code, value.requisition_no)
    partners = dispatch.partners_for(
        OPERATION,
        hospital_code=value.hospital_code,
        requisition_type=RequisitionType(requisition.requisition_type) if requisition is not None else None,
        perform_dept=requisition.perform_dept_code if requisition is not None else None,
    )
    return tuple(partner for partner in partners if dispatch.client_of(partner) != value.sender_code)


def _requisition(session: Session, hospital: str, branch: str, requisition_no: str | None) -> Requisition | None:
    if requisition_no is None:
        return None
    query = select(Requisition).where(
        Requisition.hospital_code == hospital,
        Requisition.requisition_no == requisition_no,
        Requisition.tombstone.is_(False),
    )
    if branch:
        query = query.where(Requisition.branch_code == branch)
    found = session.scalars(query.limit(2)).all()
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
    unit: Unit,
    value: CriticalValue,
    request: PushCriticalValueRequest,
    requisition: Requisition | None,
    visits: list[Visit],
) -> list[str]:
    known = bool(visits) or _was_ordered_in(unit, value.visit_no)
    doubts = [] if known else ["就诊未知 (visit unknown)"]
    if visits and all(visit.state in GONE for visit in visits):
        doubts.append(LEFT)
    named = value.target_dept_code or value.target_ward_code or request.target_doctors
    if not (named or value.dept_code or value.ward_code or requisition is not None):
        doubts.append("没有接收人 (no recipient)")
    return doubts


def _visits(unit: Unit, value: CriticalValue) -> list[Visit]:
    """What HIS has told of the visit; one row for each branch that uses its number."""
    if value.visit_no is None:
        return []
    query = select(Visit).where(Visit.hospital_code == unit.hospital_code, Visit.visit_no == value.visit_no)
    return list(unit.session.scalars(query))


def _was_ordered_in(unit: Unit, visit_no: str | None) -> bool:
    query = select(Requisition.key).where(
        Requisition.hospital_code == unit.hospital_code, Requisition.visit_no == visit_no
    )
    return visit_no is not None and unit.session.scalars(query.limit(1)).first() is not None


def _place(value: CriticalValue, named: CriticalVisit, visits: list[Visit]) -> None:
    """Where the patient is and who has to act; HIS's word about the patient counts more than the finder's."""
    placed = [visit for visit in visits if visit.dept_code or visit.ward_code]
    if len(placed) == 1:
        (visit,) = placed
        value.dept_code, value.ward_code, value.bed_no = visit.dept_code, visit.ward_code, visit.bed_no
        value.visit_type = value.visit_type or visit.visit_type
        return
    value.dept_code = value.target_dept_code or named.dept_code or value.dept_code
    value.ward_code = value.target_ward_code or named.ward_code or value.ward_code
    value.bed_no = named.bed_no or value.bed_no


def _to_place(value: CriticalValue, message: PushCriticalValueRequest) -> PushCriticalValueRequest:
    """The message for where the patient is now."""
    dept, ward = value.dept_code or message.target_dept_code, value.ward_code or message.target_ward_code
    return replace(message, critical_id=value.critical_id, target_dept_code=dept, target_ward_code=ward)


def _doctors(unit: Unit, value: CriticalValue, request: PushCriticalValueRequest) -> tuple[StaffRef, ...]:
    """Whom to tell: those the sender named, and the fallback receiver when that is not enough."""
    if not value.to_fallback or len(request.target_doctors) >= MOST_DOCTORS:
        return request.target_doctors
    return (*request.target_doctors, StaffRef(code=unit.site.rules.fallback_receiver))
