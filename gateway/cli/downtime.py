"""Commands about a partner's downtime: hold it, release it, see what waits for it, watch that drain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy.orm import Session

from gateway.cli.terminal import HERE, WRONG, Failure, Folder, note, plain_table, say, show
from gateway.config import Settings, load_settings
from gateway.delivery import holds
from gateway.delivery.backlog import Backlog, Service, backlogs, finished_since, services
from gateway.delivery.hours import DECLARED_BY, MaintenancePlan
from gateway.model.delivery import Lane
from gateway.model.partner_hold import HoldMode, PartnerHold
from gateway.site import audit, database_session, operator

RATE_SECONDS = 60
"""Over which the rate is measured."""
LOOK_EVERY = 1.0
LINE_EVERY = 5.0
"""Seconds between lines where no bar can be drawn."""
FORMATS = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%H:%M"]

Name = Annotated[str, typer.Argument(metavar="NAME", help="The partner, as its folder is named.")]
MaybeName = Annotated[str | None, typer.Argument(metavar="NAME", help="The partner; or --all.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All partners.")]


def add_to(group: typer.Typer) -> None:
    group.command("status")(status)
    group.command("hold")(hold)
    group.command("release")(release)
    group.command("drain")(drain)


# --- hold and release -------------------------------------------------------------------------------------------------


def hold(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for those who ask later; no names.")],
    name: MaybeName = None,
    maintenance: Annotated[bool, typer.Option("--maintenance", help="Callers are told of it.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="At once, critical values too.")] = False,
    begin: Annotated[
        datetime | None, typer.Option("--from", formats=FORMATS, help="Hospital time; at once when not said.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=FORMATS, help="Hospital time; until released when not said.")
    ] = None,
    all_partners: All = False,
    folder: Folder = HERE,
) -> None:
    """Keep messages from a partner: accept and hold, unless --maintenance or --stop says more.

    Critical values still leave, unless --stop. What is being sent is finished.
    """
    if maintenance and stop:
        raise Failure("Give --maintenance or --stop, not both.", WRONG)
    mode = HoldMode.STOP if stop else HoldMode.MAINTENANCE if maintenance else HoldMode.HOLD
    settings, now = load_settings(folder), datetime.now(UTC)
    names = _names(settings, name, all_partners)
    starts_at = _moment(settings, begin, now)
    ends_at = _moment(settings, until, starts_at or now)
    with database_session(settings) as session:
        for one in names:
            try:
                order = holds.declare(session, one, mode, reason, operator(), now, starts_at=starts_at, until=ends_at)
            except holds.HoldRefused as refused:
                raise Failure(str(refused), WRONG) from None
            audit(session, "HOLD_PARTNER", f"partner {one}", f"{_when(settings, order)}: {order.reason}"[:500])
        session.commit()
        for one in names:
            say(f"{one}: {_when(settings, order)}.")
        if stop:
            caught = sum(found.count("critical") for found in backlogs(session, names).values())
            if caught:
                note(f"{caught} critical values wait and do not leave: `gateway alerts list` names them. Telephone.")


def release(name: MaybeName = None, all_partners: All = False, folder: Folder = HERE) -> None:
    """End what is held now; when nothing is, what is planned. What waits then leaves, money first."""
    settings = load_settings(folder)
    ended: list[tuple[str, PartnerHold]] = []
    with database_session(settings) as session:
        for one in _names(settings, name, all_partners):
            try:
                found = holds.release(session, one, operator(), datetime.now(UTC))
            except holds.HoldRefused as refused:
                if name is not None:
                    raise Failure(_cannot_release(settings, one) or str(refused)) from None
                continue
            ended += [(one, order) for order in found]
        if not ended:
            raise Failure("No partner is held: there is nothing to release.")
        for one, order in ended:
            audit(session, "RELEASE_PARTNER", f"partner {one}", order.mode)
        session.commit()
    for one, order in ended:
        say(f"{one}: {order.mode} of {_shown(settings, order.declared_at)} is released.")


def _cannot_release(settings: Settings, name: str) -> str:
    """Why maintenance hours cannot be released; empty when it is in none."""
    hours = _plan(settings).of(name, datetime.now(UTC))
    if hours is None:
        return ""
    until = _shown(settings, hours.until)
    return f"{name} is in its maintenance hours until {until}: they stand in partner.toml and end by themselves."


def _plan(settings: Settings) -> MaintenancePlan:
    return MaintenancePlan(settings.partners, settings.zone)


def _names(settings: Settings, name: str | None, all_partners: bool) -> list[str]:
    if (name is None) is not all_partners:
        raise Failure("Name a partner, or give --all.", WRONG)
    found = [settings.partner(name).name] if name is not None else [partner.name for partner in settings.partners]
    if not found:
        raise Failure("The site has no partners.")
    return found


def _moment(settings: Settings, given: datetime | None, after: datetime) -> datetime | None:
    """A time as the operator wrote it, in hospital time; a time of day is the next one after `after`."""
    if given is None:
        return None
    if given.year > 1900:
        return given.replace(tzinfo=settings.zone)
    there = after.astimezone(settings.zone)
    today = there.replace(hour=given.hour, minute=given.minute, second=0, microsecond=0)
    return today if today > there else today + timedelta(days=1)


# --- status -----------------------------------------------------------------------------------------------------------


def status(name: MaybeName = None, folder: Folder = HERE) -> None:
    """What is held, who serves each partner, what waits for it, and how long that will take at the present rate."""
    settings, now = load_settings(folder), datetime.now(UTC)
    names = [settings.partner(name).name] if name is not None else [partner.name for partner in settings.partners]
    with database_session(settings) as session:
        orders = [*holds.open_holds(session), *_plan(settings).at(now)]
        waiting, served = backlogs(session, names), services(session, names)
        left = finished_since(session, now - timedelta(seconds=RATE_SECONDS))
    if name is not None:
        mine = [order for order in orders if order.partner == name]
        _show_one(settings, name, now, waiting[name], served.get(name), left.get(name, 0), mine)
        return
    columns = ("PARTNER", "MODE", "UNTIL", "BREAKER", "OWNER", "MONEY", "OTHER", "CRITICAL", "DEAD", "OLDEST")
    table = plain_table(*columns, "PER SECOND", "TIME LEFT")
    for one in names:
        order = holds.strictest([order for order in orders if order.partner == one], Lane.NORMAL, now)
        mode, until = (order.mode, _shown(settings, order.until)) if order is not None else ("-", "")
        found, service, rate = waiting[one], served.get(one), left.get(one, 0) / RATE_SECONDS
        counts = [str(found.count(kind)) for kind in ("money", "other", "critical", "dead")]
        oldest = _duration((now - found.oldest).total_seconds()) if found.oldest else ""
        owner, speed = service.process if service else "none", _speed(rate) if rate else "unknown"
        table.add_row(one, mode, until, _breaker(service), owner, *counts, oldest, speed, _time_left(found.left, rate))
    show(table)


def _show_one(
    settings: Settings,
    name: str,
    now: datetime,
    found: Backlog,
    service: Service | None,
    finished: int,
    orders: Sequence[PartnerHold],
) -> None:
    in_effect = [order for order in orders if order.is_in_effect(now)]
    planned = [order for order in orders if not order.is_in_effect(now) and not order.is_over(now)]
    rate = finished / RATE_SECONDS
    behind = f", which hold back {found.count('behind')} more" if found.count("behind") else ""
    lines = [("Mode", "normal")] if not in_effect else []
    for word, those in (("Mode", in_effect), ("Planned", planned)):
        lines += [(word, f"{_when(settings, one)}, by {one.declared_by}: {one.reason}") for one in those]
    if hours := settings.partner(name).maintenance:
        lines.append(("Maintenance hours", ", ".join(hours)))
    lines += [
        ("Breaker", _breaker(service)),
        ("Owner", service.process if service else "none: is a worker running?"),
        ("Waiting", ", ".join(f"{found.count(kind)} {kind}" for kind in ("money", "other", "critical"))),
        ("Oldest", _duration((now - found.oldest).total_seconds()) if found.oldest else "none"),
        ("Dead letters", f"{found.count('dead')}{behind}"),
        (
            "Rate",
            f"{_speed(rate)} per second in the last minute" if rate else "unknown: nothing moved in the last minute",
        ),
        ("Time left", _time_left(found.left, rate)),
    ]
    if for_codes := found.count("code"):
        lines.append(("Without a code", f"{for_codes} wait for a row of a code table: `gateway codes unmapped`"))
    for word, value in lines:
        say(f"{word}: {value}")


def _breaker(service: Service | None) -> str:
    return "unknown" if service is None else "open" if service.breaker_open else "closed"


def _when(settings: Settings, order: PartnerHold) -> str:
    until = f"until {_shown(settings, order.until)}" if order.until is not None else "until it is released"
    return f"{order.mode} from {_shown(settings, order.starts_at)} {until}"


def _shown(settings: Settings, at: datetime | None) -> str:
    return f"{at.astimezone(settings.zone):%Y-%m-%d %H:%M}" if at is not None else ""


def _speed(rate: float) -> str:
    return f"{rate:.1f}" if rate >= 1 else f"{rate:.2f}"


def _duration(seconds: float) -> str:
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    minutes, hours = whole // 60, whole // 3600
    return f"{minutes} min" if hours < 2 else f"{hours} h" if hours < 48 else f"{hours // 24} days"


def _time_left(left: int, rate: float) -> str:
    """At the present rate, if nothing new comes."""
    return "nothing waits" if not left else _duration(left / rate + 0.5) if rate else "unknown"


# --- drain ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at a backlog that drains."""

    found: Backlog
    done: int
    """How many have left since the first look."""
    seconds: float
    """Since the first look."""
    rate: float

    @property
    def words(self) -> str:
        speed = f"{_speed(self.rate)} per second" if self.rate else "nothing moves"
        return f"{self.found.left} wait, {speed}, time left: {_time_left(self.found.left, self.rate)}"


def drain(
    name: Name,
    timeout: Annotated[float | None, typer.Option("--timeout", min=0, help="Seconds; no limit when not said.")] = None,
    folder: Folder = HERE,
) -> None:
    """Watch until nothing waits for a partner any more. It changes nothing: Ctrl-C only ends the watching."""
    settings = load_settings(folder)
    partner = settings.partner(name).name
    with database_session(settings) as session, _bar(partner) as tell:
        look = None
        try:
            for look in _looks(session, settings, partner):
                tell(look)
                if timeout is not None and look.found.left and look.seconds >= timeout:
                    raise Failure(f"After {timeout:g} s {look.found.left} still wait for {partner}; delivery goes on.")
        except KeyboardInterrupt:
            note(f"{look.found.left if look else 'Some'} still wait for {partner}; delivery goes on.")
            raise
    assert look is not None
    dead, behind = look.found.count("dead"), look.found.count("behind")
    if dead:
        where = f"`gateway delivery list --state dead --partner {partner}`"
        raise Failure(f"Dead letters of {partner}: {dead}, and {behind} wait behind them: {where}.")
    if for_codes := look.found.count("code"):
        raise Failure(f"{for_codes} wait for a row of a code table: `gateway codes unmapped --partner {partner}`.")
    say(f"Nothing waits for {partner} any more; {look.done} have left.")


def _looks(session: Session, settings: Settings, partner: str) -> Iterator[_Look]:
    """Look again and again until nothing is left. Raises Failure when the partner is held: it would never end."""
    begun, clock = datetime.now(UTC), time.monotonic()
    while True:
        now = datetime.now(UTC)
        orders = [*holds.open_holds(session), *_plan(settings).at(now)]
        order = holds.strictest([order for order in orders if order.partner == partner], Lane.NORMAL, now)
        if order is not None:
            todo = "wait until then" if order.declared_by == DECLARED_BY else "release it first"
            raise Failure(f"{partner} is held ({_when(settings, order)}): {todo}.")
        found = backlogs(session, [partner])[partner]
        done = finished_since(session, begun).get(partner, 0)
        since = max(begun, now - timedelta(seconds=RATE_SECONDS))
        lately = finished_since(session, since).get(partner, 0)
        session.rollback()  # the next look sees what the others have done
        yield _Look(found, done, time.monotonic() - clock, lately / max((now - since).total_seconds(), LOOK_EVERY))
        if not found.left:
            return
        time.sleep(LOOK_EVERY)


@contextmanager
def _bar(partner: str) -> Iterator[Callable[[_Look], None]]:
    """A bar at a terminal, else a line now and then."""
    console = Console(stderr=True)
    if not console.is_terminal:
        due = [0.0]

        def line(look: _Look) -> None:
            if look.seconds >= due[0]:
                say(f"{partner}: {look.words}.")
                due[0] = look.seconds + LINE_EVERY

        yield line
        return
    columns = (TextColumn(partner), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def draw(look: _Look) -> None:
            total = look.done + look.found.left
            progress.update(task, completed=look.done, total=total, description=look.words)

        yield draw
