"""What old programs get wrong and can only mean in one way is mended, and noted by kind and client; nothing else is."""

from __future__ import annotations

import random
import re
import time
from decimal import Decimal
from pathlib import Path

import pytest
from inprocess import (
    BOTH,
    CONTRACT,
    OPERATIONS,
    PASSWORD,
    V11,
    V12,
    WIRE,
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
from gateway.soap.control_characters import MARK, mark
from gateway.soap.repairs import Repair

XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSD = "http://www.w3.org/2001/XMLSchema"
ENC = "http://schemas.xmlsoap.org/soap/encoding/"
TEMPURI = "http://tempuri.org"


def plain_request(operation: str):
    """The request of an operation's sample as the rules get it."""
    gateway = Gateway()
    gateway.post(message(operation))
    return gateway.reception.received[-1].request


def accepted(gateway: Gateway, body: str, *kinds: Repair):
    """The request as the rules get it, mended in exactly these ways."""
    reply = gateway.post(body)
    assert reply.response is not None
    received = gateway.reception.received[-1]
    assert received.repairs == set(kinds)
    return received.request


def in_namespace(wrapper: etree._Element, namespace: str) -> str:
    for element in wrapper.iter():
        element.tag = (f"{{{namespace}}}" if namespace else "") + etree.QName(element).localname
    etree.cleanup_namespaces(wrapper)
    return text_of(wrapper)


# --- Namespaces -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("namespace", ["", TEMPURI, f"{TEMPURI}/", f"{NAMESPACE}/", NAMESPACE.upper(), f"{NAMESPACE}#"])
def test_a_request_in_no_namespace_or_one_near_ours_is_the_request_it_would_be_in_ours(gateway, operation, namespace):
    body = envelope(in_namespace(sample(operation), namespace))
    assert accepted(gateway, body, Repair.NAMESPACE) == plain_request(operation)


@pytest.mark.parametrize("version", BOTH)
def test_rpc_parameters_in_no_namespace_are_accepted_within_their_operation(gateway, version):
    """33: Delphi's THTTPRIO without ioDocument."""
    wrapper = sample()
    request = in_namespace(wrapper[0], "").replace(f' xmlns="{NAMESPACE}"', "")
    body = envelope(f'<n:SubmitRequisition xmlns:n="{NAMESPACE}">{request}</n:SubmitRequisition>', version)
    assert accepted(gateway, body, Repair.NAMESPACE) == plain_request("SubmitRequisition")


def test_an_auth_header_in_no_namespace_says_who_calls(gateway):
    header = f"<AuthHeader><Username>HIS</Username><Password>{PASSWORD}</Password></AuthHeader>"
    assert accepted(gateway, message(header=header), Repair.NAMESPACE).action == "NEW"


@pytest.mark.parametrize("namespace", ["urn:hospital-gateway:v2", "http://example.org/", "http://tempuri.org.cn/"])
def test_a_namespace_of_somebody_else_is_refused_with_ours(gateway, namespace):
    fault = gateway.post(envelope(in_namespace(sample(), namespace))).fault
    assert NAMESPACE in fault.fields["Expected"]
    assert gateway.reception.received == []


def test_a_misspelt_element_in_no_namespace_is_told_its_name_and_not_its_namespace(gateway):
    body = envelope(in_namespace(sample(), "").replace("RequisitionNo>", "ReqisitionNo>"))
    assert "RequisitionNo" in gateway.post(body).fault.fields["Expected"]
    assert "命名空间" not in gateway.post(body).fault.text


def test_a_wrong_value_in_no_namespace_is_refused_like_any_other(gateway):
    body = envelope(in_namespace(sample(), "").replace("<Amount>480.00<", "<Amount>480.005<"))
    assert gateway.post(body).fault.fields["Path"].endswith("/Amount")


# --- rpc/encoded ------------------------------------------------------------------------------------------------------


def as_delphi_writes(operation: str = "SubmitRequisition") -> str:
    """rpc/encoded: xsi:type on everything, every complex value beside the call, lists as arrays."""
    wrapper = sample(operation)
    beside: list[str] = []

    def reference(element: etree._Element, type_name: str) -> str:
        name = etree.QName(element).localname
        child = CONTRACT.list_child(type_name)
        if type_name not in CONTRACT.message_types:
            primitive = CONTRACT.primitive_of(type_name).replace("token", "string")
            text = (element.text or "").replace("&", "&amp;").replace("<", "&lt;")
            return f'<{name} xsi:type="xsd:{primitive}">{text}</{name}>'
        number = len(beside) + 1
        beside.append("")
        if child is not None:
            inside = "".join(reference(one, child.type_name) for one in element).replace("Item ", "item ")
            beside[number - 1] = (
                f'<enc:Array id="{number}" xsi:type="enc:Array" enc:arrayType="n:{child.type_name}[{len(element)}]">'
                f"{inside}</enc:Array>"
            )
        else:
            fields = {field.name: field.type_name for field in CONTRACT.message_types[type_name].fields}
            inside = "".join(reference(one, fields[etree.QName(one).localname]) for one in element)
            beside[number - 1] = f'<n:{type_name} id="{number}" xsi:type="n:{type_name}">{inside}</n:{type_name}>'
        return f'<{name} href="#{number}"/>'

    call = reference(wrapper[0], f"{operation}Request")
    return f'<n:{operation} xmlns:n="{NAMESPACE}" s:encodingStyle="{ENC}">{call}</n:{operation}>{"".join(beside)}'


def around(body: str) -> str:
    return (
        f'<s:Envelope xmlns:s="{V11.namespace}" xmlns:xsi="{XSI}" xmlns:xsd="{XSD}" xmlns:enc="{ENC}"'
        f' xmlns:n="{NAMESPACE}"><s:Header>{auth_header()}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
    )


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "ReportVisitEvent"])
def test_a_request_in_pieces_beside_its_call_is_put_together(gateway, operation):
    """33: multiRef of Axis 1.x and Delphi."""
    gateway.post(around(as_delphi_writes(operation)))
    received = gateway.reception.received[-1]
    assert received.request == plain_request(operation)
    assert Repair.REFERENCES in received.repairs
    assert Repair.NAMESPACE in received.repairs


def test_a_reference_of_soap_1_2_is_followed_too(gateway):
    encoding = 'xmlns:e="http://www.w3.org/2003/05/soap-encoding"'
    request = text_of(sample()[0]).replace("<Request", f'<Request {encoding} e:id="r1"', 1)
    call = f'<SubmitRequisition xmlns="{NAMESPACE}"><Request {encoding} e:ref="r1"/></SubmitRequisition>'
    body = envelope(call + request, V12)
    assert accepted(gateway, body, Repair.REFERENCES) == plain_request("SubmitRequisition")


def test_an_array_of_soap_encoding_is_the_list_whatever_its_children_are_called(gateway):
    body = message().replace("<Diagnoses>", f'<Diagnoses xmlns:e="{ENC}" e:arrayType="x:Diagnosis[1]" xmlns:x="u">')
    body = body.replace("<Diagnosis>", "<item>").replace("</Diagnosis>", "</item>")
    assert accepted(gateway, body, Repair.ENCODING).diagnoses == plain_request("SubmitRequisition").diagnoses


def test_the_part_parameters_of_an_rpc_client_is_taken_away(gateway):
    body = message().replace("<Request>", "<parameters><Request>").replace("</Request>", "</Request></parameters>")
    assert accepted(gateway, body, Repair.ENCODING) == plain_request("SubmitRequisition")


@pytest.mark.parametrize("written", ["xsd:base64Binary", "enc:base64"])
def test_chinese_that_soap_lite_turned_into_base64_is_refused_with_the_remedy(gateway, written):
    body = text_of(sample()).replace("<PatientName>王𠮷祥", f'<PatientName xsi:type="{written}">546L8KCut+elpQ==')
    fault = gateway.post(around(body)).fault
    assert "SOAP::Lite" in fault.text
    assert fault.fields["Path"] == "PatientName"


@pytest.mark.parametrize(
    "body",
    [
        '<n:ChargeItem><Request href="#1"/></n:ChargeItem><n:R id="1"><a href="#1"/></n:R>',
        '<n:ChargeItem><Request href="#1"/></n:ChargeItem><n:R id="1"/><n:R id="1"/>',
        '<n:ChargeItem><Request href="#1"/><Request href="#1"/></n:ChargeItem><n:R id="1"><a href="#1"/></n:R>',
        '<n:ChargeItem><Request href="#2"/></n:ChargeItem><n:R id="1"/>',
        '<n:ChargeItem><Request href="#1">text</Request></n:ChargeItem><n:R id="1"/>',
        '<n:ChargeItem><Request href="#1"/></n:ChargeItem><n:R id="1"/><n:S id="2"/>',
        '<n:ChargeItem><Request href="#1"/></n:ChargeItem><n:R id="1"><a href="#2"/></n:R><n:R id="2" href="#1"/>',
        '<n:ChargeItem/><n:R id="1"><a href="#2"/></n:R><n:R id="2"><a href="#1"/></n:R>',
        '<n:ChargeItem><Request href="http://192.0.2.1/x"/></n:ChargeItem>',
        '<n:ChargeItem><Request href="#1"/></n:ChargeItem>text<n:R id="1"/>',
    ],
    ids=[
        "itself",
        "two of a name",
        "itself twice",
        "no value",
        "text",
        "one left",
        "ring",
        "ring aside",
        "url",
        "beside",
    ],
)
def test_references_that_do_not_lead_to_one_request_are_refused(gateway, body):
    assert gateway.post(around(body)).fault.blames_the_caller


def test_what_axis_1_4_itself_wrote_for_beans_is_the_request_it_means(gateway):
    """33: recorded from Axis 1.4 on Java 17; the quantity of three lines and the amounts of each are one object."""
    recorded = (Path(__file__).parent / "recorded" / "axis-1.4-encoded.xml").read_bytes()
    reply = gateway.post(recorded.replace(b">ANES<", b">HIS<"), HTTP_SOAPACTION='""', HTTP_AUTHORIZATION=basic())
    assert reply.response is not None
    received = gateway.reception.received[-1]
    assert received.repairs == {Repair.NAMESPACE, Repair.REFERENCES, Repair.ENCODING}
    request = received.request
    assert request.patient.patient_name == "王𠮷祥"
    assert request.occurred_at.isoformat() == "2026-11-15T08:30:00+08:00"
    assert [(line.line_no, line.quantity, line.actual_amount) for line in request.lines] == [
        (1, Decimal("1"), Decimal("25.00")),
        (2, Decimal("1"), Decimal("88.50")),
        (3, Decimal("1"), Decimal("63.00")),
    ]


@pytest.mark.parametrize("version", BOTH)
def test_equal_values_that_are_written_once_stand_wherever_they_are_used(gateway, version):
    """33: Axis 1.4 writes equal objects once, here the patient's address and the code of one department."""
    place, code = {V11: ("href", "#"), V12: ("e:ref", "")}[version], {V11: "id", V12: "e:id"}[version]
    body, shared = text_of(sample()), []
    for name in ("OrderingDeptCode", "DeptCode"):
        text = re.search(f"<{name}>([^<]*)</{name}>", body)
        assert text, name
        shared.append(text[1])
        body = body.replace(text[0], f'<{name} {place[0]}="{place[1]}dept"/>', 1)
    assert shared[0] == shared[1]
    encoding = ENC if version is V11 else "http://www.w3.org/2003/05/soap-encoding"
    body = body.replace(" xmlns=", f' xmlns:e="{encoding}" xmlns=', 1)
    beside = f'<multiRef xmlns:e="{encoding}" {code}="dept">{shared[0]}</multiRef>'
    assert accepted(gateway, envelope(body + beside, version), Repair.REFERENCES) == plain_request("SubmitRequisition")


def test_values_used_again_and_again_grow_a_message_only_so_far(gateway):
    """34: ten values, each of them ten times the next, would be ten thousand million elements."""
    for inside, times in (("<a/>" * 10, 10), ("x" * 100_000, 30)):
        bomb = [f'<n:R id="{n}">' + f'<a href="#{n + 1}"/>' * times + "</n:R>" for n in range(1, 10)]
        body = '<n:ChargeItem><Request href="#1"/></n:ChargeItem>' + "".join(bomb) + f'<n:R id="10">{inside}</n:R>'
        reply = gateway.post(around(body))
        assert "multiRef" in reply.fault.text
        assert reply.seconds < 2


def test_a_chain_of_references_is_no_way_around_the_limit_of_depth(gateway):
    for order in (1, -1):
        chain = [f'<n:R id="{n}"><a href="#{n + 1}"/></n:R>' for n in range(1, 200)] + ['<n:R id="200"/>']
        body = '<n:ChargeItem><Request href="#1"/></n:ChargeItem>' + "".join(chain[::order])
        reply = gateway.post(around(body))
        assert reply.fault.blames_the_caller
        assert reply.seconds < 1


def test_ten_thousand_references_are_refused_quickly(gateway):
    refers = "".join(f'<a href="#{n}"/>' for n in range(10_000))
    values = "".join(f'<n:R id="{n}"/>' for n in range(10_000))
    reply = gateway.post(around(f"<n:ChargeItem>{refers}</n:ChargeItem>{values}"))
    assert reply.fault.blames_the_caller
    assert reply.seconds < 2


# --- Control characters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("王\x0b小明", "王 小明"),
        ("王&#x0;小明", "王 小明"),
        ("王&#11;&#x1F;\x01小明", "王 小明"),
        ("王小明\0\0\0", "王小明"),
        ("\x1a王小明\uffff", "王小明"),
        ("<![CDATA[王\x0b小明]]>", "王 小明"),
        ("<![CDATA[王&#11;小明]]>\0", "王&#11;小明"),
        ("王<!-- \x0b -->小明", "王小明"),
    ],
)
def test_a_control_character_in_free_text_becomes_a_blank(gateway, written, meant):
    """31: from Word, from C strings, from forms."""
    assert accepted(gateway, message().replace("王𠮷祥", written), Repair.CHARACTERS).patient.patient_name == meant


@pytest.mark.parametrize(
    ("field", "value"),
    [("RequisitionNo", "SQ202611160012"), ("Amount", "480.00"), ("BirthDate", "1968-04-17"), ("MessageId", "HIS-")],
)
@pytest.mark.parametrize("character", ["\x0b", "&#0;", "\0"])
def test_a_control_character_in_a_code_or_an_amount_is_refused_with_its_place(gateway, field, value, character):
    fault = gateway.post(message().replace(f"<{field}>{value}", f"<{field}>{value}{character}")).fault
    assert fault.fields["Path"].endswith(field)
    assert "控制字符" in fault.text
    assert gateway.reception.received == []


def test_a_request_may_need_several_repairs(gateway):
    body = envelope(in_namespace(sample(), f"{TEMPURI}/").replace("王𠮷祥", "王\x0b祥"))
    assert accepted(gateway, body, Repair.NAMESPACE, Repair.CHARACTERS).patient.patient_name == "王 祥"


def test_half_a_character_is_no_control_character(gateway):
    assert mark(b"<a>&#xD842;</a>") is None
    assert gateway.post(message().replace("王", "&#xD842;\x0b")).fault.blames_the_caller


def test_the_journal_keeps_where_a_control_character_stood(gateway):
    gateway.post(message().replace("王𠮷祥", "王\x0b祥"))
    assert f"王{MARK}祥".encode() in gateway.reception.received[-1].xml
    gateway.post(message(header="").replace("王𠮷祥", "王\x0b祥"), HTTP_AUTHORIZATION=basic())
    assert "王\x0b祥".encode() in gateway.reception.received[-1].xml


def test_two_megabytes_of_references_and_one_control_character_are_read_quickly():
    started = time.thread_time()
    mark(b"<a>" + b"&#65;" * 400_000 + b"\0</a>")
    mark(b"<a>" + b"<![CDATA[&#0;]]>" * 120_000 + b"\0</a>")
    assert time.thread_time() - started < 3


@pytest.mark.parametrize("block", range(3))
def test_random_damage_to_an_rpc_message_is_its_senders_fault_or_does_no_harm(block):
    pieces = [
        "",
        "<",
        "&",
        "\0",
        "&#1;",
        ' href="#1"',
        ' href="#2"',
        ' id="1"',
        "<a/>",
        "]]>",
        "\ufdd0",
        ' xsi:type="enc:Array"',
    ]
    whole = Gateway()
    good = around(as_delphi_writes())
    for seed in range(100 * block, 100 * block + 100):
        chance = random.Random(seed)
        body = good
        for _ in range(chance.randint(1, 3)):
            at = chance.choice([chance.randrange(len(body)), body.find(">", chance.randrange(len(body)))])
            body = body[:at] + chance.choice([*pieces, body[at : at + 40]]) + body[at + chance.choice([0, 0, 1, 12]) :]
        reply = whole.post(body, strict=False)
        assert reply.seconds < 2, seed
        assert reply.status == 200 or reply.fault.blames_the_caller, (seed, reply.content.decode())


# --- What is noted ----------------------------------------------------------------------------------------------------


def test_the_log_and_the_figures_say_whose_program_sends_what_and_nothing_else(gateway, caplog):
    gateway.post(envelope(in_namespace(sample(), "").replace("王𠮷祥", "王机密\x0b祥")))
    [line] = [record.getMessage() for record in caplog.records if "Mended" in record.getMessage()]
    assert line == (
        "Mended control-characters, namespace: operation SubmitRequisition, client HIS, message HIS-20261116-000101"
    )
    figures = gateway.get("/metrics").content.decode()
    assert 'gateway_messages_mended_total{client="HIS",repair="namespace"} 1.0' in figures
    assert "王机密" not in caplog.text + figures


def test_a_stranger_makes_no_figure(gateway):
    gateway.post(envelope(in_namespace(sample(), ""), header=auth_header(name="NOBODY")))
    assert "NOBODY" not in gateway.get("/metrics").content.decode()


def test_a_refused_message_is_counted_too_because_its_program_needs_mending(gateway):
    gateway.post(envelope(in_namespace(sample(), "").replace("<Amount>480.00<", "<Amount>x<")))
    counted = 'gateway_messages_mended_total{client="HIS",repair="namespace"} 1.0'
    assert counted in gateway.get("/metrics").content.decode()


def test_a_plain_message_has_nothing_to_note(gateway):
    for operation in OPERATIONS:
        accepted(gateway, message(operation))
    assert "gateway_messages_mended_total{" not in gateway.get("/metrics").content.decode()


@pytest.mark.parametrize("seed", range(20))
def test_any_mixture_of_namespaces_near_ours_arrives_as_the_same_request(gateway, seed):
    chance, wrapper = random.Random(seed), sample()
    for element in wrapper.iter():
        namespace = chance.choice([NAMESPACE, "", TEMPURI, f"{NAMESPACE}/"])
        element.tag = (f"{{{namespace}}}" if namespace else "") + etree.QName(element).localname
    gateway.post(envelope(text_of(wrapper)))
    assert gateway.reception.received[-1].request == plain_request("SubmitRequisition")
    assert WIRE.write(gateway.reception.received[-1].request)
