"""Finds what a message is about, by the hospital's own numbers, and says clearly when that is not exactly one thing."""

from __future__ import annotations

from sqlalchemy import select

from gateway.errors import RequestRefused
from gateway.messages.requisition import SubmitRequisitionRequest
from gateway.model.requisition import Requisition
from gateway.model.visit import PatientMerge, Visit
from gateway.operations.unit import Unit
from gateway.terms import VisitState


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


def visit_state(unit: Unit, visit_no: str, branch_code: str) -> VisitState:
    """What HIS told of a visit; UNKNOWN when it told nothing, and never assumed open."""
    found = unit.session.get(Visit, (unit.hospital_code, visit_no, branch_code))
    return VisitState(found.state) if found is not None else VisitState.UNKNOWN


def merged_into(unit: Unit, patient_id: str) -> str | None:
    """The patient this one was merged into, None when it was not."""
    found = unit.session.get(PatientMerge, (unit.hospital_code, patient_id))
    return found.patient_id if found is not None else None
