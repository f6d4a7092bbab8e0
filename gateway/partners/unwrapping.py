"""What the bytes of a reply hold: inflated, taken out of a multipart, decoded and parsed, however they are labelled.

Web servers label replies carelessly: another Content-Type, another charset, compressed without being asked. The bytes
themselves decide. Whatever cannot be understood is UnusableReply with what came instead, and nothing of what it says.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
import zlib
from urllib.parse import unquote

from lxml import etree

from gateway.errors import InvalidMessage
from gateway.mapping.xml_text import DEEPEST, is_too_deep, mended
from gateway.partners.failures import UnusableReply
from gateway.soap.decoding import characters_of, decode

LARGEST = 20 * 1024 * 1024
"""Of a reply, compressed or not."""
MOST_PARTS = 100
MOST_TAGS = 1_000_000
_XOP_INCLUDE = "{http://www.w3.org/2004/08/xop/include}Include"
_PLAIN = ("", "identity", "none", "utf-8")
"""What stands in Content-Encoding when nothing is compressed; utf-8 by mistake for the charset."""
_GZIP = b"\x1f\x8b"
_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_CHARSET = re.compile(
    r"""charset\s*=\s*["']?\s*(utf-?8|utf-?16(?:-?[lb]e)?|gb[a-z0-9_-]*|x-gbk|cp936)""", re.IGNORECASE
)
_PARAMETER = re.compile(r""";\s*([\w-]+)\s*=\s*(?:"([^"]*)"|([^;\s]*))""")
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:<!doctype\s+html|<html[\s>])", re.IGNORECASE)


class NoXml(Exception):
    """A reply that is no XML; the text says what it is instead."""


def inflated(body: bytes, coding: str) -> bytes:
    """The body without its Content-Encoding. One that is labelled wrongly is told by its first bytes."""
    said = coding.strip().lower()
    if not body:
        return body
    if body.startswith(_GZIP):
        return _inflate(body, 16 + zlib.MAX_WBITS)
    if said in _PLAIN or body.lstrip()[:1] in (b"<", b"{", b"-"):
        return body
    if said == "deflate":
        has_header = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        return _inflate(body, zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
    shown = said if said in ("br", "zstd", "compress", "gzip", "x-gzip") else "unknown"
    raise UnusableReply("NOT-XML", detail=f"The reply says Content-Encoding {shown} and cannot be read by it.")


def _inflate(body: bytes, window: int) -> bytes:
    found, waiting = bytearray(), body
    for _ in range(MOST_PARTS):
        inflater = zlib.decompressobj(window)
        try:
            found += inflater.decompress(waiting, LARGEST + 1 - len(found))
        except zlib.error:
            raise UnusableReply("NOT-XML", detail="The compressed reply is damaged.") from None
        if len(found) > LARGEST:
            raise UnusableReply("TOO-LARGE", detail="The reply is larger than 20 MB once it is inflated.")
        if not inflater.eof:
            raise UnusableReply("CUT-OFF", detail="The compressed reply breaks off.")
        waiting = inflater.unused_data
        if not found or not waiting.startswith(_GZIP):
            return bytes(found)
    raise UnusableReply("NOT-XML", detail=f"The compressed reply comes in more than {MOST_PARTS} pieces.")


def parsed(body: bytes, content_type: str) -> etree._Element:
    """The root element. Raises NoXml."""
    attached: dict[str, bytes] = {}
    if content_type.strip().lower().startswith("multipart/"):
        body, content_type, attached = _root_part(body, content_type)
    if _PAGE.match(body):
        raise NoXml("A web page came instead, such as one that asks for a login.")
    if body.lstrip()[:1] in (b"{", b"["):
        raise NoXml("JSON came instead of XML.")
    root = _root(_text(body, content_type))
    if is_too_deep(root):
        raise NoXml(f"The XML is nested deeper than {DEEPEST}.")
    for include in list(root.iter(_XOP_INCLUDE)):
        _put_in(include, attached)
    return root


def characters(body: bytes, content_type: str) -> str:
    """The text of a reply that need not be XML. Raises UnusableReply."""
    try:
        return characters_of(body, _labelled(content_type))
    except InvalidMessage as problem:
        raise UnusableReply("UNREADABLE", detail=problem.detail_en) from None


def _text(body: bytes, content_type: str) -> bytes:
    try:
        return decode(body, _labelled(content_type))
    except InvalidMessage as problem:
        raise NoXml(problem.detail_en) from None


def _labelled(content_type: str) -> str:
    """The charset of a label, whatever else it says."""
    found = _CHARSET.search(content_type)
    return f"text/xml; charset={found[1]}" if found else "text/xml"


def _root(text: bytes) -> etree._Element:
    if text.count(b"<") > MOST_TAGS:
        raise NoXml(f"The XML has more than {MOST_TAGS:,} tags.")
    try:
        return etree.fromstring(text, _parser(text))
    except etree.XMLSyntaxError as problem:
        line = problem.lineno
    better = mended(text.decode("utf-8")).encode("utf-8")
    try:
        return etree.fromstring(better, _parser(better))
    except (etree.XMLSyntaxError, ValueError):
        raise NoXml(f"The XML breaks off or is not well formed, line {line}.") from None


def _parser(text: bytes) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=len(text) > 9_000_000,
    )


# --- Replies with attachments -----------------------------------------------------------------------------------------


def _root_part(body: bytes, content_type: str) -> tuple[bytes, str, dict[str, bytes]]:
    """The part that holds the envelope (MTOM, SOAP with Attachments), its Content-Type, and all parts by Content-ID."""
    said = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(content_type)}
    boundary = said.get("boundary", "").encode("latin-1", "replace")
    if not boundary:
        raise NoXml("A multipart reply does not name its boundary.")
    parts = (b"\n" + body).split(b"\n--" + boundary, MOST_PARTS + 1)[1 : MOST_PARTS + 1]
    wanted, first = said.get("start", "").strip("<>"), None
    found: dict[str, bytes] = {}
    kinds: dict[str, str] = {}
    for number, part in enumerate(parts):
        if part.startswith(b"--"):
            break
        head, content = _taken_apart(part)
        name = head.get("content-id", "").strip("<>") or str(number)
        if name in found:
            raise NoXml("Two parts of a multipart reply have one name.")
        found[name], kinds[name] = content, head.get("content-type", "")
        first = first or name
    root = wanted if wanted in found else first
    if root is None:
        raise NoXml("A multipart reply has no part.")
    return found[root], kinds[root], found


def _taken_apart(part: bytes) -> tuple[dict[str, str], bytes]:
    ends = _HEAD_ENDS.search(part)
    head, content = (part[: ends.start()], part[ends.end() :]) if ends else (b"", part)
    lines = (line.partition(":") for line in re.sub(r"\r?\n[ \t]", " ", head.decode("latin-1")).splitlines())
    fields = {name.strip().lower(): value.strip() for name, _, value in lines}
    content = content.removesuffix(b"\r")
    coding = fields.get("content-transfer-encoding", "").lower()
    if coding == "base64":
        try:
            content = base64.b64decode(content)
        except binascii.Error:
            raise NoXml("A part of a multipart reply is no base64.") from None
    elif coding == "quoted-printable":
        content = quopri.decodestring(content)
    return fields, content


def _put_in(include: etree._Element, attached: dict[str, bytes]) -> None:
    """Put an attachment where the message refers to it; without it something would be missing and nobody told.

    It is taken from those attached: used again and again, one could fill the memory.
    """
    name = unquote(str(include.get("href", "")).removeprefix("cid:"))
    if name not in attached:
        raise NoXml("The reply refers to an attachment that did not come, or twice to the same.")
    parent = include.getparent()
    if parent is None:
        raise NoXml("The reply is nothing but a reference to an attachment.")
    parent.text = (parent.text or "").strip() + base64.b64encode(attached.pop(name)).decode("ascii")
    parent.remove(include)
