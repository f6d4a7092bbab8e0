"""Sees to it that no message is parked for what has just come, and that what comes finds the messages parked for it.

Who brings a thing and who misses it take the same lock, by the name of the thing, such as requisition|HOSPITAL|R1. What
is asked after the lock is taken is therefore final until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

_HOLD = "SELECT pg_advisory_xact_lock(hashtextextended(what, 1)) FROM unnest(%s::text[]) what"
WAITING = "applied_at IS NULL AND expires_at > "
_AWAITED = f"SELECT DISTINCT waits_for FROM parked_message WHERE waits_for = ANY(%s::text[]) AND {WAITING} %s"  # noqa: S608 - our own words


def hold(session: Session, what: Sequence[str]) -> None:
    """Let nobody else bring or miss these things until the transaction ends."""
    session.connection().exec_driver_sql(_HOLD, (sorted(what),))


def awaited(session: Session, what: Sequence[str], now: datetime) -> list[str]:
    """Of these things, which are held, those that parked messages wait for."""
    return list(session.connection().exec_driver_sql(_AWAITED, (list(what), now)).scalars())
