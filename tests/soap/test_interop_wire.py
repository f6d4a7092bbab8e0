"""What SOAP toolkits of twenty years really send, and that each is understood or told what it does wrong.

One section per rule; the toolkit that made the rule necessary stands beside it.
"""

from __future__ import annotations

import gzip
import io
import zlib
from datetime import date, datetime
from decimal import Decimal

import pytest
from inprocess import (
    BOTH,
    NOW,
    PASSWORD,
    V11,
    V12,
    ZONE,
    Gateway,
    auth_header,
    basic,
    envelope,
    message,
    sample,
    text_of,
)
from lxml import etree

from gateway.contract import NAMESPACE

XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSD = "http://www.w3.org/2001/XMLSchema"
pytestmark = pytest.mark.parametrize("version", BOTH, ids=["1.1", "1.2"])


def received(gateway: Gateway, body: str | bytes, content_type: str | None = None, **more):
    """The request as the rules get it."""
    assert gateway.post(body, content_type, **more).response is not None
    return gateway.reception.received[-1].request


def requisition(version, *changes: tuple[str, str]) -> str:
    """The sample with some of its text replaced."""
    body = message(version=version)
    for old, new in changes:
        assert old in body
        body = body.replace(old, new)
    return body


# --- 1. xsi:type and encodingStyle (SOAP::Lite, Axis 1.4) -------------------------------------------------------------


def test_rule_1_types_of_xml_schema_and_encoding_styles_are_taken_away(gateway, version):
    body = requisition(
        version,
        ("<Action>", f'<Action xmlns:xsi="{XSI}" xmlns:xsd="{XSD}" xsi:type="xsd:string">'),
        ("<Pregnant>", f'<Pregnant xmlns:xsi="{XSI}" xmlns:b="{XSD}" xsi:type="b:boolean">'),
        ("<s:Body>", f'<s:Body s:encodingStyle="{version.namespace}">'),
        ("<Patient>", f'<Patient xmlns:i="{XSI}" xmlns:t="{NAMESPACE}" i:type="t:Patient">'),
    )
    assert received(gateway, body).patient.patient_name == "王𠮷祥"


def test_rule_1_chinese_text_sent_as_base64_is_refused_and_not_stored_as_a_name(gateway, version):
    body = requisition(
        version,
        (
            "<PatientName>王𠮷祥",
            f'<PatientName xmlns:xsi="{XSI}" xmlns:xsd="{XSD}" xsi:type="xsd:base64Binary">546L8KCut+elpQ==',
        ),
    )
    fault = gateway.post(body).fault
    assert fault.blames_the_caller
    assert "SOAP::Data->type('string')" in fault.text  # autotype(0) would only leave & and < as they are
    assert gateway.reception.received == []


# --- 2. Rare characters as surrogate references (Axis 1.4) ------------------------------------------------------------


@pytest.mark.parametrize("written", ["&#xD842;&#xDFB7;", "&#55362;&#57271;", "&#xd842;&#xdfb7;", "&#x20BB7;", "𠮷"])
def test_rule_2_a_rare_name_is_one_character_however_it_is_written(gateway, version, written):
    assert received(gateway, requisition(version, ("王𠮷祥", f"王{written}祥"))).patient.patient_name == "王𠮷祥"


@pytest.mark.parametrize("written", ["&#xD842;", "&#xDFB7;&#xD842;", "&#xD842; &#xDFB7;"])
def test_rule_2_half_a_character_is_refused(gateway, version, written):
    assert gateway.post(requisition(version, ("王𠮷祥", f"王{written}祥"))).fault.blames_the_caller


# --- 3. Encodings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "stated"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", None),
        ("utf-16", None),
        ("utf-16-le", "utf-16le"),
        ("gb18030", "gbk"),
        ("gb18030", "GB2312"),
        ("gb18030", "gb18030"),
        ("gb18030", None),
        ("utf-8", None),
    ],
)
@pytest.mark.parametrize("declared", ["", '<?xml version="1.0"?>', '<?xml version="1.0" encoding="{}"?>\r\n'])
def test_rule_3_every_encoding_of_a_chinese_hospital_is_read(gateway, version, codec, stated, declared):
    label = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16"}.get(codec, stated or codec)
    body = (declared.format(label) + message(version=version)).encode(codec)
    kind = version.content_type.partition(";")[0] + (f"; charset={stated}" if stated else "")
    assert received(gateway, body, kind).patient.patient_name == "王𠮷祥"


def test_rule_3_the_http_header_wins_over_the_declaration(gateway, version):
    body = ('<?xml version="1.0" encoding="ISO-8859-1"?>' + message(version=version)).encode()
    assert received(gateway, body, version.content_type).patient.patient_name == "王𠮷祥"


@pytest.mark.parametrize("charset", ["punycode", "idna", "utf-7", "ebcdic-cp-us", "latin-1", "base64", "rot13", "x"])
def test_rule_3_other_charsets_are_refused_at_once(gateway, version, charset):
    kind = version.content_type.partition(";")[0]
    reply = gateway.post(message(version=version) * 100, f"{kind}; charset={charset}")
    assert reply.fault.blames_the_caller
    assert reply.seconds < 1


# --- 4. Dates and times (gSOAP, Axis, strong-soap turn 05:06+08:00 into 21:06Z of the day before) ---------------------


def test_rule_4_times_in_other_zones_become_hospital_time(gateway, version):
    body = requisition(version, ("2026-11-16T09:05:00+08:00", "2026-11-15T21:06:00Z"))
    assert received(gateway, body).ordered_at == datetime(2026, 11, 16, 5, 6, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-16T09:05:00", datetime(2026, 11, 16, 9, 5, tzinfo=ZONE)),
        (" 2026-11-16T09:05:00\n", datetime(2026, 11, 16, 9, 5, tzinfo=ZONE)),
        ("2026-11-16T24:00:00", datetime(2026, 11, 17, tzinfo=ZONE)),
    ],
    ids=["no zone", "white space", "midnight"],
)
def test_rule_4_odd_but_clear_times_are_understood(gateway, version, written, meant):
    assert received(gateway, requisition(version, ("2026-11-16T09:05:00+08:00", written))).ordered_at == meant


@pytest.mark.parametrize("written", ["1968-04-17", " 1968-04-17 ", "1968-04-17Z", "1968-04-17+08:00"])
def test_rule_4_a_birthday_stays_the_day_it_is(gateway, version, written):
    assert received(gateway, requisition(version, ("1968-04-17", written))).patient.birth_date == date(1968, 4, 17)


@pytest.mark.parametrize(
    "written", ["2026-13-01T00:00:00", "2026-11-16 09:05:00", "2026-11-16", "20261116090500", "now"]
)
def test_rule_4_what_is_no_time_is_refused_by_name(gateway, version, written):
    fault = gateway.post(requisition(version, ("2026-11-16T09:05:00+08:00", written))).fault
    assert (fault.fields["Path"], fault.fields["Expected"]) == ("Request/OrderedAt", "YYYY-MM-DDThh:mm:ss")
    assert "开单时间" in fault.text
    assert written not in fault.text


# --- 5. HTTP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action", ['""', '"urn:hospital-gateway:v1/SubmitRequisition"', "SubmitRequisition", "", '"Refund"']
)
def test_rule_5_the_soap_action_does_not_matter(gateway, version, action):
    assert received(gateway, message(version=version), HTTP_SOAPACTION=action).action == "NEW"


def test_rule_5_http_1_0_and_chunked_bodies_are_read(gateway, version):
    assert received(gateway, message(version=version), SERVER_PROTOCOL="HTTP/1.0").action == "NEW"
    body = io.BytesIO(message(version=version).encode())
    chunked = {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": body}
    chunked |= {"wsgi.input_terminated": True}
    assert gateway.request("POST", "/soap", CONTENT_TYPE=version.content_type, **chunked).response is not None


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_rule_5_compressed_requests_are_inflated(gateway, version, coding):
    body = {"gzip": gzip.compress, "deflate": zlib.compress}[coding](message(version=version).encode())
    assert received(gateway, body, version.content_type, HTTP_CONTENT_ENCODING=coding).action == "NEW"


def test_rule_5_a_compressed_bomb_is_refused(gateway, version):
    bomb = gzip.compress(message(version=version).replace("</Request>", " " * 50_000_000 + "</Request>").encode())
    reply = gateway.post(bomb, version.content_type, HTTP_CONTENT_ENCODING="gzip")
    assert (reply.status, reply.version) == (413, version)


# --- 6. mustUnderstand ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block",
    [
        auth_header(attributes='s:mustUnderstand="1"'),
        auth_header() + '<a:Action xmlns:a="http://www.w3.org/2005/08/addressing" s:mustUnderstand="1">x</a:Action>',
        auth_header() + '<x:Trace xmlns:x="urn:x" s:mustUnderstand="0">1</x:Trace>',
        auth_header() + '<x:Trace xmlns:x="urn:x">1</x:Trace>',
    ],
    ids=["AuthHeader", "WS-Addressing", "need not", "does not say"],
)
def test_rule_6_known_headers_may_be_mandatory_and_others_may_be_there(gateway, version, block):
    assert received(gateway, message(version=version, header=block)).action == "NEW"


def test_rule_6_an_unknown_mandatory_header_is_refused_as_such(gateway, version):
    block = auth_header() + '<x:Transaction xmlns:x="urn:x" s:mustUnderstand="1">5</x:Transaction>'
    fault = gateway.post(message(version=version, header=block)).fault
    assert fault.code == "MustUnderstand"
    assert gateway.reception.received == []


# --- 7. Decimals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["480", "+480.00", " 480.00 ", "480.", "0480.0"])
def test_rule_7_every_way_to_write_an_amount_is_read(gateway, version, written):
    body = requisition(version, ("<Amount>480.00</Amount>", f"<Amount>{written}</Amount>"))
    assert received(gateway, body).items[0].amount == Decimal(480)


@pytest.mark.parametrize("written", ["4.8E2", "1,800.50", "NaN", "INF", "480.505", "４８０", "480元", "0x1E0"])
def test_rule_7_what_is_no_amount_is_refused_by_name(gateway, version, written):
    fault = gateway.post(requisition(version, ("<Amount>480.00</Amount>", f"<Amount>{written}</Amount>"))).fault
    assert fault.blames_the_caller
    assert fault.fields["Path"].endswith("/Amount")
    assert "金额" in fault.text


# --- 8. Empty, nil, unqualified, reordered ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nothing", ["<BirthDate/>", f'<BirthDate xmlns:i="{XSI}" i:nil="true"/>', "<BirthDate> </BirthDate>"]
)
def test_rule_8_an_empty_optional_element_is_absent(gateway, version, nothing):
    body = requisition(version, ("<BirthDate>1968-04-17</BirthDate>", nothing))
    assert received(gateway, body).patient.birth_date is None


@pytest.mark.parametrize(
    ("old", "new", "path", "name"),
    [
        ("<RequisitionNo>SQ202611160012</RequisitionNo>", "", "Request/RequisitionNo", "申请单号"),
        ("<RequisitionNo>SQ202611160012</RequisitionNo>", "<RequisitionNo/>", "Request/RequisitionNo", "申请单号"),
        ("<PatientName>", '<PatientName xmlns="urn:x">', "Request/Patient/PatientName", "姓名"),
        ("<SexCode>1</SexCode>", "<SexCode>男</SexCode>", "Request/Patient/SexCode", "性别"),
        ("<Action>NEW</Action>", "<Action>NEW</Action><Action>NEW</Action>", "Request/Action", "操作"),
    ],
    ids=["missing", "empty", "another namespace", "not in the list", "twice"],
)
def test_rule_8_a_wrong_element_is_named_in_chinese(gateway, version, old, new, path, name):
    fault = gateway.post(requisition(version, (old, new))).fault
    assert fault.blames_the_caller
    assert fault.fields["Path"] == path
    assert name in fault.text


def test_rule_8_elements_in_the_wrong_order_are_named(gateway, version):
    wrapper = sample()
    request = wrapper[0]
    request.insert(5, request[1])  # Action behind Visit
    fault = gateway.post(envelope(text_of(wrapper), version)).fault
    assert "Action" in fault.fields["Path"] + fault.fields["Expected"]
    assert fault.blames_the_caller


# --- 9. Every answer is an envelope -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [("", (500, 400)), ("hello", (500, 400)), ("<a/>", (500, 500)), ("\0", (500, 400))],
    ids=["empty", "text", "other XML", "NUL"],
)
def test_rule_9_even_nonsense_is_answered_with_an_envelope(gateway, version, body, status):
    reply = gateway.post(body, version.content_type)
    assert reply.version is version
    assert reply.fault.blames_the_caller
    assert reply.status == status[version is V12]


def test_rule_9_a_fault_gives_one_reason_because_gsoap_reads_no_soap_1_2_fault_with_two(gateway, version):
    reply = gateway.post(message(version=version, header=auth_header(password="wrong")))
    reasons = [element for element in reply.body.iter() if etree.QName(element).localname in ("faultstring", "Text")]
    assert len(reasons) == 1
    assert "身份验证失败" in reasons[0].text
    assert "Authentication failed" in reasons[0].text


def test_rule_9_an_error_of_ours_is_answered_with_an_envelope(gateway, version):
    gateway.reception.problem = ZeroDivisionError()
    assert gateway.post(message(version=version)).fault.code == ("Server" if version is V11 else "Receiver")


def test_the_sample_as_it_is_published_is_accepted(gateway, version):
    body = requisition(version).replace(auth_header(), "")
    request = received(gateway, body, HTTP_AUTHORIZATION=basic(password=PASSWORD))
    assert request.header.sent_at < NOW
