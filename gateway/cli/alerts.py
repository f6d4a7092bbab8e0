"""Commands about alerts: what a person must look at, and that somebody has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy import select

from gateway.cli.terminal import HERE, WRONG, Failure, Folder, note, plain_table, say, show
from gateway.config import load_settings
from gateway.model.journal import Alert
from gateway.site import audit, database_session

MOST = 1000


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="What a person must look at.")
    group.command("list")(list_alerts)
    group.command("settle")(settle)
    app.add_typer(group, name="alerts")


def list_alerts(
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only this kind.")] = None,
    settled: Annotated[bool, typer.Option("--settled", help="Also those that are settled.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST)] = 100,
    folder: Folder = HERE,
) -> None:
    """What nobody has settled yet, the newest first."""
    settings = load_settings(folder)
    query = select(Alert).order_by(Alert.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(Alert.kind == kind.upper())
    if not settled:
        query = query.where(Alert.settled_at.is_(None))
    with database_session(settings) as session:
        rows = session.scalars(query).all()
    table = plain_table("ID", "SINCE", "KIND", "ABOUT", "SETTLED")
    for row in rows:
        since, done = (f"{at.astimezone(settings.zone):%m-%d %H:%M}" if at else "" for at in _times(row))
        table.add_row(str(row.id), since, row.kind, row.subject, done)
    show(table)
    if len(rows) == limit:
        note(f"Only the newest {limit} are shown: --limit shows more.")


def settle(
    numbers: Annotated[list[int], typer.Argument(metavar="ID...", help="Their numbers in `gateway alerts list`.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What was done, for those who ask later.")],
    folder: Folder = HERE,
) -> None:
    """Note that somebody has looked at them; all or none."""
    if not reason.strip():
        raise Failure("--reason must say what was done.", WRONG)
    settings = load_settings(folder)
    with database_session(settings) as session:
        for number in dict.fromkeys(numbers):
            row = session.get(Alert, number, with_for_update=True) if number < 2**31 else None
            if row is None:
                raise Failure(f"There is no alert {number}.")
            if row.settled_at is not None:
                raise Failure(f"Alert {number} is settled already.")
            row.settled_at = datetime.now(UTC)
            audit(session, "SETTLE_ALERT", f"alert {number}", detail=reason.strip()[:200])
        session.commit()
    say(f"Settled: {', '.join(map(str, dict.fromkeys(numbers)))}.")


def _times(row: Alert) -> tuple[datetime, datetime | None]:
    return row.raised_at, row.settled_at
