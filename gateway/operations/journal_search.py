"""Finding messages in the journal: by patient, requisition, visit, MessageId, transaction number, sender and time.

Whatever is asked for, no more is read than what fits it; what a message held is read for one message at a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session, defer

from gateway.model.journal import JournalEntry
from gateway.operations.audit_trail import same_patient

MOST = 1000
_TXN_NO = re.compile(r"G(\d{12})\d{3}[0-9a-f]{10}")
_ANY_ZONE = timedelta(hours=15)
"""A transaction number tells its moment in hospital time, whichever that was."""
_SHOWN = (
    "txn_no", "received_at", "operation", "sender_code", "message_id", "hospital_code", "branch_code",
    "requisition_no", "visit_no", "patient_id", "soap_version", "result_code", "answered_at",
)  # fmt: skip
_COLUMNS = [getattr(JournalEntry, name) for name in _SHOWN]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages; None leaves a criterion out, and all that are given must fit."""

    since: datetime | None = None
    until: datetime | None = None
    patient: str | None = None
    """Also under every id that was merged with this one."""
    requisition_no: str | None = None
    visit_no: str | None = None
    message_id: str | None = None
    txn_no: str | None = None
    sender: str | None = None
    operation: str | None = None
    result_code: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One message as lists show it, without what it held."""

    txn_no: str
    received_at: datetime
    operation: str
    sender_code: str
    message_id: str
    hospital_code: str
    branch_code: str
    requisition_no: str | None
    visit_no: str | None
    patient_id: str | None
    soap_version: str
    """"parked" when it was kept for a while and applied later."""
    result_code: str
    """"-" while it is being decided."""
    answered_at: datetime


def search(session: Session, wanted: Wanted, limit: int = 100) -> list[Found]:
    """The latest messages that fit everything wanted, at most `limit` of them, the latest first.

    With one of patient, requisition, visit, message or transaction all that fit are found by that first: PostgreSQL
    would otherwise sometimes walk through the whole journal from its end, hoping to meet one soon.
    """
    conditions = _named(session, wanted)
    within = [*_times(wanted), *_narrowing(wanted)]
    if conditions:
        hits = select(*_COLUMNS).where(*conditions, *within).cte("hits").prefix_with("MATERIALIZED")
        query = select(hits).order_by(hits.c.received_at.desc(), hits.c.txn_no.desc())
    else:
        query = select(*_COLUMNS).where(*within)
        query = query.order_by(JournalEntry.received_at.desc(), JournalEntry.txn_no.desc())
    rows = session.execute(query.limit(min(limit, MOST)))
    return [Found(*row) for row in rows]


def entry(session: Session, txn_no: str, *, content: bool = True) -> JournalEntry | None:
    """The journal's entry of one message, with its XML; None when there is none, or no longer."""
    query = select(JournalEntry).where(_is(txn_no))
    if not content:
        query = query.options(defer(JournalEntry.xml))
    return session.scalars(query).one_or_none()


def entries(session: Session, wanted: Wanted, limit: int = MOST) -> Sequence[JournalEntry]:
    """The same as `search` with the XML, the oldest first: the order in which messages are sent again."""
    found = search(session, wanted, limit)
    if not found:
        return ()
    query = select(JournalEntry).where(
        JournalEntry.txn_no.in_([one.txn_no for one in found]),
        JournalEntry.received_at.between(found[-1].received_at, found[0].received_at),
    )
    return session.scalars(query.order_by(JournalEntry.received_at, JournalEntry.txn_no)).all()


def _named(session: Session, wanted: Wanted) -> list[ColumnElement[bool]]:
    """What names few messages out of all."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.txn_no is not None:
        conditions.append(_is(wanted.txn_no))
    if wanted.patient is not None:
        conditions.append(JournalEntry.patient_id.in_(same_patient(session, wanted.patient)))
    if wanted.requisition_no is not None:
        conditions.append(JournalEntry.requisition_no == wanted.requisition_no)
    if wanted.visit_no is not None:
        conditions.append(JournalEntry.visit_no == wanted.visit_no)
    if wanted.message_id is not None:
        conditions.append(JournalEntry.message_id == wanted.message_id)
    return conditions


def _narrowing(wanted: Wanted) -> list[ColumnElement[bool]]:
    pairs = (
        (JournalEntry.sender_code, wanted.sender),
        (JournalEntry.operation, wanted.operation),
        (JournalEntry.result_code, wanted.result_code),
    )
    return [column == value for column, value in pairs if value is not None]


def _times(wanted: Wanted) -> list[ColumnElement[bool]]:
    """Between two moments: whole months are then not even looked at."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(JournalEntry.received_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(JournalEntry.received_at < wanted.until)
    return conditions


def _is(txn_no: str) -> ColumnElement[bool]:
    """The message of this number, looked for in its month only."""
    named = JournalEntry.txn_no == txn_no
    moment = _moment(txn_no)
    if moment is None:
        return named
    return and_(named, JournalEntry.received_at.between(moment - _ANY_ZONE, moment + _ANY_ZONE))


def _moment(txn_no: str) -> datetime | None:
    match = _TXN_NO.fullmatch(txn_no)
    if match is None:
        return None
    try:
        return datetime.strptime(match[1], "%y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
