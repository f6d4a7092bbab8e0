"""A hospital on an empty database, and its books beside those of HIS."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from books import Ledger
from gateway.model.base import Base


@pytest.fixture
def ledger(engine: Engine, tmp_path: Path) -> Ledger:
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(text(f"DELETE FROM {table.name}"))
    return Ledger(engine, tmp_path)
