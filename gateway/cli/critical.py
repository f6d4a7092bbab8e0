"""Commands about critical values: what is open and late, and how well each department answered in a month."""

from __future__ import annotations

import csv
import json
import re
import sys
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from gateway.cli.terminal import HERE, WRONG, Failure, Folder, note, plain_table, say, show
from gateway.config import load_settings
from gateway.operations.critical_figures import Figures, figures_of, month_of, still_open
from gateway.sheets import harmless
from gateway.site import database_session

BAR = 10
MOST = 1000
Department = Annotated[str | None, typer.Option("--department", metavar="CODE", help="Only this department.")]


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Critical values: what is open, and how well they are answered.")
    group.command("list")(list_open)
    group.command("report")(report)
    app.add_typer(group, name="critical")


def list_open(
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is late.")] = False,
    department: Department = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST)] = 200,
    folder: Folder = HERE,
) -> None:
    """What somebody still has to act for, the oldest first; no patient is named."""
    settings = load_settings(folder)
    now = datetime.now(settings.zone)
    table = plain_table("ID", "FROM", "SOURCE", "STATE", "DEPT", "WARD", "BED", "SINCE", "LATE", "LEVEL")
    with database_session(settings) as session:
        rows = still_open(session, department, limit)
    for value, level in rows:
        late = value.overdue(now)
        if overdue and not late:
            continue
        words = (value.critical_id, value.sender_code, value.source_type or "", value.state.name.lower())
        place = (value.dept_code or "", value.ward_code or "", value.bed_no or "")
        since = f"{value.received_at.astimezone(settings.zone):%m-%d %H:%M:%S}"
        table.add_row(*words, *place, since, Text(" ".join(late).lower(), "bold red"), str(level or ""))
    show(table)
    if len(rows) == limit:
        note(f"Only the first {limit} are looked at: --limit shows more.")


def report(
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="In which the values were pushed.")],
    department: Department = None,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TABLE,
    folder: Folder = HERE,
) -> None:
    """How many were received and handled in time, how long it took, and how far the chain was told."""
    settings = load_settings(folder)
    given = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", month)
    if given is None or given[1] == "0000":
        raise Failure(f"{month} is no month: write it as 2026-11.", WRONG)
    first, after = month_of(int(given[1]), int(given[2]), settings.zone)
    with database_session(settings) as session:
        found = figures_of(session, first, after, datetime.now(settings.zone), department)
    if form is Format.JSON:
        say(json.dumps([_plain(figures) for figures in found], ensure_ascii=False))
    elif form is Format.CSV:
        _write_csv(found)
    else:
        _show_table(found)


def _show_table(found: list[Figures]) -> None:
    table = plain_table(
        "DEPT", "VALUES", "RECEIVED IN TIME", "MEDIAN", "HANDLED IN TIME", "MEDIAN", "NOT HANDLED", "CANCELLED", "TOLD"
    )
    for one in found:
        told = "  ".join(f"L{level} {count}" for level, count in one.escalations.items())
        table.add_row(
            one.department or "-",
            str(one.values),
            _bar(one.share_received),
            _minutes(one.median_minutes_to_receive),
            _bar(one.share_handled),
            _minutes(one.median_minutes_to_handle),
            str(one.not_handled),
            str(one.cancelled),
            told,
        )
    show(table)


def _bar(share: float | None) -> Text:
    if share is None:
        return Text("-", "dim")
    full = int(share * BAR)
    style = "green" if share >= 0.95 else "yellow" if share >= 0.8 else "red"
    return Text.assemble(("█" * full, style), ("░" * (BAR - full), "dim"), f" {share * 100:.1f} %")


def _minutes(minutes: float | None) -> str:
    return "-" if minutes is None else f"{minutes:.1f} min"


def _plain(one: Figures) -> dict[str, Any]:
    shares = {"share_received_in_time": one.share_received, "share_handled_in_time": one.share_handled}
    rounded = {name: None if share is None else round(share, 4) for name, share in shares.items()}
    medians = {
        name: None if minutes is None else round(float(minutes), 2)
        for name, minutes in asdict(one).items()
        if name.startswith("median")
    }
    return asdict(one) | medians | rounded | {"escalations": {f"L{k}": v for k, v in one.escalations.items()}}


def _write_csv(found: list[Figures]) -> None:
    levels = sorted({level for one in found for level in one.escalations})
    names = [name for name in _plain(found[0]) if name != "escalations"] if found else ["department"]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*names, *(f"L{level}" for level in levels)])
    for one in found:
        plain = _plain(one)
        values = [harmless(value) if isinstance(value, str) else value for value in map(plain.get, names)]
        writer.writerow([*values, *(one.escalations.get(level, 0) for level in levels)])
