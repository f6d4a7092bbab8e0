"""Brings the tables of the database to the form this version of the gateway needs, once, whoever starts first."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, pool, text
from sqlalchemy.exc import DBAPIError

import gateway.model
from gateway.database.errors import DatabaseError
from gateway.database.reasons import reachable
from gateway.model.base import Base
from gateway.model.monthly import PART

OLDEST_POSTGRESQL = 14
LOCK = 0x6761746577617900
"""The advisory lock under which one process at a time changes tables; a number nobody else is likely to take."""

SCRIPTS = Path(__file__).parent / "migrations"
ALIVE_SECONDS = 15
"""A process that has said nothing for so long is taken for dead."""
_ALIVE = text(
    "SELECT node, kind, pid, version, revision FROM node_process"
    " WHERE seen_at > now() - make_interval(secs => :seconds) ORDER BY node, id"
)

_log = logging.getLogger(__name__)


def metadata() -> MetaData:
    """Every table of gateway/model/, also of a module that nobody else has imported yet."""
    for module in pkgutil.iter_modules(gateway.model.__path__):
        importlib.import_module(f"{gateway.model.__name__}.{module.name}")
    return Base.metadata


def is_ours(name: str | None, kind: str, parents: Any) -> bool:
    """Whether a table of the database is one of the models': Procrastinate keeps its own, and months are parts."""
    return not (kind == "table" and name is not None and (name.startswith("procrastinate_") or PART.fullmatch(name)))


MIGRATION_OPTIONS: dict[str, Any] = {"include_name": is_ours, "compare_type": True, "compare_server_default": True}


@dataclass(frozen=True, slots=True)
class Step:
    """One migration."""

    revision: str
    about: str
    floor: str | None
    """Of a step that contracts: the oldest revision whose gateway still runs afterwards. None: all that ran before."""


def steps() -> tuple[Step, ...]:
    """All steps this version knows, the first one first."""
    return _steps(SCRIPTS)


@cache
def _steps(scripts: Path) -> tuple[Step, ...]:
    found = ScriptDirectory(str(scripts)).walk_revisions()
    return tuple(Step(one.revision, one.doc, getattr(one.module, "floor", None)) for one in found)[::-1]


def upgrade(url: str, *, whole: bool = False, wait_seconds: float = 300) -> str:
    """Bring the tables up to date and give their revision; nothing happens when they are.

    Several processes may call this at once: one does the work, the others wait for it. Tables of a newer gateway are
    left as they are if they tolerate this one. A step that would break processes of an older release which are alive
    waits for the next time, unless the `whole` is wanted: then it is refused.
    Raises DatabaseError when the database cannot be reached or is too old, or its tables do not fit.
    """
    with _in_plain_words(), _connection(url) as connection:
        _refuse_old_server(connection)
        with _alone(connection, wait_seconds):
            present = _revision(connection)
            if _is_newer(present):
                _refuse_newer_tables(present, _floor(connection))
                _log.info("The tables are at revision %s of a newer gateway, and tolerate this one.", present)
                return str(present)
            wanted, held_up = _next_steps(connection, pending(present))
            connection.commit()
            if wanted:
                _log.info("The tables are brought from revision %s to %s.", present or "none", wanted[-1].revision)
                command.upgrade(_config(connection), wanted[-1].revision)
                connection.commit()
                _raise_floor(connection)
            if held_up is not None:
                if whole or not _fits(_revision(connection), None):
                    raise DatabaseError(str(held_up))
                _log.warning("%s", held_up)
            return _revision(connection) or ""


def pending(present: str | None) -> tuple[Step, ...]:
    """The steps that tables of this revision still need; none when they are of a newer gateway."""
    known = steps()
    if present is None:
        return known
    return known[_places().get(present, len(known)) + 1 :]


@dataclass(frozen=True, slots=True)
class Plan:
    """What `upgrade` would do now."""

    present: str | None
    pending: tuple[Step, ...]
    held_up: HeldUp | None
    """What the first step waits for that cannot be run yet."""


def plan(url: str) -> Plan:
    """What there is to do; nothing is changed."""
    with _in_plain_words(), _connection(url) as connection:
        present = _revision(connection)
        _, held_up = _next_steps(connection, pending(present))
        return Plan(present, pending(present), held_up)


@dataclass(frozen=True, slots=True)
class HeldUp:
    """A step that contracts, and who still needs what it takes away."""

    step: Step
    processes: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Step {self.step.revision} takes away what older releases need, and these are still alive: "
            f"{', '.join(self.processes)}. Drain and upgrade their nodes, then run `gateway migrate`."
        )


def _next_steps(connection: Connection, steps: tuple[Step, ...]) -> tuple[tuple[Step, ...], HeldUp | None]:
    """Those that can be run now, and what holds up the one after them."""
    alive = _alive(connection)
    for place, step in enumerate(steps):
        if step.floor is not None:
            least = _places()[step.floor]
            older = tuple(words for revision, words in alive if _places().get(revision, least) < least)
            if older:
                return steps[:place], HeldUp(step, older)
    return steps, None


def _alive(connection: Connection) -> list[tuple[str, str]]:
    """The revision of every process that has been heard of lately, and the process in words."""
    if connection.scalar(text("SELECT to_regclass('node_process')")) is None:
        return []
    rows = connection.execute(_ALIVE, {"seconds": ALIVE_SECONDS})
    return [(row.revision, f"{row.kind} {row.pid} on {row.node} (version {row.version})") for row in rows]


def downgrade(url: str, revision: str) -> None:
    """Take the steps after `revision` back, with what the tables held; "base" removes everything."""
    with _in_plain_words(), _connection(url) as connection, _alone(connection, 60):
        command.downgrade(_config(connection), revision)
        connection.commit()


def current(url: str) -> str | None:
    """The revision of the tables; None for a database without any."""
    with _in_plain_words(), _connection(url) as connection:
        return _revision(connection)


def fits(engine: Engine) -> bool:
    """Whether this version can work with the tables: they have all it needs, and nothing it needs was taken away."""
    with _in_plain_words(), engine.connect() as connection:
        present = _revision(connection)
        return _fits(present, _floor(connection) if _is_newer(present) else None)


def newest() -> str:
    """The revision this version of the gateway was made for."""
    return steps()[-1].revision


def _fits(present: str | None, floor: str | None) -> bool:
    """Steps that only take away may wait; tables of a newer gateway fit when their floor is known here."""
    if present is None:
        return False
    if _is_newer(present):
        return floor in _places()
    return all(step.floor is not None for step in pending(present))


def _is_newer(present: str | None) -> bool:
    return present is not None and present not in _places()


def _places() -> dict[str, int]:
    """Each revision's place in the order of the steps."""
    return {step.revision: place for place, step in enumerate(steps())}


def _floor(connection: Connection) -> str | None:
    """The oldest revision whose gateway may run; None where no table says so."""
    if connection.scalar(text("SELECT to_regclass('schema_floor')")) is None:
        return None
    floor = connection.scalar(text("SELECT revision FROM schema_floor"))
    return None if floor is None else str(floor)


def _raise_floor(connection: Connection) -> None:
    """Write down the highest floor of the steps that have been run."""
    present, floor = _revision(connection), _floor(connection)
    if floor is not None and present is not None:
        done = steps()[: _places()[present] + 1]
        floors = [floor, *(step.floor for step in done if step.floor is not None)]
        highest = max(floors, key=lambda revision: _places()[revision])
        connection.execute(text("UPDATE schema_floor SET revision = :revision"), {"revision": highest})
    connection.commit()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    engine = create_engine(url, poolclass=pool.NullPool, hide_parameters=True, connect_args={"connect_timeout": 5})
    with engine.connect() as connection:
        yield connection


@contextmanager
def _in_plain_words() -> Iterator[None]:
    try:
        with reachable():
            yield
    except DBAPIError as error:
        raise DatabaseError(
            f"The database refuses a change of its tables ({getattr(error.orig, 'sqlstate', '')}): "
            "its role must own the database, and nothing else may be in it."
        ) from None


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _alone(connection: Connection, wait_seconds: float) -> Iterator[None]:
    """Hold the advisory lock of this connection. It is polled: a statement that waits would hold back index builds."""
    deadline = time.monotonic() + wait_seconds
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}):
        connection.commit()
        if time.monotonic() > deadline:
            raise DatabaseError("Another process is still changing the tables: wait until it has finished.")
        time.sleep(0.1)
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
        connection.commit()


def _refuse_old_server(connection: Connection) -> None:
    version = connection.scalar(text("SELECT current_setting('server_version_num')::int / 10000"))
    if version < OLDEST_POSTGRESQL:
        raise DatabaseError(f"The database is PostgreSQL {version}: the gateway needs {OLDEST_POSTGRESQL} or newer.")


def _refuse_newer_tables(revision: str | None, floor: str | None) -> None:
    if not _fits(revision, floor):
        raise DatabaseError(
            f"The tables were changed by a newer gateway (revision {revision}) and no longer have what this one needs: "
            "install that version, or restore the backup from before."
        )
