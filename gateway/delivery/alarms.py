"""Tells the people on duty of deliveries that will not get through by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.delivery.locks import is_money
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.journal import Alert
from gateway.operations.dispatch import Outcome

MONEY_UNKNOWN_MINUTES = 15


def raise_alarms(session: Session, row: Delivery, outcome: Outcome, now: datetime) -> None:
    """One alert for a dead letter each time it dies, for money the partner calls malformed, and for money whose outcome
    stays unknown."""
    if row.state == DeliveryState.DEAD:
        _alert(session, "DELIVERY_DEAD", row, now)
    elif row.state == DeliveryState.REFUSED and outcome is Outcome.FAULT:
        _alert(session, "MONEY_FAULT", row, now)
    elif row.state == DeliveryState.UNKNOWN and is_money(row.operation) and row.started_at is not None:
        overdue = now - row.started_at > timedelta(minutes=MONEY_UNKNOWN_MINUTES)
        if overdue and not _is_known(session, "MONEY_UNKNOWN", row):
            _alert(session, "MONEY_UNKNOWN", row, now)


def _alert(session: Session, kind: str, row: Delivery, now: datetime) -> None:
    session.add(Alert(raised_at=now, kind=kind, subject=_subject(row), txn_no=row.txn_no))


def _is_known(session: Session, kind: str, row: Delivery) -> bool:
    query = select(Alert.id).where(
        Alert.kind == kind, Alert.subject == _subject(row), Alert.settled_at.is_(None), Alert.txn_no == row.txn_no
    )
    return session.scalars(query.limit(1)).first() is not None


def _subject(row: Delivery) -> str:
    return f"delivery {row.message_id}, {row.operation} to {row.partner}, {row.subject}"
