"""The audit only grows: the database refuses to change or delete what was noted."""

from __future__ import annotations

from alembic import op

from gateway.model.append_only import FUNCTION, trigger

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(FUNCTION)
    op.execute(trigger("audit"))


def downgrade() -> None:
    op.execute("DROP TRIGGER keep_forever ON audit")
    op.execute("DROP FUNCTION refuse_change()")
