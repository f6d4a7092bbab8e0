"""The database: its engine, one transaction per message, and many rows in one round trip."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import Dialect, Engine, Identity, Table, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from gateway.model.base import Base

_TAKE_TURN = text(
    "INSERT INTO turn AS known (name, hour) VALUES (:name, :hour) "
    "ON CONFLICT (name) DO UPDATE SET hour = excluded.hour WHERE known.hour < excluded.hour RETURNING name"
)

Row = tuple[type[Base], dict[str, Any]]
"""A table's class and the values of one row, by column name."""


KEEPALIVES: Mapping[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""By which this side notices within about ten seconds that the machine of the database is gone."""
NOTICE_LOSS = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10s"
"""By which the database notices as fast that our machine is gone, and frees what it had locked; else it takes hours."""


def make_engine(url: str, *, pool_size: int = 20) -> Engine:
    """The engine of this process: at most twice `pool_size` connections. Values never appear in its errors or logs.

    All are kept: closing some after each message and opening them again took half as much of PostgreSQL's time as the
    messages themselves when 64 clients called at once.
    """
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=2 * pool_size,
        max_overflow=0,
        pool_use_lifo=True,
        pool_timeout=10,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": 5,
            "options": f"-c lock_timeout=10s -c statement_timeout=30s -c timezone=UTC {NOTICE_LOSS}",
            **KEEPALIVES,
        },
    )


def make_sessions(engine: Engine) -> sessionmaker[Session]:
    """Sessions that keep what they loaded after a commit, because one message may need two transactions."""
    return sessionmaker(engine, expire_on_commit=False)


def insert_rows(session: Session, rows: Iterable[Row]) -> None:
    """Insert rows of any tables in one statement and one round trip.

    A message writes six rows and more; one statement with a JSON parameter per table costs a third of what the ORM
    needs for them (docs/benchmarks.md). Columns left out of a row are NULL, so defaults of the database do not apply,
    except that identity columns are numbered.
    """
    by_table: dict[type[Base], list[dict[str, Any]]] = {}
    for model, values in rows:
        by_table.setdefault(model, []).append(_as_kept(model, values, session.connection().dialect))
    if by_table:
        tables = tuple(by_table)
        parameters = {
            f"rows_{n}": json.dumps(by_table[t], default=plain, ensure_ascii=False) for n, t in enumerate(tables)
        }
        session.connection().exec_driver_sql(_insert_statement(tables), parameters)


def _as_kept(model: type[Base], values: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """With what a column of a type of its own makes of its value; the statements above go past SQLAlchemy's types."""
    changed = {name: kind.process_bind_param(values[name], dialect) for name, kind in _own_types(model)}
    return {**values, **changed} if changed else values


@cache
def _own_types(model: type[Base]) -> tuple[tuple[str, TypeDecorator[Any]], ...]:
    return tuple((c.name, c.type) for c in model.__table__.columns if isinstance(c.type, TypeDecorator))


@contextmanager
def one_trip(session: Session) -> Iterator[psycopg.Connection[Any]]:
    """Send the statements inside together and wait once for all their answers (PostgreSQL's pipeline).

    Gives the driver's connection, to ask what has an answer; what has none may go through the session as always. A
    mistake in any statement comes up at the end, as SQLAlchemy's error.
    """
    connection = session.connection()
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    try:
        with driver.pipeline():
            yield driver
    except psycopg.Error as problem:
        lost = driver.closed
        if lost:
            connection.invalidate(problem)
        raise DBAPIError.instance(
            None, None, problem, psycopg.Error, hide_parameters=True, connection_invalidated=lost
        ) from None


def take_turn(session: Session, name: str, since: datetime) -> bool:
    """Whether this process is the site's first since that moment; if its transaction fails, another may be."""
    return session.execute(_TAKE_TURN, {"name": name, "hour": since}).first() is not None


@cache
def _insert_statement(models: tuple[type[Base], ...]) -> str:
    parts = []
    for number, model in enumerate(models):
        table = model.__table__
        assert isinstance(table, Table)
        columns = ", ".join(
            f'"{column.name}"' for column in table.columns if not isinstance(column.server_default, Identity)
        )
        source = f"json_populate_recordset(NULL::{table.name}, %(rows_{number})s::json)"
        parts.append(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {source}")  # noqa: S608 - our own names
    head = "".join(f"{', ' if n else 'WITH '}insert_{n} AS ({part})" for n, part in enumerate(parts[:-1]))
    return f"{head} {parts[-1]}"


def plain(value: Any) -> str:
    """How a value is written in the JSON parameter; PostgreSQL's own input functions read it."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (bytes, memoryview)):
        return "\\x" + bytes(value).hex()
    raise TypeError(f"{type(value).__name__} has no place in a table")
