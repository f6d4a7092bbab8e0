"""What rpc/encoded operations want beside what zeep writes: the type of every value, and the style of encoding.

SOAP 1.1, section 5, lets a receiver find the type of a value in xsi:type alone, and that of an array's items in
soapenc:arrayType; old Axis services and SOAP::Lite do.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zeep
from lxml import etree

ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSD = "http://www.w3.org/2001/XMLSchema"
_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_ARRAY = etree.QName(ENCODING, "Array")


def encoded_operations(folder: Path, binding: str) -> frozenset[str]:
    """The operations of a binding whose bodies are encoded, by the WSDL files of a folder."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    found = set()
    for file in sorted(folder.glob("*.wsdl")):
        for bound in etree.parse(str(file), parser).iterfind(f".//{_WSDL}binding[@name='{binding}']"):
            for operation in bound.iterfind(f"{_WSDL}operation"):
                bodies = operation.iterfind(f"{_WSDL}input/*[@use='encoded']")
                if any(etree.QName(body).localname == "body" for body in bodies):
                    found.add(operation.get("name", ""))
    return frozenset(found)


class Typed(zeep.Plugin):
    """Types the values of encoded operations on their way out."""

    def __init__(self, operations: frozenset[str]) -> None:
        self._operations = operations

    def egress(self, envelope: Any, http_headers: Any, operation: Any, binding_options: Any) -> tuple[Any, Any]:
        if operation.name in self._operations and operation.input.body is not None:
            _write_types(envelope, operation.input.body)
        return envelope, http_headers


def _write_types(envelope: etree._Element, body: Any) -> None:
    wrapper = envelope[-1][0]
    typed = list(_typed(wrapper, body.type))
    spaces = dict.fromkeys(kind.namespace for _, kind, _ in typed)
    prefixes = {XSI: "xsi", XSD: "xsd", ENCODING: "soapenc"} | {
        space: f"t{number}" for number, space in enumerate(spaces) if space not in (XSI, XSD, ENCODING)
    }
    for element in wrapper.iter("*"):  # zeep's own, whose prefixes go away
        element.attrib.pop(f"{{{XSI}}}type", None)
    etree.cleanup_namespaces(
        envelope,
        top_nsmap={prefix: space for space, prefix in prefixes.items()},
        keep_ns_prefixes=list(prefixes.values()),
    )
    wrapper.set(f"{{{etree.QName(envelope).namespace}}}encodingStyle", ENCODING)
    for element, kind, count in typed:
        name = f"{prefixes[kind.namespace]}:{kind.localname}"
        if count is not None:
            element.set(f"{{{ENCODING}}}arrayType", f"{name}[{count}]")
            name = f"{prefixes[ENCODING]}:{_ARRAY.localname}"
        element.set(f"{{{XSI}}}type", name)


def _typed(element: etree._Element, kind: Any) -> Iterator[tuple[etree._Element, etree.QName, int | None]]:
    """Every element below one of this type: with the name of its type, or with that and the number of its items."""
    item = _item_of(kind)
    known = {
        element.qname.localname: element for _, element in getattr(kind, "elements", ()) if hasattr(element, "qname")
    }
    for child in element.iterchildren(etree.Element):
        described = known.get(etree.QName(child).localname) if item is None else None
        inner = described.type if described is not None else item
        if inner is None:
            continue
        items = _item_of(inner)
        name = getattr(inner if items is None else items, "qname", None)
        if name is not None and name.namespace:
            yield child, name if _item_of(items) is None else _ARRAY, None if items is None else len(child)
        yield from _typed(child, inner)


def _item_of(kind: Any) -> Any:
    """The type of the items, if it is an array; zeep keeps it to itself."""
    array = getattr(kind, "_array_type", None)
    return array.array_type if array is not None else None
