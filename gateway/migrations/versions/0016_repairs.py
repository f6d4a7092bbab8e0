"""What was mended in a received message, and what is wrong with an answer of a partner that could not be used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("journal", sa.Column("repairs", sa.Text(), nullable=True))
    op.add_column("delivery_attempt", sa.Column("detail", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("delivery_attempt", "detail")
    op.drop_column("journal", "repairs")
