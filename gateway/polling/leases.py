"""Which process reads which poll: one at a time, taken over when it dies or loses the database."""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import Any

import psycopg

from gateway.store import KEEPALIVES, NOTICE_LOSS

POLL = 0x48475753
"""The class of the advisory locks of polls, beside those of gateway/delivery/leases.py."""
APPLICATION = "gateway-polling"


class PollLease:
    """The right to read one poll, held by a connection of its own; used by one thread."""

    def __init__(self, url: str, partner: str, poll: str) -> None:
        self._url = url
        self._number = zlib.crc32(f"{partner}/{poll}".encode()) & 0x7FFFFFFF
        self._connection: psycopg.Connection[Any] | None = None
        self._held = False

    def hold(self) -> bool:
        """Whether the poll is ours now. Raises psycopg.Error while the database is away."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=5,
                    application_name=APPLICATION,
                    options=f"-c statement_timeout=10s {NOTICE_LOSS}",
                    **KEEPALIVES,
                )
            if self._held:
                self._connection.execute("SELECT 1")  # a session that lives has its lock
                return True
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (POLL, self._number)).fetchone()
            self._held = row is not None and bool(row[0])
            return self._held
        except psycopg.Error:
            self.release()
            raise

    def release(self) -> None:
        """Let another process read it."""
        connection, self._connection, self._held = self._connection, None, False
        if connection is not None:
            with suppress(psycopg.Error):
                connection.execute("SELECT pg_advisory_unlock(%s, %s)", (POLL, self._number))
            connection.close()
