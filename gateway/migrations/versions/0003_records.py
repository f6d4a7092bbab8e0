"""Who may read records: a policy for each client, authorisations, restricted patients, quotas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0003"
down_revision = "0002"

TABLES = (
    "record_policy",
    "record_authorization",
    "record_authorization_patient",
    "restricted_patient",
    "record_reader",
    "record_reader_patient",
)


def upgrade() -> None:
    op.create_table(
        "record_policy",
        _text("client"), _list("purposes"), _list("sections", True), _list("secret_sections"),
        _list("departments", True), _text("mask"),
        _number("per_minute", True), _number("per_day", True), _number("patients_per_day", True),
        sa.ForeignKeyConstraint(["client"], ["client.name"], name="fk_record_policy_client", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("client", name="pk_record_policy"),
    )
    op.create_table(
        "record_authorization",
        _text("hospital_code"), _text("authorization_no"), _text("client"), _text("purpose"),
        sa.Column("every_patient", sa.Boolean(), nullable=False), _list("sections", True),
        sa.Column("valid_from", sa.Date(), nullable=False), sa.Column("valid_to", sa.Date(), nullable=False),
        _time("created_at"), _time("revoked_at", True), sa.Column("pseudonym_key", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["client"], ["client.name"], name="fk_record_authorization_client"),
        sa.PrimaryKeyConstraint("hospital_code", "authorization_no", name="pk_record_authorization"),
    )
    op.create_table(
        "record_authorization_patient",
        _text("hospital_code"), _text("authorization_no"), _text("patient_id"),
        sa.ForeignKeyConstraint(
            ["hospital_code", "authorization_no"],
            ["record_authorization.hospital_code", "record_authorization.authorization_no"],
            name="fk_record_authorization_patient_authorization", ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "hospital_code", "authorization_no", "patient_id", name="pk_record_authorization_patient"
        ),
    )
    op.create_index(
        "ix_record_authorization_patient_patient", "record_authorization_patient", ["hospital_code", "patient_id"]
    )
    op.create_table(
        "restricted_patient",
        _text("hospital_code"), _text("patient_id"), _time("since"),
        sa.PrimaryKeyConstraint("hospital_code", "patient_id", name="pk_restricted_patient"),
    )
    op.create_table(
        "record_reader",
        _text("client"), _time("minute"), _number("in_minute"), sa.Column("day", sa.Date(), nullable=False),
        _number("in_day"), _number("patients"), _number("emergencies"),
        sa.PrimaryKeyConstraint("client", name="pk_record_reader"),
    )
    op.create_table(
        "record_reader_patient",
        _text("client"), sa.Column("day", sa.Date(), nullable=False), _text("patient"),
        sa.PrimaryKeyConstraint("client", "day", "patient", name="pk_record_reader_patient"),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _list(name: str, nullable: bool = False) -> sa.Column[list[str]]:
    return sa.Column(name, ARRAY(sa.Text()), nullable=nullable)


def _number(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _time(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
