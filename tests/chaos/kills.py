"""Kills processes with SIGKILL at random moments; only what was really alive at that moment counts as killed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.supervision import children_of
from tests.chaos.site import Site

WEB_WORKER, WEB_MASTER, DELIVERY, DATABASE, BACKEND, SUPERVISOR = (
    "web worker",
    "web master",
    "delivery worker",
    "database",
    "database backend",
    "supervisor",
)
SHARES = {WEB_WORKER: 0.42, DELIVERY: 0.25, DATABASE: 0.13, WEB_MASTER: 0.10, BACKEND: 0.08, SUPERVISOR: 0.02}
"""Of all kills. A tenth at least must be the database."""
LOOK_AGAIN = 0.1
"""Seconds until it is tried again when nothing of what is to be killed is alive."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One process that was alive, and was killed."""

    at: str
    clock: float
    """On the monotonic clock."""
    what: str
    pid: int


class Killer:
    """Kills so many processes of a site, spread over so many seconds, in an order that the seed decides."""

    def __init__(self, site: Site, kills: int, seconds: float, seed: int) -> None:
        self.done: list[Kill] = []
        self.missed = 0
        """Victims that ended by themselves at the last moment."""
        self._site = site
        self._chance = random.Random(f"kills {seed}")
        self._plan = planned(kills, self._chance)
        self._seconds = seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def counts(self) -> Counter[str]:
        return Counter(kill.what for kill in self.done)

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        """Moments by chance within equal slices of the time; what cannot be killed now is done as soon as possible."""
        begun, total = time.monotonic(), len(self._plan)
        moments = [(number + self._chance.random()) * self._seconds / total for number in range(total)]
        for moment in moments:
            while not self._stopping.is_set():
                early = begun + moment - time.monotonic()
                if early > 0:
                    self._stopping.wait(early)
                elif self._kill_next():
                    break
                else:
                    self._stopping.wait(LOOK_AGAIN)

    def _kill_next(self) -> bool:
        """The first of the plan of which a process is alive."""
        for what in dict.fromkeys(self._plan):
            for pid in self._chance.sample(found := self._victims(what), len(found)):
                if killed(pid):
                    self._plan.remove(what)
                    now = datetime.now().astimezone().isoformat(timespec="milliseconds")
                    self.done.append(Kill(now, time.monotonic(), what, pid))
                    return True
                self.missed += 1
        return False

    def _victims(self, what: str) -> list[int]:
        pids = self._site.pids()
        choose: dict[str, Callable[[], list[int | None]]] = {
            WEB_WORKER: lambda: [*children_of(pids.get("web", 0))],
            WEB_MASTER: lambda: [pids.get("web")],
            DELIVERY: lambda: [pid for name, pid in pids.items() if name.startswith("worker-")],
            DATABASE: lambda: [pids.get("database")],
            BACKEND: lambda: [pid for pid in children_of(pids.get("database", 0)) if "gateway" in command(pid)],
            SUPERVISOR: lambda: [self._site.supervisor],
        }
        return [pid for pid in choose[what]() if pid and is_alive(pid) and is_ours(pid, self._site.folder, what)]


def planned(kills: int, chance: random.Random) -> list[str]:
    """So many victims by their shares, shuffled; the supervisor is none of the first ones."""
    counts = {what: int(share * kills) for what, share in SHARES.items()}
    counts[DATABASE] = max(counts[DATABASE], -(-kills // 10))
    counts[WEB_WORKER] += kills - sum(counts.values())
    plan = [what for what, number in counts.items() for _ in range(number)]
    chance.shuffle(plan)
    return plan


def killed(pid: int) -> bool:
    """Kill a process; False when it was not alive any more."""
    if not is_alive(pid):
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be buried does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    return False


def command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def is_ours(pid: int, folder: Path, what: str) -> bool:
    """A number may have been given to another process since it was noted."""
    words = command(pid)
    return "postgres" in words if what in (DATABASE, BACKEND) else str(folder) in words
