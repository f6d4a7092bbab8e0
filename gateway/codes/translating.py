"""The code tables as one process knows them: every stylesheet's look-ups are answered here.

What was read is kept. Once a second at most the database is asked for one number, and only when that has changed are
the tables read again; while the database is away the last picture counts (docs/codes.md).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import date, datetime

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from gateway.codes.picture import Asked, Picture, take_picture
from gateway.codes.tables import revision
from gateway.codes.unmapped import STOPPING, Recorder
from gateway.mapping.codes import Unmapped, UnmappedPolicy

GOOD_SECONDS = 1.0
"""How long a picture is gone by before the database is asked again."""
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)

_log = logging.getLogger(__name__)


class DatabaseCodes:
    """Implements gateway.mapping.codes.CodeTables; one per process, for any number of threads."""

    def __init__(self, sessions: sessionmaker[Session], now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._picture: Picture | None = None
        self._looked_at = 0.0
        self._reading = threading.Lock()
        self._recorder = Recorder(sessions, now)

    def translate(self, table: str, value: str, *, partner: str, hospital_code: str, outbound: bool, on: date) -> str:
        """The other side's code for ours, or ours for theirs, as valid on a day. Raises Unmapped.

        Nothing stays nothing. Raises SQLAlchemy's errors only when the database is away and the table was never read.
        """
        asked = Asked(table, value, partner, hospital_code, outbound)
        if not asked.key:
            return value
        picture = self._ready(asked, self._look())
        answer = picture.answer(asked, on)
        if answer is None and picture.table_for(asked).policy in STOPPING:
            # Before a message is stopped it is made sure that nobody has just given it a row.
            picture = self._ready(asked, self._look(now=True))
            answer = picture.answer(asked, on)
        return answer if answer is not None else self._without_row(asked, picture)

    def close(self) -> None:
        """Store what is still to be counted."""
        self._recorder.flush()

    def _without_row(self, asked: Asked, picture: Picture) -> str:
        table = picture.table_for(asked)
        stands_in = table.default(outbound=asked.outbound)
        policy = table.policy
        if policy is UnmappedPolicy.DEFAULT and stands_in is None:
            policy = UnmappedPolicy.REJECT  # a default was set for the other direction alone
        self._recorder.met(asked, policy, picture.revision)
        if policy is UnmappedPolicy.PASS:
            return asked.value
        if stands_in is not None:
            return stands_in
        raise Unmapped(asked.table, asked.key, policy)

    # --- the picture --------------------------------------------------------------------------------------------------

    def _look(self, *, now: bool = False) -> Picture:
        """The present picture, at most a second old; with `now` not older than this call, if the database answers."""
        called = time.monotonic()
        known = self._picture
        if known is not None and not now and called - self._looked_at < GOOD_SECONDS:
            return known
        if not self._reading.acquire(blocking=known is None or now):
            assert known is not None
            return known  # somebody else is asking
        try:
            if self._looked_at < called or self._picture is None:
                self._renew(called)
        except DATABASE_AWAY as problem:
            if self._picture is None:
                raise
            self._looked_at = called
            _log.warning("Code tables go on as last read: the database is away (%s).", type(problem).__name__)
        finally:
            self._reading.release()
        assert self._picture is not None
        return self._picture

    def _renew(self, at: float) -> None:
        """Read again what has changed; of tables in use the new versions at once."""
        with self._sessions() as session:
            known = self._picture
            if known is None or revision(session) != known.revision:
                fresh = take_picture(session, known)
                in_use = known.in_use() if known is not None else frozenset()
                wanted = [table.version_id for name, table in fresh.tables.items() if name in in_use]
                self._picture = fresh.reading(session, [number for number in wanted if number is not None])
        self._looked_at = at

    def _ready(self, asked: Asked, picture: Picture) -> Picture:
        """The picture with the lines this question needs."""
        number = picture.lacks(asked)
        if number is None:
            return picture
        with self._reading:
            known = self._picture
            assert known is not None
            number = known.lacks(asked)
            if number is not None:
                with self._sessions() as session:
                    known = self._picture = known.reading(session, [number])
            return known
