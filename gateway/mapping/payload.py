"""The message inside a string: read leniently into an element, and written as the other side wants it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from lxml import etree

from gateway.errors import InvalidMessage
from gateway.hl7 import er7
from gateway.hl7.charsets import codec_of
from gateway.mapping import json_form
from gateway.mapping.errors import MappingFailed, PayloadUnreadable

LARGEST = 20 * 1024 * 1024
_BEFORE = re.compile(r"\A[\s\ufeff]*(?:<\?xml\b[^>]*>)?[\s\ufeff]*", re.IGNORECASE)
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|&#(?:0*(?:[0-8]|1[124-9]|2\\d|3[01])|x0*(?:[0-8bcef]|1[0-9a-f]));", re.I
)
_PAGE = re.compile(r"\A\s*(?:<!doctype\s+html|<html\b)", re.IGNORECASE)


def read(text: str, form: str) -> etree._Element:
    """The message in a string of one of FORMS. Raises PayloadUnreadable, which says what came instead."""
    if len(text) > LARGEST:
        raise PayloadUnreadable("The string is larger than 20 MB.")
    return FORMS[form](text)


def read_xml(text: str) -> etree._Element:
    """An element from XML as systems really write it inside strings.

    The declaration is dropped whatever it says, for the text has been decoded already; control characters are dropped;
    a text that was escaped once more is unescaped.
    """
    plain = _BEFORE.sub("", text, count=1).strip("\ufeff \t\r\n\0")
    if not plain:
        raise PayloadUnreadable("The string is empty.")
    if _PAGE.match(plain):
        raise PayloadUnreadable("The string holds a web page instead of a message.")
    if plain.startswith("&lt;"):
        return read_xml(html.unescape(plain))
    if not plain.startswith("<"):
        raise PayloadUnreadable("The string holds no XML.")
    plain = _CONTROL.sub("", plain)
    try:
        return etree.fromstring(plain, _parser())
    except etree.XMLSyntaxError as problem:
        raise PayloadUnreadable(
            f"The XML in the string breaks off or is not well formed, line {problem.lineno}."
        ) from None
    except ValueError:
        raise PayloadUnreadable("The XML in the string cannot be read.") from None


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=False
    )


def _read_text(text: str) -> etree._Element:
    element = etree.Element("Text")
    element.text = _CONTROL.sub("", text)
    return element


def _read_hl7(text: str) -> etree._Element:
    try:
        return er7.read(text)
    except InvalidMessage as problem:
        raise PayloadUnreadable(f"The string holds no HL7 message: {problem.text_en} ({problem.path})") from None


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
    if form == "text":
        return "".join(content.itertext())
    head = f'<?xml version="1.0" encoding="{charset.upper()}"?>' if declaration else ""
    written: str = etree.tostring(content, encoding="unicode", with_tail=False)
    return head + written


def _written_hl7(content: etree._Element, charset: str) -> str:
    try:
        return er7.write(content, codec_of(charset))
    except InvalidMessage as problem:
        raise MappingFailed(f"The stylesheet makes no HL7 message: {problem.text_en}") from None
