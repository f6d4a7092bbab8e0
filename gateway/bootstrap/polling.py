"""Polling: the tables and views of partners are read."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from gateway.bootstrap.core import Core, make_core, presence_of, process_metrics, refuse_foreign_key
from gateway.bootstrap.doors import make_doors
from gateway.config import Settings
from gateway.model.delivery import Lane
from gateway.nodes.presence import Kind
from gateway.polling.worker import Surroundings, run_polls
from gateway.site import database_url


def run_polling(settings: Settings, log_file: Path | None = None, *, alone: bool = True) -> None:
    """Read the tables and views of partners until a signal ends it.

    Unless it is `alone`, somebody else ends it when the node is to drain.
    """
    if alone:
        refuse_foreign_key(settings)
    core, stopping = make_core(settings, log_file=log_file), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    presence = presence_of(settings, Kind.POLLING, stopping.set if alone else None, stopping.is_set)
    presence.start()
    try:
        run_polls(settings.partners, polled(core), stopping)
    finally:
        presence.leave()
        core.close()


def polled(core: Core) -> Surroundings:
    """What all polls are given."""
    settings, holds, metrics = core.settings, core.sender.holds, process_metrics()
    core.sender.attempted = metrics.attempted

    def is_held(partner: str) -> bool:
        if holds.may_be_old:
            core.sender.look_at_holds()
        return holds.of(partner, Lane.NORMAL) is not None

    return Surroundings(
        sessions=core.sessions,
        database_url=database_url(settings),
        intake=make_doors(core).intake,
        hospital_code=settings.hospital_code,
        zone=settings.zone,
        now=core.clock,
        codes=core.codes,
        is_held=is_held,
        process=f"{settings.node_name}:{os.getpid()}",
        counted=metrics.polled,
        failed=metrics.poll_failed,
    )
