"""Which worker process serves which partner: at most one at a time, fairly shared, taken over when one dies.

Both facts are locks of one database session: a process that dies, or loses the database, loses them at once.
"""

from __future__ import annotations

import hashlib
import math
import os
import secrets
import zlib
from collections import Counter
from collections.abc import Iterable

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from gateway.store import KEEPALIVES, NOTICE_LOSS

LIVE = 0x48475750
OWNER = 0x48475751
PAUSED = 0x48475752
"""The classes of our advisory locks, chosen to be nobody else's."""
_LIVE_WORKERS = """
    SELECT objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


_OWNERS = text(
    """
    SELECT owned.objid::bigint AS partner, live.objid::bigint AS number
    FROM pg_locks owned JOIN pg_locks live USING (pid, locktype, database, objsubid)
    WHERE locktype = 'advisory' AND objsubid = 2 AND owned.granted AND live.granted
        AND owned.classid = :owner AND live.classid = :live
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)


def owners(session: Session, partners: Iterable[str]) -> dict[str, int]:
    """Which partner is served by which worker at this moment, by the worker's number."""
    rows = session.execute(_OWNERS, {"owner": OWNER, "live": LIVE})
    held: dict[int, int] = {row.partner: row.number for row in rows}
    return {name: held[number_of(name)] for name in partners if number_of(name) in held}


def shares(partners: Iterable[str], workers: Iterable[int]) -> dict[str, int]:
    """Who serves whom: every process computes the same, nobody gets more than a fair share, and little moves when a
    process comes or goes."""
    names, live = sorted(partners), sorted(workers)
    most = math.ceil(len(names) / len(live)) if live else 0
    load: Counter[int] = Counter()
    chosen = {}
    for name in names if live else ():
        ranked = sorted(live, key=lambda worker: hashlib.sha256(f"{name} {worker}".encode()).digest())
        chosen[name] = next(worker for worker in ranked if load[worker] < most)
        load[chosen[name]] += 1
    return chosen


class Leases:
    """The locks of this process, held by a connection of its own (not through a pooler in transaction mode)."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[int]], number: int) -> None:
        self._connection = connection
        self.number = number
        self._paused: set[str] = set()

    @classmethod
    async def open(cls, url: str) -> Leases:
        """Connect and be counted among the live workers. Raises psycopg.Error while the database is away."""
        name = f"gateway-delivery-{os.getpid()}"  # for who looks into pg_stat_activity
        connection = await psycopg.AsyncConnection.connect(
            url, autocommit=True, connect_timeout=5, application_name=name, options=NOTICE_LOSS, **KEEPALIVES
        )
        number = secrets.randbelow(2**31)
        await connection.execute("SELECT pg_advisory_lock(%s, %s)", (LIVE, number))
        return cls(connection, number)

    async def live(self) -> list[int]:
        """The numbers of all live workers, this one included. Raises psycopg.Error when the locks are lost."""
        cursor = await self._connection.execute(_LIVE_WORKERS, (LIVE,))
        return [row[0] for row in await cursor.fetchall()]

    async def take(self, partner: str) -> bool:
        """Become the owner of a partner; False while another process is."""
        cursor = await self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (OWNER, number_of(partner)))
        row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def tell_paused(self, partner: str, paused: bool) -> None:
        """Let everybody see whether the owner leaves the partner alone; said again it changes nothing."""
        if paused is (partner in self._paused):
            return
        function = "pg_advisory_lock" if paused else "pg_advisory_unlock"
        await self._connection.execute(f"SELECT {function}(%s, %s)", (PAUSED, number_of(partner)))
        self._paused ^= {partner}

    async def release(self, partner: str) -> None:
        await self.tell_paused(partner, False)
        await self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", (OWNER, number_of(partner)))

    async def leave(self) -> None:
        """Be no longer counted among the live workers, so that the others share what this one still serves."""
        await self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", (LIVE, self.number))

    async def close(self) -> None:
        await self._connection.close()


def number_of(partner: str) -> int:
    """The number of a partner's locks."""
    return zlib.crc32(partner.encode()) & 0x7FFFFFFF
