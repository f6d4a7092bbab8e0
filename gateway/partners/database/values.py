"""Between the texts of XML and the values of columns: exactly, or not at all, and in words without the value."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Column, types

from gateway.mapping.dates import read_moment
from gateway.partners.database.failures import Unfit

CODECS = {
    "utf8mb4": "utf-8",
    "utf8mb3": "utf-8",
    "utf8": "utf-8",
    "gb2312": "gb2312",
    "gbk": "gbk",
    "gb18030": "gb18030",
    "big5": "big5",
    "latin1": "cp1252",
    "ascii": "ascii",
    "al32utf8": "utf-8",
    "zhs16gbk": "gbk",
    "zhs32gb18030": "gb18030",
    "euc_cn": "gb2312",
    "sql_ascii": "utf-8",
}
"""Charset as databases call it -> Python's codec."""
THREE_BYTES = frozenset({"utf8", "utf8mb3"})
"""MySQL's utf8 of three bytes, which cannot hold 𠮷."""
BYTES_OF_TEXT = {"TINYTEXT": 255, "TEXT": 65_535, "MEDIUMTEXT": 16_777_215}
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
"""Characters XML cannot hold."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How a partner's database keeps texts and times."""

    kind: str
    zone: timezone
    """Of its plain times."""
    charset: str = "utf8mb4"
    """Of columns that say nothing else, as the database calls it."""
    national: str = "utf8mb4"
    """The same of NCHAR and NVARCHAR columns."""
    bytes_counted: bool = False
    replacement: str | None = None
    """What stands for a character the column cannot hold; None: the request is refused."""
    empty_is_null: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """A column of a table, as it is named to people."""

    table: str
    column: Column[Any]

    def __str__(self) -> str:
        return f"{self.table}.{self.column.name}"


def bound(place: Place, text: str | None, habits: Habits) -> Any:
    """The value to bind for a column; None is NULL. Raises Unfit."""
    kind = place.column.type
    if text is None:
        return None
    if isinstance(kind, types.String | types.Enum):
        return _text(place, text, habits)
    plain = text.strip()
    if not plain:
        return None
    for kinds, reader in _READERS:
        if isinstance(kind, kinds):
            try:
                return reader(place, plain, habits)
            except (ValueError, OverflowError, InvalidOperation):
                raise Unfit("DATA", f"{place} takes {_word(kind)}, and the stylesheet gives something else.") from None
    return text


def charset_of(column: Column[Any], habits: Habits) -> str:
    """How the database calls the charset of a text column."""
    kind = column.type
    if "charset" in column.info:
        return str(column.info["charset"])
    if isinstance(kind, types.Unicode | types.UnicodeText) or getattr(kind, "national", False):
        return habits.national
    return habits.charset


def _text(place: Place, text: str, habits: Habits) -> str | None:
    if text == "" and habits.kind == "oracle":
        return None
    charset = charset_of(place.column, habits)
    codec = CODECS.get(charset, "utf-8")
    text = _encodable(place, text, codec, charset in THREE_BYTES, habits)
    limit, kind = getattr(place.column.type, "length", None), type(place.column.type).__name__.upper()
    if habits.kind == "mysql" and limit is None and kind in BYTES_OF_TEXT:
        _check_length(place, len(text.encode(codec, "replace")), BYTES_OF_TEXT[kind], "bytes")
    elif limit is not None:
        counts_bytes = habits.bytes_counted and charset_of(place.column, habits) == habits.charset
        if counts_bytes and not isinstance(place.column.type, types.Unicode):
            _check_length(place, len(text.encode(codec, "replace")), limit, "bytes")
        elif habits.kind == "mssql":
            _check_length(place, len(text.encode("utf-16-le")) // 2, limit, "characters")
        else:
            _check_length(place, len(text), limit, "characters")
    return text


def _check_length(place: Place, length: int, limit: int, unit: str) -> None:
    if length > limit:
        raise Unfit("TOO-LONG", f"{place} takes {limit} {unit}, and the text has {length}.")


def _encodable(place: Place, text: str, codec: str, three_bytes: bool, habits: Habits) -> str:
    def fits(character: str) -> bool:
        if three_bytes and ord(character) > 0xFFFF:
            return False
        try:
            character.encode(codec)
        except UnicodeEncodeError:
            return False
        return True

    if text.isascii() or (codec in ("utf-8", "gb18030") and not three_bytes):
        return text
    wrong = [number for number, character in enumerate(text, 1) if not fits(character)]
    if not wrong:
        return text
    if habits.replacement is None:
        charset = charset_of(place.column, habits)
        raise Unfit("CHARSET", f"{place} is {charset}, which has not the {_ordinal(wrong[0])} character of the text.")
    return "".join(character if fits(character) else habits.replacement for character in text)


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


# --- other values -----------------------------------------------------------------------------------------------------


def _number(place: Place, text: str, habits: Habits) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError("no number")
    precision, scale = getattr(place.column.type, "precision", None), getattr(place.column.type, "scale", None)
    exponent = value.as_tuple().exponent
    decimals = max(-exponent, 0) if isinstance(exponent, int) else 0
    if scale is not None and decimals > scale and value != round(value, scale):
        raise Unfit("DATA", f"{place} takes {scale} digits after the point; the gateway rounds nothing.")
    if precision is not None and scale is not None and abs(value) >= Decimal(10) ** (precision - scale):
        raise Unfit("DATA", f"{place} takes numbers of {precision - scale} digits before the point.")
    return value


def _float(place: Place, text: str, habits: Habits) -> float:
    return float(Decimal(text))


def _integer(place: Place, text: str, habits: Habits) -> int:
    value = Decimal(text)
    if value != value.to_integral_value():
        raise ValueError("no integer")
    return int(value)


def _boolean(place: Place, text: str, habits: Habits) -> bool:
    word = text.lower()
    if word not in ("true", "false", "1", "0", "y", "n"):
        raise ValueError("no boolean")
    return word in ("true", "1", "y")


def _moment(place: Place, text: str, habits: Habits) -> datetime | None:
    found = read_moment(text, habits.zone)
    if found is None:
        return None
    return (
        found if getattr(place.column.type, "timezone", False) else found.astimezone(habits.zone).replace(tzinfo=None)
    )


def _day(place: Place, text: str, habits: Habits) -> date | None:
    found = read_moment(text, habits.zone)
    return found.date() if found is not None else None


def _time(place: Place, text: str, habits: Habits) -> time:
    return time.fromisoformat(text)


def _binary(place: Place, text: str, habits: Habits) -> bytes:
    return base64.b64decode("".join(text.split()), validate=True)


_READERS: tuple[tuple[Any, Any], ...] = (
    (types.Boolean, _boolean),
    (types.Integer, _integer),
    (types.Float, _float),
    (types.Numeric, _number),
    (types.DateTime, _moment),
    (types.Date, _day),
    (types.Time, _time),
    (types.LargeBinary, _binary),
)


def _word(kind: types.TypeEngine[Any]) -> str:
    words = {
        types.Boolean: "true or false",
        types.Integer: "an integer",
        types.Numeric: "a number",
        types.DateTime: "a date with time",
        types.Date: "a date",
        types.Time: "a time",
        types.LargeBinary: "base64",
    }
    return next((word for known, word in words.items() if isinstance(kind, known)), "another kind of value")


# --- reading ----------------------------------------------------------------------------------------------------------


def shown(value: Any, *, trim: bool = False) -> str | None:
    """A value of a row as the text of an element; None for NULL."""
    if value is None:
        return None
    if isinstance(value, str):
        clean = _FORBIDDEN.sub("", value)
        return clean.rstrip(" ") if trim else clean
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds" if value.microsecond else "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)  # MySQL's TIME
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return shown(str(value), trim=trim)


def hospital_time(value: Any, habits: Habits, zone: timezone) -> Any:
    """A plain time of a database that keeps UTC, and one that tells its zone, in hospital time."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=habits.zone)
        try:
            return aware.astimezone(zone).replace(tzinfo=None)
        except OverflowError:  # 9999-12-31 is no moment but means that there is no end
            return value.replace(tzinfo=None)
    return value


def zone_of(utc: bool, zone: timezone) -> timezone:
    """The zone of a database's plain times."""
    return timezone(UTC.utcoffset(None)) if utc else zone
