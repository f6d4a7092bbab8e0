"""The message every server gets: the sample of SubmitRequisition, cut to about 50 fields and 2.9 KB, numbered anew."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from lxml import etree

from gateway.contract import Contract

OPERATION = "SubmitRequisition"
SIZE = 2862
"""Bytes of the body, the size that docs/benchmarks.md speaks of."""
LEFT_OUT = re.compile(
    "EmpiId|AgeText|IdType|VisitSeq|WardCode|WardName|BedNo|FeeType|InsuranceNo|OrderingDeptName|PerformDeptName|"
    "PackageCode|PackageName|InsuranceCode|Version|OperatorName|Symptoms|Precautions|Pregnant|Infectious"
)
"""Optional fields that go without; a real requisition has about 50."""
LISTS = frozenset({"Items", "ChargeItems"})
"""Lists of which one entry is enough."""
PADDED = "ClinicalSummary"
MARK = "000000000000"
NUMBERED = ("MessageId", "RequisitionNo")


@dataclass(frozen=True)
class Template:
    """A request with gaps for its number, as it goes over the line."""

    pieces: tuple[bytes, ...]
    fields: int
    size: int

    def request(self, number: int) -> bytes:
        """The whole HTTP request of this number; every number is another message about another requisition."""
        return (b"%012d" % number).join(self.pieces)


def make_template(user: str, password: str) -> Template:
    """SOAP 1.1 over HTTP 1.1; the password goes as HTTP Basic, so that every server gets the same envelope."""
    body, fields = _body()
    proof = base64.b64encode(f"{user}:{password}".encode()).decode()
    head = (
        "POST /soap HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml; charset=utf-8\r\n"
        f'SOAPAction: "urn:hospital-gateway:v1/{OPERATION}"\r\nAuthorization: Basic {proof}\r\n'
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return Template(tuple((head.encode() + body).split(MARK.encode())), fields, len(body))


def _body() -> tuple[bytes, int]:
    parser = etree.XMLParser(remove_blank_text=True, remove_comments=True)
    root = etree.parse(Contract().sample(OPERATION), parser).getroot()
    for element in list(root.iter()):
        name = etree.QName(element).localname
        if LEFT_OUT.fullmatch(name):
            element.getparent().remove(element)
        elif name in LISTS:
            del element[1:]
    for name in NUMBERED:
        root.find(f".//{{*}}{name}").text = f"B{MARK}"
    text = root.find(f".//{{*}}{PADDED}")
    missing = SIZE - len(_written(root))
    text.text += "，" * (missing // 3) + "." * (missing % 3)
    return _written(root), sum(1 for element in root.iter() if len(element) == 0)


def _written(root: etree._Element) -> bytes:
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))
