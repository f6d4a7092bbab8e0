"""The options by which commands are told which deliveries are meant, and how a selection is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import typer

from gateway.cli.terminal import WRONG, Failure, plain_table, show
from gateway.config import Settings
from gateway.delivery.selection import Group, Selection
from gateway.model.delivery import DeliveryState

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
LIMIT, MOST = 1_000, 10_000

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="Numbers as in `gateway delivery list`, with or without GW-."),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Its number in `gateway delivery list`, with or without GW-.")]
State = Annotated[DeliveryState | None, typer.Option("--state", case_sensitive=False)]
PartnerName = Annotated[str | None, typer.Option("--partner", metavar="NAME")]
Operation = Annotated[str | None, typer.Option("--operation", metavar="NAME", help="Such as ReportStatus.")]
Code = Annotated[str | None, typer.Option("--code", metavar="CODE", help="The last answer, such as HTTP-500.")]
About = Annotated[str | None, typer.Option("--about", metavar="NO", help="Requisition, visit or critical value.")]
Replay = Annotated[int | None, typer.Option("--replay", metavar="NUMBER", help="Part of this replay.")]
Since = Annotated[datetime | None, typer.Option("--since", formats=TIMES, help="Handed over at this time or later.")]
Until = Annotated[datetime | None, typer.Option("--until", formats=TIMES, help="Handed over before this time.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=MOST, help="Refuse when more than these fit.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for those who ask later; no names.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, the effect is shown and asked about.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the effect and change nothing.")]


def number_of(text: str) -> int:
    """A delivery's number as people write it."""
    plain = text.removeprefix("GW-")
    if not plain.isdecimal() or len(plain) > 18:
        raise Failure(f"{text} is no delivery: give its number, such as 17 or GW-17.", WRONG)
    return int(plain)


def numbers_of(texts: Iterable[str] | None) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number_of(text) for text in texts or ()))


def in_hospital_time(settings: Settings, at: datetime | None) -> datetime | None:
    """What a person typed, at the hospital."""
    return at.replace(tzinfo=settings.zone) if at is not None else None


def why(reason: str) -> str:
    """The reason given; an empty one is none."""
    if not reason.strip():
        raise Failure("--reason must say why.", WRONG)
    return reason.strip()


def need_narrow(selection: Selection) -> None:
    """Nobody means everything there ever was."""
    if not selection.is_narrow:
        raise Failure("Say which: numbers, --partner, --operation, --about or --since.", WRONG)


def need_few(many: int, limit: int) -> None:
    """A selection is never cut off silently: what is left out might be what the rest depends on."""
    if many > limit:
        wider = f", or --limit up to {MOST:,}" if limit < MOST else ""
        raise Failure(f"{many:,} deliveries fit, more than {limit:,}: narrow it by --since and --until{wider}.")


def show_groups(settings: Settings, groups: Sequence[Group]) -> None:
    """How many of what, and from when to when."""
    table = plain_table("PARTNER", "OPERATION", "STATE", "LAST ANSWER", "MANY", "OLDEST", "NEWEST")
    for group in groups:
        times = (f"{at.astimezone(settings.zone):%m-%d %H:%M:%S}" for at in (group.oldest, group.newest))
        table.add_row(group.partner, group.operation, group.state, group.code, f"{group.many:,}", *times)
    show(table)
