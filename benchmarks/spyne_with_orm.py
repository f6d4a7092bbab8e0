"""The same service as a hospital would store with it: six rows by SQLAlchemy's ORM, one transaction per message."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from spyne import ServiceBase, rpc
from spyne.server.wsgi import WsgiApplication
from sqlalchemy import DateTime, Numeric, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from benchmarks.bare_spyne import SubmitRequisitionRequest, SubmitRequisitionResponseType, accepted
from benchmarks.bare_spyne import application as spyne_application


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True), Decimal: Numeric(14, 4)}


class Journal(Base):
    __tablename__ = "journal"
    id: Mapped[int] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]
    sender_code: Mapped[str]
    message_id: Mapped[str] = mapped_column(unique=True)
    requisition_no: Mapped[str] = mapped_column(index=True)
    xml: Mapped[str]


class Requisition(Base):
    __tablename__ = "requisition"
    requisition_no: Mapped[str] = mapped_column(primary_key=True)
    requisition_type: Mapped[str]
    patient_id: Mapped[str] = mapped_column(index=True)
    patient_name: Mapped[str]
    sex_code: Mapped[str]
    birth_date: Mapped[date | None]
    visit_type: Mapped[str]
    visit_no: Mapped[str] = mapped_column(index=True)
    ordering_dept_code: Mapped[str]
    ordering_doctor_code: Mapped[str]
    ordered_at: Mapped[datetime]
    perform_dept_code: Mapped[str] = mapped_column(index=True)
    clinical_summary: Mapped[str | None]
    status: Mapped[str]


class RequisitionItem(Base):
    __tablename__ = "requisition_item"
    requisition_no: Mapped[str] = mapped_column(primary_key=True)
    item_seq: Mapped[int] = mapped_column(primary_key=True)
    order_no: Mapped[str] = mapped_column(index=True)
    item_code: Mapped[str]
    item_name: Mapped[str]
    quantity: Mapped[Decimal]
    amount: Mapped[Decimal]


class Charge(Base):
    __tablename__ = "charge"
    id: Mapped[int] = mapped_column(primary_key=True)
    requisition_no: Mapped[str] = mapped_column(index=True)
    charge_code: Mapped[str]
    quantity: Mapped[Decimal]
    amount: Mapped[Decimal]


class Audit(Base):
    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)


class Outbox(Base):
    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(primary_key=True)
    receiver: Mapped[str]
    requisition_no: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]
    created_at: Mapped[datetime]


def make_tables(database_url: str) -> None:
    engine = create_engine(database_url)
    Base.metadata.create_all(engine)
    engine.dispose()


def application(database_url: str) -> WsgiApplication:
    sessions = sessionmaker(create_engine(database_url, pool_size=20))

    class StoredRequisitions(ServiceBase):
        @rpc(SubmitRequisitionRequest, _returns=SubmitRequisitionResponseType, _out_variable_name="Response")
        def SubmitRequisition(ctx: Any, Request: Any) -> Any:
            with sessions.begin() as session:
                store(session, Request, b"".join(ctx.in_string).decode())
            return accepted(Request)

    return spyne_application(StoredRequisitions)


def store(session: Session, request: Any, xml: str) -> None:
    """One row in each table, one more for each further item and charge."""
    now, number = datetime.now(UTC), request.RequisitionNo
    session.add(
        Journal(
            received_at=now,
            sender_code=request.Header.SenderCode,
            message_id=request.Header.MessageId,
            requisition_no=number,
            xml=xml,
        )
    )
    session.add(
        Requisition(
            requisition_no=number,
            requisition_type=request.RequisitionType,
            patient_id=request.Patient.PatientId,
            patient_name=request.Patient.PatientName,
            sex_code=request.Patient.SexCode,
            birth_date=request.Patient.BirthDate,
            visit_type=request.Visit.VisitType,
            visit_no=request.Visit.VisitNo,
            ordering_dept_code=request.OrderingDeptCode,
            ordering_doctor_code=request.OrderingDoctorCode,
            ordered_at=request.OrderedAt,
            perform_dept_code=request.PerformDeptCode,
            clinical_summary=request.ClinicalSummary,
            status="RELEASED",
        )
    )
    for item in request.Items:
        session.add(
            RequisitionItem(
                requisition_no=number,
                item_seq=item.ItemSeq,
                order_no=item.OrderNo,
                item_code=item.ItemCode,
                item_name=item.ItemName,
                quantity=item.Quantity,
                amount=item.Amount,
            )
        )
        for charge in item.ChargeItems:
            session.add(
                Charge(
                    requisition_no=number,
                    charge_code=charge.ChargeCode,
                    quantity=charge.Quantity,
                    amount=charge.Amount,
                )
            )
    session.add(Audit(at=now, actor=request.Header.SenderCode, action="SubmitRequisition", subject=number))
    session.add(Outbox(receiver="PACS", requisition_no=number, state="QUEUED", created_at=now))
