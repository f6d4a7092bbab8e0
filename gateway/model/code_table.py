"""Code mapping (对照): what a hospital's codes are called at its partners, in versions kept as they were in use.

A version is a complete set of rows. It is made as a draft, at most one of a table is active, and what was active stays
as it was, so that one can go back to it.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    DDL,
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    Table,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.model.append_only import FUNCTION
from gateway.model.base import Base


class VersionState(StrEnum):
    """Where a version stands."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


class Direction(StrEnum):
    """Which way a row may be read."""

    BOTH = "BOTH"
    OUT = "OUT"
    """Ours to theirs only."""
    IN = "IN"
    """Theirs to ours only."""


class CodeTable(Base):
    """The name under which stylesheets ask, for one partner or for all of a hospital, and what becomes of the rest."""

    __tablename__ = "code_table"
    __table_args__ = (UniqueConstraint("hospital_code", "partner", "name"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    hospital_code: Mapped[str]
    partner: Mapped[str]
    """Empty: for every partner that has no table of this name of its own."""
    name: Mapped[str]
    policy: Mapped[str]
    """What becomes of a value without a row: reject, pass, default or park."""
    default_theirs: Mapped[str | None]
    """With the policy `default`: what goes out for a code of ours without a row."""
    default_ours: Mapped[str | None]
    """With the policy `default`: what comes in for a code of theirs without a row."""
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    """Who made it, or gave it another policy."""


class CodeVersion(Base):
    """A complete set of rows of one table; only a draft can still grow."""

    __tablename__ = "code_version"
    __table_args__ = (
        UniqueConstraint("table_id", "number"),
        Index("uq_code_version_active", "table_id", unique=True, postgresql_where=text("state = 'ACTIVE'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    table_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("code_table.id"))
    number: Mapped[int]
    """1, 2, 3 ... of its table."""
    state: Mapped[str]
    row_count: Mapped[int]
    source: Mapped[str]
    """The name of the file it came from."""
    made_at: Mapped[datetime]
    made_by: Mapped[str]
    activated_at: Mapped[datetime | None]
    activated_by: Mapped[str | None]
    retired_at: Mapped[datetime | None]
    retired_by: Mapped[str | None]
    replaced: Mapped[int | None]
    """The number of the version that was active before it: where a rollback leads."""


class CodeRow(Base):
    """One code of ours and one of theirs."""

    __tablename__ = "code_row"
    __table_args__ = (Index("ix_code_row_version", "version_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    version_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("code_version.id"))
    ours: Mapped[str]
    ours_name: Mapped[str]
    theirs: Mapped[str]
    theirs_name: Mapped[str]
    direction: Mapped[str]
    preferred: Mapped[bool]
    """The one that is meant where several rows answer."""
    valid_from: Mapped[date | None]
    """The first day on which it counts."""
    valid_to: Mapped[date | None]
    """The first day on which it counts no more."""
    note: Mapped[str]


class CodeRevision(Base):
    """One row with a number that grows with every change of what is active: processes look at it, then read."""

    __tablename__ = "code_revision"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger)


class UnmappedCode(Base):
    """A value that was met and had no row; the value alone, nothing of the message."""

    __tablename__ = "unmapped_code"
    __table_args__ = (
        UniqueConstraint("hospital_code", "partner", "code_table", "outbound", "value", name="uq_unmapped_code_value"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    hospital_code: Mapped[str]
    partner: Mapped[str]
    code_table: Mapped[str]
    outbound: Mapped[bool]
    value: Mapped[str]
    policy: Mapped[str]
    """What became of it the last time."""
    met: Mapped[int] = mapped_column(BigInteger)
    """How often."""
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    """Since when it has a row, or need not have one; empty again when it is met after that."""


class WaitingForCode(Base):
    """A delivery that waits because of such a value."""

    __tablename__ = "waiting_for_code"
    __table_args__ = (Index("ix_waiting_for_code_unmapped", "unmapped_id"),)

    delivery_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    unmapped_id: Mapped[int] = mapped_column(BigInteger)
    since: Mapped[datetime]
    goes_on_at: Mapped[datetime | None]
    """Since when it need not wait any more."""


KEPT = """
CREATE OR REPLACE FUNCTION keep_code_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM code_version WHERE id IN (SELECT version_id FROM changed) AND state <> 'DRAFT'
    ) THEN
        RAISE EXCEPTION '% of % is refused: rows of a version that was in use stay as they are', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', HINT = 'Import a new version.';
    END IF;
    RETURN NULL;
END $$
"""
GUARDS = (
    FUNCTION,
    KEPT,
    "CREATE TRIGGER keep_forever BEFORE UPDATE OR TRUNCATE ON code_row "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER keep_added AFTER INSERT ON code_row REFERENCING NEW TABLE AS changed "
    "FOR EACH STATEMENT EXECUTE FUNCTION keep_code_rows()",
    "CREATE TRIGGER keep_removed AFTER DELETE ON code_row REFERENCING OLD TABLE AS changed "
    "FOR EACH STATEMENT EXECUTE FUNCTION keep_code_rows()",
)
"""What makes the database itself refuse to change a version that was in use; also of use in a migration."""

for _statement in GUARDS:
    assert isinstance(CodeRow.__table__, Table)
    event.listen(CodeRow.__table__, "after_create", DDL(_statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
