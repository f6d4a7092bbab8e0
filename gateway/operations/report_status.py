"""ReportStatus: the performing department tells what happened to a requisition; registration closes the refund."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import (
    RequestRefused,
    StatusForeign,
    StatusIllegal,
    StatusInvalid,
    StatusNotPaid,
    StatusRequisitionFinal,
    StatusRequisitionUnknown,
    StatusUnmapped,
)
from gateway.messages.status import ChargeOutcome, ReportStatusRequest, ReportStatusResponseType
from gateway.model.exam_state import WHO, Verdict, decide
from gateway.model.money import MoneyKind, MoneyTransaction
from gateway.model.requisition import Requisition
from gateway.operations.booking import apply_answer
from gateway.operations.charging import Booking
from gateway.operations.dispatch import Dispatch, Forward, Outcome, PartnerAnswer
from gateway.operations.ledger import billing_partner, locked
from gateway.operations.lookups import find_requisition, parties_of, relock, requisition_arrival
from gateway.operations.progress import queue_bookings, report_progress
from gateway.operations.unit import Unit
from gateway.terms import StatusEvent, TransactionState

OPERATION = "ReportStatus"
NEEDS_REASON = frozenset({StatusEvent.CANCEL_REG, StatusEvent.STOP, StatusEvent.REJECT})
ASKS_HIS = frozenset({StatusEvent.REGISTER, StatusEvent.CANCEL_REG})

REFUSALS: dict[Verdict, type[RequestRefused]] = {
    Verdict.FINAL: StatusRequisitionFinal,
    Verdict.NOT_PAID: StatusNotPaid,
    Verdict.ILLEGAL: StatusIllegal,
}


def report_status(request: ReportStatusRequest, unit: Unit) -> ReportStatusResponseType:
    """Apply an event to the items it names; refund and registration race on the requisition's row."""
    unit.subject, unit.requisition_no = f"requisition {request.requisition_no}", request.requisition_no
    if request.event in NEEDS_REASON and request.reason is None:
        raise StatusInvalid("该事件必须填写 Reason。", "This event needs a Reason.")
    requisition = _find(request, unit)
    if not WHO[request.event] & parties_of(unit, requisition):
        raise StatusForeign()
    seqs = _items(request, requisition)
    said: PartnerAnswer | None = None
    if request.event in ASKS_HIS and unit.site.rules.registration_asks_his:
        requisition, said = _ask_his(request, unit, requisition, seqs)
    progress = report_progress(
        unit,
        requisition,
        request.event,
        item_seqs=seqs,
        occurred_at=request.occurred_at,
        status_seq=request.status_seq,
        reason=request.reason,
        accession_no=request.accession_no,
    )
    if progress.verdict in REFUSALS:
        if progress.verdict is Verdict.FINAL:
            _tell_duty(unit, request)
        raise REFUSALS[progress.verdict](current_status=progress.status, refund_allowed=requisition.refund_allowed)
    if progress.applied and not _was_asked(request, unit):
        unit.send(_receivers(unit, requisition), OPERATION, request, requisition.requisition_no)
    charge = _charge_now(unit, requisition, progress.bookings, said)
    return ReportStatusResponseType(
        result=unit.accepted(),
        current_status=progress.status,
        applied=progress.applied,
        refund_allowed=requisition.refund_allowed,
        charge_result=charge,
    )


def status_delivered(session: Session, forward: Forward, answer: PartnerAnswer, dispatch: Dispatch) -> None:
    """A HIS that charges on the forwarded REGISTER has booked, or reversed, when it says yes; perhaps, when its answer
    was lost."""
    if forward.request.event not in ASKS_HIS or not _tells_of_money(forward, answer, dispatch):
        return
    for key in _of_message(session, forward.origin.txn_no):
        transaction = locked(session, key)
        if transaction.standing in (TransactionState.PROPOSED, TransactionState.PENDING_CONFIRM):
            apply_answer(session, transaction, answer, dispatch)


def _tells_of_money(forward: Forward, answer: PartnerAnswer, dispatch: Dispatch) -> bool:
    if answer.is_yes:
        return answer.response.charge_result is not None
    return answer.outcome is Outcome.UNKNOWN and dispatch.charges_on_register(forward.partner)


def _find(request: ReportStatusRequest, unit: Unit) -> Requisition:
    found = find_requisition(unit, request.requisition_no, ambiguous=StatusUnmapped)
    if found is None:
        raise StatusRequisitionUnknown(waits_for=requisition_arrival(unit.hospital_code, request.requisition_no))
    unit.visit_no, unit.patient_id = found.visit_no, found.patient_id
    if found.tombstone:
        raise StatusRequisitionFinal()
    return found


def _items(request: ReportStatusRequest, requisition: Requisition) -> frozenset[int] | None:
    """The numbers of the items named, None for all. Raises StatusUnmapped when one is not of this requisition."""
    if not request.items:
        return None
    named = set()
    for reference in request.items:
        found = [
            item.item_seq
            for item in requisition.items
            if (reference.item_seq is None or item.item_seq == reference.item_seq)
            and (reference.order_no is None or item.order_no == reference.order_no)
        ]
        if not found or (reference.item_seq is None and reference.order_no is None):
            raise StatusUnmapped("申请单中没有该项目。", "The requisition has no such item.")
        named.update(found)
    return frozenset(named)


def _receivers(unit: Unit, requisition: Requisition) -> tuple[str, ...]:
    return unit.dispatch.partners_for(
        OPERATION, hospital_code=unit.hospital_code, perform_dept=requisition.perform_dept_code
    )


def _tell_duty(unit: Unit, request: ReportStatusRequest) -> None:
    """A department works on what was cancelled: somebody must call it."""
    unit.alerts_if_refused.append(("STATUS_AFTER_CANCEL", f"requisition {request.requisition_no}"))


# --- HIS asked first, where the site wants it -------------------------------------------------------------------------


def _was_asked(request: ReportStatusRequest, unit: Unit) -> bool:
    return request.event in ASKS_HIS and unit.has_asked


def _ask_his(
    request: ReportStatusRequest, unit: Unit, requisition: Requisition, seqs: frozenset[int] | None
) -> tuple[Requisition, PartnerAnswer | None]:
    """Where the site wants it, HIS also has to agree; with what it said. When HIS is down the gateway decides from its
    own state."""
    partner = billing_partner(unit, OPERATION, requisition.perform_dept_code)
    items = [item for item in requisition.items if seqs is None or item.item_seq in seqs]
    if partner is None or not any(decide(item.state, request.event).verdict is Verdict.APPLY for item in items):
        return requisition, None
    answer = unit.ask(partner, OPERATION, request, requisition.requisition_no, keep=True)
    if answer.response is not None and not answer.is_yes and not answer.response.result.retryable:
        raise StatusIllegal(f"HIS 应答：{answer.code}。", f"The answer of HIS: {answer.code}.")
    return relock(unit, requisition), answer


# --- what registration costs ------------------------------------------------------------------------------------------


def _charge_now(
    unit: Unit, requisition: Requisition, bookings: list[Booking], said: PartnerAnswer | None
) -> ChargeOutcome | None:
    """Let HIS book the first transaction at once, so that the department sees it; registration stands either way."""
    if not bookings:
        return None
    first, *others = bookings
    partner = billing_partner(unit, first.operation, requisition.perform_dept_code)
    queue_bookings(unit, requisition, others)
    if partner is not None and not unit.dispatch.charges_on_register(partner):
        unit.ask(partner, first.operation, first.request, first.visit_no, keep=True)
    else:
        unit.flush()
        if partner is not None and said is not None:
            _take_over(unit, bookings, said)
    transaction = unit.session.get_one(MoneyTransaction, first.key, populate_existing=True)
    if transaction.standing is TransactionState.REJECTED:
        unit.alert("REGISTRATION_CHARGE_REJECTED", f"requisition {requisition.requisition_no}")
    return outcome_of(transaction)


def _take_over(unit: Unit, bookings: list[Booking], said: PartnerAnswer) -> None:
    """A HIS that charges by itself was asked before there was a charge here: what it said then is about it."""
    if said.outcome is not Outcome.UNKNOWN and not (said.is_yes and said.response.charge_result is not None):
        return
    for booking in bookings:
        apply_answer(unit.session, locked(unit.session, booking.key), said, unit.dispatch)


def outcome_of(transaction: MoneyTransaction) -> ChargeOutcome:
    """A transaction as the response to a status shows it."""
    return ChargeOutcome(
        charge_no=transaction.number,
        his_charge_no=transaction.his_no,
        transaction_state=transaction.standing,
        amount=transaction.amount,
        result_code=transaction.refusal_code or "0",
        result_text=transaction.refusal_text,
    )


def _of_message(session: Session, txn_no: str) -> list[str]:
    """The keys of what a registration charged or reversed."""
    kinds = (MoneyKind.CHARGE, MoneyKind.REVERSAL)
    query = select(MoneyTransaction.key).where(MoneyTransaction.txn_no == txn_no, MoneyTransaction.kind.in_(kinds))
    return list(session.scalars(query.order_by(MoneyTransaction.key)))
