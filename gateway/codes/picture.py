"""What is active at one moment: which table answers for whom, and what it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.codes.lines import Lookup, key_of
from gateway.codes.tables import Name, lines_of, revision
from gateway.mapping.codes import UnmappedPolicy
from gateway.model.code_table import CodeTable, CodeVersion, VersionState


@dataclass(frozen=True, slots=True)
class TableNow:
    """One table as it stands."""

    policy: UnmappedPolicy
    default_theirs: str | None
    default_ours: str | None
    version_id: int | None
    """None as long as no version is active."""

    def default(self, *, outbound: bool) -> str | None:
        """What stands in for a value without a row, if the table says so."""
        if self.policy is not UnmappedPolicy.DEFAULT:
            return None
        return self.default_theirs if outbound else self.default_ours


NO_TABLE = TableNow(UnmappedPolicy.PARK, None, None, None)
"""Nobody has made the table yet: messages wait for it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a stylesheet."""

    table: str
    value: str
    partner: str
    hospital_code: str
    outbound: bool

    @property
    def key(self) -> str:
        return key_of(self.value)


@dataclass(frozen=True)
class Picture:
    """All tables at one revision; never changes. The lines of a version are read when they are first asked for."""

    revision: int = -1
    tables: Mapping[Name, TableNow] = field(default_factory=dict)
    lookups: Mapping[int, Lookup] = field(default_factory=dict)
    """By the number of the version in the database; those read so far."""

    def table_for(self, asked: Asked) -> TableNow:
        """The partner's own table once it has an active version, else the hospital's for all partners."""
        own = self.tables.get(Name(asked.hospital_code, asked.partner, asked.table))
        general = self.tables.get(Name(asked.hospital_code, "", asked.table))
        if own is not None and (own.version_id is not None or general is None or general.version_id is None):
            return own
        return general or own or NO_TABLE

    def answer(self, asked: Asked, on: date) -> str | None:
        """What the rows say; None when none does. Its version must have been read."""
        version = self.table_for(asked).version_id
        return None if version is None else self.lookups[version].find(asked.key, outbound=asked.outbound, on=on)

    def lacks(self, asked: Asked) -> int | None:
        """The version that must be read before this can be answered, if it is not read yet."""
        version = self.table_for(asked).version_id
        return version if version is not None and version not in self.lookups else None

    def reading(self, session: Session, versions: Iterable[int]) -> Picture:
        """The same with these versions read, and without those that are not active."""
        active = {table.version_id for table in self.tables.values()}
        lookups = {number: lookup for number, lookup in self.lookups.items() if number in active}
        lookups |= {number: Lookup(lines_of(session, number)) for number in versions if number not in lookups}
        return replace(self, lookups=lookups)

    def in_use(self) -> frozenset[Name]:
        """The tables whose lines were read."""
        return frozenset(name for name, table in self.tables.items() if table.version_id in self.lookups)

    def with_version(self, name: Name, version_id: int, lookup: Lookup) -> Picture:
        """The same as if another version of one table were active."""
        table = replace(self.tables.get(name, NO_TABLE), version_id=version_id)
        return replace(self, tables={**self.tables, name: table}, lookups={**self.lookups, version_id: lookup})


def take_picture(session: Session, before: Picture | None = None) -> Picture:
    """What is active now; of the lines what was read `before` and is still active."""
    number = revision(session)
    query = select(CodeTable, CodeVersion.id).outerjoin(
        CodeVersion, (CodeVersion.table_id == CodeTable.id) & (CodeVersion.state == VersionState.ACTIVE)
    )
    tables = {
        Name(row.hospital_code, row.partner, row.name): TableNow(
            UnmappedPolicy(row.policy), row.default_theirs, row.default_ours, version
        )
        for row, version in session.execute(query)
    }
    return Picture(number, tables, before.lookups if before is not None else {})
