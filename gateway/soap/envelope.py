"""The SOAP envelope of a message: which version it is, its header blocks, and the one request in its body.

A message is refused here if it is not exactly what SOAP 1.1 or 1.2 allows: nothing beside or after the body, one
request in it, no DTD, no header block we would have to understand and do not. What is mended instead is noted in
`Envelope.repairs`. The list of these rules is docs/specification/wire.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from lxml import etree

from gateway.errors import InvalidMessage, NotUnderstood, TooLarge, VersionMismatch
from gateway.soap.control_characters import MARK, mark
from gateway.soap.decoding import decode, decode_beginning, without_hidden_text
from gateway.soap.mending import TYPE_NAMESPACES, is_near
from gateway.soap.references import REFERENCES, put_in_place
from gateway.soap.repairs import Repair, Repairs

GATEWAY_NAMESPACE = "urn:hospital-gateway:v1"
WSSE_NAMESPACE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
ADDRESSING_NAMESPACES = frozenset(
    {"http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing"}
)
AUTH_HEADER = f"{{{GATEWAY_NAMESPACE}}}AuthHeader"
UNDERSTOOD = frozenset({AUTH_HEADER, f"{{{WSSE_NAMESPACE}}}Security"})
TELLING_TYPES = frozenset({"Array", "base64Binary", "base64"})
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
NEXT_11 = "http://schemas.xmlsoap.org/soap/actor/next"
OUR_ROLES = frozenset(
    {
        "",
        NEXT_11,
        "http://www.w3.org/2003/05/soap-envelope/role/next",
        "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
    }
)
LONGEST_NAME_SHOWN = 64
PEEK_BYTES = 256 * 1024
PEEK_PIECE = 16 * 1024


class SoapVersion(Enum):
    """The two versions of SOAP; an answer goes out in the version of its request."""

    V11 = ("http://schemas.xmlsoap.org/soap/envelope/", "text/xml; charset=utf-8")
    V12 = ("http://www.w3.org/2003/05/soap-envelope", "application/soap+xml; charset=utf-8")

    def __init__(self, namespace: str, content_type: str) -> None:
        self.namespace = namespace
        self.content_type = content_type
        self.envelope = f"{{{namespace}}}Envelope"
        self.header = f"{{{namespace}}}Header"
        self.body = f"{{{namespace}}}Body"
        self.fault = f"{{{namespace}}}Fault"


_VERSIONS = {version.envelope: version for version in SoapVersion}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one message may ask of the gateway."""

    body_bytes: int = 2 * 1024 * 1024
    large_body_bytes: int = 20 * 1024 * 1024
    seconds: float = 30.0
    depth: int = 64
    elements: int = 50_000
    attributes: int = 64


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message whose SOAP form is right; its content is not checked yet."""

    version: SoapVersion
    headers: list[etree._Element]
    """The children of soap:Header."""
    wrapper: etree._Element
    """The single child of soap:Body, for example {urn:hospital-gateway:v1}SubmitRequisition."""
    raw: bytes
    """The body exactly as received, after its Content-Encoding is undone."""
    repairs: Repairs = field(default_factory=set)
    """What was mended so far. CHARACTERS: some of the wrapper's texts hold MARK."""


def parse_envelope(body: bytes, content_type: str, limits: Limits = Limits(), huge: bool = False) -> Envelope:
    """The message's version, header blocks and request; a MessageFault that says what is wrong otherwise."""
    repairs = Repairs()
    text = decode(body, content_type, repairs)
    _check_amount(text, limits)
    root = _parse(text, huge, repairs)
    version = _version(root)
    refers = False
    if _deep_or_with_attributes(limits.depth)(root):
        if _deeper_than(limits.depth)(root):
            raise _too_deep(limits.depth)
        for element in _elements_with_attributes(root):
            refers |= _tidy(element)
    header, soap_body = _header_and_body(root, version)
    if refers:
        _follow_references(root, soap_body, limits, repairs)
    wrapper = _only_child(soap_body, version)
    headers: list[etree._Element] = []
    if header is not None:
        _refuse_text(header, "Envelope/Header")
        headers = list(header)
        for block in headers:
            if block.tag not in UNDERSTOOD:
                _recognise(block, repairs)
            _check_understood(block, version)
    return Envelope(version, headers, wrapper, body, repairs)


# --- Before parsing: how much is it -----------------------------------------------------------------------------------

_START_TAG = re.compile(rb"<[^/]")
_UP_TO_ITS_END = re.compile(rb"""(?:[^>"']+|"[^"]*"|'[^']*')*""")
_ATTRIBUTE = re.compile(rb"""=\s*(?:"[^"]*"|'[^']*')""")


def _check_amount(text: bytes, limits: Limits) -> None:
    """Refuse a message of too many elements or attributes before it costs memory: 2 MB of `<b/>` would take 68 MB."""
    tags = text.count(b"<")
    if tags > limits.elements or text.count(b"=") > limits.attributes:
        markup = without_hidden_text(text) if b"<!" in text else text
        if tags > limits.elements and len(_START_TAG.findall(markup)) > limits.elements:
            raise TooLarge(
                f"元素超过 {limits.elements} 个，请分批发送。",
                f"More than {limits.elements} elements: send it in parts.",
            )
        if any(_attributes_in(tag, limits.attributes) > limits.attributes for tag in markup.split(b"<")):
            raise InvalidMessage(
                f"一个元素的属性超过 {limits.attributes} 个。",
                f"An element has more than {limits.attributes} attributes.",
            )


def _attributes_in(tag: bytes, enough: int) -> int:
    """How many attributes and namespace declarations a tag has; `tag` is what stands between two `<`."""
    if tag.count(b"=") <= enough:
        return 0
    inside = _UP_TO_ITS_END.match(tag)
    return len(_ATTRIBUTE.findall(inside[0])) if inside else 0


# --- Parsing ----------------------------------------------------------------------------------------------------------

_PROBLEMS = {
    etree.ErrorTypes.ERR_INVALID_CHAR: ("含有 XML 不允许的控制字符", "a control character that XML forbids"),
    etree.ErrorTypes.ERR_INVALID_CHARREF: ("含有无效的字符引用", "an invalid character reference"),
    etree.ErrorTypes.ERR_UNDECLARED_ENTITY: (
        "使用了未定义的实体（只能用 &amp; &lt; &gt; &quot; &apos;）",
        "an entity that is not defined (only &amp; &lt; &gt; &quot; &apos; are)",
    ),
    etree.ErrorTypes.ERR_NAME_REQUIRED: ("& 或 < 没有转义为 &amp; 或 &lt;", "a & or < not written as &amp; or &lt;"),
    etree.ErrorTypes.ERR_ENTITYREF_SEMICOL_MISSING: ("& 没有转义为 &amp;", "a & not written as &amp;"),
    etree.ErrorTypes.ERR_TAG_NAME_MISMATCH: ("开始和结束标签不一致", "an end tag that does not match its start tag"),
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED: ("报文不完整", "the message stops in the middle"),
    etree.ErrorTypes.ERR_GT_REQUIRED: ("标签不完整", "an unfinished tag"),
    etree.ErrorTypes.ERR_DOCUMENT_END: ("信封之后还有内容", "something after the envelope"),
    etree.ErrorTypes.ERR_ATTRIBUTE_NOT_STARTED: ("属性值没有引号", "an attribute value without quotes"),
    etree.ErrorTypes.ERR_ATTRIBUTE_REDEFINED: ("属性重复", "the same attribute twice"),
    etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE: ("命名空间前缀未声明", "a namespace prefix that is not declared"),
}
_outside_the_request = etree.XPath(
    f"boolean(//@*[contains(., '{MARK}')] | /*/text()[contains(., '{MARK}')] | /*/*/text()[contains(., '{MARK}')]"
    f" | /*/*[local-name() = 'Header']//text()[contains(., '{MARK}')])"
)
_NOT_WELL_FORMED = ("XML 格式错误", "XML that is not well-formed")


def _parse(text: bytes, huge: bool, repairs: Repairs) -> etree._Element:
    """The root; with control characters marked, if they are all that is wrong and stand in texts of the request."""
    try:
        return _parse_once(text, huge)
    except InvalidMessage:
        marked = mark(text)
        if marked is None:
            raise
        root = _parse_once(marked, huge)
        if _outside_the_request(root):
            raise
        repairs.add(Repair.CHARACTERS)
        return root


def _parse_once(text: bytes, huge: bool) -> etree._Element:
    # A parser per message costs 2 us; one shared by threads would make them wait for each other.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=huge,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        return etree.fromstring(text, parser)
    except etree.XMLSyntaxError as problem:
        # libxml2's own text can hold what the sender wrote; ours names only the kind of problem and its line.
        code, line = problem.code, problem.lineno or 1
    if code == etree.ErrorTypes.ERR_RESOURCE_LIMIT:
        raise _too_deep(Limits().depth)
    chinese, english = _PROBLEMS.get(code, _NOT_WELL_FORMED)
    raise InvalidMessage(f"第 {line} 行：{chinese}。", f"Line {line}: {english}.")


@lru_cache(maxsize=8)
def _deep_or_with_attributes(depth: int) -> etree.XPath:
    """One quick question for what most messages are not: deep, or with any attribute."""
    return etree.XPath(f"boolean({'/*' * (depth + 1)} | //@*)")


@lru_cache(maxsize=8)
def _deeper_than(depth: int) -> etree.XPath:
    return etree.XPath(f"boolean({'/*' * (depth + 1)})")


_elements_with_attributes = etree.XPath("//*[@*]")


def _too_deep(depth: int) -> InvalidMessage:
    return InvalidMessage(f"元素嵌套超过 {depth} 层。", f"Elements are nested deeper than {depth}.")


# --- SOAP's rules -----------------------------------------------------------------------------------------------------


def _version(root: etree._Element) -> SoapVersion:
    version = _VERSIONS.get(root.tag)
    if version is None:
        raise VersionMismatch(expected=SoapVersion.V11.envelope, path=_name(root))
    return version


def _header_and_body(root: etree._Element, version: SoapVersion) -> tuple[etree._Element | None, etree._Element]:
    """The optional Header and the one Body; anything else in the envelope is refused."""
    _refuse_text(root, "Envelope")
    children = list(root)
    header = children.pop(0) if children and children[0].tag == version.header else None
    if len(children) == 1 and children[0].tag == version.body:
        return header, children[0]
    raise InvalidMessage(
        "信封内只能依次有一个可选的 Header 和一个 Body，命名空间与 Envelope 相同。",
        "An Envelope holds one optional Header, then one Body, in the Envelope's namespace, and nothing else.",
        path="Envelope",
        expected="Header?, Body",
    )


def _only_child(soap_body: etree._Element, version: SoapVersion) -> etree._Element:
    _refuse_text(soap_body, "Envelope/Body")
    if len(soap_body) != 1:
        raise InvalidMessage(
            f"Body 内必须恰好有一个请求，现有 {len(soap_body)} 个。",
            f"Body must hold exactly one request; it holds {len(soap_body)}.",
            path="Envelope/Body",
        )
    wrapper = soap_body[0]
    if wrapper.tag == version.fault:
        raise InvalidMessage("请求不能是 SOAP Fault。", "A SOAP Fault is no request.", path="Envelope/Body")
    return wrapper


def _refuse_text(element: etree._Element, path: str) -> None:
    """Between the elements of the SOAP frame only white space may stand."""
    texts = [element.text, *[child.tail for child in element]]
    if any(text and not text.isspace() for text in texts):
        raise InvalidMessage(
            "SOAP 框架元素之间不能有文字。", "No text may stand between the elements of the SOAP frame.", path=path
        )


def _check_understood(block: etree._Element, version: SoapVersion) -> None:
    """Refuse a header block that is meant for us, must be understood, and is none we know."""
    must = block.get(f"{{{version.namespace}}}mustUnderstand", "0").strip()
    if must not in {"0", "1", "false", "true"}:
        raise InvalidMessage(
            "mustUnderstand 只能是 0、1、false 或 true。",
            "mustUnderstand is 0, 1, false or true.",
            path=f"Envelope/Header/{_name(block)}",
        )
    role = block.get(f"{{{version.namespace}}}{'actor' if version is SoapVersion.V11 else 'role'}", "").strip()
    if must in {"0", "false"} or role not in OUR_ROLES:
        return
    if block.tag not in UNDERSTOOD and block.tag[1:].partition("}")[0] not in ADDRESSING_NAMESPACES:
        raise NotUnderstood(path=f"Envelope/Header/{_name(block)}")


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2][:LONGEST_NAME_SHOWN]


# --- Habits of SOAP toolkits ------------------------------------------------------------------------------------------


def _tidy(element: etree._Element) -> bool:
    """Take away what old toolkits add to an element and the contract has no place for. True if it refers to another."""
    refers = False
    for attribute in element.keys():  # noqa: SIM118 - an element is no dict
        if attribute == XSI_TYPE:
            _drop_type(element)
        elif attribute.endswith("}encodingStyle") and attribute[1:-14] in {v.namespace for v in SoapVersion}:
            del element.attrib[attribute]
        elif attribute in REFERENCES:
            refers = True
    return refers


def _drop_type(element: etree._Element) -> None:
    """Remove an xsi:type that only repeats the contract; SOAP::Lite and Axis 1.4 write one on every element.

    Some say more than that: what is an array, and what is base64 (mending.py).
    """
    prefix, _, name = element.get(XSI_TYPE, "").strip().rpartition(":")
    if name not in TELLING_TYPES and element.nsmap.get(prefix or None) in TYPE_NAMESPACES:
        del element.attrib[XSI_TYPE]


def _follow_references(root: etree._Element, soap_body: etree._Element, limits: Limits, repairs: Repairs) -> None:
    """Put the values that stand beside the request where they are referred to."""
    _refuse_text(soap_body, "Envelope/Body")
    put_in_place(soap_body, limits.depth)
    if _deeper_than(limits.depth)(root):
        raise _too_deep(limits.depth)
    repairs.add(Repair.REFERENCES)


def _recognise(block: etree._Element, repairs: Repairs) -> None:
    """An AuthHeader in a namespace near ours is ours."""
    name = etree.QName(block)
    if name.localname == "AuthHeader" and is_near(name.namespace):
        block.tag = AUTH_HEADER
        for child in block.iterchildren("{*}Username", "{*}Password"):
            child.tag = f"{{{GATEWAY_NAMESPACE}}}{etree.QName(child).localname}"
        repairs.add(Repair.NAMESPACE)


# --- Looking at a message that has not arrived completely -------------------------------------------------------------

_ENVELOPE_TAG = re.compile(rb"<(?:([\w.-]{1,64}):)?Envelope\b([^>]{0,4096})")
_DECLARATIONS = re.compile(rb"""xmlns(?::([\w.-]{1,64}))?\s*=\s*["']([^"']{0,200})""")


def guess_version(prefix: bytes, content_type: str = "") -> SoapVersion:
    """The version in which a sender should be answered, from the first bytes of whatever it sent."""
    plain = prefix[:8192].replace(b"\0", b"")  # UTF-16
    envelope = _ENVELOPE_TAG.search(plain)
    if envelope:
        for declared_prefix, namespace in _DECLARATIONS.findall(envelope[2]):
            if declared_prefix == (envelope[1] or b""):
                return SoapVersion.V12 if namespace == SoapVersion.V12.namespace.encode() else SoapVersion.V11
    return SoapVersion.V12 if "application/soap+xml" in content_type.lower() else SoapVersion.V11


def peek(prefix: bytes, content_type: str) -> tuple[list[etree._Element], str] | None:
    """The header blocks of a message and the local name of its request, from its first part; None if they do not show.

    Nothing here is checked: it only serves to decide whether the rest of a large message may come at all.
    """
    try:
        text = decode_beginning(prefix, content_type)[:PEEK_BYTES]
        return _first_request(text)
    except (etree.XMLSyntaxError, InvalidMessage, UnicodeError):
        return None


def _first_request(text: bytes) -> tuple[list[etree._Element], str] | None:
    parser = etree.XMLPullParser(
        events=("start",), resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
    )
    for start in range(0, len(text), PEEK_PIECE):
        parser.feed(text[start : start + PEEK_PIECE])
        for _, element in parser.read_events():
            soap_body = element.getparent()
            root = soap_body.getparent() if soap_body is not None else None
            if root is not None and root.getparent() is None and _name(soap_body) == "Body":
                _version(root)
                header = next((child for child in root if _name(child) == "Header"), None)
                blocks = [] if header is None else list(header)
                for block in blocks:
                    _recognise(block, set())
                return blocks, _name(element)
    return None
