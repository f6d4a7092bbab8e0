"""Cancels requisitions, by word of HIS: one at a time, when its money is back, or with the visit it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.messages.requisition import SubmitRequisitionRequest
from gateway.model.exam_state import ENDED, OrderEvent, Verdict, decide
from gateway.model.requisition import Requisition, StatusRecord
from gateway.operations.charging import reverse_charges
from gateway.operations.lookups import submitted
from gateway.operations.unit import Unit
from gateway.terms import ChargePoint, GatewayStatus, RequisitionAction, VisitEvent

OPERATION = "SubmitRequisition"


def performing(unit: Unit, request: SubmitRequisitionRequest) -> tuple[str, ...]:
    """The partners that perform this requisition, never the one that speaks."""
    partners = unit.dispatch.partners_for(
        OPERATION,
        hospital_code=unit.hospital_code,
        requisition_type=request.requisition_type,
        perform_dept=request.perform_dept_code,
    )
    return tuple(p for p in partners if unit.dispatch.client_of(p) != unit.sender_code)


def withdraw(unit: Unit, known: Requisition, partners: Sequence[str]) -> bool:
    """True when the department has not seen the requisition yet and will not."""
    return all(
        unit.dispatch.withdraw(
            unit.session,
            hospital_code=known.hospital_code,
            branch_code=known.branch_code,
            partner=partner,
            key=known.requisition_no,
        )
        for partner in partners
    )


def close(unit: Unit, known: Requisition, event: RequisitionAction | VisitEvent, reason: str | None) -> None:
    """Move every item that a cancellation moves, and take back what the nurse's sending charged.

    What was paid at the cashier stays in the books until HIS refunds it.
    """
    decided = [(item, decide(item.state, OrderEvent.CANCEL)) for item in known.items]
    seqs = frozenset(item.item_seq for item in known.items)
    reverse_charges(unit, known, ChargePoint.NURSE_SEND, seqs, by_his=True)
    known.gateway_status = GatewayStatus.CANCELLED
    for item, decision in decided:
        if decision.verdict is not Verdict.APPLY:
            continue
        unit.add(
            StatusRecord,
            requisition_key=known.key,
            item_seq=item.item_seq,
            event=event,
            from_status=item.status_code,
            to_status=decision.target,
            applied=True,
            inferred=False,
            occurred_at=unit.now,
            sender_code=unit.sender_code,
            txn_no=unit.txn_no,
            reason=reason,
        )
        item.status_code = decision.target


def cancel(unit: Unit, known: Requisition, event: RequisitionAction | VisitEvent, reason: str) -> None:
    """Cancel a requisition whose row is locked and that nobody has registered, without asking the department.

    The department is told in the order of the requisition, unless it never got it. When it does not agree, the
    delivery is a dead letter that alarms.
    """
    message = submitted(unit, known)
    partners = performing(unit, message) if known.is_released else ()
    if partners and not withdraw(unit, known, partners):
        message = replace(message, action=RequisitionAction.CANCEL, cancel_reason=reason)
        unit.send(partners, OPERATION, message, known.requisition_no)
    close(unit, known, event, reason)


def cancel_with_visit(unit: Unit, requisitions: Iterable[Requisition]) -> int:
    """Cancel those of a visit that still wait, their rows locked and none of them registered; returns how many."""
    waiting = [known for known in requisitions if any(item.state not in ENDED for item in known.items)]
    for known in waiting:
        cancel(unit, known, VisitEvent.CANCEL_VISIT, "就诊已取消")
    return len(waiting)
