"""The same messages in every form a sender may choose: SOAP version, prefixes, character set, compression, and more."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from gateway.contract import NAMESPACE, Contract

SOAP_11, SOAP_12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
TEXTS = ("ClinicalSummary", "Reason", "Explanation")
"""Free text of the operations below."""
TRAP = "<Header><HospitalCode>{}</HospitalCode></Header>"
ELSEWHERE = "55512345-6", "44643245-7"


@dataclass(frozen=True)
class Form:
    """How a sender writes its messages."""

    name: str
    soap: str = SOAP_11
    prefixes: bool = False
    charset: str = "UTF-8"
    trap: bool = False
    """The free text is a Header that names another hospital."""
    header_before: bool = False
    """The login stands in the SOAP Header, before the Body."""
    compressed: bool = False
    nameless: bool = False
    """Critical values come without HospitalCode."""

    @property
    def by_login(self) -> bool:
        """Whether the way is found by the login alone, at least sometimes."""
        return self.compressed or self.nameless


FORMS = (
    Form("SOAP 1.1"),
    Form("SOAP 1.2", SOAP_12),
    Form("SOAP 1.1, prefixes", prefixes=True),
    Form("SOAP 1.2, prefixes", SOAP_12, prefixes=True),
    Form("SOAP 1.1, GB18030", charset="GB18030"),
    Form("login in a SOAP Header", header_before=True),
    Form("another hospital in free text", SOAP_12, trap=True),
    Form("gzip, by login", compressed=True),
    Form("critical values without HospitalCode, by login", nameless=True),
)


@dataclass(frozen=True)
class Message:
    """A request ready to be posted."""

    operation: str
    message_id: str
    headers: dict[str, str]
    body: bytes


class Sender:
    """One login of a hospital."""

    def __init__(self, hospital: str, user: str, password: str) -> None:
        self.hospital, self.user, self._password = hospital, user, password
        self._contract = Contract()

    def message(self, operation: str, form: Form, message_id: str, **fields: str) -> Message:
        """The contract's sample of an operation in that form, with other values in some fields."""
        content = deepcopy(etree.parse(self._contract.sample(operation)).getroot()[-1][0])
        values = {"MessageId": message_id, "SenderCode": self.user, "HospitalCode": self.hospital, **fields}
        _fill(content, values)
        if form.nameless and operation == "PushCriticalValue":
            code = content.find(".//{*}HospitalCode")
            code.getparent().remove(code)
        if form.trap:
            others = [code for code in ELSEWHERE if code != self.hospital]
            for text in content.iter(*(f"{{{NAMESPACE}}}{name}" for name in TEXTS)):
                text.text = etree.CDATA(TRAP.format(others[0]))
        root = self._envelope(content, form)
        body = bytes(etree.tostring(root, encoding=form.charset, xml_declaration=True))
        kind = "text/xml" if form.soap == SOAP_11 else "application/soap+xml"
        headers = {"Content-Type": f"{kind}; charset={form.charset}"}
        if not form.header_before:
            proof = base64.b64encode(f"{self.user}:{self._password}".encode()).decode()
            headers["Authorization"] = f"Basic {proof}"
        if form.compressed:
            headers["Content-Encoding"], body = "gzip", gzip.compress(body)
        return Message(operation, message_id, headers, body)

    def _envelope(self, content: etree._Element, form: Form) -> etree._Element:
        names = {"e": form.soap, "gw": NAMESPACE} if form.prefixes else {"soapenv": form.soap}
        own: dict[str | None, str] = {} if form.prefixes else {None: NAMESPACE}
        root = etree.Element(f"{{{form.soap}}}Envelope", nsmap=names)
        if form.header_before:
            header = etree.SubElement(root, f"{{{form.soap}}}Header")
            login = etree.SubElement(header, f"{{{NAMESPACE}}}AuthHeader", nsmap=own)
            etree.SubElement(login, f"{{{NAMESPACE}}}Username").text = self.user
            etree.SubElement(login, f"{{{NAMESPACE}}}Password").text = self._password
        _copy(content, etree.SubElement(root, f"{{{form.soap}}}Body"), own)
        return root


def _fill(content: etree._Element, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        for element in content.iter(f"{{{NAMESPACE}}}{name}"):
            element.text = value


def _copy(source: etree._Element, parent: etree._Element, names: Mapping[str | None, str]) -> None:
    """Again, so that the prefixes are those of the new envelope."""
    copy = etree.SubElement(parent, source.tag, nsmap=names)
    copy.text = source.text
    if source.text and "<" in source.text and not len(source):
        copy.text = etree.CDATA(source.text)
    for child in source:
        _copy(child, copy, {})
