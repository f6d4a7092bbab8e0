"""What the code tables say to the messages of the last days: what has a row, and what another version changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy.orm import Session

from gateway.codes.picture import Asked, Picture, take_picture

Scope = tuple[str, str, str, bool]
"""Hospital, partner, table, and whether ours to theirs."""


@dataclass(slots=True)
class TableTraffic:
    """What was asked of one table in one direction."""

    values: Counter[str] = field(default_factory=Counter)
    """In how many messages each value stands."""
    messages: int = 0
    """How many messages ask it anything."""
    complete: int = 0
    """And how many of them are answered in all they ask."""


class Listener:
    """Answers look-ups from one picture of the tables and remembers them; implements CodeTables, for one thread.

    Nothing is counted as unmapped, and no message is stopped: what has no row passes, so that all its codes are seen.
    """

    def __init__(self, session: Session, on: date) -> None:
        self._session = session
        self._on = on
        self._heard: set[Asked] = set()
        self.picture = take_picture(session)
        self.tables: dict[Scope, TableTraffic] = {}
        self.messages = 0

    def translate(self, table: str, value: str, *, partner: str, hospital_code: str, outbound: bool, on: date) -> str:
        asked = Asked(table, value, partner, hospital_code, outbound)
        if not asked.key:
            return value
        self._heard.add(Asked(table, asked.key, partner, hospital_code, outbound))
        answer = self.answer(asked)
        return answer if answer is not None else value

    def answer(self, asked: Asked) -> str | None:
        """What counts says today."""
        lacking = self.picture.lacks(asked)
        if lacking is not None:
            self.picture = self.picture.reading(self._session, [lacking])
        return self.picture.answer(asked, self._on)

    def message_ends(self) -> None:
        """All look-ups since the last call belong to one message."""
        self.messages += 1
        answered: dict[Scope, bool] = {}
        for asked in self._heard:
            scope = (asked.hospital_code, asked.partner, asked.table, asked.outbound)
            self.tables.setdefault(scope, TableTraffic()).values[asked.value] += 1
            answered[scope] = answered.get(scope, True) and self.answer(asked) is not None
        for scope, is_complete in answered.items():
            self.tables[scope].messages += 1
            self.tables[scope].complete += is_complete
        self._heard.clear()

    def add(self, asked: Asked, many: int) -> None:
        """A value that was met so often in messages that are not kept, unless it was heard in others."""
        scope = (asked.hospital_code, asked.partner, asked.table, asked.outbound)
        traffic = self.tables.setdefault(scope, TableTraffic())
        if asked.value not in traffic.values:
            traffic.values[asked.value] = many
            traffic.messages += many
            traffic.complete += many if self.answer(asked) is not None else 0

    def heard(self) -> Iterator[tuple[Asked, int]]:
        """Every value that was asked for, and in how many messages."""
        for (hospital, partner, table, outbound), traffic in sorted(self.tables.items()):
            for value, many in sorted(traffic.values.items()):
                yield Asked(table, value, partner, hospital, outbound), many


@dataclass(frozen=True, slots=True)
class Covered:
    """How much of what was asked of a table has a row."""

    scope: Scope
    values: int
    messages: int
    complete: int
    """Of how many messages all values have a row."""
    without: tuple[tuple[str, int], ...]
    """The values without a row and in how many messages each stands, the most frequent first."""


def coverage(listener: Listener) -> list[Covered]:
    """Table by table."""
    found = []
    for scope, traffic in sorted(listener.tables.items()):
        hospital, partner, table, outbound = scope
        without = [
            (value, many)
            for value, many in traffic.values.most_common()
            if listener.answer(Asked(table, value, partner, hospital, outbound)) is None
        ]
        found.append(Covered(scope, len(traffic.values), traffic.messages, traffic.complete, tuple(without)))
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """A value that another version answers otherwise."""

    asked: Asked
    messages: int
    before: str | None
    after: str | None

    @property
    def words(self) -> str:
        if self.after is None:
            return "loses its row"
        return "gets a row" if self.before is None else "changes"


def changes(listener: Listener, other: Picture, on: date) -> list[Change]:
    """What would change with the other picture, what loses its row first."""
    found = []
    for asked, many in listener.heard():
        before, after = listener.answer(asked), other.answer(asked, on)
        if before != after:
            found.append(Change(asked, many, before, after))
    return sorted(found, key=lambda change: (change.after is not None, change.before is None, -change.messages))
