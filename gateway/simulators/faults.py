"""Faults a simulated system can be told to have: a lost answer, slowness, an HTTP error, a refusal; each so many times.

A fault is switched on with POST /control and a JSON object, for example {"drop_after_commit": 1}. Beside the fault
stand, if wanted, "times" (how many requests it takes, 1 if absent) and "operation" (only requests of that operation).
{"chaos": 0.1, "seed": 7} gives a tenth of all requests some fault by chance, until {"clear": true}.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

KINDS = {
    "drop_after_commit": "the work is done, then the connection closes without an answer",
    "drop_before_commit": "the connection closes without an answer and nothing is done",
    "slow_seconds": "waits so long before it does the work",
    "status": "answers this HTTP status without a SOAP body, and nothing is done",
    "garbage": "the work is done, then a page is answered that is no SOAP",
    "half_close": "the work is done, then the connection closes in the midst of the answer",
    "empty": "the work is done, then the body of the answer is empty",
    "duplicate": "the work is done, and the answer stands twice in the body",
    "wrong_charset": "the work is done, and the answer is in another charset than it says",
    "wrong_code": "the work is done, and answered as if it were refused with this result code",
    "refuse": "refuses with this result code, and nothing is done",
}
COUNTED = frozenset(
    {"drop_after_commit", "drop_before_commit", "garbage", "half_close", "empty", "duplicate", "wrong_charset"}
)
"""Faults whose value is itself how many times."""
CHAOS: tuple[dict[str, Any], ...] = (
    {"drop_after_commit": 1},
    {"drop_before_commit": 1},
    {"slow_seconds": 2},
    {"status": 500},
    {"status": 503},
    {"garbage": 1},
    {"half_close": 1},
)
"""What happens by chance."""
MOST_FAULTS = 2
"""Chance hits no message more often, however often it comes: a real partner recovers, too."""


class UnknownFault(ValueError):
    """What was posted to /control is none of the faults; the text lists them."""


@dataclass(slots=True)
class Fault:
    """One fault and how often it still happens."""

    kind: str
    value: Any
    times: int
    operation: str | None = None


class Chaos:
    """Faults by chance: the seed decides which arrival of which message has which."""

    def __init__(self, share: float, seed: int) -> None:
        self.share = share
        self.seed = seed
        self._arrivals: Counter[str] = Counter()
        self._hits: Counter[str] = Counter()

    def take(self, message: str) -> dict[str, Any]:
        self._arrivals[message] += 1
        chance = random.Random(f"{self.seed} {message} {self._arrivals[message]}")  # noqa: S311 - no secret
        if self._hits[message] >= MOST_FAULTS or chance.random() >= self.share:
            return {}
        self._hits[message] += 1
        return chance.choice(CHAOS)


class Faults:
    """The faults switched on at the moment; safe for threads."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._chaos: Chaos | None = None
        self._lock = Lock()

    def switch_on(self, wanted: dict[str, Any]) -> None:
        """Add the faults of a /control object. Raises UnknownFault."""
        rest = dict(wanted)
        if "chaos" in rest:
            chaos = Chaos(float(rest.pop("chaos")), int(rest.pop("seed", 1)))
            with self._lock:
                self._chaos = chaos
            if not rest:
                return
        times, operation = rest.pop("times", 1), rest.pop("operation", None)
        if not rest or not rest.keys() <= KINDS.keys():
            known = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
            raise UnknownFault(f"Give one of the faults. {known}; chaos: some of them by chance.")
        found = [
            Fault(kind, value, int(value if kind in COUNTED else times), operation) for kind, value in rest.items()
        ]
        with self._lock:
            self._waiting += found

    def clear(self) -> None:
        """Work properly again."""
        with self._lock:
            self._waiting.clear()
            self._chaos = None

    def take(self, operation: str, message: str = "") -> dict[str, Any]:
        """The faults this request has, kind -> value; each is counted down."""
        with self._lock:
            mine = [fault for fault in self._waiting if fault.operation in (None, operation)]
            for fault in mine:
                fault.times -= 1
            self._waiting = [fault for fault in self._waiting if fault.times > 0]
            by_chance = self._chaos.take(message) if self._chaos is not None else {}
        return by_chance | {fault.kind: fault.value for fault in mine}

    def listed(self) -> list[dict[str, Any]]:
        """What is still switched on."""
        with self._lock:
            chaos = [] if self._chaos is None else [{"chaos": self._chaos.share, "seed": self._chaos.seed}]
            return chaos + [asdict(fault) for fault in self._waiting]
