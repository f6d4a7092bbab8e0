"""One call's way through Spyne: find the operation, read the request, run it, write the response.

Spyne keeps the interface, the dispatch and this cycle. What it does beside them for every call and the gateway has no
use for (events, a collection of garbage, notes of protocols) is left out: it took more time than the call itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from gateway.contract import NAMESPACE, Contract
from gateway.messages.wire import Wire
from gateway.operations.unit import Caller, Received
from gateway.soap.conversion import Conversion
from gateway.soap.envelope import Envelope, SoapVersion
from gateway.soap.protocol import PROTOCOLS
from gateway.soap.repairs import Repairs
from gateway.soap.service import make_service
from gateway.soap.spyne_import import Application, Fault, MethodContext, ServerBase

VERSION_NAMES = {SoapVersion.V11: "1.1", SoapVersion.V12: "1.2"}


class Reception(Protocol):
    """What takes a checked message: gateway/operations/reception.py."""

    def receive(self, received: Received) -> Any:
        """The response dataclass."""
        ...


@dataclass(slots=True)
class Call:
    """One request, as far as it has come; what is said about it in logs, faults and figures stands here."""

    received_at: datetime
    reception: Reception
    txn_no: str
    version: SoapVersion | None = None
    """Of its envelope, once that is known."""
    body: bytes = b""
    operation: str = ""
    message_id: str = ""
    xml: bytes = b""
    """What the journal keeps: the body as received, with the passwords in its header blotted out."""
    caller: Caller | None = None
    result_code: str = ""
    repairs: Repairs = field(default_factory=set)
    """What was mended in the message."""
    error: Exception | None = field(default=None, repr=False)

    def receive(self, request: Any) -> Any:
        """Hand the request to the rules; called by Spyne as the operation's function."""
        self.message_id = request.header.message_id
        assert self.caller is not None
        assert self.version is not None
        response = self.reception.receive(
            Received(
                operation=self.operation,
                request=request,
                caller=self.caller,
                xml=self.xml,
                soap_version=VERSION_NAMES[self.version],
                received_at=self.received_at,
                txn_no=self.txn_no,
                repairs=frozenset(self.repairs),
            )
        )
        self.result_code = response.result.result_code
        return response


class _Context(MethodContext):  # type: ignore[misc]
    """Spyne's context of one call, without what costs and is not used."""

    TransportContext = None
    __setattr__ = object.__setattr__

    def __init__(self, server: Cycle) -> None:
        super().__init__(server, MethodContext.SERVER)
        self.event = None  # refers back to this context: the message would stay in memory until garbage is collected

    def fire_event(self, event: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""


class _GatewayApplication(Application):  # type: ignore[misc]
    """Spyne's application."""

    def call_wrapper(self, ctx: Any) -> Any:
        """Run the operation; keep what it raises for gateway/soap/faults.py, since Spyne would replace it."""
        try:
            return super().call_wrapper(ctx)
        except Exception as error:
            ctx.udc.error = error
            raise Fault from None


class Cycle(ServerBase):  # type: ignore[misc]
    """Spyne's server for one version of SOAP."""

    transport = "http://schemas.xmlsoap.org/soap/http"

    def __init__(self, version: SoapVersion, service: Any, conversion: Conversion) -> None:
        protocol = PROTOCOLS[version]
        application = _GatewayApplication(
            [service],
            NAMESPACE,
            name="HospitalGateway",
            in_protocol=protocol(conversion),
            out_protocol=protocol(conversion),
        )
        super().__init__(application)

    def answer(self, call: Call, envelope: Envelope, admit: Callable[[Call, Envelope], None]) -> bytes:
        """The answer's envelope; raises whatever went wrong. `admit` lets the caller in before its message is read."""
        ctx = _Context(self)
        ctx.in_document, ctx.udc = envelope, call
        (ctx,) = self.generate_contexts(ctx)
        call.operation = ctx.descriptor.name
        admit(call, envelope)
        self.get_in_object(ctx)
        self.get_out_object(ctx)
        if call.error is not None:
            try:
                raise call.error
            finally:
                call.error = ctx.out_error = None  # nor shall a failed message stay in memory
        self.get_out_string(ctx)
        (answer,) = ctx.out_string
        return bytes(answer)


@lru_cache(maxsize=4)
def make_cycles(contract: Contract, wire: Wire) -> dict[SoapVersion, Cycle]:
    """The cycles of both versions; once per process, since Spyne keeps every application it has made for ever."""
    conversion, service = Conversion(contract, wire), make_service(contract)
    return {version: Cycle(version, service, conversion) for version in SoapVersion}
