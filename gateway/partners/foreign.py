"""The SOAP client of a partner with a contract of its own: zeep writes the envelope by the partner's WSDL.

The WSDL is the copy in the partner's folder; nothing is ever fetched (docs/partners.md).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from threading import Lock
from typing import Any

import zeep
import zeep.exceptions
from lxml import etree
from zeep.proxy import ServiceProxy

from gateway.mapping.errors import MappingFailed, StylesheetBroken
from gateway.partner_config import Partner
from gateway.partners.client import DeadlineTransport, Door, Reply
from gateway.partners.encoded import Typed, encoded_operations
from gateway.partners.wsdl.errors import WsdlError
from gateway.partners.wsdl.loading import NothingFetched, load, settings

_SOAP_BINDINGS = {
    "1.1": "http://schemas.xmlsoap.org/wsdl/soap/",
    "1.2": "http://schemas.xmlsoap.org/wsdl/soap12/",
}


_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class _Given(zeep.xsd.Element):
    """The element of a body whose value was read already: as arguments of Python, `self` could be no parameter."""

    def __call__(self, value: Any) -> Any:
        return value


class ForeignClient:
    """Calls the operations of one port of a partner's WSDL; any number of threads may use it at once."""

    def __init__(self, partner: Partner) -> None:
        self._partner = partner
        self._building = Lock()

    def operations(self) -> tuple[str, ...]:
        """The names of its operations. Raises StylesheetBroken, as all of this does, when the WSDL cannot be used."""
        return tuple(self._binding._operations)

    def parameters(self, operation: str) -> tuple[str, ...]:
        """The names of what an operation takes, in order."""
        body = self._body(operation)
        if body is None:
            return ()
        return tuple(name for name, _ in body.type.elements) if _is_complex(body) else (str(body.name),)

    def post_values(self, operation: str, values: Mapping[str, str]) -> Reply:
        """Call an operation with plain parameters, within the current exchange. Raises what FAILURES lists."""
        return self._post(operation, self._named(operation, values))

    def post_element(self, operation: str, content: etree._Element) -> Reply:
        """Call an operation with its wrapper element, as a stylesheet has made it. Raises what FAILURES lists."""
        return self._post(operation, self._values(operation, content))

    def envelope(self, operation: str, content: etree._Element | Mapping[str, str]) -> etree._Element:
        """What would be sent, without what says who we are: it is made to be shown.

        Raises MappingFailed, which may show what does not fit.
        """
        try:
            is_made = isinstance(content, etree._Element)
            value = self._values(operation, content) if is_made else self._named(operation, content)
            transport: Any = NothingFetched()
            client: Any = zeep.Client(  # type: ignore[no-untyped-call]
                self._document, transport=transport, plugins=self._plugins, settings=settings()
            )
            made: etree._Element = client.create_message(self._service, operation, value)
        except (zeep.exceptions.Error, TypeError, ValueError, AttributeError) as problem:
            raise MappingFailed(f"The WSDL's {operation} does not take what the stylesheet makes: {problem}") from None
        return made

    def _post(self, operation: str, value: Any) -> Reply:
        try:
            reply: Reply = self._service[operation](value)
        except zeep.exceptions.ValidationError as problem:
            raise MappingFailed(f"The stylesheet's message does not fit the WSDL: {problem.message}.") from None
        return reply

    def _values(self, operation: str, content: etree._Element) -> Any:
        """What a wrapper element holds, as zeep reads it."""
        body = self._body(operation)
        if body is None:  # an operation that takes nothing
            return None
        if etree.QName(content).localname != body.name:
            raise MappingFailed(
                f"The stylesheet makes <{etree.QName(content).localname}> where <{body.name}> is wanted."
            )
        try:
            with self._building:
                value = body.parse(content, self._document.types)
        except zeep.exceptions.XMLParseError as problem:  # it names elements and no values
            raise MappingFailed(f"The stylesheet's message does not fit the WSDL: {problem.message}.") from None
        return _kept(body, value, content)

    def _named(self, operation: str, values: Mapping[str, str]) -> Any:
        """Plain parameters as zeep takes them."""
        body, known = self._body(operation), self.parameters(operation)
        if unknown := [name for name in values if name not in known]:
            raise StylesheetBroken(
                f"{operation} of {self._partner.name} takes {', '.join(known) or 'nothing'}, not {unknown[0]}."
            )
        if body is None or not _is_complex(body):
            return next(iter(values.values()), "")
        value = body.type()
        for name, text in values.items():
            value[name] = text
        return value

    def _body(self, operation: str) -> Any:
        if operation not in self.operations():
            raise StylesheetBroken(
                f"The WSDL of {self._partner.name} has no operation {operation}; it has {', '.join(self.operations())}."
            )
        return self._binding.get(operation).input.body

    # --- the WSDL -----------------------------------------------------------------------------------------------------

    @cached_property
    def _plugins(self) -> list[Any]:
        assert self._partner.wsdl is not None
        folder = self._partner.path(self._partner.wsdl).parent
        operations = encoded_operations(folder, str(self._binding.name.localname))
        return [Typed(operations)] if operations else []

    @cached_property
    def _document(self) -> Any:
        assert self._partner.wsdl is not None
        try:
            return load(self._partner.path(self._partner.wsdl))
        except WsdlError as problem:
            raise StylesheetBroken(str(problem)) from None

    @cached_property
    def _binding(self) -> Any:
        """That of the port of the settings, or of the first of the SOAP version."""
        partner, wanted = self._partner, _SOAP_BINDINGS[self._partner.soap_version]
        for service in self._document.services.values():
            if partner.service in (None, service.name):
                for port in service.ports.values():
                    fits = port.binding.nsmap.get("soap") == wanted if hasattr(port.binding, "nsmap") else False
                    if fits and partner.port in (None, port.name):
                        return _prepared(port.binding)
        where = "/".join(name for name in (partner.service, partner.port) if name) or "any"
        raise StylesheetBroken(f"{partner.wsdl} of {partner.name} has no port {where} of SOAP {partner.soap_version}.")

    @cached_property
    def _service(self) -> ServiceProxy:
        with self._building:
            door = Door(self._partner)
            client: Any = zeep.Client(  # type: ignore[no-untyped-call]
                self._document,
                transport=DeadlineTransport(door, self._partner.charset),
                wsse=door.credentials,
                plugins=self._plugins,
                settings=settings(),
            )
            made: ServiceProxy = ServiceProxy(client, self._binding, address=str(self._partner.url))  # type: ignore[no-untyped-call]
            return made


def _prepared(binding: Any) -> Any:
    """The binding, with operations that take values read already."""
    for operation in binding.all().values():
        if operation.input is not None and operation.input.body is not None:
            given = copy.copy(operation.input.body)
            given.__class__ = _Given
            operation.input.body = given
    return binding


def _is_complex(element: Any) -> bool:
    return isinstance(getattr(element, "type", None), zeep.xsd.ComplexType)


def _keep_empty(value: Any, content: etree._Element) -> None:
    """What the stylesheet makes empty is sent empty: zeep would say nil, leave it out, or miss it."""
    for name, element in value._xsd_type.elements:
        wanted = getattr(getattr(element, "qname", None), "localname", None)  # xs:any has none
        made = [child for child in content.iterchildren(etree.Element) if etree.QName(child).localname == wanted]
        inner = value.__values__.get(name)
        if isinstance(inner, list) and element.accepts_multiple:
            inner[:] = [_kept(element, one, child) for one, child in zip(inner, made, strict=False)] or inner
        elif made:
            value[name] = _kept(element, inner, made[0])


def _kept(element: Any, inner: Any, made: etree._Element) -> Any:
    if inner is None and isinstance(element.type, zeep.xsd.AnySimpleType) and (made.text or "").strip():
        raise MappingFailed(
            f"The stylesheet's <{etree.QName(made).localname}> holds what is no {element.type.name} of the WSDL."
        )
    if isinstance(inner, zeep.xsd.CompoundValue):
        _keep_empty(inner, made)
    return _empty(element) if inner is None and made.get(_NIL) is None else inner


def _empty(element: Any) -> Any:
    """An empty value of its type; None where there is none, as of a number."""
    if isinstance(element.type, zeep.xsd.String):
        return ""
    return element.type() if _is_complex(element) and element.type._array_type is None else None
