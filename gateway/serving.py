"""What `gateway serve` does: one database, one web server and the delivery workers of a site, from start to end.

FOLDER/run/serve.lock       held while it runs, so that a folder is served once
FOLDER/run/processes.json   the addresses and the number of each process, written anew when one is replaced
FOLDER/run/metrics/         the figures of this run's processes
"""

from __future__ import annotations

import fcntl
import http.client
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from gateway import migrate
from gateway.config import ConfigurationError, Settings
from gateway.contract import Contract
from gateway.database.embedded import EmbeddedDatabase
from gateway.database.errors import DatabaseError
from gateway.monitoring import FOLDER as METRICS_FOLDER
from gateway.monitoring import forget_process, prepare_folder
from gateway.nodes.agreement import agreed_settings
from gateway.nodes.joining import refuse_foreign_key
from gateway.nodes.presence import Identity, Kind, Presence
from gateway.security.secrets import Secrets
from gateway.storage import months
from gateway.supervision import PATIENCE, Child, Supervisor, children_of

DATABASE_WAIT = 60.0
READY_WAIT = 60.0
BACKLOG = 1024
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - to be replaced, not to listen on

_log = logging.getLogger(__name__)


class Serving:
    """One run. `when_ready` is called once the web server answers, `changed` whenever a process is replaced."""

    def __init__(self, settings: Settings, *, port: int | None = None, log_file: Path | None = None) -> None:
        self.settings = settings
        self.port = settings.server.port if port is None else port
        self.when_ready: Callable[[], None] = lambda: None
        self.changed: Callable[[dict[str, int]], None] = lambda pids: None
        self.pids: dict[str, int] = {}
        self.folder = settings.folder / "run"
        self._log_file = log_file
        self._database = EmbeddedDatabase(settings.database_folder) if settings.database_url is None else None
        self._supervisor: Supervisor | None = None
        self._stopping = threading.Event()

    @property
    def address(self) -> str:
        """Where the web server listens, as a client on this machine reaches it."""
        host = ANY_ADDRESS.get(self.settings.server.host, self.settings.server.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """The SOAP address partners call."""
        return self.settings.endpoint if self.settings.public_url else f"{self.address}/soap"

    @property
    def database_url(self) -> str:
        """The site's own database, or the embedded one once it runs."""
        if self._database is None:
            assert self.settings.database_url is not None
            return self.settings.database_url.get_secret_value()
        return self._database.url()

    def stop(self) -> None:
        """End everything: web server, workers, database. A second call does not wait for what they do.

        May be called by a signal's handler: that runs in the midst of `run`, which may hold the lock of an event.
        """
        threading.Thread(target=self._stop, daemon=True).start()

    def _stop(self) -> None:
        self._stopping.set()
        if self._supervisor is not None:
            self._supervisor.stop()

    def run(self) -> None:
        """Start everything and keep it running until `stop`; to be called in the main thread.

        Raises ConfigurationError, KeyFileError or DatabaseError when it cannot even start.
        """
        secrets = Secrets.from_file(self.settings.key_file)
        _ = Contract().schema
        with self._alone(), self._listening() as listener, self._running_database(), ExitStack() as stack:
            if not self._stopping.is_set():
                migrate.upgrade(self.database_url)
                months.prepare(self.database_url, datetime.now(UTC))
                refuse_foreign_key(self.database_url, secrets, self.settings.key_file)
                presence = self._presence(secrets)
                stack.callback(presence.leave)
            metrics = self.folder / "metrics"
            prepare_folder(metrics)
            self._supervisor = Supervisor(
                self._children(listener),
                others=self._other_pids,
                changed=self._note,
                buried=lambda pid: forget_process(metrics, pid),
                ending=listener.close,  # the web server has it too; when that lets go of it, nobody may wait here
            )
            if self._stopping.is_set():
                return
            presence.start()
            _log.info("The gateway of %s starts.", self.settings.folder)
            threading.Thread(target=self._announce, daemon=True).start()
            self._supervisor.run()
        _log.info("The gateway of %s has stopped.", self.settings.folder)

    # --- what it holds ----------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A folder is served by one process only."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(self.folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise ConfigurationError(
                f"Another `gateway serve` runs in {self.settings.folder}: stop it, or give this one its own folder."
            ) from None
        try:
            yield
        finally:
            (self.folder / "processes.json").unlink(missing_ok=True)
            os.close(handle)

    @contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        """The socket of the web server; kept here, so that no connection is refused while its master is replaced."""
        host = self.settings.server.host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, self.port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise ConfigurationError(
                f"Nothing can listen on {host} port {self.port} ({error.strerror or error}): "
                "choose another with server.port, or stop what uses it."
            ) from None
        with listener:
            self.port = listener.getsockname()[1]
            yield listener

    @contextmanager
    def _running_database(self) -> Iterator[None]:
        """The embedded database, watched and stopped at the end; or the site's own, once it answers."""
        if self._database is None:
            self._await_database()
            yield
            return
        ended = threading.Event()
        watcher = threading.Thread(target=self._database.supervise, args=(ended,))
        try:
            self._database.start()
            watcher.start()
            yield
        finally:
            ended.set()
            if watcher.ident is not None:
                watcher.join()
            self._database.stop()

    def _await_database(self) -> None:
        """Wait for the site's own database: it may be starting at the same moment."""
        deadline, told = time.monotonic() + DATABASE_WAIT, ""
        while not self._stopping.is_set():
            try:
                migrate.current(self.database_url)
                return
            except DatabaseError as error:
                if time.monotonic() > deadline:
                    raise
                if told != str(error):
                    told = str(error)
                    _log.warning("%s It is tried again for %d s.", told, DATABASE_WAIT)
                self._stopping.wait(1)

    def _presence(self, secrets: Secrets) -> Presence:
        """This node among the others."""
        settings = self.settings
        identity = Identity(settings.node_name, Kind.SERVE, migrate.newest(), agreed_settings(settings, secrets))
        return Presence(self.database_url, identity, on_drain=self.stop, draining=self._stopping.is_set)

    # --- its processes ----------------------------------------------------------------------------------------------

    def _children(self, listener: socket.socket) -> list[Child]:
        common = ["--folder", str(self.settings.folder), "--parent", str(os.getpid())]
        if self._log_file is not None:
            common += ["--log-file", str(self._log_file)]
        program = [sys.executable, "-m", "gateway"]
        environment = {
            METRICS_FOLDER: str(self.folder / "metrics"),
            "GATEWAY_SERVER__PORT": str(self.port),
        }
        descriptor = listener.fileno()
        web = [*program, "web", *common, "--listen-fd", str(descriptor)]
        patience = PATIENCE + self.settings.server.drain_seconds
        children = [Child("web", web, environment, (descriptor,), stage=0, patience=patience)]
        for number in range(1, self.settings.delivery_workers + 1):
            name = f"worker-{number}"
            children.append(Child(name, [*program, "worker", "--name", name, *common], environment, stage=1))
        if any(partner.polls for partner in self.settings.partners):
            children.append(Child("polling", [*program, "polling", *common], environment, stage=1))
        if self.settings.hl7:
            children.append(Child("hl7", [*program, "hl7", "serve", *common], environment, stage=0))
        return children

    def _other_pids(self, pids: dict[str, int]) -> dict[str, int]:
        """What is not our child: the web server's own processes, and the database."""
        workers = children_of(pids["web"]) if "web" in pids else []
        found = {f"web-worker-{number}": pid for number, pid in enumerate(workers, 1)}
        with suppress(DatabaseError):
            database = self._database.pid() if self._database is not None else None
            if database is not None:
                found["database"] = database
        return found

    def _note(self, pids: dict[str, int]) -> None:
        self.pids = pids
        known = {"soap": self.endpoint, "address": self.address, "pids": pids}
        beside = self.folder / "processes.json.new"
        beside.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        beside.chmod(0o600)
        beside.replace(self.folder / "processes.json")
        self.changed(pids)

    def _announce(self) -> None:
        """Tell once that the web server answers."""
        deadline = time.monotonic() + READY_WAIT
        while not self._stopping.wait(0.1) and time.monotonic() < deadline:
            if _answers(self.address):
                _log.info("The web server answers at %s.", self.address)
                self.when_ready()
                return
        if not self._stopping.is_set():
            _log.error("The web server does not answer after %d s: the log says why.", READY_WAIT)


def _answers(address: str) -> bool:
    place = urlsplit(address)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=2)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    connection.close()
    return False
