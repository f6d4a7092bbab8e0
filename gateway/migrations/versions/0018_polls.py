"""How far tables and views of partners have been read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
floor = None


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "poll_bookmark",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("poll", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column("begun", sa.Boolean(), nullable=False),
        sa.Column("started_at", time, nullable=False),
        sa.Column("looked_at", time, nullable=True),
        sa.Column("failing_since", time, nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("alerted_at", time, nullable=True),
        sa.Column("process", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("partner", "poll", name=op.f("pk_poll_bookmark")),
    )
    op.create_table(
        "poll_row",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("poll", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("ahead", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("txn_no", sa.Text(), nullable=True),
        sa.Column("first_at", time, nullable=False),
        sa.Column("decided_at", time, nullable=False),
        sa.Column("next_at", time, nullable=True),
        sa.Column("marked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_poll_row")),
        sa.UniqueConstraint("partner", "poll", "row_key", name=op.f("uq_poll_row_partner_poll_row_key")),
    )
    is_open = sa.text("state IN ('WAITING', 'PARKED', 'RETRY')")
    op.create_index("ix_poll_row_open", "poll_row", ["partner", "poll"], postgresql_where=is_open)
    op.create_index("ix_poll_row_unmarked", "poll_row", ["partner", "poll"], postgresql_where=sa.text("NOT marked"))


def downgrade() -> None:
    op.drop_table("poll_row")
    op.drop_table("poll_bookmark")
