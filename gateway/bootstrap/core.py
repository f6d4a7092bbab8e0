"""What every process of the gateway has: settings, database, contract, partners, and its place among all processes."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from gateway import migrate
from gateway.codes.translating import DatabaseCodes
from gateway.config import Settings
from gateway.contract import Contract
from gateway.delivery.dispatch import QueueDispatch
from gateway.delivery.holds import Holds
from gateway.delivery.hours import MaintenancePlan
from gateway.delivery.jobs import Jobs
from gateway.delivery.sending import Sender
from gateway.messages.wire import Wire
from gateway.monitoring import FOLDER as METRICS_FOLDER
from gateway.monitoring import Metrics
from gateway.nodes import joining
from gateway.nodes.agreement import agreed_settings
from gateway.nodes.presence import Identity, Kind, Presence
from gateway.operations.table import HOOKS
from gateway.partners.registry import Partners
from gateway.security.secrets import Secrets
from gateway.site import database_url
from gateway.storage.room import Room
from gateway.store import make_engine, make_sessions

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

    def close(self) -> None:
        """Store what is still to be counted, and let go of the database."""
        self.codes.close()
        self.engine.dispose()


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


def process_metrics() -> Metrics:
    """What a process beside the web server counts."""
    return Metrics(shared_metrics())


def shared_metrics() -> Path | None:
    given = os.environ.get(METRICS_FOLDER)
    return Path(given) if given else None


def refuse_foreign_key(settings: Settings) -> None:
    """Raise KeyFileError when this node has not the key of the others; a database that is away cannot tell."""
    try:
        joining.refuse_foreign_key(database_url(settings), Secrets.from_file(settings.key_file), settings.key_file)
    except SQLAlchemyError as problem:
        _log.warning("Whether the key fits the database is not known: %s.", type(problem).__name__)


def presence_of(
    settings: Settings, kind: Kind, on_drain: Callable[[], None] | None, draining: Callable[[], bool] = lambda: False
) -> Presence:
    """This process among those of all nodes."""
    agreed = agreed_settings(settings, Secrets.from_file(settings.key_file))
    identity = Identity(settings.node_name, kind, migrate.newest(), agreed)
    return Presence(database_url(settings), identity, on_drain=on_drain, draining=draining)
