"""A critical value and everybody who answered for it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gateway.model.base import Base
from gateway.terms import AckType, CriticalStatus


class CriticalValue(Base):
    """One critical value of a sender; open until it is handled, cancelled or closed."""

    __tablename__ = "critical_value"
    __table_args__ = (
        UniqueConstraint("hospital_code", "critical_id", "sender_code"),
        Index("ix_critical_value_report_no", "hospital_code", "sender_code", "report_no"),
        Index("ix_critical_value_open", "status"),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    hospital_code: Mapped[str]
    branch_code: Mapped[str]
    sender_code: Mapped[str]
    critical_id: Mapped[str]
    status: Mapped[str]
    source_type: Mapped[str | None]
    requisition_no: Mapped[str | None]
    report_no: Mapped[str | None]
    patient_id: Mapped[str | None]
    visit_no: Mapped[str | None]
    target_dept_code: Mapped[str | None]
    target_ward_code: Mapped[str | None]
    to_fallback: Mapped[bool]
    """True when nobody was named whom the gateway knows: the fallback receiver is told."""
    opened_by_report: Mapped[bool]
    content_hash: Mapped[str]
    request: Mapped[str]
    """The children of the latest Request element as XML."""
    received_at: Mapped[datetime]
    receive_deadline: Mapped[datetime]
    handle_deadline: Mapped[datetime]
    notified_at: Mapped[datetime | None]
    handled_at: Mapped[datetime | None]

    acknowledgements: Mapped[list[CriticalAcknowledgement]] = relationship(
        back_populates="critical_value", order_by="CriticalAcknowledgement.id", lazy="selectin"
    )

    @property
    def state(self) -> CriticalStatus:
        return CriticalStatus(self.status)

    def acknowledge(self, kind: AckType, now: datetime) -> None:
        """Move the loop on; an acknowledgement that comes late or out of turn is kept and moves nothing back."""
        target = _REACHES.get(kind)
        if target is None or self.state in (CriticalStatus.CANCELLED, CriticalStatus.CLOSED):
            return
        if kind is AckType.TECH_CONFIRM and self.handled_at is None:
            return
        if kind is AckType.HANDLE and self.handled_at is None:
            self.handled_at = now
        if target.value > self.status:
            self.status = target.value


_REACHES = {
    AckType.RECEIVE_NURSE: CriticalStatus.NURSE_RECEIVED,
    AckType.FORWARD_DOCTOR: CriticalStatus.NURSE_RECEIVED,
    AckType.RECEIVE_DOCTOR: CriticalStatus.DOCTOR_RECEIVED,
    AckType.HANDLE: CriticalStatus.HANDLED,
    AckType.TECH_CONFIRM: CriticalStatus.CLOSED,
}
"""READ, TRANSFER and UNREACHABLE are kept and stop no clock; TECH_CONFIRM closes only what was handled."""


class CriticalAcknowledgement(Base):
    """One acknowledgement; append-only, the last opinion is what the sender reads, all are kept."""

    __tablename__ = "critical_acknowledgement"
    __table_args__ = (UniqueConstraint("critical_value_key", "sender_code", "ack_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    critical_value_key: Mapped[str] = mapped_column(ForeignKey("critical_value.key"))
    sender_code: Mapped[str]
    ack_id: Mapped[str]
    ack_type: Mapped[str]
    actor_code: Mapped[str]
    acted_at: Mapped[datetime]
    received_at: Mapped[datetime]
    content_hash: Mapped[str]
    request: Mapped[str]
    txn_no: Mapped[str]

    critical_value: Mapped[CriticalValue] = relationship(back_populates="acknowledgements")
