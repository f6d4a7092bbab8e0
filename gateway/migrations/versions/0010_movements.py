"""What HIS will be asked to book once the refund of a movement is booked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("money_transaction", sa.Column("request", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("money_transaction", "request")
