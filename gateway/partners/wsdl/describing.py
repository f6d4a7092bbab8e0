"""What a loaded WSDL offers: services, ports, operations, their parameters, and which dialect they look like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from zeep import xsd
from zeep.wsdl import Document
from zeep.wsdl.bindings import Soap11Binding, Soap12Binding
from zeep.wsdl.messages.soap import RpcMessage
from zeep.xsd.elements.indicators import Indicator

DEEPEST = 12
"""A type that holds itself is shown no deeper than this."""
MOST_FIELDS = 3000
"""Types that hold each other are shown until an operation has so many fields."""


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter, result or field, with what it holds."""

    name: str
    namespace: str | None
    type: str
    required: bool
    repeats: bool
    is_string: bool
    children: tuple[Field, ...] = ()
    attributes: tuple[str, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Field]]:
        """Itself and all below, each with its depth."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it is called."""

    name: str
    soap_action: str
    style: str
    """document or rpc."""
    element: str
    """The element it sends, with its namespace; empty for none."""
    parameters: tuple[Field, ...]
    results: tuple[Field, ...]
    headers: tuple[str, ...]
    faults: tuple[str, ...]
    one_way: bool

    @property
    def takes_strings(self) -> bool:
        return bool(self.parameters) and all(field.is_string for field in self.parameters)


@dataclass(frozen=True, slots=True)
class Port:
    """One port that speaks SOAP."""

    service: str
    name: str
    soap_version: str
    address: str
    operations: tuple[Operation, ...]

    def operation(self, name: str) -> Operation | None:
        return next((one for one in self.operations if one.name == name), None)


def describe(document: Document) -> tuple[Port, ...]:
    """All SOAP ports, SOAP 1.1 first, as the WSDL orders them."""
    ports = [
        Port(
            service=service.name,
            name=port.name,
            soap_version="1.2" if isinstance(port.binding, Soap12Binding) else "1.1",
            address=(port.binding_options or {}).get("address") or "",
            operations=tuple(_operation(one) for one in _bound(port) if one.input is not None),
        )
        for service in document.services.values()
        for port in service.ports.values()
        if isinstance(port.binding, (Soap11Binding, Soap12Binding))
    ]
    return tuple(sorted((port for port in ports if port.operations), key=lambda port: port.soap_version))


def _bound(port: Any) -> list[Any]:
    return list(port.binding.all().values())


def _operation(operation: Any) -> Operation:
    style = "rpc" if isinstance(operation.input, RpcMessage) else "document"
    body = operation.input.body
    return Operation(
        name=operation.name,
        soap_action=operation.soapaction or "",
        style=style,
        element=body.qname.text if body is not None else "",
        parameters=_fields_of(body),
        results=_fields_of(operation.output.body if operation.output else None),
        headers=tuple(_header_names(operation.input)),
        faults=tuple(name for name in operation.faults if name),
        one_way=operation.output is None,
    )


def _header_names(message: Any) -> Iterator[str]:
    if message.header is not None:
        yield from (name for name, _ in message.header.type.elements)


def _fields_of(body: Any) -> tuple[Field, ...]:
    """What stands inside the element of a body; the element itself if it holds a plain value."""
    if body is None:
        return ()
    tree = _Tree()
    if isinstance(body.type, xsd.ComplexType):
        return tree.children(body.type, 0)
    return (tree.field(body, 0),)


class _Tree:
    """The fields of one message."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def children(self, kind: Any, depth: int) -> tuple[Field, ...]:
        if depth > DEEPEST or self._left < 0:
            return ()
        array = kind._array_type
        if array is not None and array.array_type is not None:  # of SOAP encoding
            item: Any = xsd.Element("item", array.array_type, 0, "unbounded")  # type: ignore[no-untyped-call]
            return (self.field(item, depth),)
        try:
            elements = kind.elements
        except (AttributeError, RecursionError):  # zeep stumbles over impossible types, which no message needs
            return ()
        return tuple(self._fields(elements, depth))

    def _fields(self, elements: Any, depth: int) -> Iterator[Field]:
        for _, element in elements:
            if isinstance(element, Indicator):  # a choice or a sequence that repeats
                for one in self._fields(element.elements, depth):
                    yield replace(one, required=False, repeats=True)
            else:
                yield self.field(element, depth)

    def field(self, element: Any, depth: int) -> Field:
        self._left -= 1
        kind = getattr(element, "type", None)  # <s:element ref="s:schema"/> of a DataSet has none
        qname = getattr(element, "qname", None)
        return Field(
            name=str(qname.localname) if qname is not None else "any",
            namespace=qname.namespace if qname is not None else None,
            type=_type_name(element),
            required=kind is not None and element.min_occurs != 0,
            repeats=kind is not None and (element.max_occurs == "unbounded" or element.max_occurs > 1),
            is_string=isinstance(kind, xsd.String),
            children=self.children(kind, depth + 1) if isinstance(kind, xsd.ComplexType) else (),
            attributes=_attributes(kind) if isinstance(kind, xsd.ComplexType) else (),
        )


def _attributes(kind: Any) -> tuple[str, ...]:
    return tuple(name for name, _ in kind.attributes if name)


def _type_name(element: Any) -> str:
    kind = getattr(element, "type", None)
    qname = getattr(kind, "qname", None)
    if qname is None:
        default = getattr(kind, "_default_qname", None)
        return str(default.localname) if default is not None else "any"
    return str(qname.localname)


# --- Which dialect it looks like --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Guess:
    """The dialect a port looks like, why, and by which operation."""

    dialect: str
    why: str
    operation: str | None = None


SHAPES = (
    ("call-interface", ("callinterface",), ({"msgheader", "msgbody"},)),
    ("hip-message-server", ("hipmessageserver",), ({"action", "message"},)),
    ("tech-service", ("techservice",), ({"actioncode", "xmlcontent"},)),
    ("esb-entry", ("getmq", "putgetmsg"), ({"fid", "putcmsg", "getcmsg", "errmsg"}, {"fid", "putcmsg", "getcmsg"})),
    ("call", ("call",), ({"funccode", "input"},)),
)
"""Dialect, the names of its operation, and the names of its parameters, all in lower case."""
OURS = "urn:hospital-gateway:v1"


def guess_dialect(port: Port) -> Guess:
    """Which dialect word fits a port."""
    if any(operation.element.startswith(f"{{{OURS}}}") for operation in port.operations):
        return Guess("canonical", f"its operations are those of our own contract ({OURS})")
    for dialect, _, shapes in SHAPES:
        for operation in port.operations:
            names = {field.name.lower() for field in operation.parameters}
            if names in shapes:
                shown = ", ".join(field.name for field in operation.parameters)
                return Guess(dialect, f"{operation.name} takes {shown}", operation.name)
    for dialect, names_of_it, shapes in SHAPES:
        for operation in port.operations:
            fits = len(operation.parameters) == len(shapes[0]) and operation.takes_strings
            if operation.name.lower() in names_of_it and fits:
                return Guess(dialect, f"it has the operation {operation.name} of that style", operation.name)
    callable_ = [operation for operation in port.operations if operation.parameters]
    single = [
        one for one in callable_ if len(one.parameters) == 1 and one.takes_strings and not one.parameters[0].repeats
    ]
    for one in single:
        if "hl7" in f"{one.name} {one.parameters[0].name}".lower():
            return Guess("hl7-string", f"{one.name} takes one string, by its name an HL7 message", one.name)
    if single and len(single) * 2 >= len(callable_):
        count = len(port.operations)
        many = (
            f"{len(single)} of its {count} operations take one string"
            if count > 1
            else "its operation takes one string"
        )
        return Guess("single", many, single[0].name)
    return Guess("typed", "its operations take fields of their own")
