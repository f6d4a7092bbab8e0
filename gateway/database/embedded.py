"""Starts, watches and stops the PostgreSQL that comes with the gateway, for sites that have no database server.

Promises: only who holds the random password gets in, over a Unix socket in a private folder, never over the network;
what was committed survives a power cut; no patient's data in the log; no folder that was there before is changed.

    FOLDER/                     the folder given
        location                only if the data had to go elsewhere (see below): where it is
        postgresql/             everything of the database; called `home` in the code
            password            of the role `gateway`, and of the superuser `postgres` for upkeep by hand
            data/  socket/      PostgreSQL's own
            log/                start.log of the last start, then one file for each day of the week
            initdb.log          only if the database could not be made: why
            socket-folder       only if the path of socket/ does not suit a Unix socket: the private folder used instead

Started by root, the database runs as a system user (`programs.py` says which). If that user cannot reach FOLDER, `home`
is /var/lib/hospital-gateway/<digest of FOLDER> instead, and FOLDER/location says so.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from gateway.database.errors import DatabaseError, DatabaseNotInitialised, in_plain_words
from gateway.database.postmaster import clear_stale_notes, halt, is_postmaster, is_ready, postmaster_pid
from gateway.database.programs import SYSTEM_FOLDER, Account, account_for, make_passable, postgresql_programs

__all__ = [
    "DatabaseError",
    "DatabaseNotInitialised",
    "EmbeddedDatabase",
    "create_database",
    "drop_database",
    "libpq_url",
]

_ROLE = "gateway"
_SOCKET_FILE = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 103  # bytes; Linux allows 107, macOS 103
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")  # a comma or colon would be taken for a list of servers

_INITDB = (
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    # Written to data/postgresql.conf, where a site may change them.
    "--set=max_connections=300",
    "--set=shared_buffers=128MB",
)

_AFTER_A_CRASH = {"linux": {"recovery_init_sync_method": "syncfs"}}
"""Where the system can, one order to write everything instead of one for each of 1,600 files: measured after kill -9 on
two busy cores, it answered again after 0.4 to 1.0 s instead of 2.5 to 5.9 s."""

_FIXED_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # only names the socket
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_file_mode": "0600",
    # The gateway reports its own errors; here their texts could hold a patient's data ("Key (name)=(...) exists").
    "log_min_messages": "log",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_lock_waits": "off",
}

_log = logging.getLogger(__name__)


class EmbeddedDatabase:
    """The PostgreSQL whose data is kept below one folder; any number of processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    @property
    def home(self) -> Path:
        """The folder that holds everything of this database."""
        with suppress(FileNotFoundError):
            return Path((self.folder / "location").read_text().strip())
        return self.folder / "postgresql"

    @property
    def data(self) -> Path:
        """PostgreSQL's own folder in it."""
        return self.home / "data"

    def start(self, wait_seconds: float = 60) -> str:
        """Make the database if there is none, start it if it is not running, and give its URL once it answers."""
        deadline = time.monotonic() + wait_seconds
        with in_plain_words():
            make_passable(self.folder)
            with self._alone(deadline):
                self._initialise()
                self._run_until_it_answers(deadline)
                return self.url()

    def stop(self) -> bool:
        """End it, with everything safely written; False when it was not running. End a supervisor before."""
        with in_plain_words():
            if not self.folder.exists():
                return False
            with self._alone(time.monotonic() + 60):
                pid = self.pid()
                if pid is not None:
                    halt(pid, self.data)
                return pid is not None

    def url(self) -> str:
        """Where it answers when it runs, for SQLAlchemy; `libpq_url` makes it fit for psycopg."""
        with in_plain_words():
            if not self.data.exists():
                raise DatabaseNotInitialised(f"There is no database in {self.folder} yet: start the gateway first.")
            password = quote((self.home / "password").read_text().strip(), safe="")
            socket = quote(os.fspath(self._socket().parent), safe="")
        return f"postgresql+psycopg://{_ROLE}:{password}@/{_ROLE}?host={socket}&port=5432"

    def pid(self) -> int | None:
        """The process that runs it; None when it is not running."""
        with in_plain_words():
            return postmaster_pid(self.data)

    def supervise(self, stop: threading.Event) -> None:
        """Start it again within two seconds whenever it died, until told to stop; then it is left running."""
        while not stop.wait(0.5):
            try:
                if self.pid() is None or self._socket_is_lost():
                    _log.warning("The embedded database is not running: starting it.")
                    self.start(wait_seconds=20)
                    _log.warning("The embedded database is running again.")
            except DatabaseError as error:
                _log.error("%s", error)
                stop.wait(5)

    def remove(self) -> None:
        """Stop it and delete all its data: for tests and demonstrations."""
        self.stop()
        with in_plain_words():
            with suppress(FileNotFoundError):
                shutil.rmtree((self.home / "socket-folder").read_text().strip(), ignore_errors=True)
            with suppress(FileNotFoundError):
                shutil.rmtree(self.home)
            (self.folder / "location").unlink(missing_ok=True)

    # --- making it ---------------------------------------------------------------------------------------------------

    def _initialise(self) -> None:
        """Make the cluster aside and rename it, so that one interrupted half-way is never taken for a whole one."""
        if self.data.exists():
            return
        account = account_for(self.data)
        self._choose_home(account)
        programs = postgresql_programs(self.data, account)
        scratch = self.home / "data.new"
        with suppress(FileNotFoundError):
            shutil.rmtree(scratch)
        account.make_folder(scratch)
        account.make_folder(self.home / "log")
        password = secrets.token_urlsafe(32)
        _write(self.home / "password", password, account)
        self._must_work(account, "", programs / "initdb", "-D", scratch, f"--pwfile={self.home / 'password'}", *_INITDB)
        self._must_work(
            account,
            f"CREATE ROLE {_ROLE} LOGIN CREATEDB PASSWORD '{password}';\nCREATE DATABASE {_ROLE} OWNER {_ROLE};\n",
            *(programs / "postgres", "--single", "-D", scratch, "-c", "exit_on_error=on", "postgres"),
        )
        scratch.rename(self.data)
        _make_durable(self.home)

    def _choose_home(self, account: Account) -> None:
        """Below the folder given if the account can get there, else where it can."""
        if not (self.folder / "location").exists() and not account.reaches(self.folder):
            make_passable(SYSTEM_FOLDER)
            elsewhere = SYSTEM_FOLDER / hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
            _set_aside(elsewhere)
            _write(self.folder / "location", f"{elsewhere}\n", Account(os.geteuid(), os.getegid()))
        if os.geteuid() == 0:
            make_passable(self.home)  # stays root's: the system user must not be able to put links where root writes
        else:
            account.make_folder(self.home)

    def _must_work(self, account: Account, entered: str, *command: str | Path) -> None:
        done = account.run(command, entered=entered)
        if done.returncode != 0:
            report = self.home / "initdb.log"
            _write(report, done.stdout, account)
            raise DatabaseError(f"The embedded database could not be made: read why in {report}, then start again.")

    # --- running it --------------------------------------------------------------------------------------------------

    def _run_until_it_answers(self, deadline: float) -> None:
        pid = self.pid()
        if pid is not None and self._socket_is_lost():
            halt(pid, self.data)
        while True:
            if pid is None or not is_postmaster(pid, self.data):  # also if a killed one's processes were in its way
                pid = self._launch()
            if self._answers():
                return
            if time.monotonic() > deadline:
                raise DatabaseError(
                    "The embedded database does not answer yet: wait if it is large and was not stopped properly, "
                    f"otherwise read why in {self.home / 'log'}."
                )
            time.sleep(0.1)

    def _launch(self) -> int:
        """Start the postmaster as nobody's child, in a session of its own: Ctrl-C in a terminal does not reach it."""
        account = account_for(self.data)
        postgres = postgresql_programs(self.data, account) / "postgres"
        self._make_socket_folder(account)
        clear_stale_notes(self.data, self._socket())
        settings = (
            _FIXED_SETTINGS
            | _AFTER_A_CRASH.get(sys.platform, {})
            | {
                "unix_socket_directories": os.fspath(self._socket().parent),
                "log_directory": os.fspath(self.home / "log"),
            }
        )
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        start_log = self.home / "log" / "start.log"
        script = '"$@" </dev/null >"$0" 2>&1 & echo $!'
        told = account.run(["/bin/sh", "-c", script, start_log, postgres, "-D", self.data, *words]).stdout.strip()
        if not told.isdigit():
            raise DatabaseError(f"The embedded database cannot be started: check that {start_log} can be written.")
        return int(told)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(libpq_url(self.url()), connect_timeout=5) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            if "password authentication failed" in str(error):
                raise DatabaseError(
                    f"The database refuses the password in {self.home / 'password'}: put back the original file."
                ) from None
            return False
        return True

    # --- its socket --------------------------------------------------------------------------------------------------

    def _socket(self) -> Path:
        usual = self.home / "socket" / _SOCKET_FILE
        if _suits_a_socket(usual):
            return usual
        try:
            return Path((self.home / "socket-folder").read_text().strip()) / _SOCKET_FILE
        except FileNotFoundError:
            raise DatabaseError(f"The database in {self.folder} is not running: start the gateway.") from None

    def _make_socket_folder(self, account: Account) -> None:
        """The private folder of the socket; a short one when the usual does not suit, remembered for the next start."""
        usual = self.home / "socket" / _SOCKET_FILE
        if _suits_a_socket(usual):
            return account.make_folder(usual.parent)
        name = f"hospital-gateway-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:8]}-"
        with suppress(DatabaseError):
            known = self._socket().parent
            if known.name.startswith(name) and account.owns(known):  # else cleaned away, or of a copied folder
                return None
        short = Path(tempfile.gettempdir())
        if not _suits_a_socket(short / f"{name}12345678" / _SOCKET_FILE) or not account.reaches(short):
            short = Path("/tmp")  # noqa: S108 - mkdtemp makes a fresh private folder in it
        made = Path(tempfile.mkdtemp(prefix=name, dir=short))
        account.take(made)
        return _write(self.home / "socket-folder", f"{made}\n", account)

    def _socket_is_lost(self) -> bool:
        """Whether a cleaner of temporary files has taken the socket of a running database."""
        with in_plain_words():
            return is_ready(self.data) and not self._socket().exists()

    @contextmanager
    def _alone(self, deadline: float) -> Iterator[None]:
        """Only one process at a time makes, starts or stops the database of a folder."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                if time.monotonic() > deadline:
                    raise DatabaseError(f"Another process is still starting the database in {self.folder}: try later.")
                time.sleep(0.1)
            yield
        finally:
            os.close(handle)


def libpq_url(url: str) -> str:
    """The same address as psycopg and PostgreSQL's own programs read it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def create_database(url: str, name: str) -> str:
    """Make an empty database beside the one of this URL, and give its URL."""
    _change(url, "CREATE DATABASE {}", name)
    return urlsplit(url)._replace(path="/" + quote(name, safe="")).geturl()


def drop_database(url: str, name: str) -> None:
    """Delete a database, whoever is still connected; one that does not exist is fine. The URL is of another one."""
    try:
        _change(url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    except DatabaseError:
        # PostgreSQL's own vacuum may be at work in it, which nobody but a superuser may end: the plain form does that.
        _change(url, "DROP DATABASE IF EXISTS {}", name)


def _change(url: str, command: LiteralString, name: str) -> None:
    try:
        with psycopg.connect(libpq_url(url), autocommit=True, connect_timeout=10) as connection:
            connection.execute(sql.SQL(command).format(sql.Identifier(name)))
    except psycopg.errors.DuplicateDatabase:
        raise DatabaseError(f"There is a database {name} already: drop it first, or take another name.") from None
    except psycopg.errors.InsufficientPrivilege:
        raise DatabaseError(f"The database {name} cannot be made or dropped: give the role CREATEDB.") from None
    except psycopg.Error as error:
        code = error.sqlstate or "no connection"
        raise DatabaseError(f"The database {name} cannot be made or dropped ({code}): check server and URL.") from None


def _suits_a_socket(path: Path) -> bool:
    return len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH and _PLAIN_PATH.fullmatch(os.fspath(path)) is not None


def _set_aside(home: Path) -> None:
    """Keep, but out of the way, what an emptied folder of the same name had left."""
    if not home.exists():
        return
    pid = postmaster_pid(home / "data")
    if pid is not None:
        halt(pid, home / "data")
    kept = home.with_name(f"{home.name}-until-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}")
    home.rename(kept)
    _log.warning("%s was of a folder that has been emptied since: it is kept as %s.", home, kept)


def _write(path: Path, text: str, account: Account) -> None:
    """Write a file that only this user can read, in one step, never through a link."""
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    account.take(scratch)
    scratch.rename(path)


def _make_durable(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
