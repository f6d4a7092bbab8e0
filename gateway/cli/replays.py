"""Commands that send again what was delivered: looked at first, and by two people for money and clinical content."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from gateway.cli.selecting import (
    LIMIT,
    About,
    DryRun,
    Ids,
    Limit,
    Operation,
    PartnerName,
    Reason,
    Since,
    Until,
    Yes,
    in_hospital_time,
    need_narrow,
    numbers_of,
    why,
)
from gateway.cli.terminal import HERE, Failure, Folder, is_wanted, note, plain_table, progress, say, show
from gateway.config import Settings, load_settings
from gateway.delivery import replay
from gateway.delivery.jobs import Jobs
from gateway.delivery.replay import Plan, ReplayRefused
from gateway.delivery.selection import Selection
from gateway.model.delivery import Delivery
from gateway.model.replay import ReplayBatch, ReplayMember, ReplayState
from gateway.site import audit, database_session, operator

INTERRUPTED = 130
PER_SECOND = 10
RECENT = 50

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Its number in `gateway delivery replays`.")]
Pace = Annotated[
    int,
    typer.Option("--per-second", min=1, max=replay.MOST_PER_SECOND, help="So many are handed to the queue a second."),
]
WithSuperseded = Annotated[
    bool,
    typer.Option("--with-superseded", help="Also what a later message has overtaken: it may set the partner back."),
]


def add_commands(group: typer.Typer) -> None:
    group.command("replay")(send_again)
    group.command("replays")(list_replays)
    group.command("approve")(approve)
    group.command("resume")(resume)
    group.command("cancel")(cancel)


# --- proposing --------------------------------------------------------------------------------------------------------


def send_again(
    ids: Ids = None,
    partner: PartnerName = None,
    operation: Operation = None,
    about: About = None,
    since: Since = None,
    until: Until = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; needed to do it.")] = None,
    with_superseded: WithSuperseded = False,
    per_second: Pace = PER_SECOND,
    limit: Limit = LIMIT,
    yes: Yes = False,
    dry_run: DryRun = False,
    folder: Folder = HERE,
) -> None:
    """Send again what was delivered, because a partner has lost it. Money and clinical content need a second person."""
    settings = load_settings(folder)
    wanted = Selection(
        ids=numbers_of(ids),
        partner=partner,
        operation=operation,
        about=about,
        since=in_hospital_time(settings, since),
        until=in_hospital_time(settings, until),
    )
    need_narrow(wanted)
    because = why(reason or "") if yes and not dry_run else reason or ""
    with database_session(settings) as session:
        plan = replay_plan(session, settings, wanted, limit, with_superseded=with_superseded)
        show_plan(settings, plan, per_second)
        question = "Propose it?" if plan.needs_approval else "Send them again?"
        if dry_run or not plan.originals or not is_wanted(yes, question):
            return
        propose(session, plan, why(because), str(wanted), per_second, with_superseded=with_superseded)


def replay_plan(session: Session, settings: Settings, wanted: Selection, limit: int, *, with_superseded: bool) -> Plan:
    """What a selection means; a refusal in one line."""
    partners = {partner.name: partner for partner in settings.partners}
    try:
        return replay.plan(session, wanted, partners, limit, with_superseded=with_superseded)
    except ReplayRefused as refused:
        raise Failure(str(refused)) from None


def show_plan(settings: Settings, plan: Plan, per_second: int) -> None:
    """The effect, before anything happens."""
    table = plain_table("PARTNER", "OPERATION", "MANY", "OVERTAKEN", "ASKED FIRST", "OLDEST", "NEWEST")
    for line in plan.lines:
        times = (f"{at.astimezone(settings.zone):%m-%d %H:%M:%S}" for at in (line.oldest, line.newest))
        counts = (f"{line.many:,}", f"{line.superseded:,}" if line.superseded else "")
        table.add_row(line.partner, line.operation, *counts, "yes" if line.asks_first else "", *times)
    show(table)
    left_out = f"; {plan.superseded:,} are left out, later messages have overtaken them" if plan.superseded else ""
    say(f"{len(plan.originals):,} are sent again, at most {per_second} a second{left_out}.")
    if plan.needs_approval:
        say("They are money or clinical content: a second person has to approve it.")


def propose(
    session: Session, plan: Plan, reason: str, selection: str, per_second: int, *, with_superseded: bool
) -> None:
    """Keep it as a replay; what needs no second person begins at once."""
    batch = replay.propose(
        session,
        plan,
        by=operator(),
        reason=reason,
        selection=selection,
        with_superseded=with_superseded,
        per_second=per_second,
        now=datetime.now(UTC),
    )
    detail = f"{len(plan.originals)} deliveries, {selection}: {reason}"
    audit(session, "REPLAY_PROPOSE", f"replay {batch.id}", detail)
    session.commit()
    if plan.needs_approval:
        say(f"Replay {batch.id} is proposed. Another person approves it: `gateway delivery approve {batch.id}`.")
        return
    _run(session, batch.id, batch.per_second)


# --- deciding and going on --------------------------------------------------------------------------------------------


def approve(number: Number, yes: Yes = False, folder: Folder = HERE) -> None:
    """Approve a replay that another person proposed, and begin it."""
    settings = load_settings(folder)
    with database_session(settings) as session:
        batch = _batch(session, number)
        _show_one(session, settings, batch)
        try:
            replay.approve(session, number, by=operator(), now=datetime.now(UTC))
        except ReplayRefused as refused:
            raise Failure(str(refused)) from None
        session.rollback()
        if not is_wanted(yes, "Approve it and send them again?"):
            return
        replay.approve(session, number, by=operator(), now=datetime.now(UTC))
        audit(session, "REPLAY_APPROVE", f"replay {number}")
        session.commit()
        _run(session, number, batch.per_second)


def resume(number: Number, folder: Folder = HERE) -> None:
    """Go on with a replay that was stopped."""
    with database_session(load_settings(folder)) as session:
        batch = _batch(session, number)
        if batch.state not in (ReplayState.APPROVED, ReplayState.RUNNING):
            raise Failure(f"Replay {number} is {batch.state}: there is nothing to go on with.")
        audit(session, "REPLAY_RESUME", f"replay {number}")
        session.commit()
        _run(session, number, batch.per_second)


def cancel(number: Number, reason: Reason, folder: Folder = HERE) -> None:
    """Hand over no more of a replay, and take back what the partner was not sent yet."""
    because = why(reason)
    with database_session(load_settings(folder)) as session:
        try:
            taken = replay.cancel(session, Jobs(), number, now=datetime.now(UTC))
        except ReplayRefused as refused:
            raise Failure(str(refused)) from None
        audit(session, "REPLAY_CANCEL", f"replay {number}", because)
        session.commit()
    say(f"Replay {number} is cancelled; {taken:,} that had not left yet are taken back.")


def _run(session: Session, number: int, per_second: int) -> None:
    """Hand all of it to the queue at its pace; what is live never stands behind many of them."""
    many, pause = (per_second // 10, 0.1) if per_second >= PER_SECOND else (1, 1 / per_second)
    found = replay.progress(session, number)
    try:
        with progress(f"Replay {number}", found.size) as tell:
            while found.state is not ReplayState.DONE:
                started = time.monotonic()
                found = replay.hand_over(session, number, many, datetime.now(UTC))
                session.commit()
                blocked = ", ".join(found.blocked)
                tell(found.done, f"waiting for {blocked} to answer" if blocked else "")
                time.sleep(max(0.0, started + pause - time.monotonic()))
    except KeyboardInterrupt:
        rest = f"`gateway delivery resume {number}` goes on, `gateway delivery cancel {number}` ends it"
        raise Failure(f"Stopped after {found.done:,} of {found.size:,}: {rest}.", INTERRUPTED) from None
    except ReplayRefused as refused:
        raise Failure(str(refused)) from None
    left_out = f", {found.left_out:,} left out as overtaken or gone" if found.left_out else ""
    say(f"Replay {number}: {found.handed_over:,} are handed to the queue{left_out}.")
    say(f"What becomes of them: `gateway delivery replays {number}`.")


# --- looking ----------------------------------------------------------------------------------------------------------


def list_replays(
    number: Annotated[int | None, typer.Argument(metavar="[NUMBER]", help="One of them, in detail.")] = None,
    folder: Folder = HERE,
) -> None:
    """Replays, the newest first; or what became of one."""
    settings = load_settings(folder)
    with database_session(settings) as session:
        if number is not None:
            _show_one(session, settings, _batch(session, number))
            return
        table = plain_table("NUMBER", "STATE", "PROPOSED", "BY", "APPROVED BY", "DONE", "OF", "REASON")
        for batch in session.scalars(select(ReplayBatch).order_by(ReplayBatch.id.desc()).limit(RECENT)).all():
            found = replay.progress(session, batch.id)
            when = f"{batch.proposed_at.astimezone(settings.zone):%m-%d %H:%M:%S}"
            people = (batch.proposed_by, batch.approved_by or "")
            table.add_row(str(batch.id), batch.state, when, *people, f"{found.done:,}", f"{found.size:,}", batch.reason)
    show(table)


def _batch(session: Session, number: int) -> ReplayBatch:
    batch = session.get(ReplayBatch, number)
    if batch is None:
        raise Failure(f"There is no replay {number}.")
    return batch


def _show_one(session: Session, settings: Settings, batch: ReplayBatch) -> None:
    times = (f"{batch.proposed_at.astimezone(settings.zone):%Y-%m-%d %H:%M:%S}", batch.approved_by or "")
    approved = f", approved by {times[1]}" if times[1] else ""
    say(f"Replay {batch.id}: {batch.state}, proposed {times[0]} by {batch.proposed_by}{approved}")
    say(f"Reason: {batch.reason}")
    say(f"Chosen: {batch.selection}")
    member = ReplayMember
    what = case(
        (member.left_out.is_not(None), member.left_out),
        (Delivery.id.is_(None), "to be sent"),
        ((Delivery.state == "DELIVERED") & (Delivery.attempts == 0), "KNOWN, not sent"),
        else_=Delivery.state,
    )
    query = (
        select(member.partner, member.operation, what, func.count())
        .join(Delivery, Delivery.id == member.delivery_id, isouter=True)
        .where(member.batch_id == batch.id)
        .group_by(member.partner, member.operation, what)
        .order_by(member.partner, member.operation, what)
    )
    table = plain_table("PARTNER", "OPERATION", "STATE", "MANY")
    for partner, operation, state, many in session.execute(query):
        table.add_row(partner, operation, state, f"{many:,}")
    show(table)
    if batch.superseded:
        note(f"{batch.superseded:,} of the selection are not part of it: later messages had overtaken them.")
