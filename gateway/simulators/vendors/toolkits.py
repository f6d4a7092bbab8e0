"""How the SOAP toolkits of vendors call: what Axis 1.4, .NET 2.0 and CXF put on the line, head and body.

Axis 1.4 was listened to; .NET and CXF are written after what is known of them.
"""

from __future__ import annotations

import base64
import re
import select
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlsplit

from lxml import etree

from gateway.simulators.vendors.calling import OURS, SECONDS, SOAP11, SOAP12, Gateway, new_number, text_of
from gateway.simulators.vendors.vendor import Message

XSD, XSI = "http://www.w3.org/2001/XMLSchema", "http://www.w3.org/2001/XMLSchema-instance"
ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
PATIENCE = 0.35
"""Seconds .NET waits for "100 Continue" before it sends the body anyway."""
Login = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Raw:
    """A request byte for byte; of the head only Host and Content-Length are added."""

    head: Mapping[str, str]
    body: bytes
    path: str = "/soap"
    http: str = "1.1"

    def deliver(self, gateway: Gateway) -> tuple[int, str]:
        """The HTTP status of the answer, 0 when there was none, and its text."""
        address = urlsplit(gateway.url)
        host, secure = str(address.hostname), address.scheme == "https"
        port = address.port or (443 if secure else 80)
        fields = {"Host": f"{host}:{port}", "Content-Length": str(len(self.body)), **self.head}
        head = "".join(f"{name}: {said}\r\n" for name, said in fields.items())
        try:
            with socket.create_connection((host, port), timeout=SECONDS) as plain:
                line = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
                line.sendall(f"POST {address.path.rstrip('/')}{self.path} HTTP/{self.http}\r\n{head}\r\n".encode())
                if "Expect" in self.head:
                    select.select([line], [], [], PATIENCE)
                line.sendall(self.body)
                with HTTPResponse(line, method="POST") as answer:
                    answer.begin()  # passes over "100 Continue"
                    return answer.status, text_of(answer)
        except (OSError, HTTPException) as problem:
            return 0, type(problem).__name__


@dataclass(frozen=True, slots=True)
class Batches:
    """Requests of which each is sent when the one before was accepted; the last answer is the answer."""

    requests: Sequence[Message]

    def deliver(self, gateway: Gateway) -> tuple[int, str]:
        told = 0, ""
        for request in self.requests:
            told = request.deliver(gateway)
            if not re.search(r"<(\w+:)?ResultCode>0<", told[1]):
                break
        return told


# --- Axis 1.4 ---------------------------------------------------------------------------------------------------------

_JAVA = {
    **dict.fromkeys(("LineNo", "OriginalLineNo", "ReportVersion", "ItemSeq"), "int"),
    **dict.fromkeys(("Quantity", "UnitPrice", "ListAmount", "ActualAmount", "RefundQuantity"), "decimal"),
    **dict.fromkeys(("IncludeOrders", "TotalsOnly"), "boolean"),
}
"""What its classes have for a field that is no String; a field of _TIMES is a Calendar."""
_TIMES = ("At", "BookedFrom", "BookedTo")


def axis_encoded(operation: str, request: str, login: Login | None) -> Raw:
    """rpc/encoded: beans and numbers stand behind the call, each object once, parameters in no namespace."""
    beside = _Objects()
    call = beside.written(etree.fromstring(request))
    body = f'<ns1:{operation} soapenv:encodingStyle="{ENCODING}" xmlns:ns1="{OURS}">{call}</ns1:{operation}>' + "".join(
        beside.values
    )
    return _from_axis(body, login)


def axis_literal(operation: str, request: str, login: Login | None) -> Raw:
    """rpc/literal: the part in no namespace, what is in it in ours, declared at every element again."""
    part = etree.fromstring(request)
    inside = "".join(_literal(child) for child in part)
    return _from_axis(f'<{operation} xmlns="{OURS}"><Request xmlns="">{inside}</Request></{operation}>', login)


def _from_axis(body: str, login: Login | None) -> Raw:
    envelope = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{SOAP11}" xmlns:xsd="{XSD}"'
        f' xmlns:xsi="{XSI}"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>'
    )
    head = {
        "Content-Type": "text/xml; charset=utf-8",
        "Accept": "application/soap+xml, application/dime, multipart/related, text/*",
        "User-Agent": "Axis/1.4",
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "SOAPAction": '""',
    }
    if login is not None:
        head["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
    return Raw(head, envelope.encode("ascii"), http="1.0")


class _Objects:
    """The objects of one call, in the order in which they are met."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._known: dict[str, int] = {}

    def written(self, element: etree._Element) -> str:
        """What stands in the place of an object: itself, or where it is."""
        name, children = str(element.tag), list(element)
        if children and {child.tag for child in children} == {name.removesuffix("s")}:  # an array keeps its children
            inside = "".join(self.written(_renamed(child, name)) for child in children)
            array = f'soapenc:arrayType="ns1:{name}[{len(children)}]" xsi:type="soapenc:Array"'
            return f'<{name} {array} xmlns:soapenc="{ENCODING}" xmlns:ns1="{OURS}">{inside}</{name}>'
        if children:
            return self._referred(name, f"ns1:{name}", "".join(self.written(child) for child in children))
        kind, text = _java(name, element.text or "")
        if kind in ("soapenc:decimal", "soapenc:boolean", "xsd:int"):
            return self._referred(name, kind, text)
        return f'<{name} xsi:type="{kind}" xmlns:soapenc="{ENCODING}">{text}</{name}>'

    def _referred(self, name: str, kind: str, content: str) -> str:
        value = (
            f' soapenc:root="0" soapenv:encodingStyle="{ENCODING}" xsi:type="{kind}" xmlns:ns1="{OURS}"'
            f' xmlns:soapenc="{ENCODING}">{content}</multiRef>'
        )
        if value not in self._known:
            number = self._known[value] = len(self.values)
            self.values.append(f'<multiRef id="id{number}"{value}')
        return f'<{name} href="#id{self._known[value]}"/>'


def _java(name: str, text: str) -> tuple[str, str]:
    """The type that Axis writes to a value, and the value: times in UTC, nothing beyond ASCII."""
    if name.endswith(_TIMES):
        return "xsd:dateTime", f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
    kind = _JAVA.get(name, "string")
    return ("xsd:int" if kind == "int" else f"soapenc:{kind}"), _ascii(text)


def _renamed(element: etree._Element, name: str) -> etree._Element:
    element.tag = name
    return element


def _literal(element: etree._Element) -> str:
    name, inside = str(element.tag), "".join(_literal(child) for child in element)
    return f'<ns1:{name} xmlns:ns1="{OURS}">{inside or _java(name, element.text or "")[1]}</ns1:{name}>'


def _ascii(text: str) -> str:
    """Every character beyond ASCII as a reference, those beyond the first plane as two."""
    units = escape(text).encode("utf-16-be")
    pairs = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(chr(unit) if unit < 128 else f"&#x{unit:X};" for unit in pairs)


# --- .NET 2.0 ---------------------------------------------------------------------------------------------------------


def dotnet(operation: str, request: str, login: Login | None) -> Raw:
    """document/literal of a web reference: byte order mark, quoted SOAPAction, AuthHeader, and a body that waits.

    Times have seven digits behind the second.
    """
    name, password = login or ("", "")
    request = re.sub(r"(At>[^<]*:\d\d)([+Z])", r"\1.8310547\2", request)
    auth = f'<AuthHeader xmlns="{OURS}">{_leaf("Username", name)}{_leaf("Password", password)}</AuthHeader>'
    envelope = (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP11}" xmlns:xsi="{XSI}"'
        f' xmlns:xsd="{XSD}"><soap:Header>{auth}</soap:Header><soap:Body>{_ours(operation, request)}</soap:Body>'
        "</soap:Envelope>"
    )
    head = {
        "User-Agent": "Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 2.0.50727.9174)",
        "Content-Type": "text/xml; charset=utf-8",
        "SOAPAction": f'"{OURS}/{operation}"',
        "Expect": "100-continue",
        "Connection": "Keep-Alive",
    }
    return Raw(head, b"\xef\xbb\xbf" + envelope.encode())


# --- CXF --------------------------------------------------------------------------------------------------------------


def cxf(operation: str, request: str, login: Login | None) -> Raw:
    """document/literal over SOAP 1.2 with a UsernameToken that must be understood; no XML declaration."""
    name, password = login or ("", "")
    token = (
        f'<wsse:UsernameToken wsu:Id="{new_number("UsernameToken")}">'
        f"<wsse:Username>{escape(name)}</wsse:Username>"
        f'<wsse:Password Type="{WSS}-username-token-profile-1.0#PasswordText">{escape(password)}</wsse:Password>'
        "</wsse:UsernameToken>"
    )
    envelope = (
        f'<soap:Envelope xmlns:soap="{SOAP12}"><soap:Header><wsse:Security xmlns:wsse="{WSS}-wssecurity-secext-1.0.xsd"'
        f' xmlns:wsu="{WSS}-wssecurity-utility-1.0.xsd" soap:mustUnderstand="true">{token}</wsse:Security>'
        f"</soap:Header><soap:Body>{_ours(operation, request)}</soap:Body></soap:Envelope>"
    )
    head = {
        "Content-Type": f'application/soap+xml; action="{OURS}/{operation}"; charset=UTF-8',
        "Accept": "*/*",
        "User-Agent": "Apache-CXF/3.4.10",
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Connection": "keep-alive",
    }
    return Raw(head, envelope.encode())


def _ours(operation: str, request: str) -> str:
    return f'<{operation} xmlns="{OURS}">{request}</{operation}>'


def _leaf(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"
