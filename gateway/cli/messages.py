"""Commands about messages that were received: found, followed through all they caused, and given to partners again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.cli import message_story, replays
from gateway.cli.deliveries import standing
from gateway.cli.selecting import TIMES, DryRun, Yes, in_hospital_time, why
from gateway.cli.terminal import HERE, WRONG, Failure, Folder, is_wanted, note, plain_table, say, show
from gateway.config import Settings, load_settings
from gateway.delivery.replay import MOST as MOST_DELIVERIES
from gateway.delivery.replay import REPLAYABLE
from gateway.delivery.selection import Selection
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.journal import JournalEntry
from gateway.operations import journal_search
from gateway.operations.journal_search import Found, Wanted
from gateway.site import audit, database_session

MOST = journal_search.MOST - 1
"""Messages at once."""

Number = Annotated[
    str, typer.Argument(metavar="NUMBER", help="GatewayTxnNo (G...), or the MessageId its sender gave it.")
]
Numbers = Annotated[list[str] | None, typer.Argument(metavar="[NUMBER]...", help="GatewayTxnNo or MessageId.")]
Requisition = Annotated[str | None, typer.Option("--requisition", metavar="NO")]
Visit = Annotated[str | None, typer.Option("--visit", metavar="NO")]
Patient = Annotated[str | None, typer.Option("--patient", metavar="ID", help="Also under ids merged with this one.")]
MessageId = Annotated[str | None, typer.Option("--message-id", metavar="ID")]
Sender = Annotated[str | None, typer.Option("--sender", metavar="CLIENT")]
Operation = Annotated[str | None, typer.Option("--operation", metavar="NAME", help="Such as ReportStatus.")]
Code = Annotated[str | None, typer.Option("--code", metavar="CODE", help="What it was answered, such as STA-404.")]
Since = Annotated[datetime | None, typer.Option("--since", formats=TIMES, help="Received at this time or later.")]
Until = Annotated[datetime | None, typer.Option("--until", formats=TIMES, help="Received before this time.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=MOST)]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Messages that were received, and all they caused.")
    group.command("list")(list_messages)
    group.command("show")(show_message)
    group.command("trace")(trace)
    group.command("replay")(replay_messages)
    app.add_typer(group, name="message")


# --- looking ----------------------------------------------------------------------------------------------------------


def list_messages(
    requisition: Requisition = None,
    visit: Visit = None,
    patient: Patient = None,
    message_id: MessageId = None,
    sender: Sender = None,
    operation: Operation = None,
    code: Code = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    folder: Folder = HERE,
) -> None:
    """Messages as they came, the latest first."""
    settings = load_settings(folder)
    wanted = _wanted(settings, requisition, visit, patient, message_id, sender, operation, code, since, until)
    table = plain_table("TRANSACTION", "RECEIVED", "OPERATION", "SENDER", "MESSAGE", "REQUISITION", "VISIT", "ANSWER")
    with database_session(settings) as session:
        _note_look(session, "MESSAGE_LIST", wanted)
        found = journal_search.search(session, wanted, limit)
    for one in found:
        received = f"{one.received_at.astimezone(settings.zone):%m-%d %H:%M:%S}"
        words = (one.txn_no, received, one.operation, one.sender_code, one.message_id)
        table.add_row(*words, one.requisition_no or "", one.visit_no or "", one.result_code)
    show(table)
    if len(found) == limit:
        note(f"Only the latest {limit} are shown: --limit shows more, --until earlier ones.")


def show_message(number: Number, folder: Folder = HERE) -> None:
    """One message and what it caused: deliveries, money, what the audit says, alerts. Its content is not shown."""
    settings = load_settings(folder)
    with database_session(settings) as session:
        entry = _entry(session, number)
        _note_look(session, "MESSAGE_SHOW", Wanted(txn_no=entry.txn_no, patient=entry.patient_id))
        for line in message_story.head(entry, settings.zone):
            say(line)
        table = plain_table("ID", "STATE", "PARTNER", "OPERATION", "ATTEMPTS", "LAST ANSWER", "")
        rows = message_story.deliveries(session, [entry.txn_no])
        wrong = message_story.what_was_wrong(session, rows)
        for row in rows:
            words = (row.message_id, standing(row), row.partner, row.operation, str(row.attempts))
            table.add_row(*words, row.last_code or "", wrong.get(row.id, ""))
        more = message_story.consequences(session, entry, settings.zone)
    for one in (table, more):
        if one.row_count:
            show(one)


def trace(
    number: Annotated[str | None, typer.Argument(metavar="[NUMBER]", help="GatewayTxnNo or MessageId.")] = None,
    requisition: Requisition = None,
    visit: Visit = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    folder: Folder = HERE,
) -> None:
    """What happened one after the other: of one message, or of all about a requisition or visit."""
    settings = load_settings(folder)
    if (number is None) == (requisition is None and visit is None):
        raise Failure("Say what to follow: a message's NUMBER, or --requisition or --visit.", WRONG)
    with database_session(settings) as session:
        if number is not None:
            wanted = Wanted(txn_no=_entry(session, number).txn_no)
        else:
            wanted = _wanted(settings, requisition, visit, None, None, None, None, None, since, until)
        _note_look(session, "MESSAGE_TRACE", wanted)
        found = journal_search.search(session, wanted, limit)
        if not found:
            raise Failure("No message fits.")
        table = plain_table("AT", "WHO OR WHAT", "WHAT HAPPENED", "")
        for event in message_story.events(session, found):
            at = event.at.astimezone(settings.zone)
            table.add_row(f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}", event.who, event.what, event.more)
    show(table)
    if len(found) == limit:
        note(f"Only the latest {limit} messages are followed: --limit shows more.")


# --- giving it again --------------------------------------------------------------------------------------------------


def replay_messages(
    numbers: Numbers = None,
    requisition: Requisition = None,
    visit: Visit = None,
    patient: Patient = None,
    sender: Sender = None,
    operation: Operation = None,
    partner: Annotated[str | None, typer.Option("--partner", metavar="NAME", help="Only what this one got.")] = None,
    since: Since = None,
    until: Until = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; needed to do it.")] = None,
    with_superseded: replays.WithSuperseded = False,
    per_second: replays.Pace = replays.PER_SECOND,
    limit: Limit = MOST,
    yes: Yes = False,
    dry_run: DryRun = False,
    folder: Folder = HERE,
) -> None:
    """Send again what messages had brought to partners; the same as `gateway delivery replay`, chosen by message."""
    settings = load_settings(folder)
    wanted = _wanted(settings, requisition, visit, patient, None, sender, operation, None, since, until)
    if not numbers and wanted == Wanted(until=wanted.until):
        raise Failure("Say which: numbers, --requisition, --visit, --patient, --sender, --operation or --since.", WRONG)
    because = why(reason or "") if yes and not dry_run else reason or ""
    with database_session(settings) as session:
        _note_look(session, "MESSAGE_LIST", wanted)
        found = [_entry(session, one).txn_no for one in numbers] if numbers else _txn_nos(session, wanted, limit)
        ids = _replayable(session, found, partner)
        if not ids:
            raise Failure("Nothing that fits was delivered to anybody: there is nothing to send again.")
        selection = Selection(ids=tuple(ids))
        plan = replays.replay_plan(session, settings, selection, MOST_DELIVERIES, with_superseded=with_superseded)
        replays.show_plan(settings, plan, per_second)
        question = "Propose it?" if plan.needs_approval else "Send them again?"
        if dry_run or not plan.originals or not is_wanted(yes, question):
            return
        chosen = " ".join(filter(None, ("messages", *(numbers or ()), said(wanted))))
        replays.propose(session, plan, why(because), chosen, per_second, with_superseded=with_superseded)


def _txn_nos(session: Session, wanted: Wanted, limit: int) -> list[str]:
    found = journal_search.search(session, wanted, limit + 1)
    if len(found) > limit:
        raise Failure(f"More than {limit:,} messages fit: narrow them by --since and --until.")
    return [one.txn_no for one in found]


def _replayable(session: Session, txn_nos: Sequence[str], partner: str | None) -> Sequence[int]:
    query = select(Delivery.id).where(
        Delivery.txn_no.in_(txn_nos),
        Delivery.state == DeliveryState.DELIVERED,
        Delivery.replay_of.is_(None),
        Delivery.operation.in_(REPLAYABLE),
    )
    if partner is not None:
        query = query.where(Delivery.partner == partner)
    return session.scalars(query.order_by(Delivery.id)).all()


# --- finding ----------------------------------------------------------------------------------------------------------


def _wanted(
    settings: Settings,
    requisition: str | None,
    visit: str | None,
    patient: str | None,
    message_id: str | None,
    sender: str | None,
    operation: str | None,
    code: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Wanted:
    return Wanted(
        since=in_hospital_time(settings, since),
        until=in_hospital_time(settings, until),
        patient=patient,
        requisition_no=requisition,
        visit_no=visit,
        message_id=message_id,
        sender=sender,
        operation=operation,
        result_code=code,
    )


def _entry(session: Session, number: str) -> JournalEntry:
    """The one message of this number, its own or ours."""
    entry = journal_search.entry(session, number, content=False)
    if entry is not None:
        return entry
    found: list[Found] = journal_search.search(session, Wanted(message_id=number), 10)
    if not found:
        raise Failure(f"There is no message {number}: give its GatewayTxnNo (G...) or its MessageId.")
    if len(found) > 1:
        which = ", ".join(f"{one.txn_no} ({one.operation} of {one.sender_code})" for one in found)
        raise Failure(f"Several messages have this number: {which}.")
    entry = journal_search.entry(session, found[0].txn_no, content=False)
    assert entry is not None
    return entry


def _note_look(session: Session, action: str, wanted: Wanted) -> None:
    """Who looked is committed first: who cannot be noted sees nothing."""
    subject = f"patient {wanted.patient}" if wanted.patient is not None else "messages"
    audit(session, action, subject, said(wanted) or None)
    session.commit()


def said(wanted: Wanted) -> str:
    """What was looked for, as the audit keeps it."""
    times = ((name, at) for name, at in (("since", wanted.since), ("until", wanted.until)) if at is not None)
    words = (
        *(f"{name}={at.astimezone(UTC):%Y-%m-%dT%H:%MZ}" for name, at in times),
        *(
            f"{name}={value}"
            for name in ("requisition_no", "visit_no", "message_id", "txn_no", "sender", "operation", "result_code")
            if (value := getattr(wanted, name)) is not None
        ),
    )
    return " ".join(words)
