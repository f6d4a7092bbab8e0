"""The SOAP client of a partner with a contract of its own: zeep writes the envelope by the partner's WSDL.

The WSDL is the copy in the partner's folder; nothing is ever fetched (docs/partners.md).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import zeep
import zeep.exceptions
from lxml import etree
from zeep.proxy import ServiceProxy

from gateway.mapping.errors import MappingFailed, StylesheetBroken
from gateway.partner_config import Partner
from gateway.partners.client import DeadlineTransport, Door, NothingFetched, Reply
from gateway.partners.encoded import Typed, encoded_operations

_SOAP_BINDINGS = {
    "1.1": "http://schemas.xmlsoap.org/wsdl/soap/",
    "1.2": "http://schemas.xmlsoap.org/wsdl/soap12/",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    type: str
    """Of XML Schema when it is simple; else what the WSDL calls it."""
    is_simple: bool


class ForeignClient:
    """Calls the operations of one port of a partner's WSDL; any number of threads may use it at once."""

    def __init__(self, partner: Partner) -> None:
        self._partner = partner
        self._building = Lock()

    def operations(self) -> tuple[str, ...]:
        """The names of its operations. Raises StylesheetBroken, as all of this does, when the WSDL cannot be used."""
        return tuple(self._binding._operations)

    def parameters(self, operation: str) -> tuple[Parameter, ...]:
        """What an operation takes, in order."""
        elements = getattr(getattr(self._body(operation), "type", None), "elements", ())
        return tuple(_parameter(name, element) for name, element in elements)

    def post_values(self, operation: str, values: Mapping[str, str]) -> Reply:
        """Call an operation with plain parameters, within the current exchange. Raises what FAILURES lists."""
        return self._post(operation, dict(values))

    def post_element(self, operation: str, content: etree._Element) -> Reply:
        """Call an operation with its wrapper element, as a stylesheet has made it. Raises what FAILURES lists."""
        return self._post(operation, self._values(operation, content))

    def envelope(self, operation: str, content: etree._Element | Mapping[str, str]) -> etree._Element:
        """What would be sent, without what says who we are: it is made to be shown.

        Raises MappingFailed, which may show what does not fit.
        """
        try:
            values = self._values(operation, content) if isinstance(content, etree._Element) else dict(content)
            transport: Any = NothingFetched()
            client: Any = zeep.Client(  # type: ignore[no-untyped-call]
                self._document, transport=transport, plugins=self._plugins, settings=_settings()
            )
            made: etree._Element = client.create_message(self._service, operation, **values)
        except (zeep.exceptions.Error, TypeError, ValueError, AttributeError) as problem:
            raise MappingFailed(f"The WSDL's {operation} does not take what the stylesheet makes: {problem}") from None
        return made

    def _post(self, operation: str, values: dict[str, Any]) -> Reply:
        service = self._service
        if operation not in self.operations():
            raise StylesheetBroken(f"The WSDL of {self._partner.name} has no operation {operation}.")
        try:
            reply: Reply = service[operation](**values)
        except zeep.exceptions.ValidationError as problem:
            raise MappingFailed(f"The stylesheet's message does not fit the WSDL: {problem.message}.") from None
        return reply

    def _values(self, operation: str, content: etree._Element) -> dict[str, Any]:
        body = self._body(operation)
        if body is None:  # an operation that takes nothing
            return {}
        if etree.QName(content).localname != body.name:
            raise MappingFailed(
                f"The stylesheet makes <{etree.QName(content).localname}> where <{body.name}> is wanted."
            )
        try:
            with self._building:
                value = body.parse(content, self._document.types)
        except zeep.exceptions.XMLParseError as problem:  # it names elements and no values
            raise MappingFailed(f"The stylesheet's message does not fit the WSDL: {problem.message}.") from None
        if value is None:
            return {}
        _keep_empty(value, content)
        return dict(value.__values__)

    def _body(self, operation: str) -> Any:
        if operation not in self.operations():
            raise StylesheetBroken(
                f"The WSDL of {self._partner.name} has no operation {operation}; it has {', '.join(self.operations())}."
            )
        return self._binding.get(operation).input.body

    # --- the WSDL -----------------------------------------------------------------------------------------------------

    @cached_property
    def _client(self) -> Any:
        with self._building:
            door = Door(self._partner)
            return zeep.Client(  # type: ignore[no-untyped-call]
                self._document,
                transport=DeadlineTransport(door, self._partner.charset),
                wsse=door.credentials,
                plugins=self._plugins,
                settings=_settings(),
            )

    @cached_property
    def _plugins(self) -> list[Any]:
        assert self._partner.wsdl is not None
        folder = self._partner.path(self._partner.wsdl).parent
        operations = encoded_operations(folder, str(self._binding.name.localname))
        return [Typed(operations)] if operations else []

    @cached_property
    def _document(self) -> Any:
        partner = self._partner
        assert partner.wsdl is not None
        logging.getLogger("zeep").setLevel(logging.WARNING)  # zeep's own log would show envelopes
        transport: Any = NothingFetched()
        path = partner.path(partner.wsdl)
        if not path.is_file():
            raise StylesheetBroken(f"{path} does not exist.")
        return zeep.wsdl.Document(str(path), transport, settings=_settings())

    @cached_property
    def _port(self) -> Any:
        """The port of the settings, or the first of the SOAP version."""
        partner, wanted = self._partner, _SOAP_BINDINGS[self._partner.soap_version]
        for service in self._document.services.values():
            if partner.service in (None, service.name):
                for port in service.ports.values():
                    fits = port.binding.nsmap.get("soap") == wanted if hasattr(port.binding, "nsmap") else False
                    if fits and partner.port in (None, port.name):
                        return port
        where = "/".join(name for name in (partner.service, partner.port) if name) or "any"
        raise StylesheetBroken(f"{partner.wsdl} of {partner.name} has no port {where} of SOAP {partner.soap_version}.")

    @property
    def _binding(self) -> Any:
        return self._port.binding

    @cached_property
    def _service(self) -> ServiceProxy:
        made: ServiceProxy = self._client.create_service(self._binding.name, str(self._partner.url))
        return made


def _keep_empty(value: Any, content: etree._Element) -> None:
    """A text the stylesheet makes empty is sent empty: zeep would say nil, leave it out, or miss it."""
    elements = dict(value._xsd_type.elements)
    for name, inner in value.__values__.items():
        made = [child for child in content.iterchildren(etree.Element) if etree.QName(child).localname == name]
        if inner is None and made and isinstance(elements[name].type, zeep.xsd.String):
            value[name] = ""
        for part, child in zip(inner if isinstance(inner, list) else [inner], made, strict=False):
            if isinstance(part, zeep.xsd.CompoundValue):
                _keep_empty(part, child)


def _settings() -> zeep.Settings:
    return zeep.Settings(
        strict=True, raw_response=True, forbid_dtd=True, forbid_entities=True, forbid_external=True, force_https=False
    )


def _parameter(name: str, element: Any) -> Parameter:
    kind = element.type
    simple = isinstance(kind, zeep.xsd.AnySimpleType)
    return Parameter(name, str(getattr(kind, "name", "") or ""), simple)
