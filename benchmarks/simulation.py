"""A discrete-event simulation of a gateway: messages arrive, take turns at cores and database, and are delivered.

Every station serves first come, first served, with so many servers. A message is a list of stages, a stage is seconds
at a station or merely seconds that pass (a commit on its way to the disk, a partner that thinks). Deliveries of one
lock go one after the other, and each partner takes so many at once.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

Stage = tuple["Station | None", float]
"""Where, and how many seconds; None for time that merely passes."""


class Station:
    """So many servers and one queue."""

    def __init__(self, name: str, servers: int) -> None:
        self.name = name
        self.servers = servers
        self.free = servers
        self.waiting: deque[tuple[float, Callable[[], None]]] = deque()
        self.busy = 0.0
        """Seconds of work done, for its utilisation."""
        self.longest = 0
        """The longest its queue ever was."""


class Simulation:
    """One clock and everything that is going to happen."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), what))

    def run(self, until: float = float("inf")) -> None:
        """Let everything happen that is to happen before `until`, and what follows from it."""
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()

    def go(self, stages: Iterable[Stage], then: Callable[[], None]) -> None:
        """Pass the stages in turn."""
        self._next(iter(stages), then)

    def _next(self, stages: Iterator[Stage], then: Callable[[], None]) -> None:
        stage = next(stages, None)
        if stage is None:
            then()
            return
        station, seconds = stage
        if station is None:
            self.at(self.now + seconds, lambda: self._next(stages, then))
        elif station.free:
            station.free -= 1
            self._occupy(station, seconds, lambda: self._next(stages, then))
        else:
            station.waiting.append((seconds, lambda: self._next(stages, then)))
            station.longest = max(station.longest, len(station.waiting))

    def _occupy(self, station: Station, seconds: float, then: Callable[[], None]) -> None:
        station.busy += seconds
        self.at(self.now + seconds, lambda: self._leave(station, then))

    def _leave(self, station: Station, then: Callable[[], None]) -> None:
        """The server goes on with who waited longest."""
        if station.waiting:
            self._occupy(station, *station.waiting.popleft())
        else:
            station.free += 1
        then()


@dataclass
class Delivery:
    """One message for one partner."""

    lock: Any
    since: float
    stages: Callable[[], Iterable[Stage]]


@dataclass
class Partner:
    """A partner's queue: so many at once, one after the other within a lock, nothing while it is down."""

    simulation: Simulation
    slots: int
    up: bool = True
    ready: deque[Delivery] = field(default_factory=deque)
    behind: dict[Any, deque[Delivery]] = field(default_factory=lambda: defaultdict(deque))
    held: set[Any] = field(default_factory=set)
    waits: list[float] = field(default_factory=list)
    """Seconds from a message's acceptance to its delivery."""
    left: int = 0
    longest: int = 0
    drained_at: float | None = None
    """When nothing waited any more, for the first time."""

    def put(self, delivery: Delivery) -> None:
        self.left += 1
        self.longest = max(self.longest, self.left)
        if delivery.lock in self.held:
            self.behind[delivery.lock].append(delivery)
        else:
            self.held.add(delivery.lock)
            self.ready.append(delivery)
        self.serve()

    def serve(self) -> None:
        while self.up and self.slots and self.ready:
            self.slots -= 1
            one = self.ready.popleft()
            self.simulation.go(one.stages(), lambda one=one: self._done(one))  # type: ignore[misc]

    def _done(self, one: Delivery) -> None:
        self.slots += 1
        self.left -= 1
        self.waits.append(self.simulation.now - one.since)
        if not self.left and self.drained_at is None:
            self.drained_at = self.simulation.now
        following = self.behind.get(one.lock)
        if following:
            self.ready.append(following.popleft())
        else:
            self.behind.pop(one.lock, None)
            self.held.discard(one.lock)
        self.serve()


def quantile(values: list[float], share: float) -> float:
    """0 of nothing."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0
