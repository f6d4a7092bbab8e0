"""The serving side of a string style: its WSDL, its parameters in a request, and its answer.

Vendors differ in little beside the style itself: their namespace, document or rpc, names of their own. `Served` says
which; facades and simulated systems are one of these each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from gateway.mapping.errors import PayloadUnreadable
from gateway.styles.style import Asked, Place, Said, Style, folded_name

XSI_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
Binding = Literal["document", "rpc", "encoded"]


@dataclass(frozen=True, slots=True)
class Served:
    """A style as one vendor serves it."""

    style: Style
    namespace: str = "http://tempuri.org/"
    """Of its WSDL; empty for none, which some have."""
    binding: Binding = "document"
    operations: tuple[str, ...] = ()
    """Of a style without one of its own: what its operations are called."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What parameters and results are called, by role, where not as usual."""
    service: str = "Service"
    action: str | None = None
    """What its SOAPActions begin with; the namespace when absent, and "" for empty ones."""
    qualified: bool = True
    """Whether its parameters are in its namespace, in a document binding."""

    def called(self) -> tuple[str, ...]:
        """The names of its operations."""
        return (self.style.operation,) if self.style.operation is not None else self.operations

    def read(self, wrapper: etree._Element) -> Asked:
        """The message in the one element of a SOAP body, by local names. Raises PayloadUnreadable.

        In a style without operation of its own, the element's name is the function.
        """
        operation = str(etree.QName(wrapper).localname)
        known = {name.casefold(): name for name in self.called()}
        if operation.casefold() not in known:
            raise PayloadUnreadable(f"There is no operation {operation[:64]}; known are {', '.join(self.called())}.")
        given = [(folded_name(child), child) for child in wrapper.iterchildren(etree.Element)]
        by_name = dict(given)
        if len(by_name) < len(given):
            raise PayloadUnreadable("A parameter came twice, and nobody knows which counts.")
        wanted = [self.style.name_of(place, self.names).casefold() for place in self.style.takes]
        if len(self.style.takes) == 1 and len(given) == 1:
            values = {self.style.takes[0].role: _text(given[0][1])}
        else:
            values = {
                place.role: _text(by_name.get(name)) for place, name in zip(self.style.takes, wanted, strict=True)
            }
        asked = self.style.unwrap(values)
        if self.style.operation is None and not asked.function:
            return Asked(known[operation.casefold()], asked.payload, asked.format)
        return asked

    def answer(self, wrapper: etree._Element, asked: Asked, said: Said) -> str:
        """The one element of the answer's SOAP body, as text."""
        operation = str(etree.QName(wrapper).localname)
        results = self.style.enclose(asked, said)
        plain = self.binding != "document" or not self.qualified
        inner = "".join(
            f"<{self._result(place, operation)}{' xmlns=' + quoteattr('') if plain and self.namespace else ''}"
            f"{self._typed(place)}>{escape(_clean(results[place.role]))}</{self._result(place, operation)}>"
            for place in self.style.gives
        )
        space = f" xmlns={quoteattr(self.namespace)}" if self.namespace else ""
        return f"<{operation}Response{space}>{inner}</{operation}Response>"

    def _typed(self, place: Place) -> str:
        if self.binding != "encoded":
            return ""
        return (
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
            f' xsi:type="xsd:{place.type}"'
        )

    def _result(self, place: Place, operation: str) -> str:
        """asmx calls the result of an operation after it; a vendor may have another name for it."""
        given = self.names.get("result:" + place.role)
        if given is not None:
            return given
        return f"{operation}Result" if place.name.endswith("Result") else place.name

    # --- the WSDL -----------------------------------------------------------------------------------------------------

    def wsdl(self, address: str) -> bytes:
        """Its WSDL, SOAP 1.1, with this address."""
        space = self.namespace
        style = "document" if self.binding == "document" else "rpc"
        own = f" xmlns:tns={quoteattr(space)} targetNamespace={quoteattr(space)}" if space else ""
        parts = [
            '<?xml version="1.0" encoding="utf-8"?>\n<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"'
            ' xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:s="http://www.w3.org/2001/XMLSchema"'
            f"{own}>"
        ]
        parts += self._types() if self.binding == "document" else []
        for operation in self.called():
            parts += self._messages(operation)
        port = "".join(self._port_operation(operation) for operation in self.called())
        bound = "".join(self._bound_operation(operation) for operation in self.called())
        tns, name = "tns:" if space else "", self.service
        parts.append(
            f'<wsdl:portType name="{name}Soap">{port}</wsdl:portType>'
            f'<wsdl:binding name="{name}Soap" type="{tns}{name}Soap">'
            f'<soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="{style}"/>{bound}</wsdl:binding>'
            f'<wsdl:service name="{name}"><wsdl:port name="{name}Soap" binding="{tns}{name}Soap">'
            f"<soap:address location={quoteattr(address)}/></wsdl:port></wsdl:service></wsdl:definitions>\n"
        )
        return "\n".join(parts).encode()

    def _types(self) -> list[str]:
        elements = []
        for operation in self.called():
            for name, places in ((operation, self.style.takes), (f"{operation}Response", self.style.gives)):
                children = "".join(
                    f'<s:element minOccurs="0" name="{self._place(place, name, operation)}" type="s:{place.type}"/>'
                    for place in places
                )
                elements.append(
                    f'<s:element name="{name}"><s:complexType><s:sequence>{children}'
                    "</s:sequence></s:complexType></s:element>"
                )
        target = f" targetNamespace={quoteattr(self.namespace)}" if self.namespace else ""
        form = "qualified" if self.qualified else "unqualified"
        return [
            f'<wsdl:types><s:schema elementFormDefault="{form}"{target}>',
            *elements,
            "</s:schema></wsdl:types>",
        ]

    def _place(self, place: Place, element: str, operation: str) -> str:
        return self.style.name_of(place, self.names) if element == operation else self._result(place, operation)

    def _messages(self, operation: str) -> list[str]:
        tns = "tns:" if self.namespace else ""
        found = []
        for suffix, element, places in (
            ("In", operation, self.style.takes),
            ("Out", f"{operation}Response", self.style.gives),
        ):
            if self.binding == "document":
                inner = f'<wsdl:part name="parameters" element="{tns}{element}"/>'
            else:
                inner = "".join(
                    f'<wsdl:part name="{self._place(place, element, operation)}" type="s:{place.type}"/>'
                    for place in places
                )
            found.append(f'<wsdl:message name="{operation}Soap{suffix}">{inner}</wsdl:message>')
        return found

    def _port_operation(self, operation: str) -> str:
        tns = "tns:" if self.namespace else ""
        return (
            f'<wsdl:operation name="{operation}"><wsdl:input message="{tns}{operation}SoapIn"/>'
            f'<wsdl:output message="{tns}{operation}SoapOut"/></wsdl:operation>'
        )

    def _bound_operation(self, operation: str) -> str:
        base = self.namespace if self.action is None else self.action
        action = "" if base == "" else (base if base.endswith("/") else f"{base}/") + operation
        body = '<soap:body use="literal"/>'
        if self.binding != "document":
            space = f" namespace={quoteattr(self.namespace)}"
            body = f'<soap:body use="literal"{space}/>'
        if self.binding == "encoded":
            body = f'<soap:body use="encoded" namespace={quoteattr(self.namespace)} encodingStyle="{ENCODING}"/>'
        return (
            f'<wsdl:operation name="{operation}"><soap:operation soapAction={quoteattr(action)}/>'
            f"<wsdl:input>{body}</wsdl:input><wsdl:output>{body}</wsdl:output></wsdl:operation>"
        )


def _text(element: etree._Element | None) -> str:
    """The text of a parameter; a message that stands in it as elements is taken as its text."""
    if element is None or element.get(XSI_NIL) in ("true", "1"):
        return ""
    children = list(element.iterchildren(etree.Element))
    if not children:
        return element.text or ""
    return "".join(etree.tostring(child, encoding="unicode", with_tail=False) for child in children)


def _clean(text: str) -> str:
    """Without what no XML may hold, so that an answer always can be read."""
    return "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
