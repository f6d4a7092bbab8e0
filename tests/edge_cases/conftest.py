"""The hospital of the operations' tests and the books of reconciliation's, for the numbered cases."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from books import Ledger
from emptying import clear
from hospital import Hospital


@pytest.fixture
def empty(engine: Engine) -> Engine:
    """The database without a row."""
    clear(engine)
    return engine


@pytest.fixture
def hospital(empty: Engine) -> Hospital:
    return Hospital(empty)


@pytest.fixture
def ledger(empty: Engine, tmp_path: Path) -> Ledger:
    return Ledger(empty, tmp_path)
