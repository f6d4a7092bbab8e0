"""What an operator decides about deliveries that are stuck: one by its number, or a selection after a look at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from gateway.cli.selecting import (
    LIMIT,
    About,
    Code,
    DryRun,
    Ids,
    Limit,
    Operation,
    PartnerName,
    Reason,
    Replay,
    Since,
    State,
    Until,
    Yes,
    in_hospital_time,
    need_few,
    need_narrow,
    numbers_of,
    show_groups,
    why,
)
from gateway.cli.terminal import HERE, WRONG, Failure, Folder, is_wanted, note, progress, say
from gateway.config import Settings, load_settings
from gateway.delivery import redrive
from gateway.delivery.jobs import Jobs
from gateway.delivery.selection import Selection, groups
from gateway.model.delivery import Delivery, DeliveryState
from gateway.site import audit, database_session

FEW = 5
MOST_COUNTED = 100_000

WithoutAsking = Annotated[
    bool, typer.Option("--without-asking", help="Send money again without asking the partner what became of it.")
]


@dataclass(frozen=True, slots=True)
class Decision:
    """One of the things that can be decided."""

    action: str
    """Its name in the audit."""
    done: str
    """What is said of one it was done to."""
    question: str
    act: Callable[[Session, int], object]
    only: ColumnElement[bool] | None = None
    """Which of a selection it is done to, when not to all; the others need no decision."""
    effect: str = ""
    """What it means for order."""
    detail: str | None = None


def add_commands(group: typer.Typer) -> None:
    group.command("retry")(retry)
    group.command("skip")(skip)
    group.command("discard", hidden=True)(skip)
    group.command("release")(release)


def retry(
    ids: Ids = None,
    partner: PartnerName = None,
    operation: Operation = None,
    code: Code = None,
    about: About = None,
    state: State = None,
    replay: Replay = None,
    since: Since = None,
    until: Until = None,
    without_asking: WithoutAsking = False,
    limit: Limit = LIMIT,
    yes: Yes = False,
    dry_run: DryRun = False,
    folder: Folder = HERE,
) -> None:
    """Send again now, before the later ones about the same thing. Of a selection the first of each order goes at once,
    the others follow by themselves."""
    now = datetime.now(UTC)
    decision = Decision(
        "RETRY_DELIVERY",
        "is sent again now",
        "Send them again now?",
        lambda session, one: redrive.retry(session, Jobs(), one, now, ask_first=not without_asking),
        redrive.goes_first(),
        "follow by themselves, in their order",
    )
    settings = load_settings(folder)
    wanted = _selection(settings, ids, partner, operation, code, about, state, replay, since, until)
    _decide(settings, decision, wanted, limit, yes, dry_run)


def skip(
    reason: Reason,
    ids: Ids = None,
    partner: PartnerName = None,
    operation: Operation = None,
    code: Code = None,
    about: About = None,
    state: State = None,
    replay: Replay = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = LIMIT,
    yes: Yes = False,
    dry_run: DryRun = False,
    folder: Folder = HERE,
) -> None:
    """Give up for good; what waits behind goes on."""
    because, now = why(reason), datetime.now(UTC)
    decision = Decision(
        "DISCARD_DELIVERY",
        "is given up",
        "Give them up for good?",
        lambda session, one: redrive.discard(session, Jobs(), one, because, now),
    )
    settings = load_settings(folder)
    wanted = _selection(settings, ids, partner, operation, code, about, state, replay, since, until)
    _decide(settings, decision, wanted, limit, yes, dry_run)


def release(
    reason: Reason,
    ids: Ids = None,
    partner: PartnerName = None,
    operation: Operation = None,
    code: Code = None,
    about: About = None,
    replay: Replay = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = LIMIT,
    yes: Yes = False,
    dry_run: DryRun = False,
    folder: Folder = HERE,
) -> None:
    """Let what waits behind dead letters go on. They stay listed and may be retried later, after the others."""
    because, now = why(reason), datetime.now(UTC)
    decision = Decision(
        "RELEASE_DELIVERY",
        "holds nobody back any more",
        "What waits goes on without these, and the partner has no order to rely on: if they are retried later, it gets"
        " the older message after the newer one. Release them?",
        lambda session, one: redrive.release(session, Jobs(), one, now),
        Delivery.released_at.is_(None),
        "are released already",
        because,
    )
    settings = load_settings(folder)
    wanted = _selection(settings, ids, partner, operation, code, about, None, replay, since, until)
    _decide(settings, decision, wanted, limit, yes, dry_run, always_ask=True)


def _selection(
    settings: Settings,
    ids: Sequence[str] | None,
    partner: str | None,
    operation: str | None,
    code: str | None,
    about: str | None,
    state: DeliveryState | None,
    replay: int | None,
    since: datetime | None,
    until: datetime | None,
) -> Selection:
    """Dead letters, unless another state is said; a number means that one, in whatever state it is."""
    if state is not None and state not in redrive.OPEN:
        raise Failure(f"{state} cannot be decided: --state is {', '.join(sorted(redrive.OPEN))}.", WRONG)
    numbers = numbers_of(ids)
    states = (state,) if state is not None else () if numbers else (DeliveryState.DEAD,)
    begin, end = in_hospital_time(settings, since), in_hospital_time(settings, until)
    wanted = Selection(
        ids=numbers,
        states=states,
        partner=partner,
        operation=operation,
        code=code,
        about=about,
        replay=replay,
        since=begin,
        until=end,
    )
    if not wanted.is_narrow and state is None:
        need_narrow(wanted)
    return wanted


def _decide(
    settings: Settings,
    decision: Decision,
    wanted: Selection,
    limit: int,
    yes: bool,
    dry_run: bool,
    *,
    always_ask: bool = False,
) -> None:
    """One that is named is done at once, a selection is shown first."""
    with database_session(settings) as session:
        if len(wanted.ids) == 1 and not dry_run and not always_ask:
            _one(session, decision, wanted.ids[0])
            say(f"Delivery {wanted.ids[0]} {decision.done}.")
            return
        conditions = wanted.conditions()
        only = () if decision.only is None else (decision.only,)
        meant = select(Delivery.id).where(*conditions, *only).order_by(Delivery.id)
        numbers = session.scalars(meant.limit(MOST_COUNTED)).all()
        need_few(len(numbers), limit)
        found = groups(session, *conditions)
        _need_known(wanted, sum(group.many for group in found))
        show_groups(settings, found)
        others = sum(group.many for group in found) - len(numbers)
        say(f"{len(numbers):,} are decided" + (f"; {others:,} more {decision.effect}." if others else "."))
        session.rollback()
        if not numbers or dry_run or not is_wanted(yes, decision.question):
            return
        _all(session, decision, numbers)


def _need_known(wanted: Selection, found: int) -> None:
    if wanted.ids and found < len(wanted.ids):
        raise Failure(f"Only {found} of the {len(wanted.ids)} numbers given are deliveries that fit.")
    if not found:
        raise Failure("No delivery fits.")


def _one(session: Session, decision: Decision, number: int) -> None:
    """Decide one, in a transaction with its audit entry."""
    try:
        decision.act(session, number)
    except redrive.RedriveRefused as refused:
        session.rollback()
        raise Failure(str(refused)) from None
    audit(session, decision.action, f"delivery {number}", decision.detail)
    session.commit()


def _all(session: Session, decision: Decision, numbers: Sequence[int]) -> None:
    """Decide each by itself: what cannot be decided meanwhile keeps nobody from going on."""
    refused: list[str] = []
    with progress("Deliveries", len(numbers)) as tell:
        for position, number in enumerate(numbers, 1):
            try:
                _one(session, decision, number)
            except Failure as failure:
                refused.append(str(failure))
            tell(position, f"{len(refused):,} refused" if refused else "")
    say(f"Done to {len(numbers) - len(refused):,} of {len(numbers):,}: each {decision.done}.")
    for text in refused[:FEW]:
        note(text)
    if refused:
        raise Failure(
            f"{len(refused):,} could not be decided" + ("; the first are above." if len(refused) > 1 else ".")
        )
