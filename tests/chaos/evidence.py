"""Everything that can be known after a run: the senders' ledgers, the store, and what the partners wrote down.

Read once, into plain records; the checks (checks.py) look at nothing else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from gateway.delivery.sending import READS
from gateway.model.critical_value import CriticalAcknowledgement
from gateway.model.delivery import Delivery
from gateway.model.journal import MessageKey
from gateway.model.report import ReportVersion
from gateway.model.requisition import StatusRecord

Key = tuple[str, str]
"""Sender and number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message as its sender knows it."""

    sender: str
    operation: str
    message_id: str
    about: str
    step: str = ""
    reaches: tuple[str, ...] = ()
    net: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    outcome: str = "acknowledged"
    """acknowledged, refused or unanswered."""
    code: str = "0"
    tries: int = 1
    seconds: float = 0

    @property
    def is_read(self) -> bool:
        return self.operation.startswith(("Get", "Query"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A message that was acknowledged and then sent once more."""

    message_id: str
    code: str
    duplicate: bool
    read: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A delivery as the gateway has it."""

    id: int
    partner: str
    operation: str
    lock: str
    state: str
    origin: Key
    """Sender and MessageId of the message it comes from."""
    last_code: str | None = None
    attempts: int = 1
    is_reminder: bool = False
    """Of a critical value that is late: the gateway says so by itself."""

    @property
    def message_id(self) -> str:
        return f"GW-{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request as a partner's own log has it."""

    partner: str
    operation: str
    message_id: str
    origin: Key
    arrived: str
    at: str
    """When it had been worked on."""
    code: str
    duplicate: bool = False
    fault: str | None = None
    is_reminder: bool = False

    @property
    def is_applied(self) -> bool:
        """Whether the partner did what was asked, now or at an earlier arrival."""
        return self.code == "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A charge and what is left of it, in the books of one side."""

    number: Key
    requisition_no: str | None
    net: Decimal
    codes: tuple[str, ...] = ()
    """The price codes of lines that have not gone back."""


@dataclass(slots=True, kw_only=True)
class Evidence:
    """All of it."""

    sent: list[Sent] = field(default_factory=list)
    repeated: list[Repeated] = field(default_factory=list)
    keys: set[tuple[str, str, str]] = field(default_factory=set)
    """Sender, operation and MessageId the store knows as dealt with."""
    journal: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """The same of the journal's entries with result 0 that are no repetition."""
    effects: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """What the store holds of a message beside its journal entry: statuses, reports, acknowledgements, charges."""
    deliveries: list[Stored] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    remembered: dict[str, list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)
    """What each partner has in its books at the end: kind and record."""
    ledger: list[Booking] = field(default_factory=list)
    """The gateway's: what HIS was asked to book."""
    paid: list[Booking] = field(default_factory=list)
    """The gateway's: what HIS said that it has booked by itself."""
    his: list[Booking] = field(default_factory=list)
    jobs: int = 0
    """Jobs that wait or run although their delivery is final."""


# --- the senders ------------------------------------------------------------------------------------------------------


def read_ledgers(evidence: Evidence, folder: Path) -> None:
    """What the senders noted."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in _lines(path):
            if line.pop("repeated", False):
                evidence.repeated.append(Repeated(**line))
                continue
            wanted = {name: line[name] for name in Sent.__dataclass_fields__ if name in line}
            money = {name: Decimal(wanted[name]) for name in ("net", "paid")}
            evidence.sent.append(Sent(**wanted | money | {"reaches": tuple(wanted["reaches"])}))


# --- the partners -----------------------------------------------------------------------------------------------------


def read_partner(evidence: Evidence, name: str, log: Path, memory: Path) -> None:
    """What a partner logged and remembers."""
    for line in _lines(log):
        if "message_id" in line and "arrived" in line:
            evidence.arrivals.append(
                Arrival(
                    partner=name,
                    operation=line["operation"],
                    message_id=line["message_id"],
                    origin=(line.get("origin_sender", ""), line.get("origin_message_id", "")),
                    arrived=line["arrived"],
                    at=line["at"],
                    code=line["result_code"],
                    duplicate=bool(line.get("duplicate")),
                    fault=line.get("fault"),
                    is_reminder="overdue_stage" in line,
                )
            )
    books: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = {}
    for kind, key, record in _lines(memory):
        books[kind, tuple(key)] = record
    evidence.remembered[name] = [(kind, record) for (kind, _), record in books.items() if record is not None]
    if name == "HIS":
        evidence.his = list(_his_books(evidence.remembered[name]))


def _his_books(records: Iterable[tuple[str, dict[str, Any]]]) -> Iterable[Booking]:
    records = list(records)
    back: dict[Key, Decimal] = {}
    gone: set[tuple[Key, str]] = set()
    for refund in [record for kind, record in records if kind == "refunds"]:
        original = (refund["source_system"], refund["original_charge_no"])
        back[original] = back.get(original, Decimal(0)) + Decimal(refund["amount"])
        gone |= {(original, str(line["original_line_no"])) for line in refund["lines"]}
    for charge in [record for kind, record in records if kind == "charges"]:
        number = (charge["sender"], charge["charge_no"])
        codes = tuple(line["charge_code"] for no, line in charge["lines"].items() if (number, no) not in gone)
        net = Decimal(charge["amount"]) - back.get(number, Decimal(0))
        yield Booking(number=number, requisition_no=charge["requisition_no"], net=net, codes=codes)


# --- the store --------------------------------------------------------------------------------------------------------

_BOOKS = text(
    """
    SELECT c.sender_code, c.number, r.requisition_no, c.source,
        coalesce((SELECT sum(amount) FROM money_line_now WHERE transaction_key = c.key), 0)
        - coalesce((SELECT sum(l.amount) FROM money_line_now l JOIN money_now b ON b.key = l.transaction_key
            WHERE b.original_key = c.key AND b.kind <> 'CHARGE' AND b.state = 'CONFIRMED'), 0) AS net,
        ARRAY(SELECT l.charge_code FROM money_line_now l WHERE l.transaction_key = c.key AND NOT EXISTS (
            SELECT FROM money_line_now g JOIN money_now b ON b.key = g.transaction_key AND b.state = 'CONFIRMED'
            WHERE g.original_key = c.key AND g.original_line_no = l.line_no)) AS codes
    FROM money_now c LEFT JOIN requisition r ON r.key = c.requisition_key
    WHERE c.kind = 'CHARGE' AND c.state = 'CONFIRMED'
    """
)
_LEFT_OVER = text(
    """
    SELECT count(*) FROM procrastinate_jobs j
    LEFT JOIN delivery d ON d.id = (j.args ->> 'delivery_id')::bigint
    WHERE j.task_name = 'deliver' AND j.status IN ('todo', 'doing')
    AND (d.id IS NULL OR d.state IN ('DELIVERED', 'REFUSED', 'DISCARDED'))
    """
)
_REPETITION = "duplicate"


def read_store(evidence: Evidence, session: Session) -> None:
    """What the gateway has committed."""
    keys = select(MessageKey.sender_code, MessageKey.operation, MessageKey.message_id)
    evidence.keys = {(sender, operation, number) for sender, operation, number in session.execute(keys)}
    journal = text(
        "SELECT j.sender_code, j.operation, j.message_id, count(*) FROM journal j "
        "JOIN audit a ON a.txn_no = j.txn_no WHERE j.result_code = '0' AND a.detail IS DISTINCT FROM :repetition "
        "GROUP BY 1, 2, 3"
    )
    for sender, operation, number, times in session.execute(journal, {"repetition": _REPETITION}):
        evidence.journal[sender, operation, number] += times
    evidence.effects = _effects(session)
    evidence.deliveries = [
        Stored(
            id=row.id,
            partner=row.partner,
            operation=row.operation,
            lock=row.lock,
            state=row.state,
            origin=(row.origin_sender_code, row.origin_message_id),
            last_code=row.last_code,
            attempts=row.attempts,
            is_reminder=bool(row.is_reminder),
        )
        for row in session.execute(
            select(
                Delivery.id,
                Delivery.partner,
                Delivery.operation,
                Delivery.lock,
                Delivery.state,
                Delivery.origin_sender_code,
                Delivery.origin_message_id,
                Delivery.last_code,
                Delivery.attempts,
                Delivery.request.contains("<OverdueStage>").label("is_reminder"),
            ).order_by(Delivery.id)
        )
    ]
    evidence.jobs = session.scalar(_LEFT_OVER) or 0
    for sender, number, requisition_no, source, net, codes in session.execute(_BOOKS):
        found = Booking(number=(sender, number), requisition_no=requisition_no, net=net, codes=tuple(codes))
        (evidence.paid if source == "HIS" else evidence.ledger).append(found)


def _effects(session: Session) -> Counter[tuple[str, ...]]:
    """How often each business fact stands in the store: more than once is once too often."""
    found: Counter[tuple[str, ...]] = Counter()
    queries = {
        "status": select(StatusRecord.requisition_key, StatusRecord.item_seq, StatusRecord.event, func.count())
        .where(StatusRecord.applied)
        .group_by(StatusRecord.requisition_key, StatusRecord.item_seq, StatusRecord.event),
        "report": select(
            ReportVersion.sender_code, ReportVersion.report_no, ReportVersion.version, func.count()
        ).group_by(ReportVersion.sender_code, ReportVersion.report_no, ReportVersion.version),
        "acknowledgement": select(
            CriticalAcknowledgement.critical_value_key, CriticalAcknowledgement.ack_id, func.count()
        ).group_by(CriticalAcknowledgement.critical_value_key, CriticalAcknowledgement.ack_id),
    }
    for kind, query in queries.items():
        for *parts, times in session.execute(query):
            found[kind, *(str(part) for part in parts)] = times
    return found


def unfinished(session: Session) -> int:
    """Deliveries that still have to get somewhere; a read whose caller is gone has not."""
    query = select(func.count()).select_from(Delivery)
    query = query.where(Delivery.state.in_(("QUEUED", "SENDING", "UNKNOWN")), Delivery.operation.not_in(READS))
    return session.scalar(query) or 0


def _lines(path: Path) -> Iterable[Any]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)
