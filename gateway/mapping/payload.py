"""The message inside a string: read leniently into an element, and written as the other side wants it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from lxml import etree

from gateway.errors import InvalidMessage
from gateway.hl7 import er7
from gateway.hl7.charsets import codec_of
from gateway.mapping import json_form
from gateway.mapping.errors import MappingFailed, PayloadUnreadable
from gateway.mapping.xml_text import read_words
from gateway.mapping.xml_text import read_xml as read_xml

LARGEST = 20 * 1024 * 1024


def read(text: str, form: str, noted: set[str] | None = None) -> etree._Element:
    """The message in a string of one of FORMS; what had to be mended in XML is added to `noted`.

    Raises PayloadUnreadable, which says what came instead.
    """
    if len(text) > LARGEST:
        raise PayloadUnreadable("The string is larger than 20 MB.")
    if form == "xml":
        return read_xml(text, noted)
    return FORMS[form](text)


def _read_text(text: str) -> etree._Element:
    element = etree.Element("Text")
    element.text = read_words(text)
    return element


def _read_hl7(text: str) -> etree._Element:
    try:
        return er7.read(text)
    except InvalidMessage as problem:
        raise PayloadUnreadable(f"The string holds no HL7 message: {problem.detail_en} ({problem.path})") from None


FORMS: dict[str, Callable[[str], etree._Element]] = {
    "xml": read_xml,
    "hl7": _read_hl7,
    "json": json_form.read,
    "text": _read_text,
}


def write(content: etree._Element | str, form: str, charset: str = "utf-8", *, declaration: bool = False) -> str:
    """The string for a message: what a stylesheet made, as text or as an element."""
    if isinstance(content, str):
        return content
    if form == "hl7":
        return _written_hl7(content, charset)
    if form == "json":
        return json_form.write(content)
    if form == "form":
        return _written_form(content, charset)
    if form == "text":
        return "".join(content.itertext())
    head = f'<?xml version="1.0" encoding="{charset.upper()}"?>' if declaration else ""
    written: str = etree.tostring(content, encoding="unicode", with_tail=False)
    return head + written


def _written_hl7(content: etree._Element, charset: str) -> str:
    try:
        return er7.write(content, codec_of(charset))
    except InvalidMessage as problem:
        raise MappingFailed(f"The stylesheet makes no HL7 message: {problem.detail_en}") from None


def _written_form(content: etree._Element, charset: str) -> str:
    """The fields of a web form, one of each child; one that has elements of its own holds them as JSON."""
    fields = [
        (str(etree.QName(child).localname), json_form.write(child) if len(child) else child.text or "")
        for child in content.iterchildren(etree.Element)
    ]
    return urlencode(fields, encoding=charset, errors="xmlcharrefreplace")
