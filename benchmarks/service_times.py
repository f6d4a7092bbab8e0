"""Measures what each message costs a running gateway, and how it answers at a given rate: what the simulation lives on.

The gateway is the demonstration's: web server, delivery worker, PostgreSQL and simulated partners as processes of their
own. For the inbound costs the delivery worker is halted, so that what it does is not counted in; then it is let go on,
and what a delivery costs is measured by what it drains.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.site import cpu_seconds

OPERATIONS = (
    "SubmitRequisition",
    "ReportStatus",
    "ReportStatus EXAM_DONE",
    "SubmitReport",
    "ChargeItem",
    "RefundItem",
    "PushCriticalValue",
    "AcknowledgeCriticalValue",
    "GetMedicalRecord",
)
"""Each may follow the ones before it about the same requisition. The sample of ReportStatus registers an inpatient,
which also asks HIS to book; most statuses are of the other kind."""
NUMBERS = re.compile(
    rb"(<(?:\w+:)?(MessageId|RequisitionNo|ChargeNo|OriginalChargeNo|RefundNo|CriticalId|ReportNo|AckId|VisitNo|PatientId"
    rb"|QueriedMessageId|EventId)>)([^<]+)<"
)
BEFORE = {"SubmitRequisition": (), "ReportStatus EXAM_DONE": ("SubmitRequisition", "ReportStatus")}
"""What a message of the real point needs to be there; the others need the requisition."""
EVENT, LATER = re.compile(rb"(<(?:\w+:)?Event>)\w+<"), re.compile(rb"(<(?:\w+:)?StatusSeq>)\d+<")
GOOD = b"ResultCode>0<"
START_SECONDS, DRAIN_SECONDS = 90, 240
LEFT = "SELECT count(*) FROM delivery WHERE state IN ('QUEUED', 'SENDING', 'UNKNOWN')"


@dataclass(frozen=True)
class Cost:
    """One operation at one connection, with nothing else under way. Seconds."""

    wall: float
    web: float
    """CPU of the web server's processes."""
    database: float
    """CPU of PostgreSQL."""
    walls: list[float] = field(default_factory=list)
    """Of each message, for the shape of the distribution."""


@dataclass(frozen=True)
class Measured:
    """Everything the simulation needs, and where it comes from."""

    when: str
    machine: str
    load: float
    """Load average before it began."""
    operations: dict[str, Cost]
    delivery_worker: float
    """CPU seconds of the delivery process for one delivery."""
    delivery_database: float
    delivery_rate: float
    """Deliveries drained in a second by one worker process, with everything on this machine."""
    partner: float
    """CPU seconds of a simulated partner for one request; only the validation needs it."""
    client: float
    """CPU seconds of the measuring client for one request; likewise."""
    forwards: float
    """Deliveries for one message, as measured with the contract's samples."""


@dataclass(frozen=True)
class Point:
    """The real gateway at a given rate: each message as (seconds since the beginning, operation, seconds it took)."""

    rate: float
    seconds: float
    answers: list[tuple[float, str, float]]
    wrong: int
    others: float
    """How many cores other work on the machine kept busy meanwhile."""


def write(measured: Measured, path: Path) -> None:
    path.write_text(json.dumps(asdict(measured), indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> Measured:
    told = json.loads(path.read_text(encoding="utf-8"))
    costs = {name: Cost(**cost) for name, cost in told.pop("operations").items()}
    return Measured(operations=costs, **told)


class Gateway:
    """A running demonstration."""

    def __init__(self, process: subprocess.Popen[bytes], facts: dict[str, Any]) -> None:
        self._process = process
        self.address = facts["soap"].removeprefix("http://").partition("/")[0]
        self.database_url = facts["database"]
        pids = facts["pids"]
        self.web, self.worker, self.database = (psutil.Process(pids[name]) for name in ("web", "worker-1", "database"))
        family = psutil.Process(process.pid).children(recursive=True)
        self.partners = [one for one in family if "gateway.simulators" in " ".join(one.cmdline())]
        self._passwords = {name: client["password"] for name, client in facts["clients"].items()}
        self._samples = {name: Path(path).read_bytes() for name, path in facts["samples"].items()}

    def request(self, operation: str, number: int) -> tuple[dict[str, str], bytes]:
        """The sample of an operation, told apart from all others by its number; those of one number belong together."""
        name, _, event = operation.partition(" ")
        body = NUMBERS.sub(lambda found: b"%s%s-%d<" % (found[1], found[3], number), self._samples[name])
        if event:
            body = EVENT.sub(b"\\g<1>%s<" % event.encode(), LATER.sub(b"\\g<1>99<", body))
            body = body.replace(b"-%d</MessageId>" % number, b"-%dE</MessageId>" % number)
        sender = re.search(rb"SenderCode>([^<]+)<", body)
        assert sender is not None
        caller = sender[1].decode()
        proof = base64.b64encode(f"{caller}:{self._passwords[caller]}".encode()).decode()
        return {"Content-Type": "text/xml; charset=utf-8", "Authorization": f"Basic {proof}"}, body

    def halt_worker(self, halted: bool) -> None:
        self.worker.send_signal(signal.SIGSTOP if halted else signal.SIGCONT)

    def left(self) -> int:
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(LEFT).fetchone()
            assert row is not None
            return int(row[0])


@contextmanager
def running() -> Iterator[Gateway]:
    """The demonstration without its stories; everything is stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="gateway-arrivals-") as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "demo"
        command = [sys.executable, "-m", "gateway", "demo", "--no-stories", "--port", "0", "--folder", str(folder)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield Gateway(process, _passport(folder.with_suffix(".json"), process))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _passport(path: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if path.exists():
            facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if {"web", "worker-1", "database", "web-worker-1"} <= set(facts["pids"]):
                return facts
        time.sleep(0.2)
    raise RuntimeError("The demonstration did not start.")


class Client:
    """A connection that stays open."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._connection = http.client.HTTPConnection(gateway.address, timeout=30)

    def send(self, operation: str, number: int) -> tuple[float, bool]:
        """Seconds until the answer was there, and whether it was a yes."""
        headers, body = self._gateway.request(operation, number)
        begun = time.perf_counter()
        self._connection.request("POST", "/soap", body, headers)
        answer = self._connection.getresponse().read()
        return time.perf_counter() - begun, GOOD in answer


def measure(gateway: Gateway, count: int, advance: Callable[[str], None]) -> Measured:
    """Costs of each operation and of a delivery; `advance` is told what was measured just now."""
    load = os.getloadavg()[0]
    client, names = Client(gateway), OPERATIONS
    for name in names:
        for number in range(3):
            client.send(name, number)
    _wait_until_drained(gateway)
    gateway.halt_worker(True)
    own = time.process_time()
    costs = {}
    try:
        for name in names:
            costs[name] = _cost(gateway, client, name, count)
            advance(name)
    finally:
        gateway.halt_worker(False)
    own = (time.process_time() - own) / (count * len(names))
    waiting, begun = gateway.left(), time.monotonic()
    before = [cpu_seconds(one) for one in (gateway.worker, gateway.database)]
    partners = sum(cpu_seconds(one) for one in gateway.partners)
    _wait_until_drained(gateway)
    seconds = time.monotonic() - begun
    worker, database = (
        cpu_seconds(one) - old for one, old in zip((gateway.worker, gateway.database), before, strict=True)
    )
    advance("deliveries")
    return Measured(
        when=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        machine=f"{os.cpu_count()} shared cores, everything on one machine, PostgreSQL with fsync",
        load=round(load, 1),
        operations=costs,
        delivery_worker=worker / waiting,
        delivery_database=database / waiting,
        delivery_rate=waiting / seconds,
        partner=(sum(cpu_seconds(one) for one in gateway.partners) - partners) / waiting,
        client=own,
        forwards=waiting / (count * len(names)),
    )


def _cost(gateway: Gateway, client: Client, name: str, count: int) -> Cost:
    before = cpu_seconds(gateway.web), cpu_seconds(gateway.database)
    told = [client.send(name, number) for number in range(1000, 1000 + count)]
    web, database = cpu_seconds(gateway.web) - before[0], cpu_seconds(gateway.database) - before[1]
    wrong = sum(not good for _, good in told)
    if wrong:
        raise RuntimeError(f"{wrong} of {count} {name} were not answered with 0: their figures mean nothing.")
    walls = [seconds for seconds, _ in told]
    return Cost(statistics.median(walls), web / count, database / count, [round(wall, 6) for wall in walls])


def _wait_until_drained(gateway: Gateway) -> None:
    until = time.monotonic() + DRAIN_SECONDS
    while gateway.left():
        if time.monotonic() > until:
            raise RuntimeError(f"{gateway.left()} deliveries were left after {DRAIN_SECONDS} s.")
        time.sleep(0.1)


# --- one real point ---------------------------------------------------------------------------------------------------


def run_at(gateway: Gateway, arrivals: Sequence[tuple[float, str]]) -> Point:
    """Send each message at its time, however long earlier ones take; requisitions that others need are there before."""
    client, first = Client(gateway), 100_000
    for number, (_, operation) in enumerate(arrivals, first):
        for before in BEFORE.get(operation, ("SubmitRequisition",)):
            client.send(before, number)
    _wait_until_drained(gateway)
    busy, ours = _busy(), _ours(gateway)
    own, answers, wrong = threading.local(), [], 0

    def send(due: float, number: int, operation: str) -> tuple[float, str, float, bool]:
        if not hasattr(own, "client"):
            own.client = Client(gateway)
        _, good = own.client.send(operation, number)
        return due, operation, time.perf_counter() - begun - due, good

    with ThreadPoolExecutor(128) as threads:
        begun, futures = time.perf_counter() + 0.2, []
        for position, (due, operation) in enumerate(arrivals):
            time.sleep(max(begun + due - time.perf_counter(), 0))
            futures.append(threads.submit(send, due, first + position, operation))
        for future in futures:
            due, operation, seconds, good = future.result()
            answers.append((due, operation, seconds))
            wrong += not good
    ended = time.perf_counter() - begun
    others = max(_busy() - busy - (_ours(gateway) - ours), 0) / ended
    return Point(len(arrivals) / arrivals[-1][0], arrivals[-1][0], answers, wrong, others)


def _busy() -> float:
    """Seconds for which any core of this machine worked, since it was started."""
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice + times.softirq + times.irq)


def _ours(gateway: Gateway) -> float:
    own = time.process_time()
    return own + sum(cpu_seconds(one) for one in (gateway.web, gateway.worker, gateway.database, *gateway.partners))
