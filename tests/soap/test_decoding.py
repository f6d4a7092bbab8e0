"""Every way in which a partner's program writes Chinese arrives as the same Chinese, or is refused."""

import codecs
import time
from contextlib import suppress

import pytest

from gateway.errors import InvalidMessage
from gateway.soap.decoding import charset_of, decode
from gateway.soap.repairs import Repair

NAME = "<姓名>喆堃珺 𠮷 䶮 买买提·艾力 张三，男，内科门诊</姓名>"
GBK_NAME = "<Name>喆堃珺 张三，男，内科门诊 联通</Name>"
GB2312_DECLARATION = b'<?xml version="1.0" encoding="GB2312"?>'


def declared(name: str) -> str:
    return f'<?xml version="1.0" encoding="{name}"?>\r\n'


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (NAME.encode(), "text/xml; charset=utf-8"),
        (NAME.encode(), "text/xml"),
        (NAME.encode(), ""),
        (NAME.encode(), "text/xml; charset=us-ascii"),
        (NAME.encode("utf-8-sig"), "text/xml; charset=utf-8"),
        (NAME.encode("utf-8-sig"), "text/xml; charset=gbk"),
        (NAME.encode("gb18030"), "text/xml; charset=gb18030"),
        (NAME.encode("gb18030"), "text/xml; charset=GB2312"),
        (NAME.encode("gb18030"), "text/xml; charset='gbk'"),
        (NAME.encode("gb18030"), 'application/soap+xml; action="urn:x"; charset="x-gbk"'),
        (b"\x84\x31\x95\x33" + NAME.encode("gb18030"), "text/xml"),
        (NAME.encode("utf-16"), "text/xml; charset=utf-16"),
        (NAME.encode("utf-16"), "text/xml"),
        (NAME.encode("utf-16-le"), "text/xml; charset=utf-16le"),
        (NAME.encode("utf-16-be"), "text/xml; charset=UTF-16BE"),
        (NAME.encode("utf-16-be"), "text/xml; charset=utf-16"),
        (NAME.encode("utf-16-le"), "text/xml"),
        (codecs.BOM_UTF16_BE + NAME.encode("utf-16-be"), "text/xml"),
    ],
)
def test_a_name_arrives_in_whatever_encoding_it_was_sent(body, content_type):
    assert decode(body, content_type).decode() == NAME


@pytest.mark.parametrize("encoding", ["gbk", "GB2312", "gb18030", "GB_2312-80", "cp936"])
def test_the_xml_declaration_names_the_encoding_if_http_does_not(encoding):
    body = (declared(encoding) + NAME).encode("gb18030")
    assert decode(body, "text/xml").strip().decode() == NAME


def test_a_utf_16_declaration_is_read_in_utf_16():
    assert decode((declared("utf-16") + NAME).encode("utf-16"), "text/xml").strip().decode() == NAME


def test_the_http_header_overrules_the_declaration():
    assert decode((declared("gbk") + NAME).encode(), "text/xml; charset=utf-8").strip().decode() == NAME


def test_gbk_that_is_labelled_utf_8_is_read_as_gbk():
    assert decode(GBK_NAME.encode("gbk"), "text/xml; charset=utf-8").decode() == GBK_NAME
    assert decode((declared("utf-8") + GBK_NAME).encode("gbk"), "text/xml").strip().decode() == GBK_NAME
    assert decode(GBK_NAME.encode("gbk"), "text/xml").decode() == GBK_NAME


def test_utf_8_that_is_labelled_gb2312_is_read_as_utf_8():
    assert decode(NAME.encode(), "text/xml; charset=gb2312").decode() == NAME


@pytest.mark.parametrize("name", ["联通", "目的", "男", "喆"])
def test_a_short_name_in_gbk_is_not_taken_for_utf_8(name):
    assert decode(f"<N>{name}</N>".encode("gbk"), "text/xml; charset=gbk").decode() == f"<N>{name}</N>"


@pytest.mark.parametrize(
    "body",
    [
        "<N>Müller</N>".encode("latin-1"),
        "<N>欧阳小明明</N>".encode().replace("小".encode(), b"\xe5\xb0"),
        "<N>北京大学第一医院检验科生化室张三丰医师</N>".encode()[:-9] + b"\xe5</N>",
        b"<N>\xc0\xafetc</N>",
        b"<N>\xff\xfe</N>",
        b"<N>\xed\xa1\x82\xed\xbe\xb7</N>",
    ],
)
def test_bytes_that_are_neither_are_refused_and_never_guessed(body):
    with pytest.raises(InvalidMessage, match="SYS-400") as refused:
        decode(body, "text/xml; charset=utf-8")
    assert "UTF-8" in refused.value.text_en


def test_bytes_that_are_no_gbk_are_refused():
    with pytest.raises(InvalidMessage) as refused:
        decode(b"<N>\xff\xff</N>", "text/xml; charset=gbk")
    assert "GB18030" in refused.value.text_en


def test_half_a_character_in_utf_16_is_refused():
    with pytest.raises(InvalidMessage):
        decode("<N/>".encode("utf-16") + b"\x00", "text/xml")
    with pytest.raises(InvalidMessage):
        decode(b"\xff\xfe<\x00\x42\xd8>\x00", "text/xml")


@pytest.mark.parametrize(
    "charset", ["punycode", "utf-7", "rot13", "iso-8859-1", "latin1", "idna", "utf-32", "big5", "x"]
)
def test_an_encoding_that_is_not_in_the_list_is_refused_with_the_list(charset):
    started = time.thread_time()
    with pytest.raises(InvalidMessage) as refused:
        decode(b"<a>" + b"a-" * 1_000_000 + b"</a>", f"text/xml; charset={charset}")
    assert time.thread_time() - started < 5  # its text is not read at all
    assert "UTF-8, UTF-16, GBK" in refused.value.text_zh


@pytest.mark.parametrize("charset", ["punycode", "utf-7", "rot13", "idna", "utf-32", "big5", "x"])
def test_an_encoding_that_is_not_in_the_list_is_refused_in_the_declaration_too(charset):
    with pytest.raises(InvalidMessage):
        decode(declared(charset).encode() + b"<a/>", "text/xml")


@pytest.mark.parametrize("name", ["ISO-8859-1", "latin1", "windows-1252", "UFT-8", "utf8mb4", "UTF8-", "chinese"])
@pytest.mark.parametrize("codec", ["utf-8", "gbk"])
def test_a_name_written_into_the_declaration_without_thought_counts_as_none(name, codec):
    assert decode((declared(name) + GBK_NAME).encode(codec), "text/xml").strip().decode() == GBK_NAME


def test_latin_letters_under_their_own_name_are_refused_all_the_same():
    with pytest.raises(InvalidMessage):
        decode(declared("ISO-8859-1").encode() + "<N>Müller</N>".encode("latin-1"), "text/xml")


def test_a_label_that_was_overruled_is_noted():
    for body, content_type in (
        (GBK_NAME.encode("gbk"), "text/xml; charset=utf-8"),
        (NAME.encode(), "text/xml; charset=gb2312"),
    ):
        noted = set()
        decode(body, content_type, noted)
        assert noted == {Repair.CHARSET}


def test_a_right_label_is_nothing_to_note():
    noted = set()
    decode(GBK_NAME.encode("gbk"), "text/xml; charset=gb2312", noted)
    decode(NAME.encode(), "text/xml", noted)
    assert not noted


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/json", "application/x-www-form-urlencoded", "text/html; charset=utf-8", "image/png"],
)
def test_what_a_browser_may_send_across_sites_is_no_message(content_type):
    with pytest.raises(InvalidMessage, match="SYS-400"):
        decode(b"<a/>", content_type)


@pytest.mark.parametrize("content_type", ['multipart/related; type="application/xop+xml"', "multipart/form-data"])
def test_attachments_are_refused_by_name(content_type):
    with pytest.raises(InvalidMessage) as refused:
        decode(b"<a/>", content_type)
    assert "MTOM" in refused.value.text_zh


@pytest.mark.parametrize(
    "content_type",
    ["TEXT/XML", "text/xml;charset=", "text/xml;", "application/xml", 'application/soap+xml;action="";charset=utf-8'],
)
def test_every_xml_content_type_is_read(content_type):
    assert charset_of(content_type) in {"", "utf-8"}


@pytest.mark.parametrize(
    "before",
    [
        b'<?xml version="1.0" encoding="utf-8" standalong="yes"?>',
        b"\r\n\r\n<?xml version='1.0'?>",
        b"\xef\xbb\xbf\n<?xml version='1.0'?>\n\xef\xbb\xbf\n",
        b"\xef\xbb\xbf\xef\xbb\xbf",
        b" \t\n",
        b"<?XML version='1.0'?>",
        b"<?xml?>",
    ],
)
def test_what_stands_before_the_envelope_is_dropped(before):
    text = decode(before + b"<a/>", "text/xml")
    assert text.lstrip(b"\n") == b"<a/>"


def test_dropping_the_declaration_keeps_the_line_numbers():
    assert decode(b"\n<?xml version='1.0'\n?>\n<a/>", "text/xml") == b"\n\n\n<a/>"


@pytest.mark.parametrize("body", [b"", b"  \n", b"\xef\xbb\xbf", b"<?xml version='1.0'?>", b"\xff\xfe"])
def test_an_empty_message_is_refused(body):
    with pytest.raises(InvalidMessage) as refused:
        decode(body, "text/xml")
    assert "为空" in refused.value.text_zh


@pytest.mark.parametrize("body", [b'{"a": 1}', b"MessageId=1", b"\x1f\x8b\x08", b"<?xml version='1.0'", b"%PDF-1.4"])
def test_what_is_no_xml_is_refused(body):
    with pytest.raises(InvalidMessage):
        decode(body, "text/xml")


def test_a_nul_does_not_end_the_text_before_the_parser_sees_it():
    assert decode(b"<a>\n\n\0</a>", "text/xml") == b"<a>\n\n\1</a>"


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<?xml version='1.0'?>\n<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<!-- hidden --><!DOCTYPE a [<!ENTITY % p SYSTEM 'http://evil/x'>%p;]><a/>",
        b"<!doctype a><a/>",
        b"<!ENTITY a 'b'><a/>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".encode("utf-16"),
        "<!DOCTYPE a><a/>".encode("utf-16-be"),
        b"<a/><!DOCTYPE a>",
    ],
)
def test_a_dtd_is_refused_wherever_it_hides(body):
    with pytest.raises(InvalidMessage) as refused:
        decode(body, "text/xml")
    assert "DTD" in refused.value.text_zh


@pytest.mark.parametrize("body", [b"<a><?php x?></a>", b"<?xml-stylesheet href='http://evil'?><a/>", b"<a/><?xml x?>"])
def test_a_processing_instruction_is_refused(body):
    with pytest.raises(InvalidMessage) as refused:
        decode(body, "text/xml")
    assert "处理指令" in refused.value.text_zh


def test_a_dtd_inside_cdata_comment_or_text_is_only_text():
    body = b"<a><![CDATA[<!DOCTYPE html><?xml version='1.0'?>]]><!-- <!DOCTYPE a> <?x?> -->&lt;!DOCTYPE</a>"
    assert decode(body, "text/xml") == body


@pytest.mark.parametrize("body", [b"<a><![CDATA[ x</a>", b"<a><!-- x</a>"])
def test_what_never_ends_is_refused(body):
    with pytest.raises(InvalidMessage):
        decode(body, "text/xml")


@pytest.mark.parametrize(
    "reference", [b"&#xD842;&#xDFB7;", b"&#xd842;&#xdfb7;", b"&#55362;&#57271;", b"&#x0D842;&#57271;"]
)
def test_a_rare_name_written_as_two_surrogates_becomes_one_character(reference):
    assert decode(b"<N>" + reference + b"&#38;</N>", "text/xml") == "<N>𠮷&#38;</N>".encode()


def test_surrogates_inside_cdata_stay_what_they_are():
    body = b"<N><![CDATA[&#xD842;&#xDFB7;]]></N>"
    assert decode(body, "text/xml") == body


@pytest.mark.parametrize(
    "repeated", [b"<![CDATA[", b"<!--", b"&#", b"&#xD842;", b"&#xD842;&#xDFB7;", b"!?#", b"<!---->"]
)
def test_two_megabytes_of_anything_are_read_or_refused_quickly(repeated):
    body = b"<a>" + repeated * (2_000_000 // len(repeated)) + b"</a>"
    started = time.thread_time()
    with suppress(InvalidMessage):
        decode(body, "text/xml")
    assert time.thread_time() - started < 2
