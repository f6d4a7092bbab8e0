"""The hospital of the operations' tests and the books of reconciliation's, for the numbered cases."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from books import Ledger
from gateway.model.base import Base
from hospital import Hospital


@pytest.fixture
def empty(engine: Engine) -> Engine:
    """The database without a row."""
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(text(f"DELETE FROM {table.name}"))
    return engine


@pytest.fixture
def hospital(empty: Engine) -> Hospital:
    return Hospital(empty)


@pytest.fixture
def ledger(empty: Engine, tmp_path: Path) -> Ledger:
    return Ledger(empty, tmp_path)
