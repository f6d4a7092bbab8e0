"""Remembers the nonces of WS-Security tokens, so that a message that was listened to cannot be sent a second time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from gateway.model.client import UsedNonce

CLOCK_SKEW = timedelta(minutes=5)
_KEPT = 2 * CLOCK_SKEW + timedelta(minutes=5)
"""A token may be made up to 5 minutes ahead of our clock and is good for 5 minutes after; the rest is for processes
whose clocks differ."""
_PRUNED_EVERY = timedelta(minutes=1)

_USE = insert(UsedNonce).on_conflict_do_nothing().returning(UsedNonce.nonce)
"""Gives a row only when it was new."""


class UsedNonces:
    """The table is shared by all processes: a nonce used at one is used at all."""

    def __init__(self, engine: Engine) -> None:
        self.__engine = engine
        self.__pruned_at: datetime | None = None

    def use(self, client: str, nonce: bytes, now: datetime) -> bool:
        """Use it up; False if the client has used it before."""
        self.__prune_now_and_then(now)
        row = {"client": client, "nonce": nonce, "expires_at": now + _KEPT}
        with self.__engine.begin() as connection:
            return connection.execute(_USE, row).first() is not None

    def __prune_now_and_then(self, now: datetime) -> None:
        if self.__pruned_at is not None and abs(now - self.__pruned_at) < _PRUNED_EVERY:
            return
        self.__pruned_at = now
        # Rows that another process is deleting at this moment are left to it.
        expired = select(UsedNonce.client, UsedNonce.nonce).where(UsedNonce.expires_at < now)
        key = tuple_(UsedNonce.client, UsedNonce.nonce)
        with self.__engine.begin() as connection:
            connection.execute(delete(UsedNonce).where(key.in_(expired.with_for_update(skip_locked=True))))
