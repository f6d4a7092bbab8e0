"""What HIS's answer to a charge or refund means for the ledger, and who has to hear of it.

Only HIS's answer, or a query, ever changes a transaction that HIS has to book (docs/specification/money.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.journal import Alert
from gateway.model.money import (
    FINAL,
    STANDING,
    ChargeOnce,
    MoneyKind,
    MoneyTransaction,
)
from gateway.model.requisition import Requisition
from gateway.operations import insurance
from gateway.operations.dispatch import Dispatch, Forward, Outcome, PartnerAnswer
from gateway.operations.ledger import (
    Remaining,
    free_places,
    locked,
    move_on,
    places_taken,
    remaining,
    retake_places,
)
from gateway.operations.move import follow_refund
from gateway.operations.unit import Unit
from gateway.terms import ChargePoint, TransactionState


def settle(session: Session, forward: Forward, answer: PartnerAnswer, dispatch: Dispatch) -> None:
    """What HIS's answer to a ChargeItem or RefundItem means; runs in the transaction that stores the answer."""
    is_charge = forward.operation == "ChargeItem"
    number = forward.request.charge_no if is_charge else forward.request.refund_no
    kinds = (MoneyKind.CHARGE,) if is_charge else (MoneyKind.REFUND, MoneyKind.REVERSAL)
    found = session.scalars(
        select(MoneyTransaction.key).where(
            MoneyTransaction.hospital_code == forward.origin.hospital_code,
            MoneyTransaction.number == number,
            MoneyTransaction.sender_code == forward.origin.sender_code,
            MoneyTransaction.kind.in_(kinds),
        )
    ).one_or_none()
    if found is None:
        return
    transaction = locked(session, found)
    if transaction.standing not in FINAL:
        apply_answer(session, transaction, answer, dispatch)


def apply_answer(session: Session, transaction: MoneyTransaction, answer: PartnerAnswer, dispatch: Dispatch) -> None:
    """Move a locked transaction on by HIS's answer: booked, refused, unknown, or not sent and therefore unchanged."""
    now = datetime.now(UTC)
    if answer.is_yes:
        his_no, prices = _his_no(answer.response), _prices(answer.response)
        booked(session, transaction, now, dispatch, his_no=his_no, prices=prices)
    elif answer.outcome is Outcome.ANSWERED or answer.outcome is Outcome.FAULT:
        if not _may_change(answer):
            refused = TransactionState.REJECTED
            not_booked(session, transaction, refused, now, dispatch, code=answer.code, text=answer.text[:500])
    elif answer.outcome is Outcome.UNKNOWN:
        if transaction.standing is not TransactionState.MANUAL:
            move_on(session, transaction, TransactionState.PENDING_CONFIRM, now)
    elif transaction.standing is TransactionState.SENT:
        move_on(session, transaction, TransactionState.PROPOSED, now)


def booked(
    session: Session,
    transaction: MoneyTransaction,
    at: datetime,
    dispatch: Dispatch,
    *,
    his_no: str | None = None,
    text: str | None = None,
    prices: Mapping[int, Decimal] | None = None,
) -> None:
    """A locked transaction is booked, and everything follows from it that has to."""
    move_on(session, transaction, TransactionState.CONFIRMED, at, his_no=his_no, text=text, prices=prices)
    follow_refund(session, transaction, at, dispatch)
    if transaction.original_key is not None:
        free_places(session, session.get_one(MoneyTransaction, transaction.original_key))
    tell_insurer(session, transaction, dispatch)


def not_booked(
    session: Session,
    transaction: MoneyTransaction,
    state: TransactionState,
    at: datetime,
    dispatch: Dispatch,
    *,
    code: str | None = None,
    text: str | None = None,
) -> None:
    """A locked transaction was refused, or is known never to have been booked: its items may be charged again."""
    move_on(session, transaction, state, at, code=code, text=text)
    session.execute(delete(ChargeOnce).where(ChargeOnce.transaction_key == transaction.key))
    follow_refund(session, transaction, at, dispatch)
    if transaction.original_key is not None:
        _stays_charged(session, transaction, at, dispatch)
    if transaction.kind == MoneyKind.CHARGE and transaction.correlation_no is not None:
        subject = f"charge {transaction.number}, visit {transaction.visit_no}: {code or state}"
        session.add(Alert(raised_at=at, kind="MOVE_INCOMPLETE", subject=subject, txn_no=transaction.txn_no))


def _stays_charged(session: Session, back: MoneyTransaction, at: datetime, dispatch: Dispatch) -> None:
    """Nothing went back: the items are not refunded, and the charge has its places again.

    What a second registration charged for them meanwhile waits behind the reversal in the queue, and does not leave.
    """
    charge = session.get_one(MoneyTransaction, back.original_key, populate_existing=True)
    if charge.requisition_key is None or charge.standing not in STANDING:
        return
    requisition = session.get_one(Requisition, charge.requisition_key)
    kept = {line.line_no: line for line in remaining(session, charge) if line.quantity > 0}
    lines = [kept[line.original_line_no] for line in back.lines if line.original_line_no in kept]
    for item in requisition.items:
        item.refunded = item.refunded and item.item_seq not in {line.item_seq for line in lines}
    if back.kind != MoneyKind.REVERSAL:
        return
    for key in sorted((places_taken(session, requisition, lines) | _waiting(session, requisition)) - {charge.key}):
        _withdraw(session, locked(session, key), lines, at, dispatch)
    retake_places(session, requisition, charge, lines)


def _waiting(session: Session, requisition: Requisition) -> set[str]:
    """What further registrations charged and HIS has not been told of, whether or not it was taken back since."""
    return set(
        session.scalars(
            select(MoneyTransaction.key).where(
                MoneyTransaction.requisition_key == requisition.key,
                MoneyTransaction.kind == MoneyKind.CHARGE,
                MoneyTransaction.charge_point == ChargePoint.REGISTER,
                MoneyTransaction.state == TransactionState.PROPOSED,
            )
        )
    )


def _withdraw(
    session: Session, charge: MoneyTransaction, lines: list[Remaining], at: datetime, dispatch: Dispatch
) -> None:
    """Take a charge of nothing but these lines out of the queue; if that cannot be, somebody has to look."""
    places = {(line.item_seq, line.charge_code) for line in lines}
    charged = {(line.item_seq, line.charge_code) for line in charge.lines}
    if not places & charged:
        return
    waiting = select(Delivery).where(
        Delivery.txn_no == charge.txn_no,
        Delivery.operation == "ChargeItem",
        Delivery.state == DeliveryState.QUEUED,
        Delivery.replay_of.is_(None),
    )
    rows = session.scalars(waiting.with_for_update()).all()
    if rows and places >= charged:
        for row in rows:
            row.state, row.finished_at = DeliveryState.DISCARDED, at
        not_booked(session, charge, TransactionState.REVERSED, at, dispatch, text="未发送")
        return
    subject = f"charge {charge.number}, visit {charge.visit_no}"
    session.add(Alert(raised_at=at, kind="CHARGED_TWICE", subject=subject, txn_no=charge.txn_no))


def tell_insurer(session: Session, transaction: MoneyTransaction, dispatch: Dispatch) -> None:
    """Tell the insurance platform of a transaction that is booked now, in the same transaction of the database."""
    charge = transaction
    if transaction.original_key is not None:
        charge = session.get_one(MoneyTransaction, transaction.original_key)
    if charge.insurer is None:
        return
    session.flush()
    left = remaining(session, charge, (TransactionState.CONFIRMED,))
    dispatch.enqueue(session, insurance.booked(session, charge, left, transaction))


def tell_insurer_now(unit: Unit, key: str) -> None:
    """The same of a transaction that HIS told us of, and that is booked with its message."""
    unit.flush()
    tell_insurer(unit.session, unit.session.get_one(MoneyTransaction, key), unit.dispatch)


def _may_change(answer: PartnerAnswer) -> bool:
    """A partner's answer that is not its last word: it asks to be asked again."""
    result = getattr(answer.response, "result", None)
    return bool(result is not None and result.retryable and answer.code.rpartition("-")[2] in ("429", "503", "504"))


def _his_no(response: Any) -> str | None:
    if response is None:
        return None
    for name in ("his_charge_no", "his_refund_no"):
        if getattr(response, name, None):
            return str(getattr(response, name))
    outcome = getattr(response, "charge_result", None)
    return outcome.his_charge_no if outcome is not None else None


def _prices(response: Any) -> dict[int, Decimal]:
    """What HIS booked, by line; an item without a price is booked at that."""
    return {line.line_no: line.amount for line in getattr(response, "lines", ()) if line.amount is not None}
