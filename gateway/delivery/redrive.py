"""What an operator can do about deliveries that do not get through: list them, try again at once, give them up.

Every function works in the transaction of the session given; the caller commits, with its audit entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.delivery.jobs import Jobs
from gateway.delivery.locks import earlier, is_money
from gateway.model.delivery import Delivery, DeliveryState
from gateway.operations.insurance import OPERATIONS

OPEN = frozenset({DeliveryState.QUEUED, DeliveryState.UNKNOWN, DeliveryState.DEAD})
"""States in which an operator may decide; what is just being sent has to end first."""


class RedriveRefused(Exception):
    """The delivery cannot be retried or discarded; the text says why, and names no patient."""


def find(
    session: Session, *, state: DeliveryState | None = None, partner: str | None = None, limit: int = 200
) -> Sequence[Delivery]:
    """Deliveries by state and partner, the oldest first."""
    query = select(Delivery).order_by(Delivery.id).limit(limit)
    if state is not None:
        query = query.where(Delivery.state == state)
    if partner is not None:
        query = query.where(Delivery.partner == partner)
    return session.scalars(query).all()


def retry(session: Session, jobs: Jobs, delivery_id: int, *, ask_first: bool = True) -> Delivery:
    """Send it again now, before the later ones of its lock, with a fresh count of attempts.

    Money whose answer was lost is first asked for at the partner; ask_first=False sends it again in any case, under
    the same MessageId, for a partner that cannot be asked. What an insurance platform refused may be sent again too,
    once the reason is mended. Raises RedriveRefused.
    """
    row = _taken(session, jobs, delivery_id, also=DeliveryState.REFUSED)
    before = earlier(session, row)
    if before:
        raise RedriveRefused(f"Delivery {before[0].id} goes before {delivery_id}: decide that one first.")
    if not (row.state == DeliveryState.UNKNOWN and is_money(row.operation) and ask_first):
        row.state = DeliveryState.QUEUED
    row.attempts, row.next_attempt_at, row.finished_at = 0, None, None
    jobs.add(session, row, first=True)
    return row


def discard(session: Session, jobs: Jobs, delivery_id: int, reason: str, now: datetime) -> Delivery:
    """Give it up; what waits behind it goes on. Raises RedriveRefused."""
    row = _taken(session, jobs, delivery_id)
    row.state, row.last_code, row.finished_at = DeliveryState.DISCARDED, f"DISCARDED: {reason}"[:500], now
    row.next_attempt_at = None
    return row


def _taken(session: Session, jobs: Jobs, delivery_id: int, also: DeliveryState | None = None) -> Delivery:
    """The delivery, locked and without its job."""
    row = session.get(Delivery, delivery_id, with_for_update=True)
    if row is None:
        raise RedriveRefused(f"There is no delivery {delivery_id}.")
    if row.state not in OPEN and not (row.state == also and row.operation in OPERATIONS):
        raise RedriveRefused(f"Delivery {delivery_id} is {row.state}: only {', '.join(sorted(OPEN))} can be decided.")
    if not jobs.remove(session, row) and jobs.is_running(session, row):
        raise RedriveRefused(f"Delivery {delivery_id} is just being sent: try again in half a minute.")
    return row
