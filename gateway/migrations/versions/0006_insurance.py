"""What is registered of a visit's money with insurance platforms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.model.append_only import trigger

revision = "0006"
down_revision = "0005"

TABLES = ("insurance_event", "insurance_settlement", "insurance_line", "insurance_batch")
TEXT, TIME = sa.Text(), sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("money_transaction", sa.Column("insurer", TEXT))
    required = ("partner", "hospital_code", "branch_code", "visit_no", "visit_type", "patient_id", "perform_dept_code")
    op.create_table(
        "insurance_batch",
        *(sa.Column(name, TEXT, nullable=False) for name in ("number", "transaction_key", *required)),
        sa.Column("seq", sa.Integer(), nullable=False),
        *(sa.Column(name, TEXT) for name in ("visit_seq", "insurance_no", "dept_code")),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_insurance_batch"),
        sa.ForeignKeyConstraint(
            ["transaction_key"], ["money_transaction.key"], name="fk_insurance_batch_transaction_key"
        ),
    )
    op.create_index("ix_insurance_batch_transaction_key", "insurance_batch", ["transaction_key", "seq"], unique=True)
    op.create_index("ix_insurance_batch_visit_no", "insurance_batch", ["hospital_code", "visit_no"])
    op.create_table(
        "insurance_line",
        *(sa.Column(name, TEXT, nullable=False) for name in ("batch_number", "charge_code", "item_name")),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("insurance_code", TEXT),
        sa.Column("quantity", sa.Numeric(16, 4), nullable=False),
        sa.Column("unit_price", sa.Numeric(16, 6)),
        sa.Column("amount", sa.Numeric(16, 2)),
        sa.PrimaryKeyConstraint("batch_number", "line_no", name="pk_insurance_line"),
        sa.ForeignKeyConstraint(["batch_number"], ["insurance_batch.number"], name="fk_insurance_line_batch_number"),
    )
    op.create_table(
        "insurance_settlement",
        *(
            sa.Column(name, TEXT, nullable=False)
            for name in ("number", "partner", "hospital_code", "branch_code", "visit_no")
        ),
        sa.Column("total", sa.Numeric(16, 2), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_insurance_settlement"),
    )
    op.create_index("ix_insurance_settlement_visit_no", "insurance_settlement", ["hospital_code", "visit_no"])
    op.create_table(
        "insurance_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in ("subject", "state")),
        sa.Column("at", TIME, nullable=False),
        sa.Column("code", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_insurance_event"),
    )
    op.create_index("ix_insurance_event_subject", "insurance_event", ["subject", "id"])
    for table in TABLES:
        op.execute(trigger(table))


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.drop_column("money_transaction", "insurer")
