"""JSON as elements and back, so that stylesheets can map it too.

An object is an element with a child for each member, a list repeats its element; <Json> is the root. Of an element,
`type` may be number, boolean, null, object or array; without it a leaf is a string, and names that repeat are a list.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from lxml import etree

from gateway.mapping.errors import MappingFailed, PayloadUnreadable

ROOT = "Json"
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
DEEPEST = 64
MOST_VALUES = 200_000


def read(text: str) -> etree._Element:
    """The element of a JSON text. Raises PayloadUnreadable."""
    plain = text.strip("\ufeff \t\r\n\0")
    if not plain:
        raise PayloadUnreadable("There is nothing where the message should be.")
    if plain.startswith("<"):
        raise PayloadUnreadable("XML or a web page came where JSON was expected.")
    if plain.count(",") > MOST_VALUES:
        raise PayloadUnreadable(f"The JSON has more than {MOST_VALUES:,} values.")
    content = _loaded(plain)
    if isinstance(content, str):  # JSON that was written as a text of JSON once more
        content = _loaded(content)
    if content is None:
        raise PayloadUnreadable("The word null stands where the message should be.")
    root = etree.Element(ROOT)
    _fill(root, content, 0)
    return root


def _loaded(text: str) -> Any:
    try:
        return json.loads(
            text, parse_float=Decimal, parse_constant=_no_number, strict=False, object_pairs_hook=_members
        )
    except (ValueError, RecursionError):
        raise PayloadUnreadable("The text holds no JSON, or only a part of it.") from None


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. One that says a thing twice is refused: nobody knows which counts."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise PayloadUnreadable("A name stands twice in an object of the JSON, and nobody knows which counts.")
    return members


def _fill(element: etree._Element, content: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise PayloadUnreadable("The JSON in the string is nested too deep.")
    if isinstance(content, dict):
        for name, value in content.items():
            for one in value if isinstance(value, list) else [value]:
                child = etree.SubElement(element, name if _NAME.fullmatch(name) else "member")
                if child.tag == "member":
                    child.set("name", _CONTROL.sub(" ", name))
                if isinstance(value, list):
                    child.set("type", "array")
                _fill(child, one, depth + 1)
    elif isinstance(content, list):
        for one in content:
            _fill(etree.SubElement(element, "item"), one, depth + 1)
    elif isinstance(content, bool):
        element.text = "true" if content else "false"
    elif content is not None:
        element.text = _CONTROL.sub(" ", str(content))


def write(element: etree._Element) -> str:
    """The JSON text of an element; numbers keep all their digits."""
    kind, text = element.get("type", ""), (element.text or "").strip()
    if kind == "null":
        return "null"
    if kind == "boolean":
        return "true" if text.casefold() in ("true", "1") else "false"
    if kind == "number":
        return _number(text)
    if len(element) == 0 and kind != "object":
        return json.dumps(element.text or "", ensure_ascii=False)
    members: dict[str, list[str]] = {}
    lists = set()
    for child in element:
        name = child.get("name") or etree.QName(child).localname
        if child.get("type") == "array":
            lists.add(name)
            del child.attrib["type"]
        members.setdefault(name, []).append(write(child))
    written = (
        f"{json.dumps(name, ensure_ascii=False)}: "
        + (f"[{', '.join(values)}]" if len(values) > 1 or name in lists else values[0])
        for name, values in members.items()
    )
    return "{" + ", ".join(written) + "}"


def _number(text: str) -> str:
    """As JSON has numbers, or can have this one: no plus sign, no zeros before it, no bare point."""
    if not _NUMBER.fullmatch(text):
        raise MappingFailed('An element of type="number" holds no number.')
    return str(Decimal(text))
