"""Keeps the processes of a site running: each that dies is started again, and all are ended in order at the end."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

LOOK_EVERY = 0.2
HEALTHY_AFTER = 10.0
"""Seconds after which a process counts as well started: if it dies then, it is started again at once."""
WAITS = (0.0, 1.0, 2.0, 5.0, 10.0)
"""Seconds before the next start of a process, the longer the more often it has died early."""
PATIENCE = 40.0
"""Seconds a process has to finish what it has begun when it is told to end."""

_PR_SET_PDEATHSIG = 1

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Child:
    """One process to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()
    """Open files it takes over, such as the socket it listens on."""
    stage: int = 0
    """Those of a lower stage are ended first."""
    patience: float = PATIENCE
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    early_deaths: int = 0
    start_at: float = 0.0
    """Not before this moment of the monotonic clock."""

    def start(self) -> None:
        """In a session of its own, so that Ctrl-C in the terminal reaches only the supervisor."""
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            pass_fds=self.descriptors,
            start_new_session=True,
        )
        self.started_at = time.monotonic()

    def ended(self) -> int | None:
        """The exit code of a process that has just ended, else None."""
        return self.process.poll() if self.process is not None else None

    def note_death(self, now: float) -> float:
        """Remember it and give the seconds until the next start."""
        self.process = None
        self.early_deaths = 0 if now - self.started_at >= HEALTHY_AFTER else self.early_deaths + 1
        wait = WAITS[min(max(self.early_deaths, 1), len(WAITS)) - 1]
        self.start_at = now + wait
        return wait

    def tell(self, order: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if self.process is not None and self.process.poll() is None:
                self.process.send_signal(order)

    def kill(self) -> None:
        """End it with everything it has started."""
        with suppress(ProcessLookupError):
            if self.process is not None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        with suppress(subprocess.TimeoutExpired):
            if self.process is not None:
                self.process.wait(seconds)
            return True
        return False


class Supervisor:
    """Runs children until told to stop.

    `changed` is called with the numbers of all processes whenever one is new, those of `others` among them, which is
    given the numbers of the children; `buried` with the number of a child that has died; `ending` before any is ended.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        others: Callable[[dict[str, int]], dict[str, int]] = lambda pids: {},
        changed: Callable[[dict[str, int]], None] = lambda pids: None,
        buried: Callable[[int], None] = lambda pid: None,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        self.children = children
        self.stopping = threading.Event()
        self.hurry = threading.Event()
        self._others = others
        self._changed = changed
        self._buried = buried
        self._ending = ending

    def run(self) -> None:
        """Start all and keep them running; must be called in the main thread, with which they end."""
        known: dict[str, int] = {}
        while not self.stopping.is_set():
            for child in self.children:
                self._look_after(child)
            if (present := self.pids()) != known:
                self._changed(present)
                known = present
            self.stopping.wait(LOOK_EVERY)
        self._ending()
        for stage in sorted({child.stage for child in self.children}):
            self._end([child for child in self.children if child.stage == stage])

    def stop(self) -> None:
        """End all, in the order in which they were given; a second call does not wait for what they do."""
        if self.stopping.is_set():
            self.hurry.set()
        self.stopping.set()

    def pids(self) -> dict[str, int]:
        """The numbers of the running processes by name."""
        own = {child.name: child.process.pid for child in self.children if child.process is not None}
        return own | self._others(own)

    def _look_after(self, child: Child) -> None:
        """Start a child that is not running."""
        now = time.monotonic()
        code = child.ended()
        if code is not None and child.process is not None:
            pid = child.process.pid
            wait = child.note_death(now)
            self._buried(pid)
            again = f"in {wait:g} s" if wait else "at once"
            _log.error("Process %s (%d) ended with %s: it is started again %s.", child.name, pid, _words(code), again)
        if child.process is None and now >= child.start_at:
            child.start()

    def _end(self, children: Sequence[Child]) -> None:
        for child in children:
            child.tell(signal.SIGTERM)
        told = time.monotonic()
        for child in children:
            while not child.wait(0.1):
                if self.hurry.is_set() or time.monotonic() > told + child.patience:
                    _log.warning("Process %s does not end by itself: it is killed.", child.name)
                    child.kill()


def die_with(parent: int) -> None:
    """Let this process be told to end when its supervisor dies, however suddenly (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("The supervisor of this process has died already.")


def children_of(pid: int) -> list[int]:
    """The processes a process has started, by number; none where the system does not tell."""
    with suppress(OSError):
        return sorted(int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):  # kernels without the list above
        with suppress(OSError):
            _, _, after_name = status.read_text().rpartition(")")
            if int(after_name.split()[1]) == pid:
                found.append(int(status.parent.name))
    return sorted(found)


def _words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"
