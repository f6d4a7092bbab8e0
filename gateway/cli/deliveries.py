"""Commands about what has to reach partners: what is under way or stuck, and how one came to where it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from gateway.cli import decisions, replays
from gateway.cli.selecting import (
    About,
    Code,
    Id,
    Operation,
    PartnerName,
    Replay,
    Since,
    Until,
    in_hospital_time,
    number_of,
)
from gateway.cli.terminal import HERE, Failure, Folder, note, plain_table, say, show
from gateway.config import load_settings
from gateway.delivery.locks import earlier
from gateway.delivery.redrive import waiting_behind
from gateway.delivery.selection import Selection, find
from gateway.delivery.waiting import awaited
from gateway.model.delivery import Delivery, DeliveryAttempt, DeliveryState
from gateway.model.journal import Alert, AuditEntry
from gateway.model.replay import ReplayMember
from gateway.site import database_session

UNFINISHED = (DeliveryState.DEAD, DeliveryState.UNKNOWN, DeliveryState.SENDING, DeliveryState.QUEUED)
MOST = 1000
FEW = 5
RELEASED = f"{DeliveryState.DEAD}, released"


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Messages on their way to partners.")
    group.command("list")(list_deliveries)
    group.command("show")(show_delivery)
    decisions.add_commands(group)
    replays.add_commands(group)
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
    replay: Replay = None,
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
        for one in (state,) if state is not None else DeliveryState if replay is not None else UNFINISHED:
            wanted = Selection(
                states=(one,),
                partner=partner,
                operation=operation,
                code=code,
                about=about,
                replay=replay,
                since=begin,
                until=end,
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
    """Its state; whether a dead letter lets the later ones go on, and what it is a replay of."""
    if row.replay_of is not None:
        known = row.state == DeliveryState.DELIVERED and row.attempts == 0
        return f"{row.state}, replay of GW-{row.replay_of}" + (" (not sent: it was there)" if known else "")
    return RELEASED if row.state == DeliveryState.DEAD and row.released_at is not None else row.state


def show_delivery(number: Id, folder: Folder = HERE) -> None:
    """How one came to where it is: its attempts, what it waits for, what was decided, and its replays."""
    settings, wanted = load_settings(folder), number_of(number)

    def time(at: datetime | None) -> str:
        return f"{at.astimezone(settings.zone):%Y-%m-%d %H:%M:%S}" if at is not None else ""

    with database_session(settings) as session:
        row = session.get(Delivery, wanted, options=(defer(Delivery.request), defer(Delivery.answer)))
        if row is None:
            raise Failure(f"There is no delivery {wanted}.")
        say(f"{row.operation} to {row.partner} about {row.subject}: {standing(row)}")
        say(f"From {row.origin_sender_code}, message {row.origin_message_id}, transaction {row.txn_no}")
        ends = (("next attempt", row.next_attempt_at), ("ended", row.finished_at), ("released", row.released_at))
        say(", ".join([f"Handed over {time(row.created_at)}", *(f"{what} {time(at)}" for what, at in ends if at)]))
        waits = row.state in UNFINISHED and standing(row) != RELEASED
        before, behind = (earlier(session, row), waiting_behind(session, row)) if waits else ((), 0)
        if before:
            say(f"Waits for {', '.join(one.message_id for one in before[:FEW])}" + (" ..." if before[FEW:] else ""))
        if (code := awaited(session, row)) is not None:
            say(f"Waits for a row of {code.code_table} for {code.value}: `gateway codes unmapped`")
        if behind:
            say(f"{behind:,} wait behind it")
        attempts = plain_table("ATTEMPT", "MILLISECONDS", "OUTCOME", "ANSWER", "WHAT IS WRONG WITH IT")
        query = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id == row.id).order_by(DeliveryAttempt.id)
        for one in session.scalars(query):
            attempts.add_row(
                time(one.started_at), f"{one.milliseconds:,}", one.outcome, one.code or "", one.detail or ""
            )
        said = plain_table("AT", "WHO OR WHAT", "", "")
        for entry in _decisions(session, row):
            said.add_row(time(entry.at), entry.actor, entry.action, entry.detail or "")
        for alert in session.scalars(select(Alert).where(Alert.txn_no == row.txn_no).order_by(Alert.id)):
            settled = f"settled {time(alert.settled_at)}" if alert.settled_at else "unsettled"
            said.add_row(time(alert.raised_at), "alert", f"{alert.kind}: {alert.subject}", settled)
        again_in = select(ReplayMember).where(ReplayMember.original_id == row.id).order_by(ReplayMember.batch_id)
        for member in session.scalars(again_in):
            again = f"GW-{member.delivery_id}" if member.delivery_id else member.left_out or "not yet handed over"
            said.add_row("", f"replay {member.batch_id}", again, "")
    for table in (attempts, said):
        if table.row_count:
            show(table)


def _decisions(session: Session, row: Delivery) -> Sequence[AuditEntry]:
    """What people decided about it."""
    query = select(AuditEntry).where(AuditEntry.subject == f"delivery {row.id}")
    return session.scalars(query.order_by(AuditEntry.at, AuditEntry.txn_no)).all()
