"""The versions of a report; the report itself travels on, the gateway is not the archive."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from gateway.model.base import Base


class ReportVersion(Base):
    """One version of a report of a sender."""

    __tablename__ = "report_version"

    hospital_code: Mapped[str] = mapped_column(primary_key=True)
    sender_code: Mapped[str] = mapped_column(primary_key=True)
    report_no: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str]
    branch_code: Mapped[str]
    requisition_nos: Mapped[list[str]] = mapped_column(ARRAY(Text))
    patient_id: Mapped[str]
    content_hash: Mapped[str]
    received_at: Mapped[datetime]
    txn_no: Mapped[str]
