"""A requisition, the state of each of its items, and what happened to it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gateway.model.base import Base
from gateway.model.exam_state import OrderEvent, Verdict, decide, overall
from gateway.terms import GatewayStatus, StatusCode


class Requisition(Base):
    """One requisition of a hospital and branch. Its row is the lock under which refund and registration race."""

    __tablename__ = "requisition"
    __table_args__ = (
        UniqueConstraint("hospital_code", "requisition_no", "branch_code"),
        Index("ix_requisition_visit_no", "hospital_code", "visit_no"),
        Index("ix_requisition_patient_id", "hospital_code", "patient_id"),
        Index("ix_requisition_perform_dept", "hospital_code", "perform_dept_code", "ordered_at"),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    """The gateway's own key: the transaction number of the message that brought it."""
    hospital_code: Mapped[str]
    branch_code: Mapped[str]
    requisition_no: Mapped[str]
    sender_code: Mapped[str]
    requisition_type: Mapped[str]
    patient_id: Mapped[str]
    visit_type: Mapped[str]
    visit_no: Mapped[str]
    perform_dept_code: Mapped[str]
    priority: Mapped[str]
    ordered_at: Mapped[datetime]
    received_at: Mapped[datetime]
    gateway_status: Mapped[str]
    release_event: Mapped[str | None]
    released_at: Mapped[datetime | None]
    charge_point: Mapped[str | None]
    """NURSE_SEND, REGISTER or NONE, fixed at release so that a later switch neither charges twice nor forgets."""
    content_hash: Mapped[str]
    """Of everything but Header, Action, ReleaseEvent, PaidAt, ReceiptNo and CancelReason."""
    request: Mapped[str]
    """The children of the latest Request element as XML."""
    accession_no: Mapped[str | None]
    status_seq: Mapped[int | None]
    """The highest StatusSeq applied."""
    tombstone: Mapped[bool]
    """True when its CANCEL came before it: a NEW that follows is refused."""

    items: Mapped[list[RequisitionItem]] = relationship(
        back_populates="requisition", order_by="RequisitionItem.item_seq", lazy="selectin"
    )

    @property
    def status(self) -> StatusCode:
        """The state of the whole: of its least advanced item that is still alive."""
        return overall(item.state for item in self.items) if self.items else StatusCode.CANCELLED

    @property
    def refund_allowed(self) -> bool:
        """Whether clinic and cashier may still refund or cancel: no item has been registered."""
        return not any(decide(item.state, OrderEvent.REFUND).verdict is Verdict.LOCKED for item in self.items)

    @property
    def is_released(self) -> bool:
        return self.gateway_status == GatewayStatus.RELEASED


class RequisitionItem(Base):
    """One item of a requisition with its state."""

    __tablename__ = "requisition_item"
    __table_args__ = (
        Index("ix_requisition_item_barcode", "barcode"),
        Index("ix_requisition_item_order_no", "order_no"),
    )

    requisition_key: Mapped[str] = mapped_column(ForeignKey("requisition.key"), primary_key=True)
    item_seq: Mapped[int] = mapped_column(primary_key=True)
    order_no: Mapped[str]
    item_code: Mapped[str]
    barcode: Mapped[str | None]
    status_code: Mapped[str]
    accession_no: Mapped[str | None]
    refunded: Mapped[bool]
    requisition: Mapped[Requisition] = relationship(back_populates="items")

    @property
    def state(self) -> StatusCode:
        return StatusCode(self.status_code)


class StatusRecord(Base):
    """One reported event of a requisition, applied or only recorded."""

    __tablename__ = "status_record"
    __table_args__ = (
        Index("ix_status_record_requisition_key", "requisition_key"),
        Index("ix_status_record_occurred_at", "occurred_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    requisition_key: Mapped[str] = mapped_column(ForeignKey("requisition.key"))
    item_seq: Mapped[int | None]
    event: Mapped[str]
    from_status: Mapped[str]
    to_status: Mapped[str]
    applied: Mapped[bool]
    inferred: Mapped[bool]
    """True for a state that was skipped and is implied by a later one."""
    occurred_at: Mapped[datetime]
    status_seq: Mapped[int | None]
    sender_code: Mapped[str]
    txn_no: Mapped[str]
    reason: Mapped[str | None]
