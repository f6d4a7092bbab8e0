"""What had no row: counted by value, listed, alarmed once, and settled as soon as a row is there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from gateway.codes.lines import LONGEST_CODE
from gateway.codes.picture import Asked, take_picture
from gateway.codes.tables import hold_revision
from gateway.mapping.codes import UnmappedPolicy
from gateway.model.code_table import UnmappedCode, WaitingForCode
from gateway.model.journal import Alert

ALERT = "CODE_UNMAPPED"
STOPPING = (UnmappedPolicy.REJECT, UnmappedPolicy.PARK)
"""Policies by which a message does not go on."""
STORING_SECONDS = 1.0
"""How long counts are gathered before they are stored."""

_log = logging.getLogger(__name__)


MOST_KNOWN = 10_000
KEPT_DAYS = 90
"""How long a value is remembered that is not met any more."""


@dataclass(slots=True)
class _Count:
    policy: UnmappedPolicy
    revision: int
    many: int = 0


class Recorder:
    """Counts what was met without a row. Never lets a message fail.

    What stops a message, and the first of any value, is stored at once; the others are gathered for a second.
    """

    def __init__(self, sessions: sessionmaker[Session], now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._now = now
        self._lock = threading.Lock()
        self._counts: dict[Asked, _Count] = {}
        self._known: set[Asked] = set()
        self._timer: threading.Timer | None = None

    def met(self, asked: Asked, policy: UnmappedPolicy, revision: int) -> None:
        """This value was asked for and had no row at that revision of the tables."""
        one = Asked(asked.table, shown(asked.key), asked.partner, asked.hospital_code, asked.outbound)
        with self._lock:
            count = self._counts.setdefault(one, _Count(policy, revision))
            count.policy, count.revision, count.many = policy, revision, count.many + 1
            at_once = policy in STOPPING or one not in self._known
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known.add(one)
            if not at_once and self._timer is None:
                self._timer = threading.Timer(STORING_SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()
        if at_once:
            self.flush()

    def flush(self) -> None:
        """Store what was counted; what cannot be stored now is stored with the next."""
        with self._lock:
            counts, self._counts = self._counts, {}
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if not counts:
            return
        try:
            with self._sessions.begin() as session:
                present = hold_revision(session)
                for asked, count in sorted(counts.items(), key=lambda one: str(one[0])):
                    is_open = count.revision == present
                    remember(session, asked, count.policy, count.many, self._now(), is_open=is_open)
        except SQLAlchemyError as problem:
            _log.warning("Values without a row are counted later: %s.", type(problem).__name__)
            with self._lock:
                for asked, count in counts.items():
                    self._counts.setdefault(asked, _Count(count.policy, count.revision)).many += count.many


def remember(
    session: Session, asked: Asked, policy: UnmappedPolicy, many: int, now: datetime, *, is_open: bool = True
) -> None:
    """Count a value without a row, and alarm once where a message is stopped by it.

    When the tables have changed since it was looked up it is not opened: whoever is stopped by it looks again. What is
    open already stays so, as those who changed them have looked at it and left it open; others may wait for it.
    """
    values = {
        "hospital_code": asked.hospital_code,
        "partner": asked.partner,
        "code_table": asked.table[:LONGEST_CODE],
        "outbound": asked.outbound,
        "value": shown(asked.value),
        "policy": policy,
        "met": many,
        "first_seen": now,
        "last_seen": now,
        "resolved_at": None if is_open else now,
    }
    again = {"policy": policy, "met": UnmappedCode.met + many, "last_seen": now}
    if is_open:
        again["resolved_at"] = None
    query = insert(UnmappedCode).values(values)
    session.execute(query.on_conflict_do_update(constraint="uq_unmapped_code_value", set_=again))
    if is_open and policy in STOPPING:
        _alarm(session, subject(asked), now)


def _alarm(session: Session, text: str, now: datetime) -> None:
    """Once as long as nobody has settled it."""
    known = select(Alert.id).where(Alert.kind == ALERT, Alert.subject == text, Alert.settled_at.is_(None))
    if session.scalars(known.limit(1)).first() is None:
        session.add(Alert(raised_at=now, kind=ALERT, subject=text, txn_no=None))


def open_number(session: Session, asked: Asked, policy: UnmappedPolicy, now: datetime) -> int | None:
    """The number of a value that stops a message; None when that has changed meanwhile, and is to be looked up again.

    The tables cannot change until the transaction ends: whoever changes them then finds what waits.
    """
    hold_revision(session)
    query = select(UnmappedCode).where(
        UnmappedCode.hospital_code == asked.hospital_code,
        UnmappedCode.partner == asked.partner,
        UnmappedCode.code_table == asked.table[:LONGEST_CODE],
        UnmappedCode.outbound == asked.outbound,
        UnmappedCode.value == shown(asked.value),
    )
    found = session.scalars(query).one_or_none()
    if found is None:  # the database was away when it was met
        remember(session, asked, policy, 1, now)
        found = session.scalars(query).one()
    return found.id if found.resolved_at is None else None


def forget_unmapped(session: Session, now: datetime) -> int:
    """Forget what was not met for three months and stops nothing; how many there were."""
    waits = exists().where(WaitingForCode.unmapped_id == UnmappedCode.id)
    old = UnmappedCode.last_seen < now - timedelta(days=KEPT_DAYS)
    return len(session.scalars(delete(UnmappedCode).where(old, ~waits).returning(UnmappedCode.id)).all())


def subject(asked: Asked) -> str:
    """What an alert says of it."""
    return f"{asked.partner}: table {asked.table} has no row for {shown(asked.value)} ({way(asked.outbound)})"


def way(outbound: bool) -> str:
    return "ours to theirs" if outbound else "theirs to ours"


def shown(value: str) -> str:
    """A value no longer than a code may be: whatever is longer is none."""
    return value if len(value) <= LONGEST_CODE else value[: LONGEST_CODE - 1] + "…"


# --- settled ----------------------------------------------------------------------------------------------------------


def settle(session: Session, now: datetime) -> list[int]:
    """Settle what need not stop a message any more, with its alert; the numbers of what was settled.

    To be called in the transaction that has changed a table. It looks at every open value: there are few of them.
    """
    rows = session.scalars(select(UnmappedCode).where(UnmappedCode.resolved_at.is_(None)).with_for_update()).all()
    picture = take_picture(session)
    settled = []
    for row in rows:
        asked = asked_of(row)
        lacking = picture.lacks(asked)
        if lacking is not None:
            picture = picture.reading(session, [lacking])
        policy = picture.table_for(asked).policy
        goes_on = policy in (UnmappedPolicy.PASS, UnmappedPolicy.DEFAULT)
        if picture.answer(asked, now.date()) is not None or (goes_on and policy != row.policy):
            row.resolved_at = now
            settled.append(row.id)
            _settle_alert(session, subject(asked), now)
    return settled


def asked_of(row: UnmappedCode) -> Asked:
    return Asked(row.code_table, row.value, row.partner, row.hospital_code, row.outbound)


def _settle_alert(session: Session, text: str, now: datetime) -> None:
    session.execute(
        update(Alert)
        .where(Alert.kind == ALERT, Alert.subject == text, Alert.settled_at.is_(None))
        .values(settled_at=now)
    )


def unmapped_codes(
    session: Session, hospital_code: str | None = None, partner: str | None = None, *, settled: bool = False
) -> Sequence[UnmappedCode]:
    """What had no row and still has none, or with `settled` everything, the last met first."""
    query = select(UnmappedCode).order_by(UnmappedCode.last_seen.desc(), UnmappedCode.id)
    if not settled:
        query = query.where(UnmappedCode.resolved_at.is_(None))
    if hospital_code is not None:
        query = query.where(UnmappedCode.hospital_code == hospital_code)
    if partner is not None:
        query = query.where(UnmappedCode.partner == partner)
    return session.scalars(query).all()
