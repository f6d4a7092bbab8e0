"""What deliveries are measured with: a site with a database of its own, fake partners, real worker processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text

from benchmarks.hospital import HOSPITAL
from benchmarks.site import cpu_seconds
from gateway import migrate
from gateway.bootstrap.core import Core, make_core
from gateway.config import load_settings
from gateway.database.embedded import EmbeddedDatabase, create_database
from gateway.delivery.leases import OWNER
from gateway.operations.dispatch import Forward
from gateway.security.secrets import create_key_file
from gateway.storage import months

PATIENCE = 60.0
BATCH = 200
"""Messages enqueued in one transaction."""
_OWNED = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = :owner AND granted")


class Partners:
    """The process of the fake partners."""

    def __init__(self, process: subprocess.Popen[str], ports: dict[str, int]) -> None:
        self._process, self.ports = process, ports
        self.process = psutil.Process(process.pid)

    def order(self, **order: Any) -> Any:
        """Tell them what to do from now on, or ask for what they have received since the last time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def fake_partners(names: Sequence[str]) -> Iterator[Partners]:
    """Their process; connections are refused until a name is opened."""
    command = [sys.executable, "-m", "benchmarks.partner", *names]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Partners(process, json.loads(process.stdout.readline()))


@dataclass(frozen=True)
class Place:
    """A database and the folder everything is kept in."""

    folder: Path
    url: str
    database: psutil.Process
    version: str

    def site(self, name: str, partners: dict[str, int], **settings: int) -> Site:
        """A site's folder, with partners at these ports."""
        folder = self.folder / name
        for partner, port in partners.items():
            own = folder / "partners" / partner
            own.mkdir(parents=True)
            lines = [f'url = "http://127.0.0.1:{port}/{partner}"', *(f"{key} = {n}" for key, n in settings.items())]
            (own / "partner.toml").write_text("\n".join(lines) + "\n")
        (folder / "gateway.toml").write_text(f'hospital_code = "{HOSPITAL}"\ndatabase_url = "{self.url}"\n')
        create_key_file(folder / "secret.key")
        return Site(self, folder, tuple(partners), make_core(load_settings(folder), pool_size=4))

    @contextmanager
    def worker(self, command: Sequence[str], name: str) -> Iterator[psutil.Process]:
        """A process that delivers, ended by SIGTERM."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as errors:
            process = subprocess.Popen([sys.executable, "-m", *command], stdout=errors, stderr=errors)
        try:
            yield psutil.Process(process.pid)
            if process.poll() is not None:
                raise RuntimeError(f"A worker has ended:\n{log.read_text(errors='replace')[-2000:]}")
        finally:
            process.terminate()
            process.wait(PATIENCE)


@contextmanager
def place() -> Iterator[Place]:
    """An empty database with the gateway's tables; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "database").mkdir()
        embedded = EmbeddedDatabase(folder / "database")
        try:
            url = create_database(embedded.start(), "bench")
            migrate.upgrade(url)
            months.prepare(url, datetime.now(UTC))
            version = (embedded.data / "PG_VERSION").read_text().strip()
            yield Place(folder, url, psutil.Process(embedded.pid()), version)
        finally:
            embedded.remove()


@dataclass(frozen=True)
class Site:
    """A gateway's folder, and the part of it that enqueues."""

    place: Place
    folder: Path
    partners: tuple[str, ...]
    core: Core

    def put(self, forwards: Sequence[Forward]) -> None:
        """Enqueue as an operation does, but many in one transaction."""
        for start in range(0, len(forwards), BATCH):
            with self.core.sessions.begin() as session:
                self.core.dispatch.enqueue(session, forwards[start : start + BATCH])

    @contextmanager
    def workers(self, count: int) -> Iterator[list[psutil.Process]]:
        """So many `gateway worker` processes that have shared the partners among them."""
        command = ["gateway", "worker", "--folder", str(self.folder)]
        started = [self.place.worker(command, f"worker-{n}") for n in range(count)]
        processes = []
        try:
            processes += [one.__enter__() for one in started]
            self.wait(lambda: self._owned() == len(self.partners))
            yield processes
        finally:
            for one in started[: len(processes)]:
                one.__exit__(None, None, None)

    def ask(self, statement: str, **values: Any) -> Any:
        """One value from the database."""
        with self.core.engine.connect() as connection:
            return connection.execute(text(statement), values).scalar()

    def rows(self, statement: str) -> Any:
        with self.core.engine.connect() as connection:
            return connection.execute(text(statement)).all()

    def run(self, statement: str) -> None:
        with self.core.engine.begin() as connection:
            connection.execute(text(statement))

    def _owned(self) -> int:
        with self.core.engine.connect() as connection:
            return int(connection.execute(_OWNED, {"owner": OWNER}).scalar_one())

    @staticmethod
    def wait(condition: Any, seconds: float = PATIENCE) -> None:
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError("What was waited for did not happen.")
            time.sleep(0.05)


def cpu(processes: Sequence[psutil.Process]) -> float:
    """Seconds of these processes and their children since they began."""
    return sum(cpu_seconds(process) for process in processes)


def load() -> float:
    return os.getloadavg()[0]
