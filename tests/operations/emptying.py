"""Emptying the tests' database, also of rows that the database keeps forever."""

from collections.abc import Collection

from sqlalchemy import Engine, text

from gateway.model.base import Base

_GUARDS = r"""
DO $$ DECLARE guard record; BEGIN
    FOR guard IN SELECT tgrelid::regclass AS guarded, tgname FROM pg_trigger WHERE tgname LIKE 'keep\_%' LOOP
        EXECUTE format('ALTER TABLE %s {what} TRIGGER %I', guard.guarded, guard.tgname);
    END LOOP;
END $$
"""


def clear(engine: Engine, *, but: Collection[str] = ()) -> None:
    """Delete every row of ours, except in the tables named."""
    with engine.begin() as connection:
        connection.execute(text(_GUARDS.format(what="DISABLE")))
        for table in reversed(Base.metadata.sorted_tables):
            if table.name not in but:
                connection.execute(text(f"DELETE FROM {table.name}"))
        connection.execute(text(_GUARDS.format(what="ENABLE")))
