"""Whatever encoding a partner's program wrote its message in, turn it into UTF-8 that the XML parser may read.

The sender's own name for an encoding is only ever looked up in the short list below, never in Python's codec registry
(decoding 2 MB of `punycode` takes minutes). What comes out holds no byte order mark, no XML declaration, no DTD and no
processing instruction. docs/specification/wire.md says which mistakes of senders are repaired here and which refused.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from gateway.errors import InvalidMessage
from gateway.soap.repairs import Repair, Repairs

ALLOWED_CHARSETS = "UTF-8, UTF-16, GBK, GB2312, GB18030, US-ASCII"
XML_MEDIA_TYPES = frozenset({"", "text/xml", "application/soap+xml", "application/xml"})
UTF8_NAMES = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "ansi-x3.4-1968"})
UTF16_NAMES = {
    "utf-16": "utf-16",
    "utf16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16-le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "utf-16-be": "utf-16-be",
    "unicode": "utf-16",  # what MSXML calls it
}
GB_NAMES = ("gb", "x-gb", "csgb", "cp936", "ms936", "windows-936", "euc-cn")
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
SAID_WITHOUT_THOUGHT = frozenset(
    {"iso-8859-1", "iso8859-1", "latin1", "windows-1252", "cp1252", "ansi", "chinese", "zh-cn"}
)
"""What programs write into the XML declaration whatever they send; as good as nothing."""
LONGEST_DECLARATION = 512
MISLABELLED_CHARACTERS = 4
"""So many Chinese characters in perfect UTF-8 are no accident: GBK text is not valid UTF-8 for so long by chance."""

_DECLARED = re.compile(rb"""\A\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._:+-]{1,40})["']""")
_LEADING_BLANK = re.compile(rb"\A(?:[ \t\r\n]|\xef\xbb\xbf)+")
_HIGH = rb"&#(?:[x]0{0,8}(d[89ab][0-9a-f]{2})|0{0,8}(5[56]\d{3}));"
_LOW = rb"&#(?:[x]0{0,8}(d[cdef][0-9a-f]{2})|0{0,8}(5[67]\d{3}));"
_UTF8_SEQUENCE = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}|[\xc0\xc1][\x80-\xbf]")  # overlong ones too
_CHINESE = re.compile("[\u2e80-\uffef]")
_MARKUP = re.compile(rb"<!\[CDATA\[|<!--|<!|<\?|" + _HIGH + _LOW, re.IGNORECASE)
_HIDDEN = {b"<![cdata[": b"]]>", b"<!--": b"-->"}


def decode(body: bytes, content_type: str, repairs: Repairs | None = None) -> bytes:
    """The message as UTF-8 without declaration, ready for the parser; line breaks stay where the sender put them.

    A wrong label that was overruled is added to `repairs`. A NUL becomes another control character, which the parser
    refuses by its line: it would end the text for libxml2.
    """
    noted: Repairs = set() if repairs is None else repairs
    codec, skip = _encoding(body, charset_of(content_type))
    text = _without_declaration(_to_utf8(body[skip:] if skip else body, codec, noted))
    if not text or text.isspace():
        raise InvalidMessage("报文为空。", "The message is empty.")
    if text[0] != 0x3C and text.lstrip()[:1] != b"<":
        raise InvalidMessage("报文不是 XML。", "The message is not XML.")
    if b"\0" in text:
        text = text.replace(b"\0", b"\1")
    return _checked_markup(text) if _has_markup_to_check(text) else text


def characters_of(body: bytes, content_type: str) -> str:
    """The characters of a message that need not be XML, such as JSON; a wrong label is overruled as by `decode`."""
    codec, skip = _encoding(body, charset_of(content_type))
    return _to_utf8(body[skip:], codec, set()).decode("utf-8")


def decode_beginning(prefix: bytes, content_type: str) -> bytes:
    """The same for the first part of a longer message, which may end in the middle of a character."""
    codec, skip = _encoding(prefix, charset_of(content_type))
    try:
        characters = codecs.getincrementaldecoder(codec)().decode(prefix[skip:])
    except UnicodeDecodeError:
        characters = codecs.getincrementaldecoder("gb18030")().decode(prefix[skip:])
    return _checked_markup(_without_declaration(characters.encode()), partial=True)


def line_of(text: bytes, position: int) -> int:
    """The line, counted from one, in which a byte stands."""
    return text.count(b"\n", 0, position) + 1


# --- Which encoding ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def charset_of(content_type: str) -> str:
    """The codec named by an HTTP Content-Type, '' if it names none; refuses what is not XML."""
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    if media_type.startswith("multipart/"):
        raise InvalidMessage(
            "不支持附件（MTOM、SwA），请直接发送 XML，附件改传 Url。",
            "Attachments (MTOM, SOAP with Attachments) are not supported: send plain XML, and an attachment's Url.",
            expected="text/xml",
        )
    if media_type not in XML_MEDIA_TYPES:
        raise InvalidMessage(
            "HTTP 头 Content-Type 必须是 text/xml（SOAP 1.1）或 application/soap+xml（SOAP 1.2）。",
            "The HTTP header Content-Type must be text/xml (SOAP 1.1) or application/soap+xml (SOAP 1.2).",
            expected="text/xml",
        )
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(" \t\"'"):
            return _codec(value)
    return ""


def _codec(name: str) -> str:
    """Our codec for a sender's name of an encoding; every GB name means its largest form, GB18030."""
    plain = name.strip(" \t\"'").lower().replace("_", "-")
    if plain in UTF8_NAMES:
        return "utf-8"
    if plain in UTF16_NAMES:
        return UTF16_NAMES[plain]
    if plain.startswith(GB_NAMES):
        return "gb18030"
    raise InvalidMessage(
        f"不支持该字符编码，请使用：{ALLOWED_CHARSETS}。",
        f"This character encoding is not supported, use one of: {ALLOWED_CHARSETS}.",
        expected=ALLOWED_CHARSETS,
    )


def _declared_codec(name: str) -> str:
    """The codec of an XML declaration. A misspelt UTF-8, or a name written without thought, counts as none."""
    plain = name.lower().replace("_", "-")
    letters = re.sub("[^a-z0-9]", "", plain)
    if plain in SAID_WITHOUT_THOUGHT or sorted(letters) == sorted("utf8") or letters.startswith("utf8"):
        return "utf-8"
    return _codec(name)


def _encoding(body: bytes, stated: str) -> tuple[str, int]:
    """The codec to try first, and how many bytes of byte order mark stand before the text.

    The order is: the mark, the HTTP header, zero bytes as in UTF-16, the XML declaration, UTF-8.
    """
    if body[:1] in (b"<", b"\n", b"\r") and body[1:2] != b"\0":  # nearly every message
        if stated and stated != "utf-16":
            return stated, 0
    else:
        for mark, codec in BYTE_ORDER_MARKS:
            if body.startswith(mark):
                return codec, len(mark)
    if stated and stated != "utf-16":
        return stated, 0
    if body[:1] == b"\0":
        return "utf-16-be", 0
    if body[1:2] == b"\0":
        return "utf-16-le", 0
    if stated:
        return "utf-16-be", 0  # RFC 2781, section 4.3
    declared = _DECLARED.match(body, 0, LONGEST_DECLARATION) if b"<?" in body[:LONGEST_DECLARATION] else None
    codec = _declared_codec(declared[1].decode("ascii")) if declared else "utf-8"
    return ("utf-8" if codec.startswith("utf-16") else codec), 0  # a declaration we could read is not UTF-16


# --- Bytes to UTF-8 ---------------------------------------------------------------------------------------------------


def _to_utf8(body: bytes, codec: str, repairs: Repairs) -> bytes:
    """The same text in UTF-8. A wrong label is only overruled where the bytes leave no doubt."""
    if codec.startswith("utf-16"):
        try:
            return body.decode(codec).encode("utf-8")
        except UnicodeDecodeError:
            raise _wrong_bytes("UTF-16") from None
    if body.isascii():
        return body
    try:
        characters = body.decode("utf-8")
    except UnicodeDecodeError:
        found = _from_gb(body, labelled=codec == "gb18030")
        if codec != "gb18030":
            repairs.add(Repair.CHARSET)
        return found
    if codec == "utf-8":
        return body
    if len(_CHINESE.findall(characters)) >= MISLABELLED_CHARACTERS:
        repairs.add(Repair.CHARSET)
        return body
    return _from_gb(body, labelled=True)


def _from_gb(body: bytes, *, labelled: bool) -> bytes:
    """Text in GBK or GB18030; without that label only if it reads as Chinese and is not UTF-8 with a broken byte."""
    try:
        characters = body.decode("gb18030")
    except UnicodeDecodeError:
        raise _wrong_bytes("GB18030" if labelled else "UTF-8") from None
    if not labelled and not _clearly_gb(body, characters):
        raise _wrong_bytes("UTF-8")
    return characters.encode("utf-8")


def _clearly_gb(body: bytes, characters: str) -> bool:
    """Whether bytes that are no UTF-8 are Chinese in GB: mostly everyday characters, and hardly any UTF-8 between.

    German in Latin-1 decodes to rare characters (ü and l make 黮), damaged UTF-8 keeps most of its sequences.
    """
    foreign = _non_ascii(characters)
    everyday = _non_ascii(characters.encode("gb2312", "ignore").decode("gb2312"))
    high_bytes = len(body) - len(body.decode("ascii", "ignore"))
    sound_bytes = sum(len(match) for match in _UTF8_SEQUENCE.findall(body))
    return 2 * everyday >= foreign and 2 * sound_bytes < high_bytes


def _non_ascii(characters: str) -> int:
    return len(characters) - len(characters.encode("ascii", "ignore"))


def _wrong_bytes(charset: str) -> InvalidMessage:
    return InvalidMessage(
        f"报文的字节不是有效的 {charset}，请核对编码声明（允许：{ALLOWED_CHARSETS}）。",
        f"The bytes are not valid {charset}: check the charset you state (allowed: {ALLOWED_CHARSETS}).",
        expected=ALLOWED_CHARSETS,
    )


# --- Declaration, DTD, processing instructions, character references --------------------------------------------------


def _without_declaration(text: bytes) -> bytes:
    """The text without white space, marks and XML declaration (however misspelt) in front, but with its line breaks."""
    if text.startswith(b"<") and text[1:2] != b"?":
        return text
    blank = _LEADING_BLANK.match(text)
    start = blank.end() if blank else 0
    if text[start : start + 5].lower() == b"<?xml" and text[start + 5 : start + 6] in b"? \t\r\n":
        start = text.find(b"?>", start, start + LONGEST_DECLARATION) + 2
        if start < 2:
            raise InvalidMessage("XML 声明没有结束。", "The XML declaration does not end.")
        after = _LEADING_BLANK.match(text[start:])
        start += after.end() if after else 0
    return b"\n" * text.count(b"\n", 0, start) + text[start:]


def _has_markup_to_check(text: bytes) -> bool:
    # One rare byte is found ten times faster than two bytes of which the first is frequent.
    return (b"!" in text and b"<!" in text) or (b"?" in text and b"<?" in text) or (b"#" in text and b"&#" in text)


def _checked_markup(text: bytes, *, partial: bool = False) -> bytes:
    """Refuse DTD and processing instructions, and join characters that a sender wrote as two surrogates.

    Axis 1.4 writes 𠮷 as `&#xD842;&#xDFB7;`, which is no XML. CDATA sections and comments are passed over.
    """
    pieces: list[bytes] = []
    copied = at = 0
    while found := _MARKUP.search(text, at):
        token = found[0].lower()
        if token in _HIDDEN:
            at = text.find(_HIDDEN[token], found.end()) + 3
            if at < 3 and partial:
                break
            if at < 3:
                raise InvalidMessage("CDATA 或注释没有结束。", "A CDATA section or comment does not end.")
        elif token.startswith(b"<"):
            raise _forbidden(token, line_of(text, found.start()))
        else:
            joined = _joined_surrogates(found)
            pieces += [text[copied : found.start()], joined or found[0]]
            copied = at = found.end()
    return b"".join([*pieces, text[copied:]]) if pieces else text


def _joined_surrogates(found: re.Match[bytes]) -> bytes:
    """The one character that two references mean together; nothing if they are not a pair, which the parser refuses."""
    high = int(found[1], 16) if found[1] else int(found[2])
    low = int(found[3], 16) if found[3] else int(found[4])
    if not (0xD800 <= high < 0xDC00 <= low < 0xE000):
        return b""
    return chr(0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00)).encode("utf-8")


def _forbidden(token: bytes, line: int) -> InvalidMessage:
    if token == b"<?":
        return InvalidMessage(
            f"SOAP 报文不得含有处理指令（第 {line} 行）。", f"SOAP forbids processing instructions, line {line}."
        )
    return InvalidMessage(
        f"SOAP 报文不得含有 DTD（DOCTYPE、实体声明）（第 {line} 行）。",
        f"SOAP forbids a DTD (DOCTYPE, entity declarations), line {line}.",
    )


def without_hidden_text(text: bytes) -> bytes:
    """The text without its CDATA sections and comments, so that what looks like markup is markup."""
    pieces: list[bytes] = []
    copied = at = 0
    while found := _MARKUP.search(text, at):
        at = found.end()
        if found[0].lower() in _HIDDEN:
            pieces.append(text[copied : found.start()])
            copied = at = text.find(_HIDDEN[found[0].lower()], at) + 3
            if copied < 3:
                return b"".join(pieces)
    return b"".join([*pieces, text[copied:]])
