"""ReportVisitEvent: HIS tells what happened to a visit or a patient; the rules about money and identity rest on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from gateway.errors import NotAllowed, VisitAmbiguous, VisitEventIllegal, VisitEventInvalid
from gateway.messages.visit_event import ReportVisitEventRequest, ReportVisitEventResponseType
from gateway.model.client import SpecialRight
from gateway.model.exam_state import ALIVE
from gateway.model.requisition import Requisition
from gateway.model.visit import VISIT_TRANSITIONS, PatientMerge, Visit, VisitEventRecord
from gateway.operations.arrivals import hold
from gateway.operations.cancelling import cancel_with_visit
from gateway.operations.critical_loop import reroute_open_values
from gateway.operations.insurance import settled_by_his
from gateway.operations.ledger import content_hash
from gateway.operations.lookups import merge_chain
from gateway.operations.unit import Unit
from gateway.terms import StatusCode, VisitEvent, VisitState

OPERATION = "ReportVisitEvent"
ABOUT_PATIENTS = frozenset({VisitEvent.MERGE, VisitEvent.SPLIT, VisitEvent.IDENTIFY})
PLACING = frozenset({VisitEvent.ADMIT, VisitEvent.TRANSFER})
LEAVING = frozenset({VisitEvent.DISCHARGE, VisitEvent.CANCEL_VISIT})
ENDING = LEAVING | {VisitEvent.SETTLE}
OPEN = frozenset(ALIVE) - {StatusCode.REPORTED}
"""States of items that somebody still has to work on."""
OUTDATED = "事件早于已知状态，仅记录 (older than what is known, recorded only)"


def report_visit_event(request: ReportVisitEventRequest, unit: Unit) -> ReportVisitEventResponseType:
    """Keep the event and what follows from it (docs/specification/visit.md)."""
    unit.subject, unit.visit_no = f"visit {request.visit.visit_no}", request.visit.visit_no
    unit.detail = f"event={request.event}"
    if not unit.caller.may(SpecialRight.HIS):
        raise NotAllowed("只有 HIS 可以上报就诊事件。", "Only HIS may report visit events.")
    _check(request)
    visit = _find(request, unit)
    digest = content_hash(unit, request)
    if _is_repetition(request, unit, digest):
        return _answer(request, unit, visit, duplicate=True)
    warning = _patients(request, unit) if request.event in ABOUT_PATIENTS else _move(request, unit, visit)
    unit.add(
        VisitEventRecord,
        hospital_code=unit.hospital_code,
        branch_code=unit.branch_code,
        sender_code=unit.sender_code,
        event_no=request.event_no,
        event=request.event,
        visit_no=request.visit.visit_no,
        patient_id=request.patient.patient_id,
        previous_patient_id=request.previous_patient_id,
        occurred_at=min(request.occurred_at, unit.now),
        content_hash=digest,
        txn_no=unit.txn_no,
    )
    if warning != OUTDATED:
        settled_by_his(unit, request.event, request.visit.visit_no, visit.branch_code)
        partners = unit.dispatch.partners_for(OPERATION, hospital_code=unit.hospital_code)
        unit.send(partners, OPERATION, request, request.visit.visit_no)
    return _answer(request, unit, visit, warning=warning)


def _check(request: ReportVisitEventRequest) -> None:
    if request.event not in ABOUT_PATIENTS:
        return
    if request.previous_patient_id is None:
        raise VisitEventInvalid("该事件必须填写 PreviousPatientId。", "This event needs a PreviousPatientId.")
    if request.previous_patient_id == request.patient.patient_id:
        raise VisitEventInvalid("PreviousPatientId 与 PatientId 相同。", "PreviousPatientId is the PatientId itself.")


def _find(request: ReportVisitEventRequest, unit: Unit) -> Visit:
    """The visit, locked; a new one in state UNKNOWN, not yet stored, when HIS speaks of it for the first time."""
    query = select(Visit).where(Visit.hospital_code == unit.hospital_code, Visit.visit_no == request.visit.visit_no)
    if unit.branch_code:
        query = query.where(Visit.branch_code == unit.branch_code)
    found = unit.session.scalars(query.with_for_update(), execution_options={"populate_existing": True}).all()
    if len(found) > 1:
        raise VisitAmbiguous()
    if found:
        return found[0]
    return Visit(
        hospital_code=unit.hospital_code,
        visit_no=request.visit.visit_no,
        branch_code=unit.branch_code,
        visit_type=request.visit.visit_type,
        patient_id=request.patient.patient_id,
        state=VisitState.UNKNOWN,
    )


def _is_repetition(request: ReportVisitEventRequest, unit: Unit, digest: str) -> bool:
    known = unit.session.scalars(
        select(VisitEventRecord.content_hash).where(
            VisitEventRecord.hospital_code == unit.hospital_code,
            VisitEventRecord.sender_code == unit.sender_code,
            VisitEventRecord.event_no == request.event_no,
        )
    ).one_or_none()
    if known is not None and known != digest:
        raise VisitEventIllegal("该 EventNo 已用于内容不同的事件。", "This EventNo was used for another event.")
    return known is not None


# --- what happens to a visit ------------------------------------------------------------------------------------------


def _move(request: ReportVisitEventRequest, unit: Unit, visit: Visit) -> str | None:
    """Move the visit on; returns what HIS should know about it. Raises VisitEventIllegal when it cannot happen now."""
    if visit.changed_at is not None and request.occurred_at < visit.changed_at:
        return OUTDATED
    state, targets = VisitState(visit.state), VISIT_TRANSITIONS[request.event]
    target = targets.get(state)
    if target is None and state not in targets.values():
        raise VisitEventIllegal(f"就诊状态为 {state}。", f"The visit is {state}.", visit_state=state)
    ordered = _ordered_in(request, unit, visit) if request.event in ENDING else []
    if request.event is VisitEvent.CANCEL_VISIT and not all(requisition.refund_allowed for requisition in ordered):
        raise VisitEventIllegal(
            "就诊有已登记的申请单，不能取消。", "Requisitions of the visit are registered.", visit_state=state
        )
    if target is None:
        return "就诊已处于该状态 (the visit is in that state already)"
    visit.state, visit.visit_type, visit.patient_id = target, request.visit.visit_type, request.patient.patient_id
    # A clock of HIS that is ahead must not make its next events look old.
    visit.changed_at = min(request.occurred_at, unit.now)
    if request.event in PLACING:
        place = request.visit
        visit.dept_code, visit.ward_code, visit.bed_no = place.dept_code, place.ward_code, place.bed_no
    unit.session.add(visit)
    if request.event in PLACING | LEAVING:
        reroute_open_values(unit, visit)
    if request.event is VisitEvent.CANCEL_VISIT:
        return _told(cancel_with_visit(unit, ordered), "个申请单已随就诊取消 (requisitions cancelled with the visit)")
    waiting = [item for requisition in ordered for item in requisition.items if item.state in OPEN]
    return _told(len(waiting), "个未完成的申请项目 (items still open)")


def _ordered_in(request: ReportVisitEventRequest, unit: Unit, visit: Visit) -> Sequence[Requisition]:
    """All that was ordered in the visit and cannot change until this event is decided."""
    query = select(Requisition).where(
        Requisition.hospital_code == unit.hospital_code, Requisition.visit_no == request.visit.visit_no
    )
    if visit.branch_code:
        query = query.where(Requisition.branch_code == visit.branch_code)
    query = query.order_by(Requisition.key).with_for_update()
    return unit.session.scalars(query, execution_options={"populate_existing": True}).all()


def _told(count: int, what: str) -> str | None:
    return f"{count} {what}" if count else None


# --- what happens to patients -----------------------------------------------------------------------------------------


def _patients(request: ReportVisitEventRequest, unit: Unit) -> str | None:
    """Two ids are one patient, or are two again; what was stored under an id keeps it and is found by both."""
    previous, present = request.previous_patient_id or "", request.patient.patient_id
    # One such word at a time: two that contradict each other must not both be written.
    hold(unit.session, [f"patients|{unit.hospital_code}"])
    if _is_outdated(request, unit, {previous, present}):
        return OUTDATED
    if request.event is VisitEvent.SPLIT:
        _split(unit, previous, present)
    else:
        _merge(request, unit, previous, present)
    return None


def _is_outdated(request: ReportVisitEventRequest, unit: Unit, pair: set[str]) -> bool:
    """Whether HIS has told something newer of these two patients."""
    newer = select(VisitEventRecord.id).where(
        VisitEventRecord.hospital_code == unit.hospital_code,
        VisitEventRecord.event.in_(ABOUT_PATIENTS),
        VisitEventRecord.patient_id.in_(pair),
        VisitEventRecord.previous_patient_id.in_(pair),
        VisitEventRecord.occurred_at > request.occurred_at,
    )
    return unit.session.scalars(newer.limit(1)).first() is not None


def _merge(request: ReportVisitEventRequest, unit: Unit, former: str, surviving: str) -> None:
    """From now on `former` is `surviving`. When it was the other way round before, the newer word of HIS counts."""
    if former in merge_chain(unit, surviving):
        unit.session.delete(unit.session.get_one(PatientMerge, (unit.hospital_code, surviving)))
    known = unit.session.get(PatientMerge, (unit.hospital_code, former))
    if known is None:
        known = PatientMerge(hospital_code=unit.hospital_code, former_patient_id=former)
        unit.session.add(known)
    known.patient_id, known.merged_at = surviving, min(request.occurred_at, unit.now)


def _split(unit: Unit, previous: str, present: str) -> None:
    """Undo a merge, whichever of the two HIS calls the previous one."""
    for former, surviving in ((previous, present), (present, previous)):
        known = unit.session.get(PatientMerge, (unit.hospital_code, former))
        if known is not None and known.patient_id == surviving:
            unit.session.delete(known)
            return
    raise VisitEventIllegal("这两个患者未合并。", "These two patients are not merged.")


def _answer(
    request: ReportVisitEventRequest,
    unit: Unit,
    visit: Visit,
    *,
    duplicate: bool = False,
    warning: str | None = None,
) -> ReportVisitEventResponseType:
    return ReportVisitEventResponseType(
        result=replace(unit.accepted(warning=warning), duplicate=duplicate),
        visit_no=request.visit.visit_no,
        visit_state=VisitState(visit.state),
    )
