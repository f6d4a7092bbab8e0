"""The clocks of critical values, who was told when one ran out, and through which channel."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TEXTS = ("visit_type", "dept_code", "ward_code", "bed_no", "reporter_code")
TIMES = (
    "notify_deadline", "forward_deadline", "doctor_deadline", "return_deadline", "receipt_at", "forwarded_at",
    "returned_at", "next_due",
)
INDEXES = {
    "ix_critical_value_next_due": ["next_due"],
    "ix_critical_value_visit_no": ["hospital_code", "visit_no"],
    "ix_critical_value_received_at": ["received_at"],
}


def upgrade() -> None:
    for name in TEXTS:
        op.add_column("critical_value", sa.Column(name, sa.Text(), nullable=True))
    for name in TIMES:
        op.add_column("critical_value", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    yes_or_no: sa.Column[bool] = sa.Column("closes_itself", sa.Boolean(), server_default="false", nullable=False)
    op.add_column("critical_value", yes_or_no)
    for name, columns in INDEXES.items():
        op.create_index(name, "critical_value", columns)
    # The clocks of values that are open today run on.
    op.execute(
        "UPDATE critical_value SET next_due = least(receive_deadline, handle_deadline) WHERE status IN"
        " ('10', '20', '30', '40')"
    )
    op.execute("UPDATE critical_value SET dept_code = target_dept_code, ward_code = target_ward_code")
    op.create_table(
        "critical_escalation",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("critical_value_key", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receivers", sa.Text(), nullable=False),
        sa.Column("partners", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["critical_value_key"], ["critical_value.key"], name="fk_critical_escalation_critical_value_key"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_critical_escalation"),
        sa.UniqueConstraint(
            "critical_value_key", "stage", "level", name="uq_critical_escalation_critical_value_key_stage_level"
        ),
    )
    op.create_table(
        "notification",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("escalation_id", sa.BigInteger(), nullable=False),
        sa.Column("notifier", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_code", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["escalation_id"], ["critical_escalation.id"], name="fk_notification_escalation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
    )
    op.create_index("ix_notification_next_attempt_at", "notification", ["notifier", "next_attempt_at"])
    op.create_index("ix_notification_escalation_id", "notification", ["escalation_id"])


def downgrade() -> None:
    op.drop_table("notification")
    op.drop_table("critical_escalation")
    for name in INDEXES:
        op.drop_index(name, "critical_value")
    for name in ("closes_itself", *TIMES, *TEXTS):
        op.drop_column("critical_value", name)
