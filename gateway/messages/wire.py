"""Turns the XML of a checked message into its dataclass and back, each in one pass.

The plan is compiled from the contract when the process starts: one closure per field, one dictionary per type, so no
operation has mapping code and no field is looked up by name at run time. What the XSD cannot say is settled here:
white space of codes is collapsed, an empty optional string is None, free text keeps its length limit, base64 is strict,
and every time is hospital time (docs/specification/contract.md, "Values").
"""

from __future__ import annotations

import base64
import binascii
import importlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

from lxml import etree

from gateway import terms
from gateway.contract import NAMESPACE, Contract, Field, snake_case
from gateway.errors import InvalidMessage

Reader = Callable[[etree._Element], Any]
Writer = Callable[[Any], str]

PLACEHOLDER_DATES = frozenset({date(1900, 1, 1), date(1, 1, 1)})
"""What old systems send when they have no date."""

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:Z|[+-]\d{2}:\d{2})?")
_DATE_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:(Z)|([+-])(\d{2}):(\d{2}))?", re.ASCII
)


class _Unreadable(Exception):
    """The text of an element passes the XSD and still is no value; carries what would be one."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.names: list[str] = []
        self.chinese = ""


class Wire:
    """Reads and writes every message of the contract; made once per process, safe for any number of threads.

    `zone` is the hospital's fixed offset: times without zone are in it, times with another are converted to it.
    """

    def __init__(self, contract: Contract, zone: timezone) -> None:
        self._contract = contract
        self._zone = zone
        self._readers: dict[str, Reader] = {}
        self._writers: dict[str, Writer] = {}
        self._plains: dict[str, Callable[[Any], Any]] = {}
        self._classes: dict[str, type] = dict(_message_classes(contract))
        for name in self._classes:
            self._compile(name)

    def class_of(self, type_name: str) -> type:
        """The dataclass of a message type."""
        return self._classes[type_name]

    def read(self, type_name: str, element: etree._Element) -> Any:
        """The dataclass of a Request or Response element that has passed the XSD.

        Raises InvalidMessage, naming path and expectation and never the value, for the few things the XSD lets pass.
        """
        try:
            return self._readers[type_name](element)
        except _Unreadable as problem:
            path = "/".join([etree.QName(element).localname, *reversed(problem.names)])
            raise InvalidMessage(
                f"{problem.chinese}（{problem.names[0]}）的内容不对。",
                f"{problem.names[0]} ({problem.chinese}) has the wrong content.",
                path=path,
                expected=problem.expected,
            ) from None

    def read_text(self, type_name: str, text: str) -> Any:
        """The dataclass of what `write` wrote: for messages the gateway keeps, which need no second check."""
        parser = etree.XMLParser(huge_tree=True, resolve_entities=False, no_network=True)
        return self.read(type_name, etree.fromstring(f'<Message xmlns="{NAMESPACE}">{text}</Message>', parser))

    def write(self, message: Any) -> str:
        """The children of a Request or Response element as XML text, without the element itself."""
        return self._writers[type(message).__name__](message)

    def document(self, wrapper: str, message: Any) -> str:
        """The whole wrapper element: <SubmitRequisition xmlns=...><Request>...</Request></SubmitRequisition>."""
        inner = "Response" if wrapper.endswith("Response") else "Request"
        return f'<{wrapper} xmlns="{NAMESPACE}"><{inner}>{self.write(message)}</{inner}></{wrapper}>'

    def plain(self, message: Any) -> dict[str, Any]:
        """The message as nested dictionaries with the names of the XML, as SOAP clients take it; no absent fields."""
        result: dict[str, Any] = self._plains[type(message).__name__](message)
        return result

    # --- reading ----------------------------------------------------------------------------------------------------

    def _compile(self, name: str) -> None:
        fields = self._contract.message_types[name].fields
        self._readers[name] = self._message_reader(name, fields)
        self._writers[name] = self._message_writer(fields)
        self._plains[name] = self._plain_maker(fields)

    def _message_reader(self, name: str, fields: tuple[Field, ...]) -> Reader:
        make = self._classes[name]
        defaults = {f.attribute: (() if self._contract.list_child(f.type_name) else None) for f in fields}
        table = {f"{{{NAMESPACE}}}{f.name}": (f.attribute, self._field_reader(f), f.chinese) for f in fields}

        def read(element: etree._Element) -> Any:
            values = defaults.copy()
            for child in element:
                attribute, reader, chinese = table[child.tag]
                try:
                    values[attribute] = reader(child)
                except _Unreadable as problem:
                    problem.chinese = problem.chinese or chinese
                    problem.names.append(etree.QName(child).localname)
                    raise
            return make(**values)

        return read

    def _field_reader(self, field: Field) -> Reader:
        child = self._contract.list_child(field.type_name)
        if child is not None:
            return self._list_reader(child)
        if field.type_name in self._classes:
            readers, name = self._readers, field.type_name
            return lambda element: readers[name](element)
        return self._value_reader(field)

    def _list_reader(self, child: Field) -> Reader:
        readers, name, child_name = self._readers, child.type_name, child.name

        def read(element: etree._Element) -> tuple[Any, ...]:
            reader, found = readers[name], []
            for number, one in enumerate(element, 1):
                try:
                    found.append(reader(one))
                except _Unreadable as problem:
                    problem.names.append(f"{child_name}[{number}]")
                    raise
            return tuple(found)

        return read

    def _value_reader(self, field: Field) -> Reader:
        closed = getattr(terms, field.type_name, None)
        if closed is not None:
            members = {member.value: member for member in closed}
            return lambda element: members[element.text.strip()] if element.text and element.text.strip() else None
        primitive = self._contract.primitive_of(field.type_name)
        if primitive == "string":
            return _text_reader(field)
        simple: dict[str, Reader] = {
            "token": _read_token,
            "int": lambda element: int(element.text),
            "decimal": lambda element: Decimal(element.text.strip()),
            "boolean": lambda element: element.text.strip() in ("true", "1"),
            "base64Binary": _read_base64,
            "date": _read_date,
            "dateTime": self._read_date_time,
        }
        reader = simple[primitive]
        if primitive in ("date", "dateTime"):
            return _date_reader(reader, field.optional)
        return reader if field.optional or primitive not in ("token", "base64Binary") else _required(reader)

    def _read_date_time(self, element: etree._Element) -> datetime:
        found = _DATE_TIME.fullmatch(element.text.strip())
        if found is None:
            raise _Unreadable("YYYY-MM-DDThh:mm:ss")
        year, month, day, hour, minute, second, fraction, utc, sign, zone_hours, zone_minutes = found.groups()
        try:
            moment = datetime.combine(date(int(year), int(month), int(day)), time(0), self._zone)
            if utc:
                moment = moment.replace(tzinfo=UTC)
            elif sign:
                offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
                moment = moment.replace(tzinfo=timezone(-offset if sign == "-" else offset))
            moment += timedelta(hours=int(hour), minutes=int(minute), seconds=int(second))
            if fraction:
                moment += timedelta(microseconds=int(fraction[:6].ljust(6, "0")))
            return moment.astimezone(self._zone)
        except (ValueError, OverflowError):
            raise _Unreadable("YYYY-MM-DDThh:mm:ss") from None

    # --- writing ----------------------------------------------------------------------------------------------------

    def _message_writer(self, fields: tuple[Field, ...]) -> Writer:
        plan = tuple((f.attribute, self._field_writer(f)) for f in fields)

        def write(message: Any) -> str:
            parts = []
            for attribute, writer in plan:
                value = getattr(message, attribute)
                if value is not None and value != ():
                    parts.append(writer(value))
            return "".join(parts)

        return write

    def _field_writer(self, field: Field) -> Writer:
        opening, closing = f"<{field.name}>", f"</{field.name}>"
        child = self._contract.list_child(field.type_name)
        if child is not None:
            writers, name, start, end = self._writers, child.type_name, f"<{child.name}>", f"</{child.name}>"
            return lambda values: opening + "".join([start + writers[name](value) + end for value in values]) + closing
        if field.type_name in self._classes:
            inner, kind = self._writers, field.type_name
            return lambda value: opening + inner[kind](value) + closing
        to_text = self._text_of(field)
        return lambda value: opening + to_text(value) + closing

    def _text_of(self, field: Field) -> Writer:
        writers: dict[str, Writer] = {
            "string": _escape,
            "token": _escape,
            "int": str,
            "decimal": lambda value: format(value, "f"),
            "boolean": lambda value: "true" if value else "false",
            "base64Binary": lambda value: base64.b64encode(value).decode("ascii"),
            "date": date.isoformat,
            "dateTime": lambda value: value.astimezone(self._zone).isoformat(),
        }
        return writers[self._contract.primitive_of(field.type_name)]

    def _plain_maker(self, fields: tuple[Field, ...]) -> Callable[[Any], Any]:
        plan = tuple((f.name, f.attribute, f.type_name, self._contract.list_child(f.type_name)) for f in fields)

        def make(message: Any) -> dict[str, Any]:
            result: dict[str, Any] = {}
            for name, attribute, type_name, child in plan:
                value = getattr(message, attribute)
                if value is None or value == ():
                    continue
                if child is not None:
                    value = {child.name: [self._plains[child.type_name](one) for one in value]}
                elif type_name in self._plains:
                    value = self._plains[type_name](value)
                elif isinstance(value, datetime):
                    value = value.astimezone(self._zone)
                elif isinstance(value, str):
                    value = str(value)
                result[name] = value
            return result

        return make


def _message_classes(contract: Contract) -> Iterator[tuple[str, type]]:
    for message in contract.message_types.values():
        if not message.is_list:
            found = getattr(importlib.import_module(f"gateway.messages.{snake_case(message.module)}"), message.name)
            yield message.name, found


def _text_reader(field: Field) -> Reader:
    limit, optional = field.max_length, field.optional

    def read(element: etree._Element) -> str | None:
        text = element.text or ""
        if limit is not None and len(text) > limit:
            raise _Unreadable(f"1..{limit} characters")
        if not text or text.isspace():
            if optional:
                return None
            raise _Unreadable(f"1..{limit} characters" if limit else "not empty")
        return text

    return read


def _read_token(element: etree._Element) -> str | None:
    text = element.text
    if not text:
        return None
    return text if text.isalnum() else " ".join(text.split()) or None


def _required(reader: Reader) -> Reader:
    """A code of nothing but wide spaces, or a picture of no bytes, passes the XSD and still is missing."""

    def read(element: etree._Element) -> Any:
        value = reader(element)
        if value is None:
            raise _Unreadable("not empty")
        return value

    return read


def _read_base64(element: etree._Element) -> bytes | None:
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True) or None
    except (binascii.Error, ValueError):
        raise _Unreadable("base64") from None


def _date_reader(reader: Reader, optional: bool) -> Reader:
    """What to make of a placeholder: an optional date is absent, a required one is 1900-01-01.

    .NET's 0001-01-01 with an offset lies before the first year in UTC, where no database driver of Python can follow.
    """

    def read(element: etree._Element) -> date | None:
        value: date = reader(element)
        day = value.date() if isinstance(value, datetime) else value
        if day not in PLACEHOLDER_DATES:
            return value
        return None if optional else value.replace(year=1900)

    return read


def _read_date(element: etree._Element) -> date:
    found = _DATE.fullmatch(element.text.strip())
    if found is None:
        raise _Unreadable("YYYY-MM-DD")
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise _Unreadable("YYYY-MM-DD") from None


def _escape(text: str) -> str:
    if "&" in text or "<" in text or ">" in text or "\r" in text:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return text
