"""A hospital on an empty database, and its books beside those of HIS."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from books import Ledger
from emptying import clear


@pytest.fixture
def ledger(engine: Engine, tmp_path: Path) -> Ledger:
    clear(engine)
    return Ledger(engine, tmp_path)
