"""Emptying the tests' database, also of rows that the database keeps forever."""

from collections.abc import Collection

from sqlalchemy import Engine, text

from gateway.model.base import Base

_GUARDS = """
DO $$ DECLARE guarded regclass; BEGIN
    FOR guarded IN SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'keep_forever' LOOP
        EXECUTE format('ALTER TABLE %s {what} TRIGGER keep_forever', guarded);
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
