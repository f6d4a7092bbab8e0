"""A database as a site has it: made by the migrations, with nothing in it."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from gateway import migrate
from gateway.database.embedded import create_database, drop_database
from gateway.store import make_engine


@pytest.fixture
def empty_url(database_server: str) -> Iterator[str]:
    """A database without any table."""
    name = f"storage_{uuid.uuid4().hex}"
    yield create_database(database_server, name)
    drop_database(database_server, name)


@pytest.fixture
def store(empty_url: str) -> Iterator[Engine]:
    """Every table as the migrations make it; the months are still to be made."""
    migrate.upgrade(empty_url)
    engine = make_engine(empty_url, pool_size=2)
    yield engine
    engine.dispose()
