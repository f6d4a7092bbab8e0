"""Moves the items of a requisition on by one event, whoever reports it: a status, a report, a registration.

The table is model/exam_state.py; here its decisions are carried out, recorded, and their money is found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from gateway.model.exam_state import Decision, Verdict, decide
from gateway.model.requisition import Requisition, RequisitionItem, StatusRecord
from gateway.operations.charging import Booking, charge_registration, reverse_charges
from gateway.operations.ledger import billing_partner
from gateway.operations.unit import Unit
from gateway.terms import ChargePoint, StatusCode, StatusEvent

_WORST_FIRST = (Verdict.FINAL, Verdict.NOT_PAID, Verdict.ILLEGAL, Verdict.STALE)


@dataclass(frozen=True, slots=True)
class Progress:
    """What an event did to a requisition."""

    verdict: Verdict
    """APPLY if it moved at least one item, else why it moved none."""
    status: StatusCode
    bookings: list[Booking] = field(default_factory=list)
    """What HIS has to book because of it."""

    @property
    def applied(self) -> bool:
        return self.verdict is Verdict.APPLY


def report_progress(
    unit: Unit,
    requisition: Requisition,
    event: StatusEvent,
    *,
    item_seqs: frozenset[int] | None,
    occurred_at: datetime,
    status_seq: int | None = None,
    reason: str | None = None,
    accession_no: str | None = None,
) -> Progress:
    """Apply `event` to the items (None: to all) of a requisition whose row is locked; never raises.

    An event that is not applied is recorded all the same when it is merely stale. What has to be booked is written and
    returned; the caller sends it, now or queued (`queue_bookings`).
    """
    items = [item for item in requisition.items if item_seqs is None or item.item_seq in item_seqs]
    decisions = [(item, _decide(requisition, item, event, status_seq)) for item in items]
    moved = [(item, decision) for item, decision in decisions if decision.verdict is Verdict.APPLY]
    if not moved:
        verdict = next(v for v in _WORST_FIRST if any(d.verdict is v for _, d in decisions))
        if verdict is Verdict.STALE:
            _record(
                unit, requisition, None, event, requisition.status, requisition.status, occurred_at, status_seq, reason
            )
        return Progress(verdict, requisition.status)
    registered, unregistered = set(), set()
    for item, decision in moved:
        state = item.state
        for target in (*decision.implied, decision.target):
            inferred = target is not decision.target
            _record(unit, requisition, item, event, state, target, occurred_at, status_seq, reason, inferred=inferred)
            if target is StatusCode.IN_PROGRESS:
                registered.add(item.item_seq)
            state = target
        if event is StatusEvent.CANCEL_REG:
            unregistered.add(item.item_seq)
        item.status_code = decision.target
        item.accession_no = accession_no or item.accession_no
    requisition.accession_no = accession_no or requisition.accession_no
    if status_seq is not None:
        requisition.status_seq = status_seq
    bookings = _bookings(unit, requisition, frozenset(registered), frozenset(unregistered), occurred_at)
    return Progress(Verdict.APPLY, requisition.status, bookings)


def queue_bookings(unit: Unit, requisition: Requisition, bookings: Iterable[Booking]) -> None:
    """Send what HIS has to book through the queue of its visit."""
    for booking in bookings:
        partner = billing_partner(unit, booking.operation, requisition.perform_dept_code)
        if partner is None or unit.dispatch.charges_on_register(partner):
            continue
        unit.send((partner,), booking.operation, booking.request, booking.visit_no)


def _decide(requisition: Requisition, item: RequisitionItem, event: StatusEvent, status_seq: int | None) -> Decision:
    if status_seq is not None and requisition.status_seq is not None and status_seq <= requisition.status_seq:
        return Decision(Verdict.STALE, item.state)
    decision = decide(item.state, event)
    registers = StatusCode.IN_PROGRESS in (*decision.implied, decision.target) and decision.verdict is Verdict.APPLY
    if item.refunded and (registers or event is StatusEvent.REGISTER):
        return Decision(Verdict.FINAL, item.state)  # registered again, be it said or implied, it would be charged again
    return decision


def _bookings(
    unit: Unit, requisition: Requisition, registered: frozenset[int], unregistered: frozenset[int], at: datetime
) -> list[Booking]:
    bookings = []
    if registered:
        charge = charge_registration(unit, requisition, registered, at)
        bookings += [charge] if charge is not None else []
    if unregistered:
        bookings += reverse_charges(unit, requisition, ChargePoint.REGISTER, unregistered, by_his=False)
    return bookings


def _record(
    unit: Unit,
    requisition: Requisition,
    item: RequisitionItem | None,
    event: StatusEvent,
    before: StatusCode,
    after: StatusCode,
    occurred_at: datetime,
    status_seq: int | None,
    reason: str | None,
    *,
    inferred: bool = False,
) -> None:
    unit.add(
        StatusRecord,
        requisition_key=requisition.key,
        item_seq=item.item_seq if item is not None else None,
        event=event,
        from_status=before,
        to_status=after,
        applied=item is not None,
        inferred=inferred,
        occurred_at=occurred_at,
        status_seq=status_seq,
        sender_code=unit.sender_code,
        txn_no=unit.txn_no,
        reason=reason,
    )
