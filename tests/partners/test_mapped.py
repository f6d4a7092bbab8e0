"""Partners with a contract of their own, in every string style, over real HTTP."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners
from gateway.styles.served import Served
from gateway.styles.style import Said
from gateway.styles.table import STYLES
from tests.partners.conftest import ORIGIN
from tests.partners.fake_partner import CONTRACT, WIRE, sample
from tests.partners.vendor import Vendor

XSL = 'version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"'
REQUEST = f"""<xsl:stylesheet {XSL} exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Request>
      <Id><xsl:value-of select="g:value('message_id')"/></Id>
      <Name><xsl:value-of select="Patient/PatientName"/></Name>
      <No><xsl:value-of select="RequisitionNo | ChargeNo"/></No>
      <At><xsl:value-of select="g:date(Header/SentAt, 'yyyyMMddHHmmss')"/></At>
    </Request>
  </xsl:template>
</xsl:stylesheet>"""
RESPONSE = f"""<xsl:stylesheet {XSL} exclude-result-prefixes="g">
  <xsl:template match="/*">
    <Response>
      <TransactionState>CONFIRMED</TransactionState>
      <HisChargeNo><xsl:value-of select="//BillNo"/></HisChargeNo>
      <ChargeNo><xsl:value-of select="g:request('ChargeNo')"/></ChargeNo>
    </Response>
  </xsl:template>
</xsl:stylesheet>"""
SUCCESS: dict[str, Any] = {
    "xpath": "/Response/Code",
    "accepted": ["0", "AA"],
    "refused": ["-1", "2"],
    "retry": ["99"],
    "message": "//Text",
}
NAMES = ("𠮷田", "䶮", "㛃", "𬭳", "买买提·艾力")


@pytest.fixture
def vendors() -> Iterator[list[Vendor]]:
    found: list[Vendor] = []
    yield found
    for vendor in found:
        vendor.close()


@pytest.fixture
def serve(vendors: list[Vendor]):
    def make(word: str = "call-interface", charset: str = "utf-8", **more: Any) -> Vendor:
        operations = ("AddRequest", "Other") if STYLES[word].operation is None else ()
        vendors.append(Vendor(Served(STYLES[word], operations=operations, **more), charset))
        return vendors[-1]

    return make


def send(
    vendor: Vendor, folder: Path, operation: str = "SubmitRequisition", request: Any = None, **settings: Any
) -> PartnerAnswer:
    folder.mkdir(exist_ok=True)
    (folder / "request.xsl").write_text(REQUEST)
    (folder / "response.xsl").write_text(RESPONSE)
    mapped = {"function": "Add", "request": "request.xsl", "success": SUCCESS}
    if vendor.served.style.operation is None:
        mapped["operation"] = "AddRequest"
    if operation == "ChargeItem":
        mapped["response"] = "response.xsl"
    settings.setdefault("operations", {operation: mapped | settings.pop("mapped", {})})
    partners = Partners([vendor.partner(folder, **settings)], CONTRACT, WIRE, lambda: datetime.now(UTC))
    return partners.call("PACS", operation, request or sample(operation), Stamp("GW-1", ORIGIN), 5)


@pytest.mark.parametrize("binding", ["document", "rpc", "encoded"])
@pytest.mark.parametrize("word", STYLES)
def test_a_vendor_of_every_style_gets_the_message_and_its_yes_is_understood(word, binding, serve, tmp_path):
    vendor = serve(word, binding=binding)
    answer = send(vendor, tmp_path, payload="xml")
    assert (answer.outcome, answer.code, answer.detail) == (Outcome.ANSWERED, "0", "")
    (asked,) = vendor.asked
    told = etree.fromstring(asked.payload)
    assert told.findtext("Id") == "GW-1"
    assert told.findtext("No") == sample("SubmitRequisition").requisition_no
    assert asked.function == ("AddRequest" if vendor.served.style.operation is None else "Add")


@pytest.mark.parametrize("namespace", ["http://tempuri.org/", "http://tempuri.org", "www.zysoft.com.cn", "WebService"])
def test_any_namespace_will_do(namespace, serve, tmp_path):
    assert send(serve(namespace=namespace), tmp_path).is_yes


def test_a_wsdl_without_namespace_will_do(serve, tmp_path):
    assert send(serve("single", namespace="", action=""), tmp_path).is_yes


def test_an_operation_with_a_chinese_name_is_called_by_it(vendors, tmp_path):
    vendors.append(Vendor(Served(STYLES["single"], operations=("获取结果",))))
    assert send(vendors[0], tmp_path, mapped={"operation": "获取结果"}).is_yes
    action = vendors[0].headers[0]["SOAPAction"].encode("latin-1").decode("utf-8")
    assert action == '"http://tempuri.org/获取结果"'


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "gbk", "gb2312"])
@pytest.mark.parametrize("name", NAMES)
def test_rare_characters_of_names_arrive_in_every_charset(name, charset, serve, tmp_path):
    vendor, request = serve("call", charset), sample("SubmitRequisition")
    request = dataclasses.replace(request, patient=dataclasses.replace(request.patient, patient_name=name))
    vendor.answer = lambda asked: Said(f"<Response><Code>2</Code><Text>{name}</Text></Response>")
    answer = send(vendor, tmp_path, request=request, declaration=True)
    assert etree.fromstring(vendor.asked[0].payload.partition("?>")[2]).findtext("Name") == name
    assert (answer.code, answer.text) == ("2", name)
    if charset == "gb18030":
        assert name.encode("gb18030") in vendor.bodies[0]


def test_what_the_partner_answers_stands_in_our_response(serve, tmp_path):
    vendor = serve("tech-service")
    vendor.answer = lambda asked: Said("<Response><Code>aa</Code><BillNo>B17</BillNo></Response>", "1")
    answer = send(vendor, tmp_path, "ChargeItem")
    assert answer.is_yes
    assert (answer.response.his_charge_no, answer.response.charge_no) == ("B17", sample("ChargeItem").charge_no)


@pytest.mark.parametrize(
    ("said", "outcome", "code"),
    [
        ("<Response><Code>-1</Code><Text>患者不存在</Text></Response>", Outcome.ANSWERED, "-1"),
        ("<Response><Code> 99 </Code></Response>", Outcome.ANSWERED, "99"),
        ("<Response><Code>7</Code></Response>", Outcome.UNKNOWN, "UNCLEAR"),
        ("<Response/>", Outcome.UNKNOWN, "UNCLEAR"),
        ("", Outcome.UNKNOWN, "UNCLEAR"),
        ("<html><body>login</body></html>", Outcome.UNKNOWN, "UNREADABLE"),
        ("OK", Outcome.UNKNOWN, "UNREADABLE"),
        ("<Response><Code>0</Code>", Outcome.UNKNOWN, "UNREADABLE"),
    ],
)
def test_only_a_clear_yes_is_a_yes(said, outcome, code, serve, tmp_path):
    vendor = serve("hip-message-server")
    vendor.answer = lambda asked: Said(said)
    answer = send(vendor, tmp_path, "ChargeItem")
    assert (answer.outcome, answer.code) == (outcome, code)
    if code == "99":
        assert answer.response.result.retryable
    if outcome is Outcome.UNKNOWN:
        assert answer.detail


def test_a_yes_whose_answer_breaks_the_contract_is_no_yes_for_money(serve, tmp_path):
    vendor = serve("call")
    vendor.answer = lambda asked: Said(f"<Response><Code>0</Code><BillNo>{'9' * 500}</BillNo></Response>")
    answer = send(vendor, tmp_path, "ChargeItem")
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "OFF-CONTRACT")
    assert "9999" not in answer.detail


def test_a_boolean_of_the_style_itself_may_be_the_yes(serve, tmp_path):
    vendor = serve("esb-entry")
    success = {"at": "code", "accepted": ["true", "1"], "refused": ["false"]}
    vendor.answer = lambda asked: Said("", "true")
    assert send(vendor, tmp_path, mapped={"success": success}).is_yes
    vendor.answer = lambda asked: Said("", "false", "单号重复")
    answer = send(vendor, tmp_path, mapped={"success": success})
    assert (answer.code, answer.text) == ("false", "单号重复")


def test_parameters_with_other_names_are_found_by_name_or_by_position(serve, tmp_path):
    vendor = serve("call", names={"function": "op", "payload": "req"})
    assert send(vendor, tmp_path).is_yes
    assert send(vendor, tmp_path, parameters={"payload": "req", "function": "OP"}).is_yes
    first, second = (asked.payload.partition("<At>")[0] for asked in vendor.asked)
    assert first == second != ""


@pytest.mark.parametrize(
    ("settings", "code", "told"),
    [
        ({"operations": {}}, "STYLESHEET", "has no [operations.SubmitRequisition]"),
        ({"mapped": {"request": "none.xsl"}}, "STYLESHEET", "none.xsl cannot be read"),
        ({"mapped": {"operation": "Nothing"}}, "STYLESHEET", "has no operation Nothing"),
        ({"port": "Other"}, "STYLESHEET", "has no port Other"),
        ({"soap_version": "1.2"}, "STYLESHEET", "of SOAP 1.2"),
        ({"wsdl": "none.wsdl"}, "STYLESHEET", "does not exist"),
    ],
)
def test_settings_that_do_not_fit_are_named_and_nothing_is_sent(settings, code, told, serve, tmp_path):
    vendor = serve()
    answer = send(vendor, tmp_path, **settings)
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, code)
    assert told in answer.detail
    assert vendor.asked == []


def test_a_message_that_cannot_be_mapped_is_not_sent(serve, tmp_path):
    vendor = serve()
    (tmp_path / "bad.xsl").write_text(REQUEST.replace("g:value('message_id')", "g:date('yesterday')"))
    answer = send(vendor, tmp_path, mapped={"request": "bad.xsl"})
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "MAPPING")
    assert answer.detail == "bad.xsl: g:date was given something that is no date."
    assert vendor.asked == []


def test_money_whose_answer_was_lost_waits_for_a_person_unless_a_repetition_is_safe(serve, tmp_path):
    vendor = serve("call")
    folder = tmp_path
    send(vendor, folder, "ChargeItem")
    for safe, expected in ((False, "QUERY-NONE"), (True, None)):
        mapped = {"ChargeItem": {"function": "Add", "request": "request.xsl"}}
        partner = vendor.partner(folder, operations=mapped, repeats_are_safe=safe)
        partners = Partners([partner], CONTRACT, WIRE, lambda: datetime.now(UTC))
        answer = partners.find_booking("PACS", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN))
        assert (answer.code if answer else None) == expected


def test_an_encoded_operation_is_told_the_type_of_every_value(serve, tmp_path):
    vendor = serve("call", binding="encoded")
    assert send(vendor, tmp_path).is_yes
    wrapper = etree.fromstring(vendor.bodies[0])[-1][0]
    xsi, soap = "{http://www.w3.org/2001/XMLSchema-instance}type", "{http://schemas.xmlsoap.org/soap/envelope/}"
    assert wrapper.get(f"{soap}encodingStyle") == "http://schemas.xmlsoap.org/soap/encoding/"
    types = {child.get(xsi).partition(":") for child in wrapper}
    assert {(wrapper.nsmap[prefix], name) for prefix, _, name in types} == {
        ("http://www.w3.org/2001/XMLSchema", "string")
    }


def test_a_literal_operation_is_told_no_types(serve, tmp_path):
    vendor = serve("call", binding="rpc")
    assert send(vendor, tmp_path).is_yes
    assert b"XMLSchema-instance" not in vendor.bodies[0]
