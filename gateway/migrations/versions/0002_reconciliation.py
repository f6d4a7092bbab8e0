"""What came of comparing the books, and who has had the turn of the hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "reconciliation_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("hospital_code", "counterpart", "department")),
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("source", "actor", "totals", "notes")),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("started_at", "finished_at")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("ours", "theirs", "matched", "differences")),
        sa.PrimaryKeyConstraint("id", name="pk_reconciliation_run"),
    )
    op.create_index("ix_reconciliation_run_day", "reconciliation_run", ["hospital_code", "day", "counterpart"])
    required = (
        "kind", "identity", "direction", "dept_code", "branch_code", "sender_code", "number", "visit_no",
        "requisition_no", "remark",
    )  # fmt: skip
    op.create_table(
        "reconciliation_difference",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in required),
        sa.Column("item_seq", sa.Integer()),
        *(sa.Column(name, sa.Text()) for name in ("our_key", "our_state", "their_no", "their_state")),
        *(sa.Column(name, sa.Numeric(16, 2)) for name in ("our_amount", "their_amount")),
        *(sa.Column(name, sa.DateTime(timezone=True)) for name in ("our_at", "their_at")),
        sa.Column("is_new", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reconciliation_difference"),
        sa.ForeignKeyConstraint(["run_id"], ["reconciliation_run.id"], name="fk_reconciliation_difference_run_id"),
    )
    op.create_index("ix_reconciliation_difference_run_id", "reconciliation_difference", ["run_id", "identity"])
    op.create_index("ix_reconciliation_difference_our_key", "reconciliation_difference", ["our_key"])
    op.create_table(
        "reconciliation_resolution",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("difference_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("actor", "text")),
        sa.PrimaryKeyConstraint("id", name="pk_reconciliation_resolution"),
        sa.ForeignKeyConstraint(
            ["difference_id"], ["reconciliation_difference.id"], name="fk_reconciliation_resolution_difference_id"
        ),
    )
    op.create_index(
        "ix_reconciliation_resolution_difference_id", "reconciliation_resolution", ["difference_id"]
    )
    op.create_table(
        "turn",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_turn"),
    )
    op.create_index("ix_status_record_occurred_at", "status_record", ["occurred_at"])
    op.create_index("ix_money_transaction_created_at", "money_transaction", ["created_at"])


def downgrade() -> None:
    op.drop_index("ix_money_transaction_created_at", "money_transaction")
    op.drop_index("ix_status_record_occurred_at", "status_record")
    for table in ("turn", "reconciliation_resolution", "reconciliation_difference", "reconciliation_run"):
        op.drop_table(table)
