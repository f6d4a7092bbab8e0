"""Commands about what has to reach partners: what is under way or stuck, try it again, give it up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.cli.terminal import HERE, WRONG, Failure, Folder, note, plain_table, say, show
from gateway.config import load_settings
from gateway.delivery import redrive
from gateway.delivery.jobs import Jobs
from gateway.model.delivery import DeliveryState
from gateway.site import audit, database_session

Id = Annotated[str, typer.Argument(metavar="ID", help="Its number in `gateway delivery list`, with or without GW-.")]
UNFINISHED = (DeliveryState.DEAD, DeliveryState.UNKNOWN, DeliveryState.SENDING, DeliveryState.QUEUED)
COLUMNS = ("ID", "STATE", "PARTNER", "OPERATION", "ABOUT", "SINCE", "ATTEMPTS", "LAST ANSWER", "NEXT ATTEMPT")
MOST = 1000


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Messages on their way to partners.")
    group.command("list")(list_deliveries)
    group.command("retry")(retry)
    group.command("discard")(discard)
    app.add_typer(group, name="delivery")


def list_deliveries(
    state: Annotated[
        DeliveryState | None,
        typer.Option("--state", case_sensitive=False, help="All that is unfinished when not said."),
    ] = None,
    partner: Annotated[str | None, typer.Option("--partner", metavar="NAME")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST)] = 100,
    folder: Folder = HERE,
) -> None:
    """What is on its way, what is stuck first."""
    settings = load_settings(folder)
    table = plain_table(
        "ID", "STATE", "PARTNER", "OPERATION", "ABOUT", "SINCE", "ATTEMPTS", "LAST ANSWER", "NEXT ATTEMPT"
    )
    with database_session(settings) as session:
        states = (state,) if state is not None else UNFINISHED
        rows = [row for one in states for row in redrive.find(session, state=one, partner=partner, limit=limit)][:limit]
    for row in rows:
        times = [row.created_at, row.next_attempt_at]
        since, following = (f"{at.astimezone(settings.zone):%m-%d %H:%M:%S}" if at else "" for at in times)
        words = (row.message_id, row.state, row.partner, row.operation, row.subject, since, str(row.attempts))
        table.add_row(*words, row.last_code or "", following)
    show(table)
    if len(rows) == limit:
        note(f"Only the first {limit} are shown: --limit shows more.")


def retry(
    number: Id,
    without_asking: Annotated[
        bool,
        typer.Option("--without-asking", help="Send money again without asking the partner what became of it."),
    ] = False,
    folder: Folder = HERE,
) -> None:
    """Send one again now, before the later ones about the same thing."""
    settings, delivery = load_settings(folder), _number(number)
    with database_session(settings) as session:
        try:
            redrive.retry(session, Jobs(), delivery, ask_first=not without_asking)
        except redrive.RedriveRefused as refused:
            raise Failure(str(refused)) from None
        audit(session, "RETRY_DELIVERY", f"delivery {delivery}")
        session.commit()
    say(f"Delivery {delivery} is sent again now.")


def discard(
    number: Id,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for those who ask later; no names.")],
    folder: Folder = HERE,
) -> None:
    """Give one up; what waits behind it goes on."""
    if not reason.strip():
        raise Failure("--reason must say why.", WRONG)
    settings, delivery = load_settings(folder), _number(number)
    with database_session(settings) as session:
        try:
            redrive.discard(session, Jobs(), delivery, reason.strip(), datetime.now(UTC))
        except redrive.RedriveRefused as refused:
            raise Failure(str(refused)) from None
        audit(session, "DISCARD_DELIVERY", f"delivery {delivery}")
        session.commit()
    say(f"Delivery {delivery} is given up.")


def _number(text: str) -> int:
    plain = text.removeprefix("GW-")
    if not plain.isdecimal() or len(plain) > 18:
        raise Failure(f"{text} is no delivery: give its number, such as 17 or GW-17.", WRONG)
    return int(plain)
