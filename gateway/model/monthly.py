"""Tables kept by the month: each row stands in the part of its month, and an old month is dropped as a whole.

A row for which no month has been made yet stands in the part `<table>_default`, so that nothing is ever refused for
want of a part. Months begin and end in UTC. gateway/storage/ makes the months and drops them.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import DDL, Sequence, Table, event

from gateway.model.base import Base

MONTHLY = {"journal": "received_at", "delivery": "created_at", "delivery_attempt": "started_at"}
"""Table -> the time by which its rows are put into months."""
LARGE = {"journal": ("xml",), "delivery": ("request", "answer"), "delivery_attempt": ()}
"""Table -> the columns that hold whole messages."""
PART = re.compile(r"(?P<table>journal|delivery|delivery_attempt)_(?P<months>before|default|\d{4}_\d{2})")
"""How the parts are named. `before` holds what was there when the table was divided."""

COMPRESS_WITH_LZ4 = """
DO $$ BEGIN
    IF 'lz4' = ANY (SELECT unnest(enumvals) FROM pg_settings WHERE name = 'default_toast_compression') THEN
        ALTER TABLE {table} {columns};
    END IF;
END $$
"""


def partition_by(table: str) -> dict[str, Any]:
    """For `__table_args__`."""
    return {"postgresql_partition_by": f"RANGE ({MONTHLY[table]})"}


def own_numbers(table: str) -> Sequence:
    """Numbers for the `id` of a monthly table; an identity column would mean other things on each PostgreSQL."""
    return Sequence(f"{table}_id_seq", metadata=Base.metadata)


def after_creation(table: str, *, numbered: bool) -> list[str]:
    """The statements that make a divided table complete; also of use in a migration."""
    statements = [f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT"]
    if numbered:
        statements.append(f"ALTER SEQUENCE {table}_id_seq OWNED BY {table}.id")
    columns = ", ".join(f"ALTER COLUMN {column} SET COMPRESSION lz4" for column in LARGE[table])
    if columns:
        statements.insert(0, COMPRESS_WITH_LZ4.format(table=table, columns=columns))
    return statements


def keep_by_month(model: type[Base], *, numbered: bool) -> None:
    """Let the table be complete when it is made from the model."""
    table = model.__table__
    assert isinstance(table, Table)
    for statement in after_creation(table.name, numbered=numbered):
        event.listen(table, "after_create", DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
