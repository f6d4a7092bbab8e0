"""Watches the clocks of open critical values: that nobody received or handled one in time is an alarm of its own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, exists, select
from sqlalchemy.orm import Session

from gateway.model.critical_value import CriticalValue
from gateway.model.journal import Alert
from gateway.terms import CriticalStatus

NOT_RECEIVED = "CRITICAL_NOT_RECEIVED"
NOT_HANDLED = "CRITICAL_NOT_HANDLED"
UNRECEIVED = (CriticalStatus.NEW, CriticalStatus.NOTIFIED)
UNHANDLED = (*UNRECEIVED, CriticalStatus.NURSE_RECEIVED, CriticalStatus.DOCTOR_RECEIVED)


def alert_overdue(session: Session, now: datetime) -> int:
    """Alert for every critical value past a deadline, once for each deadline; returns how many alerts were raised.

    The moments themselves are compared, so that a value open for a day is as late as it is. Safe on several processes.
    """
    raised = 0
    for kind, deadline, states in (
        (NOT_RECEIVED, CriticalValue.receive_deadline, UNRECEIVED),
        (NOT_HANDLED, CriticalValue.handle_deadline, UNHANDLED),
    ):
        told = exists().where(and_(Alert.kind == kind, Alert.txn_no == CriticalValue.key))
        query = (
            select(CriticalValue)
            .where(CriticalValue.status.in_(states), deadline <= now, ~told)
            .limit(500)
            .with_for_update(skip_locked=True)
        )
        for value in session.scalars(query).all():
            subject = f"critical value {value.critical_id} of {value.sender_code}"
            session.add(Alert(raised_at=now, kind=kind, subject=subject, txn_no=value.key))
            raised += 1
    return raised
