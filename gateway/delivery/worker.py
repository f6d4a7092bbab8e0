"""The delivery process: takes its share of the partners and serves them until it is told to stop.

Any number of these processes may run, on any number of machines. Each partner is served by one of them; when one comes
or goes, or loses the database, the others share its partners again within seconds.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol

import psycopg
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from psycopg_pool import PoolTimeout

from gateway.database.embedded import libpq_url
from gateway.delivery.fetching import worker_app
from gateway.delivery.leases import Leases, shares
from gateway.delivery.owner import Owner, Timing, add_task
from gateway.delivery.sending import DATABASE_AWAY as SENDER_AWAY
from gateway.delivery.sending import Sender
from gateway.partner_config import Partner

MOST_THREADS = 256
LEASE_SECONDS = 10
"""For renewing the leases; a database that takes longer is away."""
HAND_OVER_SECONDS = 1
"""For ending what is being sent before another process may begin; what takes longer ends beside it."""
DATABASE_AWAY = (psycopg.Error, ConnectorException, PoolTimeout, TimeoutError, OSError)

_log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Who wants to know of a delivery process what others may ask of it."""

    def leased(self, number: int) -> None:
        """By which number it is known among the locks of partners."""
        ...

    def draining(self) -> None:
        """It finishes what is being sent, and ends."""
        ...


def run_worker(
    partners: Iterable[Partner],
    database_url: str,
    sender: Sender,
    *,
    timing: Timing | None = None,
    watcher: Watcher | None = None,
) -> None:
    """Serve partners until SIGTERM or SIGINT, then finish what is being sent and return."""
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    worker = DeliveryWorker(partners, database_url, sender, timing or Timing(), watcher)
    asyncio.run(worker.run_until_signal())


class DeliveryWorker:
    """One delivery process."""

    def __init__(
        self,
        partners: Iterable[Partner],
        database_url: str,
        sender: Sender,
        timing: Timing,
        watcher: Watcher | None = None,
    ) -> None:
        self._partners = {partner.name: partner for partner in partners}
        self._url = libpq_url(database_url)
        self._sender = sender
        self._timing = timing
        self._watcher = watcher
        self._stopping = asyncio.Event()
        self._owners: dict[str, tuple[Owner, asyncio.Task[None]]] = {}
        slots = sum(p.concurrency + p.critical_concurrency + 1 for p in self._partners.values())
        self._threads = ThreadPoolExecutor(min(max(slots, 4), MOST_THREADS), "delivery")

    def stop(self) -> None:
        """Fetch nothing more; what is being sent is finished. To be called in the event loop."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.draining()

    async def run_until_signal(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        await self.run()

    async def run(self) -> None:
        """Serve until stopped; wait and begin again whenever the database goes away."""
        while not self._stopping.is_set():
            app = worker_app(self._url)
            try:
                await self._try_database()
                async with app.open_async():
                    add_task(app, self._timing)
                    await self._serve(app)
            except DATABASE_AWAY as problem:
                await self._wait_for_database(problem)
            finally:
                await app.close_async()
        await asyncio.to_thread(self._threads.shutdown)

    async def _serve(self, app: App) -> None:
        """Hold leases until stopped. While they are lost nothing is fetched, but what is being sent is finished."""
        watch = asyncio.create_task(self._watch_orders())
        try:
            while not self._stopping.is_set():
                try:
                    await self._hold_leases(app)
                except DATABASE_AWAY as problem:
                    for owner, _ in self._owners.values():
                        owner.stop()
                    await self._wait_for_database(problem)
        finally:
            watch.cancel()
            await self._end()

    async def _watch_orders(self) -> None:
        """Learn what operators keep from partners; while the database is away the last word counts."""
        while not self._stopping.is_set():
            with suppress(*SENDER_AWAY):
                await asyncio.to_thread(self._sender.look_at_holds)
            for owner, _ in self._owners.values():
                owner.look_at_orders()
            await self._sleep(self._timing.lease)

    async def _hold_leases(self, app: App) -> None:
        leases = await Leases.open(self._url)
        if self._watcher is not None:
            self._watcher.leased(leases.number)
        try:
            while not self._stopping.is_set():
                async with asyncio.timeout(LEASE_SECONDS):
                    await self._take_share(leases, app)
                await self._sleep(self._timing.lease)
            await self._hand_over(leases)
        finally:
            await leases.close()

    async def _try_database(self) -> None:
        """Opening the pool of connections would not notice an order to end while the database is away."""
        async with await psycopg.AsyncConnection.connect(self._url, connect_timeout=5):
            return

    async def _wait_for_database(self, problem: Exception) -> None:
        _log.warning("The database is away (%s): deliveries wait.", type(problem).__name__)
        await self._sleep(self._timing.lease)

    # --- sharing ------------------------------------------------------------------------------------------------------

    async def _take_share(self, leases: Leases, app: App) -> None:
        """Serve what is ours now, and let go what has become another's, once what is being sent has ended."""
        whose = shares(self._partners, await leases.live())
        for name, (owner, task) in list(self._owners.items()):
            if task.done():
                self._forget(name, task)
                await leases.release(name)
                continue
            await leases.tell_paused(name, owner.leaves_it_alone)
            if whose.get(name) != leases.number:
                owner.stop()
        for name, number in whose.items():
            if number == leases.number and name not in self._owners and await leases.take(name):
                owner = Owner(self._partners[name], app, self._sender, self._threads, self._timing)
                self._owners[name] = owner, asyncio.create_task(owner.run(), name=f"owner {name}")

    def _forget(self, name: str, task: asyncio.Task[None]) -> None:
        del self._owners[name]
        if not task.cancelled() and task.exception() is not None:
            _log.error("Serving partner %s has failed and begins again.", name, exc_info=task.exception())

    async def _hand_over(self, leases: Leases) -> None:
        """Let others take each partner over as soon as nothing is being sent to it, or soon in any case.

        What then still waits for its answer keeps its place in the order; for that while the partner may have more
        calls at once than its slots.
        """
        await leases.leave()
        serving = {task: name for name, (_, task) in self._owners.items()}
        for owner, _ in self._owners.values():
            owner.stop()
        until = time.monotonic() + HAND_OVER_SECONDS
        while serving and (left := until - time.monotonic()) > 0:
            ended, _ = await asyncio.wait(serving, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                await leases.release(serving.pop(task))

    async def _end(self) -> None:
        """Stop serving and wait for what is being sent."""
        for owner, _ in self._owners.values():
            owner.stop()
        await asyncio.gather(*[task for _, task in self._owners.values()], return_exceptions=True)
        self._owners.clear()

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
