"""A message is one request in one well-formed envelope; everything else gets a fault that says what is wrong."""

import re
import threading
import time
from contextlib import suppress

import pytest
from lxml import etree

from gateway.errors import InvalidMessage, MessageFault, NotUnderstood, TooLarge, VersionMismatch
from gateway.soap.envelope import GATEWAY_NAMESPACE, Limits, SoapVersion, guess_version, parse_envelope, peek

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
CALL = f'<g:QueryRequisition xmlns:g="{GATEWAY_NAMESPACE}"><g:Name>王小明</g:Name></g:QueryRequisition>'


def envelope(
    body: str = f"<s:Body>{CALL}</s:Body>", header: str = "", namespace: str = SOAP_11, more: str = ""
) -> bytes:
    return f'<s:Envelope xmlns:s="{namespace}" {more}>{header}{body}</s:Envelope>'.encode()


def around(inner: str) -> bytes:
    return envelope(f'<s:Body><g:Call xmlns:g="{GATEWAY_NAMESPACE}" {XSI}>{inner}</g:Call></s:Body>')


def parse(body: bytes, limits: Limits | None = None):
    return parse_envelope(body, "text/xml; charset=utf-8", limits or Limits())


def refusal(body: bytes, kind: type[MessageFault] = InvalidMessage) -> MessageFault:
    with pytest.raises(kind) as refused:
        parse(body)
    assert len(refused.value.text_zh) < 250
    return refused.value


# --- Good messages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("namespace", "version"), [(SOAP_11, SoapVersion.V11), (SOAP_12, SoapVersion.V12)])
def test_the_envelope_s_namespace_tells_the_version(namespace, version):
    body = envelope(namespace=namespace)
    message = parse_envelope(body, "", Limits())
    assert message.version is version
    assert message.wrapper.tag == f"{{{GATEWAY_NAMESPACE}}}QueryRequisition"
    assert (message.headers, message.raw) == ([], body)


def test_header_blocks_are_handed_on():
    header = f'<s:Header><a:AuthHeader xmlns:a="{GATEWAY_NAMESPACE}"/><x:Other xmlns:x="urn:x"/></s:Header>'
    assert [etree.QName(block).localname for block in parse(envelope(header=header)).headers] == ["AuthHeader", "Other"]


def test_white_space_and_comments_between_the_elements_are_no_text():
    message = parse(envelope(f"<!-- PB --><s:Body>\n <!-- x -->{CALL}\r\n</s:Body>\n", "\n<s:Header>\n</s:Header>\n"))
    assert message.wrapper[0].text == "王小明"


def test_a_comment_inside_a_name_does_not_cut_it():
    assert parse(around("<g:Name>王<!-- x -->小明</g:Name>")).wrapper[0].text == "王小明"


def test_a_message_with_a_gbk_declaration_is_read():
    body = b'<?xml version="1.0" encoding="GB2312"?>' + envelope().decode().encode("gbk")
    message = parse_envelope(body, "text/xml")
    assert message.wrapper[0].text == "王小明"
    assert message.raw == body


def test_a_large_text_needs_permission():
    body = around("<g:Content>" + "QUJD" * 2_600_000 + "</g:Content>")
    assert len(parse_envelope(body, "text/xml", huge=True).wrapper[0].text) == 10_400_000
    refusal(body)


def test_threads_read_messages_at_the_same_time():
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.extend(parse(envelope()).wrapper[0].text for _ in range(200)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["王小明"] * 800


# --- The form of the envelope -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        CALL.encode(),
        envelope(namespace="http://schemas.xmlsoap.org/soap/envelope"),
        envelope(namespace="urn:other"),
        b"<Envelope/>",
        b"<html><body>login</body></html>",
        b"<definitions xmlns='http://schemas.xmlsoap.org/wsdl/'/>",
    ],
)
def test_what_is_no_soap_envelope_is_a_version_mismatch(body):
    assert refusal(body, VersionMismatch).expected == f"{{{SOAP_11}}}Envelope"


BODY = f"<s:Body>{CALL}</s:Body>"
HEADER = "<s:Header/>"


@pytest.mark.parametrize(
    "inside",
    [
        "",
        HEADER,
        BODY + BODY,
        BODY + HEADER,
        HEADER + HEADER + BODY,
        BODY + "<x/>",
        "<x/>" + BODY,
        BODY + CALL,
        BODY + "<multiRef id='1'/>",
        f'<Body xmlns="{SOAP_12}">{CALL}</Body>',
        f"<Body>{CALL}</Body>",
        "<s:Fault/>",
        "text" + BODY,
        BODY + "text",
        HEADER + "text" + BODY,
        "<s:Header>text</s:Header>" + BODY,
        "<s:Body/>",
        "<s:Body>text</s:Body>",
        "<s:Body>\n</s:Body>",
        f"<s:Body>text{CALL}</s:Body>",
        f"<s:Body>{CALL}text</s:Body>",
        f"<s:Body>{CALL}{CALL}</s:Body>",
        f"<s:Body>{CALL}<x/></s:Body>",
        "<s:Body><s:Fault><faultcode>s:Client</faultcode></s:Fault></s:Body>",
    ],
)
def test_anything_beside_or_instead_of_one_request_in_one_body_is_refused(inside):
    assert refusal(envelope(inside)).path.startswith("Envelope")


# --- Well-formed XML --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ("王&#xD842;小明", "control character"),
        ("王&x;小明", "not defined"),
        ("王&nbsp;小明", "not defined"),
        ("王 & 小明", "&amp;"),
        ("王&小明", "&amp;"),
        ("5 < 6", "&lt;"),
        ("<g:A>王小明</g:B>", "end tag"),
        ("<h:A>王小明</h:A>", "prefix"),
        ("<g:A a=1>王小明</g:A>", "quotes"),
        ("<g:A a='1' a='2'>王小明</g:A>", "twice"),
        ("]]>王小明", "not well-formed"),
    ],
)
def test_what_is_no_xml_is_refused_with_its_kind_and_line_but_never_its_value(inner, kind):
    fault = refusal(around(f"\n<g:Name>{inner}</g:Name>"))
    assert kind in fault.text_en
    assert re.search(r"Line 2\b", fault.text_en)
    assert "小明" not in fault.text_zh + fault.text_en


def test_a_message_that_stops_in_the_middle_is_refused():
    for length in range(1, len(envelope()), 7):
        refusal(envelope()[:length])


def test_something_after_the_envelope_is_refused():
    refusal(envelope() + b"x")
    refusal(envelope() + envelope())


def test_an_entity_bomb_is_refused_before_it_is_read():
    bomb = b"<!DOCTYPE a [<!ENTITY a '%s'>%s]>" % (b"x" * 1000, b"<!ENTITY b '&a;&a;'>" * 20_000)
    assert "DTD" in refusal(bomb + envelope()).text_en


# --- How much -------------------------------------------------------------------------------------------------------


def test_sixty_four_levels_pass_and_one_more_does_not():
    def nested(levels: int) -> bytes:
        return around("<g:A>" * levels + "</g:A>" * levels)

    assert parse(nested(61))
    assert "64" in refusal(nested(62)).text_en
    assert "64" in refusal(nested(300)).text_en
    with pytest.raises(InvalidMessage, match="SYS-400"):
        parse_envelope(nested(3000), "text/xml", huge=True)


def test_fifty_thousand_elements_pass_and_one_more_does_not():
    assert parse(around("<g:A/>" * 49_997))
    assert "50000" in refusal(around("<g:A/>" * 49_998), TooLarge).text_en


def test_markup_inside_cdata_is_not_counted():
    assert parse(around("<g:A><![CDATA[" + "<td class='x'>" * 60_000 + "]]></g:A>"))


def test_sixty_four_attributes_pass_and_one_more_does_not():
    def with_attributes(number: int) -> bytes:
        return around("<g:A " + " ".join(f"a{n}='>'" for n in range(number)) + "/>")

    assert parse(with_attributes(64))
    assert "64" in refusal(with_attributes(65)).text_en
    refusal(around("<g:A " + " ".join(f"xmlns:a{n}='urn:{n}'" for n in range(65)) + "/>"))


def test_equals_signs_in_a_finding_are_no_attributes():
    assert parse(around("<g:A>" + "=" * 500 + "</g:A><g:B>" + '&lt;td class="x">' * 200 + "</g:B>"))


@pytest.mark.parametrize(
    "inner",
    [
        "<b/>" * 500_000,
        "<b>" * 500_000,
        "<" * 2_000_000,
        "<a b='" * 300_000,
        "=" * 2_000_000,
        "<a " + "b='1' " * 300_000 + "/>",
        "<a " + "b=" * 900_000,
        "<a xmlns:" + "x" * 1_900_000 + "='y'/>",
        "<x:" * 600_000,
        "&amp;" * 400_000,
    ],
)
def test_two_megabytes_of_junk_are_refused_within_two_seconds(inner):
    started = time.thread_time()
    with suppress(MessageFault):
        parse(around(inner))
    assert time.thread_time() - started < 2


# --- Habits of toolkits -----------------------------------------------------------------------------------------------


def test_types_that_only_repeat_the_contract_are_taken_away():
    inner = '<g:A xsi:type="xsd:string">1</g:A><g:B xsi:type="g:Patient">2</g:B><g:C xsi:nil="true"/>'
    wrapper = parse(around(inner)).wrapper
    assert [dict(element.attrib) for element in wrapper][:2] == [{}, {}]
    assert list(wrapper[2].attrib.values()) == ["true"]


def test_a_type_without_prefix_is_in_the_default_namespace():
    inner = '<g:A xmlns="http://www.w3.org/2001/XMLSchema" xsi:type="string">1</g:A><g:B xsi:type="string"/>'
    wrapper = parse(around(inner)).wrapper
    assert [len(element.attrib) for element in wrapper] == [0, 1]


def test_a_type_of_somebody_else_stays_and_is_left_to_the_schema():
    assert parse(around('<g:A xmlns:o="urn:other" xsi:type="o:Evil"/>')).wrapper[0].attrib


def test_encoding_style_is_taken_away_everywhere():
    style = 's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'
    message = parse(envelope(f"<s:Body {style}>{CALL.replace('<g:Name>', f'<g:Name {style}>')}</s:Body>", more=style))
    assert not any(element.attrib for element in message.wrapper.getroottree().iter())


@pytest.mark.parametrize(
    "body",
    [
        around('<g:A href="#id1"/><g:B id="id1"/>'),
        around('<g:A href="cid:attachment"/>'),
        around('<g:A xmlns:e="http://www.w3.org/2003/05/soap-encoding" e:ref="id1"/>'),
        envelope(header='<s:Header><x:A xmlns:x="urn:x" href="#a" id="a"/></s:Header>'),
        around('<g:A><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:1"/></g:A>'),
    ],
)
def test_references_from_one_element_to_another_are_refused(body):
    assert "document/literal" in refusal(body).text_zh


# --- mustUnderstand ---------------------------------------------------------------------------------------------------


def block(name: str, namespace: str, attributes: str) -> str:
    return f'<s:Header><h:{name} xmlns:h="{namespace}" {attributes}/></s:Header>'


@pytest.mark.parametrize(
    ("name", "namespace"),
    [
        ("AuthHeader", GATEWAY_NAMESPACE),
        ("Security", WSSE),
        ("Action", "http://www.w3.org/2005/08/addressing"),
        ("ReplyTo", "http://schemas.xmlsoap.org/ws/2004/08/addressing"),
    ],
)
@pytest.mark.parametrize("soap", [SOAP_11, SOAP_12])
def test_a_known_block_may_be_marked_must_understand(name, namespace, soap):
    assert parse(envelope(header=block(name, namespace, 's:mustUnderstand="1"'), namespace=soap)).headers


@pytest.mark.parametrize(
    ("soap", "attributes"),
    [
        (SOAP_11, 's:mustUnderstand="1"'),
        (SOAP_11, 's:mustUnderstand=" true "'),
        (SOAP_11, 's:mustUnderstand="1" s:actor=""'),
        (SOAP_11, 's:mustUnderstand="1" s:actor="http://schemas.xmlsoap.org/soap/actor/next"'),
        (SOAP_12, 's:mustUnderstand="true"'),
        (SOAP_12, f's:mustUnderstand="1" s:role="{SOAP_12}/role/ultimateReceiver"'),
        (SOAP_12, f's:mustUnderstand="1" s:role="{SOAP_12}/role/next"'),
    ],
)
def test_an_unknown_block_that_must_be_understood_is_refused(soap, attributes):
    fault = refusal(envelope(header=block("Transaction", "urn:x", attributes), namespace=soap), NotUnderstood)
    assert fault.path == "Envelope/Header/Transaction"


@pytest.mark.parametrize(
    ("soap", "attributes"),
    [
        (SOAP_11, ""),
        (SOAP_11, 's:mustUnderstand="0"'),
        (SOAP_12, 's:mustUnderstand="false"'),
        (SOAP_11, 's:mustUnderstand="1" s:actor="urn:somebody-else"'),
        (SOAP_12, f's:mustUnderstand="1" s:role="{SOAP_12}/role/none"'),
    ],
)
def test_an_unknown_block_that_is_not_for_us_is_let_pass(soap, attributes):
    assert parse(envelope(header=block("Transaction", "urn:x", attributes), namespace=soap)).headers


def test_a_must_understand_that_is_neither_yes_nor_no_is_refused():
    assert "mustUnderstand" in refusal(envelope(header=block("A", "urn:x", 's:mustUnderstand="yes"'))).text_en


# --- The version of an answer to what cannot be read, and a look at the beginning -----------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "version"),
    [
        (envelope(namespace=SOAP_12)[:-30], "text/xml", SoapVersion.V12),
        (envelope(namespace=SOAP_12).decode().encode("utf-16"), "text/xml", SoapVersion.V12),
        (envelope(more=f'xmlns:soap12="{SOAP_12}"'), "text/xml", SoapVersion.V11),
        (envelope(), "application/soap+xml", SoapVersion.V11),
        (f'<Envelope xmlns="{SOAP_12}"/>'.encode(), "text/xml", SoapVersion.V12),
        (b"", "application/soap+xml; charset=utf-8", SoapVersion.V12),
        (b"", 'multipart/related; start-info="application/soap+xml"', SoapVersion.V12),
        (b"", "text/xml", SoapVersion.V11),
        (b"nonsense", "", SoapVersion.V11),
    ],
)
def test_the_version_of_a_sender_is_guessed_from_its_first_bytes(body, content_type, version):
    assert guess_version(body, content_type) is version


AUTH = f'<s:Header><a:AuthHeader xmlns:a="{GATEWAY_NAMESPACE}"><a:Username>pacs</a:Username></a:AuthHeader></s:Header>'


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "utf-16"])
def test_the_first_part_of_a_large_message_shows_who_sends_what(charset):
    body = envelope(f"<s:Body>{CALL}</s:Body>", AUTH).decode().encode(charset)
    headers, name = peek(body[: body.index("小".encode(charset)[-2:]) + 1], f"text/xml; charset={charset}")
    assert headers[0][0].text == "pacs"
    assert name == "QueryRequisition"


@pytest.mark.parametrize(
    "prefix",
    [
        b"",
        b"nonsense",
        envelope("<s:Body/>"),
        envelope()[:100],
        b"<a><Body><b/></Body></a>",
        b"<!DOCTYPE a><a/>",
        envelope("<s:Body><undeclared:Call>", AUTH),
        b"<a>" * 100_000,
    ],
)
def test_a_beginning_that_shows_nothing_gives_nothing(prefix):
    assert peek(prefix, "text/xml") is None
