"""What the servers need: a site of the gateway with a partner to queue for, and a database for each that stores."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.message import OPERATION
from benchmarks.serve import PEER_DATABASE
from benchmarks.spyne_with_orm import make_tables
from gateway import migrate
from gateway.contract import Contract
from gateway.database.embedded import EmbeddedDatabase, create_database
from gateway.model.client import SpecialRight
from gateway.security.clients import add_client
from gateway.security.secrets import create_key_file
from gateway.store import make_engine, make_sessions

USER = "HIS"
SETTINGS = f"""hospital_code = "44643245-7"
delivery_workers = 0

[[routes]]
operation = "{OPERATION}"
partners = ["PACS"]
"""
PARTNER = 'url = "http://127.0.0.1:9/soap"\n'
"""Nothing listens there and nobody delivers: messages are queued, as they are while a partner is down."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Of the master and its workers, since they began."""
        return cpu_seconds(self.process)


@dataclass(frozen=True)
class Site:
    """Everything that runs for the comparison."""

    servers: dict[str, Server]
    password: str
    database: psutil.Process
    database_version: str


def cpu_seconds(process: psutil.Process) -> float:
    """Of a process and its children, also of those that have ended."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(one.user + one.system + one.children_user + one.children_system for one in times))


@contextmanager
def running(names: list[str]) -> Iterator[Site]:
    """The servers of these names, each ready; everything is stopped and removed at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-")))
        folder.chmod(0o755)
        embedded = EmbeddedDatabase(folder / "database")
        (folder / "database").mkdir()
        url = embedded.start()
        stack.callback(embedded.remove)
        own, peers = create_database(url, "bench_gateway"), create_database(url, "bench_peer")
        password = _make_site(folder, own)
        make_tables(peers)
        environment = os.environ | {"GATEWAY_DATABASE_URL": own, PEER_DATABASE: peers}
        servers = {name: stack.enter_context(_server(name, folder, environment)) for name in names}
        version = (embedded.data / "PG_VERSION").read_text().strip()
        yield Site(servers, password, psutil.Process(embedded.pid()), version)


def _make_site(folder: Path, database_url: str) -> str:
    """The folder's files and the gateway's tables; returns the password of its one client."""
    (folder / "gateway.toml").write_text(SETTINGS, encoding="utf-8")
    create_key_file(folder / "secret.key")
    partner = folder / "partners" / "PACS"
    partner.mkdir(parents=True)
    (partner / "partner.toml").write_text(PARTNER, encoding="utf-8")
    migrate.upgrade(database_url)
    engine = make_engine(database_url, pool_size=1)
    try:
        with make_sessions(engine).begin() as session:
            operations = [operation.name for operation in Contract().operations]
            return add_client(session, USER, rights=(OPERATION, SpecialRight.HIS), operations=operations)
    finally:
        engine.dispose()


@contextmanager
def _server(name: str, folder: Path, environment: dict[str, str]) -> Iterator[Server]:
    own = folder / name
    own.mkdir()
    environment = environment | {"PROMETHEUS_MULTIPROC_DIR": str(own)}
    command = [sys.executable, "-m", "benchmarks.serve", name, str(folder)]
    log = folder / f"{name}.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"The server {name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        yield Server(name, int(line), psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()
