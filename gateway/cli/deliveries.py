"""Commands about what has to reach partners: what is under way or stuck, and how one came to where it is."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli import decisions
from gateway.cli.selecting import About, Code, Operation, PartnerName, Since, Until, in_hospital_time
from gateway.cli.terminal import HERE, Folder, note, plain_table, show
from gateway.config import load_settings
from gateway.delivery.selection import Selection, find
from gateway.model.delivery import Delivery, DeliveryState
from gateway.site import database_session

UNFINISHED = (DeliveryState.DEAD, DeliveryState.UNKNOWN, DeliveryState.SENDING, DeliveryState.QUEUED)
MOST = 1000


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Messages on their way to partners.")
    group.command("list")(list_deliveries)
    decisions.add_commands(group)
    app.add_typer(group, name="delivery")


def list_deliveries(
    state: Annotated[
        DeliveryState | None,
        typer.Option("--state", case_sensitive=False, help="All that is unfinished when not said."),
    ] = None,
    partner: PartnerName = None,
    operation: Operation = None,
    code: Code = None,
    about: About = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST)] = 100,
    folder: Folder = HERE,
) -> None:
    """What is on its way, what is stuck first."""
    settings = load_settings(folder)
    table = plain_table(
        "ID", "STATE", "PARTNER", "OPERATION", "ABOUT", "SINCE", "ATTEMPTS", "LAST ANSWER", "NEXT ATTEMPT"
    )
    begin, end = in_hospital_time(settings, since), in_hospital_time(settings, until)
    with database_session(settings) as session:
        rows: list[Delivery] = []
        for one in (state,) if state is not None else UNFINISHED:
            wanted = Selection(
                states=(one,), partner=partner, operation=operation, code=code, about=about, since=begin, until=end
            )
            rows += find(session, wanted, limit - len(rows))
    for row in rows:
        times = [row.created_at, row.next_attempt_at]
        since_when, following = (f"{at.astimezone(settings.zone):%m-%d %H:%M:%S}" if at else "" for at in times)
        words = (row.message_id, standing(row), row.partner, row.operation, row.subject, since_when, str(row.attempts))
        table.add_row(*words, row.last_code or "", following)
    show(table)
    if len(rows) == limit:
        note(f"Only the first {limit} are shown: --limit shows more.")


def standing(row: Delivery) -> str:
    """Its state; of a dead letter also whether it lets the later ones go on."""
    is_released = row.state == DeliveryState.DEAD and row.released_at is not None
    return f"{row.state}, released" if is_released else row.state
