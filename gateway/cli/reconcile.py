"""Commands about reconciliation (对账): compare the books of a day, see what is open, settle a difference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy.orm import Session, sessionmaker

from gateway.cli.terminal import HERE, WRONG, Failure, Folder, note, plain_table, say, show
from gateway.codes.translating import DatabaseCodes
from gateway.config import Settings, load_settings
from gateway.contract import Contract
from gateway.delivery.holds import Holds
from gateway.delivery.routing import partners_of
from gateway.messages.wire import Wire
from gateway.partners.registry import Partners
from gateway.reconciliation import results
from gateway.reconciliation.asking import Books, BooksUnavailable, asked_books
from gateway.reconciliation.booking import DIFFERENCES, WORDS, Counterpart
from gateway.reconciliation.listing import FileList
from gateway.reconciliation.open_items import OpenKind, counted, open_items
from gateway.reconciliation.running import Order, Runner
from gateway.reconciliation.running import Progress as Tell
from gateway.reconciliation.sheet import NAMES, NOTES, lines_of, write_sheets
from gateway.reconciliation.values import ValueProblem, moment_of
from gateway.sheets import FileRefused
from gateway.site import audit, database_session, operator

DIFFERENT = 1
"""The exit code when the books differ."""
NOT_COMPARED = 3
"""The exit code when the other side's books could not be read."""
SHOWN = 20
OPEN_WORDS = {
    OpenKind.MONEY: "money without an outcome",
    OpenKind.REQUISITION: "released, not delivered",
    OpenKind.CRITICAL: "critical values not handled",
}
HIS_FILE = typer.Option("--his-file", metavar="FILE", help="HIS's list of the day, .csv or .xlsx.")
INSURER_FILE = typer.Option("--insurer-file", metavar="FILE", help="The insurer's list, .csv or .xlsx.")


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(invoke_without_command=True, help="Compare the books of a day with HIS and the insurer.")
    group.callback()(reconcile)
    group.command("open")(list_open)
    group.command("settle")(settle)
    app.add_typer(group, name="reconcile")


def reconcile(
    context: typer.Context,
    day: Annotated[
        str, typer.Option("--date", metavar="DAY", help="Such as 2026-11-24, today or yesterday.")
    ] = "yesterday",
    department: Annotated[str, typer.Option("--department", metavar="CODE", help="Only this one.")] = "",
    his_file: Annotated[Path | None, HIS_FILE] = None,
    insurer_file: Annotated[Path | None, INSURER_FILE] = None,
    from_his: Annotated[
        bool, typer.Option("--from-his", help="Ask HIS; done without saying when no file is given.")
    ] = False,
    from_insurer: Annotated[
        bool, typer.Option("--from-insurer", help="Ask the insurance platforms; done without saying like --from-his.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Ask for details also where the totals of a department agree.")
    ] = False,
    hospital: Annotated[str, typer.Option("--hospital", metavar="CODE", help="Of several hospitals, which.")] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIRECTORY", help="For the day sheets.", show_default="reconciliation/sheets"),
    ] = None,
    folder: Folder = HERE,
) -> int | None:
    """Compare a day: totals of the departments first, then every booking where they differ.

    Exit code 0 when the books agree, 1 when they differ, 2 when the command or a file is wrong, 3 when HIS is silent.
    """
    if context.invoked_subcommand is not None:
        return None
    if from_his and his_file is not None:
        raise Failure("Give --his-file or --from-his, not both.", WRONG)
    asked = (from_his, from_insurer) if his_file or insurer_file or from_his or from_insurer else (True, True)
    settings = load_settings(folder)
    hospital = hospital or settings.hospital_code
    if hospital not in settings.hospital_codes:
        raise Failure(f"{hospital} is no hospital of this site.", WRONG)
    wanted = _day(day, settings)
    sheets = output or settings.folder / "reconciliation" / "sheets"
    summaries, silent = [], None
    with database_session(settings) as session, _progress() as tell:
        runner = Runner(settings, lambda: datetime.now(settings.zone), tell)
        for counterpart, source in _sources(session, settings, hospital, his_file, insurer_file, asked):
            order = Order(hospital, wanted, counterpart, operator(), department, every)
            try:
                summaries.append(_compare(session, runner, order, source, settings, sheets))
            except BooksUnavailable as problem:
                session.rollback()
                silent = silent or Failure(str(problem), NOT_COMPARED)
    for summary, paths, lines in summaries:
        _show(summary, paths, lines)
    if silent is not None:
        raise silent
    return DIFFERENT if any(summary.differences for summary, _, _ in summaries) else 0


def list_open(folder: Folder = HERE) -> None:
    """What ought to be finished: money without an outcome, requisitions not delivered, critical values not handled."""
    settings = load_settings(folder)
    with database_session(settings) as session:
        items = open_items(session, datetime.now(settings.zone), settings.reconciliation.open_minutes)
    table = plain_table("WHAT", "ABOUT", "STATE", "SINCE")
    for item in items:
        table.add_row(
            OPEN_WORDS[item.kind], item.subject, item.state, f"{item.since.astimezone(settings.zone):%m-%d %H:%M:%S}"
        )
    show(table)
    note(", ".join(f"{OPEN_WORDS[kind]}: {count}" for kind, count in counted(items).items()))


def settle(
    number: Annotated[int, typer.Argument(metavar="NO", help="Of the difference, as the day sheet shows it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What was done about it; no names.")],
    folder: Folder = HERE,
) -> None:
    """Note what was done about a difference: it then counts no more, also when the day is compared again."""
    if not reason.strip():
        raise Failure("--reason must say what was done.", WRONG)
    settings = load_settings(folder)
    with database_session(settings) as session:
        try:
            now = datetime.now(settings.zone)
            found = results.resolve(session, number, reason.strip(), operator(), now)
        except results.ResolutionRefused as refused:
            raise Failure(str(refused)) from None
        audit(session, "SETTLE_DIFFERENCE", f"difference {number}", found.kind)
        session.commit()
    say(f"Difference {number} ({found.kind} {found.number or found.requisition_no}) is settled.")


# --- how it is done ---------------------------------------------------------------------------------------------------


def _day(text: str, settings: Settings) -> date:
    today = datetime.now(settings.zone).date()
    words = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        day = words.get(text.lower()) or moment_of(text, settings.zone)[0]
    except ValueProblem:
        raise Failure(f"{text} is no day: give --date 2026-11-24, today or yesterday.", WRONG) from None
    if day > today:
        raise Failure(f"{day} has not come yet.", WRONG)
    return day


Source = FileList | Books


def _sources(
    session: Session,
    settings: Settings,
    hospital: str,
    his_file: Path | None,
    insurer_file: Path | None,
    asked: tuple[bool, bool],
) -> Iterator[tuple[Counterpart, Source]]:
    """With whom the books are compared, and where the other side's are."""
    if his_file is not None:
        yield Counterpart.HIS, FileList(his_file, settings.reconciliation, settings.zone)
    if insurer_file is not None:
        yield Counterpart.INSURER, FileList(insurer_file, settings.reconciliation, settings.zone)
    known = list(_asked(session, settings, hospital)) if any(asked) else []
    if asked[0] and not any(counterpart is Counterpart.HIS for counterpart, _ in known):
        raise Failure("No partner gets ChargeItem: give --his-file, or name the HIS in [reconciliation] his.", WRONG)
    for counterpart, books in known:
        if asked[0] if counterpart is Counterpart.HIS else asked[1]:
            yield counterpart, books


def _asked(session: Session, settings: Settings, hospital: str) -> Iterator[tuple[Counterpart, Books]]:
    """Whose books can be asked; who is stopped is not, and the books say so."""

    def now() -> datetime:
        return datetime.now(settings.zone)

    def routed(operation: str) -> tuple[str, ...]:
        return partners_of(settings.routes, operation, hospital_code=hospital, requisition_type=None, perform_dept=None)

    contract, holds = Contract(), Holds(now)
    holds.refresh(session)
    wire = Wire(contract, settings.zone)
    codes = DatabaseCodes(sessionmaker(session.get_bind()), now)
    partners = Partners(settings.partners, contract, wire, now, codes=codes, is_stopped=holds.is_stopped)
    return asked_books(partners, settings.reconciliation.his, routed, hospital, now)


def _compare(
    session: Session, runner: Runner, order: Order, source: Source, settings: Settings, sheets: Path
) -> tuple[results.Summary, tuple[Path, Path], list[tuple[str, ...]]]:
    try:
        if isinstance(source, FileList):
            summary = runner.with_file(session, order, source)
        else:
            summary = runner.with_books(session, order, source)
    except FileRefused as refused:
        raise Failure(str(refused), WRONG) from None
    audit(session, "RECONCILE", f"{order.day} {order.counterpart}", f"differences={summary.differences}")
    session.commit()
    paths = write_sheets(session, summary, settings.zone, sheets)
    lines: list[tuple[str, ...]] = []
    for line in lines_of(session, summary, settings.zone):
        if line.found.kind in DIFFERENCES and not line.settled and len(lines) < SHOWN:
            found = line.found
            money = tuple(
                "" if amount is None else f"{amount:,.2f}" for amount in (found.our_amount, found.their_amount)
            )
            about = line.about
            lines.append((str(found.id), found.kind, about, found.dept_code, *money, line.standing[1], line.advice[1]))
    return summary, paths, lines


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:,.2f}"


@contextmanager
def _progress() -> Iterator[Tell]:
    """A bar on standard error while it works; nothing where nobody watches."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[many]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=None, many="")

        def tell(what: str, done: int, of: int | None) -> None:
            progress.update(task, description=what, completed=done, total=of, many=f"{done:,}" if done else "")

        yield tell


def _show(summary: results.Summary, paths: tuple[Path, Path], lines: list[tuple[str, ...]]) -> None:
    run = summary.run
    them = NAMES[Counterpart(run.counterpart)][1]
    bookings = f"{run.ours:,} and {run.theirs:,} bookings, {run.matched:,} on both sides"
    say(f"{run.day} · gateway and {them} ({run.source}): {bookings}")
    totals = plain_table("DEPARTMENT", "GATEWAY", them.upper(), "DIFFERENCE")
    for dept, (own, their) in summary.totals.items():
        gap = own.net - their.net
        totals.add_row(
            dept or "-", f"{own.net:,.2f}", f"{their.net:,.2f}", f"{gap:,.2f}" if gap or own != their else "-"
        )
    show(totals)
    if lines:
        table = plain_table("NO", "CLASS", "NUMBER", "DEPT", "GATEWAY", them.upper(), "STANDING", "SUGGESTED REPAIR")
        for line in lines:
            table.add_row(*line)
        show(table)
    counts = [f"{kind} {WORDS[kind][0]} {summary.counts[kind]:,}" for kind in DIFFERENCES if summary.counts.get(kind)]
    since = f"{summary.new:,} new, {summary.gone:,} gone, {summary.settled:,} settled"
    say(f"Differences: {', '.join(counts) or 'none'}; {since}")
    for name, count in summary.notes.items():
        note(f"{NOTES[name][1]}: {count:,}")
    for path in paths:
        say(f"Written: {path}")
