"""`python -m benchmarks.delivery`: how many messages a second reach partners, how soon, and what each costs.

Real `gateway worker` processes on a real PostgreSQL deliver a backlog to fake partners that answer at once, after 20 ms
or after 200 ms. Beside them, at once, what a hospital would write itself (benchmarks/peers.py).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import peers
from benchmarks.hospital import Hospital
from benchmarks.report import Machine, write_figures
from benchmarks.workers import Partners, Place, Site, cpu, fake_partners, load, place
from gateway.database.embedded import create_database, libpq_url

FOUR = ("P1", "P2", "P3", "P4")
ONE = ("ONLY",)
DELAYS = (0.0, 0.02, 0.2)
PROCESSES = (1, 2, 3, 4)
SLOTS = 8
"""Messages a partner gets at once."""
SETTLE = 1.5
BACKLOG = 1500
"""For each partner; more than it can get while it is measured."""
CALM_RATE = 20
"""Messages a second for the latency: all of them have been sent before the next one comes."""
HEADINGS = (
    "partners",
    "answer after",
    "processes",
    "messages/s",
    "worker ms",
    "database ms",
    "partner ms",
    "slots used",
)
BEGUN = "A worker serves its partners {seconds:.1f} s after its start ({cpu:.1f} s of CPU) and takes {memory:.0f} MB."
_ASIDE = "UPDATE procrastinate_jobs SET queue_name = 'later.' || queue_name WHERE status = 'todo'"
_ALL_ALIKE = "UPDATE procrastinate_jobs SET priority = 0 WHERE priority <> 0"
"""Else only money would be measured, which leaves first."""
_BACK = "UPDATE procrastinate_jobs SET queue_name = substr(queue_name, 7) WHERE queue_name LIKE 'later.%'"
CALM_HEADINGS = ("answer after", "p50 ms", "p99 ms", "longest ms", "messages")


@dataclass(frozen=True)
class Sample:
    """What was delivered within one window of time."""

    label: tuple[str, str, str]
    rate: float
    worker: float
    database: float
    partner: float
    """Milliseconds of CPU for each message."""
    used: float
    """How many messages were with a partner at a time."""

    def row(self) -> list[str]:
        costs = [f"{cost:.2f}" for cost in (self.worker, self.database, self.partner)]
        return [*self.label, f"{self.rate:.0f}", *costs, f"{self.used:.1f}"]


class Bench:
    """Everything that runs while it is measured."""

    def __init__(self, where: Place, fake: Partners, seconds: float) -> None:
        self._where, self._fake, self._seconds = where, fake, seconds
        self._hospital = Hospital()
        limits = {"rate_per_second": 100_000, "concurrency": SLOTS}
        self._sites = {
            names: where.site(names[0], {name: fake.ports[name] for name in names}, **limits) for names in (FOUR, ONE)
        }
        self.started: dict[str, float] = {}
        """How one worker process begins: seconds, CPU seconds, MB."""

    def throughput(self, names: Sequence[str], count: int, advance: Callable[[str], None]) -> Iterator[Sample]:
        """A backlog for every partner, and the time in which all are served, for each way of answering."""
        site = self._sites[tuple(names)]
        self._fill(site)
        with self._workers(site, count) as workers:
            for delay in DELAYS:
                self._fill(site)
                self._fake.order(delay=delay)
                label = _partners(names), f"{delay * 1000:.0f} ms", str(count)
                advance(", ".join(label))
                yield self._window(workers, label, delay)
                if self._left(site) == 0:
                    raise SystemExit("The backlog was too small for this machine: raise BACKLOG.")

    def calm(self, advance: Callable[[str], None]) -> Iterator[tuple[str, list[float]]]:
        """Milliseconds from before a message is enqueued until its partner has it, for each way of answering."""
        site = self._sites[FOUR]
        site.run(_ASIDE)
        with self._workers(site, 1):
            for delay in DELAYS:
                advance(f"latency, {delay * 1000:.0f} ms")
                yield f"{delay * 1000:.0f} ms", self._calm(site, delay)
        site.run(_BACK)

    def _calm(self, site: Site, delay: float) -> list[float]:
        self._fake.order(delay=delay)
        self._fake.order(log=True)
        until, sent = time.monotonic() + self._seconds, 0
        while time.monotonic() < until:
            began = time.monotonic()
            site.put([self._hospital.status(FOUR[sent % len(FOUR)])])
            sent += 1
            time.sleep(max(1 / CALM_RATE - (time.monotonic() - began), 0))
        time.sleep(delay + 1)
        arrived = {message: at for _, message, at, _ in self._fake.order(log=True)}
        put = site.rows(f"SELECT id, extract(epoch FROM created_at) FROM delivery ORDER BY id DESC LIMIT {sent}")
        return sorted((arrived[f"GW-{number}"] - float(at)) * 1000 for number, at in put)

    def bare_jobs(self) -> Sample:
        url = libpq_url(create_database(self._where.url, f"peer_{time.monotonic_ns()}"))
        for_all = [one for name in FOUR for one in self._hospital.hour(name, BACKLOG // 2)]
        peers.fill(url, for_all)
        return self._peer("bare Procrastinate", "jobs", url)

    def bare_zeep(self) -> Sample:
        return self._peer("zeep in a loop", "zeep")

    def _peer(self, label: str, *words: str) -> Sample:
        self._fake.order(delay=0)
        addresses = [f"{name}=http://127.0.0.1:{self._fake.ports[name]}/{name}" for name in FOUR]
        command = ["benchmarks.peers", *words, str(SLOTS * len(FOUR)), *addresses]
        with self._where.worker(command, "peer") as process:
            Site.wait(lambda: self._fake.order(log=True))
            return self._window([process], (label, "0 ms", "1"), 0)

    def _window(self, workers: Sequence[psutil.Process], label: tuple[str, str, str], delay: float) -> Sample:
        time.sleep(SETTLE + delay)
        parts = (workers, [self._where.database], [self._fake.process])
        self._fake.order(log=True)
        before, began = [cpu(part) for part in parts], time.monotonic()
        time.sleep(self._seconds)
        after, took = [cpu(part) for part in parts], time.monotonic() - began
        log = self._fake.order(log=True)
        if len(log) < 10:
            raise SystemExit(f"{label}: hardly anything was delivered; see the logs in {self._where.folder}.")
        costs = [(b - a) / len(log) * 1000 for a, b in zip(before, after, strict=True)]
        used = sum(answered - arrived for _, _, arrived, answered in log) / took
        return Sample(label, len(log) / took, *costs, used)

    @contextmanager
    def _workers(self, site: Site, count: int) -> Any:
        began = time.monotonic()
        with site.workers(count) as workers:
            if count == 1 and not self.started:
                figures = time.monotonic() - began, cpu(workers), workers[0].memory_info().rss / 1e6
                self.started = dict(zip(("seconds", "cpu", "memory"), figures, strict=True))
            yield workers

    def _fill(self, site: Site) -> None:
        for name in site.partners:
            waiting = site.ask("SELECT count(*) FROM delivery WHERE partner = :p AND state = 'QUEUED'", p=name)
            wanted = BACKLOG * (len(FOUR) // len(site.partners)) - waiting
            site.put(self._hospital.hour(name, max(wanted, 0)))
        site.run(_ALL_ALIKE)

    @staticmethod
    def _left(site: Site) -> int:
        """At the partner that has the fewest."""
        query = "SELECT count(*) FROM delivery WHERE partner = :p AND state = 'QUEUED'"
        return min(site.ask(query, p=name) for name in site.partners)


def _partners(names: Sequence[str]) -> str:
    return f"{len(names)} partner{'s' if len(names) > 1 else ''}"


def main(
    seconds: Annotated[float, typer.Option(min=0.5, help="How long each combination is measured.")] = 4.0,
    write: Annotated[bool, typer.Option("--write/--no-write", help="Put the figures into docs/benchmarks.md.")] = False,
) -> None:
    """Messages per second, CPU per message and latency of delivery, beside bare Procrastinate and bare zeep."""
    console = Console(width=max(120, Console().width))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    before, samples = load(), []
    with (
        Progress(*columns, console=console, transient=True) as bar,
        fake_partners([*FOUR, *ONE]) as fake,
        place() as at,
    ):
        for name in (*FOUR, *ONE):
            fake.order(open=name)
        bench = Bench(at, fake, seconds)
        task = bar.add_task("", total=len(DELAYS) * (len(PROCESSES) + 2) + 2)

        def advance(what: str) -> None:
            bar.update(task, description=what, advance=1)

        for names, count in [*((FOUR, count) for count in PROCESSES), (ONE, 1)]:
            samples += bench.throughput(names, count, advance)
        advance("bare Procrastinate")
        samples.append(bench.bare_jobs())
        advance("zeep in a loop")
        samples.append(bench.bare_zeep())
        calm = dict(bench.calm(advance))
        machine = Machine.here(at.version, before)
    tables = [("Throughput", HEADINGS, [sample.row() for sample in samples]), ("Latency", CALM_HEADINGS, _calm(calm))]
    for title, headings, rows in tables:
        console.print(_shown(title, headings, rows))
    begun = BEGUN.format(**bench.started)
    console.print(begun, f"Load average {before:.1f} before, {load():.1f} after.")
    if write:
        text = [f"{machine.text}, {load():.1f} after. {begun}"]
        text += [_markdown(title, headings, rows) for title, headings, rows in tables]
        console.print(f"Written: {write_figures(chr(10).join(text), 'delivery')}")


def _calm(found: dict[str, list[float]]) -> list[list[str]]:
    rows = []
    for delay, values in found.items():
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        rows.append([delay, f"{cuts[49]:.0f}", f"{cuts[98]:.0f}", f"{values[-1]:.0f}", str(len(values))])
    return rows


def _shown(title: str, headings: Sequence[str], rows: list[list[str]]) -> Table:
    table = Table(title=title)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _markdown(title: str, headings: Sequence[str], rows: list[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join([f"\n#### {title}\n", *(f"| {' | '.join(cells)} |" for cells in lines)])


if __name__ == "__main__":
    typer.run(main)
