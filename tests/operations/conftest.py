"""A hospital on an empty database for every test."""

import pytest
from sqlalchemy import Engine, text

from gateway.model.base import Base
from hospital import Hospital


@pytest.fixture
def hospital(engine: Engine) -> Hospital:
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(text(f"DELETE FROM {table.name}"))
    return Hospital(engine)
