"""What was delivered may be sent again: replays, what is part of them, and of what a delivery is the repetition."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def time(name: str, *, null: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def upgrade() -> None:
    op.add_column("delivery", sa.Column("replay_of", sa.BigInteger(), nullable=True))
    op.add_column("delivery", sa.Column("replay_batch", sa.BigInteger(), nullable=True))
    op.create_table(
        "replay_batch",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        time("proposed_at", null=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("selection", sa.Text(), nullable=False),
        sa.Column("with_superseded", sa.Boolean(), nullable=False),
        sa.Column("superseded", sa.Integer(), nullable=False),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.Column("per_second", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        time("approved_at"),
        sa.Column("approved_by", sa.Text(), nullable=True),
        time("started_at"),
        time("finished_at"),
        sa.CheckConstraint("approved_by <> proposed_by", name="two_persons"),
        sa.CheckConstraint(
            "NOT needs_approval OR approved_by IS NOT NULL OR state IN ('PROPOSED', 'CANCELLED')", name="approved_first"
        ),
    )
    op.create_table(
        "replay_member",
        sa.Column("batch_id", sa.BigInteger(), sa.ForeignKey("replay_batch.id"), primary_key=True),
        sa.Column("original_id", sa.BigInteger(), primary_key=True),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("left_out", sa.Text(), nullable=True),
    )
    op.create_index("ix_replay_member_original_id", "replay_member", ["original_id"])


def downgrade() -> None:
    op.drop_table("replay_member")
    op.drop_table("replay_batch")
    op.drop_column("delivery", "replay_batch")
    op.drop_column("delivery", "replay_of")
