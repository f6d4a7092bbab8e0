"""The usual course of a delivery in one statement each: it is taken from the queue, the partner says yes.

Nine of ten deliveries never do anything else, and each question to the database costs a worker as much as the call to
the partner (docs/benchmarks.md). Whatever a statement does not find as it expects it is left as it is, and
gateway/delivery/sending.py looks at it row by row.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from gateway.model.delivery import Delivery, DeliveryState
from gateway.operations.dispatch import Outcome

RECENT = "interval '10 days'"
"""So that PostgreSQL looks into one month, or two, whatever is kept; what waited longer is found row by row."""

_TAKE = f"""
    UPDATE delivery
    SET state = '{DeliveryState.SENDING}', attempts = attempts + 1, started_at = %(now)s, next_attempt_at = NULL
    WHERE id = %(id)s AND created_at BETWEEN %(now)s - {RECENT} AND %(now)s + {RECENT}
        AND state = '{DeliveryState.QUEUED}' AND (next_attempt_at IS NULL OR next_attempt_at <= %(now)s)
        AND partner || '.' || lane <> ALL(%(held)s)
    RETURNING id, created_at, partner, operation, lane, lock, state, attempts, txn_no, hospital_code,
        origin_sender_code, origin_message_id, request, replay_of
    """  # noqa: S608 - our own names
_DELIVERED = f"""
    WITH done AS (
        UPDATE delivery
        SET state = '{DeliveryState.DELIVERED}', last_code = '0', next_attempt_at = NULL, finished_at = %(now)s,
            answer = %(answer)s
        WHERE id = %(id)s AND created_at = %(created_at)s AND state = '{DeliveryState.SENDING}'
            AND attempts = %(attempts)s
        RETURNING id
    ), attempt AS (
        INSERT INTO delivery_attempt (delivery_id, started_at, milliseconds, outcome, code)
        SELECT id, %(started_at)s, %(milliseconds)s, '{Outcome.ANSWERED}', '0' FROM done
    ), job AS (
        DELETE FROM procrastinate_jobs WHERE id = %(job_id)s AND status = 'doing' AND EXISTS (SELECT FROM done)
        RETURNING id
    )
    SELECT (SELECT count(*) FROM done), (SELECT count(*) FROM job)
    """  # noqa: S608 - our own names


def take(session: Session, delivery_id: int, now: datetime, held: list[str]) -> Delivery | None:
    """Mark a waiting delivery as being sent; None when it does not just wait for that, not yet, or its queue is held.

    What is given has what sending needs, belongs to no session, and is committed.
    """
    taken = _alone(session).exec_driver_sql(_TAKE, {"id": delivery_id, "now": now, "held": held}).one_or_none()
    return Delivery(**taken._mapping) if taken is not None else None


def delivered(session: Session, values: dict[str, Any], *, alone: bool) -> tuple[bool, bool]:
    """Store that the partner said yes, and take the job away; whether either was there to do it with.

    `alone` commits at once; else it is done in the caller's transaction.
    """
    connection = _alone(session) if alone else session.connection()
    done, job = connection.exec_driver_sql(_DELIVERED, values).one()
    return bool(done), bool(job)


def _alone(session: Session) -> Any:
    """A connection on which one statement is a transaction of its own: one question instead of three."""
    return session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
