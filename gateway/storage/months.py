"""The months of the large tables: which parts there are, and making those of the time to come."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from gateway.model.monthly import MONTHLY
from gateway.store import make_engine

AHEAD = 2
"""Months made before they begin: a gateway whose clock work stands still for so long still finds them."""
MONTHS_LOCK = 0x48475752
"""The advisory lock of whoever changes the parts."""
LOCK_WAIT = "3s"
"""For a lock on a table: who waits longer makes messages wait too, and tries again later instead."""

_PARTS = text(
    """
    SELECT parent.relname, part.relname, pg_get_expr(part.relpartbound, part.oid)
    FROM pg_inherits
    JOIN pg_class part ON part.oid = inhrelid
    JOIN pg_class parent ON parent.oid = inhparent AND parent.relkind = 'p'
    WHERE parent.relname = ANY (:tables) AND pg_table_is_visible(parent.oid)
    """
)
_BOUNDS = re.compile(r"FROM \((MINVALUE|'[^']+')\) TO \('([^']+)'\)")
_EARLIEST = datetime.min.replace(tzinfo=UTC)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One part of a table. `begins` and `ends` are None for the part that takes what has no other."""

    table: str
    begins: datetime | None
    ends: datetime | None
    name: str

    def covers(self, moment: datetime) -> bool:
        return self.begins is not None and self.ends is not None and self.begins <= moment < self.ends


def parts(connection: Connection) -> list[Part]:
    """All parts of the monthly tables, by table and time, the one for everything else last."""
    found = []
    for table, name, bounds in connection.execute(_PARTS, {"tables": list(MONTHLY)}):
        match = _BOUNDS.search(bounds)
        begins, ends = (_moment(match[1]), _moment(match[2])) if match else (None, None)
        found.append(Part(table, begins, ends, name))
    return sorted(found, key=lambda part: (list(MONTHLY).index(part.table), part.ends is None, part.ends or _EARLIEST))


def _moment(text: str) -> datetime:
    """As PostgreSQL writes it; the beginning of all time for MINVALUE."""
    return _EARLIEST if text == "MINVALUE" else datetime.fromisoformat(text.strip("'")).astimezone(UTC)


def month_of(moment: datetime) -> datetime:
    """When its month began, in UTC."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def months_later(month: datetime, count: int) -> datetime:
    """The beginning of another month; a negative count goes back."""
    years, index = divmod(month.year * 12 + month.month - 1 + count, 12)
    return month.replace(year=years, month=index + 1)


def make_months(engine: Engine, now: datetime, ahead: int = AHEAD) -> list[str]:
    """Make the parts of this and the next months where they are missing; the names of those made.

    Any process may call this at any time. Each part is made in a transaction of its own, in which nobody waits for
    more than a moment; what already stands in the part for everything else moves to its month.
    """
    with engine.connect() as connection:
        missing = list(_missing(connection, now, ahead))
    made = []
    for table, month in missing:
        with engine.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MONTHS_LOCK})
            if (table, month) in _missing(connection, now, ahead):
                made.append(_make(connection, table, month))
    if made:
        _log.info("Months are ready: %s.", ", ".join(made))
    return made


def prepare(url: str, now: datetime) -> None:
    """Make the months of a database that was just brought up to date; what cannot be made now is made later."""
    engine = make_engine(url, pool_size=1)
    try:
        make_months(engine, now)
    except DBAPIError as problem:
        _log.warning("The months could not be made yet: %s.", type(problem).__name__)
    finally:
        engine.dispose()


def _missing(connection: Connection, now: datetime, ahead: int) -> Iterator[tuple[str, datetime]]:
    present = parts(connection)
    for table in MONTHLY:
        for count in range(ahead + 1):
            month = months_later(month_of(now), count)
            if not any(part.table == table and part.covers(month) for part in present):
                yield table, month


def _make(connection: Connection, table: str, month: datetime) -> str:
    name, time = f"{table}_{month:%Y_%m}", MONTHLY[table]
    begins, ends = month.isoformat(), months_later(month, 1).isoformat()
    run = connection.exec_driver_sql
    run(f"LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE")
    run(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMPRESSION)")
    move_rows(connection, f"{table}_default", name, f"{time} >= '{begins}' AND {time} < '{ends}'")
    run(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{begins}') TO ('{ends}')")
    return name


def move_rows(connection: Connection, source: str, target: str, condition: str) -> int:
    """Move the rows of one table that fit a condition into another with the same columns; how many there were."""
    columns = ", ".join(
        connection.scalars(
            text(
                "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = CAST(:source AS regclass) "
                "AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
            ),
            {"source": source},
        )
    )
    taken = f"DELETE FROM {source} WHERE {condition} RETURNING {columns}"  # noqa: S608 - our own words
    put = f"INSERT INTO {target} ({columns}) SELECT {columns} FROM taken"  # noqa: S608
    return connection.exec_driver_sql(f"WITH taken AS ({taken}) {put}").rowcount
