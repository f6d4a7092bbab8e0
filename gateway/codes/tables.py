"""The tables and versions in the database: made, looked at, activated and rolled back.

Every function works in the transaction of the session given; the caller commits, with its audit entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gateway.codes.lines import Line
from gateway.mapping.codes import UnmappedPolicy
from gateway.model.code_table import CodeRevision, CodeRow, CodeTable, CodeVersion, Direction, VersionState

REVISION = 1
"""The one row of code_revision."""
AT_ONCE = 1000
LONGEST_IMPORT = "30min"
_COLUMNS = "version_id, ours, ours_name, theirs, theirs_name, direction, preferred, valid_from, valid_to, note"

Told = Callable[[int], None]


class CodesRefused(Exception):
    """What was asked cannot be done; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Name:
    """Which table is meant."""

    hospital_code: str
    partner: str
    table: str

    def __str__(self) -> str:
        whose = f"of {self.partner}" if self.partner else "for all partners"
        return f"{self.table} {whose} at {self.hospital_code}"


@dataclass(frozen=True, slots=True)
class Unmapped:
    """What is to become of values without a row."""

    policy: UnmappedPolicy = UnmappedPolicy.PARK
    default_theirs: str | None = None
    default_ours: str | None = None


@dataclass(frozen=True, slots=True)
class TableSummary:
    """A table as it is listed."""

    table: CodeTable
    active: CodeVersion | None
    drafts: int


def find_table(session: Session, name: Name, *, lock: bool = False) -> CodeTable | None:
    query = select(CodeTable).where(
        CodeTable.hospital_code == name.hospital_code, CodeTable.partner == name.partner, CodeTable.name == name.table
    )
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def the_table(session: Session, name: Name, *, lock: bool = False) -> CodeTable:
    """Raises CodesRefused when there is none."""
    found = find_table(session, name, lock=lock)
    if found is None:
        raise CodesRefused(f"There is no table {name}: `gateway codes import` makes one.")
    return found


def take_table(session: Session, name: Name, by: str, now: datetime) -> CodeTable:
    """The table, locked; it is made when there is none, and then parks what has no row."""
    values = {
        "hospital_code": name.hospital_code,
        "partner": name.partner,
        "name": name.table,
        "policy": UnmappedPolicy.PARK,
        "changed_at": now,
        "changed_by": by,
    }
    session.execute(insert(CodeTable).values(values).on_conflict_do_nothing())
    return the_table(session, name, lock=True)


def set_policy(session: Session, table: CodeTable, unmapped: Unmapped, by: str, now: datetime) -> None:
    """Decide what becomes of values without a row, from now on. Raises CodesRefused."""
    is_default = unmapped.policy is UnmappedPolicy.DEFAULT
    given = (unmapped.default_theirs, unmapped.default_ours)
    if is_default and not any(given):
        raise CodesRefused("The policy default needs the value that stands in: theirs, ours or both.")
    if not is_default and any(given):
        raise CodesRefused("A value that stands in is used by the policy default alone.")
    table.policy, table.default_theirs, table.default_ours = unmapped.policy, *given
    table.changed_at, table.changed_by = now, by
    bump(session)


def all_tables(session: Session) -> Sequence[TableSummary]:
    """Every table with its active version and its drafts, by hospital, name and partner."""
    drafts = (
        select(CodeVersion.table_id, func.count().label("many"))
        .where(CodeVersion.state == VersionState.DRAFT)
        .group_by(CodeVersion.table_id)
        .subquery()
    )
    is_active = (CodeVersion.table_id == CodeTable.id) & (CodeVersion.state == VersionState.ACTIVE)
    query = (
        select(CodeTable, CodeVersion, func.coalesce(drafts.c.many, 0))
        .outerjoin(CodeVersion, is_active)
        .outerjoin(drafts, drafts.c.table_id == CodeTable.id)
        .order_by(CodeTable.hospital_code, CodeTable.name, CodeTable.partner)
    )
    return [TableSummary(*row) for row in session.execute(query)]


# --- versions ---------------------------------------------------------------------------------------------------------


def add_draft(
    session: Session,
    table: CodeTable,
    lines: Sequence[Line],
    source: str,
    by: str,
    now: datetime,
    told: Told = lambda done: None,
) -> CodeVersion:
    """A new version with these lines; what is active does not change. The table must be locked."""
    newest = session.scalar(select(func.max(CodeVersion.number)).where(CodeVersion.table_id == table.id)) or 0
    version = CodeVersion(
        table_id=table.id,
        number=newest + 1,
        state=VersionState.DRAFT,
        row_count=len(lines),
        source=source,
        made_at=now,
        made_by=by,
    )
    session.add(version)
    session.flush()
    session.execute(text(f"SET LOCAL statement_timeout = '{LONGEST_IMPORT}'"))
    driver: Any = session.connection().connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY code_row ({_COLUMNS}) FROM STDIN") as copy:
        for done, line in enumerate(lines, 1):
            names = (line.ours, line.ours_name, line.theirs, line.theirs_name, str(line.direction))
            copy.write_row((version.id, *names, line.preferred, line.valid_from, line.valid_to, line.note))
            if done % AT_ONCE == 0:
                told(done)
    return version


def discard(session: Session, table: CodeTable, version: CodeVersion) -> None:
    """Delete a draft with its rows. The table must be locked. Raises CodesRefused for what counts or has counted."""
    if version.state != VersionState.DRAFT:
        raise CodesRefused(
            f"Version {version.number} of {table.name} is {version.state} and stays: only a draft can be discarded."
        )
    session.execute(text(f"SET LOCAL statement_timeout = '{LONGEST_IMPORT}'"))
    session.execute(delete(CodeRow).where(CodeRow.version_id == version.id))
    session.delete(version)
    session.flush()


def versions(session: Session, table: CodeTable) -> Sequence[CodeVersion]:
    """All of a table, the newest first."""
    query = select(CodeVersion).where(CodeVersion.table_id == table.id).order_by(CodeVersion.number.desc())
    return session.scalars(query).all()


def active(session: Session, table: CodeTable) -> CodeVersion | None:
    return next((one for one in versions(session, table) if one.state == VersionState.ACTIVE), None)


def the_version(session: Session, table: CodeTable, number: int | None, state: VersionState) -> CodeVersion:
    """The one of that number, else the newest in that state. Raises CodesRefused."""
    fits = [one for one in versions(session, table) if (one.state == state if number is None else one.number == number)]
    if not fits:
        what = f"version {number}" if number is not None else f"version that is {state}"
        raise CodesRefused(f"The table {table.name} has no {what}: `gateway codes show {table.name}` lists them.")
    return fits[0]


def lines_of(session: Session, version_id: int) -> Iterator[Line]:
    """The lines of a version in the order of its file."""
    query = (
        select(
            CodeRow.ours,
            CodeRow.theirs,
            CodeRow.ours_name,
            CodeRow.theirs_name,
            CodeRow.direction,
            CodeRow.preferred,
            CodeRow.valid_from,
            CodeRow.valid_to,
            CodeRow.note,
        )
        .where(CodeRow.version_id == version_id)
        .order_by(CodeRow.id)
    )
    for row in session.execute(query):
        yield Line(row[0], row[1], row[2], row[3], Direction(row[4]), *row[5:])


def activate(session: Session, table: CodeTable, version: CodeVersion, by: str, now: datetime) -> CodeVersion | None:
    """Let this version count from now on, at once and in every process; the one it replaces. Raises CodesRefused."""
    bump(session)
    before = active(session, table)
    if before is not None and before.id == version.id:
        raise CodesRefused(f"Version {version.number} of {table.name} is active already.")
    _exchange(session, before, version, by, now)
    version.replaced = before.number if before is not None else None
    return before


def roll_back(session: Session, table: CodeTable, by: str, now: datetime) -> None:
    """Let the version count again that was active before. Raises CodesRefused."""
    bump(session)
    present, before = way_back(session, table)
    _exchange(session, present, before, by, now)


def way_back(session: Session, table: CodeTable) -> tuple[CodeVersion, CodeVersion]:
    """The version a rollback would take away, and the one it would bring back. Raises CodesRefused."""
    present = active(session, table)
    if present is None or present.replaced is None:
        raise CodesRefused(f"No version of {table.name} was active before: there is nothing to go back to.")
    return present, the_version(session, table, present.replaced, VersionState.RETIRED)


def _exchange(session: Session, before: CodeVersion | None, after: CodeVersion, by: str, now: datetime) -> None:
    if before is not None:
        before.state, before.retired_at, before.retired_by = VersionState.RETIRED, now, by
        session.flush()  # never two active ones
    after.state, after.activated_at, after.activated_by = VersionState.ACTIVE, now, by
    after.retired_at = after.retired_by = None
    session.flush()


# --- the number every process looks at --------------------------------------------------------------------------------


def bump(session: Session) -> None:
    """Tell every process that something has changed, once this transaction commits.

    Until then whoever stores that a message waits for a code waits too, so none is overlooked (`hold_revision`).
    """
    grown = insert(CodeRevision).values(id=REVISION, revision=1)
    session.execute(grown.on_conflict_do_update(index_elements=["id"], set_={"revision": CodeRevision.revision + 1}))


def revision(session: Session) -> int:
    return session.scalar(select(CodeRevision.revision)) or 0


def hold_revision(session: Session) -> int:
    """The number, which cannot grow before this transaction ends.

    Without its row there would be nothing to hold, and whoever changes a table for the first time would overlook what
    is just being stored.
    """
    session.execute(insert(CodeRevision).values(id=REVISION, revision=0).on_conflict_do_nothing())
    return session.scalars(select(CodeRevision.revision).with_for_update(read=True)).one()
