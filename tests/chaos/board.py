"""What a run shows at the terminal: how it goes while it goes, and the counts at the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tests.chaos.run import Course
from tests.chaos.senders import Hospital

SHOWN = 5
"""Of what breaks a promise; the rest stands in the report."""


def drawn(course: Course, hospital: Hospital | None) -> RenderableType:
    """The run at this moment."""
    if hospital is None or not course.samples:
        return Text(f"chaos: {course.phase} ...", style="bold")
    plan, last = course.plan, course.samples[-1]
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column()
    rows: tuple[tuple[str, float, float, str], ...] = (
        ("time", last.second, (plan.minutes + plan.drain_minutes) * 60, f"{last.second:.0f} s, {course.phase}"),
        ("begun", last.begun, plan.messages, f"{last.begun} of {plan.messages} messages"),
        ("acknowledged", last.acknowledged, plan.messages, f"{last.acknowledged}, {hospital.refused} refused"),
        ("killed", last.kills, plan.kills, f"{last.kills} of {plan.kills}  {_counted(course)}"),
    )
    for name, done, whole, words in rows:
        table.add_row(name, ProgressBar(total=max(whole, 1), completed=min(done, whole), width=30), words)
    table.add_row("partners", "", f"{last.faults} faults")
    backlog = "the database is away" if last.backlog is None else f"{last.backlog} deliveries under way"
    table.add_row("backlog", "", backlog)
    return table


def verdict(known: dict[str, Any], problems: dict[str, list[str]]) -> RenderableType:
    """The counts, the promises, and what breaks them."""
    counts = Table(title="What happened", show_header=False)
    for name, value in known["counts"].items():
        counts.add_row(name, f"{value}")
    promises = Table(title="What was promised")
    promises.add_column("broken", justify="right")
    promises.add_column("promise")
    for promise, found in problems.items():
        promises.add_row(Text(str(len(found)), style="bold red" if found else "bold green"), promise)
    details = [
        Text(f"✗ {promise}: {line}", style="red") for promise, found in problems.items() for line in found[:SHOWN]
    ]
    return Group(counts, promises, *details)


def _counted(course: Course) -> str:
    counts = Counter(kill.what for kill in course.kills)
    return ", ".join(f"{number} {what}" for what, number in counts.most_common())
