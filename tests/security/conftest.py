"""A session on the tables of the clients."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, delete
from sqlalchemy.orm import Session

from gateway.model.client import Client, ClientRight, UsedNonce

TABLES = (ClientRight, Client, UsedNonce)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on tables without any client."""
    with engine.begin() as connection:
        for table in TABLES:
            connection.execute(delete(table))
    with Session(engine) as session:
        yield session
