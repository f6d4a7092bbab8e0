"""A hospital on an empty database for every test."""

import pytest
from sqlalchemy import Engine

from emptying import clear
from hospital import Hospital


@pytest.fixture
def hospital(engine: Engine) -> Hospital:
    clear(engine)
    return Hospital(engine)
