"""The functions stylesheets may use beside XSLT 1.0, in the namespace urn:hospital-gateway:functions (prefix g).

docs/partners.md, "Functions of stylesheets", lists them for who writes stylesheets. Whatever cannot be done raises
MappingFailed, which names the function and never the value.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from lxml import etree

from gateway.identity import check_character, plain, read_card
from gateway.mapping.codes import CodeTables, NoCodeTables
from gateway.mapping.dates import read_moment, write_moment
from gateway.mapping.errors import MappingFailed, NotWanted, PayloadUnreadable
from gateway.mapping.payload import read_xml

FUNCTIONS = "urn:hospital-gateway:functions"
YES = frozenset({"true", "1", "y", "yes", "t", "是", "有", "阳性"})
NO = frozenset({"false", "0", "n", "no", "f", "否", "无", "阴性"})
CENT = Decimal("0.01")
BEIJING = timezone(timedelta(hours=8))
AMOUNT = re.compile(r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE]-[0-9]{1,2})?")
"""What XPath and vendors write. Python's Decimal would take 1_000, fullwidth digits and 1e999 as well."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a mapping may know beside the message it maps."""

    partner: str = ""
    hospital_code: str = ""
    outbound: bool = True
    """Whether a message of ours becomes one of theirs: codes are looked up in that direction."""
    now: datetime = field(default_factory=lambda: datetime.now(BEIJING))
    on: date | None = None
    """The day whose codes are valid; that of `now` when absent."""
    codes: CodeTables = field(default_factory=NoCodeTables)
    request: etree._Element | None = None
    """Our request, when an answer to it is mapped."""
    values: dict[str, str] = field(default_factory=dict)
    """What else the stylesheet is told by name, such as our_code and function."""


_circumstances: ContextVar[Circumstances] = ContextVar("circumstances")


@contextmanager
def under(circumstances: Circumstances) -> Iterator[None]:
    """Stylesheets applied by this thread in the block are told these."""
    token = _circumstances.set(circumstances)
    try:
        yield
    finally:
        _circumstances.reset(token)


def text_of(value: Any) -> str:
    """What XPath would call string(value)."""
    if isinstance(value, list):
        return text_of(value[0]) if value else ""
    if isinstance(value, etree._Element):
        return "".join(value.itertext())
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def _code(_: Any, table: Any, value: Any) -> str:
    """g:code(table, value): the other side's code; an empty one stays empty."""
    plain_value = text_of(value).strip()
    if not plain_value:
        return ""
    known = _circumstances.get()
    return known.codes.translate(
        text_of(table),
        plain_value,
        partner=known.partner,
        hospital_code=known.hospital_code,
        outbound=known.outbound,
        on=known.on or known.now.date(),
    )


def _date(_: Any, value: Any, pattern: Any = "yyyy-MM-dd HH:mm:ss") -> str:
    """g:date(value, pattern): a date or time written as yyyyMMddHHmmss and the like; nothing for none."""
    at = _moment("g:date", value)
    return "" if at is None else write_moment(at, text_of(pattern))


def _iso(_: Any, value: Any) -> str:
    """g:iso(value): a time, however it is written, as our contract wants it."""
    at = _moment("g:iso", value)
    return "" if at is None else at.isoformat(timespec="seconds")


def _iso_date(_: Any, value: Any) -> str:
    """g:iso-date(value): the day of it."""
    at = _moment("g:iso-date", value)
    return "" if at is None else at.date().isoformat()


def _now(_: Any, pattern: Any = "yyyy-MM-ddTHH:mm:ss") -> str:
    """g:now(pattern): the present, in hospital time."""
    return write_moment(_circumstances.get().now, text_of(pattern))


def _moment(name: str, value: Any) -> datetime | None:
    zone = _circumstances.get().now.tzinfo
    try:
        return read_moment(text_of(value), zone if isinstance(zone, timezone) else BEIJING)
    except (ValueError, OverflowError):
        raise MappingFailed(f"{name} was given something that is no date.") from None


def _id18(_: Any, value: Any) -> str:
    """g:id18(value): an identity card number as eighteen characters; what is none stays as it is."""
    number = plain(text_of(value))
    if len(number) == 15 and read_card(number) is not None:
        longer = f"{number[:6]}19{number[6:]}"
        return longer + check_character(longer)
    return number


def _birth_date(_: Any, value: Any) -> str:
    """g:id-birth(value): the day of birth in an identity card number, if there is one."""
    card = read_card(text_of(value))
    return card.birth_date.isoformat() if card is not None and card.birth_date is not None else ""


def _items(_: Any, value: Any, separator: Any = "^") -> list[etree._Element]:
    """g:items(list, '^'): an <item> for each part of a joined list that is not empty."""
    found = []
    for part in _parts("g:items", value, separator):
        if part:
            item = etree.Element("item")
            item.text = part
            found.append(item)
    return found


def _item(_: Any, value: Any, number: Any, separator: Any = "^") -> str:
    """g:item(list, n, '^'): its n-th part, counted from one; nothing when there is none."""
    parts, position = _parts("g:item", value, separator), text_of(number).strip()
    if not (position.isascii() and position.isdigit() and len(position) < 10):
        raise MappingFailed("g:item was given a position that is no whole number.")
    return parts[int(position) - 1] if 0 < int(position) <= len(parts) else ""


def _parts(name: str, value: Any, separator: Any) -> list[str]:
    between = text_of(separator)
    if not between:
        raise MappingFailed(f"{name} was given no separator.")
    return [part.strip() for part in text_of(value).split(between)]


def _join(_: Any, nodes: Any, separator: Any = "^") -> str:
    """g:join(nodes, '^'): their texts in one list. Fails when a text holds the separator: nobody could part it."""
    texts, between = [text_of(node) for node in (nodes if isinstance(nodes, list) else [nodes])], text_of(separator)
    if between and any(between in text for text in texts):
        raise MappingFailed(f"g:join was given a text that holds the separator {between}.")
    return between.join(texts)


def _money(_: Any, value: Any) -> str:
    """g:money(value): an amount with two places, rounded half up; nothing for none."""
    amount = _amount("g:money", value)
    return "" if amount is None else str(amount.quantize(CENT, ROUND_HALF_UP))


def _cents(_: Any, value: Any) -> str:
    """g:cents(value): an amount in cents (分)."""
    amount = _amount("g:cents", value)
    return "" if amount is None else str(int(amount.quantize(CENT, ROUND_HALF_UP) * 100))


def _from_cents(_: Any, value: Any) -> str:
    """g:from-cents(value): an amount given in cents."""
    amount = _amount("g:from-cents", value)
    return "" if amount is None else str((amount / 100).quantize(CENT, ROUND_HALF_UP))


def _amount(name: str, value: Any) -> Decimal | None:
    text = text_of(value).strip()
    if text and not AMOUNT.fullmatch(text):
        raise MappingFailed(f"{name} was given something that is no amount.")
    return Decimal(text) if text else None


def _yes(_: Any, value: Any, yes: Any = "true", no: Any = "false") -> str:
    """g:yes(value, yes, no): one of two words for what means yes or no in any of the usual ways; nothing for none."""
    word = text_of(value).strip().casefold()
    if not word:
        return ""
    if word not in YES | NO:
        raise MappingFailed("g:yes was given something that means neither yes nor no.")
    return text_of(yes) if word in YES else text_of(no)


def _request(_: Any, path: Any) -> str:
    """g:request(path): a field of our request while its answer is mapped: g:request('Visit/VisitNo')."""
    found = _circumstances.get().request
    for name in text_of(path).split("/"):
        found = None if found is None else found.find(name)
    return "" if found is None else text_of(found)


def _value(_: Any, name: Any) -> str:
    """g:value(name): what the gateway tells by name: function, our_code, message_id ..."""
    return _circumstances.get().values.get(text_of(name), "")


def _number(_: Any, prefix: Any, *parts: Any) -> str:
    """g:number(prefix, ...): a number made of the texts, the same for the same, where the other side gives none."""
    joined = "\x1f".join(text_of(part).strip() for part in parts)
    return text_of(prefix) + hashlib.sha256(joined.encode()).hexdigest()[:24].upper()


def _tree(_: Any, value: Any) -> list[etree._Element]:
    """g:tree(text): the message that stands as text in an element."""
    try:
        return [read_xml(text_of(value))]
    except PayloadUnreadable as problem:
        raise MappingFailed(f"g:tree: {problem}") from None


def _text(_: Any, nodes: Any) -> str:
    """g:text(nodes): elements written as text, to stand inside an element of another message."""
    found = nodes if isinstance(nodes, list) else [nodes]
    return "".join(
        etree.tostring(node, encoding="unicode", with_tail=False) if isinstance(node, etree._Element) else text_of(node)
        for node in found
    )


def _fail(_: Any, reason: Any) -> str:
    """g:fail(reason): this message cannot be mapped. The reason is shown: it must hold nothing of the message."""
    raise MappingFailed(text_of(reason)[:200])


def _skip(_: Any, reason: Any) -> str:
    """g:skip(reason): the other side need not have this message; it counts as delivered. Never for money."""
    raise NotWanted(text_of(reason)[:200])


NAMES: dict[str, Callable[..., Any]] = {
    "code": _code,
    "date": _date,
    "iso": _iso,
    "iso-date": _iso_date,
    "now": _now,
    "id18": _id18,
    "id-birth": _birth_date,
    "items": _items,
    "item": _item,
    "join": _join,
    "money": _money,
    "cents": _cents,
    "from-cents": _from_cents,
    "yes": _yes,
    "request": _request,
    "value": _value,
    "number": _number,
    "tree": _tree,
    "text": _text,
    "fail": _fail,
    "skip": _skip,
}
EXTENSIONS: Any = {(FUNCTIONS, name): function for name, function in NAMES.items()}
