"""What operators keep from partners, and what has left lately."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "partner_hold",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("declared_by", sa.Text(), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_partner_hold"),
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index("ix_partner_hold_open", "partner_hold", ["partner"], postgresql_where=is_open)
    # What finished in the last minute is near the end of the table: an index of a few pages finds it.
    op.create_index("ix_delivery_finished_at", "delivery", ["finished_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_delivery_finished_at", "delivery")
    op.drop_table("partner_hold")
