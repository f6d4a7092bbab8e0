"""A database with the tables of the clients alone."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, delete
from sqlalchemy.orm import Session

from gateway.database.embedded import EmbeddedDatabase, create_database, drop_database
from gateway.model.base import Base
from gateway.model.client import Client, ClientRight, UsedNonce

TABLES = (ClientRight, Client, UsedNonce)


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    given = os.environ.get("GATEWAY_TEST_DATABASE_URL")
    if given:
        name = f"security_{uuid.uuid4().hex}"
        yield create_database(given, name)
        drop_database(given, name)
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        database = EmbeddedDatabase(Path(folder) / "db")
        yield database.start()
        database.remove()


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, hide_parameters=True)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def _client_tables(engine: Engine) -> None:
    Base.metadata.create_all(engine, tables=[table.__table__ for table in TABLES])


@pytest.fixture
def session(engine: Engine, _client_tables: None) -> Iterator[Session]:
    """A session on tables without any client."""
    with engine.begin() as connection:
        for table in TABLES:
            connection.execute(delete(table))
    with Session(engine) as session:
        yield session
