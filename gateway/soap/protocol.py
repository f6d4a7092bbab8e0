"""Spyne's protocols for SOAP 1.1 and 1.2 with our own conversion: XML to dataclass and back, each in one pass.

Spyne's `from_element` and `to_parent` are not used: they take nine tenths of its time and change data silently
(docs/benchmarks.md). What arrives here is an envelope that gateway/soap/envelope.py has taken apart.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from lxml import etree

from gateway.contract import Contract
from gateway.messages.wire import Wire
from gateway.soap.envelope import SoapVersion
from gateway.soap.explain import explain, normalise, unknown_operation
from gateway.soap.mending import clean, mend, wrapper_tag
from gateway.soap.repairs import Repair, Repairs
from gateway.soap.spyne_import import Soap11, Soap12

_HEADS = {
    version: f'<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap="{version.namespace}"><soap:Body>'
    for version in SoapVersion
}


def enclose(version: SoapVersion, content: str) -> bytes:
    """The envelope of an answer; `content` is what stands in soap:Body."""
    return f"{_HEADS[version]}{content}</soap:Body></soap:Envelope>".encode()


class Conversion:
    """The request of a wrapper element, the wrapper element of a response; safe for any number of threads."""

    def __init__(self, contract: Contract, wire: Wire) -> None:
        self.contract = contract
        self.wire = wire
        self._request_types = {operation.name: operation.request_type for operation in contract.operations}
        # lxml keeps a check's errors in the schema, so no two threads may use one at once: who finds none makes one.
        self._free_schemas: deque[etree.XMLSchema] = deque([self._make_schema()])

    def read(self, operation: str, wrapper: etree._Element, repairs: Repairs) -> Any:
        """The request dataclass; InvalidMessage, saying where and why, if it breaks the contract.

        What can only mean one thing is mended, but only when the first check fails, and noted in `repairs`.
        """
        if Repair.CHARACTERS in repairs:
            repairs |= mend(self.contract, wrapper)
            clean(self.contract, wrapper)
        if not self._keeps_contract(wrapper) and not (self._mended(wrapper, repairs) and self._keeps_contract(wrapper)):
            raise explain(self.contract, wrapper)
        return self.wire.read(self._request_types[operation], wrapper[0])

    def _mended(self, wrapper: etree._Element, repairs: Repairs) -> bool:
        """Mend what old clients write, in place; True if anything was changed."""
        done = mend(self.contract, wrapper)
        repairs |= done
        return normalise(self.contract, wrapper) or bool(done)

    def _keeps_contract(self, wrapper: etree._Element) -> bool:
        try:
            schema = self._free_schemas.pop()
        except IndexError:
            schema = self._make_schema()
        try:
            return bool(schema.validate(wrapper))
        finally:
            self._free_schemas.append(schema)

    def _make_schema(self) -> etree.XMLSchema:
        """Takes 5 ms and 2 MB; a process needs one or two, since a check takes 0.03 ms."""
        return etree.XMLSchema(etree.parse(self.contract.folder / "xsd" / "gateway.xsd"))


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
