"""A hospital with code tables in the tests' database, emptied before each test."""

from collections.abc import Iterator

import pytest
from mapping_tables import Hospital
from sqlalchemy import Engine

from emptying import clear
from gateway.store import make_sessions


@pytest.fixture
def hospital(engine: Engine) -> Iterator[Hospital]:
    clear(engine)
    hospital = Hospital(make_sessions(engine))
    yield hospital
    hospital.codes.close()
