"""Which characters the bytes of an HL7 message are: by byte order mark, by MSH-18, by what the site says, by trying.

Whatever GB standard a sender names, GB18030 is meant: it holds all others, and every character there is.
"""

from __future__ import annotations

import codecs
import re

from gateway.errors import InvalidMessage

UTF8, GB18030 = "utf-8", "gb18030"
NAMES = {UTF8: "UNICODE UTF-8", GB18030: "GB 18030-2000"}
"""What MSH-18 calls them (HL7 table 0211)."""

_MARKS = ((codecs.BOM_UTF8, UTF8), (b"\x84\x31\x95\x33", GB18030))
_SPACES = b" \t\r\n\x0b"


def codec_of(name: str) -> str:
    """Our codec for what a sender or a site calls a character set; '' for one that is not known here."""
    plain = re.sub(r"[\s_.-]", "", name).upper()
    if plain in ("UNICODE", "UNICODEUTF8", "UTF8", "ASCII", "USASCII", "ISOIR6"):
        return UTF8
    if plain.startswith(("GB", "CP936", "MS936", "WINDOWS936", "XGB")):
        return GB18030
    return ""


def decode(content: bytes, default: str = "") -> tuple[str, str]:
    """The text of a message and its codec; `default` is what the site says where the message says nothing.

    Raises InvalidMessage when the bytes are neither what they are said to be nor any of the two.
    """
    for mark, codec in _MARKS:
        if content.lstrip(_SPACES).startswith(mark):
            return _decoded(content.lstrip(_SPACES)[len(mark) :], codec)
    declared = declared_codec(content) or codec_of(default)
    return _decoded(content, declared or UTF8)


def encode(text: str, codec: str) -> bytes:
    """The bytes of a message."""
    return text.encode(codec)


def _decoded(content: bytes, codec: str) -> tuple[str, str]:
    """By this codec, else by the other: who says UTF-8 and sends GBK is understood, too."""
    for one in (codec, *({UTF8, GB18030} - {codec})):
        try:
            return content.decode(one), one
        except UnicodeDecodeError:
            continue
    raise InvalidMessage(
        "报文的字符编码不对：既不是 UTF-8 也不是 GB18030。",
        "The characters of the message are neither UTF-8 nor GB18030.",
        path="MSH-18",
        expected=" | ".join(NAMES.values()),
    )


def declared_codec(content: bytes) -> str:
    """By MSH-18, which is ASCII in whatever encoding; its first repetition counts."""
    at = content.find(b"MSH")
    head = re.split(rb"[\r\n]", content[at:], maxsplit=1)[0] if at >= 0 else b""
    fields = head.split(head[3:4]) if len(head) > 4 else []
    if len(fields) <= 17:
        return ""
    return codec_of(fields[17].split(b"~")[0].decode("ascii", "replace"))
