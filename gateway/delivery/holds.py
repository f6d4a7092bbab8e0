"""What an operator keeps from a partner: maintenance, accept and hold, and a stop of everything.

Every process knows the orders in effect, asks the database for them once a second at most, and goes by the last it knew
while the database is away (docs/specification/delivery.md, "Downtime"). Hours that come again and again stand in
partner.toml and need no database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gateway.delivery.alarms import alert_not_back, alert_stopped
from gateway.delivery.hours import MaintenancePlan
from gateway.delivery.jobs import queue_of
from gateway.model.delivery import UNFINISHED, Delivery, DeliveryState, Lane
from gateway.model.partner_hold import HoldMode, PartnerHold

GOOD_SECONDS = 1.0
"""How long the orders are gone by before the database is asked again."""
HELD_SECONDS = 1.0
"""Until a job is looked at again that was fetched just before its partner was held."""
_STRICTEST_LAST = tuple(HoldMode)


class HoldRefused(Exception):
    """The order cannot be given; the text says why."""


class Holds:
    """The orders as one process knows them; safe for any number of threads."""

    def __init__(self, now: Callable[[], datetime], plan: MaintenancePlan | None = None) -> None:
        self._now = now
        self._plan = plan or MaintenancePlan((), UTC)
        self._open: tuple[PartnerHold, ...] | None = None
        self._asked_at = 0.0
        self._asking = threading.Lock()

    @property
    def may_be_old(self) -> bool:
        """Whether the database has not been asked within the last second."""
        return time.monotonic() - self._asked_at >= GOOD_SECONDS

    def refresh(self, session: Session) -> None:
        """Ask the database, on the session's connection, if that was not done within the last second.

        While another thread asks, what is known is good for a second more; then its answer is waited for.
        """
        patient = self._open is None or time.monotonic() - self._asked_at >= 2 * GOOD_SECONDS
        if not self.may_be_old or not self._asking.acquire(blocking=patient):
            return
        try:
            if not self.may_be_old:
                return
            asked_at = time.monotonic()  # what is ordered while the answer is on its way is not in it
            with session.no_autoflush:
                found = open_holds(session)
            for one in found:
                session.expunge(one)
            self._open, self._asked_at = tuple(found), asked_at
        finally:
            self._asking.release()

    def of(self, partner: str, lane: str) -> PartnerHold | None:
        """What keeps messages of this lane from the partner now; the strictest, and of those what ends last."""
        now = self._now()
        orders, planned = [one for one in self._open or () if one.partner == partner], self._plan.of(partner, now)
        return strictest(orders if planned is None else [*orders, planned], lane, now)

    def queues(self) -> list[str]:
        """The queues from which nothing may leave now."""
        partners = {one.partner for one in (*(self._open or ()), *self._plan.at(self._now()))}
        return [queue_of(name, lane) for name in partners for lane in Lane if self.of(name, lane) is not None]

    def is_stopped(self, partner: str) -> bool:
        """Whether nothing at all may leave to this partner."""
        return self.of(partner, Lane.CRITICAL) is not None

    def is_over(self, partner: str) -> bool:
        """Whether a time that was set for it has passed, and nobody knows yet whether the partner is back."""
        now = self._now()
        return any(one.partner == partner and one.is_over(now) for one in self._open or ())


def strictest(holds: Iterable[PartnerHold], lane: str, at: datetime) -> PartnerHold | None:
    """Of a partner's orders the one that counts for this lane; None when none is in effect."""
    counting = [one for one in holds if one.is_in_effect(at) and (lane != Lane.CRITICAL or one.mode == HoldMode.STOP)]
    return max(counting, key=lambda one: _rank(one, at), default=None)


def _rank(one: PartnerHold, at: datetime) -> tuple[int, bool, datetime]:
    return _STRICTEST_LAST.index(HoldMode(one.mode)), one.until is None, one.until or at


# --- what operators do; each in the transaction of the session given --------------------------------------------------


def open_holds(session: Session) -> Sequence[PartnerHold]:
    """All that is planned or in effect, or whose time is over without a sign of the partner."""
    query = select(PartnerHold).where(PartnerHold.ended_at.is_(None)).order_by(PartnerHold.id)
    return session.scalars(query, execution_options={"populate_existing": True}).all()


def declare(
    session: Session,
    partner: str,
    mode: HoldMode,
    reason: str,
    by: str,
    now: datetime,
    *,
    starts_at: datetime | None = None,
    until: datetime | None = None,
) -> PartnerHold:
    """Hold a partner from `starts_at`, else from now, until `until`, else until it is released.

    Orders add up: the strictest counts. Critical values that a stop catches are alarmed. Raises HoldRefused.
    """
    begins = starts_at or now
    if not reason.strip():
        raise HoldRefused("The reason must say why.")
    if mode is HoldMode.STOP and (starts_at is not None or until is not None):
        raise HoldRefused("A stop begins at once and lasts until it is released: it has no times.")
    if begins < now:
        raise HoldRefused("It cannot begin in the past.")
    if until is not None and until <= begins:
        raise HoldRefused("It cannot end in the past." if until <= now else "It must end after it begins.")
    hold = PartnerHold(
        partner=partner,
        mode=mode,
        reason=reason.strip()[:500],
        declared_by=by,
        declared_at=now,
        starts_at=begins,
        until=until,
    )
    session.add(hold)
    if mode is HoldMode.STOP:
        alert_caught(session, hold, now)
    return hold


def alert_caught(session: Session, hold: PartnerHold, now: datetime) -> int:
    """Alarm every critical value a stop keeps from leaving, each once; how many there are."""
    query = select(Delivery).where(
        Delivery.partner == hold.partner,
        Delivery.state.in_([state for state in UNFINISHED if state is not DeliveryState.DEAD]),
        Delivery.lane == Lane.CRITICAL,
    )
    caught = session.scalars(query.order_by(Delivery.id)).all()
    for row in caught:
        alert_stopped(session, row.operation, row.partner, row.subject, row.txn_no, now, since=hold.starts_at)
    return len(caught)


def release(session: Session, partner: str, by: str, now: datetime) -> list[PartnerHold]:
    """End everything that is in effect for a partner; when nothing is, what is planned. Raises HoldRefused."""
    query = select(PartnerHold).where(PartnerHold.partner == partner, PartnerHold.ended_at.is_(None))
    waiting = [one for one in session.scalars(query.order_by(PartnerHold.id).with_for_update()) if not one.is_over(now)]
    ended = [one for one in waiting if one.is_in_effect(now)] or waiting
    if not ended:
        raise HoldRefused(f"{partner} is not held: there is nothing to release.")
    for one in ended:
        one.ended_at, one.ended_by = now, by
    return ended


def close_over(session: Session, partner: str, now: datetime, *, is_back: bool) -> None:
    """The partner's time is over and it has answered, or is found not to: that is told once, whoever notices it."""
    ended = session.scalars(
        update(PartnerHold)
        .where(PartnerHold.partner == partner, PartnerHold.ended_at.is_(None), PartnerHold.until <= now)
        .values(ended_at=now)
        .returning(PartnerHold.until)
    ).all()
    if ended and not is_back:
        alert_not_back(session, partner, now)
