"""Reads a WSDL or schema whatever is wrong with its bytes, and says in words what had to be put right.

The tree that comes out holds no DTD and no processing instructions, and every name in an attribute (`type="tns:Visit"`)
is written out with its namespace (`{http://tempuri.org/}Visit`), so that repairs need not care about prefixes. A prefix
nobody declared becomes the namespace `urn:undeclared:<prefix>`.
"""

from __future__ import annotations

import codecs
import gzip
import re
from dataclasses import dataclass, field
from html.entities import html5

from lxml import etree

from gateway.partners.wsdl.errors import WsdlError
from gateway.partners.wsdl.names import (
    KNOWN_PREFIXES,
    REFERENCES,
    TAGS,
    UNDECLARED,
    WSDL,
    WSDL_ARRAY,
    XS,
    XSD,
    as_name,
    local,
    resolved,
)

LARGEST = 20 * 1024 * 1024
_GB = ("gb", "x-gb", "csgb", "cp936", "ms936", "windows-936", "euc-cn", "936")
_OTHERS = {"iso-8859-1", "latin1", "windows-1252", "big5", "shift-jis", "euc-kr", "us-ascii", "ascii"}
_LATIN = {"iso-8859-1", "latin1", "windows-1252", "us-ascii", "ascii"}
"""What Java writes where nobody said anything; real letters with accents seldom stand in pairs, as GB2312 has them."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
)
_DECLARATION = re.compile(r"<\?\s*xml\b[^<>]*>", re.IGNORECASE)
_RIGHT_DECLARATION = re.compile(
    r"""<\?xml\s+version\s*=\s*(["'])1\.[01]\1(\s+encoding\s*=\s*(["'])[\w.:-]+\3)?"""
    r"""(\s+standalone\s*=\s*(["'])(yes|no)\5)?\s*\?>"""
)
_ENCODING = re.compile(rb"""\A.{0,200}?\bencoding\s*=\s*["']?([A-Za-z0-9._:+-]{1,40})""", re.DOTALL)
_ILLEGAL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|&#(?:0*(?:[0-8]|1[124-9]|2\\d|3[01])|x0*(?:[0-8bcefBCEF]|1[\\da-fA-F]));"
)
_BARE_AMPERSAND = re.compile(r"&(?!(?:\w+|#\d+|#x[0-9a-fA-F]+);)")
_OLD_SCHEMA = re.compile(r"http://www\.w3\.org/(?:1999|2000/08|2000/10)/XMLSchema(-instance)?(?=[\"'])")
_MISSPELT = re.compile(
    r"""(?<=["'])https?://(?:schemas\.xmlsoap\.org/wsdl(?:/(?:soap12|soap|http|mime))?|www\.w3\.org/2001/XMLSchema)/?"""
    r"""(?=["'])""",
    re.IGNORECASE,
)
"""The namespaces of WSDL, its bindings and XML Schema, with https, in other letters, with or without a slash."""
_OF_XML = {"amp", "lt", "gt", "quot", "apos"}
_ENTITY = re.compile(r"&(\w+);")
_DOCTYPE = re.compile(r"<!DOCTYPE\s[^\[>]*>")
_WSDL_2 = "http://www.w3.org/ns/wsdl"
_NO_PREFIX = re.compile(r"Namespace prefix ([\w.-]+)")
_PARSER = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False, "remove_pis": True}


@dataclass
class Part:
    """One file of a partner's WSDL."""

    location: str
    """Where it came from, as a person may read it."""
    root: etree._Element
    repairs: list[str] = field(default_factory=list)
    """What was put right in it, in words."""
    name: str = ""
    """Its file in the partner's folder."""

    @property
    def is_wsdl(self) -> bool:
        return bool(self.root.tag == WSDL + "definitions")

    @property
    def namespace(self) -> str | None:
        return self.root.get("targetNamespace") or None

    def schemas(self) -> list[etree._Element]:
        """The schema it is, or the schemas it holds."""
        return self.root.findall(f"{WSDL}types/{XS}schema") if self.is_wsdl else [self.root]


def read(content: bytes, location: str, charset: str = "") -> Part:
    """The file as a tree with its repairs. Raises WsdlError for what is no WSDL and no schema."""
    repairs: list[str] = []
    if content[:2] == b"\x1f\x8b":
        content = _unpacked(content, location)
        repairs.append("unpacked it (it was compressed with gzip)")
    text = _text(content, location, charset, repairs)
    text = _from_first_element(text, location, repairs)
    text = _mended(text, repairs)
    root = _parsed(text, location, repairs)
    _name_elements(root, repairs)
    _refuse_others(root, location)
    _name_in_full(root, repairs)
    return Part(location, root, repairs)


def _unpacked(content: bytes, location: str) -> bytes:
    try:
        return gzip.decompress(content)[:LARGEST]
    except (OSError, EOFError):
        raise WsdlError(f"{location} is a compressed file that is damaged: fetch it again.") from None


# --- From bytes to characters -----------------------------------------------------------------------------------------


def _text(content: bytes, location: str, charset: str, repairs: list[str]) -> str:
    if not content.strip(b" \t\r\n\0"):
        raise WsdlError(f"{location} is empty: ask the partner for its WSDL again, or save it again from the browser.")
    if content[:2] == b"PK":
        raise WsdlError(f"{location} is a ZIP or Word file, no WSDL: unpack it, or ask the partner for the plain file.")
    for mark, codec in _MARKS:
        if content.startswith(mark):
            repairs.append(f"wrote it as UTF-8 without byte order mark (it was {codec.upper()})")
            return content.decode(codec, "replace").lstrip("\ufeff")
    found = _ENCODING.match(content)
    declared = found.group(1).decode("ascii").lower().replace("_", "-") if found else ""
    named = declared or charset.lower() or "utf-8"
    real = _real_codec(content, named)
    if real is None:
        repairs.append(f"replaced characters that are neither {named} nor GB18030")
        return content.decode("utf-8", "replace")
    gb_named = named.startswith(_GB)
    if (real == "gb18030") != gb_named and not content.isascii():
        repairs.append(
            f"read it as {'GB18030' if real == 'gb18030' else real.upper()} (it says {named}, which is not so)"
        )
    elif gb_named and real == "gb18030" and not _decodes(content, "gb2312"):
        repairs.append(f"read it as GB18030 (it says {named} and holds characters that has not)")
    return content.decode(real)


def _real_codec(content: bytes, named: str) -> str | None:
    """What the bytes really are; UTF-8 with Chinese in it is no accident, whatever the file says."""
    if content.isascii() or (_decodes(content, "utf-8") and not named.startswith("utf-16")):
        return "utf-8"
    if named in _OTHERS and _decodes(content, named) and not (named in _LATIN and _decodes(content, "gb2312")):
        return named
    return "gb18030" if _decodes(content, "gb18030") else None


def _decodes(content: bytes, codec: str) -> bool:
    try:
        content.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


# --- From characters to a tree ----------------------------------------------------------------------------------------


def _from_first_element(text: str, location: str, repairs: list[str]) -> str:
    """The text from its first element on, without anything that stands before."""
    blank = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    if blank:
        repairs.append("removed blank lines or a byte order mark before the beginning")
    lines, text = text.count("\n", 0, blank), text[blank:]
    lowered = text[:4000].lower()
    if re.search(r"<html|<!doctype html|\A<(?:h\d|p|b|body|head|title|div|center|pre)\b", lowered):
        raise WsdlError(_about_html(text, location))
    if text.startswith("{\\rtf"):
        raise WsdlError(f"{location} is a Word file, no WSDL: ask the partner for the plain file.")
    if text[:1] in "{[":
        raise WsdlError(f"{location} is JSON, no WSDL: the address leads to another kind of service.")
    declaration = _DECLARATION.search(text[:2000])
    first = re.search(r"<(?![?!])", text)
    if first is None:
        raise WsdlError(f"{location} holds no XML element: it is no WSDL. {_ASK}")
    if declaration and declaration.start() < first.start():
        if not _RIGHT_DECLARATION.fullmatch(declaration.group()):
            repairs.append(f"put right the XML declaration {declaration.group()[:80]}")
        if text[: declaration.start()].strip():
            repairs.append("removed characters before the XML declaration")
        lines += text.count("\n", 0, declaration.end())
        text = text[declaration.end() :]
    while second := _DECLARATION.match(text.lstrip()):
        repairs.append("removed a second XML declaration")
        text = text.lstrip()[second.end() :]
    if not text.lstrip().startswith("<"):
        repairs.append("removed characters before the first element")
        lines += text.count("\n", 0, text.index("<"))
        text = text[text.index("<") :]
    return "\n" * lines + text  # so that lines are counted as in the partner's file


_ASK = "Ask the partner for the WSDL file, or open its address with ?wsdl at the end and save the source of the page."


def _about_html(text: str, location: str) -> str:
    if re.search(r"definitions|&lt;wsdl", text):
        return (
            f"{location} is a web page in which a WSDL is shown, as a browser saves it: open the address again and "
            "save the source of the page (Ctrl-U), or give `--wsdl` the address itself."
        )
    if re.search(r"password|login|登录|密码", text, re.IGNORECASE):
        return (
            f"{location} is the page of a login, no WSDL: give `--wsdl` an address with user and password, or ask the "
            "partner for the file."
        )
    return f"{location} is a web page, no WSDL. {_ASK}"


def _mended(text: str, repairs: list[str]) -> str:
    """What no XML parser would take, and old names of XML Schema."""
    text, illegal = _ILLEGAL.subn("", text)
    if illegal:
        repairs.append(f"removed {illegal} control characters")
    text, ampersands = _BARE_AMPERSAND.subn("&amp;", text)
    if ampersands:
        repairs.append(f"wrote {ampersands} bare & as &amp;")
    text = _ENTITY.sub(_character, text)
    text, doctypes = _DOCTYPE.subn("", text)
    if doctypes:
        repairs.append("removed its DOCTYPE")
    meant = {found: _namespace_meant(found) for found in set(_MISSPELT.findall(text))}
    for wrong in [found for found in meant if found != meant[found]]:
        text = re.sub(rf"""(?<=["']){re.escape(wrong)}(?=["'])""", meant[wrong], text)
        repairs.append(f"took the namespace {wrong} as {meant[wrong]}")
    text, old = _OLD_SCHEMA.subn(r"http://www.w3.org/2001/XMLSchema\1", text)
    if old:
        repairs.append("took its old XML Schema (1999 or 2000) as that of 2001")
    return text


def _character(entity: re.Match[str]) -> str:
    """`&nbsp;` as its character: entities of HTML are none of XML."""
    name = entity.group(1)
    return entity.group() if name in _OF_XML else html5.get(f"{name};", entity.group())


def _namespace_meant(found: str) -> str:
    plain = re.sub("^https", "http", found.lower()).rstrip("/")
    return XSD if plain == XSD.lower() else f"{plain}/"


def _parsed(text: str, location: str, repairs: list[str]) -> etree._Element:
    """The root element; undeclared prefixes and what stands behind the end are put right, one after the other."""
    for _ in range(40):
        try:
            return etree.fromstring(text.encode(), etree.XMLParser(**_PARSER))
        except etree.XMLSyntaxError as problem:
            line, message = problem.lineno or 1, str(problem.msg)
            better = _without_this_mistake(text, message, repairs)
            if better is None and "is not a valid URI" in message:
                namespace = message.partition(": ")[2].rpartition(" is not")[0]
                raise WsdlError(
                    f"{location}, line {line}: the namespace {namespace} is no URI, which no XML tool "
                    "reads: ask the partner to name it in another way."
                ) from None
            if better is None and "amplification" in message:
                raise WsdlError(f"{location} holds entities that grow without end; such a file is not read.") from None
            if better is None:
                raise WsdlError(
                    f"{location} is no well-formed XML, line {line}: {message.split(', line')[0]}. "
                    "Put that line right in the file, or ask the partner for it again: it may have been cut short."
                ) from None
            text = better
    raise WsdlError(f"{location} has too many mistakes to be read as XML: ask the partner for the WSDL again.")


def _without_this_mistake(text: str, message: str, repairs: list[str]) -> str | None:
    prefix = _NO_PREFIX.search(message)
    if prefix and "not defined" in message:
        name = prefix.group(1)
        namespace = KNOWN_PREFIXES.get(name, f"{UNDECLARED}{name}")
        repairs.append(f"declared the prefix {name}")
        return re.sub(r"<([\w:.-]+)", rf'<\1 xmlns:{name}="{namespace}"', _past_comments(text), count=1)
    if "Extra content at the end" in message or "XML declaration allowed only at the start" in message:
        root = re.match(r"\s*<([\w:.-]+)", _past_comments(text))
        end = text.find(f"</{root.group(1)}>") if root else -1
        if end > 0 and text[end:].partition(">")[2].strip():
            repairs.append("removed what stood behind the end")
            return text[: text.index(">", end) + 1]
    return None


def _past_comments(text: str) -> str:
    """The text from its root element on."""
    while text.lstrip().startswith(("<!--", "<?")):
        text = text.lstrip().partition("-->" if text.lstrip().startswith("<!--") else "?>")[2]
    return text


def _name_elements(root: etree._Element, repairs: list[str]) -> None:
    """Elements in the letters the standards write them with."""
    for element in root.iter("*"):
        meant = TAGS.get(element.tag.casefold(), element.tag)
        if meant != element.tag:
            repairs.append(f"took <{local(element.tag)}> as <{local(meant)}>")
            element.tag = meant


def _refuse_others(root: etree._Element, location: str) -> None:
    """Files that are XML, but neither WSDL 1.1 nor a schema."""
    namespace, name = etree.QName(root).namespace, etree.QName(root).localname
    for node in root.iter(etree.Entity):
        raise WsdlError(
            f"{location} uses an entity of its own (&{node.name};), line {node.sourceline}, which is never read: write "
            "its meaning in its place."
        )
    if root.tag in (WSDL + "definitions", XS + "schema"):
        return
    if namespace == _WSDL_2:
        raise WsdlError(f"{location} is a WSDL 2.0: ask the partner for one of version 1.1 (`?wsdl`), which tools use.")
    kinds = {
        "discovery": "is a .disco file, which only names where the WSDL is: use the address in its `contractRef`",
        "discoveryRef": "is a .disco file, which only names where the WSDL is",
        "application": "is a WADL of a REST service, no WSDL: this partner is not spoken to by SOAP",
        "Envelope": "is a SOAP message, perhaps a fault, no WSDL: add `?wsdl` to the address",
        "Edmx": "describes an OData service, no WSDL: this partner is not spoken to by SOAP",
    }
    what = kinds.get(name, f"begins with <{name}>, which is neither `definitions` of a WSDL 1.1 nor `schema`")
    raise WsdlError(f"{location} {what}. {_ASK}")


# --- Names written out ------------------------------------------------------------------------------------------------


def _name_in_full(root: etree._Element, repairs: list[str]) -> None:
    """Write every name that refers to something with its namespace instead of its prefix."""
    for element in root.iter("*"):
        for attribute in ("name", "targetNamespace", "namespace", "schemaLocation", "location"):
            value = element.get(attribute)
            if value is not None and not value.strip() and attribute in ("targetNamespace", "namespace"):
                del element.attrib[attribute]  # an empty one is none
            elif value is not None and value != value.strip():
                element.set(attribute, value.strip())
                repairs.append(f"removed the blanks around {attribute} {value.strip()}")
        name = element.get("name")
        if name and element.tag.startswith((WSDL, XS)) and as_name(name) != name:
            element.set("name", as_name(name))
            repairs.append(f"took {name!r}, which is no name of XML, as {as_name(name)} (line {element.sourceline})")
        for attribute in REFERENCES.get(element.tag, ()):
            value = element.get(attribute)
            if value is None:
                continue
            names = value.split() if attribute == "memberTypes" else [value.strip()]
            if names and names[0]:
                element.set(attribute, " ".join(resolved(name, element.nsmap) for name in names))
            else:
                del element.attrib[attribute]
                repairs.append(f'removed {attribute}="", which names nothing (line {element.sourceline})')
        array = element.get(WSDL_ARRAY)
        if array and local(element.tag) == "attribute":
            element.set(WSDL_ARRAY, resolved(array.strip(), element.nsmap))
