"""Commands about code mapping (对照): tables in and out of files, versions, and what had no row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from gateway.cli import code_traffic
from gateway.cli.terminal import HERE, WRONG, Failure, Folder, is_wanted, note, plain_table, progress, say, show
from gateway.codes import tables, unmapped
from gateway.codes.findings import Finding, check
from gateway.codes.lines import Line, key_of
from gateway.codes.reading import Reader, known_codes
from gateway.codes.tables import Name
from gateway.codes.writing import write_lines
from gateway.config import Settings, load_settings
from gateway.delivery.waiting import Waiting, go_on, waiting
from gateway.mapping.codes import UnmappedPolicy
from gateway.model.code_table import CodeTable, CodeVersion, Direction, VersionState
from gateway.sheets import write_rows
from gateway.site import audit, database_session, operator

SHOWN = 20
LONGEST_NAME = 64
ARROWS = {Direction.BOTH: "<->", Direction.OUT: "->", Direction.IN: "<-"}
TableName = Annotated[str, typer.Argument(metavar="TABLE", help="As stylesheets call it, such as department.")]
Whose = Annotated[str, typer.Option("--partner", metavar="NAME", help="The partner's own; else that for all.")]
Hospital = Annotated[str, typer.Option("--hospital", metavar="CODE", help="Of several hospitals, which.")]
Number = Annotated[int | None, typer.Option("--version", metavar="NO", help="As `gateway codes show` lists them.")]
Known = Annotated[
    Path | None, typer.Option("--known", metavar="FILE", help="A list of all codes of ours: which have no row?")
]
Report = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write all of it, .csv or .xlsx.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="What the hospital's codes are called at its partners (对照).")
    group.command("list")(list_tables)
    group.command("show")(show_table)
    group.command("import")(import_file)
    group.command("export")(export_file)
    group.command("check")(check_version)
    group.command("activate")(activate)
    group.command("rollback")(roll_back)
    group.command("discard")(discard)
    group.command("policy")(set_policy)
    group.command("unmapped")(list_unmapped)
    code_traffic.add_to(group)
    app.add_typer(group, name="codes")


@dataclass(frozen=True, slots=True)
class _Place:
    """The site and the table a command is about."""

    settings: Settings
    session: Session
    name: Name
    now: datetime

    def table(self, *, lock: bool = False) -> CodeTable:
        return tables.the_table(self.session, self.name, lock=lock)

    def note(self, action: str, detail: str) -> None:
        audit(self.session, action, f"codes {self.name}", detail)


@contextmanager
def _opened(folder: Path, table: str, partner: str, hospital: str) -> Iterator[_Place]:
    settings = load_settings(folder)
    code = hospital or settings.hospital_code
    if code not in settings.hospital_codes:
        raise Failure(f"{code} is no hospital of this site.", WRONG)
    if not table or len(table) > LONGEST_NAME or not table.isprintable() or " " in table:
        raise Failure(f"A table has a name of up to {LONGEST_NAME} characters without spaces.", WRONG)
    if partner and partner not in {one.name for one in settings.partners}:
        note(f"{partner} is no partner of this site so far.")
    with database_session(settings) as session:
        yield _Place(settings, session, Name(code, partner, table), datetime.now(settings.zone))


# --- looking ----------------------------------------------------------------------------------------------------------


def list_tables(folder: Folder = HERE) -> None:
    """All tables: what counts, since when, what becomes of values without a row, and how many such values there are."""
    settings = load_settings(folder)
    columns = ("HOSPITAL", "TABLE", "PARTNER", "VERSION", "ROWS", "SINCE", "BY", "WITHOUT A ROW", "DRAFTS")
    shown = plain_table(*columns)
    with database_session(settings) as session:
        for one in tables.all_tables(session):
            table, version = one.table, one.active
            facts = ("-", "", "", "")
            if version is not None:
                by = version.activated_by or ""
                facts = (str(version.number), f"{version.row_count:,}", _time(settings, version.activated_at), by)
            whose = table.partner or "all"
            shown.add_row(table.hospital_code, table.name, whose, *facts, _policy(table), str(one.drafts or ""))
    show(shown)


def show_table(
    table: TableName,
    partner: Whose = "",
    hospital: Hospital = "",
    version: Number = None,
    code: Annotated[str, typer.Option("--code", metavar="CODE", help="Only rows with this code, ours or theirs.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1)] = SHOWN,
    folder: Folder = HERE,
) -> None:
    """A table's versions, and the rows of the one that counts, or of another."""
    with _opened(folder, table, partner, hospital) as here:
        found = here.table()
        say(f"{here.name}: without a row {_policy(found)}")
        known = tables.versions(here.session, found)
        _show_versions(here.settings, known)
        wanted = _wanted(here, found, version, known)
        if wanted is None:
            return
        lines = [
            line
            for line in tables.lines_of(here.session, wanted.id)
            if not code or key_of(code) in (key_of(line.ours), key_of(line.theirs))
        ]
        _show_lines(wanted, lines, limit)


def _wanted(here: _Place, table: CodeTable, number: int | None, known: Sequence[CodeVersion]) -> CodeVersion | None:
    """The version that is meant: by number, else the active one, else the newest; None when there is none."""
    if number is not None:
        return tables.the_version(here.session, table, number, VersionState.ACTIVE)
    return next((one for one in known if one.state == VersionState.ACTIVE), known[0] if known else None)


def _show_versions(settings: Settings, known: Sequence[CodeVersion]) -> None:
    shown = plain_table("VERSION", "STATE", "ROWS", "FROM", "MADE", "BY", "ACTIVATED", "BY", "RETIRED", "BY")
    for one in known:
        made = (one.source, _time(settings, one.made_at), one.made_by)
        counted = (_time(settings, one.activated_at), one.activated_by or "")
        ended = (_time(settings, one.retired_at), one.retired_by or "")
        shown.add_row(str(one.number), one.state, f"{one.row_count:,}", *made, *counted, *ended)
    show(shown)


def _show_lines(version: CodeVersion, lines: Sequence[Line], limit: int) -> None:
    say(f"Rows of version {version.number}:")
    shown = plain_table("OURS", "", "", "THEIRS", "", "", "FROM", "UNTIL BEFORE", "NOTE")
    for line in islice(lines, limit):
        days = tuple(str(day) if day is not None else "" for day in (line.valid_from, line.valid_to))
        preferred = "preferred" if line.preferred else ""
        arrow = ARROWS[line.direction]
        shown.add_row(line.ours, line.ours_name, arrow, line.theirs, line.theirs_name, preferred, *days, line.note)
    show(shown)
    if len(lines) > limit:
        note(f"The first {limit:,} of {len(lines):,} are shown: --limit shows more, export all.")


def list_unmapped(
    partner: Annotated[str | None, typer.Option("--partner", metavar="NAME", help="Only of this partner.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also what has a row by now.")] = False,
    folder: Folder = HERE,
) -> None:
    """Values that were met and have no row: since when, how often, and how many messages wait for each."""
    settings = load_settings(folder)
    with database_session(settings) as session:
        rows = unmapped.unmapped_codes(session, partner=partner, settled=every)
        counts = waiting(session)
    columns = ("HOSPITAL", "PARTNER", "TABLE", "DIRECTION", "VALUE", "POLICY", "SINCE", "LAST", "MET", "WAIT", "BEHIND")
    shown = plain_table(*columns, *(("SETTLED",) if every else ()))
    for row in rows:
        count = counts.get(row.id, Waiting(0, 0))
        times = (_time(settings, row.first_seen), _time(settings, row.last_seen))
        numbers = (f"{row.met:,}", f"{count.many:,}", f"{count.behind:,}")
        words = (row.hospital_code, row.partner, row.code_table, unmapped.way(row.outbound), row.value, row.policy)
        shown.add_row(*words, *times, *numbers, *((_time(settings, row.resolved_at),) if every else ()))
    show(shown)


# --- files ------------------------------------------------------------------------------------------------------------


def import_file(
    table: TableName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or XLSX with headings such as 本院代码.")],
    partner: Whose = "",
    hospital: Hospital = "",
    known: Known = None,
    report: Report = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is found.")] = False,
    as_written: Annotated[
        bool, typer.Option("--as-written", help="Take codes that look like 1.00E+05 or 3月1日 as they are written.")
    ] = False,
    folder: Folder = HERE,
) -> None:
    """Make a draft of all rows of a file. What counts does not change: `gateway codes activate` does that.

    Exit code 1, and no draft, when a row cannot be understood or rows contradict each other.
    """
    with _opened(folder, table, partner, hospital) as here:
        with progress(f"Reading {file.name}", None) as tell:
            reader = Reader(file, as_written=as_written, told=lambda done: tell(done, ""))
            reader.read()
        wanted = known_codes(known) if known is not None else None
        findings = [*reader.findings, *check(reader.lines, here.now.date(), wanted)]
        _tell(findings, report)
        stops = sum(finding.kind.stops for finding in findings)
        say(f"{file.name}: usable rows: {len(reader.lines):,}.")
        if stops:
            raise Failure(f"Nothing is imported: mend what stops it ({stops:,}) in {file.name} and import it again.")
        if not reader.lines:
            raise Failure(f"Nothing is imported: {file.name} has no row that can be used.")
        if dry_run:
            note("Nothing is imported: it is only looked at.")
            return
        with progress("Storing", len(reader.lines)) as tell:
            found = tables.take_table(here.session, here.name, operator(), here.now)
            draft = tables.add_draft(
                here.session, found, reader.lines, file.name[:200], operator(), here.now, lambda done: tell(done, "")
            )
        here.note("CODES_IMPORT", f"version={draft.number} rows={draft.row_count}")
        here.session.commit()
        say(f"Version {draft.number} of {here.name} is a draft, rows: {draft.row_count:,}.")
        note("What counts has not changed: look with `gateway codes what-if`, then `gateway codes activate`.")


def export_file(
    table: TableName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="To be written, .csv or .xlsx.")],
    partner: Whose = "",
    hospital: Hospital = "",
    version: Number = None,
    folder: Folder = HERE,
) -> None:
    """Write the rows of the version that counts, or of another, as import takes them."""
    if file.suffix.lower() not in (".csv", ".xlsx"):
        raise Failure(f"{file.name}: the name must end in .csv or .xlsx.", WRONG)
    with _opened(folder, table, partner, hospital) as here:
        found = here.table()
        wanted = _wanted(here, found, version, tables.versions(here.session, found))
        if wanted is None:
            raise Failure(f"{here.name} has no version yet: there is nothing to export.")
        write_lines(file, tables.lines_of(here.session, wanted.id))
        say(f"Written: {file}, version {wanted.number}, rows: {wanted.row_count:,}")


def check_version(
    table: TableName,
    partner: Whose = "",
    hospital: Hospital = "",
    version: Number = None,
    known: Known = None,
    report: Report = None,
    folder: Folder = HERE,
) -> None:
    """Look through the newest draft, else the version that counts: duplicates, gaps, what is not valid today."""
    with _opened(folder, table, partner, hospital) as here:
        found = here.table()
        all_of_it = tables.versions(here.session, found)
        drafts = [one for one in all_of_it if one.state == VersionState.DRAFT]
        wanted = drafts[0] if drafts and version is None else _wanted(here, found, version, all_of_it)
        if wanted is None:
            raise Failure(f"{here.name} has no version yet: there is nothing to check.")
        lines = list(tables.lines_of(here.session, wanted.id))
        codes = known_codes(known) if known is not None else None
        findings = check(lines, here.now.date(), codes)
    say(f"Version {wanted.number} of {here.name}, {wanted.state}: {len(lines):,} rows")
    _tell(findings, report)
    if not findings:
        say("Nothing is found.")


def _tell(findings: Sequence[Finding], report: Path | None) -> None:
    """How many of what, the first of each, and all into the report."""
    ordered = sorted(findings, key=lambda one: (not one.kind.stops, one.kind.words, one.number))
    if ordered:
        shown = plain_table("FOUND", "ROW", "CODE", "")
        per_kind: Counter[str] = Counter()
        for one in ordered:
            per_kind[one.kind.words] += 1
            if per_kind[one.kind.words] <= SHOWN:
                shown.add_row(one.kind.words, str(one.number or ""), one.code, one.text)
        show(shown)
        stopping = {one.kind.words for one in ordered if one.kind.stops}
        counts = (f"{words}{' (stops it)' if words in stopping else ''} {many:,}" for words, many in per_kind.items())
        say(f"Found: {', '.join(counts)}")
    if report is not None:
        write_rows(
            report,
            ("问题 Found", "行 Row", "代码 Code", "说明 Text"),
            ((one.kind.words, str(one.number or ""), one.code, one.text) for one in ordered),
        )
        say(f"Written: {report}")


# --- what counts ------------------------------------------------------------------------------------------------------


def activate(
    table: TableName,
    partner: Whose = "",
    hospital: Hospital = "",
    version: Number = None,
    yes: Yes = False,
    folder: Folder = HERE,
) -> None:
    """Let the newest draft, or another version, count from now on; messages that wait for its rows go on at once."""
    with _opened(folder, table, partner, hospital) as here:
        found = here.table(lock=True)
        wanted = tables.the_version(here.session, found, version, VersionState.DRAFT)
        before = tables.active(here.session, found)
        say(_difference(here.session, before, wanted))
        if not is_wanted(yes, f"Let version {wanted.number} of {here.name} count from now on?"):
            return
        tables.activate(here.session, found, wanted, operator(), here.now)
        replaced = f" in place of version {before.number}" if before is not None else ""
        _changed(here, "CODES_ACTIVATE", f"version={wanted.number}")
        say(f"Version {wanted.number} of {here.name} counts now{replaced}.")


def roll_back(
    table: TableName, partner: Whose = "", hospital: Hospital = "", yes: Yes = False, folder: Folder = HERE
) -> None:
    """Let the version count again that was active before."""
    with _opened(folder, table, partner, hospital) as here:
        found = here.table(lock=True)
        gone, back = tables.way_back(here.session, found)
        say(_difference(here.session, gone, back))
        if not is_wanted(yes, f"Go back from version {gone.number} of {here.name} to version {back.number}?"):
            return
        tables.roll_back(here.session, found, operator(), here.now)
        _changed(here, "CODES_ROLLBACK", f"from={gone.number} to={back.number}")
        say(f"Version {back.number} of {here.name} counts again; version {gone.number} is kept.")


def discard(
    table: TableName,
    partner: Whose = "",
    hospital: Hospital = "",
    version: Number = None,
    yes: Yes = False,
    folder: Folder = HERE,
) -> None:
    """Delete the newest draft, or another one, with its rows; what counts or has counted is kept."""
    with _opened(folder, table, partner, hospital) as here:
        found = here.table(lock=True)
        draft = tables.the_version(here.session, found, version, VersionState.DRAFT)
        number, rows, source = draft.number, draft.row_count, draft.source
        if not is_wanted(yes, f"Delete version {number} of {here.name} ({source}, rows: {rows:,})?"):
            return
        tables.discard(here.session, found, draft)
        here.note("CODES_DISCARD", f"version={number} rows={rows}")
        here.session.commit()
        say(f"Version {number} of {here.name} is deleted; what counts has not changed.")


def set_policy(
    table: TableName,
    policy: Annotated[UnmappedPolicy, typer.Argument(metavar="WORD", help="reject, pass, default or park.")],
    theirs: Annotated[
        str | None,
        typer.Option("--theirs", metavar="CODE", help="With default: sent in place of ours."),
    ] = None,
    ours: Annotated[
        str | None,
        typer.Option("--ours", metavar="CODE", help="With default: taken in place of theirs."),
    ] = None,
    partner: Whose = "",
    hospital: Hospital = "",
    folder: Folder = HERE,
) -> None:
    """Decide about values without a row: the message is refused, or waits; or the value passes, or another does."""
    with _opened(folder, table, partner, hospital) as here:
        found = tables.take_table(here.session, here.name, operator(), here.now)
        tables.set_policy(here.session, found, tables.Unmapped(policy, theirs, ours), operator(), here.now)
        here.session.flush()
        _changed(here, "CODES_POLICY", f"policy={policy}")
        say(f"{here.name}: without a row {_policy(found)}")


def _changed(here: _Place, action: str, detail: str) -> None:
    """Settle what has a row now, let go what waited for it, and note who did it; all at once."""
    settled = unmapped.settle(here.session, here.now)
    gone = go_on(here.session, settled, here.now)
    here.note(action, f"{detail} settled={len(settled)} messages={gone}")
    here.session.commit()
    if settled:
        say(f"Values settled: {len(settled):,}. Messages that go on: {gone:,}.")


def _difference(session: Session, before: CodeVersion | None, after: CodeVersion) -> str:
    """What changes in rows."""
    old = set(tables.lines_of(session, before.id)) if before is not None else set()
    new = set(tables.lines_of(session, after.id))
    return f"Rows: {len(new - old):,} new or changed, {len(old - new):,} gone, {len(new & old):,} the same."


def _policy(table: CodeTable) -> str:
    stand_ins = ((table.default_theirs, "out"), (table.default_ours, "in"))
    given = ", ".join(f"{value} {where}" for value, where in stand_ins if value is not None)
    return f"{table.policy}{f' ({given})' if given else ''}"


def _time(settings: Settings, at: datetime | None) -> str:
    return f"{at.astimezone(settings.zone):%Y-%m-%d %H:%M:%S}" if at is not None else ""
