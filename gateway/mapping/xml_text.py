"""Reads XML as systems really write it inside strings, and in envelopes they put together by hand.

Only what can mean one thing is understood: marks around the message, another layer of escaping, characters that had
to be escaped and were not. What could mean two things is refused with a reason, which never holds anything of the text.
A control character becomes a blank and never nothing, so that two halves of a number do not become another number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.entities import html5

from lxml import etree

from gateway.mapping.errors import PayloadUnreadable

LAYERS = 4
"""So often may a message be wrapped: escaped, in CDATA, in quotation marks."""
DEEPEST = 64
MOST_TAGS = 200_000
MOST_REFERENCES = 2_000_000
"""A text that has more of them and is not well formed is not mended: it would take seconds."""
LARGE = 9_000_000
"""From here a single text may be longer than libxml2 takes without being asked to."""
CHARACTERS, ESCAPING = "control-characters", "escaping"
"""What is noted of a text: control characters stood in it; it was escaped once too often, or not where it had to be."""
TOGETHER = "Messages"
"""The root given to a message that comes as several elements of different names."""

_AROUND = " \t\r\n\0\ufeff\ufffe\u200b\x1a\x1c"
_CDATA, _COMMENT, _END = "<![CDATA[", "<!--", "]]>"
_CLOSING = {_CDATA: _END, _COMMENT: "-->"}
_HIDDEN = re.compile(r"<!\[CDATA\[|<!--")
_CDATA_MARKS = re.compile(r"<!\[CDATA\[|\]\]>")
_DECLARATION = re.compile(r"<\?\s{0,9}xml(?:\s[^>]{0,500})?>", re.IGNORECASE)
_DECLARATIONS = re.compile(rf"(?:{_DECLARATION.pattern}\s{{0,99}}){{1,3}}", re.IGNORECASE)
_ESCAPED = re.compile(r"&(?:amp;){0,4}(?:lt|#0{0,6}60|#x0{0,6}3c);", re.IGNORECASE)
_FIVE = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'", "#60": "<", "#62": ">", "#38": "&", "#34": '"'}
_FIVE |= {"#39": "'", "#x3c": "<", "#x3e": ">", "#x26": "&", "#x22": '"', "#x27": "'"}
_ONE_OF_FIVE = re.compile(rf"&({'|'.join(_FIVE)});", re.IGNORECASE)
_PAGE = re.compile(r"\s*(?:<!doctype\s+html|<(?:html|script)[\s>])", re.IGNORECASE)
_DTD = re.compile(r"<!(?!\[CDATA\[|--)")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_CONTROL_REFERENCE = re.compile(r"&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])|[xX]0*(?:[0-8bBcCeEfF]|1[0-9a-fA-F]));")
_REFERENCE = re.compile(r"&(?:#(?:[xX]([0-9a-fA-F]{1,6})|([0-9]{1,7}));|([A-Za-z][A-Za-z0-9]{0,31};)?)")
_LOOSE_LESS = re.compile(r"<(?=[\s\d=.<]|$)")
_SURROGATES = re.compile(r"&#(?:x(d[89ab][0-9a-f]{2})|(5[56]\d{3}));&#(?:x(d[c-f][0-9a-f]{2})|(5[67]\d{3}));", re.I)
_BLANK = re.compile(r"\s*")
_NOTHING = frozenset({"null", "(null)", "undefined", "none", "nil"})

is_too_deep = etree.XPath(f"boolean({'/*' * (DEEPEST + 1)})")
"""Whether a message has more than DEEPEST levels, by its root."""


def read_xml(text: str, noted: set[str] | None = None) -> etree._Element:
    """The root element of the message in a text; what was mended is added to `noted`. Raises PayloadUnreadable."""
    kinds: set[str] = set() if noted is None else noted
    plain = _laid_bare(text, kinds)
    _refuse_what_is_none(plain)
    if any(_DTD.search(part) for shown, part in _parts(plain) if shown):
        raise PayloadUnreadable("The XML has a DTD, which is never read.")
    if plain.count("<") > MOST_TAGS:
        raise PayloadUnreadable(f"The XML has more than {MOST_TAGS:,} tags.")
    root = _parsed_somehow(plain, kinds)
    if is_too_deep(root):
        raise PayloadUnreadable(f"The XML is nested deeper than {DEEPEST}.")
    return root


def read_words(text: str) -> str:
    """A plain text, with a blank for every control character and none of them at its ends.

    Raises PayloadUnreadable for a web page, which nobody writes as an answer.
    """
    if _is_page(text.strip(_AROUND)):
        raise PayloadUnreadable("A web page came instead of a message.")
    return _CONTROL.sub(" ", text.strip("\0\x1a\x1c"))


def mended(text: str) -> str:
    """XML with escaped what had to be: a bare &, a < that begins no tag, ]]>; and blanks for control characters."""
    if text.count("&") > MOST_REFERENCES:
        return text
    parts = _parts(_flattened(text))
    return "".join(_mended(part) if shown else _CONTROL.sub(" ", part) for shown, part in parts)


# --- Around the message -----------------------------------------------------------------------------------------------


def _laid_bare(text: str, noted: set[str]) -> str:
    """The XML itself: without declaration, CDATA or quotation marks around it, and unescaped."""
    plain = text
    for _ in range(LAYERS):
        plain = plain.strip(_AROUND)
        if declarations := _DECLARATIONS.match(plain):
            plain = plain[declarations.end() :].lstrip(_AROUND)
        if plain.startswith(_CDATA) and plain.endswith(_END):
            plain = _out_of_cdata(plain)
        elif plain.startswith('"') and plain.endswith('"') and len(plain) > 1:
            plain = _out_of_quotes(plain)
        elif _ESCAPED.match(plain):
            plain = _ONE_OF_FIVE.sub(lambda one: _FIVE[one[1].lower()], plain)
        else:
            return plain
        noted.add(ESCAPING)
    raise PayloadUnreadable(f"The message is wrapped or escaped more than {LAYERS - 1} times.")


def _out_of_cdata(text: str) -> str:
    """What stands in one section after the other; where they are no such sequence, the outermost one was meant."""
    pieces: list[str] = []
    at = 0
    while text.startswith(_CDATA, at):
        end = text.find(_END, at)
        pieces.append(text[at + len(_CDATA) : end])
        at = end + len(_END)
    return "".join(pieces) if at == len(text) else text[len(_CDATA) : -len(_END)]


def _out_of_quotes(text: str) -> str:
    try:
        return str(json.loads(text, strict=False))
    except (ValueError, RecursionError):
        return text[1:-1]


def _refuse_what_is_none(plain: str) -> None:
    if not plain:
        raise PayloadUnreadable("There is nothing where the message should be.")
    if _is_page(plain):
        raise PayloadUnreadable("A web page came instead of a message.")
    if plain.startswith("<"):
        return
    if plain.casefold() in _NOTHING:
        raise PayloadUnreadable("The word null stands where the message should be.")
    if plain.startswith(("{", "[")):
        raise PayloadUnreadable("JSON came where XML was expected.")
    if "<" in plain and plain.endswith(">"):
        raise PayloadUnreadable("Other text stands before the XML, and nobody knows what it means.")
    raise PayloadUnreadable("A text that is no XML stands where the message should be.")


def _is_page(plain: str) -> bool:
    """A comment may stand before either; what follows it decides."""
    at = 0
    while plain.startswith(_COMMENT, at):
        end = plain.find(_CLOSING[_COMMENT], at)
        at = _BLANK.match(plain, end + 3).end() if end >= 0 else len(plain)  # type: ignore[union-attr]
    return _PAGE.match(plain, at) is not None


# --- The message ------------------------------------------------------------------------------------------------------


def _parsed_somehow(plain: str, noted: set[str]) -> etree._Element:
    try:
        return _parsed(plain)
    except etree.XMLSyntaxError as problem:
        code, line = problem.code, problem.lineno
    better = mended(plain)
    if better != plain:
        noted.add(CHARACTERS if _CONTROL.search(plain) or _CONTROL_REFERENCE.search(plain) else ESCAPING)
        try:
            return _parsed(better)
        except etree.XMLSyntaxError as problem:
            code, line = problem.code, problem.lineno
    if code == etree.ErrorTypes.ERR_DOCUMENT_END:
        return _several(better)
    if code == etree.ErrorTypes.ERR_RESOURCE_LIMIT:
        raise PayloadUnreadable(f"The XML is nested deeper than {DEEPEST}, or one text is too long.")
    raise PayloadUnreadable(f"The XML breaks off or is not well formed, line {line}.")


def _parsed(plain: str) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=len(plain) > LARGE,
    )
    try:
        # As bytes: of a text, lxml would refuse a declaration, and read characters beyond the basic plane twice.
        root = etree.fromstring(plain.encode("utf-8"), parser)
    except (ValueError, UnicodeError):
        raise PayloadUnreadable("The XML cannot be read.") from None
    if root is None:
        raise PayloadUnreadable("There is nothing but comments where the message should be.")
    return root


def _several(plain: str) -> etree._Element:
    """Several elements without one around them: one message if their names differ, else nobody knows which counts."""
    bare = "".join(_DECLARATION.sub("", part) if shown else part for shown, part in _parts(plain))
    try:
        root = _parsed(f"<{TOGETHER}>{bare}</{TOGETHER}>")
    except etree.XMLSyntaxError as problem:
        raise PayloadUnreadable(f"The XML breaks off or is not well formed, line {problem.lineno}.") from None
    if any((text or "").strip(_AROUND) for text in (root.text, *(child.tail for child in root))):
        raise PayloadUnreadable("Other text stands behind the XML, and nobody knows what it means.")
    if len({child.tag for child in root}) < len(root):
        raise PayloadUnreadable("Several messages came where one was expected, and nobody knows which counts.")
    return root[0] if len(root) == 1 else root


# --- What had to be escaped -------------------------------------------------------------------------------------------


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """The text in parts: True for those in which markup is markup, False for CDATA sections and comments."""
    at = 0
    while found := _HIDDEN.search(text, at):
        end = text.find(_CLOSING[found[0]], found.end())
        yield True, text[at : found.start()]
        if end < 0:
            yield False, text[found.start() :]
            return
        at = end + 3
        yield False, text[found.start() : at]
    yield True, text[at:]


def _flattened(text: str) -> str:
    """CDATA inside CDATA, which XML does not have, as text of the outer one; a text that has none is given back."""
    pieces: list[str] = []
    copied = depth = begun = 0
    has_inner = False
    for mark in _CDATA_MARKS.finditer(text):
        if mark[0] == _CDATA:
            begun, has_inner = (mark.start(), False) if depth == 0 else (begun, True)
            depth += 1
        elif depth > 0:
            depth -= 1
            if depth == 0 and has_inner:
                inside = text[begun + len(_CDATA) : mark.start()]
                pieces += [text[copied:begun], inside.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")]
                copied = mark.end()
    return text if depth else "".join([*pieces, text[copied:]])


def _mended(part: str) -> str:
    joined = _SURROGATES.sub(_joined, _CONTROL.sub(" ", part))
    return _LOOSE_LESS.sub("&lt;", _REFERENCE.sub(_written_right, joined).replace(_END, "]]&gt;"))


def _joined(pair: re.Match[str]) -> str:
    """The one character of two references to halves of it (Axis 1.x)."""
    high = int(pair[1], 16) if pair[1] else int(pair[2])
    low = int(pair[3], 16) if pair[3] else int(pair[4])
    if not 0xD800 <= high < 0xDC00 <= low < 0xE000:
        return pair[0]
    return chr(0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00))


def _written_right(reference: re.Match[str]) -> str:
    """A reference as XML may have it: entities of HTML as their characters, a bare & escaped."""
    if reference[1] or reference[2]:
        number = int(reference[1], 16) if reference[1] else int(reference[2])
        is_control = number in (0xFFFE, 0xFFFF) or (number < 0x20 and number not in (0x09, 0x0A, 0x0D))
        return " " if is_control else reference[0].replace("&#X", "&#x")
    name = reference[3] or ""
    if name.rstrip(";") in ("lt", "gt", "amp", "quot", "apos"):
        return reference[0]
    character = html5.get(name, "") if name.endswith(";") else ""
    return character.replace("&", "&amp;").replace("<", "&lt;") or f"&amp;{name}"
