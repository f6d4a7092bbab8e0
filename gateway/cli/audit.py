"""Commands that show the audit: who looked at whom, when, why and how much. Looking at it is audited too."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.terminal import HERE, Folder, note, plain_table, show
from gateway.config import Settings, load_settings
from gateway.model.journal import AuditEntry
from gateway.operations import audit_trail
from gateway.operations.audit_trail import Wanted
from gateway.sheets import harmless
from gateway.site import audit, database_session

DAYS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
COLUMNS = ("at", "actor", "operator", "action", "subject", "result_code", "purpose", "detail", "txn_no")
MOST = 10000

Patient = Annotated[str | None, typer.Option("--patient", metavar="ID", help="Also under ids merged with this one.")]
Actor = Annotated[str | None, typer.Option("--actor", metavar="NAME", help="A client, or terminal:USER.")]
Action = Annotated[str | None, typer.Option("--action", metavar="NAME", help="Such as GetMedicalRecord.")]
Since = Annotated[datetime | None, typer.Option("--since", formats=DAYS, help="The last 30 days when not said.")]
Until = Annotated[datetime | None, typer.Option("--until", formats=DAYS, help="Before this time.")]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Who did what, and who looked at whose record.")
    group.command("list")(list_entries)
    group.command("export")(export)
    app.add_typer(group, name="audit")


def list_entries(
    patient: Patient = None,
    actor: Actor = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST)] = 100,
    folder: Folder = HERE,
) -> None:
    """Entries of the audit, oldest first."""
    table = plain_table(*(column.upper().replace("_", " ") for column in COLUMNS[:-1]))
    wanted = _wanted(load_settings(folder), since, until, patient, actor, action)
    with _entries("AUDIT_LIST", folder, wanted, limit) as rows:
        for row in rows:
            table.add_row(*row[:-1])
    show(table)
    if table.row_count == limit:
        note(f"Only the first {limit} are shown: --limit shows more, and --since later ones.")


def export(
    patient: Patient = None,
    actor: Actor = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    folder: Folder = HERE,
) -> None:
    """Entries of the audit as CSV on standard output, oldest first."""
    writer = csv.writer(sys.stdout)
    wanted = _wanted(load_settings(folder), since, until, patient, actor, action)
    with _entries("AUDIT_EXPORT", folder, wanted, None) as rows:
        writer.writerow(COLUMNS)
        writer.writerows([harmless(value) for value in row] for row in rows)


def _wanted(
    settings: Settings,
    since: datetime | None,
    until: datetime | None,
    patient: str | None,
    actor: str | None,
    action: str | None,
) -> Wanted:
    """Times are the hospital's; without them the last 30 days."""
    now = datetime.now(settings.zone)
    begin = since.replace(tzinfo=settings.zone) if since is not None else now - timedelta(days=30)
    end = until.replace(tzinfo=settings.zone) if until is not None else now
    return Wanted(begin, end, patient, actor, action)


@contextmanager
def _entries(reading: str, folder: Path, wanted: Wanted, limit: int | None) -> Iterator[Iterator[list[str]]]:
    """The rows wanted. That they were asked for is committed first: who cannot be noted sees nothing."""
    settings = load_settings(folder)
    with database_session(settings) as session:
        audit(session, reading, f"patient {wanted.patient}" if wanted.patient is not None else "audit", _said(wanted))
        session.commit()
        found = audit_trail.find(session, wanted, limit)
        yield ([f"{entry.at.astimezone(settings.zone):%Y-%m-%d %H:%M:%S}", *_words(entry)] for entry in found)


def _said(wanted: Wanted) -> str:
    times = f"since={wanted.since:%Y-%m-%dT%H:%M} until={wanted.until:%Y-%m-%dT%H:%M}"
    named = (("actor", wanted.actor), ("action", wanted.action))
    return " ".join([times, *(f"{name}={value}" for name, value in named if value is not None)])


def _words(entry: AuditEntry) -> list[str]:
    return [
        entry.actor,
        entry.operator_code or "",
        entry.action,
        entry.subject,
        entry.result_code,
        entry.purpose or "",
        entry.detail or "",
        entry.txn_no,
    ]
