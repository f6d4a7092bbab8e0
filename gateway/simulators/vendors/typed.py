"""A vendor's operations with types of their own, by a WSDL written by hand."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from lxml import etree

from gateway.mapping.errors import PayloadUnreadable
from gateway.styles.style import Asked, Said

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "partners"
_ADDRESS = "{http://schemas.xmlsoap.org/wsdl/soap/}address", "{http://schemas.xmlsoap.org/wsdl/soap12/}address"


@dataclass(frozen=True, slots=True)
class Typed:
    """Each operation is a function; a request's payload is its wrapper element, without namespaces.

    An answer's payload is what stands inside the wrapper of the answer.
    """

    file: Path
    """The WSDL; the example of the partner's folder has the same."""
    namespace: str
    operations: tuple[str, ...]

    def read(self, wrapper: etree._Element) -> Asked:
        name = str(etree.QName(wrapper).localname)
        if name not in self.operations or etree.QName(wrapper).namespace != self.namespace:
            raise PayloadUnreadable(f"There is no operation {name[:64]}; known are {', '.join(self.operations)}.")
        return Asked(name, etree.tostring(_plain(wrapper), encoding="unicode"))

    def answer(self, wrapper: etree._Element, asked: Asked, said: Said) -> str:
        name = f"{asked.function}Response"
        return f'<n:{name} xmlns:n="{escape(self.namespace)}">{said.payload}</n:{name}>'

    def wsdl(self, address: str) -> bytes:
        document = etree.parse(self.file)
        for tag in _ADDRESS:
            for found in document.iter(tag):
                found.set("location", address)
        written: bytes = etree.tostring(document, xml_declaration=True, encoding="utf-8")
        return written


def _plain(element: etree._Element) -> etree._Element:
    """A copy without namespaces and attributes."""
    copy = etree.Element(etree.QName(element).localname)
    copy.text = element.text
    copy.extend([_plain(child) for child in element.iterchildren(etree.Element)])
    return copy
