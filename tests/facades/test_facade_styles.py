"""Every ready-made string style against the real gateway, and what vendors' programs really write into it."""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import escape

import pytest
import requests
import zeep
from facade_site import PASSWORD, SOAP_11, Reply, Site, envelope, facade_of, in_string, sample, words
from lxml import etree
from zeep.transports import Transport

from gateway.facades.door import Door
from gateway.mapping.success import without_namespaces

SiteOf = Callable[..., Site]
NEW = "SubmitRequisition"
RARE = "𠮷䶮㛃𬭳堃喆珺"
"""Characters of names that GBK or GB2312 do not have; GB18030 has all of them."""


def header(function: str = NEW, certificate: str = "", operator: str = "HIS", number: str = "") -> str:
    return (
        f"<root><serverName>{function}</serverName><format>XML</format><callOperator>{operator}</callOperator>"
        f"<certificate>{certificate}</certificate><msgNo>{number}</msgNo></root>"
    )


def call_interface(message: str, head: str) -> str:
    return envelope(
        f'<CallInterface xmlns="http://tempuri.org/"><msgHeader>{escape(head)}</msgHeader>'
        f"<msgBody>{escape(message)}</msgBody></CallInterface>"
    )


def esb(message: str, *, fid: str = NEW, password: str = PASSWORD, number: str = "ESB-1") -> str:
    entry = (
        f"<ESBEntry><AccessControl><UserName>HIS</UserName><Password>{password}</Password><Fid>{fid}</Fid></AccessControl>"
        f"<MessageHeader><Fid>{fid}</Fid><SourceSysCode>S01</SourceSysCode><MsgID>{number}</MsgID></MessageHeader>"
        f"<MsgInfo><Msg>{escape(message)}</Msg></MsgInfo></ESBEntry>"
    )
    return envelope(
        f'<GETMQ xmlns="http://tempuri.org/"><fid>{fid}</fid><putcmsg>{escape(entry)}</putcmsg><getcmsg/><errMsg/></GETMQ>'
    )


# --- the styles -------------------------------------------------------------------------------------------------------


def test_call_interface_with_the_certificate_as_password(site_of: SiteOf):
    site = site_of("call-interface")
    reply = site.send("/facade/call-interface", call_interface(sample(NEW), header(certificate=PASSWORD)), client=None)
    assert words(reply) == ("0", "")
    [kept] = site.journal()
    assert PASSWORD.encode() not in kept.xml
    assert "王𠮷祥".encode() in kept.xml
    refused = site.send(
        "/facade/call-interface", call_interface(sample(NEW), header(certificate="x" * 12)), client=None
    )
    assert words(refused) == ("-1", "AUT-401")


def test_in_a_facade_of_one_client_the_operator_may_be_a_person(site_of: SiteOf):
    site = site_of("call-interface", client="HIS")
    head = header(certificate=PASSWORD, operator="郑示范")
    assert words(site.send("/facade/call-interface", call_interface(sample(NEW), head), client=None)) == ("0", "")


def test_call_interface_without_a_header_is_told_so(site_of: SiteOf):
    reply = site_of("call-interface").send("/facade/call-interface", call_interface(sample(NEW), ""))
    assert words(reply) == ("-1", "SYS-400")


def test_the_number_of_the_style_is_the_number_of_the_message(site_of: SiteOf):
    site = site_of("call-interface")
    nameless = sample(NEW).replace("<MessageId>HIS-20261116-000101</MessageId>", "")
    body = call_interface(nameless, header(certificate=PASSWORD, number="M-77"))
    site.send("/facade/call-interface", body, client=None)
    assert site.journal()[0].message_id == "M-77"


def test_tech_service_says_yes_and_no_in_its_code_too(site_of: SiteOf):
    site = site_of("tech-service")

    def ask(function: str) -> Reply:
        body = envelope(
            f"<TechService><actionCode>{function}</actionCode><xmlContent>{escape(sample(function))}</xmlContent></TechService>"
        )
        return site.send("/facade/tech-service", body, client="HIS" if function == NEW else "PACS")

    yes, no = ask(NEW), ask("RefundItem")
    assert (yes.body.findtext("returnCode"), words_of(yes, 1)) == ("0", ("0", ""))
    assert (no.body.findtext("returnCode"), words_of(no, 1)) == ("-1", ("-1", "RFD-404"))


def words_of(reply: Reply, number: int) -> tuple[str, str]:
    body = reply.inner(number).find("Body")
    return body.findtext("ResultCode"), body.findtext("ErrorCode") or ""


def test_call_with_a_function_code(site_of: SiteOf):
    site = site_of("call")
    body = envelope(f"<Call><FuncCode>submitrequisition</FuncCode><input>{escape(sample(NEW))}</input></Call>")
    assert words(site.send("/facade/call", body, client="HIS")) == ("0", "")


def test_a_bus_gets_a_boolean_and_the_answer_inside_its_own_entry(site_of: SiteOf):
    site = site_of("esb-entry")
    reply = site.send("/facade/esb-entry", esb(sample(NEW)), client=None)
    assert reply.body[0].text == "true"
    answer = without_namespaces(etree.fromstring(reply.inner(1).findtext("MsgInfo/Msg")))
    assert answer.findtext("Body/ResultCode") == "0"
    [kept] = site.journal()
    assert PASSWORD.encode() not in kept.xml


def test_a_bus_that_is_refused_gets_false_and_why(site_of: SiteOf):
    site = site_of("esb-entry")
    reply = site.send("/facade/esb-entry", esb(sample("ReportStatus"), fid="ReportStatus"), client=None)
    assert reply.body[0].text == "false"
    assert "申请单不存在" in reply.body.findtext("errMsg")


def test_a_sql_filter_in_a_bus_entry_goes_nowhere(site_of: SiteOf):
    site = site_of("esb-entry")
    filter_text = "and apply_no='SQ202611160012' or '1'='1'"
    reply = site.send("/facade/esb-entry", esb(filter_text, fid="QueryRequisition"), client=None)
    assert reply.body[0].text == "false"
    assert "SYS-400" in reply.content.decode()
    assert site.journal() == []


def test_names_of_a_vendors_own(site_of: SiteOf):
    site = site_of("request-header-body", operations=("SendMsg",), parameters={"payload": "XMLParameter"})
    body = envelope(f"<SendMsg><XMLParameter>{escape(sample(NEW))}</XMLParameter></SendMsg>")
    reply = site.send("/facade/request-header-body", body, client="HIS")
    assert reply.body.tag == "SendMsgResponse"
    assert words(reply) == ("0", "")


@pytest.mark.parametrize("name", ["request-header-body", "call-interface", "tech-service", "call", "esb-entry"])
def test_the_wsdl_shows_the_address_partners_reach(site_of: SiteOf, name: str):
    site = site_of(name)
    wsdl = etree.fromstring(site.get(f"/facade/{name}?wsdl").content)
    [address] = wsdl.iter("{http://schemas.xmlsoap.org/wsdl/soap/}address")
    assert address.get("location").endswith(f"/facade/{name}")
    assert wsdl.find(".//{*}portType/{*}operation").get("name") in Door(facade_of(name)).served.called()


@pytest.mark.parametrize("binding", ["document", "rpc", "encoded"])
def test_a_program_made_from_the_wsdl_calls_it(site_of: SiteOf, binding: str):
    site = site_of("tech-service", binding=binding)
    session = requests.Session()
    session.auth = ("HIS", PASSWORD)
    client = zeep.Client(f"http://127.0.0.1:{site.port}/facade/tech-service?wsdl", transport=Transport(session=session))
    port = client.create_service(next(iter(client.wsdl.bindings)), f"http://127.0.0.1:{site.port}/facade/tech-service")
    answer = port.TechService(actionCode=NEW, xmlContent=sample(NEW))
    session.close()
    assert answer.returnCode == "0"
    assert "<ResultContent>成功</ResultContent>" in answer.returnXml


# --- what programs write ----------------------------------------------------------------------------------------------


@pytest.fixture
def site(site_of: SiteOf) -> Site:
    return site_of("request-header-body")


def post(site: Site, body: str | bytes, **more: str) -> Reply:
    return site.send("/facade/request-header-body", body, client="HIS", **more)


@pytest.mark.parametrize("action", ['"http://tempuri.org/HIPService"', "HIPService", '""', "", "urn:other", None])
def test_any_soap_action_or_none(site: Site, action: str | None):
    more = {} if action is None else {"SOAPAction": action}
    assert words(post(site, in_string(sample(NEW)), **more)) == ("0", "")


@pytest.mark.parametrize(
    "wrapper",
    [
        "<HIPService><pInput>{}</pInput></HIPService>",
        '<HIPService xmlns="http://tempuri.org"><pInput>{}</pInput></HIPService>',
        '<m:HIPService xmlns:m="urn:whoever"><pInput>{}</pInput></m:HIPService>',
        '<m:HIPService xmlns:m="http://tempuri.org/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">'
        '<pInput xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'xsi:type="xsd:string">{}</pInput></m:HIPService>',
        '<HIPService><pInput xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xmlns:e="http://schemas.xmlsoap.org/soap/encoding/" xsi:type="e:string">{}</pInput></HIPService>',
        "<hipservice><PINPUT>{}</PINPUT></hipservice>",
        "<HIPService><arg0>{}</arg0></HIPService>",
    ],
)
def test_any_namespace_binding_and_case(site: Site, wrapper: str):
    assert words(post(site, envelope(wrapper.format(escape(sample(NEW)))))) == ("0", "")


def test_a_string_beside_its_operation_as_axis_sends_it(site: Site):
    inner = (
        '<HIPService><pInput href="#id0"/></HIPService><multiRef id="id0" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        f'xsi:type="xsd:string">{escape(sample(NEW))}</multiRef>'
    )
    assert words(post(site, envelope(inner))) == ("0", "")


def test_no_string_at_all(site: Site):
    nil = '<HIPService><pInput xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/></HIPService>'
    for inner in (nil, "<HIPService/>", "<HIPService><pInput/></HIPService>"):
        assert words(post(site, envelope(inner))) == ("-1", "SYS-400")


def test_an_operation_nobody_has_is_told_with_those_there_are(site: Site):
    reply = post(site, envelope("<Other><pInput>x</pInput></Other>"))
    assert words(reply) == ("-1", "SYS-400")
    assert "HIPService" in reply.inner().findtext("Body/ResultContent")


def named(name: str) -> str:
    return sample(NEW).replace("王𠮷祥", name)


def name_in(site: Site, reply: Reply) -> str:
    assert words(reply) == ("0", ""), reply.content.decode("gb18030", "replace")
    return site.ask(sample("QueryRequisition")).inner().findtext("Body/Requisitions/Requisition/Patient/PatientName")


@pytest.mark.parametrize("name", [RARE, "买买提·艾力", "买买提．艾力", "\ue863", "某" * 50])
@pytest.mark.parametrize(
    ("charset", "content_type"),
    [
        ("utf-8", "text/xml; charset=utf-8"),
        ("gb18030", "text/xml; charset=gb18030"),
        ("gb18030", "text/xml; charset=gb2312"),
        ("gb18030", "text/xml; charset=GBK"),
        ("gb18030", "text/xml; charset=utf-8"),
        ("utf-8-sig", "text/xml"),
        ("utf-16", "text/xml; charset=utf-16"),
    ],
)
def test_names_come_through_every_charset(site: Site, name: str, charset: str, content_type: str):
    message = f'<?xml version="1.0" encoding="GB2312"?>{named(name)}'
    reply = post(site, in_string(message).encode(charset), content_type=content_type)
    assert name_in(site, reply) == name


@pytest.mark.parametrize("charset", ["gb18030", "gbk", "gb2312"])
def test_answers_go_out_in_the_vendors_charset_with_every_character(site_of: SiteOf, charset: str):
    site = site_of("request-header-body", charset=charset, declaration=True)
    post(site, in_string(named(RARE)))
    reply = site.ask(sample("QueryRequisition"))
    assert reply.headers["Content-Type"] == f"text/xml; charset={charset}"
    assert reply.content.decode(charset).startswith(f'<?xml version="1.0" encoding="{charset.upper()}"?>')
    text = etree.fromstring(reply.content.decode(charset).partition("?>")[2])[-1][0][0].text
    assert text.startswith(f'<?xml version="1.0" encoding="{charset.upper()}"?>')
    assert RARE in text


@pytest.mark.parametrize(
    ("found", "instead", "kept"),
    [
        ("排除", "]]&gt; &amp;lt; A&amp;B", "]]> &lt; A&B"),
        ("排除", "a\x0bb", "ab"),
        ("排除", "a&#x0;b", "ab"),
        ("排除", "PID|1||P1^^^H", "PID|1||P1^^^H"),
    ],
)
def test_odd_text_is_kept_or_cleaned(site: Site, found: str, instead: str, kept: str):
    message = sample(NEW)
    purpose = message.partition("<Purpose>")[2].partition("</Purpose>")[0]
    told = post(site, in_string(message.replace(purpose, instead)))
    assert words(told) == ("0", "")
    known = site.ask(sample("QueryRequisition")).inner().findtext("Body/Requisitions/Requisition/Purpose")
    assert known.replace(" ", "") == kept.replace(" ", "")


def test_one_unknown_order_among_joined_ones_refuses_the_whole_status(site: Site):
    post(site, in_string(sample(NEW)))
    status = sample("ReportStatus", YZ2026111600033="YZ-UNKNOWN")
    assert words(site.ask(status)) == ("-1", "STA-422")
    assert words(site.ask(sample("ReportStatus", **{"^": ","}))) == ("0", "")


def test_a_critical_value_nobody_can_read_is_kept_all_the_same(site: Site):
    broken = sample("PushCriticalValue").replace("<CriticalId>", "<Critical>")
    assert words(site.ask(broken)) == ("-1", "SYS-400")
    assert site.journal() == []  # the string is no XML: nobody knows that it was one
    told = site.ask(sample("PushCriticalValue").replace("CriticalId>", "CriticalNo>"))
    assert words(told) == ("-1", "SYS-400")
    [kept] = site.journal()
    assert (kept.operation, kept.soap_version) == ("PushCriticalValue", "1.1 facade request-header-body")


def test_a_body_of_soap_12_to_an_address_of_soap_11(site: Site):
    body = in_string(sample(NEW)).replace(SOAP_11, "http://www.w3.org/2003/05/soap-envelope")
    assert words(post(site, body)) == ("0", "")


def test_two_megabytes_are_enough(site: Site):
    told = site.ask("<Request>" + "x" * 2_200_000 + "</Request>")
    assert words(told) == ("-1", "SYS-413")
