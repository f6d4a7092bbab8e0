"""Brings the tables of the database to the form this version of the gateway needs, once, whoever starts first."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


def upgrade(url: str, *, wait_seconds: float = 300) -> str:
    """Bring the tables up to date and give their revision; nothing happens when they are.

    Several processes may call this at once: one does the work, the others wait for it.
    Raises DatabaseError when the database cannot be reached, is too old, or was used by a newer gateway.
    """
    with _in_plain_words(), _connection(url) as connection:
        _refuse_old_server(connection)
        with _alone(connection, wait_seconds):
            present = _revision(connection)
            connection.commit()
            if present != newest():
                _refuse_newer_tables(present)
                _log.info("The tables are brought from revision %s to %s.", present or "none", newest())
                command.upgrade(_config(connection), "head")
                connection.commit()
    return newest()


def downgrade(url: str, revision: str) -> None:
    """Take the steps after `revision` back, with what the tables held; "base" removes everything."""
    with _in_plain_words(), _connection(url) as connection, _alone(connection, 60):
        command.downgrade(_config(connection), revision)
        connection.commit()


def current(url: str) -> str | None:
    """The revision of the tables; None for a database without any."""
    with _in_plain_words(), _connection(url) as connection:
        return _revision(connection)


def is_current(engine: Engine) -> bool:
    """Whether the tables are those of this version."""
    with _in_plain_words(), engine.connect() as connection:
        return _revision(connection) == newest()


def newest() -> str:
    """The revision this version of the gateway needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
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


def _refuse_newer_tables(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseError(
            f"The tables were changed by a newer gateway (revision {revision}): install that version again, "
            "or restore the backup from before."
        )
