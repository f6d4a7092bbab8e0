"""Tables that only ever grow: what was booked, what was seen and who looked stays as it was written."""

from __future__ import annotations

from sqlalchemy import DDL, Table, event

from gateway.model.base import Base

FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: its rows are kept as they were written', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'Correct it by a row that is added.';
END $$
"""
"""Shared by every such table; a migration creates it once more, which changes nothing."""


def trigger(table: str) -> str:
    """The statement that guards a table; also of use in a migration."""
    return (
        f"CREATE TRIGGER keep_forever BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def keep_forever(*models: type[Base]) -> None:
    """Let the database refuse every UPDATE, DELETE and TRUNCATE of these tables, whoever asks."""
    for model in models:
        table = model.__table__
        assert isinstance(table, Table)
        for statement in (FUNCTION, trigger(table.name)):
            event.listen(table, "after_create", DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
