"""Letting go of what is older than the site wants to keep: whole months of the journal and of the deliveries, and keys.

What a person or the gateway still has to deal with stays, however old: deliveries without an end and their attempts,
and the messages that open alerts, unfinished deliveries, parked messages and money without an outcome come from.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, text

from gateway.config import Storage
from gateway.model.delivery import UNFINISHED
from gateway.model.monthly import MONTHLY
from gateway.storage.months import LOCK_WAIT, MONTHS_LOCK, month_of, months_later, move_rows, parts

BLOCKS = 2000
"""Pages of a table that are looked through in one transaction where rows are deleted one by one."""
FINISHED_MONEY = ("CONFIRMED", "REJECTED", "REVERSED")

_OPEN_STATES = ", ".join(f"'{state}'" for state in UNFINISHED)
_IS_OPEN = f"state IN ({_OPEN_STATES})"
_MONEY_IS_OPEN = "state NOT IN ({})".format(", ".join(f"'{state}'" for state in FINISHED_MONEY))
_JOBS = """
    SELECT (args ->> 'delivery_id')::bigint FROM procrastinate_jobs
    WHERE status IN ('todo', 'doing') AND args ->> 'delivery_id' IS NOT NULL
    """
_ORIGINS = f"""
    SELECT txn_no FROM alert WHERE settled_at IS NULL AND txn_no IS NOT NULL
    UNION SELECT txn_no FROM delivery WHERE {_IS_OPEN}
    UNION SELECT txn_no FROM parked_message WHERE applied_at IS NULL AND result_code IS NULL
    UNION SELECT txn_no FROM money_now WHERE {_MONEY_IS_OPEN}
    """  # noqa: S608 - our own words
_STAYING = f"SELECT id FROM delivery WHERE created_at < '{{cut}}' AND ({_IS_OPEN} OR id IN ({_JOBS}))"  # noqa: S608
_STAYS = {
    "delivery": f"{_IS_OPEN} OR id IN ({_JOBS})",
    "delivery_attempt": f"delivery_id IN ({_STAYING})",
    "journal": f"txn_no IN ({_ORIGINS})",
    "message_key": "FALSE",
    "parked_message": "applied_at IS NULL AND result_code IS NULL",
}
"""Table -> which of its rows stay, however old."""
_TIMES = MONTHLY | {"message_key": "created_at", "parked_message": "parked_at"}
_NUMBER = {"delivery": "id", "delivery_attempt": "id", "journal": "txn_no"}
_ORDER = ("delivery_attempt", "delivery", "journal", "message_key", "parked_message")
"""Attempts before their deliveries, which say whether they stay."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to be done: a month that goes as a whole, or a table whose old rows go one by one."""

    table: str
    name: str
    cut: datetime
    """What is older goes."""
    is_month: bool
    rows: int
    """About how many rows there are in all of it, by PostgreSQL's statistics."""
    bytes: int


@dataclass(slots=True)
class Pruned:
    """What has gone, and what had to stay although it is old."""

    months: int = 0
    rows: int = 0
    """Deleted one by one, beside whole months."""
    kept: int = 0

    def __str__(self) -> str:
        return f"months={self.months} rows={self.rows} kept={self.kept}"


Told = Callable[[Step, float], None]
"""Hears which step is under way, and how much of it is done, from 0 to 1."""


def plan(connection: Connection, storage: Storage, now: datetime) -> list[Step]:
    """What `prune` would do now, in order."""
    cuts = _cuts(storage, now)
    present = parts(connection)
    steps = []
    for table in _ORDER:
        if table not in cuts:
            continue
        cut = cuts[table]
        if table not in MONTHLY:
            steps.append(_step(connection, table, table, cut, is_month=False))
        for part in (part for part in present if part.table == table):
            if part.ends is not None and part.ends <= cut:
                steps.append(_step(connection, table, part.name, cut, is_month=True))
            elif part.begins is None or part.begins < cut:
                steps.append(_step(connection, table, part.name, cut, is_month=False))
    return steps


def count(connection: Connection, step: Step) -> int:
    """How many rows a step would let go, exactly; it reads all of the table."""
    old = f"SELECT count(*) FROM {step.name} WHERE {_is_old(step)} AND NOT ({_stays(step)})"  # noqa: S608
    return int(connection.exec_driver_sql(old).scalar_one())


def prune(engine: Engine, storage: Storage, now: datetime, told: Told = lambda step, done: None) -> Pruned:
    """Let go of everything that is too old; may be repeated, and run by several at once.

    A month goes in one short transaction. Raises sqlalchemy.exc.OperationalError when a lock cannot be had within
    seconds, because somebody reads for long: what was done until then stays done, and the rest is for the next time.
    """
    pruned = Pruned()
    with engine.connect() as connection:
        steps = plan(connection, storage, now)
    for step in steps:
        told(step, 0)
        if step.is_month:
            _drop(engine, step, pruned)
        else:
            for done in _sweep(engine, step, pruned):
                told(step, done)
        told(step, 1)
    return pruned


def _cuts(storage: Storage, now: datetime) -> dict[str, datetime]:
    """Table -> the beginning of the oldest month that is kept."""
    wanted = {
        "delivery": storage.delivery_months,
        "delivery_attempt": storage.delivery_months,
        "journal": storage.journal_months,
        "message_key": storage.key_months,
        "parked_message": storage.key_months,
    }
    return {table: months_later(month_of(now), -months) for table, months in wanted.items() if months is not None}


def _step(connection: Connection, table: str, name: str, cut: datetime, *, is_month: bool) -> Step:
    figures = (
        "SELECT greatest(reltuples, 0), pg_total_relation_size(oid) FROM pg_class WHERE oid = CAST(:name AS regclass)"
    )
    rows, size = connection.execute(text(figures), {"name": name}).one()
    return Step(table, name, cut, is_month, int(rows), int(size))


def _drop(engine: Engine, step: Step, pruned: Pruned) -> None:
    """Let a month go, but for what stays: that moves to the part for everything else.

    What stays is looked for before the month is locked, so that nobody waits meanwhile. What is finished does not begin
    again, unless an operator retries it just then: it has a job by which it is found under the lock.
    """
    table, number = step.table, _NUMBER[step.table]
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        run(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
        run("SET LOCAL statement_timeout = '30min'")
        run(f"SELECT pg_advisory_xact_lock({MONTHS_LOCK})")
        if not any(part.name == step.name for part in parts(connection)):
            return  # another process was quicker
        stays = f"SELECT {number} FROM {step.name} WHERE {_stays(step)}"  # noqa: S608 - our own words
        run(f"CREATE TEMPORARY TABLE staying ON COMMIT DROP AS {stays}")
        run("ANALYZE staying")
        run(f"ALTER TABLE {table} DETACH PARTITION {step.name}")
        if table == "delivery":
            run(f"INSERT INTO staying {_JOBS}")
        pruned.kept += move_rows(connection, step.name, table, f"{number} IN (TABLE staying)")
        run(f"DROP TABLE {step.name}")
        pruned.months += 1
    _log.info("Month %s has been let go.", step.name)


def _sweep(engine: Engine, step: Step, pruned: Pruned) -> Iterator[float]:
    """Delete old rows some pages at a time; gives how much of the table is done."""
    with engine.connect() as connection:
        size = connection.scalar(text("SELECT pg_relation_size(CAST(:name AS regclass)) / 8192"), {"name": step.name})
    pages = int(size or 0)
    for start in range(0, pages + 1, BLOCKS):
        where = f"ctid >= '({start},0)' AND ctid < '({start + BLOCKS},0)' AND {_is_old(step)} AND NOT ({_stays(step)})"
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = '10min'")
            gone = connection.exec_driver_sql(f"DELETE FROM {step.name} WHERE {where}")  # noqa: S608 - our own words
            pruned.rows += gone.rowcount
        yield min((start + BLOCKS) / max(pages, 1), 1)


def _is_old(step: Step) -> str:
    return f"{_TIMES[step.table]} < '{step.cut.isoformat()}'"


def _stays(step: Step) -> str:
    return _STAYS[step.table].format(cut=step.cut.isoformat())
