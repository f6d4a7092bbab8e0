"""The hospital of one run: a fresh site with `gateway serve`, and its partners' systems in processes of their own."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from gateway import migrate
from gateway.config import Settings, load_settings
from gateway.database.embedded import EmbeddedDatabase
from gateway.demo.site import add_clients, write_site
from gateway.simulators.process import SimulatorProcess, free_port
from gateway.site import database_session

PARTNERS = ("his", "pacs", "lis", "emr")
ALWAYS = ("insurance", "duty")
"""Part of the demonstration's site; they run and are left alone."""
START_SECONDS = 90
STOP_SECONDS = 90
RESTART_PAUSE = 1.0
"""Until a supervisor that ended is started again, as systemd does it."""
DELIVERY_WORKERS = 2
"""So that partners change hands when one of them is killed."""
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
ENVIRONMENT["GATEWAY_DELIVERY_WORKERS"] = str(DELIVERY_WORKERS)


class SiteFailed(Exception):
    """The site did not start; the text says where to look."""


class Site:
    """A gateway with its supervisor and partners, below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "gateway.log"
        self.port = free_port()
        self.partners = {
            kind.upper(): SimulatorProcess(kind, free_port(), folder / "simulators") for kind in (*PARTNERS, *ALWAYS)
        }
        self.passwords: dict[str, str] = {}
        self.restarts = 0
        """How often the supervisor had to be started again."""
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._keeping = threading.Event()

    # --- start and end ------------------------------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator[Site]:
        """Everything up and answering. Raises SiteFailed."""
        try:
            for partner in self.partners.values():
                partner.launch()
            self._prepare()
            for partner in self.partners.values():
                partner.wait_until_it_answers()
            self._output = (self.folder / "serve.out").open("ab")
            self._start()
            keeper = threading.Thread(target=self._keep_running, daemon=True)
            keeper.start()
            self._await_answer()
            yield self
        finally:
            self.stop()
            for partner in self.partners.values():
                partner.tell_to_stop()
            for partner in self.partners.values():
                partner.stop()
            EmbeddedDatabase(self.settings.database_folder).remove()

    def stop(self) -> None:
        """End the gateway in order; the database goes with it."""
        self._keeping.set()
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _prepare(self) -> None:
        write_site(self.folder, self.port, self.partners.values())
        settings = load_settings(self.folder)
        migrate.upgrade(EmbeddedDatabase(settings.database_folder).start())
        with database_session(settings) as session:
            self.passwords = add_clients(session, settings.key_file)

    def _start(self) -> None:
        words = [sys.executable, "-m", "gateway", "serve", "--folder", str(self.folder), "--log-file", str(self.log)]
        self._process = subprocess.Popen(
            words, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output
        )

    def _keep_running(self) -> None:
        """What systemd does: start the supervisor again when it died."""
        while not self._keeping.wait(0.2):
            if self._process is not None and self._process.poll() is not None:
                if self._keeping.wait(RESTART_PAUSE):
                    return
                self.restarts += 1
                self._start()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not (self.is_ready() and {"worker-2", "web-worker-2", "database"} <= self.pids().keys()):
            if time.monotonic() > deadline:
                raise SiteFailed(f"The gateway did not answer within {START_SECONDS} s: {self.log} says why.")
            time.sleep(0.1)

    # --- what is known of it ------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        return load_settings(self.folder)

    @property
    def supervisor(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def memory(self) -> dict[str, Path]:
        """What each partner wrote down of what it did."""
        return {name: partner.folder / f"{partner.kind}-memory.jsonl" for name, partner in self.partners.items()}

    def pids(self) -> dict[str, int]:
        """Its processes by name, as the supervisor last noted them."""
        with suppress(OSError, ValueError):
            found: dict[str, int] = json.loads((self.folder / "run" / "processes.json").read_text())["pids"]
            return found
        return {}

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        connection.close()
        return False

    # --- disturbing ---------------------------------------------------------------------------------------------------

    def disturb_partners(self, share: float, seed: int) -> None:
        """Give so large a share of what reaches each partner some fault by chance."""
        for number, kind in enumerate(PARTNERS):
            self.partners[kind.upper()].disturb(chaos=share, seed=seed + number)

    def calm_partners(self) -> None:
        for kind in PARTNERS:
            self.partners[kind.upper()].disturb(clear=True)


def fresh_folder(folder: Path) -> Path:
    """An empty folder that the database's own system user can pass through; an earlier run's is removed."""
    if folder.exists():
        database = folder / "database"
        if database.exists():
            EmbeddedDatabase(database).remove()
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    return folder
