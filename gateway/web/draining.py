"""How a web server leaves: first it says so to whoever asks whether it is ready, later it takes nobody any more.

A balancer in front of several nodes asks /readyz every second. A server that ended at once would still be sent the
messages of the seconds in which the balancer does not know it yet.
"""

from __future__ import annotations

import mmap
import signal
import time

from gunicorn.arbiter import Arbiter


class Drain:
    """Whether this web server is leaving: one byte that its master shares with all its processes."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds
        self._shared = mmap.mmap(-1, 1)

    def begin(self) -> None:
        """From now on it is."""
        self._shared[0] = 1

    def has_begun(self) -> bool:
        return self._shared[0] == 1


class LeavingArbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's master, which at the first SIGTERM drains and at the second ends."""

    drain: Drain
    ends_at = float("inf")
    is_stopping = False

    def handle_term(self) -> None:
        """Say that this server leaves; end when the time for it has passed."""
        if self.drain.has_begun() or not self.drain.seconds:
            self.drain.begin()
            super().handle_term()
        self.drain.begin()
        self.ends_at = time.monotonic() + self.drain.seconds
        self.log.info("Draining: the web server ends in %g s.", self.drain.seconds)

    def manage_workers(self) -> None:
        """Called every second: the way to the end when it has come."""
        if time.monotonic() >= self.ends_at:
            raise StopIteration
        super().manage_workers()

    def stop(self, graceful: bool = True) -> None:
        """End the processes, and this one when they have ended."""
        self.is_stopping = graceful
        super().stop(graceful)

    def reap_workers(self) -> None:
        """Called ten times a second on the way to the end: a process that was just being started misses the first
        order, because it still had its master's ears."""
        super().reap_workers()
        if self.is_stopping:
            self.kill_workers(signal.SIGTERM)
