"""Faults a simulated system can be told to have: a lost answer, slowness, an HTTP error, a refusal; each so many times.

A fault is switched on with POST /control and a JSON object, for example {"drop_after_commit": 1}. Beside the fault
stand, if wanted, "times" (how many requests it takes, 1 if absent) and "operation" (only requests of that operation).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

KINDS = {
    "drop_after_commit": "the work is done, then the connection closes without an answer",
    "drop_before_commit": "the connection closes without an answer and nothing is done",
    "slow_seconds": "waits so long before it does the work",
    "status": "answers this HTTP status without a SOAP body, and nothing is done",
    "refuse": "refuses with this result code, and nothing is done",
}
COUNTED = frozenset({"drop_after_commit", "drop_before_commit"})
"""Faults whose value is itself how many times."""


class UnknownFault(ValueError):
    """What was posted to /control is none of the faults; the text lists them."""


@dataclass(slots=True)
class Fault:
    """One fault and how often it still happens."""

    kind: str
    value: Any
    times: int
    operation: str | None = None


class Faults:
    """The faults switched on at the moment; safe for threads."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = Lock()

    def switch_on(self, wanted: dict[str, Any]) -> None:
        """Add the faults of a /control object. Raises UnknownFault."""
        rest = dict(wanted)
        times, operation = rest.pop("times", 1), rest.pop("operation", None)
        if not rest or not rest.keys() <= KINDS.keys():
            known = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
            raise UnknownFault(f"Give one of the faults. {known}.")
        found = [
            Fault(kind, value, int(value if kind in COUNTED else times), operation) for kind, value in rest.items()
        ]
        with self._lock:
            self._waiting += found

    def clear(self) -> None:
        """Work properly again."""
        with self._lock:
            self._waiting.clear()

    def take(self, operation: str) -> dict[str, Any]:
        """The faults this request has, kind -> value; each is counted down."""
        with self._lock:
            mine = [fault for fault in self._waiting if fault.operation in (None, operation)]
            for fault in mine:
                fault.times -= 1
            self._waiting = [fault for fault in self._waiting if fault.times > 0]
        return {fault.kind: fault.value for fault in mine}

    def listed(self) -> list[dict[str, Any]]:
        """What is still switched on."""
        with self._lock:
            return [asdict(fault) for fault in self._waiting]
