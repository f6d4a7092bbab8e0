"""Dates and times as partners write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

PLACEHOLDERS = frozenset({date(1, 1, 1), date(1899, 12, 30), date(1900, 1, 1)})
"""What systems write that have no date."""

_WRITTEN = re.compile(
    r"(\d{4})(?:[-/.年]?)(\d{1,2})(?:[-/.月]?)(\d{1,2})日?"
    r"(?:[T ]?\s*(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.:,](\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_COMPACT = re.compile(
    r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(?:(\d{2})(?:\.(\d{1,9}))?)?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)
_LETTERS = re.compile(r"yyyy|yy|MM|dd|HH|mm|ss|SSS|M|d|H")


def read_moment(text: str, zone: timezone) -> datetime | None:
    """The moment a text means, in hospital time where it names no zone; None for none and for placeholders.

    Understands 2026-11-28T08:05:00+08:00, 2026-11-28 8:05, 2026/11/28, 20261128080500.123, 2026年11月28日 and the like.
    Raises ValueError for what is no date, such as 2024-02-30.
    """
    plain = text.strip()
    if not plain:
        return None
    found = _COMPACT.fullmatch(plain) or _WRITTEN.fullmatch(plain)
    if found is None:
        raise ValueError("no date")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    on = date(int(year), int(month), int(day))
    if on in PLACEHOLDERS:
        return None
    at = datetime(on.year, on.month, on.day, tzinfo=_zone(offset) or zone)
    at += timedelta(hours=int(hour or 0), minutes=int(minute or 0), seconds=int(second or 0))
    if int(hour or 0) > 24 or int(minute or 0) > 59 or int(second or 0) > 60:
        raise ValueError("no time")
    at += timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0")))
    return at.astimezone(zone)


def write_moment(at: datetime, pattern: str) -> str:
    """The moment by a pattern of yyyy MM dd HH mm ss SSS; everything else stands for itself."""
    values = {
        "yyyy": f"{at:%Y}".zfill(4),
        "yy": f"{at:%y}",
        "MM": f"{at:%m}",
        "M": str(at.month),
        "dd": f"{at:%d}",
        "d": str(at.day),
        "HH": f"{at:%H}",
        "H": str(at.hour),
        "mm": f"{at:%M}",
        "ss": f"{at:%S}",
        "SSS": f"{at.microsecond // 1000:03d}",
    }
    return _LETTERS.sub(lambda found: values[found[0]], pattern)


def _zone(offset: str | None) -> timezone | None:
    if offset is None:
        return None
    if offset == "Z":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    delta = timedelta(hours=hours, minutes=minutes)
    return timezone(-delta if offset[0] == "-" else delta)
