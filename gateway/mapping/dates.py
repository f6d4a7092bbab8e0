"""Dates and times as partners write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

PLACEHOLDERS = frozenset({date(1, 1, 1), date(1899, 12, 30), date(1900, 1, 1)})
"""What systems write that have no date."""

_WRITTEN = re.compile(
    r"(?P<year>\d{4})(?:(?P<MM>\d{2})(?P<dd>\d{2})|[-/.年](?P<M>\d{1,2})[-/.月](?P<d>\d{1,2})(?:日|(?!\d)))"
    r"(?:[T\s]*(?P<hour>\d{2}|\d(?=:))(?:(?P<colon>:?)(?P<minute>\d{2})"
    r"(?:(?P=colon)(?P<second>\d{2})(?:[.:,](?P<fraction>\d{1,9}))?)?)?)?\s*(?P<offset>Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
"""A part may have one digit only where a sign ends it: 198512 is a month of HL7, and no second of January."""
_LETTERS = re.compile(r"yyyy|yy|MM|dd|HH|mm|ss|SSS|M|d|H")


def read_moment(text: str, zone: timezone) -> datetime | None:
    """The moment a text means, in hospital time where it names no zone; None for none and for placeholders.

    Understands 2026-11-28T08:05:00+08:00, 2026-11-28 8:05, 2026/11/28, 20261128080500.123, 2026年11月28日 and the like.
    Raises ValueError for what is no date, such as 2024-02-30, and for what could be two.
    """
    plain = text.strip()
    if not plain:
        return None
    found = _WRITTEN.fullmatch(plain)
    if found is None:
        raise ValueError("no date")
    on = date(int(found["year"]), int(found["MM"] or found["M"]), int(found["dd"] or found["d"]))
    if on in PLACEHOLDERS:
        return None
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and minute + second > 0):
        raise ValueError("no time")
    at = datetime(on.year, on.month, on.day, tzinfo=_zone(found["offset"]) or zone)
    at += timedelta(hours=hour, minutes=minute, seconds=second)
    at += timedelta(microseconds=int((found["fraction"] or "0")[:6].ljust(6, "0")))
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
