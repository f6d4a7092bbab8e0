"""45, 29 to 32: what the string styles of vendors answer, by real HTTP, and that nobody guesses about money."""

from __future__ import annotations

import gzip
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.mapping import payload
from gateway.mapping.errors import PayloadUnreadable
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partners.client import Reply
from gateway.partners.failures import UnusableReply
from gateway.partners.reply import answer_or_fault
from gateway.partners.unwrapping import inflated
from gateway.styles.served import Served
from gateway.styles.style import Said
from gateway.styles.table import STYLES
from tests.partners.fake_partner import SOAP11, envelope
from tests.partners.test_mapped import send
from tests.partners.vendor import Vendor

YES = "<Response><Code>0</Code><BillNo>B17</BillNo></Response>"
SECRET = "王机密"


@pytest.fixture
def vendor():
    made = Vendor(Served(STYLES["call-interface"]))
    yield made
    made.close()


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def charge(vendor: Vendor, folder: Path, **settings: Any):
    return send(vendor, folder, "ChargeItem", **settings)


@pytest.mark.parametrize(
    "said",
    [
        f'<?xml version="1.0" encoding="GB2312"?>{YES}',
        f'\r\n<?xml version="1.0" standalong="yes"?>{YES}\0',
        escaped(YES),
        escaped(escaped(YES)),
        f"<![CDATA[{YES}]]>",
        YES.replace("<BillNo>", "<Text>R & D, 血糖<3.9</Text><BillNo>"),
        YES.replace("<Response>", '<Response xmlns="http://tempuri.org/">'),
        "<Response><Code> 0\r\n</Code><BillNo>B17</BillNo></Response>",
    ],
)
def test_a_yes_is_understood_however_it_is_wrapped(vendor, tmp_path, said):
    vendor.answer = lambda asked: Said(said)
    answer = charge(vendor, tmp_path)
    assert answer.is_yes
    if "tempuri" not in said:
        assert answer.response.his_charge_no == "B17"


@pytest.mark.parametrize(
    ("said", "code", "detail"),
    [
        ("null", "UNREADABLE", "null"),
        (f"<html><form>{SECRET}</form></html>", "UNREADABLE", "web page"),
        (f'{{"Code": "0", "Name": "{SECRET}"}}', "UNREADABLE", "JSON"),
        (f"成功 {SECRET}", "UNREADABLE", "no XML"),
        (f"-1{YES}", "UNREADABLE", "stands before"),
        (YES + YES.replace(">0<", ">-1<"), "UNREADABLE", "Several messages"),
        (YES[:-9] + SECRET, "UNREADABLE", "not well formed"),
        (YES.replace("<Code>0", "<Code>\x0b0\x0b1").replace("\x0b", "&#11;"), "UNCLEAR", "none of the values"),
        (f'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>{YES}', "UNREADABLE", "DTD"),
        ("<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY c '&b;&b;'>]><a>&c;</a>", "UNREADABLE", "DTD"),
        ("<a>" * 300 + "</a>" * 300, "UNREADABLE", "deeper"),
    ],
)
def test_what_is_unclear_is_unknown_and_the_reason_holds_nothing_of_it(vendor, tmp_path, said, code, detail):
    """34 too: a DTD and depth inside the string."""
    vendor.answer = lambda asked: Said(said)
    answer = charge(vendor, tmp_path)
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, code)
    assert detail in answer.detail
    assert SECRET not in answer.detail


@pytest.mark.parametrize(
    ("said", "code"),
    [("AA", "0"), ("aa", "0"), (" Aa ", "0"), ("AE", "AE"), ("OK", "UNCLEAR"), ("", "UNCLEAR")],
)
def test_a_bare_word_is_enough_where_the_rule_looks_for_one(vendor, tmp_path, said, code):
    """45: success in wrong case."""
    vendor.answer = lambda asked: Said(said)
    rule = {"at": "reply", "xpath": "string(/*)", "accepted": ["AA"], "refused": ["AE"]}
    assert send(vendor, tmp_path, mapped={"success": rule}).code == code


@pytest.mark.parametrize(
    ("written", "code", "detail"),
    [
        (lambda body: b"", "EMPTY", "no content"),
        (lambda body: b"<!DOCTYPE html><html><body>login</body></html>", "NOT-XML", "web page"),
        (lambda body: body[:-20], "NOT-XML", "breaks off"),
        (lambda body: body.replace(b"Envelope", b"Envelop"), "NOT-SOAP", "Envelop"),
        (lambda body: b'{"Code": 0}', "NOT-XML", "JSON"),
    ],
    ids=["nothing", "a login page", "half", "no envelope", "JSON"],
)
def test_what_comes_instead_of_a_reply_is_told(vendor, tmp_path, written, code, detail):
    vendor.reply = written
    answer = charge(vendor, tmp_path)
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, code)
    assert detail in answer.detail


@pytest.mark.parametrize(
    ("style", "reply", "detail"),
    [
        ("call", lambda body: body.replace(b"</CallResponse>", b"<CallResult>-1</CallResult></CallResponse>"), "twice"),
        (
            "esb-entry",
            lambda body: body.replace(escaped("</MsgInfo>").encode(), escaped("<Msg/></MsgInfo>").encode()),
            "several Msg",
        ),
    ],
)
def test_of_two_results_nobody_knows_which_counts(tmp_path, style, reply, detail):
    vendor = Vendor(Served(STYLES[style]))
    vendor.answer = lambda asked: Said(YES)
    vendor.reply = reply
    answer = charge(vendor, tmp_path)
    vendor.close()
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "UNREADABLE")
    assert detail in answer.detail


def test_the_entry_of_a_bus_is_known_in_any_namespace(tmp_path):
    vendor = Vendor(Served(STYLES["esb-entry"]))
    vendor.answer = lambda asked: Said(YES)
    vendor.reply = lambda body: body.replace(b"&lt;ESBEntry", b'&lt;ESBEntry xmlns="http://bus.example.org"')
    answer = charge(vendor, tmp_path)
    vendor.close()
    assert answer.is_yes


def test_what_stands_in_the_entry_of_a_bus_as_elements_keeps_its_namespaces():
    message = '<POOR xmlns="urn:hl7-org:v3"><Msg/></POOR>'
    entry = f'<b:ESBEntry xmlns:b="http://bus.example.org"><b:MsgInfo><b:Msg>{message}</b:Msg></b:MsgInfo></b:ESBEntry>'
    said = STYLES["esb-entry"].disclose({"payload": entry})
    assert payload.read(said.payload, "xml").tag == "{urn:hl7-org:v3}POOR"


def test_a_charge_that_was_sent_cannot_be_skipped_any_more(vendor, tmp_path):
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "skips.xsl").write_text(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" '
        'xmlns:g="urn:hospital-gateway:functions"><xsl:template match="/"><xsl:value-of select="g:skip(\'no\')"/>'
        "</xsl:template></xsl:stylesheet>"
    )
    vendor.answer = lambda asked: Said(YES)
    answer = charge(vendor, tmp_path, mapped={"response": "skips.xsl"})
    assert (answer.outcome, answer.code, answer.detail) == (Outcome.UNKNOWN, "OFF-CONTRACT", "no")


def test_a_login_page_is_no_word_of_refusal(vendor, tmp_path):
    vendor.answer = lambda asked: Said("\n<!-- 10.0.0.1 --><html><form/></html>")
    rule = {"xpath": "string(/*)", "accepted": ["OK"], "refused": ["*"]}
    answer = charge(vendor, tmp_path, payload="text", mapped={"success": rule})
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "UNREADABLE")


def test_nothing_at_all_can_not_be_made_a_yes(vendor, tmp_path):
    with pytest.raises(ValidationError, match="an empty answer is no yes"):
        charge(vendor, tmp_path, success={"accepted": ["0", " "]})


def test_a_reply_in_gbk_that_says_utf_8_is_understood(vendor, tmp_path):
    """29."""
    vendor.answer = lambda asked: Said("<Response><Code>2</Code><Text>患者不存在，请核对</Text></Response>")
    vendor.reply = lambda body: body.decode().encode("gbk")
    assert charge(vendor, tmp_path).text == "患者不存在，请核对"


def test_a_namespace_with_another_slash_than_the_stylesheets_is_taken_for_it(vendor, tmp_path):
    vendor.answer = lambda asked: Said(YES.replace("<Response>", '<Response xmlns="http://HIS.example.org/">'))
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "by-namespace.xsl").write_text(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" '
        'xmlns:v="http://his.example.org" exclude-result-prefixes="v"><xsl:template match="/v:Response"><Response>'
        '<ChargeNo>C1</ChargeNo><HisChargeNo><xsl:value-of select="v:BillNo"/></HisChargeNo>'
        "<TransactionState>CONFIRMED</TransactionState></Response></xsl:template></xsl:stylesheet>"
    )
    answer = charge(vendor, tmp_path, mapped={"response": "by-namespace.xsl"})
    assert answer.response.his_charge_no == "B17"


# --- Random damage ----------------------------------------------------------------------------------------------------

PIECES = [
    b"", b"<", b">", b"&", b"\0", b"\xff", b"\xd5\xc5", b"]]>", b"<![CDATA[", b"<!--", b"<!DOCTYPE x>", b"</", b'"',
    b"&#1;", b"<?xml?>", b"&lt;", b"<a/>", b"<s:Body>", b"</s:Body>", b"--b", b"\r\n\r\n",
    b"\x1f\x8b", b"{", b"&#xD842;",
]  # fmt: skip
TYPES = ["text/xml", "text/xml; charset=gbk", "text/html", "", 'multipart/related; boundary="b"; start="<a>"', "\x00;"]


def damaged(chance: random.Random) -> Reply:
    inner = escaped(YES) if chance.random() < 0.5 else YES
    body = envelope(SOAP11, f"<CallResponse><CallResult>{inner}</CallResult></CallResponse>")
    if chance.random() < 0.2:
        body = b"--b\r\nContent-ID: <a>\r\n\r\n" + body + b"\r\n--b--"
    for _ in range(chance.choice([0, 1, 1, 2, 4])):
        at = chance.randrange(len(body) + 1)
        body = body[:at] + chance.choice([*PIECES, body[at : at + 30]]) + body[at + chance.choice([0, 0, 1, 9]) :]
    if chance.random() < 0.2:
        body = gzip.compress(body)[: chance.choice([-1, -9, 10**6])]
    return Reply(chance.choice([200, 200, 200, 500]), chance.choice(TYPES), body)


def reason(reply: Reply) -> str:
    """Why a reply cannot be used; a full stop when it can."""
    try:
        child = answer_or_fault(Reply(reply.status, reply.content_type, inflated(reply.body, "")))
    except UnusableReply as problem:
        return problem.detail
    text = child.detail if isinstance(child, PartnerAnswer) else "".join(child.itertext())
    for form in ("xml", "json", "text"):
        with suppress(PayloadUnreadable):
            payload.read(text, form)
    return "."


@pytest.mark.parametrize("block", range(4))
def test_no_damage_to_a_reply_is_more_than_a_reason_in_words(block):
    for seed in range(500 * block, 500 * block + 500):
        why = reason(damaged(random.Random(seed)))
        assert why.endswith("."), seed
        assert "B17" not in why, seed
