"""The figures a hospital's monitoring reads at /metrics: how many messages, with which result, how long, how many now.

Every process counts for itself; with a folder for it, each keeps its figures in files there and /metrics adds them up,
whichever process answers. No figure names a patient or a message; clients are named only where the habits of their
programs are counted.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 8.0, 15.0, 30.0)
"""Seconds; 8 is what a caller waits for a partner at most."""
LOOK_SECONDS = 5.0
"""Between looks at what is counted outside; whoever asks in between gets the same."""
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus_client learns the folder that the processes share."""


def prepare_folder(folder: Path) -> None:
    """An empty folder for the figures of this start's processes; to be called once, before the first of them runs."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)


def forget_process(folder: Path, pid: int) -> None:
    """A process has ended: what it had in progress is not in progress any more; what it counted stays."""
    multiprocess.mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that is not counted by a process but found when somebody asks, such as what waits in the database."""

    name: str
    said: str
    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], float]


class _Found(Collector):
    """Figures that are found, at most every few seconds, however many ask."""

    def __init__(self, find: Callable[[], Sequence[Figure]]) -> None:
        self._find = find
        self._lock = Lock()
        self._found: Sequence[Figure] = ()
        self._looked = float("-inf")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._lock:
            if time.monotonic() - self._looked >= LOOK_SECONDS:
                self._found, self._looked = self._find(), time.monotonic()
            found = self._found
        for figure in found:
            family = GaugeMetricFamily(figure.name, figure.said, labels=figure.labels)
            for labels, value in figure.values.items():
                family.add_metric(labels, value)
            yield family

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing is asked for when it is registered."""
        return ()


class Metrics:
    """The figures of one process. `folder` is shared with the others, None if this process is alone.

    `find` gives the figures that are not counted by processes.
    """

    def __init__(self, folder: Path | None = None, find: Callable[[], Sequence[Figure]] | None = None) -> None:
        self._folder = folder
        self._registry = CollectorRegistry()
        if folder is not None:  # prometheus_client decides when it is imported, which may have been too early
            os.environ[FOLDER] = str(folder)
            values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
        self._count = self._counter(
            "gateway_requests", "SOAP messages answered, by operation and result code", "operation", "code"
        )
        self._time = self._histogram(
            "gateway_request_seconds", "Seconds from a message's arrival to its answer", "operation"
        )
        self._count_repair = self._counter(
            "gateway_messages_mended",
            "Messages that were mended instead of refused, by kind of mistake and client",
            *("repair", "client"),
        )
        self._in_progress = Gauge(
            "gateway_requests_in_progress",
            "SOAP messages being worked on",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self._count_delivery = self._counter(
            "gateway_deliveries",
            "Attempts to deliver, by partner, operation and outcome",
            *("partner", "operation", "outcome"),
        )
        self._time_delivery = self._histogram(
            "gateway_delivery_seconds",
            "Seconds of an attempt to deliver, from its beginning to the partner's answer",
            "partner",
        )
        self._count_row = self._counter(
            "gateway_poll_rows",
            "Rows of partners' tables that were read, by what became of them",
            *("partner", "poll", "outcome"),
        )
        self._count_poll_failure = self._counter(
            "gateway_poll_failures", "Looks at a partner's table that failed", "partner", "poll"
        )
        self._outside = CollectorRegistry(auto_describe=False)
        if find is not None:
            self._outside.register(_Found(find))

    def _counter(self, name: str, meaning: str, *labels: str) -> Callable[..., Counter]:
        """One counter for each value of the labels, found once."""
        return cache(Counter(name, meaning, labels, registry=self._registry).labels)

    def _histogram(self, name: str, meaning: str, *labels: str) -> Callable[..., Histogram]:
        return cache(Histogram(name, meaning, labels, buckets=BUCKETS, registry=self._registry).labels)

    def begin(self) -> float:
        """A message has come; the answer is what `end` wants to know of it."""
        self._in_progress.inc()
        return time.perf_counter()

    def end(self, begun: float, operation: str, code: str) -> None:
        """It is answered. Both texts are from closed sets: nothing a caller sends may make a new figure."""
        self._in_progress.dec()
        self._count(operation, code).inc()
        self._time(operation).observe(time.perf_counter() - begun)

    def repaired(self, repair: str, client: str) -> None:
        """A message was mended. Both texts are from closed sets: the kinds of repair, the clients that were let in."""
        self._count_repair(repair, client).inc()

    def attempted(self, partner: str, operation: str, outcome: str, seconds: float) -> None:
        """An attempt to deliver has ended. All texts are from closed sets: the site's partners, the contract."""
        self._count_delivery(partner, operation, outcome).inc()
        self._time_delivery(partner).observe(seconds)

    def polled(self, partner: str, poll: str, outcome: str) -> None:
        """It is stored what became of a row. All texts are from closed sets: the site's polls, the states of a row."""
        self._count_row(partner, poll, outcome).inc()

    def poll_failed(self, partner: str, poll: str) -> None:
        """A look at a partner's table has failed."""
        self._count_poll_failure(partner, poll).inc()

    def render(self) -> bytes:
        """All processes' figures, and those that are found, in Prometheus' text format."""
        registry = self._registry
        if self._folder is not None:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        return generate_latest(registry) + generate_latest(self._outside)
