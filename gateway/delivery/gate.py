"""Keeps callers from waiting in crowds for a partner that does not answer: their threads are needed by everybody else.

A partner that hangs would hold every caller for the full 8 seconds, and soon the whole web server. So of one process
only so many may ask it at the same time, and after some failures in a row only one at a time finds out whether it is
back; the others are told at once that nothing was sent.
"""

from __future__ import annotations

import time
from threading import BoundedSemaphore, Lock

from gateway.delivery.breaker import is_alive
from gateway.operations.dispatch import PartnerAnswer

AT_ONCE = 16
FAILURES = 5
PAUSE_SECONDS = 2.0


class Gate:
    """The way of one process's questions to one partner; safe for any number of threads."""

    def __init__(self) -> None:
        self._slots = BoundedSemaphore(AT_ONCE)
        self._lock = Lock()
        self._failures = 0
        self._closed_until = 0.0

    def enter(self) -> str:
        """'' when the partner may be asked, and `leave` must follow; else why not: PAUSED or BUSY."""
        with self._lock:
            if self._failures >= FAILURES:
                if time.monotonic() < self._closed_until:
                    return "PAUSED"
                self._closed_until = time.monotonic() + PAUSE_SECONDS
        return "" if self._slots.acquire(blocking=False) else "BUSY"

    def leave(self, answer: PartnerAnswer | None) -> None:
        """The question has ended; None when the partner was not asked after all."""
        self._slots.release()
        if answer is None:
            return
        with self._lock:
            self._failures = 0 if is_alive(answer) else self._failures + 1
            self._closed_until = time.monotonic() + PAUSE_SECONDS
