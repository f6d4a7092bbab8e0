"""Brings back what a crash has left behind, and hurries what waits for a partner that is there again."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Text, cast, column, exists, func, or_, select, table, text, update
from sqlalchemy.orm import Session

from gateway.delivery.jobs import FIRST, Jobs, queue_of
from gateway.delivery.locks import earlier
from gateway.model.delivery import Delivery, DeliveryState, Lane

ABANDONED_SECONDS = 120
"""Longer than any attempt may take; a delivery without a job is then nobody's."""

_WAITING = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.UNKNOWN)
_JOBS = table("procrastinate_jobs", column("id"), column("status"))
_HAS_JOB = exists().where(_JOBS.c.id == Delivery.job_id, cast(_JOBS.c.status, Text).in_(("todo", "doing")))
_HURRY = text(
    """
    UPDATE procrastinate_jobs SET scheduled_at = now()
    FROM delivery
    WHERE delivery.job_id = procrastinate_jobs.id AND procrastinate_jobs.status = 'todo'
        AND procrastinate_jobs.queue_name = :queue AND procrastinate_jobs.scheduled_at > now()
        AND delivery.state = 'QUEUED' AND delivery.attempts > 0
        AND (SELECT outcome FROM delivery_attempt WHERE delivery_id = delivery.id ORDER BY id DESC LIMIT 1) = 'NOT_SENT'
    RETURNING delivery.id
    """
)


def adopt(session: Session, jobs: Jobs, partner: str, now: datetime) -> int:
    """Give a job to every delivery of a partner that has none and is not finished; how many there were.

    A question nobody waits for any more, which never had one, is closed instead.
    """
    rows = session.scalars(
        select(Delivery)
        .where(
            Delivery.partner == partner,
            Delivery.state.in_(_WAITING),
            func.coalesce(Delivery.started_at, Delivery.created_at) < now - timedelta(seconds=ABANDONED_SECONDS),
            or_(Delivery.next_attempt_at.is_(None), Delivery.next_attempt_at < now),
            ~_HAS_JOB,
        )
        .order_by(Delivery.id)
        .limit(500)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        if row.job_id is None:
            row.state, row.last_code, row.finished_at = DeliveryState.DISCARDED, "LOST", now
        elif not earlier(session, row):
            jobs.add(session, row, priority=FIRST)
    return len(rows)


def hurry(session: Session, partner: str) -> int:
    """Let everything leave now that only waits because the partner could not be reached; how many there were."""
    found = session.scalars(_HURRY, {"queue": queue_of(partner, Lane.NORMAL)}).all()
    if found:
        session.execute(update(Delivery).where(Delivery.id.in_(found)).values(next_attempt_at=None))
    return len(found)
