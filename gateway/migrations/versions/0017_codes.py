"""Code tables with their versions, and the values that had no row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.model.code_table import GUARDS

revision = "0017"
down_revision = "0016"
floor = None

TABLES = ("code_table", "code_version", "code_row", "code_revision", "unmapped_code", "waiting_for_code")


def upgrade() -> None:
    _tables_and_versions()
    _rows()
    _unmapped()
    op.create_table(
        "code_revision",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        _number("revision"),
        sa.PrimaryKeyConstraint("id", name="pk_code_revision"),
    )
    op.execute("INSERT INTO code_revision (id, revision) VALUES (1, 1)")


def _tables_and_versions() -> None:
    op.create_table(
        "code_table",
        _identity(), _text("hospital_code"), _text("partner"), _text("name"), _text("policy"),
        _text("default_theirs", True), _text("default_ours", True), _time("changed_at"), _text("changed_by"),
        sa.PrimaryKeyConstraint("id", name="pk_code_table"),
        sa.UniqueConstraint("hospital_code", "partner", "name", name="uq_code_table_hospital_code_partner_name"),
    )  # fmt: skip
    op.create_table(
        "code_version",
        _identity(), _number("table_id"), _count("number"), _text("state"), _count("row_count"), _text("source"),
        _time("made_at"), _text("made_by"), _time("activated_at", True), _text("activated_by", True),
        _time("retired_at", True), _text("retired_by", True), _count("replaced", True),
        sa.ForeignKeyConstraint(["table_id"], ["code_table.id"], name="fk_code_version_table_id"),
        sa.PrimaryKeyConstraint("id", name="pk_code_version"),
        sa.UniqueConstraint("table_id", "number", name="uq_code_version_table_id_number"),
    )  # fmt: skip
    op.create_index(
        "uq_code_version_active", "code_version", ["table_id"], unique=True,
        postgresql_where=sa.text("state = 'ACTIVE'"),
    )  # fmt: skip


def _rows() -> None:
    op.create_table(
        "code_row",
        _identity(), _number("version_id"), _text("ours"), _text("ours_name"), _text("theirs"), _text("theirs_name"),
        _text("direction"), sa.Column("preferred", sa.Boolean(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True), sa.Column("valid_to", sa.Date(), nullable=True),
        _text("note"),
        sa.ForeignKeyConstraint(["version_id"], ["code_version.id"], name="fk_code_row_version_id"),
        sa.PrimaryKeyConstraint("id", name="pk_code_row"),
    )  # fmt: skip
    op.create_index("ix_code_row_version", "code_row", ["version_id", "id"])
    for statement in GUARDS:
        op.execute(statement)


def _unmapped() -> None:
    op.create_table(
        "unmapped_code",
        _identity(), _text("hospital_code"), _text("partner"), _text("code_table"),
        sa.Column("outbound", sa.Boolean(), nullable=False), _text("value"), _text("policy"), _number("met"),
        _time("first_seen"), _time("last_seen"), _time("resolved_at", True),
        sa.PrimaryKeyConstraint("id", name="pk_unmapped_code"),
        sa.UniqueConstraint(
            "hospital_code", "partner", "code_table", "outbound", "value", name="uq_unmapped_code_value"
        ),
    )  # fmt: skip
    op.create_table(
        "waiting_for_code",
        sa.Column("delivery_id", sa.BigInteger(), autoincrement=False, nullable=False),
        _number("unmapped_id"), _time("since"), _time("goes_on_at", True),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_waiting_for_code"),
    )  # fmt: skip
    op.create_index("ix_waiting_for_code_unmapped", "waiting_for_code", ["unmapped_id"])


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION keep_code_rows()")


def _identity() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False)


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _count(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _time(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
