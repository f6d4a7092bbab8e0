"""Tells the people on duty of deliveries that will not get through by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from gateway.delivery.locks import is_money
from gateway.model.delivery import Delivery, DeliveryState, Lane
from gateway.model.journal import Alert
from gateway.operations.dispatch import UNMAPPED, Outcome

MONEY_UNKNOWN_MINUTES = 15


def raise_alarms(session: Session, row: Delivery, outcome: Outcome, now: datetime, *, registers: bool = False) -> None:
    """One alert for a dead letter each time it dies, for money the partner calls malformed, and for money whose outcome
    stays unknown. A code without a row has one alert of its own, however many messages it stops, unless they are
    critical values."""
    if row.last_code == UNMAPPED and row.lane != Lane.CRITICAL:
        return
    if row.state == DeliveryState.DEAD:
        _alert(session, "DELIVERY_DEAD", row, now)
    elif row.state == DeliveryState.REFUSED and outcome is Outcome.FAULT:
        _alert(session, "MONEY_FAULT", row, now)
    elif row.state == DeliveryState.UNKNOWN and (is_money(row.operation) or registers) and row.started_at is not None:
        overdue = now - row.started_at > timedelta(minutes=MONEY_UNKNOWN_MINUTES)
        if overdue and not _is_known(session, "MONEY_UNKNOWN", row):
            _alert(session, "MONEY_UNKNOWN", row, now)


def alert_stopped(
    session: Session,
    operation: str,
    partner: str,
    subject: str,
    txn_no: str,
    now: datetime,
    *,
    since: datetime | None = None,
) -> None:
    """A critical value cannot leave because sending is stopped: somebody has to telephone.

    Once for each; also when somebody has settled it since the stop began.
    """
    text = f"{operation} to {partner}, {subject}: sending is stopped, telephone"
    known = select(Alert.id).where(
        Alert.kind == "CRITICAL_STOPPED",
        Alert.subject == text,
        or_(Alert.settled_at.is_(None), Alert.raised_at >= (since or now)),
        Alert.txn_no == txn_no,
    )
    if session.scalars(known.limit(1)).first() is None:
        session.add(Alert(raised_at=now, kind="CRITICAL_STOPPED", subject=text, txn_no=txn_no))


def alert_without_code(session: Session, row: Delivery, now: datetime) -> None:
    """A critical value waits because a code has no row: somebody may have to telephone. Once for each."""
    kind = "CRITICAL_UNMAPPED"
    known = select(Alert.id).where(Alert.kind == kind, Alert.subject == _subject(row), Alert.txn_no == row.txn_no)
    if session.scalars(known.limit(1)).first() is None:
        _alert(session, kind, row, now)


def alert_not_back(session: Session, partner: str, now: datetime) -> None:
    """The time set for a partner's downtime is over, and it does not answer."""
    subject = f"partner {partner}: the time set for its downtime is over and it does not answer"
    session.add(Alert(raised_at=now, kind="PARTNER_NOT_BACK", subject=subject, txn_no=None))


def _alert(session: Session, kind: str, row: Delivery, now: datetime) -> None:
    session.add(Alert(raised_at=now, kind=kind, subject=_subject(row), txn_no=row.txn_no))


def _is_known(session: Session, kind: str, row: Delivery) -> bool:
    query = select(Alert.id).where(
        Alert.kind == kind, Alert.subject == _subject(row), Alert.settled_at.is_(None), Alert.txn_no == row.txn_no
    )
    return session.scalars(query.limit(1)).first() is not None


def _subject(row: Delivery) -> str:
    return f"delivery {row.message_id}, {row.operation} to {row.partner}, {row.subject}"
