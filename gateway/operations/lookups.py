"""Finds what a message is about, by the hospital's own numbers, and says clearly when that is not exactly one thing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from gateway.errors import RequestRefused
from gateway.messages.requisition import SubmitRequisitionRequest
from gateway.model.client import SpecialRight
from gateway.model.exam_state import Party
from gateway.model.requisition import Requisition
from gateway.model.visit import PatientMerge, Visit
from gateway.operations.arrivals import WAITING, hold
from gateway.operations.unit import Unit
from gateway.store import one_trip
from gateway.terms import RequisitionType, VisitState

_MERGED_INTO = "SELECT patient_id FROM patient_merge WHERE hospital_code = %s AND former_patient_id = %s"
_FIRST_LOOK = f"""
    SELECT EXISTS (SELECT FROM requisition WHERE hospital_code = %(hospital)s AND requisition_no = %(number)s),
           EXISTS (SELECT FROM patient_merge WHERE hospital_code = %(hospital)s AND former_patient_id = %(patient)s),
           EXISTS (SELECT FROM visit WHERE hospital_code = %(hospital)s AND visit_no = %(visit)s AND state = 'CANCELLED'
                   AND %(branch)s IN ('', branch_code)),
           EXISTS (SELECT FROM parked_message WHERE waits_for = %(what)s AND {WAITING} %(now)s)
"""  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What must be known about a requisition that claims to be new."""

    is_known: bool
    is_merged: bool
    """Whether its patient was merged into another."""
    is_of_cancelled_visit: bool
    """Whether HIS has cancelled its visit."""
    is_awaited: bool
    """Whether messages are parked for it."""


def first_look(unit: Unit, requisition_no: str, patient_id: str, visit_no: str) -> FirstLook:
    """All that in one question, since nearly always the answer is no; nobody parks for it until this is decided."""
    what = requisition_arrival(unit.hospital_code, requisition_no)
    names = {"hospital": unit.hospital_code, "number": requisition_no, "patient": patient_id}
    names |= {"branch": unit.branch_code, "visit": visit_no}
    with one_trip(unit.session) as connection:
        hold(unit.session, [what])
        row = connection.execute(_FIRST_LOOK, {**names, "what": what, "now": unit.now}).fetchone()
    assert row is not None
    return FirstLook(*row)


def requisition_arrival(hospital_code: str, requisition_no: str) -> str:
    """Under which name messages wait for a requisition."""
    return f"requisition|{hospital_code}|{requisition_no}"


def find_requisition(unit: Unit, requisition_no: str, *, ambiguous: type[RequestRefused]) -> Requisition | None:
    """The requisition of that number, locked until the message is decided; None when unknown.

    Without a BranchCode in the header the number must be unique among the branches, else `ambiguous` is raised.
    """
    query = select(Requisition).where(
        Requisition.hospital_code == unit.hospital_code, Requisition.requisition_no == requisition_no
    )
    if unit.branch_code:
        query = query.where(Requisition.branch_code == unit.branch_code)
    found = unit.session.scalars(query.with_for_update(), execution_options={"populate_existing": True}).all()
    if len(found) > 1:
        raise ambiguous(
            "多个院区有相同的申请单号，请填写 BranchCode。", "Several branches have this number: give BranchCode."
        )
    return found[0] if found else None


def relock(unit: Unit, requisition: Requisition) -> Requisition:
    """The same requisition, locked and read again after a partner was asked."""
    query = select(Requisition).where(Requisition.key == requisition.key).with_for_update()
    return unit.session.scalars(query, execution_options={"populate_existing": True}).one()


def submitted(unit: Unit, requisition: Requisition) -> SubmitRequisitionRequest:
    """The requisition as HIS last submitted it."""
    message: SubmitRequisitionRequest = unit.wire.read_text("SubmitRequisitionRequest", requisition.request)
    return message


def performers(unit: Unit, requisition: Requisition) -> frozenset[str]:
    """The clients a requisition is routed to; none where the department pulls it."""
    partners = unit.dispatch.partners_for(
        "SubmitRequisition",
        hospital_code=requisition.hospital_code,
        requisition_type=RequisitionType(requisition.requisition_type),
        perform_dept=requisition.perform_dept_code,
    )
    return frozenset(unit.dispatch.client_of(partner) for partner in partners)


def parties_of(unit: Unit, requisition: Requisition) -> frozenset[Party]:
    """What the caller is to a requisition: of the clinic, its department, or neither.

    A requisition that no route leads to anybody is pulled by whoever performs it: every caller may be its department.
    """
    routed = performers(unit, requisition)
    parties = set()
    if unit.caller.may(SpecialRight.HIS) or unit.sender_code == requisition.sender_code:
        parties.add(Party.CLINIC)
    if not routed or unit.sender_code in routed:
        parties.add(Party.DEPARTMENT)
    return frozenset(parties or {Party.OTHER})


def visit_state(unit: Unit, visit_no: str, branch_code: str, *, ambiguous: type[RequestRefused]) -> VisitState:
    """What HIS told of a visit; UNKNOWN when it told nothing, and never assumed open.

    Without a branch the number must be unique among the branches, else `ambiguous` is raised.
    """
    query = select(Visit.state).where(Visit.hospital_code == unit.hospital_code, Visit.visit_no == visit_no)
    if branch_code:
        query = query.where(Visit.branch_code == branch_code)
    found = unit.session.scalars(query).all()
    if len(found) > 1:
        raise ambiguous(
            "多个院区有相同的就诊号，请填写 BranchCode。", "Several branches have this visit: give BranchCode."
        )
    return VisitState(found[0]) if found else VisitState.UNKNOWN


def merged_into(unit: Unit, patient_id: str) -> str | None:
    """Who this patient is today, None when it was never merged into another."""
    chain = merge_chain(unit, patient_id)
    return chain[-1] if len(chain) > 1 else None


def merge_chain(unit: Unit, patient_id: str) -> list[str]:
    """The patient, whom it was merged into, whom that one was merged into, and so on to who it is today."""
    chain = [patient_id]
    while True:
        former = (unit.hospital_code, chain[-1])
        found = unit.session.connection().exec_driver_sql(_MERGED_INTO, former).scalar()
        if found is None or found in chain:
            return chain
        chain.append(found)


def patient_ids(unit: Unit, patient_id: str) -> frozenset[str]:
    """Every id under which this patient may be known: today's, and all that were merged into it."""
    ids = {merged_into(unit, patient_id) or patient_id}
    newest = ids
    while newest:
        query = select(PatientMerge.former_patient_id).where(
            PatientMerge.hospital_code == unit.hospital_code, PatientMerge.patient_id.in_(newest)
        )
        newest = set(unit.session.scalars(query)) - ids
        ids = ids | newest
    return frozenset(ids)
