"""QueryRequisition: a department or HIS looks up requisitions by visit, number, barcode, patient or department."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, and_, func, not_, select

from gateway.errors import QueryInvalid
from gateway.messages.query import ItemState, QueryRequisitionRequest, QueryRequisitionResponseType, RequisitionRecord
from gateway.model.client import SpecialRight
from gateway.model.requisition import Requisition, RequisitionItem
from gateway.operations.lookups import patient_ids, submitted
from gateway.operations.unit import Unit
from gateway.terms import GatewayStatus, ReleaseEvent

PAGE_SIZE = 50
"""When the request says nothing, and the most the contract allows."""
CRITERIA = ("visit_no", "requisition_no", "barcode", "patient_id", "perform_dept_code")


def query_requisition(request: QueryRequisitionRequest, unit: Unit) -> QueryRequisitionResponseType:
    """One page of the requisitions that fit, the oldest first, so that pages keep their place while new ones come."""
    named = [name for name in CRITERIA if getattr(request, name) is not None]
    if not named:
        raise QueryInvalid(
            "就诊号、申请单号、条码、患者、执行科室至少填一个。",
            "Give VisitNo, RequisitionNo, Barcode, PatientId or PerformDeptCode.",
        )
    if (
        request.ordered_from is not None
        and request.ordered_to is not None
        and request.ordered_from > request.ordered_to
    ):
        raise QueryInvalid("OrderedFrom 晚于 OrderedTo。", "OrderedFrom is after OrderedTo.")
    unit.subject = " ".join(f"{name} {getattr(request, name)}" for name in named)
    unit.requisition_no, unit.visit_no = request.requisition_no, request.visit_no
    query = _matching(request, unit)
    total = unit.session.scalars(select(func.count()).select_from(query.subquery())).one()
    size, page = request.page_size or PAGE_SIZE, request.page_no or 1
    found = unit.session.scalars(
        query.order_by(Requisition.ordered_at, Requisition.key).limit(size).offset((page - 1) * size)
    ).all()
    unit.detail = f"found={total} given={len(found)}"
    return QueryRequisitionResponseType(
        result=unit.accepted(),
        requisitions=tuple(_record(unit, requisition) for requisition in found),
        total_count=total,
    )


def _matching(request: QueryRequisitionRequest, unit: Unit) -> Select[Requisition]:
    query = select(Requisition).where(Requisition.hospital_code == unit.hospital_code, Requisition.tombstone.is_(False))
    if not unit.caller.may(SpecialRight.HIS):
        query = query.where(*_was_released())
    if unit.branch_code:
        query = query.where(Requisition.branch_code == unit.branch_code)
    for name in ("visit_no", "requisition_no", "perform_dept_code", "requisition_type"):
        if getattr(request, name) is not None:
            query = query.where(getattr(Requisition, name) == getattr(request, name))
    if request.patient_id is not None:
        query = query.where(Requisition.patient_id.in_(patient_ids(unit, request.patient_id)))
    if request.barcode is not None:
        query = query.where(Requisition.items.any(RequisitionItem.barcode == request.barcode))
    if request.ordered_from is not None:
        query = query.where(Requisition.ordered_at >= request.ordered_from)
    if request.ordered_to is not None:
        query = query.where(Requisition.ordered_at <= request.ordered_to)
    return query


def _was_released() -> list[ColumnElement[bool]]:
    """A performing department never sees what is held, nor what was cancelled before it was released."""
    never = and_(Requisition.gateway_status == GatewayStatus.CANCELLED, Requisition.released_at.is_(None))
    return [Requisition.gateway_status != GatewayStatus.HELD, not_(never)]


def _record(unit: Unit, requisition: Requisition) -> RequisitionRecord:
    """The requisition as HIS last submitted it, with its present states."""
    request = submitted(unit, requisition)
    return RequisitionRecord(
        branch_code=requisition.branch_code or None,
        requisition_no=requisition.requisition_no,
        requisition_type=request.requisition_type,
        status_code=requisition.status,
        gateway_status=GatewayStatus(requisition.gateway_status),
        refund_allowed=requisition.refund_allowed,
        patient=request.patient,
        visit=request.visit,
        release_event=ReleaseEvent(requisition.release_event) if requisition.release_event is not None else None,
        priority=request.priority,
        ordering_dept_code=request.ordering_dept_code,
        ordering_dept_name=request.ordering_dept_name,
        ordering_doctor_code=request.ordering_doctor_code,
        ordering_doctor_name=request.ordering_doctor_name,
        ordered_at=request.ordered_at,
        perform_dept_code=request.perform_dept_code,
        perform_dept_name=request.perform_dept_name,
        clinical_summary=request.clinical_summary,
        symptoms=request.symptoms,
        purpose=request.purpose,
        allergy=request.allergy,
        precautions=request.precautions,
        pregnant=request.pregnant,
        infectious=request.infectious,
        diagnoses=request.diagnoses,
        items=request.items,
        item_states=tuple(
            ItemState(
                item_seq=item.item_seq,
                status_code=item.state,
                accession_no=item.accession_no,
                refunded=item.refunded,
            )
            for item in requisition.items
        ),
    )
