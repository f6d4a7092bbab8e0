"""Cases 28, 34, 45, 46 and 52 with partners that have a contract of their own, over real HTTP."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from building import ct_requisition, report, requisition_item
from gateway.mapping.errors import PayloadUnreadable
from gateway.mapping.functions import Circumstances, under
from gateway.mapping.ours import from_result
from gateway.mapping.payload import read
from gateway.mapping.stylesheet import Stylesheet
from gateway.messages.common import OrderRef
from gateway.model.requisition import Requisition
from gateway.operations.dispatch import Outcome
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners
from gateway.soap.envelope import parse_envelope
from gateway.styles.served import Served
from gateway.styles.style import Said
from gateway.styles.table import STYLES
from hospital import CONTRACT, WIRE, Hospital
from tests.partners.conftest import ORIGIN
from tests.partners.fake_partner import sample
from tests.partners.test_mapped import REQUEST, send
from tests.partners.vendor import Vendor

MAPPED = {"function": "Add", "request": "request.xsl", "success": {"xpath": "/Response/Code", "accepted": ["0"]}}
NAMES = ("𠮷", "䶮", "㛃", "𬭳", "\ue863", "买买提·艾力", "买买提•艾力", "买买提．艾力", "喆堃珺", "王" * 50)
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


@pytest.fixture
def serve() -> Iterator[Any]:
    running: list[Vendor] = []

    def start(word: str, charset: str = "utf-8") -> Vendor:
        running.append(Vendor(Served(STYLES[word]), charset))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sent_in", ["utf-8", "gb18030"])
def test_a_rare_name_comes_in_goes_out_in_gb18030_and_comes_back_byte_for_byte(serve, tmp_path, name, sent_in):
    """28: from a HIS in either encoding to a partner that speaks GB18030, and back in its answer."""
    wrapper = etree.parse(CONTRACT.sample("SubmitRequisition")).getroot()[-1][0]
    document = etree.tostring(wrapper, encoding="unicode").replace("王𠮷祥", name)
    envelope = f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{document}</s:Body></s:Envelope>'
    declared = f'<?xml version="1.0" encoding="{sent_in}"?>{envelope}'
    received = WIRE.read("SubmitRequisitionRequest", parse_envelope(declared.encode(sent_in), "text/xml").wrapper[0])
    assert received.patient.patient_name == name

    vendor = serve("call", "gb18030")
    vendor.answer = lambda asked: Said(f"<Response><Code>2</Code><Text>{name}</Text></Response>")
    answer = send(vendor, tmp_path, request=received, declaration=True)
    assert name.encode("gb18030") in vendor.bodies[0]
    assert answer.text == name


@pytest.mark.parametrize(
    "string",
    [
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><Response><Code>&b;</Code></Response>',
        '<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><Response><Code>0</Code></Response>',
        "<!DOCTYPE a [" + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10)) + "]><a>&a9;</a>",
        "<a>" * 3000 + "</a>" * 3000,
        "<Response>" + "<b/>" * 250_000 + "<Code>0</Code></Response>",
    ],
    ids=["XXE", "an outside DTD", "billion laughs", "depth", "size"],
)
def test_a_hostile_string_inside_a_reply_is_refused_and_nothing_is_fetched(serve, tmp_path, string):
    """34 again, where it hides in a string that SOAP does not look into."""
    vendor = serve("tech-service")
    vendor.answer = lambda asked: Said(string, "0")
    answer = send(vendor, tmp_path, "ChargeItem")
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "UNREADABLE")


@pytest.mark.parametrize("word", ["Success", "SUCCESS", " success\r\n", "True", "aA"])
def test_a_word_of_success_in_any_case_is_a_yes(serve, tmp_path, word):
    """45."""
    vendor = serve("tech-service")
    vendor.answer = lambda asked: Said("<r/>", word)
    rule = {"at": "code", "accepted": ["success", "TRUE", "AA"], "refused": ["*"]}
    assert send(vendor, tmp_path, mapped={"success": rule}).is_yes


def test_a_partner_that_changes_its_wsdl_is_called_by_the_copy_in_its_folder(serve, tmp_path):
    """46."""
    vendor = serve("call")
    assert send(vendor, tmp_path).is_yes
    partner = vendor.partner(tmp_path, operations={"SubmitRequisition": MAPPED})
    vendor.served = Served(STYLES["call"], namespace="urn:something-new")
    partners = Partners([partner], CONTRACT, WIRE, lambda: datetime.now(UTC))
    assert partners.call("PACS", "SubmitRequisition", sample("SubmitRequisition"), Stamp("GW-1", ORIGIN), 5).is_yes
    first, second = (etree.fromstring(body)[-1][0].tag for body in vendor.bodies)
    assert first == second


def test_a_wsdl_whose_import_is_out_of_reach_is_told_at_once_and_nothing_is_fetched(serve, tmp_path):
    """46: `gateway partner add` makes copies of what a WSDL imports; a message never waits for a host."""
    vendor = serve("call")
    partner = vendor.partner(tmp_path, operations={"SubmitRequisition": MAPPED})
    (tmp_path / "request.xsl").write_text(REQUEST)
    away = '<s:schema><s:import namespace="urn:x" schemaLocation="http://192.0.2.1/x.xsd"/></s:schema>'
    wsdl = (tmp_path / "service.wsdl").read_text().replace("</s:schema>", f"</s:schema>{away}")
    assert "192.0.2.1" in wsdl
    (tmp_path / "service.wsdl").write_text(wsdl)
    partners = Partners([partner], CONTRACT, WIRE, lambda: datetime.now(UTC))
    started = time.monotonic()
    answer = partners.call("PACS", "SubmitRequisition", sample("SubmitRequisition"), Stamp("GW-1", ORIGIN), 60)
    assert (answer.outcome, vendor.bodies) == (Outcome.NOT_SENT, [])
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("message", ["and apply_no='R1'", " AND 1=1 ORDER BY apply_no", "and a &lt; 5 or '1'='1'"])
def test_a_filter_in_the_body_of_a_bus_is_no_message(message):
    """54: there are buses whose queries carry a piece of SQL; here nothing is made of it."""
    entry = (
        f"<ESBEntry><MessageHeader><Fid>BS10001</Fid></MessageHeader><MsgInfo><Msg>{message}</Msg></MsgInfo></ESBEntry>"
    )
    asked = STYLES["esb-entry"].unwrap({"payload": entry, "function": "BS10001"})
    with pytest.raises(PayloadUnreadable, match="no XML"):
        read(asked.payload, "xml")


JOINED = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Report">
    <Request><Orders>
      <xsl:for-each select="g:items(OrdItem, '^')">
        <Order><OrderNo><xsl:value-of select="."/></OrderNo></Order>
      </xsl:for-each>
    </Orders></Request>
  </xsl:template>
</xsl:stylesheet>"""


def orders_in(folder: Path, joined: str) -> tuple[OrderRef, ...]:
    """The orders a vendor's report names in one field."""
    (folder / "report.xsl").write_text(JOINED)
    with under(Circumstances(outbound=False)):
        made = Stylesheet(folder / "report.xsl").apply(read(f"<Report><OrdItem>{joined}</OrdItem></Report>", "xml"))
    orders = from_result(CONTRACT, "SubmitReportRequest", made)[0]
    return tuple(OrderRef(order_no=order[0].text) for order in orders)


@pytest.mark.parametrize(
    ("joined", "code"), [("O1^O2", "0"), ("^O1^^O2^", "0"), ("O1^O9", "RPT-422"), ("O9", "RPT-422")]
)
def test_order_numbers_a_vendor_joins_are_taken_apart_and_one_unknown_refuses_all(
    hospital: Hospital, tmp_path, joined, code
):
    """52."""
    hospital.send(ct_requisition(items=(requisition_item(order_no="O1"), requisition_item(item_seq=2, order_no="O2"))))
    message = dataclasses.replace(report(), orders=orders_in(tmp_path, joined))
    assert hospital.send(message).result.result_code == code
    assert len(hospital.row(Requisition).items) == 2
