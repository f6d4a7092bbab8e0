"""Reads a partner's table or view again and again, in an order that never skips a row (docs/databases.md, "Polls")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from lxml import etree
from sqlalchemy import Column, ColumnElement, Select, Table, and_, not_, or_, select, types, update
from sqlalchemy.exc import DataError, DBAPIError

from gateway.database_config import DatabaseAccess, Detail, Poll
from gateway.mapping.dates import read_moment
from gateway.partner_config import Partner
from gateway.partners.database.door import Door, Visit
from gateway.partners.database.failures import DriverMissing, Misfit, OutOfTime, Unfit, number_of, trouble
from gateway.partners.database.rows import Cell
from gateway.partners.database.statements import after, value_of
from gateway.partners.database.tables import Tables, column
from gateway.partners.database.values import Habits, Place, bound, hospital_time, shown, zone_of
from gateway.partners.database.writing import put

NEVER_UNDERSTOOD = (UnicodeError, ValueError, OverflowError, DataError)
"""What drivers raise for a value they cannot read: wrong bytes in a text, a date that Python does not know."""
_DIGIT = re.compile(r"\d")


class SourceAway(Exception):
    """The source cannot be read now; the code says why, the text more, without a value."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row as it was read."""

    key: str
    version: str
    """Empty when no column tells a changed row."""
    position: tuple[str, ...]
    """Where it stands: its time, if the poll goes by time, and its key."""
    element: etree._Element | None
    """Its columns and details; None when the driver cannot read it, or when only its place was asked for."""
    is_whole: bool = True
    """False when only its place was asked for."""


class Source:
    """One poll's table; used by one thread at a time."""

    def __init__(self, partner: Partner, poll: Poll, zone: timezone) -> None:
        self._partner = partner
        self._poll = poll
        self._zone = zone
        self._own_zone = zone_of(partner.database is not None and partner.database.utc, zone)
        self._door = Door(partner)
        extra = (poll.table, *(detail.table for detail in poll.details))
        self._tables = Tables(partner.database or DatabaseAccess(), self._door.kind, zone, extra)

    # --- reading ------------------------------------------------------------------------------------------------------

    def rows(
        self, lower: Sequence[str] | None, upper: Sequence[str] | None = None, *, whole: bool = True
    ) -> Iterator[list[SourceRow]]:
        """All rows behind a position and up to another, page by page, as the source orders them. Raises SourceAway.

        With an upper end rows are looked at again: by time those of the very time of `lower` come too. Unless the
        `whole` rows are wanted only their places are read.
        """
        before: tuple[Any, ...] | None = None
        limit = self._poll.batch
        while True:
            with self._visit() as visit:
                page, last = self._page(visit, lower, upper, before, whole, limit)
            if page:
                yield page
            if last is None:
                return
            if last == before:  # the driver keeps fewer digits than the source: behind this row it stands itself
                limit *= 2
            before = last

    def earlier(self, position: Sequence[str], since: datetime) -> list[str]:
        """The position from which rows are looked at again by time, but not from before reading began."""
        poll, moment = self._poll, read_moment(position[0], self._own_zone)
        if moment is None:
            return list(position)
        before = moment - timedelta(minutes=poll.again_minutes)
        if poll.start != "beginning":
            begin = since if poll.start == "now" else read_moment(str(poll.start), self._own_zone)
            before = max(before, (begin or before).astimezone(self._own_zone))
        if "T" not in position[0]:  # a text, or a day: compared as it is written
            return [_written_alike(position[0], before), *position[1:]]
        has_zone = "+" in position[0] or position[0].endswith("Z")
        return [(before if has_zone else before.replace(tzinfo=None)).isoformat(), *position[1:]]

    def is_reached(self, position: Sequence[str], now: datetime) -> bool:
        """Whether reading may go on behind this position.

        By time not behind one that is still to come, as of a wrong clock or an "until further notice" of 2099: what is
        written before that time comes would stand in front of it, and further back than is looked at again.
        """
        if self._poll.by != "time":
            return True
        try:
            moment = read_moment(position[0], self._own_zone)
        except ValueError:
            return False
        return moment is None or moment <= now + timedelta(minutes=self._poll.again_minutes)

    def row(self, key: str) -> SourceRow | None:
        """One row by its key; None when it is there no more."""
        with self._visit() as visit:
            table, habits = self._table(visit)
            found = bound(Place(table.name, self._key(table)), key, habits)
            read = self._read(visit, table, select(*self._selected(table)).where(self._key(table) == found), habits)
            return read[0][0] if read else None

    def newest(self, now: datetime) -> tuple[str, ...] | None:
        """The position of the last row there is, of those whose time has come; None when there is none."""
        with self._visit() as visit:
            table, habits = self._table(visit)
            by, where = self._order(table), self._wanted(visit, table)
            if self._poll.by == "time" and not isinstance(by[0].type, types.String):
                latest = now + timedelta(minutes=self._poll.again_minutes)
                where.append(by[0] <= bound(Place(table.name, by[0]), latest.isoformat(), habits))
            query = select(*by).where(*where).order_by(*[one.desc() for one in by]).limit(1)
            row = visit.connection.execute(query).first()
            return None if row is None else tuple(str(shown(value)) for value in row)

    def _page(
        self,
        visit: Visit,
        lower: Sequence[str] | None,
        upper: Sequence[str] | None,
        last: tuple[Any, ...] | None,
        whole: bool,
        limit: int,
    ) -> tuple[list[SourceRow], tuple[Any, ...] | None]:
        """Some rows, and where to go on; None at the end."""
        table, habits = self._table(visit)
        by, where = self._order(table), self._wanted(visit, table)
        if last is not None:
            where.append(after(by, last))
        elif lower is not None:
            values = self._values(table, lower, habits)
            is_from = self._poll.by == "time" and upper is not None
            where.append(by[0] >= values[0] if is_from else after(by, values))
        if upper is not None:
            where.append(not_(after(by, self._values(table, upper, habits))))
        query = select(*(self._selected(table) if whole else self._place(table)))
        query = query.where(*where).order_by(*by).limit(limit)
        rows = self._read(visit, table, query, habits) if whole else self._places(visit, table, query)
        last = rows[-1][1] if len(rows) == limit else None
        return [row for row, _ in rows if row is not None], last

    def _values(self, table: Table, position: Sequence[str], habits: Habits) -> list[Any]:
        """A position that was kept as texts; one that somebody has written may hold the time alone."""
        values = []
        for one, text in zip(self._order(table), position, strict=False):
            value = bound(Place(table.name, one), text, habits)
            if value is None:
                raise Misfit("START", f"{table.name}.{one.name}: the position of poll {self._poll.name} is none.")
            values.append(value)
        return values

    def _place(self, table: Table) -> list[Column[Any]]:
        """The columns by which one sees whether a row is known."""
        version = self._poll.version_column
        return self._order(table) + ([column(table, version)] if version is not None else [])

    def _places(self, visit: Visit, table: Table, query: Select[Any]) -> list[tuple[SourceRow, tuple[Any, ...]]]:
        many = len(self._order(table))
        found = []
        for row in visit.connection.execute(query).all():
            texts = tuple(str(shown(value)) for value in row[:many])
            version = shown(row[-1]) or "" if self._poll.version_column is not None else ""
            found.append((SourceRow(texts[-1].rstrip(" "), version, texts, None, is_whole=False), tuple(row[:many])))
        return found

    def _read(
        self, visit: Visit, table: Table, query: Select[Any], habits: Habits
    ) -> Sequence[tuple[SourceRow | None, tuple[Any, ...]]]:
        try:
            found = visit.connection.execute(query).all()
            return [self._understood(visit, table, row, habits) for row in found]
        except NEVER_UNDERSTOOD:
            return self._one_by_one(visit, table, query, habits)

    def _one_by_one(
        self, visit: Visit, table: Table, query: Select[Any], habits: Habits
    ) -> list[tuple[SourceRow | None, tuple[Any, ...]]]:
        """The same rows when one of them, or of its details, cannot be read: that one comes without its columns.

        None stands for a row that is gone by now.
        """
        found: list[tuple[SourceRow | None, tuple[Any, ...]]] = []
        visit.connection.rollback()  # PostgreSQL answers nothing more in a transaction that has failed
        for position in visit.connection.execute(query.with_only_columns(*self._order(table))).all():
            try:
                one = select(*self._selected(table)).where(self._key(table) == position[-1])
                row = visit.connection.execute(one).first()
                read = None if row is None else self._understood(visit, table, row, habits)[0]
            except NEVER_UNDERSTOOD:
                visit.connection.rollback()
                texts = tuple(str(shown(value)) for value in position)
                read = SourceRow(texts[-1].rstrip(" "), "", texts, None)
            found.append((read, tuple(position)))
        return found

    def _understood(self, visit: Visit, table: Table, row: Any, habits: Habits) -> tuple[SourceRow, tuple[Any, ...]]:
        poll, values = self._poll, row._mapping
        element = etree.Element("Row", table=poll.table)
        self._fill(element, poll.columns, table, values, habits)
        for detail in poll.details:
            self._add_details(visit, element, detail, table, values, habits)
        where = tuple(values[one] for one in self._order(table))
        version = shown(values[column(table, poll.version_column)]) if poll.version_column is not None else ""
        texts = tuple(str(shown(value)) for value in where)
        return SourceRow(texts[-1].rstrip(" "), version or "", texts, element), where

    def _add_details(
        self, visit: Visit, element: etree._Element, detail: Detail, table: Table, values: Any, habits: Habits
    ) -> None:
        other = self._tables.table(visit.connection, detail.table)
        query = select(*[column(other, name) for name in detail.columns])
        for theirs, ours in detail.match.items():
            query = query.where(column(other, theirs) == values[column(table, ours)])
        order = [column(other, name) for name in detail.order] or list(other.primary_key.columns)
        for row in visit.connection.execute(query.order_by(*order)).all():
            self._fill(
                etree.SubElement(element, "Detail", table=detail.table), detail.columns, other, row._mapping, habits
            )

    def _fill(self, element: etree._Element, names: Sequence[str], table: Table, values: Any, habits: Habits) -> None:
        for name in names:
            value = hospital_time(values[column(table, name)], habits, self._zone)
            put(element, name, shown(value, trim=self._poll.trim))

    # --- writing back -------------------------------------------------------------------------------------------------

    def mark(self, key: str, values: Mapping[str, str]) -> bool:
        """Write into columns of a row; False when it is there no more. Raises SourceAway."""
        with self._visit() as visit:
            table, habits = self._table(visit)
            lenient = replace(habits, replacement=habits.replacement or "?")
            written = {}
            for name, text in values.items():
                found, value = value_of(table, Cell(name, _cut(table, name, text, habits)), lenient)
                written[found.name] = value
            found_key = bound(Place(table.name, self._key(table)), key, habits)
            done = visit.connection.execute(update(table).where(self._key(table) == found_key).values(written))
            visit.commit()
            return done.rowcount > 0

    def close(self) -> None:
        self._door.close()

    # --- what it is made of -------------------------------------------------------------------------------------------

    def _visit(self) -> _Visits:
        return _Visits(self._door, self._partner.total_seconds, self._tables)

    def _table(self, visit: Visit) -> tuple[Table, Habits]:
        return self._tables.table(visit.connection, self._poll.table), self._tables.habits(visit.connection)

    def _key(self, table: Table) -> Column[Any]:
        return column(table, self._poll.key)

    def _order(self, table: Table) -> list[Column[Any]]:
        times = [column(table, self._poll.time)] if self._poll.time is not None else []
        return [*times, self._key(table)]

    def _selected(self, table: Table) -> list[Column[Any]]:
        """The columns the stylesheet gets, and those by which the row is known."""
        poll = self._poll
        matched = [ours for detail in poll.details for ours in detail.match.values()]
        names = [*poll.columns, poll.key, *matched]
        names += [name for name in (poll.time, poll.version) if name is not None]
        return list({column(table, name).name: column(table, name) for name in names}.values())

    def _wanted(self, visit: Visit, table: Table) -> list[ColumnElement[bool]]:
        """What a row must have to be read: a place in the order, and the values the settings say."""
        habits = self._tables.habits(visit.connection)
        conditions: list[ColumnElement[bool]] = [one.is_not(None) for one in self._order(table)]
        wanted = dict(self._poll.where)
        if self._poll.by == "mark" and self._poll.mark is not None:
            wanted[self._poll.mark.column] = self._poll.mark.unread
        for name, given in wanted.items():
            texts = given if isinstance(given, tuple) else (given,)
            values = [value_of(table, Cell(name, str(text)), habits)[1] for text in texts]
            found = column(table, name)
            fits = found.in_([value for value in values if value is not None])
            conditions.append(or_(fits, found.is_(None)) if "" in texts else fits)
        return [and_(*conditions)]


class _Visits:
    """A visit whose troubles are told as SourceAway."""

    def __init__(self, door: Door, seconds: float, tables: Tables) -> None:
        self._door, self._seconds, self._tables = door, seconds, tables
        self._visit: Any = None

    def __enter__(self) -> Visit:
        try:
            self._visit = self._door.visit(self._seconds)
            entered: Visit = self._visit.__enter__()
            return entered
        except Exception as problem:
            raise _away(problem, self._door.kind) from None

    def __exit__(self, kind: Any, problem: BaseException | None, trace: Any) -> None:
        self._visit.__exit__(kind, problem, trace)
        if isinstance(problem, Exception) and not isinstance(problem, SourceAway):
            self._tables.forget()
            raise _away(problem, self._door.kind) from None


def _away(problem: Exception, kind: str) -> SourceAway:
    if isinstance(problem, DriverMissing):
        return SourceAway("DRIVER", str(problem))
    if isinstance(problem, OutOfTime):
        return SourceAway("TIMEOUT")
    if isinstance(problem, Unfit):
        return SourceAway(problem.code, str(problem))
    if isinstance(problem, DBAPIError):
        number = number_of(problem)
        return SourceAway(trouble(kind, problem).code, f"error {number} of the database" if number else "")
    return SourceAway("AWAY", type(problem).__name__)


def _written_alike(text: str, moment: datetime) -> str:
    """A moment as the text writes one: its digits in the same places."""
    digits = iter(f"{moment:%Y%m%d%H%M%S}")
    return _DIGIT.sub(lambda _: next(digits, "0"), text)


def _cut(table: Table, name: str, text: str, habits: Habits) -> str:
    """A text of ours as long as its column is; words for people may be cut."""
    limit = getattr(column(table, name).type, "length", None)
    if limit is None:
        return text
    if habits.bytes_counted:
        text = text.encode()[: int(limit)].decode("utf-8", "ignore")
    return text[: int(limit)]
