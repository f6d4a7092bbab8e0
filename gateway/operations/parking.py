"""Ends the waiting of parked messages whose time is over: each becomes a listed dead letter with an alert."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.model.journal import Alert, ParkedMessage

EXPIRED = "EXPIRED"
"""The result of a parked message that waited in vain."""


def expire_parked(session: Session, now: datetime) -> int:
    """Mark what waited in vain and alert; returns how many. Safe on several processes at once."""
    query = (
        select(ParkedMessage)
        .where(ParkedMessage.applied_at.is_(None), ParkedMessage.result_code.is_(None), ParkedMessage.expires_at <= now)
        .limit(500)
        .with_for_update(skip_locked=True)
    )
    expired = session.scalars(query).all()
    for message in expired:
        message.result_code = EXPIRED
        subject = f"{message.operation} {message.waits_for}"
        session.add(Alert(raised_at=now, kind="PARKED_EXPIRED", subject=subject, txn_no=message.txn_no))
    return len(expired)
