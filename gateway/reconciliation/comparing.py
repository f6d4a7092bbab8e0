"""Compares one day: both sides go into temporary tables of the database, which pairs them and keeps what differs.

Nothing is compared row by row in Python, so memory does not grow with the day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

import psycopg
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from gateway.model.reconciliation import ReconciliationRun
from gateway.reconciliation import insured, ours
from gateway.reconciliation.booking import Booking, Counterpart, Direction, Kind, Total

STATEMENT_SECONDS = 600
_THEIRS = """
CREATE TEMPORARY TABLE reconcile_theirs (
    id bigint GENERATED ALWAYS AS IDENTITY, number text, direction text, sender text, branch text, dept text,
    visit_no text, requisition_no text, own_no text, at timestamptz, core boolean, amount numeric(16, 2), state text,
    detail_no text, copies integer, pair bigint
) ON COMMIT DROP
"""
_FOUND = """
CREATE TEMPORARY TABLE reconcile_found (
    kind text, identity text, direction text, dept text, branch text, sender text, number text, visit_no text,
    requisition_no text, item_seq integer, our_key text, our_amount numeric(16, 2), our_state text, our_at timestamptz,
    their_no text, their_amount numeric(16, 2), their_state text, their_at timestamptz, remark text NOT NULL DEFAULT ''
) ON COMMIT DROP
"""
_COLUMNS = (
    "number, direction, sender, branch, dept, visit_no, requisition_no, own_no, at, core, amount, state, detail_no"
)

_SUM_DETAILS = f"""
WITH gone AS (DELETE FROM reconcile_theirs WHERE detail_no <> '' RETURNING *)
INSERT INTO reconcile_theirs ({_COLUMNS})
SELECT number, direction, sender, branch, min(dept), min(visit_no), min(requisition_no), own_no, min(at),
    bool_and(core), sum(amount), min(state), ''
FROM (SELECT DISTINCT ON (number, direction, sender, branch, own_no, detail_no) * FROM gone) lines
GROUP BY number, direction, sender, branch, own_no
"""  # noqa: S608 - our own names
_DROP_COPIES = """
DELETE FROM reconcile_theirs late USING (
    SELECT id, row_number() OVER (
        PARTITION BY number, direction, sender, branch, own_no, amount, state, detail_no ORDER BY id) AS place
    FROM reconcile_theirs WHERE own_no <> '') numbered
WHERE numbered.id = late.id AND numbered.place > 1
"""
_PAIR = """
WITH o AS (
    SELECT id, {keys}, row_number() OVER (PARTITION BY {keys} ORDER BY core DESC, at, id) AS place
    FROM (SELECT id, core, at, {our_keys} FROM reconcile_ours WHERE pair IS NULL AND {our_filter}) waiting
), t AS (
    SELECT id, {keys}, row_number() OVER (PARTITION BY {keys} ORDER BY core DESC, at, id) AS place
    FROM (SELECT id, core, at, {their_keys} FROM reconcile_theirs WHERE pair IS NULL AND {their_filter}) waiting
), pairs AS (SELECT o.id AS our, t.id AS their FROM o JOIN t USING ({keys}, place)),
marked AS (UPDATE reconcile_theirs SET pair = our FROM pairs WHERE id = their)
UPDATE reconcile_ours SET pair = their FROM pairs WHERE id = our
"""


@dataclass(frozen=True, slots=True)
class Pass:
    """One way to recognise a booking: columns that must be equal, and among which rows."""

    keys: dict[str, str]
    """Our column -> theirs."""
    our_filter: str = "true"
    their_filter: str = "true"


def _passes(named: Iterable[tuple[bool, bool]]) -> list[Pass]:
    """From the surest to the least sure; `named` says which of sender and branch the list names."""
    passes = []
    for has_sender, has_branch in named:
        extra = (["sender"] if has_sender else []) + (["branch"] if has_branch else [])
        rows = f"(sender <> '') = {has_sender} AND (branch <> '') = {has_branch}"
        for more in (["amount"], []):
            keys = ["number", "direction", *extra, *more]
            passes.append(Pass({key: key for key in keys}, their_filter=rows))
        if has_branch:
            keys = ["number", "direction", *(["sender"] if has_sender else [])]
            passes.append(Pass({key: key for key in keys}, "branch = ''", rows))
    own = Pass({"own_no": "own_no", "direction": "direction"}, "own_no <> ''", "own_no <> ''")
    as_number = Pass({"own_no": "number", "direction": "direction"}, "own_no <> ''", "number <> ''")
    by_requisition = "by_his AND requisition_no <> ''", "requisition_no <> ''"
    requisition = [
        Pass({key: key for key in ("requisition_no", "direction", *more)}, *by_requisition) for more in (["amount"], [])
    ]
    return [*passes, own, as_number, *requisition]


@dataclass(frozen=True, slots=True)
class Day:
    """Which day of which hospital is compared, with whom."""

    hospital_code: str
    day: date
    zone: timezone
    counterpart: Counterpart
    tolerance: timedelta
    department: str = ""

    @property
    def begin(self) -> datetime:
        return datetime.combine(self.day, time(), self.zone)

    @property
    def end(self) -> datetime:
        return self.begin + timedelta(days=1)

    def holds(self, at: datetime) -> bool:
        return self.begin <= at < self.end


@dataclass(slots=True)
class Loaded:
    """What was taken from the other side's list."""

    notes: Counter[str] = field(default_factory=Counter)
    """How many: other_days (rows of other days), copies (rows given twice, counted once), his_own (bookings HIS made by
    itself that its list cannot name), and by_number when there was no list."""
    agreed: dict[str, tuple[Total, Total]] = field(default_factory=dict)
    """Departments whose totals agree, so that their details were not fetched."""
    by_requisition: bool = False
    """Whether the list names requisitions, so that what HIS charged by itself can be found in it."""
    covers_midnight: bool = False
    """Whether the list also holds what was booked just before and after the day."""


class Comparison:
    """One comparison within one transaction; its tables vanish with it."""

    def __init__(self, session: Session, day: Day) -> None:
        self._session = session
        self.day = day
        self._side = ours if day.counterpart is Counterpart.HIS else insured
        self._window = ours.Window(day.hospital_code, day.counterpart, day.begin, day.tolerance)
        session.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"))
        session.execute(text("SET LOCAL work_mem = '64MB'"))
        for table in (ours.TABLE, _THEIRS, _FOUND):
            session.execute(text(table))

    # --- both sides ---------------------------------------------------------------------------------------------------

    def load_theirs(self, bookings: Iterable[Booking], loaded: Loaded, *, named: bool = False) -> None:
        """Take the other side's list, or with `named` single bookings of any day; what it raises comes through."""
        begin, end = self.day.begin - self.day.tolerance, self.day.end + self.day.tolerance
        with self._copied() as copy:
            for booking in bookings:
                at = booking.at
                core = self.day.holds(at) if at is not None else booking.day in (None, self.day.day)
                if core or named or (at is not None and begin <= at < end):
                    copy.write_row(_row(booking, core))
                else:
                    loaded.notes["other_days"] += 1
        self._session.execute(text(_SUM_DETAILS))
        loaded.notes["copies"] += self._count(_DROP_COPIES)
        self._session.execute(text("ANALYZE reconcile_theirs"))

    @contextmanager
    def _copied(self) -> Iterator[psycopg.Copy]:
        """Rows for reconcile_theirs; after a mistake the transaction goes on without any of them."""
        with self._session.begin_nested():
            driver = self._session.connection().connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            with driver.cursor() as cursor, cursor.copy(f"COPY reconcile_theirs ({_COLUMNS}) FROM STDIN") as copy:
                yield copy

    def load_ours(self) -> None:
        """Take what we have of the day."""
        self._side.load_day(self._session, self._window)
        self._session.execute(text("ANALYZE reconcile_ours"))

    def look_up_named(self) -> None:
        """Take also what they name and we have on another day."""
        self._side.load_named(self._session, self._window)
        self._session.execute(text("ANALYZE reconcile_ours"))

    def leave_out(self, departments: Iterable[str]) -> None:
        """Departments whose totals agree, so that their details were not fetched."""
        self._session.execute(text("DELETE FROM reconcile_ours WHERE dept = ANY(:those)"), {"those": [*departments]})

    def leave_out_his_own(self) -> int:
        """What HIS charged by itself, where its list cannot name it; returns how many."""
        return self._count("DELETE FROM reconcile_ours WHERE by_his AND pair IS NULL")

    def pair(self) -> None:
        """Find for each booking the one of the other side."""
        query = "SELECT DISTINCT sender <> '', branch <> '' FROM reconcile_theirs ORDER BY 1 DESC, 2 DESC"
        named = [(bool(row[0]), bool(row[1])) for row in self._session.execute(text(query))]
        for one in _passes(named):
            names = [f"k{number}" for number in range(len(one.keys))]
            statement = _PAIR.format(
                keys=", ".join(names),
                our_keys=", ".join(f"{column} AS {name}" for name, column in zip(names, one.keys, strict=True)),
                their_keys=", ".join(
                    f"{column} AS {name}" for name, column in zip(names, one.keys.values(), strict=True)
                ),
                our_filter=one.our_filter,
                their_filter=one.their_filter,
            )
            self._session.execute(text(statement))

    def missing(self, limit: int | None) -> list[tuple[Direction, str, str]]:
        """What is booked in our books alone: direction, sender, number."""
        query = (
            "SELECT direction, sender, number FROM reconcile_ours WHERE core AND pair IS NULL AND state = 'BOOKED' "
            "AND (:dept = '' OR dept = :dept) ORDER BY id LIMIT :limit"
        )
        rows = self._session.execute(text(query), {"dept": self.day.department, "limit": limit})
        return [(Direction(direction), sender, number) for direction, sender, number in rows]

    # --- what differs -------------------------------------------------------------------------------------------------

    def totals(self) -> dict[str, tuple[Total, Total]]:
        """Of each department what both sides booked on the day: ours, theirs."""
        result: dict[str, tuple[Total, Total]] = {}
        for place, statement in enumerate((_OUR_TOTALS, _THEIR_TOTALS)):
            for dept, *figures in self._session.execute(text(statement)):
                both = list(result.get(dept, (Total(), Total())))
                both[place] = Total(*figures)
                result[dept] = (both[0], both[1])
        return dict(sorted(result.items()))

    def find(self, loaded: Loaded, not_performed_days: int) -> None:
        """Put everything that differs into reconcile_found."""
        day = self.day
        only = Kind.HIS_ONLY if day.counterpart is Counterpart.HIS else Kind.INS_ONLY
        values: dict[str, Any] = {
            "counterpart": day.counterpart,
            "only": only,
            "hospital": day.hospital_code,
            "day": day.day,
            "begin": day.begin,
            "end": day.end,
            "early": day.begin - day.tolerance,
            "late": day.end + day.tolerance,
            "before_end": day.end - day.tolerance,
            "covers": loaded.covers_midnight,
            "waits": not loaded.covers_midnight and not self._is_compared(day.day + timedelta(days=1)),
        }
        for statement in (_PAIRED, _THEIRS_ONLY, _OURS_ONLY, _CARRIED_FROM_YESTERDAY):
            self._session.execute(text(statement), values)
        if day.counterpart is Counterpart.HIS:
            ours.find_missed_charges(self._session, day.hospital_code, day.begin)
            ours.find_not_performed(self._session, day.hospital_code, day.begin, not_performed_days)
        if day.department:
            self._session.execute(text("DELETE FROM reconcile_found WHERE dept <> :dept"), {"dept": day.department})

    def matched(self) -> int:
        """How many bookings of the day both sides have."""
        query = (
            "SELECT count(*) FROM reconcile_ours o JOIN reconcile_theirs t ON t.id = o.pair "
            "WHERE (o.core OR t.core) AND (:dept = '' OR o.dept = :dept)"
        )
        return int(self._session.execute(text(query), {"dept": self.day.department}).scalar_one())

    def _is_compared(self, day: date) -> bool:
        query = select(ReconciliationRun.id).where(
            ReconciliationRun.hospital_code == self.day.hospital_code,
            ReconciliationRun.day == day,
            ReconciliationRun.counterpart == self.day.counterpart,
            ReconciliationRun.department == "",
        )
        return self._session.scalars(query.limit(1)).first() is not None

    def _count(self, statement: str) -> int:
        return int(getattr(self._session.execute(text(statement)), "rowcount", 0))


def _row(booking: Booking, core: bool) -> tuple[Any, ...]:
    return (
        booking.number, booking.direction, booking.sender_code, booking.branch_code, booking.dept_code,
        booking.visit_no, booking.requisition_no, booking.own_no, booking.at, core, booking.amount,
        booking.state, booking.detail_no,
    )  # fmt: skip


_SUMS = """
    count(*) FILTER (WHERE direction = 'CHARGE'), coalesce(sum(amount) FILTER (WHERE direction = 'CHARGE'), 0.00),
    count(*) FILTER (WHERE direction = 'REFUND'), coalesce(sum(amount) FILTER (WHERE direction = 'REFUND'), 0.00)
"""
_OUR_TOTALS = f"""
SELECT dept, {_SUMS} FROM reconcile_ours WHERE core AND state = 'BOOKED' GROUP BY dept
"""  # noqa: S608 - our own names
_THEIR_TOTALS = f"""
SELECT where_to, {_SUMS} FROM (
    SELECT t.direction, t.amount, CASE WHEN t.dept <> '' THEN t.dept ELSE coalesce(o.dept, '') END AS where_to
    FROM reconcile_theirs t LEFT JOIN reconcile_ours o ON o.id = t.pair WHERE t.core AND t.state = 'BOOKED') booked
GROUP BY where_to
"""  # noqa: S608 - our own names

_FOUND_COLUMNS = """
INSERT INTO reconcile_found (kind, identity, direction, dept, branch, sender, number, visit_no, requisition_no, our_key,
    our_amount, our_state, our_at, their_no, their_amount, their_state, their_at, remark)
"""
_OUR_IDENTITY = "concat_ws('|', CAST(:counterpart AS text), o.direction, o.sender, o.branch, o.number)"
_PAIRED = f"""
{_FOUND_COLUMNS}
SELECT kind, {_OUR_IDENTITY}, o.direction, o.dept, o.branch, o.sender, o.number, o.visit_no, o.requisition_no, o.key,
    o.amount, o.state, o.at, t.own_no, t.amount, t.state, t.at,
    CASE WHEN kind = 'STATUS_DIFF' AND o.state = t.state THEN 'OTHER_DAY' ELSE '' END
FROM reconcile_ours o JOIN reconcile_theirs t ON t.id = o.pair
CROSS JOIN LATERAL (SELECT CASE
    WHEN o.state <> t.state THEN 'STATUS_DIFF'
    WHEN o.state <> 'BOOKED' THEN NULL
    WHEN o.amount <> t.amount THEN 'AMOUNT_DIFF'
    WHEN t.core AND NOT (o.at >= :early AND o.at < :late) THEN 'STATUS_DIFF'
    WHEN o.core AND NOT (t.at >= :early AND t.at < :late) THEN 'STATUS_DIFF'
    WHEN t.core <> o.core THEN 'ACROSS'
    END AS kind) classed
WHERE kind IS NOT NULL AND (o.core OR t.core)
"""  # noqa: S608 - our own names
_THEIRS_ONLY = f"""
WITH known AS MATERIALIZED (
    SELECT DISTINCT number, direction, sender, branch FROM reconcile_theirs WHERE pair IS NOT NULL)
{_FOUND_COLUMNS}
SELECT CAST(:only AS text), concat_ws('|', CAST(:counterpart AS text), t.direction, t.sender, t.branch, t.number,
        t.own_no, nullif(row_number() OVER (
            PARTITION BY t.direction, t.sender, t.branch, t.number, t.own_no ORDER BY id), 1)),
    t.direction, dept, t.branch, t.sender, t.number, visit_no, requisition_no, NULL, NULL, NULL, NULL, own_no, amount,
    state, at, CASE WHEN k.number IS NOT NULL THEN 'DUPLICATE' ELSE '' END
FROM reconcile_theirs t LEFT JOIN known k USING (number, direction, sender, branch)
WHERE pair IS NULL AND core AND state = 'BOOKED'
"""  # noqa: S608 - our own names
_OURS_ONLY = f"""
{_FOUND_COLUMNS}
SELECT CASE WHEN CAST(:waits AS boolean) AND o.at >= :before_end THEN 'CARRIED' ELSE 'GW_ONLY' END,
    {_OUR_IDENTITY}, o.direction, o.dept, o.branch, o.sender, o.number, o.visit_no, o.requisition_no, o.key, o.amount,
    o.state, o.at, nullif(o.own_no, ''), NULL, NULL, NULL, ''
FROM reconcile_ours o
WHERE o.pair IS NULL AND o.core AND o.state = 'BOOKED' AND NOT EXISTS (
    SELECT FROM reconciliation_difference d JOIN reconciliation_run r ON r.id = d.run_id
    WHERE d.our_key = o.key AND r.counterpart = :counterpart AND r.day <> :day
        AND (d.kind = 'ACROSS' OR d.remark = 'OTHER_DAY'))
"""  # noqa: S608 - our own names
_CARRIED_FROM_YESTERDAY = f"""
{_FOUND_COLUMNS}
SELECT 'GW_ONLY', {_OUR_IDENTITY}, o.direction, o.dept, o.branch, o.sender, o.number, o.visit_no, o.requisition_no,
    o.key, o.amount, o.state, o.at, nullif(o.own_no, ''), NULL, NULL, NULL, ''
FROM reconcile_ours o
WHERE o.pair IS NULL AND o.at >= :early AND o.at < :begin AND o.state = 'BOOKED'
    AND NOT CAST(:covers AS boolean) AND EXISTS (
    SELECT FROM reconciliation_difference d WHERE d.our_key = o.key AND d.kind = 'CARRIED' AND d.run_id = (
        SELECT max(r.id) FROM reconciliation_run r WHERE r.hospital_code = :hospital AND r.day = CAST(:day AS date) - 1
            AND r.counterpart = :counterpart AND r.department = ''))
"""  # noqa: S608 - our own names
