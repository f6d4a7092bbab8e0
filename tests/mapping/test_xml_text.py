"""The strings of real systems: what can mean one message is that message, what can mean two is refused."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from lxml import etree

from gateway.mapping import payload
from gateway.mapping.errors import PayloadUnreadable
from gateway.mapping.xml_text import read_xml
from gateway.soap.repairs import Repair

ANSWER = "<Response><ResultCode>0</ResultCode><ResultContent>成功 𠮷</ResultContent></Response>"
SECRET = "王机密"


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cdata(text: str) -> str:
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def written(text: str) -> str:
    return etree.tostring(read_xml(text), encoding="unicode")


def content(inside: str) -> str:
    """What is read where `inside` is written."""
    return read_xml(ANSWER.replace("成功 𠮷", inside)).findtext("ResultContent")


# --- Around the message -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        f'<?xml version="1.0" encoding="GB2312"?>{ANSWER}',
        f'<?xml version="1.0" encoding="utf-16"?>\r\n{ANSWER}',
        f'<?xml version="1.0" encoding="UTF-8" standalong="yes"?>{ANSWER}',
        f"<?XML version='1.0'?>{ANSWER}",
        f"<? xml version='1.0' ?>{ANSWER}",
        f'\ufeff\r\n\r\n<?xml version="1.0"?>\n\ufeff{ANSWER}',
        f'<?xml version="1.0"?><?xml version="1.0" encoding="GBK"?>{ANSWER}',
        f"{ANSWER}\0\0\0",
        f"\x1a{ANSWER}\r\n\x1a",
        f"<!-- 12 ms -->{ANSWER}<!-- end -->",
        f'<?xml version="1.0"?><?xml-stylesheet href="http://192.0.2.1/x.xsl"?>{ANSWER}',
        escaped(ANSWER),
        escaped(escaped(ANSWER)),
        escaped(f'<?xml version="1.0" encoding="gbk"?>\n{ANSWER}'),
        ANSWER.replace("<", "&#60;").replace(">", "&#62;"),
        ANSWER.replace("<", "&#x3C;").replace(">", "&#x3e;"),
        cdata(ANSWER),
        cdata(cdata(ANSWER)),
        cdata(escaped(ANSWER)),
        escaped(cdata(ANSWER)),
        json.dumps(ANSWER),
        f'"{ANSWER}"',
    ],
)
def test_a_message_is_found_whatever_was_put_around_it(text):
    """30, 31, 32: declarations that name the wrong encoding or are misspelt, marks, escapes, CDATA."""
    assert written(text) == ANSWER


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing where the message should be"),
        (" \r\n\0\ufeff", "nothing where the message should be"),
        ('<?xml version="1.0"?>', "nothing where the message should be"),
        ("<!-- -->", "not well formed|only comments|nothing but comments"),
        ("null", "null"),
        ("(null)", "null"),
        ('"null"', "null"),
        ("<!DOCTYPE html><html><body>login</body></html>", "web page"),
        ("\r\n<HTML><HEAD></HEAD></HTML>", "web page"),
        ("<!-- portal --><html><form/></html>", "web page"),
        ('{"code": 0}', "JSON"),
        ("[]", "JSON"),
        (f"成功 {SECRET}", "no XML"),
        (f"0|{ANSWER}", "stands before"),
        (f"string: {ANSWER}", "stands before"),
        (f"{ANSWER} 失败 {SECRET}", "stands behind"),
        (f"{ANSWER}-1", "stands behind"),
        (f"{ANSWER}{ANSWER}", "Several messages"),
        (ANSWER[:-5], "breaks off"),
        (f"<Response>{SECRET}</Respond>", "not well formed"),
        (escaped(escaped(escaped(escaped(escaped(ANSWER))))), "wrapped or escaped"),
        (f'<!DOCTYPE a [<!ENTITY b "{SECRET}">]><a>&b;</a>', "DTD"),
        ('<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "DTD"),
        ("<a>" * 65 + "</a>" * 65, "deeper than 64"),
        ("<a>" * 5000 + "</a>" * 5000, "deeper than 64"),
        ("<a>" + "<b/>" * 200_001 + "</a>", "more than 200,000"),
    ],
)
def test_what_is_no_message_or_could_be_two_is_refused_with_the_reason(text, why):
    with pytest.raises(PayloadUnreadable, match=why) as refused:
        read_xml(text)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (f'\ufeff<?xml version="1.0" encoding="GBK"?>{ANSWER}', set()),
        (escaped(ANSWER), {"escaping"}),
        (ANSWER.replace("成功", "A & B"), {"escaping"}),
        (ANSWER.replace("成功", "成\x0b功"), {"control-characters"}),
        (escaped(ANSWER.replace("成功", "成&#0;功")), {"escaping", "control-characters"}),
    ],
)
def test_what_was_mended_is_noted_by_its_kind(text, kinds):
    noted: set[str] = set()
    payload.read(text, "xml", noted)
    assert noted == kinds <= set(Repair)


def test_parts_of_different_names_without_a_root_are_one_message():
    root = read_xml("<ResultCode>0</ResultCode>\r\n<ResultContent>成功</ResultContent>")
    assert (root.findtext("ResultCode"), root.findtext("ResultContent")) == ("0", "成功")


# --- Inside the message -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "meant"),
    [
        ("R & D", "R & D"),
        ("A&B", "A&B"),
        ("A&B;C", "A&B;C"),
        ("http://pacs/view?a=1&copy=2&lang=3", "http://pacs/view?a=1&copy=2&lang=3"),
        ("37&deg;C&nbsp;&amp;", "37°C\xa0&"),
        ("白细胞 < 4.0", "白细胞 < 4.0"),
        ("<0.5", "<0.5"),
        ("a <= b", "a <= b"),
        ("a &lt b", "a &lt b"),
        ("]]>", "]]>"),
        ("腹部\x0b未见", "腹部 未见"),
        ("腹部&#x0;&#11;未见", "腹部  未见"),
        ("&#55362;&#57271;&#xD842;&#xDFB7; & 䶮", "𠮷𠮷 & 䶮"),
        ("<![CDATA[a & b < c]]>", "a & b < c"),
        ("<![CDATA[a ]]]]><![CDATA[> b]]>", "a ]]> b"),
        ("<![CDATA[<r><![CDATA[x & y]]></r>]]>", "<r><![CDATA[x & y]]></r>"),
        ("<![CDATA[\x0b&#0;]]>", " &#0;"),
        (escaped("<r>A &amp; B</r>"), "<r>A &amp; B</r>"),
        ("&#60;b&#62;", "<b>"),
    ],
)
def test_what_should_have_been_escaped_is_read_as_it_was_meant(inside, meant):
    """31, 32."""
    assert content(inside) == meant


@pytest.mark.parametrize("inside", ["<中性粒 3", "&#xD842;", "<a>", "<![CDATA[x", "&#x110000;", "<a b=1/>"])
def test_what_could_mean_two_things_is_refused(inside):
    with pytest.raises(PayloadUnreadable):
        content(inside)


def test_a_control_character_never_joins_two_halves_of_a_number():
    assert content("12\x003.00") == "12 3.00"


@pytest.mark.parametrize("name", ["𠮷", "䶮", "㛃", "𬭳", "\ue863", "买买提·艾力"])
def test_rare_names_stay_what_they_are_in_every_wrapping(name):
    """28."""
    for wrapped in (ANSWER, escaped(ANSWER), cdata(ANSWER), json.dumps(ANSWER, ensure_ascii=True)):
        text = wrapped.replace("成功 𠮷", name).replace(json.dumps("成功 𠮷")[1:-1], json.dumps(name)[1:-1])
        assert read_xml(text).findtext("ResultContent") == name


def test_a_message_inside_a_message_is_read_when_a_stylesheet_asks_for_it():
    inner = content(escaped(f'<?xml version="1.0" encoding="GBK"?><r>{SECRET}</r>'))
    assert read_xml(inner).text == SECRET


@pytest.mark.parametrize(
    "text",
    [
        "<!--" * 4_000_000,
        "<![CDATA[" * 2_000_000,
        "<a>" + "<![CDATA[" * 100_000 + "]]>" * 100_000 + "</a>",
        "<?xml?>" * 2_000_000,
        "&lt;" * 4_000_000,
        "<a>" + "&" * 8_000_000 + "</a>",
        "<a>" + "\0" * 8_000_000 + "</a>",
        "<a " + "b='1' " * 1_000_000 + "/>",
        '"' * 10_000_000,
        "<a>" + "&#55362;" * 1_000_000 + "</a>",
        "<!-- x -->" * 900_000,
        "\ufeff" * 10_000_000,
    ],
    ids=range(12),
)
def test_twenty_megabytes_of_anything_are_read_or_refused_in_time(text):
    """34: through the strings inside SOAP too."""
    started = time.process_time()
    with suppress(PayloadUnreadable):
        payload.read(text, "xml")
    assert time.process_time() - started < 10


def test_more_than_twenty_megabytes_are_not_looked_at():
    with pytest.raises(PayloadUnreadable, match="20 MB"):
        payload.read("x" * (payload.LARGEST + 1), "xml")


def test_a_text_of_twelve_megabytes_is_read():
    assert len(content("A" * 12_000_000)) == 12_000_000


# --- JSON and text ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ['{"code": "0"}', '\ufeff {"code": "0"}\0', json.dumps('{"code": "0"}')])
def test_json_is_found_whatever_was_put_around_it(text):
    assert payload.read(text, "json").findtext("code") == "0"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing"),
        ("null", "null"),
        ("<html></html>", "web page"),
        ('{"code": 0', "no JSON"),
        ('{"code": 0, "code": -1}', "twice"),
        ("[" * 100_000, "no JSON"),
        ("[" * 80 + "]" * 80, "too deep"),
        ("[" + "1," * 300_000 + "1]", "200,000"),
        ('{"a": ' + "1" * 5000 + "}", "no JSON"),
    ],
)
def test_what_is_no_json_or_could_be_two_messages_is_refused_with_the_reason(text, why):
    with pytest.raises(PayloadUnreadable, match=why):
        payload.read(text, "json")


def test_half_a_character_in_json_breaks_nothing():
    assert payload.read(r'{"name": "王\ud842", "a\u000bb": 1}', "json").findtext("name") == "王 "


def test_a_plain_text_loses_its_control_characters_and_joins_no_numbers():
    assert payload.read("12\x0b3\0\0", "text").text == "12 3"
