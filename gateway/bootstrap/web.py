"""The web server: `/soap`, facades and what is read about the gateway, in processes of gunicorn."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, create_engine, pool

from gateway import migrate
from gateway.bootstrap.core import Core, make_core, presence_of, refuse_foreign_key, shared_metrics
from gateway.bootstrap.doors import make_doors
from gateway.config import Settings
from gateway.database.errors import DatabaseError
from gateway.delivery.hours import MaintenancePlan
from gateway.documents import Documents
from gateway.facades.application import FacadeServer
from gateway.figures import DatabaseFigures
from gateway.logs import GunicornLog
from gateway.monitoring import Metrics, forget_process, prepare_folder
from gateway.nodes.presence import Kind
from gateway.security.secrets import Secrets
from gateway.site import database_url
from gateway.soap.envelope import Limits
from gateway.soap.pages import IndexPage
from gateway.soap.server import Parts, SoapServer
from gateway.storage.room import Room
from gateway.web.draining import Drain
from gateway.web.server import GatewayServer
from gateway.web.worker import PatientThreadWorker

READINESS_SECONDS = 2


def run_web_server(
    settings: Settings, descriptor: int | None = None, log_file: Path | None = None, *, alone: bool = True
) -> None:
    """Serve until a signal ends it, on a socket that is open already if its descriptor is given.

    Unless it is `alone`, somebody else ends it when the node is to drain.
    """
    database_url(settings), Secrets.from_file(settings.key_file)  # said here in one line, not in each process
    if alone:
        refuse_foreign_key(settings)
    metrics = _metrics_folder(settings)
    drain = Drain(settings.server.drain_seconds)
    leaving: list[Callable[[], None]] = []  # what the process does at its end that has made its application

    def application() -> SoapServer:
        end = partial(os.kill, os.getppid(), signal.SIGTERM)
        core = make_core(settings, log_file=log_file)
        presence = presence_of(settings, Kind.WEB, end if alone else None, drain.has_begun)
        leaving.extend((presence.leave, core.close))
        presence.start()
        return web_application(core, metrics, drain)

    def leave() -> None:
        for last in leaving:
            last()

    server = settings.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    gunicorn = {
        "bind": f"{host}:{server.port}" if descriptor is None else f"fd://{descriptor}",
        "workers": server.workers,
        "threads": server.threads,
        "worker_class": _worker_class(settings, drain),
        "logger_class": GunicornLog,
        "child_exit": lambda arbiter, worker: forget_process(metrics, worker.pid),
        "worker_exit": lambda arbiter, worker: leave(),
    }
    GatewayServer(application, gunicorn, drain).run()


def web_application(core: Core, metrics: Path | None = None, drain: Drain | None = None) -> SoapServer:
    """The WSGI application of one process. It starts without the database and answers 503 until that is there."""
    settings = core.settings
    documents = Documents(core.contract, settings.endpoint)
    doors = make_doors(core)
    limits = Limits(settings.limits.body_bytes, settings.limits.report_bytes, settings.server.request_seconds)
    counts = _metrics(core, metrics)
    facades = FacadeServer(
        settings.facades,
        doors.intake,
        codes=core.codes,
        clock=core.clock,
        limits=limits,
        metrics=counts,
        base_url=settings.endpoint.removesuffix("/soap"),
        hospital_code=settings.hospital_code,
    )
    return SoapServer(
        Parts(
            contract=core.contract,
            wire=core.wire,
            reception=doors.reception,
            directory=doors.clients,
            documents=documents,
            index_page=IndexPage(core.contract, documents, settings.endpoint, facades.list()),
            limits=limits,
            metrics=counts,
            clock=core.clock,
            readiness=_Readiness(database_url(settings), core.room),
            keep_unreadable_push=doors.keep_unreadable_push,
            require_room=core.room.require,
            facades=facades,
            draining=(drain or Drain()).has_begun,
        )
    )


def _metrics(core: Core, folder: Path | None) -> Metrics:
    """What this process counts, and what is found in the database, asked on a connection of its own."""
    settings = core.settings
    engine = _brief_engine(database_url(settings))
    plan = MaintenancePlan(settings.partners, settings.zone)
    names = [partner.name for partner in settings.partners]
    polls = [(partner.name, poll.name) for partner in settings.partners for poll in partner.polls]
    find = DatabaseFigures(engine, names, core.clock, plan, polls)
    metrics = Metrics(folder, find)
    core.sender.attempted = metrics.attempted
    return metrics


def _metrics_folder(settings: Settings) -> Path:
    """The one `gateway serve` has prepared, or one of this web server alone."""
    given = shared_metrics()
    folder = given or settings.folder / "run" / "metrics-web"
    if given is None:
        prepare_folder(folder)
    return folder


def _worker_class(settings: Settings, drain: Drain) -> type[PatientThreadWorker]:
    times = {"head_seconds": settings.server.head_seconds, "request_seconds": settings.server.request_seconds}
    return type("SiteWorker", (PatientThreadWorker,), {**times, "is_leaving": staticmethod(drain.has_begun)})


class _Readiness:
    """Whether messages can be taken, asked on a connection of its own: the pool may be busy with messages."""

    def __init__(self, url: str, room: Room) -> None:
        self._room = room
        self._engine = _brief_engine(url)

    def __call__(self) -> Mapping[str, bool | str]:
        shortage = self._room.shortage()
        room = {"room": f"no new work is taken: {shortage}"} if shortage else {}
        try:
            return {"database": True, "migrations": migrate.fits(self._engine), **room}
        except DatabaseError:
            return {"database": False, "migrations": False, **room}


def _brief_engine(url: str) -> Engine:
    """For questions that are to be answered at once or not at all; a connection is made for each."""
    limits = f"-c statement_timeout={READINESS_SECONDS}s"
    arguments = {"connect_timeout": READINESS_SECONDS, "options": limits}
    return create_engine(url, poolclass=pool.NullPool, hide_parameters=True, connect_args=arguments)
