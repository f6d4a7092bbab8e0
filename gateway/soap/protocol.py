"""Spyne's protocols for SOAP 1.1 and 1.2 with our own conversion: XML to dataclass and back, each in one pass.

Spyne's `from_element` and `to_parent` are not used: they take nine tenths of its time and change data silently
(docs/benchmarks.md). What arrives here is an envelope that gateway/soap/envelope.py has taken apart.
"""

from __future__ import annotations

from typing import Any

from gateway.soap.conversion import Conversion
from gateway.soap.envelope import SoapVersion
from gateway.soap.explain import unknown_operation
from gateway.soap.mending import wrapper_tag
from gateway.soap.spyne_import import Soap11, Soap12

_HEADS = {
    version: f'<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap="{version.namespace}"><soap:Body>'
    for version in SoapVersion
}


def enclose(version: SoapVersion, content: str) -> bytes:
    """The envelope of an answer; `content` is what stands in soap:Body."""
    return f"{_HEADS[version]}{content}</soap:Body></soap:Envelope>".encode()


class _DataclassProtocol:
    """What replaces Spyne's reading and writing, for both versions."""

    soap_version: SoapVersion
    app: Any

    def __init__(self, conversion: Conversion) -> None:
        super().__init__()
        self._conversion = conversion

    def get_context(self, parent: Any, transport: Any) -> None:
        """Spyne's notes of a protocol about one call; there are none."""

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:
        """The server has put the envelope there already: only then is the version known."""

    def decompose_incoming_envelope(self, ctx: Any, message: Any = None) -> None:
        ctx.in_header_doc = ctx.in_document.headers
        ctx.in_body_doc = ctx.in_document.wrapper
        ctx.method_request_string = ctx.in_body_doc.tag

    def generate_method_contexts(self, ctx: Any) -> tuple[Any]:
        """The one method of the request's name; without auxiliary methods no copy of the context is needed."""
        known = self.app.interface.service_method_map
        methods = known.get(ctx.method_request_string) or known.get(
            wrapper_tag(self._conversion.contract, ctx.in_body_doc)
        )
        if not methods:
            raise unknown_operation(self._conversion.contract, ctx.in_body_doc)
        ctx.descriptor = methods[0]
        return (ctx,)

    def deserialize(self, ctx: Any, message: Any) -> None:
        ctx.in_object = (self._conversion.read(ctx.descriptor.name, ctx.in_body_doc, ctx.in_document.repairs),)

    def serialize(self, ctx: Any, message: Any) -> None:
        ctx.out_document = self._conversion.wire.document(ctx.descriptor.out_message.get_type_name(), ctx.out_object[0])

    def create_out_string(self, ctx: Any, out_string_encoding: str | None = None) -> None:
        ctx.out_string = (enclose(self.soap_version, ctx.out_document),)


class GatewaySoap11(_DataclassProtocol, Soap11):  # type: ignore[misc]
    """SOAP 1.1."""

    soap_version = SoapVersion.V11


class GatewaySoap12(_DataclassProtocol, Soap12):  # type: ignore[misc]
    """SOAP 1.2."""

    soap_version = SoapVersion.V12


PROTOCOLS = {SoapVersion.V11: GatewaySoap11, SoapVersion.V12: GatewaySoap12}
