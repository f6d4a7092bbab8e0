"""Several programs write at once and commit in any order, the reader dies again and again: every row is taken once."""

from __future__ import annotations

import random
import threading
import time

import pytest
from sqlalchemy import text

from gateway.model.critical_value import CriticalValue
from gateway.partners.database.reading import SourceAway
from hospital import Hospital
from tests.partners.database.conftest import Middle
from tests.partners.database.poller import Reader, lab

WRITERS, ROWS = 3, 6
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


class Died(Exception):
    """The process of the reader."""


def write(middle: Middle, number: int, seed: int) -> None:
    """A program of the laboratory: each result in a transaction that takes its time."""
    chance = random.Random(seed + number)
    engine = middle.own.execution_options(isolation_level="READ COMMITTED")
    for row in range(ROWS):
        key = row * WRITERS + number + 1  # its own numbers, drawn in order, committed whenever it is ready
        with engine.begin() as connection:
            values = {"key": key, "at": f"2026-11-16 08:{key % 60:02d}:00"}
            connection.execute(text("INSERT INTO RESULTS (ID, CONTENT, FOUND_AT) VALUES (:key, 'K', :at)"), values)
            time.sleep(chance.random() * 0.05)


def dying(reader: Reader, monkeypatch: pytest.MonkeyPatch, chance: random.Random) -> None:
    """The reader dies before or after it has stored what became of a row, and its source goes away between pages."""
    decide, rows = reader.bookmarks.decide, reader.source.rows

    def decide_or_die(row) -> None:
        if chance.random() < 0.15:
            raise Died
        decide(row)
        if chance.random() < 0.1:
            raise Died

    def rows_or_away(*arguments, **keywords):
        for page in rows(*arguments, **keywords):
            if chance.random() < 0.1:
                raise SourceAway("AWAY")
            yield page

    monkeypatch.setattr(reader.bookmarks, "decide", decide_or_die)
    monkeypatch.setattr(reader.source, "rows", rows_or_away)


@pytest.mark.parametrize("by", ["key", "time", "mark"])
def test_every_row_is_taken_once_in_the_end(
    middle: Middle, hospital: Hospital, monkeypatch: pytest.MonkeyPatch, by: str
):
    ways = {"key": {}, "time": {"time": "FOUND_AT"}, "mark": {"mark": {"column": "FLAG"}}}
    reader = lab(middle, hospital, by=by, batch=4, again_rows=20, again_minutes=60, **ways[by])
    seed = 20261128
    dying(reader, monkeypatch, random.Random(seed))
    writers = [threading.Thread(target=write, args=(middle, number, seed)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    quiet = 0
    while quiet < 3:
        try:
            decided = reader.look(minutes=0.01)
        except (Died, SourceAway):
            continue
        quiet = quiet + 1 if decided == 0 and not any(writer.is_alive() for writer in writers) else 0
    assert sorted(int(row.critical_id) for row in hospital.rows(CriticalValue)) == list(range(1, WRITERS * ROWS + 1))
    if by == "mark":
        assert middle.rows("SELECT DISTINCT FLAG FROM RESULTS") == [("1",)]
