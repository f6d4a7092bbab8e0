"""Commands that hold code tables against the messages of the last days: what has a row, what a draft would change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from gateway.cli.terminal import HERE, WRONG, Failure, Folder, note, plain_table, progress, say, show
from gateway.codes import tables
from gateway.codes.coverage import Change, Covered, Listener, changes, coverage
from gateway.codes.lines import Lookup
from gateway.codes.tables import Name
from gateway.codes.unmapped import asked_of, unmapped_codes, way
from gateway.config import Settings, load_settings
from gateway.contract import Contract
from gateway.facades.asked_codes import Received, by_facade, by_hl7
from gateway.mapping.codes import NoCodeTables
from gateway.messages.wire import Wire
from gateway.model.code_table import VersionState
from gateway.partners.asked_codes import Sent
from gateway.partners.mapped import Surroundings
from gateway.polling.asked_codes import by_polls
from gateway.sheets import write_rows
from gateway.site import database_session

SHOWN, FEW = 20, 5
Source = Sent | Received
COVERAGE = ("Hospital", "Partner", "Table", "Direction", "Code", "Messages")
CHANGES = ("Change", "Partner", "Table", "Direction", "Code", "Now", "Then", "Messages")
MOST = 100_000
Days = Annotated[int, typer.Option("--days", min=1, max=92, help="How many days back.")]
Most = Annotated[int, typer.Option("--most", min=1, help="Of each partner the newest messages only.")]
Report = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write all of it, .csv or .xlsx.")]
On = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="As the rows count on this day; today.")
]


def add_to(group: typer.Typer) -> None:
    group.command("coverage")(show_coverage)
    group.command("what-if")(what_if)


def show_coverage(
    partner: Annotated[str, typer.Option("--partner", metavar="NAME", help="Only of this partner.")] = "",
    days: Days = 7,
    most: Most = MOST,
    on: On = None,
    report: Report = None,
    folder: Folder = HERE,
) -> None:
    """How many of the codes of last week's messages have a row. Their stylesheets are run again; nothing is sent."""
    settings = load_settings(folder)
    with database_session(settings) as session:
        listener = Listener(session, _day(settings, on))
        _listen(session, settings, listener, partner, days, most)
        covered = [one for one in coverage(listener) if partner in ("", one.scope[1])]
    _show_covered(covered)
    if report is not None:
        rows = (
            (one.scope[0], one.scope[1], one.scope[2], way(one.scope[3]), value, str(many))
            for one in covered
            for value, many in one.without
        )
        write_rows(report, COVERAGE, rows)
        say(f"Written: {report}")


def what_if(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="As stylesheets call it, such as department.")],
    partner: Annotated[
        str, typer.Option("--partner", metavar="NAME", help="The partner's own; else that for all.")
    ] = "",
    hospital: Annotated[str, typer.Option("--hospital", metavar="CODE", help="Of several hospitals, which.")] = "",
    version: Annotated[int | None, typer.Option("--version", metavar="NO", help="Not the newest draft.")] = None,
    days: Days = 7,
    most: Most = MOST,
    on: On = None,
    report: Report = None,
    folder: Folder = HERE,
) -> None:
    """What the newest draft would change in the codes of last week's messages. Nothing is sent or activated."""
    settings = load_settings(folder)
    name = Name(hospital or settings.hospital_code, partner, table)
    with database_session(settings) as session:
        found = tables.the_table(session, name)
        wanted = tables.the_version(session, found, version, VersionState.DRAFT)
        rows = Lookup(tables.lines_of(session, wanted.id))  # at once: a draft may be discarded meanwhile
        day = _day(settings, on)
        listener = Listener(session, day)
        _listen(session, settings, listener, partner, days, most)
        for asked, _ in listener.heard():
            listener.answer(asked)  # so that the picture holds every version that is asked
        found_changes = changes(listener, listener.picture.with_version(name, wanted.id, rows), day)
    _show_changes(found_changes, f"version {wanted.number} of {name}", report)


def _listen(session: Session, settings: Settings, listener: Listener, name: str, days: int, most: int) -> None:
    """Look through the messages of these days, with a bar; with a name those of that partner."""
    since = datetime.now(settings.zone) - timedelta(days=days)
    sources = _sources(settings, name, since, most)
    counts = [one.count(session) for one in sources]
    total, before = sum(min(count, most) for count in counts), 0
    with progress("Looking up the codes", total) as tell:
        for one, count in zip(sources, counts, strict=True):
            many = min(count, most)
            if count > most:
                note(f"{one.name}: the newest {most:,} of {count:,} messages are looked at.")
            failed = one.listen(session, listener, _after(before, tell))
            if failed:
                note(f"{one.name}: {failed:,} of {many:,} messages cannot be mapped.")
            before += many
    say(f"Messages looked at: {listener.messages:,}.")
    for row in unmapped_codes(session, partner=name or None, settled=True):
        if row.last_seen >= since:
            listener.add(asked_of(row), row.met)


def _after(before: int, tell: Callable[[int, str], None]) -> Callable[[int], None]:
    return lambda done: tell(before + done, "")


def _sources(settings: Settings, name: str, since: datetime, most: int) -> list[Source]:
    """The messages to partners with stylesheets, and those that came by facades, over MLLP and from polls."""
    now, contract = datetime.now(settings.zone), Contract()
    around = Surroundings(contract, Wire(contract, settings.zone), lambda: now, NoCodeTables())
    when = (settings.hospital_code, settings.zone, since, most)
    sources: list[Source] = [
        Sent(partner, around, since, most)
        for partner in settings.partners
        if partner.operations and name in ("", partner.name)
    ]
    sources += [by_facade(one, *when) for one in settings.facades if name == "" or one.partner in (None, name)]
    sources += [by_hl7(port, settings.folder, *when) for port in settings.hl7 if name in ("", port.client)]
    sources += [by_polls(one, *when) for one in settings.partners if one.polls and name in ("", one.name)]
    if name and not sources:
        settings.partner(name)
        raise Failure(f"{name} gets our own messages: no stylesheet asks for its codes.", WRONG)
    return sources


def _day(settings: Settings, on: datetime | None) -> date:
    return (on or datetime.now(settings.zone)).date()


def _show_covered(covered: Sequence[Covered]) -> None:
    columns = (
        "HOSPITAL",
        "PARTNER",
        "TABLE",
        "DIRECTION",
        "VALUES",
        "WITH A ROW",
        "MESSAGES",
        "WITH ALL ROWS",
        "WITHOUT",
    )
    shown = plain_table(*columns)
    for one in covered:
        hospital, partner, table, outbound = one.scope
        counts = (one.values, one.values - len(one.without), one.messages, one.complete)
        few = ", ".join(f"{value} ({many:,})" for value, many in one.without[:FEW])
        more = f" and {len(one.without) - FEW:,} more" if len(one.without) > FEW else ""
        shown.add_row(hospital, partner, table, way(outbound), *(f"{count:,}" for count in counts), few + more)
    show(shown)


def _show_changes(found: Sequence[Change], what: str, report: Path | None) -> None:
    shown = plain_table("", "PARTNER", "TABLE", "DIRECTION", "VALUE", "NOW", "THEN", "MESSAGES")
    rows = [_change_row(change) for change in found]
    for row in rows[:SHOWN]:
        shown.add_row(*row)
    if rows:
        show(shown)
    if len(rows) > SHOWN:
        note(f"The first {SHOWN} of {len(rows):,} are shown: --report writes all.")
    counts = [
        f"{sum(change.words == words for change in found):,} {many}"
        for words, many in (("loses its row", "lose their row"), ("changes", "change"), ("gets a row", "get a row"))
    ]
    say(f"With {what} the values of these messages: {', '.join(counts)}.")
    if report is not None:
        write_rows(report, CHANGES, rows)
        say(f"Written: {report}")


def _change_row(change: Change) -> tuple[str, ...]:
    asked = change.asked
    answers = (change.before or "", change.after or "")
    return (change.words, asked.partner, asked.table, way(asked.outbound), asked.value, *answers, str(change.messages))
