"""HL7 text (pipes, "ER7") to an element that stylesheets read and write, and back (docs/hl7.md, "The element form").

<HL7><MSH><MSH.1>|</MSH.1>...</MSH><PID><PID.3><PID.3.1>P0001</PID.3.1></PID.3>...</PID></HL7>: segments in their
order, a field for each repetition, always its components, subcomponents only where there are any. What is empty is
absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape as from_xml

import hl7
from lxml import etree

from gateway.errors import InvalidMessage
from gateway.hl7.charsets import NAMES, UTF8, declared_codec, decode, encode
from gateway.hl7.escapes import Separators

ROOT = "HL7"
NULL = "null"
"""The attribute of a field that says "delete what you have": `""` in pipes."""
TEXT_TYPES = frozenset({"ST", "TX", "FT"})
"""Value types of OBX-5 that have no components: a `^` in them is one that somebody forgot to escape."""
MOST_PARTS = 200_000
"""Fields, components and so on of one message: 20 MB of separators alone would take gigabytes."""
MOST_ESCAPED = 3
"""How often a message may have been escaped as XML on its way."""

_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_BEGINS = re.compile(r"MSH[!-/:-@\[-`{-~]")
_DECLARATION = re.compile(r"<\?xml[^>]{0,500}\?>")
_WRAPPING = " \t\r\n\x0b\x1c\x00\ufeff"


def read(content: bytes | str, charset: str = "") -> etree._Element:
    """The element of a message. `charset` is what the site says of bytes whose MSH-18 says nothing.

    Raises InvalidMessage, with segment and field and never their content.
    """
    return read_as(content, charset)[0]


def read_as(content: bytes | str, charset: str = "") -> tuple[etree._Element, str]:
    """The same, with the codec of its characters, in which the answer is written too."""
    text, codec = decode(content, charset) if isinstance(content, bytes) else (content, "")
    text = _unwrapped(text)
    codec = codec or declared_codec(text.encode(errors="ignore")) or UTF8
    separators = _separators(text)
    if sum(map(text.count, separators.letters.values())) + text.count("\n") + text.count("\r") > MOST_PARTS:
        raise InvalidMessage(
            f"报文的字段超过 {MOST_PARTS} 个，请分批发送。",
            f"More than {MOST_PARTS} fields and parts: send it in several messages.",
            path="MSH",
        )
    root = etree.Element(ROOT)
    head, *others = _segments(text, separators)
    if head.count(separators.field) < 2:
        head = f"MSH{separators.field}{separators.encoding}{separators.field}"
    for segment in hl7.parse("\r".join([head, *others])):
        _read_segment(root, segment, separators, codec)
    return root, codec


def write(message: etree._Element, codec: str = "") -> str:
    """The pipes of an element, each segment ended by a carriage return; with a codec, MSH-18 says which.

    UTF-8 is said, too, since HL7 takes ASCII where nothing is. Raises InvalidMessage, with the name of an element that
    has no place there.
    """
    head = message.find("{*}MSH")
    if head is None:
        raise InvalidMessage("报文必须以 MSH 段开头。", "A message begins with MSH.", path="MSH", expected="MSH")
    if codec:
        for old in head.findall("{*}MSH.18"):
            head.remove(old)
        etree.SubElement(head, "MSH.18").text = NAMES[codec]
    separators = Separators()
    if head.findtext("{*}MSH.1") or head.findtext("{*}MSH.2"):
        field = head.findtext("{*}MSH.1") or separators.field
        separators = _separators(f"MSH{field}{head.findtext('{*}MSH.2') or separators.encoding}{field}")
    segments = [_written(segment, separators) for segment in _segment_elements(message)]
    if not segments[0].startswith("MSH"):
        raise InvalidMessage("报文必须以 MSH 段开头。", "A message begins with MSH.", path="MSH", expected="MSH")
    return "".join(f"{segment}\r" for segment in segments)


def write_bytes(message: etree._Element, codec: str = UTF8) -> bytes:
    """The same as bytes."""
    return encode(write(message, codec), codec)


def value(message: etree._Element, segment: str, field: int, component: int = 1) -> str:
    """The text of a field's component in the first segment of that name, '' when there is none."""
    return message.findtext(f"{segment}/{segment}.{field}/{segment}.{field}.{component}") or ""


# --- Reading ----------------------------------------------------------------------------------------------------------


def _unwrapped(text: str) -> str:
    """Without what was put around it on the way: MLLP's bytes, a byte order mark, CDATA, XML."""
    text = text.strip(_WRAPPING)
    if text.startswith("<") and not text.startswith("<![CDATA["):
        text = _text_in_xml(text)
    text = text.removeprefix("<![CDATA[").removesuffix("]]>").strip(_WRAPPING)
    for _ in range(MOST_ESCAPED):
        # In pipes `&` stands in MSH-2; where that reads `&amp;` the whole was escaped.
        if "&amp;" not in text[:24]:
            break
        text = from_xml(text).strip(_WRAPPING)
    return text


def _text_in_xml(text: str) -> str:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(_DECLARATION.sub("", text, count=1).encode(errors="ignore"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return text
    texts = (found.strip(_WRAPPING) for found in root.itertext())
    return next((found for found in texts if _BEGINS.match(found)), text)


def _separators(text: str) -> Separators:
    """The message's own, from MSH-1 and MSH-2."""
    if not _BEGINS.match(text):
        raise InvalidMessage(
            "不是 HL7 报文：必须以 MSH 段开头。",
            "This is no HL7 message: it must begin with MSH.",
            path="MSH",
            expected="MSH|^~\\&",
        )
    field = text[3]
    signs = re.split(r"[\r\n]", text[4:24].split(field, 1)[0])[0]
    component, repetition, escape, subcomponent = tuple(signs[:4] + "^~\\&"[len(signs) :])
    used = [field, component, repetition, escape, subcomponent]
    if len(set(used)) < len(used) or any(sign.isalnum() or sign.isspace() or not sign.isascii() for sign in used):
        raise InvalidMessage(
            "MSH-2 的分隔符不对。", "MSH-2 holds no usable separators.", path="MSH-2", expected="^~\\&"
        )
    return Separators(field, component, repetition, escape, subcomponent, signs[4:5])


def _segments(text: str, separators: Separators) -> Iterator[str]:
    """One line each; a line that begins with no segment's name continues the text of the one before."""
    known: list[list[str]] = []
    for line in re.split(r"\r\n|\r|\n", text):
        line = line.rstrip("\x0b\x1c\x00")
        is_segment = _SEGMENT.match(line) and line[3:4] in ("", separators.field)
        if is_segment and line.startswith("MSH") and known:
            raise InvalidMessage(
                "一次只能发送一条报文：出现了第二个 MSH。",
                "One message at a time: there is a second MSH.",
                path="MSH",
                expected="MSH",
            )
        if is_segment:
            known.append([line])
        elif line.strip():
            if len(known[-1]) == 1 and separators.field not in known[-1][0]:
                known[-1].append(separators.field)
            known[-1].append(f"{separators.escape}.br{separators.escape}{line}")
    yield from map("".join, known)


def _read_segment(root: etree._Element, segment: hl7.Segment, separators: Separators, codec: str) -> None:
    name = str(segment[0])
    element = etree.SubElement(root, name)
    is_text = name == "OBX" and len(segment) > 2 and str(segment[2]).strip() in TEXT_TYPES
    for index in range(1, len(segment)):
        tag = f"{name}.{index}"
        if name == "MSH" and index <= 2:
            etree.SubElement(element, tag).text = separators.field if index == 1 else separators.encoding
            continue
        for repetition in segment[index]:
            _read_repetition(element, tag, repetition, is_text and index == 5, separators, codec)


def _read_repetition(
    parent: etree._Element, tag: str, repetition: hl7.Repetition | str, whole: bool, separators: Separators, codec: str
) -> None:
    written = str(repetition)
    if written == '""':
        etree.SubElement(parent, tag).set(NULL, "true")
        return
    element = etree.Element(tag)
    components = [written] if whole or isinstance(repetition, str) else list(repetition)
    for number, component in enumerate(components, 1):
        inner = etree.Element(f"{tag}.{number}")
        if isinstance(component, str) or len(component) == 1:
            inner.text = separators.plain(str(component), codec)
        else:
            for place, subcomponent in enumerate(component, 1):
                if text := separators.plain(str(subcomponent), codec):
                    etree.SubElement(inner, f"{tag}.{number}.{place}").text = text
        if inner.text or len(inner):
            element.append(inner)
    if len(element):
        parent.append(element)


# --- Writing ----------------------------------------------------------------------------------------------------------


def _segment_elements(message: etree._Element) -> Iterator[etree._Element]:
    """The segments in their order, also out of the groups that HL7's own schemas put them into."""
    for child in message.iterchildren(etree.Element):
        if _SEGMENT.fullmatch(_name(child)):
            yield child
        else:
            yield from _segment_elements(child)


def _written(segment: etree._Element, separators: Separators) -> str:
    name = _name(segment)
    fields: dict[int, list[str]] = {}
    for field in segment.iterchildren(etree.Element):
        index = _index(field, name)
        if name == "MSH" and index <= 2:
            continue
        fields.setdefault(index, []).append(_field(field, separators))
    first = 3 if name == "MSH" else 1
    texts = [separators.repetition.join(fields.get(index, [])) for index in range(first, max(fields, default=0) + 1)]
    start = f"MSH{separators.field}{separators.encoding}" if name == "MSH" else name
    return separators.field.join([start, *texts]).rstrip(separators.field)


def _field(field: etree._Element, separators: Separators) -> str:
    if field.get(NULL) == "true":
        return '""'
    written = _joined(field, separators, separators.component)
    # Text that is two quotation marks and nothing else would order the other side to delete what it has.
    return f"{separators.escape}X2222{separators.escape}" if written == '""' else written


def _joined(element: etree._Element, separators: Separators, sign: str) -> str:
    """The text of an element, or its children at the places their names say."""
    parts: dict[int, str] = {}
    for child in element.iterchildren(etree.Element):
        if sign == separators.component:
            parts[_index(child, _name(element))] = _joined(child, separators, separators.subcomponent)
        else:
            parts[_index(child, _name(element))] = separators.escaped(child.text or "")
    if not parts:
        return separators.escaped((element.text or "").strip())
    return sign.join(parts.get(place, "") for place in range(1, max(parts) + 1)).rstrip(sign)


def _index(element: etree._Element, parent: str) -> int:
    before, _, number = _name(element).rpartition(".")
    if before != parent or not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 999:
        raise InvalidMessage(
            f"元素 {_name(element)} 不能出现在 {parent} 中。",
            f"The element {_name(element)} has no place in {parent}.",
            path=f"{parent}/{_name(element)}",
            expected=f"{parent}.1, {parent}.2 ...",
        )
    return int(number)


def _name(element: etree._Element) -> str:
    return str(etree.QName(element).localname)
