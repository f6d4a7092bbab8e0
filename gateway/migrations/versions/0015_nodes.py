"""Which processes run on which node, and the oldest release that may still run against the tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
floor = None


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "node_process",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("agreed", sa.Text(), nullable=False),
        sa.Column("started_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("lease", sa.BigInteger(), nullable=True),
        sa.Column("draining_at", time, nullable=True),
        sa.Column("drain_ordered_at", time, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_process")),
    )
    op.create_table(
        "schema_floor",
        sa.Column("revision", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_schema_floor")),
    )
    # The first release that asks for the floor; older ones want exactly their own tables.
    op.execute(f"INSERT INTO schema_floor (revision) VALUES ('{revision}')")


def downgrade() -> None:
    op.drop_table("schema_floor")
    op.drop_table("node_process")
