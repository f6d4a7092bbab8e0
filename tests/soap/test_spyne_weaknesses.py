"""What stopped, crashed or deceived a bare Spyne 2.14 service, and must not do so here: one test per weakness.

Weaknesses of the web server (11 slow clients, 12 endless chunks, 22 forged SCRIPT_NAME) are tested in tests/web, that
of the SOAP client (14) in tests/partners.
"""

from __future__ import annotations

import logging
import resource

import pytest
from inprocess import (
    BOTH,
    OPERATIONS,
    PASSWORD,
    SECRET,
    auth_header,
    envelope,
    message,
    refused,
    sample,
    text_of,
)

from gateway.contract import NAMESPACE

XSI = "http://www.w3.org/2001/XMLSchema-instance"
both = pytest.mark.parametrize("version", BOTH, ids=["1.1", "1.2"])


def changed(version, old: str, new: str) -> str:
    body = message(version=version)
    assert old in body
    return body.replace(old, new, 1)


# --- A. Crashes -------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("operation", OPERATIONS)
def test_01_a_schema_error_is_a_fault_in_soap_1_2_too(gateway, version, operation):
    body = message(operation, version).replace("<MessageId>", "<MessageNo>").replace("</MessageId>", "</MessageNo>")
    fault = refused(gateway.post(body), version, gateway)
    assert fault.fields["Path"] == "Request/Header/MessageNo"


@both
def test_02_an_empty_post_is_answered(gateway, version):
    refused(gateway.post(b"", version.content_type), version, gateway)
    refused(gateway.post(b"", version.content_type, CONTENT_LENGTH=None), version, gateway)


@both
@pytest.mark.parametrize("body", ["", "  ", "text", "<s:Fault/>", "<s:Fault><faultcode>x</faultcode></s:Fault>"])
def test_03_a_body_without_a_request_is_refused(gateway, version, body):
    refused(gateway.post(envelope(body, version)), version, gateway)


@both
def test_03_an_envelope_without_a_body_is_refused(gateway, version):
    refused(gateway.post(f'<s:Envelope xmlns:s="{version.namespace}"/>'), version, gateway)


@both
@pytest.mark.parametrize("stated", ["utf-8", "utf-16", "us-ascii", "koi8-r", "no-such-charset"])
@pytest.mark.parametrize("damage", [b"\xff\xfe\xfd", b"\xc0\xaf", b"\xed\xa0\x80", b"\x80"])
def test_04_bytes_that_are_not_the_stated_charset_are_refused(gateway, version, stated, damage):
    body = message(version=version).encode().replace("王𠮷祥".encode(), damage)
    kind = version.content_type.partition(";")[0]
    refused(gateway.post(body, f"{kind}; charset={stated}"), version, gateway)


@both
@pytest.mark.parametrize(
    "body",
    [
        '<x id="a" href="#a"/>',
        '<x href="#nowhere"/>',
        '<x id="a"><y href="#a"/></x>',
        f'<SubmitRequisition xmlns="{NAMESPACE}"><Request href="#r"/></SubmitRequisition>',
    ],
)
def test_05_references_between_elements_are_refused(gateway, version, body):
    refused(gateway.post(envelope(body, version)), version, gateway)
    refused(gateway.post(message(version=version, header=auth_header() + body)), version, gateway)


@both
@pytest.mark.parametrize("entity", ["&name;", "&nbsp;", "&xxe;"])
def test_06_an_entity_in_a_value_is_refused(gateway, version, entity):
    refused(gateway.post(changed(version, "王𠮷祥", f"王{entity}")), version, gateway)


@both
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2026-11-16T09:05:00+08:00", "2026-06-30T23:59:60"),
        ("2026-11-16T09:05:00+08:00", "0000-01-01T00:00:00"),
        ("2026-11-16T09:05:00+08:00", "2026-11-16T09:05:00+99:99"),
        ("2026-11-16T09:05:00+08:00", "9999-12-31T24:00:00"),
        ("<Amount>480.00<", "<Amount>NaN<"),
        ("<BirthDate>1968-04-17<", "<BirthDate>0000-00-00<"),
        ("<Pregnant>false<", "<Pregnant>yes<"),
    ],
    ids=["leap second", "year 0", "zone", "end of time", "NaN", "no date", "yes"],
)
def test_07_values_that_only_look_right_are_refused_and_crash_nothing(gateway, version, old, new):
    assert refused(gateway.post(changed(version, old, new)), version, gateway).fields["Path"].startswith("Request/")


@both
def test_08_attachments_are_refused_with_a_word_about_what_to_do(gateway, version):
    parts = f"--b\r\nContent-Type: text/xml\r\n\r\n{message(version=version)}\r\n--b--\r\n"
    kind = f'multipart/related; boundary=b; type="{version.content_type.partition(";")[0]}"'
    fault = refused(gateway.post(parts, kind), version, gateway)
    assert "MTOM" in fault.text


@both
def test_09_a_missing_request_is_the_callers_fault(gateway, version):
    fault = refused(gateway.post(envelope(f'<ChargeItem xmlns="{NAMESPACE}"/>', version)), version, gateway)
    assert (fault.fields["Code"], fault.fields["Expected"]) == ("SYS-400", "Request")


# --- B. Denial of service ---------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf-7", "hex"])
def test_10_no_charset_but_a_few_is_ever_decoded(gateway, version, charset):
    kind = version.content_type.partition(";")[0]
    body = message(version=version) + " " * 1_900_000
    reply = gateway.post(body, f"{kind}; charset={charset}")
    refused(reply, version, gateway)
    assert reply.seconds < 0.5


@both
def test_13_a_flood_of_elements_costs_next_to_nothing(gateway, version):
    body = envelope("<b/>" * 500_000, version)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(gateway.post(body), version, gateway)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # kilobytes


# --- C. Wrong things accepted -----------------------------------------------------------------------------------------

OTHER = f'<x:Other xmlns:x="urn:x">{SECRET}</x:Other>'


@both
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</s:Body>", f"</s:Body><s:Body>{text_of(sample('RefundItem'))}</s:Body>"),
        ("</s:Body>", f"{text_of(sample('RefundItem'))}</s:Body>"),
        ("<s:Body>", f"<s:Body>{OTHER}"),
        ("<s:Body>", "<s:Body>text"),
        ("</s:Body>", "text</s:Body>"),
        ("</s:Envelope>", "<s:Header/></s:Envelope>"),
        ("</s:Envelope>", f"{OTHER}</s:Envelope>"),
        ("<s:Header>", f"{OTHER}<s:Header>"),
        ("<s:Header>", "<s:Header/><s:Header>"),
        ("<s:Header>", "text<s:Header>"),
        ("</SubmitRequisition>", f"{OTHER}</SubmitRequisition>"),
        ("</Request>", f"</Request>{OTHER}"),
        ("</Request>", "</Request><Request/>"),
        ("</Request>", "</Request>text"),
    ],
)
def test_15_an_envelope_holds_one_header_one_body_and_one_request(gateway, version, old, new):
    refused(gateway.post(changed(version, old, new)), version, gateway)


@both
def test_16_an_unknown_mandatory_header_is_not_ignored(gateway, version):
    block = auth_header() + '<x:Encrypted xmlns:x="urn:x" s:mustUnderstand="true"/>'
    assert refused(gateway.post(message(version=version, header=block)), version, gateway).code == "MustUnderstand"


@both
@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/x-www-form-urlencoded", "text/html"])
def test_16_what_a_web_page_could_send_is_refused(gateway, version, kind):
    reply = gateway.post(message(version=version), kind)
    refused(reply, version, gateway)


@both
@pytest.mark.parametrize(
    "dtd",
    [
        "<!DOCTYPE x>",
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE x [<!ENTITY name "王">]>',
        '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]>',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://192.0.2.1/x.dtd">%p;]>',
        "<!DOCTYPE x [" + "".join(f'<!ENTITY e{n} "v">' for n in range(5000)) + "]>",
        '<?xml-stylesheet href="http://192.0.2.1/x.xsl"?>',
    ],
    ids=["empty", "external", "entity", "bomb", "parameter", "many", "instruction"],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_17_a_dtd_is_refused_in_whatever_encoding_it_hides(gateway, version, dtd, codec):
    body = (dtd + message(version=version)).encode(codec)
    refused(gateway.post(body, version.content_type.partition(";")[0]), version, gateway)


@both
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("王𠮷祥", "王<x/>祥"),
        ("王𠮷祥", "王<x>小</x>祥"),
        ("<Pregnant>false", "<Pregnant>真"),
        ("<Pregnant>false", "<Pregnant>on"),
        ("<Pregnant>false", "<Pregnant>2"),
        ("<Quantity>1<", "<Quantity>1e5<"),
        ("<Quantity>1<", "<Quantity>1_000<"),
        ("<Quantity>1<", "<Quantity>١٢<"),
        ("<Quantity>1<", "<Quantity>１２<"),
        ("<Quantity>1<", "<Quantity>12345678901234567<"),
        ("<BirthDate>1968-04-17", "<BirthDate>1968-4-17"),
        ("<Action>", '<Action x="1">'),
        ("<Action>NEW", "<Action>new"),
        ("<ItemSeq>1<", "<ItemSeq>1.0<"),
        ("<ItemSeq>1<", "<ItemSeq>0<"),
        ("<RequisitionNo>SQ", "<RequisitionNo>申"),
        ("<RequisitionNo>SQ", "<RequisitionNo>S Q"),
    ],
)
def test_18_nothing_is_changed_silently(gateway, version, old, new):
    refused(gateway.post(changed(version, old, new)), version, gateway)


@both
@pytest.mark.parametrize("content", ["!!!!", "AAA", "A===", "QUJD!REVG", "王", "QUI=QUI="])
def test_19_what_is_no_base64_is_refused_and_not_read_as_nothing(gateway, version, content):
    body = message("SubmitReport", version)
    start, end = body.index("<Content>") + 9, body.index("</Content>")
    fault = refused(gateway.post(body[:start] + content + body[end:]), version, gateway)
    assert fault.fields["Expected"] == "base64"


@both
def test_20_nil_false_means_that_there_is_a_value(gateway, version):
    body = changed(version, "<PatientName>", f'<PatientName xmlns:i="{XSI}" i:nil="false">')
    assert gateway.post(body).response is not None
    assert gateway.reception.received[0].request.patient.patient_name == "王𠮷祥"


@both
def test_20_an_xsi_type_chooses_no_class(gateway, version):
    body = changed(version, "<Patient>", f'<Patient xmlns:i="{XSI}" xmlns:t="{NAMESPACE}" i:type="t:Visit">')
    assert gateway.post(body).response is not None  # the type is taken away: the element's own rules hold
    assert type(gateway.reception.received[0].request.patient).__name__ == "Patient"
    foreign = changed(version, "<Patient>", f'<Patient xmlns:i="{XSI}" xmlns:t="urn:x" i:type="t:Any">')
    refused(gateway.post(foreign), version)


def test_21_no_host_header_changes_the_wsdl(gateway):
    first = gateway.request("GET", "/soap", QUERY_STRING="wsdl", HTTP_HOST="evil.example")
    second = gateway.request("GET", "/soap", QUERY_STRING="wsdl", HTTP_HOST="good.example", SERVER_NAME="x")
    assert first.content == second.content
    assert gateway.get("/anything.wsdl").status == 404


# --- D. Leaks ---------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("old", "new"),
    [("王𠮷祥", f"{SECRET}<"), ("<Action>NEW", f"<Action>{SECRET}"), ("王𠮷祥", SECRET * 1000), ("NEW", f"&{SECRET};")],
    ids=["no XML", "not in the list", "too long", "entity"],
)
def test_23_no_message_is_written_to_the_log(gateway, version, old, new, caplog):
    caplog.set_level(logging.DEBUG)
    refused(gateway.post(changed(version, old, new)), version, gateway)
    assert "王" not in caplog.text
    assert PASSWORD not in caplog.text
    assert len(caplog.text) < 1000


@both
@pytest.mark.parametrize("place", ["<Action>NEW", "<RequisitionNo>SQ", "<Priority>URGENT", "<BirthDate>1968-04-17"])
def test_24_no_fault_repeats_a_value(gateway, version, place):
    reply = gateway.post(changed(version, place, place.partition(">")[0] + ">" + "值" * 200_000))
    refused(reply, version, gateway)
    assert len(reply.content) < 4096
    assert "值" * 10 not in reply.content.decode()
