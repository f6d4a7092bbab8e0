"""The figures as a table at the terminal and as a section of docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.table import Table

from benchmarks.measure import Key, Plan, Sample, median

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- {}: written by `make bench` -->", "<!-- end of the {} -->"
HEADINGS = ("server", "clients", "requests/s", "CPU µs", "DB µs", "p50 ms", "p99 ms", "× requests/s", "÷ CPU µs")
Samples = dict[Key, list[Sample]]


@dataclass(frozen=True)
class Pair:
    """Two servers that do the same."""

    title: str
    gateway: str
    peer: str
    target: float


PAIRS = (
    Pair("Without store", "gateway_without_store", "spyne", 3),
    Pair("With everything stored", "gateway", "spyne_with_orm", 4),
)
LABELS = {
    "gateway_without_store": "gateway without store",
    "spyne": "bare Spyne, lxml",
    "gateway": "gateway",
    "spyne_with_orm": "Spyne + SQLAlchemy ORM",
}


@dataclass(frozen=True)
class Machine:
    """Where and when was measured, and what else ran."""

    text: str

    @classmethod
    def here(cls, database_version: str, load: float) -> Machine:
        packages = ", ".join(
            f"{name} {version(name)}" for name in ("spyne", "lxml", "gunicorn", "SQLAlchemy", "psycopg")
        )
        parser = "C (gunicorn_h1c)" if _has_h1c() else "Python"
        return cls(
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({_processor()}), {platform.system()} "
            f"{platform.release()}, Python {platform.python_version()}, {packages}, gunicorn's HTTP parser in "
            f"{parser}, PostgreSQL {database_version} with fsync on the same machine, load average {load:.1f} before"
        )


def _has_h1c() -> bool:
    try:
        version("gunicorn_h1c")
    except ModuleNotFoundError:
        return False
    return True


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def rows(pair: Pair, samples: Samples, plan: Plan) -> list[list[str]]:
    """One line for each server and number of connections; the gateway's lines have the ratios."""
    return [
        [LABELS[name], str(number), *_figures(samples[name, number]), *_ratios(pair, name, number, samples)]
        for number in plan.connections
        for name in (pair.gateway, pair.peer)
    ]


def _figures(found: list[Sample]) -> list[str]:
    rates = [sample.rate for sample in found]
    return [
        f"{statistics.median(rates):.0f} ({min(rates):.0f}-{max(rates):.0f})",
        f"{median(found, lambda s: s.cpu):.0f}",
        f"{median(found, lambda s: s.database_cpu):.0f}",
        f"{median(found, lambda s: s.p50):.1f}",
        f"{median(found, lambda s: s.p99):.1f}",
    ]


def _ratios(pair: Pair, name: str, number: int, samples: Samples) -> list[str]:
    if name == pair.peer:
        return ["1", "1"]
    ours, theirs = samples[pair.gateway, number], samples[pair.peer, number]

    def ratio(value: Callable[[Sample, Sample], float]) -> str:
        found = [value(one, other) for one, other in zip(ours, theirs, strict=True)]
        return f"{statistics.median(found):.1f} ({min(found):.1f}-{max(found):.1f})"

    return [ratio(lambda one, other: one.rate / other.rate), ratio(lambda one, other: other.cpu / one.cpu)]


def console_table(pair: Pair, samples: Samples, plan: Plan) -> Table:
    table = Table(title=f"{pair.title} (target: {pair.target:.0f} times as many requests per second)")
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows(pair, samples, plan):
        table.add_row(*row, end_section=row[0] == LABELS[pair.peer])
    return table


def markdown(samples: Samples, plan: Plan, machine: Machine) -> str:
    """The section between the markers."""
    share = max(sample.load_share for found in samples.values() for sample in found)
    lines = [
        f"{machine.text}.",
        f"{plan.rounds} rounds of {plan.seconds:g} s each, in turn; medians, smallest and largest in brackets; "
        f"ratios are medians of each round's own. No wrong answer. The clients took {share:.0%} of a core at most.",
    ]
    for pair in PAIRS:
        lines += ["", f"### {pair.title}", "", _line(HEADINGS), _line(("---",) * len(HEADINGS))]
        lines += [_line(row) for row in rows(pair, samples, plan)]
    return "\n".join(lines)


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def write_figures(section: str, name: str = "figures") -> Path:
    """Put the section between the markers of its name in docs/benchmarks.md."""
    return write_between(DOCUMENT, BEGIN.format(name), END.format(name), section)


def write_between(document: Path, first: str, last: str, section: str) -> Path:
    """Put the section between two markers of a document, in place of what stands there."""
    before, begin, rest = document.read_text(encoding="utf-8").partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise SystemExit(f"{document} has lost its markers: {first} and {last}.")
    document.write_text(f"{before}{first}\n{section}\n{last}{after}", encoding="utf-8")
    return document
