"""Commands about what is kept: how large it is, and letting go of what is older than the site wants to keep."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from gateway.cli.terminal import HERE, WRONG, Failure, Folder, is_wanted, note, plain_table, progress, say, show
from gateway.config import Settings, load_settings
from gateway.site import database_session, operator
from gateway.storage.months import parts
from gateway.storage.retention import Pruned, Step, count, plan, prune
from gateway.storage.upkeep import note_pruning

BESIDE = ("message_key", "parked_message", "audit", "ledger_entry", "procrastinate_jobs")
"""Tables without months that are worth a look."""
MEGABYTE = 1024 * 1024
_FIGURES = text(
    "SELECT greatest(reltuples, 0)::bigint, pg_total_relation_size(oid) FROM pg_class "
    "WHERE oid = CAST(:name AS regclass)"
)


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="What is kept, how much room it takes, and for how long.")
    group.command("show")(show_storage)
    group.command("prune")(prune_storage)
    app.add_typer(group, name="storage")


def show_storage(folder: Folder = HERE) -> None:
    """The months of the large tables with their rows and sizes, and the room on the disk."""
    settings = load_settings(folder)
    table = plain_table("TABLE", "FROM", "UNTIL", "ROWS, ABOUT", "MB")
    with database_session(settings) as session:
        connection = session.connection()
        for part in parts(connection):
            rows, size = connection.execute(_FIGURES, {"name": part.name}).one()
            begins = "" if part.begins is None or part.begins.year == 1 else f"{part.begins:%Y-%m}"
            ends = f"{part.ends:%Y-%m}" if part.ends is not None else "whatever has no month"
            table.add_row(part.name, begins, ends, f"{rows:,}", _megabytes(size))
        for name in BESIDE:
            rows, size = connection.execute(_FIGURES, {"name": name}).one()
            table.add_row(name, "", "not divided", f"{rows:,}", _megabytes(size))
        whole = int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    show(table)
    limit = settings.storage.database_megabytes
    say(f"The database has {_megabytes(whole)} MB{f' of {limit} MB it may have' if limit else ''}.")
    for place in _places(settings):
        usage = shutil.disk_usage(place)
        wanted = settings.storage.free_megabytes
        short = "" if usage.free >= wanted * MEGABYTE else " That is so now."
        say(f"{_megabytes(usage.free)} MB are free for {place}; below {wanted} MB no new work is taken.{short}")


def prune_storage(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    folder: Folder = HERE,
) -> None:
    """Let go of what is older than gateway.toml says under [storage]; done every day by the gateway itself."""
    settings, now = load_settings(folder), datetime.now(UTC)
    storage = settings.storage
    if storage.journal_months is None and storage.delivery_months is None and storage.key_months is None:
        raise Failure("Everything is kept for ever: set storage.journal_months and the others in gateway.toml.", WRONG)
    with database_session(settings) as session:
        connection = session.connection()
        steps = plan(connection, storage, now)
        counts = [step.rows if step.is_month else count(connection, step) for step in steps]
        session.rollback()
        goes = [(step, rows) for step, rows in zip(steps, counts, strict=True) if step.is_month or rows]
        if not goes:
            say("Nothing is old enough to go.")
            return
        _preview(goes)
        if dry_run or not is_wanted(yes, "Let this go, for ever?"):
            return
        engine = session.get_bind()
        assert isinstance(engine, Engine)
        pruned = _prune(engine, settings, now, len(steps))
        note_pruning(engine, operator(), pruned, now)
    say(f"{pruned.months} months and {pruned.rows:,} single rows are gone; {pruned.kept:,} rows of months had to stay.")


def _prune(engine: Engine, settings: Settings, now: datetime, steps: int) -> Pruned:
    """With a bar; a table that somebody holds is said in one line."""
    with progress("letting go", steps * 100) as move:
        begun: list[Step] = []

        def told(step: Step, done: float) -> None:
            if not begun or begun[-1] is not step:
                begun.append(step)
            move(int((len(begun) - 1 + done) * 100), step.name)

        try:
            return prune(engine, settings.storage, now, told)
        except OperationalError as problem:
            if getattr(problem.orig, "sqlstate", None) != "55P03":
                raise
            raise Failure(
                f"{begun[-1].name if begun else 'A table'} is being read by somebody for long: try again later. "
                "What is gone until now stays gone."
            ) from None


def _preview(goes: Iterable[tuple[Step, int]]) -> None:
    table = plain_table("GOES", "OLDER THAN", "ROWS, ABOUT", "MB", "HOW")
    for step, rows in goes:
        how, size = ("the whole month", _megabytes(step.bytes)) if step.is_month else ("old rows of it", "")
        table.add_row(step.name, f"{step.cut:%Y-%m-%d} UTC", f"{rows:,}", size, how)
    show(table)
    note("Whatever is unfinished, and what open alerts are about, stays.")


def _places(settings: Settings) -> list[Path]:
    return [settings.folder, *([settings.database_folder] if settings.database_url is None else [])]


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:,.1f}"
