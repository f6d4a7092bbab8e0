"""The database of the tests: the one GATEWAY_TEST_DATABASE_URL names, else one embedded database for all workers."""

import fcntl
import hashlib
import importlib
import os
import pkgutil
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

import gateway.model
from gateway.database import embedded
from gateway.database.embedded import EmbeddedDatabase, create_database, drop_database
from gateway.model.base import Base
from gateway.store import make_engine


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server where databases can be made; the last worker that used the embedded one removes it."""
    given = os.environ.get("GATEWAY_TEST_DATABASE_URL")
    if given:
        yield given.replace("postgresql://", "postgresql+psycopg://", 1)
        return
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    # Not below `shared`: the system user that runs the database for root could not get there.
    name = f"hospital-gateway-test-{hashlib.sha256(os.fsencode(shared)).hexdigest()[:16]}"
    folder = Path(tempfile.gettempdir()) / name
    with (shared / "database.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                patch.setitem(embedded._FIXED_SETTINGS, setting, "off")  # nothing of it outlives a crash, or has to
            url = EmbeddedDatabase(folder).start()
        yield url
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        EmbeddedDatabase(folder).remove()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database_url(database_server: str) -> Iterator[str]:
    """A fresh database of this worker alone."""
    name = f"test_{uuid.uuid4().hex}"
    yield create_database(database_server, name)
    drop_database(database_server, name)


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a database with every table and no row."""
    for module in pkgutil.iter_modules(gateway.model.__path__):
        importlib.import_module(f"gateway.model.{module.name}")
    engine = make_engine(database_url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()
