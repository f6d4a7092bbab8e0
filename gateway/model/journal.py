"""Every message as it came, what was answered, and the keys by which a repetition is recognised."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from gateway.model.append_only import keep_forever
from gateway.model.base import Base
from gateway.model.monthly import keep_by_month, partition_by
from gateway.model.packed import PackedXml


class JournalEntry(Base):
    """One received message with its XML as received; written in the transaction of what it caused.

    Kept by the month: `txn_no` alone names an entry, `received_at` beside it says in which month it stands.
    """

    __tablename__ = "journal"
    __table_args__ = (
        Index("ix_journal_message", "message_id", "sender_code"),
        Index("ix_journal_requisition_no", "requisition_no"),
        Index("ix_journal_visit_no", "visit_no"),
        Index("ix_journal_received_at", "received_at"),
        Index("ix_journal_patient_id", "patient_id"),
        partition_by("journal"),
    )

    txn_no: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(primary_key=True)
    operation: Mapped[str]
    sender_code: Mapped[str]
    message_id: Mapped[str]
    hospital_code: Mapped[str]
    branch_code: Mapped[str]
    requisition_no: Mapped[str | None]
    visit_no: Mapped[str | None]
    soap_version: Mapped[str]
    xml: Mapped[bytes] = mapped_column(PackedXml)
    result_code: Mapped[str]
    answered_at: Mapped[datetime]
    patient_id: Mapped[str | None]
    """As the message names the patient, or the requisition it is about."""
    repairs: Mapped[str | None]
    """What the gateway had to mend in the message, by kind, with commas between."""

    __mapper_args__ = {"primary_key": [txn_no]}  # noqa: RUF012 - SQLAlchemy reads it from the class


class MessageKey(Base):
    """What makes a repetition recognisable: sender, operation and MessageId, with the final first answer.

    `answer` is empty as long as the answer is not final (docs/specification/idempotency.md).
    """

    __tablename__ = "message_key"

    sender_code: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(primary_key=True)
    content_hash: Mapped[str]
    txn_no: Mapped[str]
    created_at: Mapped[datetime]
    answer: Mapped[str | None]
    """The children of the first Response element as XML."""


class ParkedMessage(Base):
    """A message about something not yet known, kept until that arrives (docs/specification/parking.md)."""

    __tablename__ = "parked_message"
    __table_args__ = (Index("ix_parked_message_waits_for", "waits_for"),)

    sender_code: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(primary_key=True)
    txn_no: Mapped[str]
    waits_for: Mapped[str]
    """Such as requisition|HOSPITAL|R1."""
    request: Mapped[str]
    """The children of the Request element as XML."""
    parked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
    result_code: Mapped[str | None]
    """What came of it when it was applied."""


class Alert(Base):
    """Something a person must look at; listed until somebody says that it is settled."""

    __tablename__ = "alert"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    raised_at: Mapped[datetime]
    kind: Mapped[str]
    subject: Mapped[str]
    """Numbers only, never a patient's name."""
    txn_no: Mapped[str | None]
    settled_at: Mapped[datetime | None]


class AuditEntry(Base):
    """Who did what about which thing; append-only, without any patient's data."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_subject", "subject"), Index("ix_audit_at", "at"))

    txn_no: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    operator_code: Mapped[str | None]
    action: Mapped[str]
    subject: Mapped[str]
    result_code: Mapped[str]
    purpose: Mapped[str | None]
    """Why a record was read."""
    detail: Mapped[str | None]


keep_forever(AuditEntry)
keep_by_month(JournalEntry, numbered=False)
