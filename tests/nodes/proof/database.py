"""The one PostgreSQL of all nodes, reached over the network as a production site's is; it can be ended in a moment."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg

from gateway.database.programs import account_for, make_passable, postgresql_programs
from gateway.simulators.process import free_port

START_SECONDS = 60


class Database:
    """A cluster of its own in a folder, made from the programs the gateway brings along."""

    def __init__(self, folder: Path, address: str) -> None:
        self.address, self.port = address, free_port()
        self._account = account_for(folder / "data")
        if not self._account.reaches(folder.parent):  # a checkout below /root, say
            folder = Path(tempfile.mkdtemp(prefix="gateway-nodes-")) / "database"
            folder.parent.chmod(0o711)
        self._folder = folder
        self._data = folder / "data"
        self._password = secrets.token_urlsafe(24)
        self._programs = postgresql_programs(self._data, self._account)
        self._pid = 0

    @property
    def url(self) -> str:
        return f"postgresql://gateway:{self._password}@{self.address}:{self.port}/gateway"

    def make(self) -> None:
        """An empty database for the role of the gateway."""
        make_passable(self._folder)
        self._account.make_folder(self._data)
        secret = self._folder / "password"
        secret.write_text(self._password)
        self._account.take(secret)
        words = ("--username=gateway", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", f"--pwfile={secret}")
        self._must("initdb", "-D", self._data, *words)
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {self.address}/24 scram-sha-256\n")
        self.start()
        with psycopg.connect(self.url.removesuffix("gateway") + "postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE gateway")

    def start(self) -> float:
        """Start it and wait until it accepts connections; the moment at which it did."""
        log = self._folder / "postgresql.log"
        script = '"$@" </dev/null >>"$0" 2>&1 & echo $!'
        settings = {
            "listen_addresses": self.address,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 300,
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log.touch()
        self._account.take(log)
        program = self._programs / "postgres"
        told = self._account.run(["/bin/sh", "-c", script, log, program, "-D", self._data, *words])
        self._pid = int(told.stdout.strip())
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with suppress(psycopg.Error), psycopg.connect(self.url.removesuffix("gateway") + "postgres"):
                return time.monotonic()
            time.sleep(0.02)
        raise RuntimeError(f"PostgreSQL does not start: see {log}")

    def end_at_once(self) -> None:
        """As in a power cut: nobody is waited for (pg_ctl -m immediate)."""
        os.kill(self._pid, signal.SIGQUIT)
        until = time.monotonic() + 20
        while (self._data / "postmaster.pid").exists() and time.monotonic() < until:
            time.sleep(0.02)

    def remove(self) -> None:
        with suppress(ProcessLookupError, OSError):
            self.end_at_once()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _must(self, program: str, *words: object) -> None:
        done = self._account.run([self._programs / program, *map(str, words)])
        if done.returncode:
            raise RuntimeError(f"{program} has failed: {done.stdout[-500:]}")
