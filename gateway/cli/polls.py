"""Commands about polls: partners' tables and views that are read again and again, and rows that could not be taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.cli.terminal import HERE, WRONG, Failure, Folder, note, plain_table, say, show
from gateway.config import Settings, load_settings
from gateway.database_config import Poll
from gateway.model.poll import PollBookmark, PollRow, RowState
from gateway.partner_config import Partner
from gateway.site import audit, database_session

MOST = 1000
WAITS = (RowState.PARKED, RowState.WAITING, RowState.RETRY)

PartnerName = Annotated[str, typer.Argument(metavar="PARTNER")]
PollName = Annotated[str, typer.Argument(metavar="POLL", help="Its name in partner.toml.")]
Keys = Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="As `gateway poll parked` shows them.")]
All = Annotated[bool, typer.Option("--all", help="Every parked row of the poll.")]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Tables and views of partners that are read again and again.")
    group.command("list")(list_polls)
    group.command("status")(status)
    group.command("parked")(parked)
    group.command("retry")(retry)
    group.command("skip")(skip)
    app.add_typer(group, name="poll")


def list_polls(folder: Folder = HERE) -> None:
    """What partner.toml says is read, how, and what each row becomes."""
    table = plain_table("PARTNER", "POLL", "TABLE", "BY", "EVERY", "BECOMES", "FROM CLIENT")
    for partner, poll in _polls(load_settings(folder)):
        by = poll.mark.column if poll.by == "mark" and poll.mark is not None else poll.time or poll.key
        every = f"{poll.every_seconds:g} s"
        row = (partner.name, poll.name, poll.table, f"{poll.by} {by}", every, poll.operation, partner.client_name)
        table.add_row(*row)
    show(table)


def status(folder: Folder = HERE) -> None:
    """How far each poll has come, who reads it, what waits, and what is wrong; exit code 1 when one cannot be read."""
    settings, failing = load_settings(folder), []
    table = plain_table("PARTNER", "POLL", "READ TO", "LAST LOOK", "PARKED", "WAITING", "READ BY", "TROUBLE")
    with database_session(settings) as session:
        counts = _counts(session)
        for partner, poll in _polls(settings):
            mark = session.get(PollBookmark, (partner.name, poll.name))
            many = [str(counts.get((partner.name, poll.name, state), 0)) for state in WAITS[:2]]
            if mark is None:
                table.add_row(partner.name, poll.name, "", "never", *many, "", "is `gateway serve` running?")
                continue
            trouble = f"since {_shown(settings, mark.failing_since)}: {mark.trouble}" if mark.failing_since else ""
            failing += [poll.name] if mark.failing_since else []
            position = (mark.position or "").strip("[]").replace('"', "")
            looked = _shown(settings, mark.looked_at) or "never"
            table.add_row(partner.name, poll.name, position, looked, *many, mark.process or "", trouble)
    show(table)
    if failing:
        raise Failure(f"Cannot be read: {', '.join(failing)}.")


def parked(
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST)] = 100,
    folder: Folder = HERE,
) -> None:
    """Rows that were refused, or wait for something, with the reason; the oldest first."""
    settings = load_settings(folder)
    query = select(PollRow).where(PollRow.state.in_(WAITS)).order_by(PollRow.id).limit(limit)
    with database_session(settings) as session:
        rows = session.scalars(query).all()
    table = plain_table("PARTNER", "POLL", "KEY", "STATE", "SINCE", "TRIES", "CODE", "WHY")
    for row in rows:
        since = _shown(settings, row.first_at)
        table.add_row(row.partner, row.poll, row.row_key, row.state, since, str(row.tries), row.code, row.words)
    show(table)
    if len(rows) == limit:
        note(f"Only the oldest {limit} are shown: --limit shows more.")


def retry(partner: PartnerName, poll: PollName, keys: Keys = None, every: All = False, folder: Folder = HERE) -> None:
    """Read parked rows again and hand them over under a new MessageId, after they or the stylesheet were mended."""
    settings = load_settings(folder)
    with database_session(settings) as session:
        rows = _chosen(session, settings, partner, poll, keys, every)
        for row in rows:
            row.state, row.next_at = RowState.RETRY, None
            audit(session, "RETRY_POLL_ROW", _named(row), row.code)
        session.commit()
        say(f"{len(rows)} rows of {poll} are read again at the next look.")


def skip(
    partner: PartnerName,
    poll: PollName,
    keys: Keys = None,
    every: All = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for those who ask later.")] = "",
    folder: Folder = HERE,
) -> None:
    """Give parked rows up; where the poll has a mark, they get that of rows that were taken."""
    if not reason.strip():
        raise Failure("--reason must say why.", WRONG)
    settings = load_settings(folder)
    with database_session(settings) as session:
        rows = _chosen(session, settings, partner, poll, keys, every)
        marks = _poll(settings, partner, poll).mark is not None
        for row in rows:
            row.state, row.next_at, row.marked = RowState.SKIPPED, None, not marks
            audit(session, "SKIP_POLL_ROW", _named(row), f"{row.code}: {reason.strip()}"[:500])
        session.commit()
        say(f"{len(rows)} rows of {poll} are skipped.")


def _polls(settings: Settings) -> list[tuple[Partner, Poll]]:
    found = [(partner, poll) for partner in settings.partners for poll in partner.polls]
    if not found:
        raise Failure("No partner.toml has [[polls]].")
    return found


def _poll(settings: Settings, partner: str, name: str) -> Poll:
    """One poll of a partner: others may have one of the same name."""
    found = next((poll for one, poll in _polls(settings) if (one.name, poll.name) == (partner, name)), None)
    if found is None:
        raise Failure(f"{partner} has no poll {name}: `gateway poll list` shows all.", WRONG)
    return found


def _chosen(
    session: Session, settings: Settings, partner: str, poll: str, keys: Sequence[str] | None, every: bool
) -> Sequence[PollRow]:
    """The rows meant, locked. Raises Failure when one of them does not wait."""
    if bool(keys) is every:
        raise Failure("Name the keys of rows, or give --all.", WRONG)
    _poll(settings, partner, poll)
    query = select(PollRow).where(PollRow.partner == partner, PollRow.poll == poll, PollRow.state.in_(WAITS))
    if keys:
        query = query.where(PollRow.row_key.in_(keys))
    rows = session.scalars(query.order_by(PollRow.id).with_for_update()).all()
    missing = set(keys or ()) - {row.row_key for row in rows}
    if missing:
        raise Failure(f"No parked row of {poll} has the key {sorted(missing)[0]}.")
    if not rows:
        raise Failure(f"No row of {poll} is parked.")
    return rows


def _counts(session: Session) -> dict[tuple[str, str, str], int]:
    query = select(PollRow.partner, PollRow.poll, PollRow.state, func.count()).where(PollRow.state.in_(WAITS))
    rows = session.execute(query.group_by(PollRow.partner, PollRow.poll, PollRow.state))
    return {(partner, poll, state): many for partner, poll, state, many in rows}


def _named(row: PollRow) -> str:
    return f"row {row.row_key} of poll {row.poll} of {row.partner}"[:200]


def _shown(settings: Settings, at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC).astimezone(settings.zone):%m-%d %H:%M:%S}"
