"""The operations of wsdl/gateway.wsdl as Spyne's service: one line each.

An operation carries no code here. What it does is gateway/operations/<operation>.py, which the reception calls.
"""

from __future__ import annotations

from typing import Any

from gateway.contract import NAMESPACE, Contract
from gateway.soap.spyne_import import Service, rpc
from gateway.soap.types import Types


def make_service(contract: Contract) -> Any:
    """The service class; a test compares it with the WSDL, so that neither forgets an operation."""
    types = Types(contract)

    def operation(name: str) -> Any:
        return rpc(
            types[f"{name}Request"],
            _args=("Request",),
            _returns=types[f"{name}ResponseType"],
            _out_variable_name="Response",
            _in_message_name=f"{{{NAMESPACE}}}{name}",
            _out_message_name=f"{{{NAMESPACE}}}{name}Response",
        )(_handler(name))

    class HospitalGateway(Service):  # type: ignore[misc]
        """The one service of the gateway."""

        SubmitRequisition = operation("SubmitRequisition")
        ReportStatus = operation("ReportStatus")
        SubmitReport = operation("SubmitReport")
        ChargeItem = operation("ChargeItem")
        RefundItem = operation("RefundItem")
        PushCriticalValue = operation("PushCriticalValue")
        AcknowledgeCriticalValue = operation("AcknowledgeCriticalValue")
        GetMedicalRecord = operation("GetMedicalRecord")
        ReportVisitEvent = operation("ReportVisitEvent")
        QueryRequisition = operation("QueryRequisition")
        QueryTransaction = operation("QueryTransaction")

    return HospitalGateway


def _handler(name: str) -> Any:
    def handle(ctx: Any, request: Any) -> Any:
        return ctx.udc.receive(request)

    handle.__name__ = name
    return handle
