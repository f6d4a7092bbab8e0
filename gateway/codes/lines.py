"""One line of a code table, and how codes are compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from gateway.model.code_table import Direction

LONGEST_CODE = 100

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_PLAIN = str.maketrans({**_FULL_WIDTH, 0x3000: " ", 0x200B: None, 0xFEFF: None})
"""Full-width letters, digits and signs to plain ones; what cannot be seen goes."""


def key_of(value: str) -> str:
    """By what a code is found: without white space around it, full-width forms made plain. Leading zeros stay."""
    return " ".join((value if value.isascii() else value.translate(_PLAIN)).split())


@dataclass(frozen=True, slots=True)
class Line:
    """One code of ours and one of theirs, as they are written."""

    ours: str
    theirs: str
    ours_name: str = ""
    theirs_name: str = ""
    direction: Direction = Direction.BOTH
    preferred: bool = False
    valid_from: date | None = None
    valid_to: date | None = None
    """The first day on which it counts no more."""
    note: str = ""
    number: int = field(default=0, compare=False)
    """Its row in the file."""

    @property
    def begins(self) -> date:
        return self.valid_from or date.min

    @property
    def ends(self) -> date:
        return self.valid_to or date.max

    def is_read(self, *, outbound: bool) -> bool:
        """Whether it answers in this direction."""
        return self.direction is not (Direction.IN if outbound else Direction.OUT)

    def code(self, *, outbound: bool) -> str:
        """The code that is looked up in this direction; the other one is the answer."""
        return self.ours if outbound else self.theirs


_Entry = tuple[date, date, bool, str]
"""First day, first day no more, preferred, answer."""


class Lookup:
    """A version as it is asked, in both directions; never changes, so any number of threads may ask it."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._ways: dict[bool, dict[str, str | tuple[_Entry, ...]]] = {True: {}, False: {}}
        for line in lines:
            entry = (line.begins, line.ends, line.preferred)
            if line.direction is not Direction.IN:
                self._add(True, line.ours, (*entry, line.theirs))
            if line.direction is not Direction.OUT:
                self._add(False, line.theirs, (*entry, line.ours))

    def _add(self, outbound: bool, code: str, entry: _Entry) -> None:
        """Most codes have one answer for all days: that takes one place in a dictionary."""
        way, key = self._ways[outbound], key_of(code)
        known = way.get(key)
        if known is None:
            is_plain = entry[:3] == (date.min, date.max, False)
            way[key] = entry[3] if is_plain else (entry,)
        else:
            before = ((date.min, date.max, False, known),) if isinstance(known, str) else known
            way[key] = (*before, entry)

    def find(self, key: str, *, outbound: bool, on: date) -> str | None:
        """The answer of that day; of several the preferred one. None when there is none, or nobody can tell which."""
        known = self._ways[outbound].get(key)
        if known is None or isinstance(known, str):
            return known
        valid = [entry for entry in known if entry[0] <= on < entry[1]]
        return _only({entry[3] for entry in valid}) or _only({entry[3] for entry in valid if entry[2]})

    def has(self, key: str, *, outbound: bool, on: date) -> bool:
        """Whether any line of this code counts on that day."""
        known = self._ways[outbound].get(key, ())
        return isinstance(known, str) or any(entry[0] <= on < entry[1] for entry in known)


def _only(answers: set[str]) -> str | None:
    return next(iter(answers)) if len(answers) == 1 else None
