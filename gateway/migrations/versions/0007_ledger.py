"""The append-only ledger: states and entries in tables of their own, and nothing booked is ever changed.

The columns that held the present state go at once, because no release had them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.model.append_only import trigger
from gateway.model.money import BALANCE_TRIGGER, BALANCED, VIEWS

revision = "0007"
down_revision = "0006"

KEPT = ("money_transaction", "money_line", "money_state", "ledger_entry")
MOVED = ("state", "his_no", "settled_at", "refusal_code", "refusal_text")
OF_VISIT = "concat_ws('|', 'VISIT', t.hospital_code, t.branch_code, t.visit_no)"
OF_DEPT = "concat_ws('|', 'DEPT', t.hospital_code, t.branch_code, coalesce(t.perform_dept_code, ''))"


def upgrade() -> None:
    op.create_table(
        "money_state",
        sa.Column("transaction_key", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("his_no", "code", "text")),
        sa.ForeignKeyConstraint(["transaction_key"], ["money_transaction.key"], name="fk_money_state_transaction_key"),
        sa.PrimaryKeyConstraint("transaction_key", "seq", name="pk_money_state"),
    )
    op.create_index("ix_money_state_at", "money_state", ["at"])
    op.create_table(
        "ledger_entry",
        sa.Column("transaction_key", sa.Text(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(16, 2), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["transaction_key"], ["money_transaction.key"], name="fk_ledger_entry_transaction_key"),
        sa.PrimaryKeyConstraint("transaction_key", "line_no", "account", name="pk_ledger_entry"),
    )
    op.create_index("ix_ledger_entry_account", "ledger_entry", ["account", "at"])
    op.add_column("money_transaction", sa.Column("correlation_no", sa.Text(), nullable=True))
    op.add_column("money_transaction", sa.Column("reason", sa.Text(), nullable=True))
    for column in ("txn_no", "occurred_at", "correlation_no"):
        op.create_index(f"ix_money_transaction_{column}", "money_transaction", [column])
    _take_over()
    for column in MOVED:
        op.drop_column("money_transaction", column)
    for statement in (BALANCED, BALANCE_TRIGGER, *VIEWS, *map(trigger, KEPT)):
        op.execute(statement)


def _take_over() -> None:
    """The present state of every transaction, and the entries of what is booked."""
    op.execute(
        "INSERT INTO money_state SELECT key, 1, state, coalesce(settled_at, created_at), his_no, refusal_code, "
        "refusal_text FROM money_transaction"
    )
    for account, sign in ((OF_VISIT, 1), (OF_DEPT, -1)):
        op.execute(
            f"INSERT INTO ledger_entry SELECT t.key, l.line_no, {account}, "  # noqa: S608 - our own words
            f"l.amount * {sign} * CASE WHEN t.kind IN ('REFUND', 'REVERSAL') THEN -1 ELSE 1 END, "
            "coalesce(t.settled_at, t.created_at) FROM money_transaction t JOIN money_line l "
            "ON l.transaction_key = t.key WHERE t.state = 'CONFIRMED' AND l.amount IS NOT NULL"
        )


def downgrade() -> None:
    for view in ("money_now", "money_line_now"):
        op.execute(f"DROP VIEW {view}")
    for table in ("money_transaction", "money_line"):
        op.execute(f"DROP TRIGGER keep_forever ON {table}")
    for column in MOVED:
        kind = sa.DateTime(timezone=True) if column == "settled_at" else sa.Text()
        op.add_column("money_transaction", sa.Column(column, kind, nullable=True))
    op.execute(
        "UPDATE money_transaction t SET state = s.state, his_no = s.his_no, refusal_code = s.code, "
        "refusal_text = s.text, settled_at = CASE WHEN s.state IN ('CONFIRMED', 'REJECTED') THEN s.at END "
        "FROM (SELECT DISTINCT ON (transaction_key) * FROM money_state ORDER BY transaction_key, seq DESC) s "
        "WHERE s.transaction_key = t.key"
    )
    op.alter_column("money_transaction", "state", nullable=False)
    for column in ("txn_no", "occurred_at", "correlation_no"):
        op.drop_index(f"ix_money_transaction_{column}", "money_transaction")
    for column in ("correlation_no", "reason"):
        op.drop_column("money_transaction", column)
    op.drop_table("ledger_entry")
    op.drop_table("money_state")
    op.execute("DROP FUNCTION refuse_unbalanced()")
