"""What an operator can do about deliveries that do not get through: try again at once, give up, let others go on.

Every function works in the transaction of the session given; the caller commits, with its audit entry.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from gateway.delivery.jobs import Jobs
from gateway.delivery.locks import MONEY, Lock, earlier, holds, is_money
from gateway.model.delivery import UNFINISHED, Delivery, DeliveryState
from gateway.operations.insurance import OPERATIONS

OPEN = frozenset({DeliveryState.QUEUED, DeliveryState.UNKNOWN, DeliveryState.DEAD})
"""States in which an operator may decide; what is just being sent has to end first."""


class RedriveRefused(Exception):
    """The delivery cannot be retried, discarded or released; the text says why, and names no patient."""


def retry(session: Session, jobs: Jobs, delivery_id: int, now: datetime, *, ask_first: bool = True) -> Delivery:
    """Send it again now, before the later ones of its lock, with a fresh count of attempts.

    One that was released goes after those that wait already: they had been let go on without it. Money whose answer
    was lost is first asked for at the partner; ask_first=False sends it again in any case, under the same MessageId,
    for a partner that cannot be asked. What an insurance platform refused may be sent again too, once the reason is
    mended. Raises RedriveRefused.
    """
    row = _taken(session, jobs, delivery_id, also=DeliveryState.REFUSED)
    before = earlier(session, row) if row.released_at is None else ()
    if before:
        raise RedriveRefused(f"Delivery {before[0].id} goes before {delivery_id}: decide that one first.")
    if row.replay_of is not None and not ask_first:
        raise RedriveRefused(f"Delivery {delivery_id} is a replay: a partner that can be asked is always asked first.")
    if row.replay_of is not None:
        row.state, row.started_at = DeliveryState.UNKNOWN, now
    elif not (row.state == DeliveryState.UNKNOWN and ask_first):
        row.state = DeliveryState.QUEUED
    row.attempts, row.next_attempt_at, row.finished_at = 0, None, None
    jobs.add(session, row, first=row.released_at is None)
    return row


def discard(session: Session, jobs: Jobs, delivery_id: int, reason: str, now: datetime) -> Delivery:
    """Give it up; what waits behind it goes on. Raises RedriveRefused."""
    row = _taken(session, jobs, delivery_id)
    row.state, row.last_code, row.finished_at = DeliveryState.DISCARDED, f"DISCARDED: {reason}"[:500], now
    row.next_attempt_at = None
    return row


def release(session: Session, jobs: Jobs, delivery_id: int, now: datetime) -> int:
    """Let what waits behind a dead letter go on; it stays dead and may still be retried. How many waited.

    Raises RedriveRefused.
    """
    row = _taken(session, jobs, delivery_id)
    if row.state != DeliveryState.DEAD:
        raise RedriveRefused(f"Delivery {delivery_id} is {row.state}: only a dead letter is released.")
    if is_money(row.operation) or not Lock.parse(row.lock).key or row.released_at is not None:
        raise RedriveRefused(f"Delivery {delivery_id} holds nobody back: there is nothing to release.")
    waiting = waiting_behind(session, row)
    row.released_at = now
    return waiting


def goes_first() -> ColumnElement[bool]:
    """Condition: no other delivery has to be decided before this one. Those it is not true of follow by themselves."""
    before = aliased(Delivery)
    is_money_lock = before.lock.startswith(f"{MONEY}|")
    lets_go = (before.state == DeliveryState.DEAD) & (before.released_at.is_not(None) | is_money_lock)
    is_held = exists().where(
        before.lock == Delivery.lock, before.id < Delivery.id, before.state.in_(UNFINISHED), ~lets_go
    )
    return or_(Delivery.released_at.is_not(None), Delivery.lock.endswith("|"), ~is_held)


def waiting_behind(session: Session, row: Delivery) -> int:
    """How many later deliveries of its lock have not got through yet."""
    lock = Lock.parse(row.lock)
    if not lock.key:
        return 0
    query = select(func.count()).where(Delivery.lock == row.lock, Delivery.id > row.id, holds(lock.kind))
    return session.scalars(query).one()


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
