"""The element a stylesheet would make for an operation, whatever its types: every field, in the form the WSDL wants."""

from __future__ import annotations

from typing import Any

from lxml import etree
from zeep import xsd
from zeep.xsd.elements import Any as AnyElement
from zeep.xsd.elements import Element
from zeep.xsd.elements.indicators import Choice, Group, Indicator

ENCODING = "{http://schemas.xmlsoap.org/soap/"
DEEPEST = 6
TEXTS = {
    "boolean": "true",
    "dateTime": "2026-11-24T10:15:00",
    "date": "2026-11-24",
    "time": "10:15:00",
    "duration": "P1D",
    "base64Binary": "UERG",
    "hexBinary": "FF",
    "float": "1.5",
    "double": "1.5",
    "decimal": "1.50",
    "integer": "1",
}


def wrapper(body: Any) -> etree._Element:
    """The wrapper element of an operation with something in every field."""
    made = etree.Element(body.qname.text)
    _fill(made, body.type, 0)
    return made


def _fill(node: etree._Element, kind: Any, depth: int) -> None:
    if not isinstance(kind, xsd.ComplexType):
        node.text = _text(kind)
        return
    for _, attribute in kind.attributes:
        if attribute.name and not attribute.qname.text.startswith(ENCODING) and attribute.name not in ("id", "href"):
            node.set(attribute.qname.text, _text(attribute.type))
    array = kind._array_type
    if array is not None and array.array_type is not None:
        for _ in range(2):
            _fill(etree.SubElement(node, "item"), array.array_type, depth + 1)
    elif isinstance(kind._element, Element):
        node.text = _text(kind._element.type)
    elif kind._element is not None:
        _add(node, kind._element, depth)


def _add(node: etree._Element, particle: Any, depth: int) -> None:
    times = 2 if particle.accepts_multiple else 1
    if isinstance(particle, AnyElement):
        if particle.min_occurs:
            etree.SubElement(node, "{urn:x}anything")
    elif isinstance(particle, Element):
        if depth < DEEPEST or particle.min_occurs:
            for _ in range(times):
                child = etree.SubElement(node, particle.qname.text)
                if particle.type is not None:
                    _fill(child, particle.type, depth + 1)
    elif isinstance(particle, Choice):
        for one in list(particle)[:times]:
            _add(node, one, depth)
    elif isinstance(particle, (Indicator, Group)):
        for _ in range(times):
            for one in particle:
                _add(node, one, depth)


def _text(kind: Any) -> str:
    for known in type(kind).__mro__:
        name = getattr(known, "_default_qname", None)
        if name is not None and name.localname in TEXTS:
            return TEXTS[name.localname]
    return "text"


def form(element: etree._Element) -> list[str]:
    """Every element and attribute of a message and what it holds, in order; those of SOAP's encoding are left out."""
    lines = []
    for one in element.iter(etree.Element):
        attributes = sorted(f"@{key}={value}" for key, value in one.attrib.items() if "}" not in key)
        lines.append(" ".join([etree.QName(one).text, (one.text or "").strip() * (not len(one)), *attributes]).rstrip())
    return lines
