"""A simulated system in a process of its own, as the demonstration and the tests start, ask, disturb and stop it."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from pathlib import Path
from typing import Any

from gateway.simulators.vendors.table import VENDORS

START_SECONDS = 60.0
STOP_SECONDS = 10.0
KEPT_PORTS = 200
_kept: deque[int] = deque()
"""Open file descriptors, oldest first; they end with the process."""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


INSURANCE, DUTY = "insurance", "duty"
PATHS = {INSURANCE: "insurance", DUTY: "notices"}
"""Kinds that do not speak our contract, with the path of their own address."""
VENDOR = "vendor:"
"""What stands before a kind that is to be as its vendor builds it."""
DATABASE = "SIMULATOR_DATABASE"
"""The environment variable with the URL of a simulated system's own database."""
LOGIN = "SIMULATOR_LOGIN"
"""The environment variable with name:password, by which a simulated system calls the gateway."""


class SimulatorFailed(Exception):
    """A simulator did not start or does not answer; the text is one line."""


class SimulatorProcess:
    """One simulated system; it ends with the process that made it, however that one ends.

    Below `folder` it keeps its log of requests, what it remembers and what it prints. A vendor's own form of it may be
    given the address of the gateway and a login there, name:password, and a database of its own.
    """

    def __init__(
        self,
        kind: str,
        port: int,
        folder: Path,
        *,
        vendor: bool = False,
        gateway: str = "",
        login: str = "",
        database: str = "",
        name: str = "",
    ) -> None:
        self.kind = kind
        self._form = VENDOR if vendor else ""
        self._gateway = [gateway] if gateway else []
        self._environment = {LOGIN: login, DATABASE: database}
        self.name = name or ("YB" if kind == INSURANCE else kind.upper())
        self.port = port
        self.folder = folder
        self.log = folder / f"{kind}.jsonl"
        self._base = f"http://127.0.0.1:{port}"
        self.url = self._base + (VENDORS[kind].path if vendor else f"/{PATHS.get(kind, 'soap')}")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it and wait until it answers; nothing happens when it runs. Raises SimulatorFailed."""
        if self.pid is None:
            self.launch()
            self.wait_until_it_answers()

    def launch(self) -> None:
        """Start it without waiting, so that several can start side by side."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        words = [self._form + self.kind, str(self.port), str(self.log), str(self.folder), *self._gateway]
        with (self.folder / f"{self.kind}.out").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway.simulators", *words],
                env=os.environ | self._environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in a terminal is for who started it
            )

    def wait_until_it_answers(self) -> None:
        """Raises SimulatorFailed when it ends or says nothing within START_SECONDS."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.pid is None:
                said = (self.folder / f"{self.kind}.out").read_text(errors="replace").strip().splitlines()
                raise SimulatorFailed(f"The simulated {self.name} ended: {said[-1] if said else 'it said nothing'}")
            try:
                self.state()
            except SimulatorFailed:
                time.sleep(0.05)
            else:
                return
        raise SimulatorFailed(f"The simulated {self.name} does not answer at {self.url}.")

    def tell_to_stop(self) -> None:
        """Let it begin to end, so that several can end side by side; `stop` follows."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self) -> None:
        """End it; nothing happens when it has ended."""
        self.tell_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None

    def state(self) -> dict[str, Any]:
        """What it remembers, by kind."""
        found: dict[str, Any] = self._ask("/state")
        return found

    def disturb(self, **fault: Any) -> None:
        """Switch faults on, for example drop_after_commit=1 (`faults.py`)."""
        self._ask("/control", fault)

    def register(self, requisition_no: str) -> None:
        """The department's staff register a requisition at their own screen."""
        self._ask("/control", {"act": "register", "number": requisition_no})

    def send(self, operation: str, /, **values: Any) -> tuple[int, str]:
        """Let a vendor's system tell the gateway something; the HTTP status and text of what it was answered."""
        said = self._ask("/control", {"act": "send", "operation": operation, **values}, seconds=60)
        return int(said["status"]), str(said["answer"])

    def books(self, action: str, number: str, amount: str = "") -> None:
        """The staff of HIS do something to its books: lose, change, void, invent or refund a booking (`his.py`)."""
        self._ask("/control", {"act": action, "number": number, "amount": amount})

    def requests(self, operation: str | None = None, **numbers: Any) -> list[dict[str, Any]]:
        """The lines of its log, in the order in which the requests came, that have these values."""
        wanted = numbers if operation is None else {"operation": operation, **numbers}
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line for line in map(json.loads, lines) if wanted.items() <= line.items()]

    def _ask(self, path: str, content: dict[str, Any] | None = None, seconds: float = 30) -> Any:
        address = self._base + path
        body = None if content is None else json.dumps(content).encode()
        try:
            with _DIRECT.open(urllib.request.Request(address, body), timeout=seconds) as answer:  # noqa: S310 - our own address
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            with problem:
                raise SimulatorFailed(f"The simulated {self.name} says: {problem.read().decode()}") from None
        except OSError as problem:
            raise SimulatorFailed(f"The simulated {self.name} does not answer at {address}: {problem}") from None


def free_port() -> int:
    """A port nobody uses, outside the range the system gives to outgoing connections, so that it stays free.

    It is kept for a server that is yet to start, so that no other caller is given it meanwhile, here or in another
    process: one that binds with SO_REUSEADDR, as servers do, may have it beside us, and one that only looks may not.
    """
    for _ in range(200):
        port = random.randrange(20000, 32000)  # noqa: S311 - no secret
        kept = socket.socket()
        try:
            kept.bind(("127.0.0.1", port))
        except OSError:
            kept.close()
            continue
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not before: it would have let us beside another
        if len(_kept) == KEPT_PORTS:
            os.close(_kept.popleft())
        _kept.append(kept.detach())
        return port
    raise SimulatorFailed("No free port was found between 20000 and 32000.")
