"""The tables of the first release."""

from __future__ import annotations

from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from gateway.delivery import schema as job_queue


revision = "0001"
down_revision = None

NULL = True


def _column(kind: sa.types.TypeEngine[Any], name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable)


def own_number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), sa.Identity(always=False), nullable=False)


text = partial(_column, sa.Text())
time = partial(_column, sa.DateTime(timezone=True))
number = partial(_column, sa.Integer())
big_number = partial(_column, sa.BigInteger())
yes_or_no = partial(_column, sa.Boolean())
binary = partial(_column, sa.LargeBinary())
money = partial(_column, sa.Numeric(16, 2))

TABLES = (
    "client",
    "client_right",
    "used_nonce",
    "journal",
    "message_key",
    "parked_message",
    "alert",
    "audit",
    "requisition",
    "requisition_item",
    "status_record",
    "report_version",
    "visit",
    "visit_event",
    "patient_merge",
    "money_transaction",
    "money_line",
    "charge_once",
    "critical_value",
    "critical_acknowledgement",
    "delivery",
    "delivery_attempt",
)


def upgrade() -> None:
    callers_tables()
    messages_tables()
    requisitions_tables()
    visits_tables()
    money_tables()
    critical_values_tables()
    deliveries_tables()
    job_queue.create(op.get_bind())


def downgrade() -> None:
    job_queue.drop(op.get_bind())
    for table in reversed(TABLES):
        op.drop_table(table)


def callers_tables() -> None:
    """Who may call."""
    op.create_table(
        "client",
        text("name"), text("password_hash"), binary("digest_secret", NULL), text("description"), time("created_at"),
        time("disabled_at", NULL),
        sa.PrimaryKeyConstraint("name", name="pk_client"),
    )
    op.create_table(
        "client_right",
        text("client"), text("right"),
        sa.ForeignKeyConstraint(["client"], ["client.name"], name="fk_client_right_client", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("client", "right", name="pk_client_right"),
    )
    op.create_table(
        "used_nonce",
        text("client"), binary("nonce"), time("expires_at"),
        sa.PrimaryKeyConstraint("client", "nonce", name="pk_used_nonce"),
    )
    op.create_index("ix_used_nonce_expires_at", "used_nonce", ["expires_at"])


def messages_tables() -> None:
    """Every message, its key, what waits, what people must look at, and the audit."""
    op.create_table(
        "journal",
        text("txn_no"), time("received_at"), text("operation"), text("sender_code"), text("message_id"),
        text("hospital_code"), text("branch_code"), text("requisition_no", NULL), text("visit_no", NULL),
        text("soap_version"), binary("xml"), text("result_code"), time("answered_at"),
        sa.PrimaryKeyConstraint("txn_no", name="pk_journal"),
    )
    op.create_index("ix_journal_received_at", "journal", ["received_at"])
    op.create_index("ix_journal_requisition_no", "journal", ["requisition_no"])
    op.create_index("ix_journal_sender_message", "journal", ["sender_code", "message_id"])
    op.create_index("ix_journal_visit_no", "journal", ["visit_no"])
    op.create_table(
        "message_key",
        text("sender_code"), text("operation"), text("message_id"), text("content_hash"), text("txn_no"),
        time("created_at"), text("answer", NULL),
        sa.PrimaryKeyConstraint("sender_code", "operation", "message_id", name="pk_message_key"),
    )
    op.create_table(
        "parked_message",
        text("sender_code"), text("operation"), text("message_id"), text("txn_no"), text("waits_for"),
        text("request"), time("parked_at"), time("expires_at"), time("applied_at", NULL), text("result_code", NULL),
        sa.PrimaryKeyConstraint("sender_code", "operation", "message_id", name="pk_parked_message"),
    )
    op.create_index("ix_parked_message_waits_for", "parked_message", ["waits_for"])
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        time("raised_at"), text("kind"), text("subject"), text("txn_no", NULL), time("settled_at", NULL),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
    )
    op.create_table(
        "audit",
        text("txn_no"), time("at"), text("actor"), text("operator_code", NULL), text("action"), text("subject"),
        text("result_code"), text("purpose", NULL), text("detail", NULL),
        sa.PrimaryKeyConstraint("txn_no", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_subject", "audit", ["subject"])


def requisitions_tables() -> None:
    """Requisitions, their items and states, and the versions of reports."""
    op.create_table(
        "requisition",
        text("key"), text("hospital_code"), text("branch_code"), text("requisition_no"), text("sender_code"),
        text("requisition_type"), text("patient_id"), text("visit_type"), text("visit_no"),
        text("perform_dept_code"), text("priority"), time("ordered_at"), time("received_at"),
        text("gateway_status"), text("release_event", NULL), time("released_at", NULL), text("charge_point", NULL),
        text("content_hash"), text("request"), text("accession_no", NULL), number("status_seq", NULL),
        yes_or_no("tombstone"),
        sa.PrimaryKeyConstraint("key", name="pk_requisition"),
        sa.UniqueConstraint(
            "hospital_code",
            "requisition_no",
            "branch_code",
            name="uq_requisition_hospital_code_requisition_no_branch_code",
        ),
    )
    op.create_index("ix_requisition_patient_id", "requisition", ["hospital_code", "patient_id"])
    op.create_index("ix_requisition_perform_dept", "requisition", ["hospital_code", "perform_dept_code", "ordered_at"])
    op.create_index("ix_requisition_visit_no", "requisition", ["hospital_code", "visit_no"])
    op.create_table(
        "requisition_item",
        text("requisition_key"), number("item_seq"), text("order_no"), text("item_code"), text("barcode", NULL),
        text("status_code"), text("accession_no", NULL), yes_or_no("refunded"),
        sa.ForeignKeyConstraint(["requisition_key"], ["requisition.key"], name="fk_requisition_item_requisition_key"),
        sa.PrimaryKeyConstraint("requisition_key", "item_seq", name="pk_requisition_item"),
    )
    op.create_index("ix_requisition_item_barcode", "requisition_item", ["barcode"])
    op.create_index("ix_requisition_item_order_no", "requisition_item", ["order_no"])
    op.create_table(
        "status_record",
        own_number("id"), text("requisition_key"), number("item_seq", NULL), text("event"), text("from_status"),
        text("to_status"), yes_or_no("applied"), yes_or_no("inferred"), time("occurred_at"),
        number("status_seq", NULL), text("sender_code"), text("txn_no"), text("reason", NULL),
        sa.ForeignKeyConstraint(["requisition_key"], ["requisition.key"], name="fk_status_record_requisition_key"),
        sa.PrimaryKeyConstraint("id", name="pk_status_record"),
    )
    op.create_index("ix_status_record_requisition_key", "status_record", ["requisition_key"])
    op.create_table(
        "report_version",
        text("hospital_code"), text("sender_code"), text("report_no"), number("version"), text("action"),
        text("branch_code"),
        sa.Column("requisition_nos", postgresql.ARRAY(sa.Text()), nullable=False),
        text("patient_id"), text("content_hash"), time("received_at"), text("txn_no"),
        sa.PrimaryKeyConstraint("hospital_code", "sender_code", "report_no", "version", name="pk_report_version"),
    )


def visits_tables() -> None:
    """Visits and merged patients."""
    op.create_table(
        "visit",
        text("hospital_code"), text("visit_no"), text("branch_code"), text("visit_type"), text("patient_id"),
        text("state"), text("dept_code", NULL), text("ward_code", NULL), text("bed_no", NULL), time("changed_at"),
        sa.PrimaryKeyConstraint("hospital_code", "visit_no", "branch_code", name="pk_visit"),
    )
    op.create_table(
        "visit_event",
        own_number("id"), text("hospital_code"), text("branch_code"), text("sender_code"), text("event_no"),
        text("event"), text("visit_no"), text("patient_id"), text("previous_patient_id", NULL), time("occurred_at"),
        text("content_hash"), text("txn_no"),
        sa.PrimaryKeyConstraint("id", name="pk_visit_event"),
    )
    op.create_index("ix_visit_event_number", "visit_event", ["hospital_code", "sender_code", "event_no"], unique=True)
    op.create_table(
        "patient_merge",
        text("hospital_code"), text("former_patient_id"), text("patient_id"), time("merged_at"),
        sa.PrimaryKeyConstraint("hospital_code", "former_patient_id", name="pk_patient_merge"),
    )


def money_tables() -> None:
    """Charges and refunds."""
    op.create_table(
        "money_transaction",
        text("key"), text("txn_no"), text("kind"), text("state"), text("hospital_code"), text("branch_code"),
        text("sender_code"), text("number"), text("message_id"), text("requisition_key", NULL), text("visit_type"),
        text("visit_no"), text("patient_id"), text("perform_dept_code", NULL), text("charge_point", NULL),
        text("initiator", NULL), text("original_key", NULL), text("source"), text("his_no", NULL),
        text("content_hash"), time("occurred_at"), time("created_at"), time("settled_at", NULL),
        text("refusal_code", NULL), text("refusal_text", NULL),
        sa.ForeignKeyConstraint(["original_key"], ["money_transaction.key"], name="fk_money_transaction_original_key"),
        sa.ForeignKeyConstraint(["requisition_key"], ["requisition.key"], name="fk_money_transaction_requisition_key"),
        sa.PrimaryKeyConstraint("key", name="pk_money_transaction"),
        sa.UniqueConstraint(
            "hospital_code",
            "sender_code",
            "kind",
            "number",
            name="uq_money_transaction_hospital_code_sender_code_kind_number",
        ),
    )
    op.create_index("ix_money_transaction_number", "money_transaction", ["hospital_code", "number"])
    op.create_index("ix_money_transaction_original_key", "money_transaction", ["original_key"])
    op.create_index("ix_money_transaction_requisition_key", "money_transaction", ["requisition_key"])
    op.create_index("ix_money_transaction_visit_no", "money_transaction", ["hospital_code", "visit_no"])
    op.create_table(
        "money_line",
        text("transaction_key"), number("line_no"), number("item_seq", NULL), text("package_code", NULL),
        text("charge_code"), text("item_name"),
        sa.Column("quantity", sa.Numeric(precision=16, scale=4), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=16, scale=6), nullable=True),
        money("list_amount", NULL), money("amount", NULL), text("original_key", NULL),
        number("original_line_no", NULL),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_money_line_quantity_positive")),
        sa.ForeignKeyConstraint(["transaction_key"], ["money_transaction.key"], name="fk_money_line_transaction_key"),
        sa.PrimaryKeyConstraint("transaction_key", "line_no", name="pk_money_line"),
    )
    op.create_index("ix_money_line_original", "money_line", ["original_key", "original_line_no"])
    op.create_table(
        "charge_once",
        text("hospital_code"), text("branch_code"), text("requisition_no"), number("item_seq"), text("charge_code"),
        text("transaction_key"), number("line_no"),
        sa.PrimaryKeyConstraint(
            "hospital_code", "branch_code", "requisition_no", "item_seq", "charge_code", name="pk_charge_once"
        ),
    )
    op.create_index("ix_charge_once_transaction_key", "charge_once", ["transaction_key"])


def critical_values_tables() -> None:
    """Critical values and who answered for them."""
    op.create_table(
        "critical_value",
        text("key"), text("hospital_code"), text("branch_code"), text("sender_code"), text("critical_id"),
        text("status"), text("source_type", NULL), text("requisition_no", NULL), text("report_no", NULL),
        text("patient_id", NULL), text("visit_no", NULL), text("target_dept_code", NULL),
        text("target_ward_code", NULL), yes_or_no("to_fallback"), yes_or_no("opened_by_report"),
        text("content_hash"), text("request"), time("received_at"), time("receive_deadline"),
        time("handle_deadline"), time("notified_at", NULL), time("handled_at", NULL),
        sa.PrimaryKeyConstraint("key", name="pk_critical_value"),
        sa.UniqueConstraint(
            "hospital_code",
            "critical_id",
            "sender_code",
            name="uq_critical_value_hospital_code_critical_id_sender_code",
        ),
    )
    op.create_index("ix_critical_value_open", "critical_value", ["status"])
    op.create_index("ix_critical_value_report_no", "critical_value", ["hospital_code", "sender_code", "report_no"])
    op.create_table(
        "critical_acknowledgement",
        own_number("id"), text("critical_value_key"), text("sender_code"), text("ack_id"), text("ack_type"),
        text("actor_code"), time("acted_at"), time("received_at"), text("content_hash"), text("request"),
        text("txn_no"),
        sa.ForeignKeyConstraint(
            ["critical_value_key"], ["critical_value.key"], name="fk_critical_acknowledgement_critical_value_key"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_critical_acknowledgement"),
        sa.UniqueConstraint(
            "critical_value_key",
            "sender_code",
            "ack_id",
            name="uq_critical_acknowledgement_critical_value_key_sender_c_e9ff",
        ),
    )


def deliveries_tables() -> None:
    """What has to reach a partner, and every attempt."""
    op.create_table(
        "delivery",
        own_number("id"), text("partner"), text("operation"), text("lane"), text("lock"), text("state"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        text("txn_no"), text("hospital_code"), text("origin_sender_code"), text("origin_message_id"),
        text("subject"), text("request"), time("created_at"), big_number("job_id", NULL),
        time("next_attempt_at", NULL), time("started_at", NULL), time("finished_at", NULL), text("last_code", NULL),
        text("answer", NULL),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
    )
    op.create_index("ix_delivery_partner_state", "delivery", ["partner", "state"])
    op.create_index("ix_delivery_txn_no", "delivery", ["txn_no"])
    op.create_index("ix_delivery_lock", "delivery", ["lock", "id"])
    op.create_table(
        "delivery_attempt",
        own_number("id"), big_number("delivery_id"), time("started_at"), number("milliseconds"), text("outcome"),
        text("code", NULL),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_delivery_attempt_delivery_id"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_attempt"),
    )
    op.create_index("ix_delivery_attempt_delivery_id", "delivery_attempt", ["delivery_id"])
