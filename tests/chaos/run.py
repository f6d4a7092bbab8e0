"""One run from start to end: the site, the senders, the kills, the drain, the evidence."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.database.errors import DatabaseError
from gateway.site import database_url
from gateway.store import make_engine
from tests.chaos.evidence import Evidence, read_ledgers, read_partner, read_store, unfinished
from tests.chaos.journeys import Waiting
from tests.chaos.kills import Kill, Killer
from tests.chaos.senders import Hospital
from tests.chaos.site import PARTNERS, Site

SENDING_SHARE = 0.92
"""Of the time in which is killed: until then the last message is begun, so that none goes through in peace."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to be."""

    messages: int = 10_000
    kills: int = 100
    minutes: float = 6
    faults: float = 0.1
    """The share of arrivals at partners that meets a fault."""
    senders: int = 32
    """Journeys at once."""
    drain_minutes: float = 3.5
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """How things stand at one moment."""

    second: float
    begun: int
    acknowledged: int
    backlog: int | None
    """Deliveries under way; None while the database is away."""
    kills: int
    faults: int
    """What partners have done wrong so far."""


@dataclass(slots=True)
class Course:
    """What a run was."""

    plan: Plan
    phase: str = "starting"
    begun: float = 0
    """On the monotonic clock: when the first message was sent."""
    calm_at: float = 0
    """Seconds after that when the last kill was done and the partners behaved again."""
    drained_at: float = 0
    samples: list[Sample] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    latencies: list[tuple[float, float]] = field(default_factory=list)
    """Second of the acknowledgement, and how long it took."""
    tries: int = 0
    restarts: int = 0
    evidence: Evidence = field(default_factory=Evidence)

    @property
    def acknowledged_in_chaos(self) -> int:
        """Before the last kill was done."""
        return sum(at <= self.calm_at for at, _ in self.latencies)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.begun if self.begun else 0


class Watch:
    """Looks into the store from outside, whether it is there or not."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._engine: Engine | None = None
        self._read: dict[str, int] = {}
        self._faults = 0

    def backlog(self) -> int | None:
        with suppress(SQLAlchemyError, DatabaseError), Session(self.engine()) as session:
            return unfinished(session)
        return None

    def faults(self) -> int:
        """Lines of the partners' logs that tell of a fault; each is read once."""
        for partner in self._site.partners.values():
            with partner.log.open(encoding="utf-8") as log:
                log.seek(self._read.get(partner.kind, 0))
                self._faults += log.read().count('"fault": ')
                self._read[partner.kind] = log.tell()
        return self._faults

    def engine(self) -> Engine:
        if self._engine is None:
            self._engine = make_engine(database_url(self._site.settings), pool_size=1)
        return self._engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()


def run(plan: Plan, folder: Path, show: Callable[[Course, Hospital | None], None]) -> Course:
    """Play it; `show` is called twice a second."""
    course, site = Course(plan), Site(folder)
    show(course, None)
    with site.running():
        watch = Watch(site)
        waiting = Waiting(plan.messages, plan.seed)
        end = time.monotonic() + (plan.minutes + plan.drain_minutes) * 60
        hospital = Hospital(site.port, site.passwords, folder / "ledgers", waiting, seed=plan.seed, until=end)
        killer = Killer(site, plan.kills, plan.minutes * 60, plan.seed)
        course.begun = time.monotonic()
        rate = plan.messages / (plan.minutes * 60 * SENDING_SHARE)
        site.disturb_partners(plan.faults, plan.seed)
        killer.start()
        hospital.start(plan.senders, lambda number: course.begun + number / rate - time.monotonic())
        look = _looker(course, watch, hospital, waiting, killer, show)

        course.phase = "killing"
        while time.monotonic() < end and (course.elapsed < plan.minutes * 60 or not killer.is_done):
            look()
        killer.stop()
        site.calm_partners()
        course.phase, course.calm_at = "draining", course.elapsed
        while time.monotonic() < end and not (hospital.is_done and course.samples[-1].backlog == 0):
            look()
        hospital.end = 0  # what is not acknowledged by now is given up
        hospital.close()
        course.drained_at = course.elapsed

        course.phase = "reading what came of it"
        show(course, hospital)
        course.evidence = gather(site, folder, watch)
        course.kills, course.restarts, course.tries = killer.done, site.restarts, hospital.tries
        course.latencies = [(at - course.begun, seconds) for at, seconds in hospital.latencies]
        watch.close()
        course.phase = "stopping"
        show(course, hospital)
    return course


def _looker(
    course: Course,
    watch: Watch,
    hospital: Hospital,
    waiting: Waiting,
    killer: Killer,
    show: Callable[[Course, Hospital | None], None],
) -> Callable[[], None]:
    def look() -> None:
        second = course.elapsed
        course.kills = list(killer.done)
        course.samples.append(
            Sample(
                second=second,
                begun=waiting.begun,
                acknowledged=hospital.acknowledged,
                backlog=watch.backlog(),
                kills=len(course.kills),
                faults=watch.faults(),
            )
        )
        show(course, hospital)
        time.sleep(max(0.5 - (course.elapsed - second), 0.05))

    return look


def gather(site: Site, folder: Path, watch: Watch) -> Evidence:
    """All the evidence, once everything stands still."""
    evidence = Evidence()
    read_ledgers(evidence, folder / "ledgers")
    for name, partner in site.partners.items():
        if partner.kind in PARTNERS:
            read_partner(evidence, name, partner.log, site.memory[name])
    with Session(watch.engine()) as session:
        read_store(evidence, session)
    return evidence


def percentile(values: list[float], share: float) -> float:
    """The value below which so large a share lies; 0 of none."""
    if not values:
        return 0
    ordered = sorted(values)
    return ordered[min(math.ceil(share * len(ordered)) - 1, len(ordered) - 1)]
