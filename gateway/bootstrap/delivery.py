"""Delivery: what is due goes to partners, and what is due by the clock is done."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from pathlib import Path

import psycopg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.bootstrap.core import Core, make_core, presence_of, process_metrics, refuse_foreign_key
from gateway.codes.unmapped import forget_unmapped
from gateway.config import Settings
from gateway.delivery.waiting import settle_hourly
from gateway.delivery.worker import run_worker
from gateway.nodes.listing import alert_disagreements
from gateway.nodes.presence import Kind
from gateway.notifiers.queue import NotificationQueue, make_notifier
from gateway.operations.overdue import Escalation
from gateway.operations.parking import expire_parked
from gateway.operations.record_quota import forget_old_looks
from gateway.partners.expiry import CertificateWatch
from gateway.reconciliation.asking import Books, asked_books
from gateway.reconciliation.booking import Counterpart
from gateway.reconciliation.rounds import Inbox, Nightly, look_at_open_items
from gateway.site import database_url
from gateway.storage.upkeep import StorageUpkeep

UPKEEP_SECONDS = 10
CRITICAL_SECONDS = 1
"""Between looks at the clocks of critical values and at what waits for the channels: one indexed question each."""
UPKEEP: tuple[Callable[[Session, datetime], object], ...] = (
    expire_parked,
    forget_old_looks,
    forget_unmapped,
    settle_hourly,
    alert_disagreements,
)
"""What is due by the clock, whether a message comes or not."""

_log = logging.getLogger(__name__)


def run_delivery_worker(settings: Settings, log_file: Path | None = None, *, alone: bool = True) -> None:
    """Deliver to partners, and do what is due by the clock, until a signal ends it.

    Unless it is `alone`, somebody else ends it when the node is to drain.
    """
    if alone:
        refuse_foreign_key(settings)
    core = make_core(settings, log_file=log_file)
    core.sender.attempted = process_metrics().attempted
    presence = presence_of(settings, Kind.DELIVERY, partial(os.kill, os.getpid(), signal.SIGTERM) if alone else None)
    ended = threading.Event()
    threads = [
        threading.Thread(target=run, args=(core, ended), name=run.__name__)
        for run in (_keep_up, _keep_storage, _reconcile)
    ]
    threads += _critical_threads(core, ended)
    for thread in threads:
        thread.start()
    presence.start()
    try:
        run_worker(settings.partners, database_url(settings), core.sender, watcher=presence)
    finally:
        presence.leave()
        ended.set()
        for thread in threads:
            thread.join()
        core.close()


def _keep_up(core: Core, ended: threading.Event) -> None:
    """What is due by the clock, safe on several processes at once."""
    steps: Iterable[Callable[[Session, datetime], object]] = (*UPKEEP, CertificateWatch(core.settings.partners))
    while not ended.wait(UPKEEP_SECONDS):
        try:
            for step in steps:
                with core.sessions.begin() as session:
                    step(session, core.clock())
        except SQLAlchemyError as problem:
            _log.warning("Upkeep has to wait for the database: %s.", type(problem).__name__)


def _keep_storage(core: Core, ended: threading.Event) -> None:
    """The months to come, what is too old, and an eye on the disk; beside the upkeep, because it takes its time."""
    upkeep = StorageUpkeep(core.settings, core.engine, core.clock)
    while True:
        core.room.shortage()
        try:
            upkeep.run()
        except SQLAlchemyError as problem:
            _log.warning("The upkeep of the storage has to wait: %s.", type(problem).__name__)
        if ended.wait(UPKEEP_SECONDS):
            return


def _reconcile(core: Core, ended: threading.Event) -> None:
    """Open items, lists from the inbox, yesterday every night; beside the upkeep, because it takes its time."""
    settings, clock = core.settings, core.clock

    def books(hospital: str) -> Iterable[tuple[Counterpart, Books]]:
        def routed(operation: str) -> tuple[str, ...]:
            return core.dispatch.partners_for(operation, hospital_code=hospital)

        return asked_books(core.partners, settings.reconciliation.his, routed, hospital, clock)

    inbox, nightly = Inbox(settings, core.sessions, clock), Nightly(settings, core.sessions, clock, books)
    while not ended.wait(UPKEEP_SECONDS):
        try:
            with core.sessions.begin() as session:
                look_at_open_items(session, settings, clock())
            inbox.empty()
            nightly.compare()
        except (SQLAlchemyError, psycopg.Error, OSError) as problem:
            _log.warning("Reconciliation has to wait: %s.", type(problem).__name__)


def _critical_threads(core: Core, ended: threading.Event) -> list[threading.Thread]:
    """The clocks of critical values, and each outside channel, in threads of their own: nothing may hold them up."""
    settings = core.settings
    escalation = Escalation(core.sessions, core.dispatch, core.wire, settings.rules)
    queues = [NotificationQueue(n.name, make_notifier(n), core.sessions, core.clock) for n in settings.notifiers]
    works: dict[str, Callable[[], object]] = {"critical": lambda: escalation.run(core.clock())}
    works |= {f"channel-{queue.name}": queue.run for queue in queues}
    return [threading.Thread(target=_again, args=(name, work, ended), name=name) for name, work in works.items()]


def _again(name: str, work: Callable[[], object], ended: threading.Event) -> None:
    """Whatever goes wrong, it is tried again: a watch that has ended watches nothing."""
    while not ended.wait(CRITICAL_SECONDS):
        try:
            work()
        except SQLAlchemyError as problem:
            _log.warning("%s has to wait for the database: %s.", name, type(problem).__name__)
        except Exception as problem:
            _log.error("%s has failed and goes on.", name, exc_info=problem)
