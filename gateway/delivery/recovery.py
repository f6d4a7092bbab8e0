"""Brings back what a crash has left behind, hurries what waits for a partner that is there again, and lets nothing wait
for ever behind money."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Text, cast, column, exists, func, or_, select, table, text, update
from sqlalchemy.orm import Session

from gateway.delivery.jobs import Jobs, queue_of
from gateway.delivery.locks import MONEY, PRIORITIES, earlier
from gateway.model.delivery import Delivery, DeliveryState, Lane

ABANDONED_SECONDS = 120
"""Longer than any attempt may take; a delivery without a job is then nobody's."""

BEHIND_MONEY_SECONDS = 300
"""How long anything may wait because money leaves first; then it goes with the money, some at a time."""

_WAITING = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.UNKNOWN)
_JOBS = table("procrastinate_jobs", column("id"), column("status"))
_HAS_JOB = exists().where(_JOBS.c.id == Delivery.job_id, cast(_JOBS.c.status, Text).in_(("todo", "doing")))
_HURRY = text(
    """
    UPDATE procrastinate_jobs SET scheduled_at = now()
    FROM delivery
    WHERE delivery.job_id = procrastinate_jobs.id AND procrastinate_jobs.status = 'todo'
        AND procrastinate_jobs.queue_name = :queue AND procrastinate_jobs.scheduled_at > now()
        AND delivery.partner = :partner AND delivery.state = 'QUEUED' AND delivery.attempts > 0
        AND delivery.last_code IS DISTINCT FROM 'UNMAPPED'
        AND (SELECT outcome FROM delivery_attempt WHERE delivery_id = delivery.id ORDER BY id DESC LIMIT 1) = 'NOT_SENT'
    RETURNING delivery.id
    """
)
_LIFT = text(
    """
    WITH head AS (
        SELECT job.id, job.lock
        FROM procrastinate_jobs job JOIN delivery ON delivery.id = (job.args ->> 'delivery_id')::bigint
        WHERE job.queue_name = :queue AND job.status = 'todo' AND job.priority < :rank
            AND (job.scheduled_at IS NULL OR job.scheduled_at <= now()) AND delivery.created_at < :before
            AND NOT EXISTS (
                SELECT FROM procrastinate_jobs other
                WHERE other.lock = job.lock AND (other.status = 'doing' OR other.status = 'todo'
                    AND (other.priority > job.priority OR other.priority = job.priority AND other.id < job.id)))
            AND EXISTS (
                SELECT FROM procrastinate_jobs money
                WHERE money.queue_name = :queue AND money.status = 'todo' AND money.priority >= :rank)
        ORDER BY job.priority DESC, job.id LIMIT :count
    )
    UPDATE procrastinate_jobs SET priority = priority + :rank
    WHERE status = 'todo' AND (id IN (SELECT id FROM head) OR lock IN (SELECT lock FROM head))
    RETURNING id
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
            jobs.add(session, row, first=True)
    return len(rows)


def hurry(session: Session, partner: str) -> int:
    """Let everything leave now that only waits because the partner could not be reached; how many there were."""
    found = session.scalars(_HURRY, {"queue": queue_of(partner, Lane.NORMAL), "partner": partner}).all()
    if found:
        session.execute(update(Delivery).where(Delivery.id.in_(found)).values(next_attempt_at=None))
    return len(found)


def lift(session: Session, partner: str, count: int, now: datetime) -> int:
    """Let the oldest that have long waited behind money go with it; how many deliveries that were.

    A lock is lifted as a whole, so its order stays; what is added to it later goes behind, as it should.
    """
    values = {
        "queue": queue_of(partner, Lane.NORMAL),
        "rank": PRIORITIES[MONEY],
        "before": now - timedelta(seconds=BEHIND_MONEY_SECONDS),
        "count": count,
    }
    return len(session.scalars(_LIFT, values).all())
