"""The service a hospital would write with Spyne alone: checks with lxml, answers what it was sent, stores nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.soap import spyne_import  # noqa: F401 - lets Spyne 2.14 be imported on Python 3.12 and 3.13

# isort: split
from spyne import (
    Application,
    Array,
    Boolean,
    ComplexModel,
    Date,
    DateTime,
    Decimal,
    Fault,
    Integer,
    ServiceBase,
    Unicode,
    rpc,
)
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

NAMESPACE = "urn:hospital-gateway:v1"


class Model(ComplexModel):
    __namespace__ = NAMESPACE


class Header(Model):
    MessageId = Unicode(64, min_occurs=1, nillable=False)
    SenderCode = Unicode(20, min_occurs=1, nillable=False)
    HospitalCode = Unicode(22, min_occurs=1, nillable=False)
    BranchCode = Unicode(10)
    SentAt = DateTime(min_occurs=1, nillable=False)
    OperatorCode = Unicode(20)


class Patient(Model):
    PatientId = Unicode(32, min_occurs=1, nillable=False)
    PatientName = Unicode(50, min_occurs=1, nillable=False)
    SexCode = Unicode(1, values=["0", "1", "2", "9"])
    BirthDate = Date
    IdNo = Unicode(18)
    Phone = Unicode(20)
    Address = Unicode(200)


class Visit(Model):
    VisitType = Unicode(1, values=["1", "2", "3", "4", "9"])
    VisitNo = Unicode(32, min_occurs=1, nillable=False)
    DeptCode = Unicode(20)
    DeptName = Unicode(50)


class Diagnosis(Model):
    Code = Unicode(20)
    Name = Unicode(100)
    Type = Unicode(values=["MAIN", "OTHER"])


class ChargeItem(Model):
    ChargeCode = Unicode(32, min_occurs=1, nillable=False)
    ItemName = Unicode(100)
    Unit = Unicode(20)
    Quantity = Decimal(12, 4)
    UnitPrice = Decimal(12, 4)
    Amount = Decimal(12, 2)


class Item(Model):
    ItemSeq = Integer(min_occurs=1, nillable=False)
    OrderNo = Unicode(32, min_occurs=1, nillable=False)
    ItemCode = Unicode(32)
    ItemName = Unicode(100)
    BodyPartCode = Unicode(20)
    BodyPartName = Unicode(50)
    Method = Unicode(100)
    Quantity = Decimal(12, 4)
    UnitPrice = Decimal(12, 4)
    Amount = Decimal(12, 2)
    ChargeItems = Array(ChargeItem)


class SubmitRequisitionRequest(Model):
    Header = Header.customize(min_occurs=1, nillable=False)
    Action = Unicode(values=["NEW", "UPDATE", "CANCEL"], min_occurs=1, nillable=False)
    RequisitionNo = Unicode(32, min_occurs=1, nillable=False)
    RequisitionType = Unicode(values=["EXAM", "LAB", "SURGERY", "PATHOLOGY"])
    Patient = Patient.customize(min_occurs=1, nillable=False)
    Visit = Visit.customize(min_occurs=1, nillable=False)
    ReleaseEvent = Unicode(values=["PAID", "NURSE_SENT", "GREEN_CHANNEL"])
    Priority = Unicode(values=["ROUTINE", "URGENT"])
    OrderingDeptCode = Unicode(20)
    OrderingDoctorCode = Unicode(20)
    OrderingDoctorName = Unicode(50)
    OrderedAt = DateTime(min_occurs=1, nillable=False)
    PerformDeptCode = Unicode(20)
    ClinicalSummary = Unicode(2000)
    Purpose = Unicode(500)
    Allergy = Unicode(500)
    Diagnoses = Array(Diagnosis)
    Items = Array(Item)


class Result(Model):
    ResultCode = Unicode
    ResultText = Unicode
    ResultTextEn = Unicode
    MessageId = Unicode
    GatewayTxnNo = Unicode
    Duplicate = Boolean
    Retryable = Boolean
    ProcessedAt = DateTime


class SubmitRequisitionResponseType(Model):
    Result = Result
    RequisitionNo = Unicode
    GatewayStatus = Unicode


class Requisitions(ServiceBase):
    @rpc(SubmitRequisitionRequest, _returns=SubmitRequisitionResponseType, _out_variable_name="Response")
    def SubmitRequisition(ctx: Any, Request: Any) -> Any:
        if not Request.Items:
            raise Fault("Client.NoItems", "Without items there is nothing to do.")
        return accepted(Request)


def accepted(request: Any) -> SubmitRequisitionResponseType:
    """The answer, in the gateway's own form."""
    now = datetime.now(UTC)
    return SubmitRequisitionResponseType(
        Result=Result(
            ResultCode="0",
            ResultText="成功",
            ResultTextEn="Accepted",
            MessageId=request.Header.MessageId,
            GatewayTxnNo=f"G{now:%y%m%d%H%M%S%f}",
            Duplicate=False,
            Retryable=False,
            ProcessedAt=now,
        ),
        RequisitionNo=request.RequisitionNo,
        GatewayStatus="RELEASED",
    )


def application(service: type[ServiceBase] = Requisitions) -> WsgiApplication:
    """As Spyne's documentation shows it."""
    return WsgiApplication(
        Application([service], NAMESPACE, in_protocol=Soap11(validator="lxml"), out_protocol=Soap11())
    )
