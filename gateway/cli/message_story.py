"""What a message caused, told in the order in which it happened; numbers and codes only, never what a message held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from gateway.cli.terminal import plain_table
from gateway.model.delivery import Delivery, DeliveryAttempt
from gateway.model.journal import Alert, AuditEntry, JournalEntry, ParkedMessage
from gateway.model.money import MoneyTransaction
from gateway.operations.journal_search import Found
from gateway.operations.unit import IN_PROGRESS, PARKED

TIME = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One thing that happened."""

    at: datetime
    who: str
    what: str
    more: str = ""


def head(entry: JournalEntry, zone: tzinfo) -> Iterator[str]:
    """What is known of a message itself, in lines."""
    yield f"{entry.operation} of {entry.sender_code}, message {entry.message_id}, transaction {entry.txn_no}"
    took = (entry.answered_at - entry.received_at).total_seconds()
    answer = "not answered yet" if entry.result_code == IN_PROGRESS else f"answered {entry.result_code} in {took:.1f} s"
    how = f"SOAP {entry.soap_version}" if entry.soap_version[:1].isdigit() else entry.soap_version
    how = "was parked and applied" if entry.soap_version == PARKED else how
    yield f"Received {entry.received_at.astimezone(zone):{TIME}} ({how}), {answer}"
    if entry.repairs:
        yield f"Mended: {entry.repairs}"
    about = (
        *(("hospital", entry.hospital_code), ("branch", entry.branch_code), ("requisition", entry.requisition_no)),
        *(("visit", entry.visit_no), ("patient", entry.patient_id)),
    )
    yield ", ".join(f"{what} {number}" for what, number in about if number)


def deliveries(session: Session, txn_nos: Sequence[str]) -> Sequence[Delivery]:
    """What messages brought to partners, replays too, without their content."""
    query = select(Delivery).options(defer(Delivery.request), defer(Delivery.answer))
    return session.scalars(query.where(Delivery.txn_no.in_(txn_nos)).order_by(Delivery.id)).all()


def what_was_wrong(session: Session, rows: Sequence[Delivery]) -> dict[int, str]:
    """By delivery, what was wrong with the answer to its last attempt, where that is what its last code is about."""
    query = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id.in_([row.id for row in rows]))
    last = {one.delivery_id: one for one in session.scalars(query.order_by(DeliveryAttempt.id))}
    codes = {row.id: row.last_code for row in rows}
    return {number: one.detail for number, one in last.items() if one.detail and one.code == codes[number]}


def consequences(session: Session, entry: JournalEntry, zone: tzinfo) -> Table:
    """What else a message caused: parking, money, what the audit says, alerts."""
    table = plain_table("AT", "WHAT", "", "")

    def add(at: datetime | None, *words: str) -> None:
        table.add_row(f"{at.astimezone(zone):{TIME}}" if at is not None else "", *words)

    key = (entry.sender_code, entry.operation, entry.message_id)
    parked = session.get(ParkedMessage, key)
    if parked is not None:
        became = f"applied: {parked.result_code}" if parked.applied_at else "waits, or has expired"
        add(parked.parked_at, "parked", parked.waits_for, became)
    money = select(MoneyTransaction).where(MoneyTransaction.txn_no == entry.txn_no).order_by(MoneyTransaction.key)
    for one in session.scalars(money):
        add(one.created_at, one.kind.lower(), one.number, one.state)
    said = session.get(AuditEntry, entry.txn_no)
    if said is not None:
        add(said.at, "audit", f"{said.action}: {said.subject}", said.result_code)
    for alert in session.scalars(select(Alert).where(Alert.txn_no == entry.txn_no).order_by(Alert.id)):
        settled = f"settled {alert.settled_at.astimezone(zone):{TIME}}" if alert.settled_at else "unsettled"
        add(alert.raised_at, "alert", f"{alert.kind}: {alert.subject}", settled)
    return table


def events(session: Session, messages: Sequence[Found]) -> list[Event]:
    """Everything that happened because of these messages, in its order."""
    txn_nos = [one.txn_no for one in messages]
    found = [
        Event(one.received_at, one.sender_code, f"{one.operation} {one.message_id}", f"answered {one.result_code}")
        for one in messages
    ]
    rows = {row.id: row for row in deliveries(session, txn_nos)}
    for row in rows.values():
        what = f"{row.message_id}: {row.operation} for {row.partner}"
        found.append(Event(row.created_at, "gateway", what, _lineage(row)))
        if row.finished_at is not None:
            found.append(Event(row.finished_at, row.partner, f"{row.message_id}: {row.state}", row.last_code or ""))
    attempts = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id.in_(rows))
    for attempt in session.scalars(attempts):
        row = rows[attempt.delivery_id]
        what = f"{row.message_id}: {attempt.outcome} after {attempt.milliseconds:,} ms"
        said = " ".join(filter(None, (attempt.code, attempt.detail)))
        found.append(Event(attempt.started_at, row.partner, what, said))
    for alert in session.scalars(select(Alert).where(Alert.txn_no.in_(txn_nos))):
        found.append(Event(alert.raised_at, "alert", alert.kind, alert.subject))
        if alert.settled_at is not None:
            found.append(Event(alert.settled_at, "alert", f"{alert.kind} settled"))
    decisions = select(AuditEntry).where(AuditEntry.subject.in_([f"delivery {number}" for number in rows]))
    for entry in session.scalars(decisions):
        found.append(Event(entry.at, entry.actor, f"{entry.action} {entry.subject}", entry.detail or ""))
    return sorted(found)


def _lineage(row: Delivery) -> str:
    return f"replay {row.replay_batch} of GW-{row.replay_of}" if row.replay_of is not None else ""
