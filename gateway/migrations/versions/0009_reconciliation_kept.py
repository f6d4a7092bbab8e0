"""What was found by comparing the books stays as it was written; what is uploaded to an insurer is found by its day."""

from __future__ import annotations

from alembic import op

from gateway.model.append_only import trigger

revision = "0009"
down_revision = "0008"

KEPT = ("reconciliation_run", "reconciliation_difference", "reconciliation_resolution")


def upgrade() -> None:
    op.create_index("ix_insurance_batch_occurred_at", "insurance_batch", ["hospital_code", "occurred_at"])
    for table in KEPT:
        op.execute(trigger(table))


def downgrade() -> None:
    for table in KEPT:
        op.execute(f"DROP TRIGGER keep_forever ON {table}")
    op.drop_index("ix_insurance_batch_occurred_at", "insurance_batch")
