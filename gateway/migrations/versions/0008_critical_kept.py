"""Who answered for a critical value, and who was told that it was late, can no longer be changed."""

from __future__ import annotations

from alembic import op

from gateway.model.append_only import FUNCTION, trigger

revision = "0008"
down_revision = "0007"

TABLES = ("critical_acknowledgement", "critical_escalation")


def upgrade() -> None:
    op.execute(FUNCTION)
    for table in TABLES:
        op.execute(trigger(table))


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TRIGGER keep_forever ON {table}")
