"""`python -m benchmarks.outage`: HIS is away for an hour, 30,000 messages wait for it, and then it is back.

The hour is only its messages: they are enqueued as fast as it goes while HIS refuses connections. Other partners get
theirs all the while. One message makes HIS answer that it is wrong. What is then looked at: how fast the backlog
drains, that nothing overtakes its like, what the others notice of it, and that the wrong message holds its own
requisition only.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.hospital import Hospital
from benchmarks.report import Machine, write_figures
from benchmarks.workers import Partners, Site, cpu, fake_partners, load, place

HIS, OTHERS = "HIS", ("PACS", "LIS", "EMR")
WORKERS = 2
SLOTS = 8
LIVE_RATE = 5
"""Messages a second for the other partners, all the while."""
CALM_SECONDS = 8
"""Of HIS being away with its backlog complete."""
POISONED, BEHIND = "R-WRONG", 3
TARGET = 50
_PATIENCE = 1200

Exchange = tuple[str, str, float, float]
"""Partner, MessageId, when it came and when it was answered."""


class LiveTraffic(threading.Thread):
    """What the other partners get meanwhile."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site, self._hospital, self._ended = site, Hospital(seed=2), threading.Event()

    def run(self) -> None:
        number = 0
        while not self._ended.wait(1 / LIVE_RATE):
            self._site.put([self._hospital.status(OTHERS[number % len(OTHERS)])])
            number += 1

    def stop(self) -> None:
        self._ended.set()
        self.join()


@contextmanager
def live_traffic(site: Site) -> Iterator[None]:
    traffic = LiveTraffic(site)
    traffic.start()
    try:
        yield
    finally:
        traffic.stop()


def main(
    count: Annotated[int, typer.Option("--messages", min=100, help="How many wait for HIS.")] = 30_000,
    write: Annotated[bool, typer.Option("--write/--no-write", help="Put the figures into docs/benchmarks.md.")] = False,
) -> None:
    """How a backlog drains after an outage, and what the other partners notice of it."""
    console, before = Console(width=max(100, Console().width)), load()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, *times, console=console, transient=True) as bar,
        fake_partners([HIS, *OTHERS]) as fake,
        place() as where,
    ):
        for name in OTHERS:
            fake.order(open=name)
        site = where.site("site", fake.ports, rate_per_second=1000, concurrency=SLOTS)
        with site.workers(WORKERS) as workers, live_traffic(site):
            enqueued = fill(site, bar, count)
            time.sleep(CALM_SECONDS)
            parts = (workers, [where.database], [fake.process])
            costs, back = [cpu(part) for part in parts], time.time()
            fake.order(open=HIS)
            log = drain(fake, bar, count)
            costs = [(cpu(part) - cost) * 1000 / count for part, cost in zip(parts, costs, strict=True)]
            time.sleep(1)
            log += fake.order(log=True)
        found = Findings(site, log, count, back)
        machine = Machine.here(where.version, before).text
    rows = [
        ("enqueued while HIS was away", f"{count} in {enqueued:.0f} s"),
        *found.rows(),
        ("CPU ms for each message: workers, PostgreSQL, partners", ", ".join(f"{cost:.2f}" for cost in costs)),
    ]
    table = Table(title=f"After an hour without HIS · load average {before:.1f} before, {load():.1f} after")
    table.add_column("")
    table.add_column("", justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if write:
        text = [f"{machine}, {load():.1f} after.\n", "| | |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows)]
        console.print(f"Written: {write_figures(chr(10).join(text), 'outage')}")
    if found.wrong:
        console.print(f"[red]{'; '.join(found.wrong)}[/red]")
        raise typer.Exit(1)


def fill(site: Site, bar: Progress, count: int) -> float:
    """Enqueue the hour, with the wrong message and what waits behind it somewhere in it; seconds it took."""
    hospital, began = Hospital(), time.monotonic()
    hour = hospital.hour(HIS, count - 1 - BEHIND)
    wrong = [hospital.poisoned(HIS, POISONED), *(hospital.status(HIS, POISONED, n + 2) for n in range(BEHIND))]
    step = len(hour) // (len(wrong) + 1)
    for number, forward in enumerate(wrong, 1):
        hour.insert(number * step, forward)
    task = bar.add_task("enqueueing for HIS, which is away", total=count)
    began = time.monotonic()
    for start in range(0, count, 1000):
        site.put(hour[start : start + 1000])
        bar.update(task, completed=start + 1000)
    return time.monotonic() - began


def drain(fake: Partners, bar: Progress, count: int) -> list[Exchange]:
    """Everything the partners got until nothing more came to HIS."""
    wanted, log, got = count - BEHIND, [], 0
    task, until, last = bar.add_task("HIS is back", total=wanted), time.monotonic() + _PATIENCE, time.monotonic()
    while got < wanted and time.monotonic() < until and time.monotonic() - last < 60:
        time.sleep(0.5)
        new = fake.order(log=True)
        log += new
        came = sum(1 for one in new if one[0] == HIS)
        got, last = got + came, time.monotonic() if came else last
        bar.update(task, completed=got)
    return log


class Findings:
    """What the partners' log and the database say."""

    def __init__(self, site: Site, log: list[Exchange], count: int, back: float) -> None:
        self._back, self._count = back, count
        self._at_his = [one for one in log if one[0] == HIS]
        columns = "'GW-' || id, lock, operation, partner, state, extract(epoch FROM created_at), id"
        rows = site.rows(f"SELECT {columns} FROM delivery")
        self._rows = {row[0]: row for row in rows}
        self._log = log
        self.wrong = list(self._complaints())

    def rows(self) -> list[tuple[str, str]]:
        ends = sorted(answered for _, _, _, answered in self._at_his)
        took = ends[-1] - self._back
        rate = len(ends) / took
        money = [answered for _, message, _, answered in self._at_his if self._rows[message][2] == "ChargeItem"]
        away, drained = self._latencies(0, self._back), self._latencies(self._back, ends[-1])
        slowest = min(self._by_time(ends, 10))
        return [
            ("locks", str(len({row[1] for row in self._rows.values() if row[3] == HIS}))),
            ("first message after HIS was back", f"{ends[0] - self._back:.1f} s"),
            ("drained", f"{len(ends)} in {took:.0f} s"),
            (f"messages a second (target {TARGET})", f"{rate:.0f}"),
            ("slowest ten seconds", f"{slowest:.0f}/s"),
            (
                "all money delivered after",
                f"{max(money) - self._back:.0f} s ({len(money)} messages)" if money else "none",
            ),
            ("out of order, sent twice, lost", self._counts),
            ("held by the wrong message", f"{self._held} of its own requisition, no other"),
            (f"other partners while HIS was away ({len(away)} messages)", _told(away)),
            (f"other partners while it drained ({len(drained)} messages)", _told(drained)),
        ]

    def _by_time(self, ends: list[float], seconds: int) -> list[float]:
        """Messages a second of each whole piece of time between the first and the last."""
        pieces = int((ends[-1] - ends[0]) // seconds)
        counted = [0] * max(pieces, 1)
        for end in ends:
            piece = int((end - ends[0]) // seconds)
            if piece < len(counted):
                counted[piece] += 1
        return [number / seconds for number in counted]

    def _latencies(self, since: float, until: float) -> list[float]:
        """Milliseconds from before a message was enqueued until one of the other partners had it."""
        return sorted(
            (arrived - float(self._rows[message][5])) * 1000
            for name, message, arrived, _ in self._log
            if name != HIS and since <= float(self._rows[message][5]) < until
        )

    def _complaints(self) -> Iterator[str]:
        """Everything that should not have happened."""
        overtaken, twice = self._overtaken(), len(self._at_his) - len({one[1] for one in self._at_his})
        states: dict[str, list[Any]] = defaultdict(list)
        for row in self._rows.values():
            if row[3] == HIS:
                states[row[4]].append(row)
        lost = self._count - len(states["DELIVERED"]) - 1 - BEHIND
        self._counts, self._held = f"{overtaken}, {twice}, {lost}", len(states["QUEUED"])
        if overtaken or twice or lost:
            yield f"Out of order, sent twice, lost: {self._counts}"
        waiting = {row[1].rpartition("|")[2] for state in ("QUEUED", "DEAD") for row in states[state]}
        if (len(states["DEAD"]), self._held, waiting) != (1, BEHIND, {POISONED}):
            yield f"{len(states['DEAD'])} are dead and hold {self._held} of {sorted(waiting)[:5]}"
        ends = [answered for _, _, _, answered in self._at_his]
        if len(ends) / (max(ends) - self._back) < TARGET:
            yield f"Fewer than {TARGET} messages a second"

    def _overtaken(self) -> int:
        """How many came to HIS before the one that goes before them in their lock was answered."""
        found, locks = 0, defaultdict(list)
        for _, message, arrived, answered in self._at_his:
            locks[self._rows[message][1]].append((self._rows[message][6], arrived, answered))
        for exchanges in locks.values():
            exchanges.sort()
            found += sum(after[1] < before[2] for before, after in pairwise(exchanges))
        return found


def _told(values: list[float]) -> str:
    if len(values) < 2:
        return "too few"
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return f"p50 {cuts[49]:.0f}, p99 {cuts[98]:.0f}, longest {values[-1]:.0f} ms"


if __name__ == "__main__":
    typer.run(main)
