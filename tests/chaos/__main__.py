"""`python -m tests.chaos`: play a run, show it, compare what came of it, write the report; exit code 1 when a promise
is broken."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from tests.chaos.board import drawn, verdict
from tests.chaos.checks import UNFINISHED, broken
from tests.chaos.report import figures, write_report
from tests.chaos.run import Course, Plan, run
from tests.chaos.senders import Hospital
from tests.chaos.site import fresh_folder

SMALL = Plan(messages=480, kills=12, minutes=0.6, senders=8, drain_minutes=2.5)


def main(
    messages: Annotated[int, typer.Option(min=10, help="Messages sent, repetitions not counted.")] = 10_000,
    kills: Annotated[int, typer.Option(min=0, help="Processes killed; a tenth of them the database.")] = 100,
    minutes: Annotated[float, typer.Option(min=0.2, help="In which they are killed.")] = 6.0,
    faults: Annotated[float, typer.Option(min=0, max=0.5, help="Share of requests at partners with a fault.")] = 0.1,
    senders: Annotated[int, typer.Option(min=1, help="Patients' journeys at once.")] = 32,
    drain_minutes: Annotated[float, typer.Option(min=0.1, help="At most, after the last kill.")] = 3.5,
    seed: Annotated[int, typer.Option(help="Decides mix, victims, moments and faults.")] = 1,
    small: Annotated[bool, typer.Option("--small", help="480 messages and 12 kills in about a minute.")] = False,
    folder: Annotated[Path, typer.Option(help="Where it runs; emptied first.")] = Path("var/chaos"),
) -> None:
    """Kill processes at random under load; then count what was lost, doubled, charged twice or overtaken."""
    plan = Plan(messages, kills, minutes, faults, senders, drain_minutes, seed)
    if small:
        plan = Plan(SMALL.messages, SMALL.kills, SMALL.minutes, faults, SMALL.senders, SMALL.drain_minutes, seed)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    place = fresh_folder(folder.resolve())
    console = Console()
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def show(course: Course, hospital: Hospital | None) -> None:
            live.update(drawn(course, hospital))

        course = run(plan, place, show)
    problems = broken(course.evidence)
    if (number := len(course.evidence.sent)) < plan.messages:
        problems[UNFINISHED].insert(0, f"only {number} of {plan.messages} messages could be sent in the time")
    known = figures(course, problems)
    console.print(verdict(known, problems))
    report = write_report(place, course, known, problems)
    console.print(f"Report: {report}")
    raise typer.Exit(1 if any(problems.values()) else 0)


typer.run(main)
