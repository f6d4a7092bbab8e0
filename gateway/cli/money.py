"""Commands about money: what is undecided, how a transaction came to be, and what people decide about it by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.bootstrap.core import Core, make_core
from gateway.cli.terminal import HERE, WRONG, Failure, Folder, note, plain_table, say, show
from gateway.config import load_settings
from gateway.delivery import redrive
from gateway.delivery.jobs import Jobs
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.money import LedgerEntry, MoneyKind, MoneyState, MoneyTransaction
from gateway.operations import by_hand
from gateway.operations.unit import new_txn_no
from gateway.site import audit, database_session
from gateway.terms import TransactionState, VisitType

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="ChargeNo, RefundNo, or GW-... of the gateway's own.")]
Sender = Annotated[
    str | None, typer.Option("--sender", metavar="CLIENT", help="Whose number it is, when several have it.")
]
Kind = Annotated[MoneyKind | None, typer.Option("--kind", case_sensitive=False)]
Operator = Annotated[str, typer.Option("--operator", metavar="WHO", help="Who decides it.")]
Approver = Annotated[str, typer.Option("--approved-by", metavar="WHO", help="Another person, who approves it.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for those who ask later; no names.")]
MOST = 1000


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Charges and refunds: what is undecided, and what people decide.")
    group.command("list")(list_money)
    group.command("show")(show_money)
    group.command("take-over")(take_over)
    group.command("resolve")(resolve)
    group.command("adjust")(adjust)
    app.add_typer(group, name="money")


# --- looking ----------------------------------------------------------------------------------------------------------


def list_money(
    state: Annotated[
        TransactionState | None,
        typer.Option("--state", case_sensitive=False, help="All that is undecided when not said."),
    ] = None,
    visit: Annotated[str | None, typer.Option("--visit", metavar="NO")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST)] = 100,
    folder: Folder = HERE,
) -> None:
    """Transactions whose outcome is open, the oldest first; of a visit, or in a state, those."""
    settings = load_settings(folder)
    query = select(MoneyTransaction).order_by(MoneyTransaction.created_at, MoneyTransaction.key).limit(limit)
    if visit is not None:
        query = query.where(MoneyTransaction.visit_no == visit)
    if state is not None or visit is None:
        query = query.where(MoneyTransaction.state.in_((state,) if state is not None else by_hand.OPEN))
    table = plain_table("KIND", "NUMBER", "OF", "STATE", "AMOUNT", "VISIT", "DEPARTMENT", "SINCE", "HIS NO")
    with database_session(settings) as session:
        rows = session.scalars(query).all()
    for row in rows:
        since = f"{row.created_at.astimezone(settings.zone):%m-%d %H:%M:%S}"
        words = (row.kind, row.number, row.sender_code, row.state, f"{row.amount:,.2f}", row.visit_no)
        table.add_row(*words, row.perform_dept_code or "", since, row.his_no or "")
    show(table)
    if len(rows) == limit:
        note(f"Only the first {limit} are shown: --limit shows more.")


def show_money(number: Number, sender: Sender = None, kind: Kind = None, folder: Folder = HERE) -> None:
    """How one came to be: its lines, its states and its entries in the ledger."""
    settings = load_settings(folder)
    with database_session(settings) as session:
        row = _find(session, number, kind, sender)
        states = session.scalars(
            select(MoneyState).where(MoneyState.transaction_key == row.key).order_by(MoneyState.seq)
        )
        query = select(LedgerEntry).where(LedgerEntry.transaction_key == row.key)
        entries = session.scalars(query.order_by(LedgerEntry.line_no, LedgerEntry.account.desc())).all()
        said = [
            (f"{s.at.astimezone(settings.zone):%Y-%m-%d %H:%M:%S}", s.state, s.code or "", s.text or "") for s in states
        ]
    say(f"{row.kind} {row.number} of {row.sender_code}: {row.state}, {row.amount:,.2f}, visit {row.visit_no}")
    lines = plain_table("LINE", "ITEM", "CODE", "QUANTITY", "LIST", "AMOUNT")
    for line in row.lines:
        amounts = ("" if value is None else f"{value:,.2f}" for value in (line.list_amount, line.amount))
        item = "" if line.item_seq is None else str(line.item_seq)
        lines.add_row(str(line.line_no), item, line.charge_code, f"{line.quantity:f}", *amounts)
    show(lines)
    table = plain_table("AT", "STATE", "CODE", "WHY")
    for words in said:
        table.add_row(*words)
    show(table)
    books = plain_table("LINE", "ACCOUNT", "DEBIT", "CREDIT")
    for entry in entries:
        debit, credit = (f"{entry.amount:,.2f}", "") if entry.amount >= 0 else ("", f"{-entry.amount:,.2f}")
        books.add_row(str(entry.line_no), entry.account, debit, credit)
    show(books)


# --- deciding ---------------------------------------------------------------------------------------------------------


def take_over(
    number: Number,
    operator: Operator,
    approved_by: Approver,
    reason: Reason,
    sender: Sender = None,
    kind: Kind = None,
    folder: Folder = HERE,
) -> None:
    """Let people find out: the gateway asks HIS no more about it, and the visit's other money goes on."""
    with _deciding(folder) as (core, session):
        people, now = by_hand.People(operator, approved_by, reason), core.clock()
        row = _find(session, number, kind, sender)
        _give_up(session, row, "taken over by hand", now)
        by_hand.take_over(session, row, people, now)
        audit(session, "TAKE_OVER_MONEY", f"{row.kind.lower()} {number}", str(people))
        session.commit()
    say(f"{number} is looked after by people now: settle it with `gateway money resolve {number}`.")


def resolve(
    number: Number,
    operator: Operator,
    approved_by: Approver,
    reason: Reason,
    booked: Annotated[bool, typer.Option("--booked/--not-booked", help="What HIS's books say.")],
    his_no: Annotated[str | None, typer.Option("--his-no", metavar="NO", help="HIS's own number of it.")] = None,
    sender: Sender = None,
    kind: Kind = None,
    folder: Folder = HERE,
) -> None:
    """Settle one whose outcome is open, as HIS's books have it."""
    with _deciding(folder) as (core, session):
        people, now = by_hand.People(operator, approved_by, reason), core.clock()
        row = _find(session, number, kind, sender)
        _give_up(session, row, "settled by hand", now)
        by_hand.resolve(session, row, people, now, core.dispatch, is_booked=booked, his_no=his_no)
        audit(session, "RESOLVE_MONEY", f"{row.kind.lower()} {number}", f"booked={booked}: {people}")
        session.commit()
    say(f"{number} is {'booked' if booked else 'not booked'}.")


def adjust(
    amount: Annotated[str, typer.Option("--amount", metavar="AMOUNT", help="How much more, or less: -2.00.")],
    operator: Operator,
    approved_by: Approver,
    reason: Reason,
    charge: Annotated[str | None, typer.Option("--charge", metavar="NUMBER", help="The charge to correct.")] = None,
    line: Annotated[int, typer.Option("--line", min=1, help="Its line.")] = 1,
    sender: Sender = None,
    visit: Annotated[str | None, typer.Option("--visit", metavar="NO", help="Without a charge: the visit.")] = None,
    visit_type: Annotated[VisitType, typer.Option("--visit-type")] = VisitType.INPATIENT,
    patient: Annotated[str | None, typer.Option("--patient", metavar="ID", help="Without a charge: PatientId.")] = None,
    department: Annotated[str | None, typer.Option("--department", metavar="CODE")] = None,
    code: Annotated[
        str | None, typer.Option("--code", metavar="CODE", help="Without a charge: the price code.")
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="Without a charge: what it is.")] = "调账",
    branch: Annotated[str, typer.Option("--branch", metavar="CODE")] = "",
    folder: Folder = HERE,
) -> None:
    """Correct the gateway's books by an entry of their own (ADJUST); HIS is told nothing, it has it already."""
    with _deciding(folder) as (core, session):
        people, now = by_hand.People(operator, approved_by, reason), core.clock()
        value, key = _amount(amount), new_txn_no(now)
        if charge is not None:
            row = _find(session, charge, MoneyKind.CHARGE, sender)
            by_hand.adjust_charge(session, row, line, value, people, now, key, core.dispatch)
        elif visit is None or patient is None or department is None or code is None:
            raise Failure("Give --charge and --line, or --visit, --patient, --department and --code.", WRONG)
        else:
            place = by_hand.Place(core.settings.hospital_code, branch, visit, visit_type, patient, department, code)
            by_hand.adjust_visit(session, place, name, value, people, now, key)
        audit(session, "ADJUST_MONEY", f"adjustment ADJ-{key}", f"{value}: {people}")
        session.commit()
    say(f"The books are corrected by {value:,.2f}: ADJ-{key}.")


@contextmanager
def _deciding(folder: Folder) -> Iterator[tuple[Core, Session]]:
    """A session of the site, with what follows from a decision; what cannot be decided is said in one line."""
    settings = load_settings(folder)
    core = make_core(settings, pool_size=1)
    try:
        with database_session(settings) as session:
            yield core, session
    except (by_hand.HandRefused, redrive.RedriveRefused) as refused:
        raise Failure(str(refused)) from None
    finally:
        core.engine.dispose()


def _find(session: Session, number: str, kind: MoneyKind | None, sender: str | None) -> MoneyTransaction:
    try:
        return by_hand.find(session, number, kind=kind, sender=sender)
    except by_hand.HandRefused as refused:
        raise Failure(str(refused)) from None


def _give_up(session: Session, row: MoneyTransaction, reason: str, now: datetime) -> None:
    """What would still be sent or asked about it is given up, before its row is locked, as who delivers it does."""
    element = "ChargeNo" if row.kind == MoneyKind.CHARGE else "RefundNo"
    query = select(Delivery.id).where(
        Delivery.txn_no == row.txn_no,
        Delivery.operation == ("ChargeItem" if row.kind == MoneyKind.CHARGE else "RefundItem"),
        Delivery.request.contains(f"<{element}>{row.number}</{element}>", autoescape=True),
        Delivery.state.in_((*redrive.OPEN, DeliveryState.SENDING)),
    )
    for delivery_id in session.scalars(query).all():
        redrive.discard(session, Jobs(), delivery_id, reason, now)


def _amount(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Failure(f"{text} is no amount: write it as 12.50 or -12.50.", WRONG) from None
    if not value.is_finite():
        raise Failure(f"{text} is no amount: write it as 12.50 or -12.50.", WRONG)
    return value
