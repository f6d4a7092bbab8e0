"""HL7 text to elements and back: every way in which vendors really write it."""

import logging
import time
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import InvalidMessage
from gateway.hl7.er7 import read, value, write, write_bytes

RARE = "𠮷䶮㛃"
HEAD = "MSH|^~\\&|HIS|H1|GATEWAY||20261116090500||ORM^O01|M1|P|2.4"


def order(*segments: str, end: str = "\r", head: str = HEAD) -> str:
    return end.join([head, *segments, ""])


def text(message: etree._Element, path: str) -> str | None:
    return message.findtext(path)


def test_segments_fields_and_components_keep_their_numbers():
    message = read(order("PID|1||P1^^^HIS||王^祥||19680417|M"))
    assert [segment.tag for segment in message] == ["MSH", "PID"]
    assert text(message, "MSH/MSH.1") == "|"
    assert text(message, "MSH/MSH.9/MSH.9.2") == "O01"
    assert text(message, "PID/PID.3/PID.3.4") == "HIS"
    assert value(message, "PID", 5, 2) == "祥"
    assert message.find("PID/PID.4") is None, "what is empty is absent"


def test_repetitions_are_repeated_elements_and_subcomponents_have_a_third_number():
    message = read(order("PID|1||P1^^^HIS&1.2&ISO~P2||"))
    first, second = message.findall("PID/PID.3")
    assert text(first, "PID.3.4/PID.3.4.2") == "1.2"
    assert text(second, "PID.3.1") == "P2"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r"])
def test_whatever_ends_a_segment_is_understood(end: str):
    message = read(order("PID|1||P1", "OBR|1|A", end=end))
    assert [segment.tag for segment in message] == ["MSH", "PID", "OBR"]


def test_a_message_brings_its_own_separators():
    message = read("MSH#*@!%#HIS##GW##20261116##ORM*O01#M1#P#2.4\rPID###P1*A%B@P2##a!F!b!T!c\r")
    assert [text(field, "PID.3.1") for field in message.findall("PID/PID.3")] == ["P1", "P2"]
    assert text(message, "PID/PID.3/PID.3.2/PID.3.2.2") == "B"
    assert text(message, "PID/PID.5/PID.5.1") == "a#b%c"
    assert write(message) == "MSH#*@!%#HIS##GW##20261116##ORM*O01#M1#P#2.4\rPID###P1*A%B@P2##a!F!b!T!c\r"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"one\.br\two\.sp2\three", "one\ntwo\n\nthree"),
        (r"a\X0D\b\X0D0A\c\X0A\d", "a\nb\nc\nd"),
        ("\\H\\dear\\N\\ text\\.fi\\", "dear text"),
        (r"C:\new\path", r"C:\new\path"),
        ("50\\", "50\\"),
        (r"\X5A\\X5B\ \Z99\ ", "Z[ \\Z99\\ "),
        (r"\XE78E8B\ ", "王 "),
        (r"a\X0B00\b", "a  b"),
        (r"\\", "\\\\"),
    ],
)
def test_escapes_mean_what_the_standard_says_and_all_else_stays(written: str, meant: str):
    assert value(read(order(f"NTE|1||{written}|x")), "NTE", 3) == meant


@pytest.mark.parametrize("meant", ["a|b^c&d~e\\f", "line\nline", r"\F\ ", "王𠮷祥<&>", "^~\\&", 'say "" '])
def test_what_is_written_is_read_again(meant: str):
    message = etree.fromstring("<HL7><MSH/><NTE><NTE.3/></NTE></HL7>")
    message[1][0].text = meant
    assert value(read(write(message)), "NTE", 3) == meant.strip()


def test_text_that_forgot_to_escape_stays_whole():
    message = read(order("OBX|1|TX|A^b||5^6 & more||", "OBX|2|CE|A||1^b"))
    first, second = message.findall("OBX/OBX.5")
    assert text(first, "OBX.5.1") == "5^6 & more"
    assert text(second, "OBX.5.2") == "b"


def test_a_line_that_begins_no_segment_continues_the_text():
    message = read(order("OBX|1|TX|A||first line\nsecond line\n\nPIDA is a word|||N"))
    assert text(message, "OBX/OBX.5/OBX.5.1") == "first line\nsecond line\nPIDA is a word"
    assert text(message, "OBX/OBX.8/OBX.8.1") == "N"


def test_the_null_of_hl7_is_neither_text_nor_absent():
    message = read(order('PID|1||P1||""||""'))
    assert message.find("PID/PID.5").get("null") == "true"
    assert text(message, "PID/PID.5") in (None, "")
    assert 'PID|1||P1||""||""\r' in write(message)


def test_site_segments_are_kept():
    message = read(order("ZYB|1|a^b", "ZYB|2"))
    assert write(message) == order("ZYB|1|a^b", "ZYB|2")


# --- Characters -------------------------------------------------------------------------------------------------------


def said(name: str) -> str:
    return order(f"PID|1||P1||{RARE}", head=f"{HEAD}||||||{name}")


@pytest.mark.parametrize("name", ["GB 18030-2000", "GB18030", "GBK", "GB2312", "CP936"])
def test_every_gb_name_means_gb18030(name: str):
    assert value(read(said(name).encode("gb18030")), "PID", 5) == RARE


@pytest.mark.parametrize("name", ["UNICODE UTF-8", "UTF-8", "UNICODE", "", "ASCII"])
def test_utf8_by_any_name_and_by_none(name: str):
    assert value(read(said(name).encode()), "PID", 5) == RARE


def test_who_says_utf8_and_sends_gbk_is_understood():
    assert (
        value(read(order("PID|1||P1||王小明", head=f"{HEAD}||||||UNICODE UTF-8").encode("gbk")), "PID", 5) == "王小明"
    )


def test_the_site_says_what_a_silent_sender_uses():
    content = order("PID|1||P1||联通").encode("gb18030")  # four bytes that are valid UTF-8 as well
    assert value(read(content, "GB18030"), "PID", 5) == "联通"


def test_a_backslash_or_bar_inside_a_gb_character_separates_nothing():
    name = "乗乚乛乣乣誠誟"
    assert any(sign in name.encode("gb18030") for sign in b"\\|^~")
    assert value(read(said("GB18030").replace(RARE, name).encode("gb18030")), "PID", 5) == name


def test_hexadecimal_escapes_are_bytes_of_the_message_s_own_characters():
    message = read(order(r"PID|1||P1||\XCDF5\ ", head=f"{HEAD}||||||GB18030").encode("gb18030"))
    assert value(message, "PID", 5).strip() == "王"


def test_a_byte_order_mark_goes_before_what_is_said():
    assert value(read(b"\xef\xbb\xbf" + said("GB18030").encode()), "PID", 5) == RARE


@pytest.mark.parametrize(("codec", "name"), [("utf-8", "UNICODE UTF-8"), ("gb18030", "GB 18030-2000")])
def test_rare_characters_travel_in_both_and_msh18_says_so(codec: str, name: str):
    content = write_bytes(read(said("")), codec)
    assert name.encode() in content
    assert value(read(content), "PID", 5) == RARE
    assert read(content).findtext("MSH/MSH.18/MSH.18.1") == name


# --- What is put around it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one: f"\x0b{one}\x1c\r",
        lambda one: f"\ufeff\n  {one}",
        lambda one: f"<![CDATA[{one}]]>",
        lambda one: one.replace("&", "&amp;").replace("\r", "&#13;"),
        lambda one: one.replace("&", "&amp;").replace("&", "&amp;"),
        lambda one: f'<?xml version="1.0" encoding="GB2312"?><Message><Body><![CDATA[{one}]]></Body></Message>',
        lambda one: f"<req>\n {one.replace('&', '&amp;')}</req>",
    ],
)
def test_hl7_in_strings_is_taken_out_of_what_is_around_it(wrap):
    message = read(wrap(order("PID|1||P1||a\\T\\b^c&d")))
    assert value(message, "PID", 3) == "P1"
    assert value(message, "PID", 5) == "a&b"
    assert text(message, "PID/PID.5/PID.5.2/PID.5.2.2") == "d"


# --- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("", "MSH"),
        ("王小明", "MSH"),
        ("PID|1||P1||王小明", "MSH"),
        ("MSHX王小明", "MSH"),
        ("<html>王小明</html>", "MSH"),
        ("MSH|^^\\&|HIS|王小明", "MSH-2"),
        ("MSH|abc&|HIS|王小明", "MSH-2"),
        (order("PID|1||王小明") + HEAD, "MSH"),
        (b"MSH|^~\\&|\xff\xff\xff\xff", "MSH-18"),
        (order("NTE|王小明" + "&^~|" * 100_000), "MSH"),
    ],
)
def test_what_is_no_message_is_refused_with_its_place_and_without_its_content(
    content: str | bytes, path: str, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG), pytest.raises(InvalidMessage) as refused:
        read(content)
    assert refused.value.path == path
    assert "王小明" not in refused.value.text_zh + refused.value.text_en + caplog.text


@pytest.mark.parametrize("wrong", ["<MSH/><PID><PV1.3>x</PV1.3></PID>", "<MSH/><PID><PID.x/></PID>", "<PID/>", ""])
def test_an_element_without_a_place_is_refused_by_its_name(wrong: str):
    with pytest.raises(InvalidMessage):
        write(etree.fromstring(f"<HL7>{wrong}</HL7>"))


def test_groups_and_namespaces_of_hl7_s_own_xml_are_taken():
    message = etree.fromstring(
        '<ORM_O01 xmlns="urn:hl7-org:v2xml"><MSH/><ORM_O01.PATIENT><PID><PID.3><PID.3.1>P1</PID.3.1></PID.3></PID>'
        "</ORM_O01.PATIENT></ORM_O01>"
    )
    assert write(message) == "MSH|^~\\&\rPID|||P1\r"


# --- At random --------------------------------------------------------------------------------------------------------

SIGNS = st.text(st.sampled_from('|^~\\&\r\n\x0b\x1c"<>;MSHPIDOBXTZ12FSRETX.brsp 王𠮷\ud83d\x00'), max_size=60)


@given(SIGNS)
@example("MSH;")
@example("B11\r1")
@example("\ud83d")
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_read_or_refused(tail: str):
    for content in (HEAD + "\r" + tail, HEAD[:9] + tail, tail, tail.encode("utf-8", "surrogatepass")):
        try:
            message = read(content)
        except InvalidMessage:
            continue
        assert read(write(message)) is not None


@given(st.lists(SIGNS.filter(lambda text: not set(text) & set("\ud83d\x00\x0b\x1c")), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_every_text_survives_the_way_through_pipes(texts: list[str]):
    message = etree.fromstring("<HL7><MSH/><OBX><OBX.2>FT</OBX.2></OBX></HL7>")
    for one in texts:
        etree.SubElement(message[1], "OBX.5").text = one
    back = [field.findtext("OBX.5.1") for field in read(write(message)).findall("OBX/OBX.5")]
    plain = [one.replace("\r\n", "\n").replace("\r", "\n").strip() for one in texts]
    assert back == [one for one in plain if one]


@pytest.mark.parametrize("content", ["<?xml " * 20_000, "MSH|^~\\&|A\r" + f"{'x' * 200}\r" * 20_000])
def test_nothing_small_takes_long(content: str):
    """Either took half a minute."""
    begun = time.process_time()
    with suppress(InvalidMessage):
        read(content)
    assert time.process_time() - begun < 3
