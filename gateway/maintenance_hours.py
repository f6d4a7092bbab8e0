"""The hours in which a partner is in maintenance again and again: every night, or every Sunday morning.

A word of partner.toml: "02:00-03:30" is every day, "Sun 01:00-05:00" one day, "Mon-Fri 12:00-12:30" and
"Sat,Sun 22:00-04:00" several. Hours that end before they begin go on over midnight; the day is the one they begin on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CHINESE = "一二三四五六日"
_WORDS = re.compile(r"(?:(?P<days>[^\d\s][^\d]*?)\s+)?(?P<begin>\d{1,2}:\d{2})\s*[-–~至]\s*(?P<end>\d{1,2}:\d{2})")
_WHOLE_DAY = timedelta(days=1)
_SHAPE = 'is written "02:00-03:30" or "Sun 01:00-05:00"'


@dataclass(frozen=True, slots=True)
class MaintenanceHours:
    """One word of partner.toml, understood."""

    word: str
    days: frozenset[int]
    """Monday is 0."""
    begin: time
    lasts: timedelta

    @classmethod
    def parse(cls, word: str) -> MaintenanceHours:
        """Raises ValueError, which says what is wrong."""
        found = _WORDS.fullmatch(word.strip())
        if found is None:
            raise ValueError(f'"{word}" is no maintenance: it {_SHAPE}')
        begin, end = _minutes(found["begin"], word), _minutes(found["end"], word)
        if begin == end or begin == 24 * 60:
            raise ValueError(f'"{word}" is no maintenance: it must end at another time than it begins, within a day')
        lasts = timedelta(minutes=end - begin if end > begin else end - begin + 24 * 60)
        return cls(word.strip(), _days(found["days"], word), time(begin // 60, begin % 60), lasts)

    def around(self, at: datetime) -> tuple[datetime, datetime] | None:
        """When those that are going on at a moment of hospital time began, and when they end; None when none are."""
        for began in (at - _WHOLE_DAY, at):
            if began.weekday() in self.days:
                start = began.replace(hour=self.begin.hour, minute=self.begin.minute, second=0, microsecond=0)
                if start <= at < start + self.lasts:
                    return start, start + self.lasts
        return None


def going_on(hours: Iterable[MaintenanceHours], at: datetime) -> tuple[datetime, datetime] | None:
    """Of all that are going on now, what ends last; hours that follow each other without a gap are one."""
    every = tuple(hours)
    found = max((one for one in (each.around(at) for each in every) if one), key=lambda one: one[1], default=None)
    while found is not None:
        after = max((one[1] for one in (each.around(found[1]) for each in every) if one), default=found[1])
        if after == found[1] or after - at > 7 * _WHOLE_DAY:
            return found
        found = found[0], after
    return None


def refuse_endless(hours: Iterable[MaintenanceHours]) -> None:
    """Raises ValueError for hours that leave no minute of the week, after which nothing would ever be sent."""
    every = tuple(hours)
    monday = datetime(2024, 1, 1)  # noqa: DTZ001 - any week will do
    minutes = (monday + timedelta(minutes=number) for number in range(7 * 24 * 60))
    if every and all(any(one.around(minute) for one in every) for minute in minutes):
        raise ValueError("the maintenance never ends: together its hours fill the whole week")


def _minutes(clock: str, word: str) -> int:
    hour, minute = map(int, clock.split(":"))
    if minute > 59 or hour * 60 + minute > 24 * 60:
        raise ValueError(f'"{word}" is no maintenance: {clock} is no time of day')
    return hour * 60 + minute


def _days(words: str | None, word: str) -> frozenset[int]:
    if words is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in re.split(r"\s*[,，、]\s*", words.strip()):
        first, *last = (_day(name, word) for name in re.split(r"\s*[-–~至]\s*", part))
        if len(last) > 1:
            raise ValueError(f'"{word}" is no maintenance: it {_SHAPE}')
        length = (last[0] - first) % 7 if last else 0
        found |= {(first + number) % 7 for number in range(length + 1)}
    return frozenset(found)


def _day(name: str, word: str) -> int:
    lower = name.casefold()
    for names in (DAYS, _FULL):
        if lower in names:
            return names.index(lower)
    chinese = re.fullmatch(r"(?:周|星期|礼拜)([一二三四五六日天])", name)
    if chinese is not None:
        return _CHINESE.index(chinese[1].replace("天", "日"))
    raise ValueError(f'"{word}" is no maintenance: {name} is no day of the week (Mon, Tue, Wed, Thu, Fri, Sat, Sun)')
