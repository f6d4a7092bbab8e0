"""Without room on the disk no new work is taken, and it is taken again by itself once there is room."""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from gateway.config import Storage
from gateway.errors import NoRoom, ServiceUnavailable
from gateway.model.journal import Alert
from gateway.operations.reception import _as_answer
from gateway.storage import room as rooms
from gateway.storage.room import MEGABYTE, Room

NOW = datetime(2027, 3, 10, tzinfo=UTC)
NAMES = ("the site", "the log")


class Seconds:
    """A clock that goes on by more than a look's time whenever it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 31
        return self.now


def room_of(store: Engine, *folders: Path, **storage: int) -> Room:
    return Room(Storage(**storage), dict(zip(NAMES, folders, strict=False)), store, lambda: NOW, Seconds())


def alerts(store: Engine) -> list[str]:
    with Session(store) as session:
        return list(session.scalars(select(Alert.kind)))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 8 MB."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True)
    if made.returncode:
        pytest.skip("only the administrator may mount a disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_with_room_everything_is_taken(store: Engine, tmp_path: Path):
    room = room_of(store, tmp_path, free_megabytes=1)
    room.require("ChargeItem")
    assert (room.shortage(), alerts(store)) == ("", [])


def test_a_disk_that_fills_ends_new_work_and_one_that_empties_begins_it_again(store: Engine, disk: Path):
    room = room_of(store, disk, free_megabytes=4)
    room.require("ChargeItem")
    (disk / "filler").write_bytes(os.urandom(5 * MEGABYTE))
    with pytest.raises(NoRoom):
        room.require("ChargeItem")
    assert "free on the disk of the site, and storage.free_megabytes is 4" in room.shortage()
    assert str(disk) not in room.shortage(), "whoever asks need not know the paths"
    (disk / "filler").write_bytes(os.urandom(int(3.5 * MEGABYTE)))
    with pytest.raises(NoRoom):
        room.require("ChargeItem")  # 4.5 MB are free: it begins at 5
    (disk / "filler").unlink()
    room.require("ChargeItem")
    assert alerts(store) == ["STORAGE_FULL"]


def test_a_threshold_above_what_is_free_ends_new_work_while_queries_go_on(store: Engine, tmp_path: Path):
    room = room_of(store, tmp_path, free_megabytes=10**9)
    for operation in ("SubmitRequisition", "ChargeItem", "ReportStatus", "SubmitReport"):
        with pytest.raises(NoRoom):
            room.require(operation)
    for operation in ("QueryRequisition", "QueryTransaction", "GetMedicalRecord"):
        room.require(operation)


def test_critical_values_use_the_last_of_what_is_held_back(store: Engine, disk: Path):
    room = room_of(store, disk, free_megabytes=9)
    with pytest.raises(NoRoom):
        room.require("ChargeItem")
    room.require("PushCriticalValue")
    room.require("AcknowledgeCriticalValue")
    (disk / "filler").write_bytes(os.urandom(6 * MEGABYTE))
    with pytest.raises(NoRoom):
        room.require("PushCriticalValue")


def test_one_alert_is_raised_by_all_processes_together(store: Engine, tmp_path: Path):
    for _ in range(3):
        assert room_of(store, tmp_path, free_megabytes=10**9).shortage()
    assert alerts(store) == ["STORAGE_FULL"]


def test_a_shortage_after_the_first_was_settled_alarms_again(store: Engine, tmp_path: Path):
    assert room_of(store, tmp_path, free_megabytes=10**9).shortage()
    with Session(store) as session, session.begin():
        session.scalars(select(Alert)).one().settled_at = NOW
    assert room_of(store, tmp_path, free_megabytes=10**9).shortage()
    assert len(alerts(store)) == 2


def test_nothing_is_looked_at_where_the_site_wants_it_so(store: Engine, tmp_path: Path):
    assert room_of(store, tmp_path, free_megabytes=0).shortage() == ""


def test_a_database_that_reaches_its_limit_ends_new_work(store: Engine, tmp_path: Path):
    room = room_of(store, tmp_path, free_megabytes=0, database_megabytes=1)
    with pytest.raises(NoRoom):
        room.require("ChargeItem")
    assert "storage.database_megabytes is 1" in room.shortage()
    assert alerts(store) == ["STORAGE_FULL"]


def test_a_database_below_its_limit_takes_work_also_while_it_cannot_be_asked(tmp_path: Path):
    away = create_engine("postgresql+psycopg://u:p@127.0.0.1:1/x")
    room = room_of(away, tmp_path, free_megabytes=0, database_megabytes=1)
    room.require("ChargeItem")
    away.dispose()


def test_a_disk_that_is_full_is_said_also_when_the_alert_cannot_be_kept(tmp_path: Path):
    away = create_engine("postgresql+psycopg://u:p@127.0.0.1:1/x")
    room = room_of(away, tmp_path, free_megabytes=10**9)
    with pytest.raises(NoRoom):
        room.require("ChargeItem")
    away.dispose()


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "53400"])
def test_what_postgresql_itself_has_no_room_for_may_be_sent_again(sqlstate: str):
    problem = DBAPIError.instance("INSERT", {}, psycopg.errors.lookup(sqlstate)("full"), psycopg.Error)
    assert isinstance(_as_answer(problem), ServiceUnavailable)


def test_a_folder_that_is_not_there_yet_is_no_shortage(store: Engine, tmp_path: Path):
    assert room_of(store, tmp_path / "later", free_megabytes=1).shortage() == ""


def test_a_look_is_not_repeated_for_every_message(store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    looks = []
    monkeypatch.setattr(rooms, "_free", lambda folder: looks.append(folder) or 10 * MEGABYTE)
    room = Room(Storage(free_megabytes=1), {"the site": tmp_path}, store, lambda: NOW)
    for _ in range(100):
        room.require("ChargeItem")
    assert len(looks) <= 2
    with store.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alert")) == 0
