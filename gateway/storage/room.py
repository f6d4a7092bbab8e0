"""Room on the disk: below a threshold the gateway takes no new work, because it never acknowledges what it cannot keep.

Looked at are the disks of the site's folder, of the embedded database and of the log, and the size of the database
where the site sets a limit. Deliveries and queries go on. Critical values may use a part of what is held back.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.config import Storage
from gateway.errors import NoRoom
from gateway.model.journal import Alert
from gateway.operations.reception import READS

ALERT = "STORAGE_FULL"
LOOK_SECONDS = 1.0
"""Between looks at the disks; a look costs some microseconds."""
SIZE_SECONDS = 30.0
"""Between looks at the size of the database, which costs milliseconds."""
AGAIN = 1.25
"""How many times the threshold must be free until work is taken again."""
SHRUNK = 0.95
"""The same for the size of the database: which part of the limit it may fill."""
RESERVE = 0.25
"""Down to which part of the threshold critical values are taken."""
URGENT = frozenset({"PushCriticalValue", "AcknowledgeCriticalValue"})
MEGABYTE = 1024 * 1024
ROOM_LOCK = 0x48475753
"""The advisory lock of whoever raises the alert, so that one is raised."""

_log = logging.getLogger(__name__)


class Room:
    """What one process knows of the room that is left; for any number of threads.

    `folders` are named by what stands in them: who asks whether the gateway is ready need not know its paths.
    """

    def __init__(
        self,
        storage: Storage,
        folders: Mapping[str, Path],
        engine: Engine,
        clock: Callable[[], datetime],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._folders = folders
        self._engine = engine
        self._clock = clock
        self._elapsed = elapsed
        self._looked = self._measured = -SIZE_SECONDS
        self._size = 0
        self._shortage = ""
        self._is_reserve_left = True

    def shortage(self) -> str:
        """What there is too little of, in words; empty while there is room."""
        now = self._elapsed()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()
        return self._shortage

    def require(self, operation: str) -> None:
        """Raises NoRoom for a message that is new work while there is none for it."""
        if operation in READS or not self.shortage():
            return
        if operation not in URGENT or not self._is_reserve_left:
            raise NoRoom()

    def _look(self) -> None:
        is_short = bool(self._shortage)
        disk, size = self._disk(is_short), self._database(is_short)
        self._shortage = disk or size
        if self._shortage and not is_short:
            _log.error("No new work is taken: %s.", self._shortage)
            self._alert()
        elif is_short and not self._shortage:
            _log.warning("There is room again: new work is taken.")

    def _disk(self, is_short: bool) -> str:
        """The first disk with too little room, in words."""
        wanted = self._storage.free_megabytes * MEGABYTE
        self._is_reserve_left = True
        found = ""
        for name, folder in self._folders.items() if wanted else ():
            free = _free(folder)
            if free is None or free >= wanted * (AGAIN if is_short else 1):
                continue
            self._is_reserve_left &= free >= wanted * RESERVE
            found = found or (
                f"only {free // MEGABYTE} MB are free on the disk of {name}, "
                f"and storage.free_megabytes is {self._storage.free_megabytes}"
            )
        return found

    def _database(self, is_short: bool) -> str:
        """That the database is too large, in words."""
        limit = self._storage.database_megabytes
        if limit is None:
            return ""
        now = self._elapsed()
        if now - self._measured >= SIZE_SECONDS:
            self._measured = now
            self._size = self._measure()
        megabytes = self._size // MEGABYTE
        if megabytes < limit * (SHRUNK if is_short else 1):
            return ""
        self._is_reserve_left &= megabytes < limit * (2 - SHRUNK)
        return f"the database has {megabytes} MB, and storage.database_megabytes is {limit}"

    def _measure(self) -> int:
        """The size of the database in bytes; the last one while it is away."""
        try:
            with self._engine.connect() as connection:
                return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
        except SQLAlchemyError:
            return self._size

    def _alert(self) -> None:
        """Tell the people on duty once, whichever process sees it first."""
        try:
            with Session(self._engine) as session, session.begin():
                session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ROOM_LOCK})
                known = select(Alert.id).where(Alert.kind == ALERT, Alert.settled_at.is_(None))
                if session.scalars(known.limit(1)).first() is None:
                    session.add(Alert(raised_at=self._clock(), kind=ALERT, subject=self._shortage))
        except SQLAlchemyError as problem:
            _log.error("That there is no room could not be noted as an alert: %s.", type(problem).__name__)


def _free(folder: Path) -> int | None:
    """Bytes that may still be written there; None when nobody can say."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
