"""Puts the parts of the gateway together: the only place that knows them all.

A process calls one of these: `run_web_server` or `run_delivery_worker`; gateway/hl7_serving.py has a third.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import psycopg
from sqlalchemy import Engine, create_engine, pool
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from gateway import migrate
from gateway.codes.translating import DatabaseCodes
from gateway.codes.unmapped import forget_unmapped
from gateway.config import Settings
from gateway.contract import Contract
from gateway.database.errors import DatabaseError
from gateway.delivery.dispatch import QueueDispatch
from gateway.delivery.holds import Holds
from gateway.delivery.hours import MaintenancePlan
from gateway.delivery.jobs import Jobs
from gateway.delivery.sending import Sender
from gateway.delivery.waiting import settle_hourly
from gateway.delivery.worker import run_worker
from gateway.documents import Documents
from gateway.errors import InvalidMessage
from gateway.facades.application import FacadeServer
from gateway.facades.intake import Intake
from gateway.figures import DatabaseFigures
from gateway.logs import GunicornLog
from gateway.messages.wire import Wire
from gateway.model.delivery import Lane
from gateway.monitoring import FOLDER as METRICS_FOLDER
from gateway.monitoring import Metrics, forget_process, prepare_folder
from gateway.nodes.agreement import agreed_settings
from gateway.nodes.joining import refuse_foreign_key
from gateway.nodes.listing import alert_disagreements
from gateway.nodes.presence import Identity, Kind, Presence
from gateway.notifiers.queue import NotificationQueue, make_notifier
from gateway.operations.overdue import Escalation
from gateway.operations.parking import expire_parked
from gateway.operations.push_critical_value import keep_unreadable_push
from gateway.operations.reception import Reception
from gateway.operations.record_quota import forget_old_looks
from gateway.operations.table import HANDLERS, HOOKS
from gateway.operations.unit import Site
from gateway.partners.expiry import CertificateWatch
from gateway.partners.registry import Partners
from gateway.polling.worker import Surroundings as PollSurroundings
from gateway.polling.worker import run_polls
from gateway.reconciliation.asking import Books, asked_books
from gateway.reconciliation.booking import Counterpart
from gateway.reconciliation.rounds import Inbox, Nightly, look_at_open_items
from gateway.security.authentication import ClientDirectory
from gateway.security.secrets import Secrets
from gateway.site import database_url
from gateway.soap.envelope import Limits
from gateway.soap.pages import IndexPage
from gateway.soap.server import Parts, SoapServer
from gateway.soap.unreadable import KeepUnreadablePush
from gateway.storage.room import Room
from gateway.storage.upkeep import StorageUpkeep
from gateway.store import make_engine, make_sessions
from gateway.web.draining import Drain
from gateway.web.server import GatewayServer
from gateway.web.worker import PatientThreadWorker

READINESS_SECONDS = 2
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
MESSAGE_ID = re.compile(rb"<(?:[\w.-]+:)?MessageId>\s*([!-~]{1,64}?)\s*</")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Core:
    """What web and delivery processes have in common."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    contract: Contract
    wire: Wire
    partners: Partners
    sender: Sender
    dispatch: QueueDispatch
    clock: Callable[[], datetime]
    room: Room
    codes: DatabaseCodes


def make_core(settings: Settings, *, pool_size: int = 20, log_file: Path | None = None) -> Core:
    """Nothing is connected or sent yet."""
    zone = settings.zone

    def clock() -> datetime:
        return datetime.now(zone)

    engine = make_engine(database_url(settings), pool_size=pool_size)
    sessions = make_sessions(engine)
    contract = Contract()
    wire = Wire(contract, zone)
    holds = Holds(clock, MaintenancePlan(settings.partners, zone))
    codes = DatabaseCodes(sessions, clock)
    partners = Partners(settings.partners, contract, wire, clock, codes=codes, is_stopped=holds.is_stopped)
    sender = Sender(
        sessions, wire, partners, HOOKS, Jobs(), clock, sync_seconds=settings.limits.sync_seconds, holds=holds
    )
    dispatch = QueueDispatch(settings, sender)
    room = Room(settings.storage, _folders(settings, log_file), engine, clock)
    return Core(settings, engine, sessions, contract, wire, partners, sender, dispatch, clock, room, codes)


def _folders(settings: Settings, log_file: Path | None) -> dict[str, Path]:
    """Where the gateway writes on this machine, by what it writes there."""
    database = {"the database": settings.database_folder} if settings.database_url is None else {}
    log = {"the log": log_file.absolute().parent} if log_file is not None else {}
    return {"the site": settings.folder, **database, **log}


# --- The web server ---------------------------------------------------------------------------------------------------


def run_web_server(
    settings: Settings, descriptor: int | None = None, log_file: Path | None = None, *, alone: bool = True
) -> None:
    """Serve until a signal ends it, on a socket that is open already if its descriptor is given.

    Unless it is `alone`, somebody else ends it when the node is to drain.
    """
    database_url(settings), Secrets.from_file(settings.key_file)  # said here in one line, not in each process
    if alone:
        _refuse_foreign_key(settings)
    metrics = _metrics_folder(settings)
    drain = Drain(settings.server.drain_seconds)
    here: list[Presence] = []  # of the process that has made its application

    def application() -> SoapServer:
        end = partial(os.kill, os.getppid(), signal.SIGTERM)
        here.append(presence_of(settings, Kind.WEB, end if alone else None, drain.has_begun))
        here[0].start()
        return web_application(make_core(settings, log_file=log_file), metrics, drain)

    server = settings.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    gunicorn = {
        "bind": f"{host}:{server.port}" if descriptor is None else f"fd://{descriptor}",
        "workers": server.workers,
        "threads": server.threads,
        "worker_class": _worker_class(settings, drain),
        "logger_class": GunicornLog,
        "child_exit": lambda arbiter, worker: forget_process(metrics, worker.pid),
        "worker_exit": lambda arbiter, worker: here[0].leave() if here else None,
    }
    GatewayServer(application, gunicorn, drain).run()


@dataclass(frozen=True, slots=True)
class Doors:
    """What every way into the gateway shares: the web server's, and those of listeners beside it."""

    reception: Reception
    clients: ClientDirectory
    keep_unreadable_push: KeepUnreadablePush
    intake: Intake
    """Takes messages that were mapped."""


def make_doors(core: Core) -> Doors:
    """Nothing is connected yet."""
    settings = core.settings
    reception = Reception(
        sessions=core.sessions,
        contract=core.contract,
        wire=core.wire,
        site=Site(settings.hospital_code, settings.hospital_codes, settings.rules, settings.limits),
        dispatch=core.dispatch,
        handlers=HANDLERS,
        clock=core.clock,
    )
    clients = ClientDirectory(core.engine, Secrets.from_file(settings.key_file))
    keep = _KeepUnreadablePush(core.sessions, settings.hospital_code)
    intake = Intake(
        contract=core.contract,
        wire=core.wire,
        reception=reception,
        clients=clients,
        keep_unreadable_push=keep,
        require_room=core.room.require,
    )
    return Doors(reception, clients, keep, intake)


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
    find = DatabaseFigures(engine, [partner.name for partner in settings.partners], core.clock, plan)
    metrics = Metrics(folder, find)
    core.sender.attempted = metrics.attempted
    return metrics


def _metrics_folder(settings: Settings) -> Path:
    """The one `gateway serve` has prepared, or one of this web server alone."""
    given = _shared_metrics()
    folder = given or settings.folder / "run" / "metrics-web"
    if given is None:
        prepare_folder(folder)
    return folder


def process_metrics() -> Metrics:
    """What a process beside the web server counts."""
    return Metrics(_shared_metrics())


def _shared_metrics() -> Path | None:
    given = os.environ.get(METRICS_FOLDER)
    return Path(given) if given else None


def _worker_class(settings: Settings, drain: Drain) -> type[PatientThreadWorker]:
    times = {"head_seconds": settings.server.head_seconds, "request_seconds": settings.server.request_seconds}
    return type("SiteWorker", (PatientThreadWorker,), {**times, "is_leaving": staticmethod(drain.has_begun)})


def _refuse_foreign_key(settings: Settings) -> None:
    """Raise KeyFileError when this node has not the key of the others; a database that is away cannot tell."""
    try:
        refuse_foreign_key(database_url(settings), Secrets.from_file(settings.key_file), settings.key_file)
    except SQLAlchemyError as problem:
        _log.warning("Whether the key fits the database is not known: %s.", type(problem).__name__)


def presence_of(
    settings: Settings, kind: Kind, on_drain: Callable[[], None] | None, draining: Callable[[], bool] = lambda: False
) -> Presence:
    """This process among those of all nodes."""
    agreed = agreed_settings(settings, Secrets.from_file(settings.key_file))
    identity = Identity(settings.node_name, kind, migrate.newest(), agreed)
    return Presence(database_url(settings), identity, on_drain=on_drain, draining=draining)


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


class _KeepUnreadablePush:
    """Stores a critical value nobody can read, in a transaction of its own."""

    def __init__(self, sessions: sessionmaker[Session], hospital_code: str) -> None:
        self._sessions = sessions
        self._hospital_code = hospital_code

    def __call__(
        self,
        *,
        txn_no: str,
        received_at: datetime,
        sender_code: str,
        soap_version: str,
        xml: bytes,
        reason: InvalidMessage,
    ) -> None:
        found = MESSAGE_ID.search(xml)
        with self._sessions.begin() as session:
            keep_unreadable_push(
                session,
                sender_code=sender_code,
                xml=xml,
                message_id=found[1].decode("ascii") if found else "",
                hospital_code=self._hospital_code,
                now=received_at,
                txn_no=txn_no,
                soap_version=soap_version,
            )


# --- Delivery ---------------------------------------------------------------------------------------------------------


def run_delivery_worker(settings: Settings, log_file: Path | None = None, *, alone: bool = True) -> None:
    """Deliver to partners, and do what is due by the clock, until a signal ends it.

    Unless it is `alone`, somebody else ends it when the node is to drain.
    """
    if alone:
        _refuse_foreign_key(settings)
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
        core.engine.dispose()


# --- Polling ----------------------------------------------------------------------------------------------------------


def run_polling(settings: Settings, log_file: Path | None = None, *, alone: bool = True) -> None:
    """Read the tables and views of partners until a signal ends it.

    Unless it is `alone`, somebody else ends it when the node is to drain.
    """
    if alone:
        _refuse_foreign_key(settings)
    core, stopping = make_core(settings, log_file=log_file), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    presence = presence_of(settings, Kind.POLLING, stopping.set if alone else None, stopping.is_set)
    presence.start()
    try:
        run_polls(settings.partners, _polled(core), stopping)
    finally:
        presence.leave()
        core.engine.dispose()


def _polled(core: Core) -> PollSurroundings:
    """What all polls are given."""
    settings, holds = core.settings, core.sender.holds

    def is_held(partner: str) -> bool:
        if holds.may_be_old:
            core.sender.look_at_holds()
        return holds.of(partner, Lane.NORMAL) is not None

    return PollSurroundings(
        sessions=core.sessions,
        database_url=database_url(settings),
        intake=make_doors(core).intake,
        hospital_code=settings.hospital_code,
        zone=settings.zone,
        now=core.clock,
        codes=DatabaseCodes(core.sessions, core.clock),
        is_held=is_held,
        process=f"{settings.node_name}:{os.getpid()}",
    )


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
