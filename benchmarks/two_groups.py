"""Two groups of hospitals, each a site with a database of its own, behind HAProxy with deploy/haproxy-groups.cfg."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg

from benchmarks.group_messages import Sender
from gateway import migrate
from gateway.contract import Contract
from gateway.database.embedded import EmbeddedDatabase
from gateway.model.client import SpecialRight
from gateway.security.clients import add_client
from gateway.security.secrets import create_key_file
from gateway.simulators.process import free_port
from gateway.store import make_engine, make_sessions

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
HOSPITALS = {"north": "44643245-7", "south": "55512345-6"}
ADDRESSES = {"north": "10.1.0.11:8080", "south": "10.2.0.11:8080"}
"""As deploy/haproxy-groups.cfg has them."""
OPERATIONS = ("SubmitRequisition", "ReportVisitEvent", "PushCriticalValue", "QueryRequisition")
USER = "HIS"
"""A name that both groups know, each with a password of its own."""
SETTINGS = """hospital_code = "{hospital}"
public_url = "http://127.0.0.1:{public}"
delivery_workers = 0

[server]
port = {port}
workers = 1
"""
ROUTE = '\n[[routes]]\noperation = "{}"\npartners = ["PACS"]\n'
PARTNER = 'url = "http://127.0.0.1:9/soap"\n'
"""Nothing listens there and nobody delivers: messages are queued, as they are while a partner is down."""
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
START_SECONDS = 60.0


class NoRouter(Exception):
    """It cannot be run here; the text says what is missing."""


class Group:
    """A site: a folder, an embedded PostgreSQL, `gateway serve`."""

    def __init__(self, name: str, folder: Path, public: int) -> None:
        self.name, self.hospital, self.port = name, HOSPITALS[name], free_port()
        self._folder = folder / name
        self._database = EmbeddedDatabase(self._folder / "database")
        self._process: subprocess.Popen[bytes] | None = None
        self.passwords: dict[str, str] = {}
        (self._folder / "partners" / "PACS").mkdir(parents=True)
        (self._folder / "partners" / "PACS" / "partner.toml").write_text(PARTNER, encoding="utf-8")
        settings = SETTINGS.format(hospital=self.hospital, public=public, port=self.port)
        routes = "".join(ROUTE.format(operation) for operation in OPERATIONS[:3])
        (self._folder / "gateway.toml").write_text(settings + routes, encoding="utf-8")
        create_key_file(self._folder / "secret.key")

    @property
    def special(self) -> str:
        """A login no other group has, as deploy/logins.map lists it."""
        return f"PACS-{self.name.upper()}"

    @property
    def database_version(self) -> str:
        return (self._database.data / "PG_VERSION").read_text().strip()

    def sender(self, user: str) -> Sender:
        return Sender(self.hospital, user, self.passwords[user])

    def make(self) -> None:
        """Database, tables and clients."""
        (self._folder / "database").mkdir()
        url = self._database.start()
        migrate.upgrade(url)
        engine = make_engine(url, pool_size=1)
        known = [operation.name for operation in Contract().operations]
        with make_sessions(engine).begin() as session:
            for user in (USER, self.special):
                rights = (*OPERATIONS, SpecialRight.HIS)
                self.passwords[user] = add_client(session, user, rights=rights, operations=known)
        engine.dispose()

    def start(self) -> None:
        """Start it and wait until it is ready. Raises NoRouter when it does not become so."""
        command = [sys.executable, "-m", "gateway", "serve", "--quiet", "--folder", str(self._folder)]
        log = self._folder / "gateway.log"
        self._process = subprocess.Popen([*command, "--log-file", str(log)], env=ENVIRONMENT)
        until = time.monotonic() + START_SECONDS
        while not answers(self.port, "/readyz"):
            if self._process.poll() is not None or time.monotonic() > until:
                raise NoRouter(f"The group {self.name} did not start:\n{log.read_text(errors='replace')[-1500:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End the gateway; its database may end with it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def remove(self) -> None:
        self.stop()
        self._database.remove()

    def journal(self) -> list[tuple[str, str]]:
        """HospitalCode and MessageId of everything in its database."""
        with psycopg.connect(self._database.start().replace("+psycopg", "")) as connection:
            return list(connection.execute("SELECT hospital_code, message_id FROM journal").fetchall())


class Router:
    """HAProxy with the shipped files; addresses and the place of the maps alone are replaced."""

    def __init__(self, folder: Path, port: int, program: str) -> None:
        self.port, self._program, self._folder = port, program, folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def version(self) -> str:
        told = subprocess.run([self._program, "-v"], capture_output=True, text=True, check=False).stdout
        return " ".join(told.split()[:3])

    def start(self, groups: list[Group]) -> None:
        text = (DEPLOY / "haproxy-groups.cfg").read_text(encoding="utf-8")
        changes = {
            "bind :443 ssl crt /etc/haproxy/gateway.pem": f"bind 127.0.0.1:{self.port}",
            "10.0.0.0/8": "127.0.0.0/8",
            "/etc/haproxy/hospitals.map": str(DEPLOY / "hospitals.map"),
            "/etc/haproxy/logins.map": str(DEPLOY / "logins.map"),
        }
        for old, new in (changes | {ADDRESSES[one.name]: f"127.0.0.1:{one.port}" for one in groups}).items():
            if old not in text:
                raise NoRouter(f"deploy/haproxy-groups.cfg does not say {old} any more.")
            text = text.replace(old, new)
        settings = self._folder / "haproxy.cfg"
        settings.write_text(text, encoding="utf-8")
        with (self._folder / "haproxy.log").open("wb") as log:
            command = [self._program, "-db", "-f", str(settings)]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + START_SECONDS
        while not answers(self.port, "/readyz"):
            if self._process.poll() is not None or time.monotonic() > until:
                raise NoRouter(f"HAProxy did not start:\n{(self._folder / 'haproxy.log').read_text()[-1500:]}")
            time.sleep(0.1)

    def cpu_seconds(self) -> float:
        """Of all its threads, to the nanosecond: psutil's hundredths of a second would be too coarse."""
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def answers(port: int, path: str) -> bool:
    """Whether a page is there."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def find_haproxy() -> str:
    """Where it is; root of a Debian gets it installed. Raises NoRouter."""
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    if shutil.which("haproxy", path=path) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "-y", "haproxy"]):
            subprocess.run(["apt-get", "-qq", *words], env=environment, capture_output=True, check=False)
    found = shutil.which("haproxy", path=path)
    if found is None:
        raise NoRouter("HAProxy is needed: `apt-get install haproxy` as root, then try again.")
    return found


@contextmanager
def running() -> Iterator[tuple[Router, list[Group]]]:
    """Both groups and the router, ready; everything is stopped and removed at the end."""
    program = find_haproxy()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-groups-")))
        folder.chmod(0o755)
        router = Router(folder, free_port(), program)
        groups = [Group(name, folder, router.port) for name in HOSPITALS]
        for group in groups:
            stack.callback(group.remove)
        for group in groups:  # in turn: two migrations in one process would meet
            group.make()
        with ThreadPoolExecutor(len(groups)) as pool:
            list(pool.map(Group.start, groups))
        stack.callback(router.stop)
        router.start(groups)
        yield router, groups
