"""How a vendor's system calls the gateway: envelopes built by hand, over HTTP with a name and password."""

from __future__ import annotations

import base64
import socket
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from html import escape
from typing import Any

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
OURS = "urn:hospital-gateway:v1"
"""The namespace of the gateway's own contract; whoever can speak it, does."""
HOSPITAL_CODE = "44643245-7"
HOSPITAL_TIME = timezone(timedelta(hours=8))
SECONDS = 30
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Sent:
    """One message to the gateway."""

    path: str
    """/soap, or /facade/<name>."""
    body: str
    """What stands in the SOAP body."""
    header: str = ""
    charset: str = "utf-8"
    action: str = ""
    soap: str = SOAP11
    basic: bool = True
    """Whether HTTP says who calls; the message itself says it otherwise."""

    def deliver(self, gateway: Gateway) -> tuple[int, str]:
        """The HTTP status of the answer, 0 when there was none, and its text."""
        return gateway.post(self)

    def envelope(self) -> bytes:
        head = f"<s:Header>{self.header}</s:Header>" if self.header else ""
        return (
            f'<?xml version="1.0" encoding="{self.charset}"?>'
            f'<s:Envelope xmlns:s="{self.soap}">{head}<s:Body>{self.body}</s:Body></s:Envelope>'
        ).encode(self.charset, "xmlcharrefreplace")


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where the gateway is, and who calls it."""

    url: str
    """Without a path: http://127.0.0.1:8080."""
    login: tuple[str, str] | None = None

    def post(self, sent: Sent) -> tuple[int, str]:
        kind = "text/xml" if sent.soap == SOAP11 else "application/soap+xml"
        headers = {"Content-Type": f"{kind}; charset={sent.charset}", "SOAPAction": f'"{sent.action}"'}
        if self.login is not None and sent.basic:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
        request = urllib.request.Request(self.url.rstrip("/") + sent.path, sent.envelope(), headers)  # noqa: S310
        try:
            with _DIRECT.open(request, timeout=SECONDS) as answer:
                return answer.status, text_of(answer)
        except urllib.error.HTTPError as problem:
            with problem:
                return problem.code, text_of(problem)
        except OSError as problem:
            return 0, type(problem).__name__


@dataclass(frozen=True, slots=True)
class Pipes:
    """A message in HL7 v2 to a port of the gateway, over MLLP."""

    port: int
    text: str
    charset: str = "gb18030"

    def deliver(self, gateway: Gateway) -> tuple[int, str]:
        """200 and the acknowledgement, 0 when there was none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
                connection.sendall(b"\x0b" + self.text.encode(self.charset) + b"\x1c\r")
                answer = b""
                while b"\x1c" not in answer:
                    piece = connection.recv(65536)
                    if not piece:
                        return 0, "closed"
                    answer += piece
        except OSError as problem:
            return 0, type(problem).__name__
        return 200, answer.strip(b"\x0b\x1c\r").decode(self.charset, "replace")


def text_of(answer: Any) -> str:
    """What came back, in the charset it says."""
    body: bytes = answer.read()
    return body.decode(answer.headers.get_content_charset() or "utf-8", "replace")


def ours(operation: str, sender: str, fields: str, *, message_id: str = "") -> Sent:
    """A message by the gateway's own contract; `fields` are its elements after the Header, already escaped."""
    told = request(sender, fields, message_id=message_id)
    return Sent("/soap", f'<{operation} xmlns="{OURS}">{told}</{operation}>', action=f"{OURS}/{operation}")


def request(sender: str, fields: str, *, message_id: str = "") -> str:
    """The Request of our contract, in no namespace."""
    now = datetime.now(HOSPITAL_TIME).isoformat(timespec="seconds")
    header = (
        f"<Header><MessageId>{escape(message_id or new_number(sender))}</MessageId><SenderCode>{sender}</SenderCode>"
        f"<HospitalCode>{HOSPITAL_CODE}</HospitalCode><BranchCode>01</BranchCode><SentAt>{now}</SentAt></Header>"
    )
    return f"<Request>{header}{fields}</Request>"


def strings(operation: str, namespace: str, **parameters: str) -> str:
    """A call of an operation that takes strings."""
    inner = "".join(f"<{name}>{escape(text, quote=False)}</{name}>" for name, text in parameters.items())
    return f'<{operation} xmlns="{namespace}">{inner}</{operation}>'


def request_of(function: str, sender: str, fields: str, *, message_id: str = "") -> str:
    """<Request><Header/><Body/></Request>, as most vendors who only send strings have it."""
    now = datetime.now(HOSPITAL_TIME)
    return (
        f"<Request><Header><TradeCode>{function}</TradeCode>"
        f"<MessageId>{escape(message_id or new_number(sender))}</MessageId><SendTime>{now:%Y-%m-%d %H:%M:%S}</SendTime>"
        f"</Header><Body>{fields}</Body></Request>"
    )


def ordered(values: Mapping[str, Any]) -> str:
    """The fields of a requisition of one item for a patient of the wards; with action CANCEL it is taken back."""
    number = str(values.get("requisition_no") or new_number("SQ"))
    return (
        element("Action", values.get("action", "NEW"))
        + element("RequisitionNo", number)
        + element("RequisitionType", values.get("requisition_type", "EXAM"))
        + "<Patient><PatientId>P0000123456</PatientId>"
        + element("PatientName", values.get("name", "王示例"))
        + "<SexCode>男</SexCode><BirthDate>1968-04-17 00:00:00</BirthDate></Patient>"
        + "<Visit><VisitType>住院</VisitType><VisitNo>ZY20260012345</VisitNo></Visit>"
        + "<ReleaseEvent>NURSE_SENT</ReleaseEvent><Priority>ROUTINE</Priority>"
        + "<OrderingDeptCode>2001</OrderingDeptCode><OrderingDoctorCode>D1066</OrderingDoctorCode>"
        + "<OrderingDoctorName>赵示例</OrderingDoctorName>"
        + element("OrderedAt", when(values, "%Y-%m-%d %H:%M:%S"))
        + "<PerformDeptCode>0103</PerformDeptCode><Pregnant>否</Pregnant><Items><Item><ItemSeq>1</ItemSeq>"
        + element("OrderNo", f"YZ{number[2:]}")
        + element("ItemCode", values.get("item", "CT0203"))
        + "<ItemName>胸部CT平扫+增强</ItemName><Quantity>1</Quantity></Item></Items>"
    )


def handled(values: Mapping[str, Any], number: str, doctor: str, acted_at: str) -> str:
    """The fields by which a doctor answers a critical value; `acted_at` as the vendor writes times."""
    return (
        element("CriticalId", values["critical_id"])
        + element("SourceSystem", values.get("source"))
        + element("AckId", values.get("ack_id") or new_number(number))
        + f"<AckType>HANDLE</AckType><ActorCode>D1066</ActorCode><ActorName>{doctor}</ActorName>"
        + "<ActorRole>DOCTOR</ActorRole><ActorDeptCode>2001</ActorDeptCode>"
        + element("ActedAt", acted_at)
        + element("Opinion", values.get("opinion", "已处理"))
    )


def flat(root: str, fields: Mapping[str, Any], more: str = "") -> str:
    """A message in a vendor's own words: its fields, those left out that have no value, and `more` elements."""
    return f"<{root}>{''.join(element(name, value) for name, value in fields.items())}{more}</{root}>"


def when(values: Mapping[str, Any], pattern: str) -> str:
    """When it happened, as the vendor writes times; now, when `occurred_at` does not say."""
    told = values.get("occurred_at")
    at = datetime.fromisoformat(str(told)) if told else datetime.now(HOSPITAL_TIME)
    return at.strftime(pattern)


def new_number(prefix: str) -> str:
    """A number nobody has used."""
    return f"{prefix}-{uuid.uuid4().hex[:16].upper()}"


def element(name: str, value: Any) -> str:
    """An element with a text, or nothing for no value."""
    return "" if value in (None, "") else f"<{name}>{escape(str(value), quote=False)}</{name}>"
