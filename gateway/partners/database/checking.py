"""Looks whether a partner's database is as the settings say: the tables, the columns, the key of repetitions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timezone

from sqlalchemy import select

from gateway.database_config import DatabaseAccess, Poll
from gateway.mapping.errors import StylesheetBroken
from gateway.mapping.stylesheet import Stylesheet, located
from gateway.partner_config import Partner
from gateway.partners.database.door import Door, Visit
from gateway.partners.database.failures import Misfit, told_as_answer
from gateway.partners.database.tables import Tables, column, has_column, is_unique, undoes_nothing


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    is_good: bool
    words: str
    is_weak: bool = False
    """It works, and could be safer."""


def look(partner: Partner, zone: timezone) -> Iterator[Finding]:
    """All there is to be seen without writing; ends early when there is no connection."""
    door, access, begun = Door(partner), partner.database or DatabaseAccess(), time.monotonic()
    tables = Tables(access, door.kind, zone, [name for poll in partner.polls for name in _tables_of(poll)])
    try:
        with door.visit(partner.total_seconds) as visit:
            version = ".".join(map(str, visit.connection.dialect.server_version_info or ()))
            took = (time.monotonic() - begun) * 1000
            yield Finding(True, f"{visit.connection.dialect.name} {version} answers after {took:.0f} ms")
            for name in access.tables:
                yield from _table(visit, tables, access, name)
            for poll in partner.polls:
                yield from _poll(visit, tables, partner, poll)
    except Exception as problem:
        answer = told_as_answer(problem, door.kind, timed_out=False)
        yield Finding(False, f"{answer.code} {answer.detail}".strip())
    finally:
        door.close()


def _table(visit: Visit, tables: Tables, access: DatabaseAccess, name: str) -> Iterator[Finding]:
    try:
        table = tables.table(visit.connection, name)
    except Misfit as problem:
        yield Finding(False, str(problem))
        return
    yield Finding(True, f"{name} has {len(table.columns)} columns")
    if undoes_nothing(table):
        yield Finding(False, f"{name} is kept by an engine without transactions: use InnoDB")
    key = access.message_id
    if key is not None and has_column(table, key) and not is_unique(visit.connection, table, key):
        yield Finding(True, f"{name}.{key} is not unique by itself: make it so, or part of a unique key", is_weak=True)


def _tables_of(poll: Poll) -> list[str]:
    return [poll.table, *(detail.table for detail in poll.details)]


def _poll(visit: Visit, tables: Tables, partner: Partner, poll: Poll) -> Iterator[Finding]:
    try:
        Stylesheet(located(poll.stylesheet, partner.folder))
        table = tables.table(visit.connection, poll.table)
        named = [*poll.columns, poll.key, *poll.where, *poll.answer]
        named += [name for name in (poll.time, poll.version, poll.mark and poll.mark.column) if name]
        wanted = [column(table, name) for name in dict.fromkeys(named)]
        for detail in poll.details:
            other = tables.table(visit.connection, detail.table)
            for name in (*detail.columns, *detail.match, *detail.order):
                column(other, name)
        visit.connection.execute(select(*wanted).limit(1)).first()
    except (Misfit, StylesheetBroken) as problem:
        yield Finding(False, f"poll {poll.name}: {problem}")
        return
    yield Finding(True, f"poll {poll.name} can read {poll.table}")
