"""`python -m benchmarks`: start the servers, measure them in turn, show and write down what came of it."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.measure import Errors, Plan, measure
from benchmarks.report import PAIRS, Machine, console_table, markdown, write_figures
from benchmarks.site import running

WIDTH = 132


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Half a minute at 16 connections; rough figures.")] = False,
    rounds: Annotated[int, typer.Option(min=3, help="How often everything is measured.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.3, help="How long each time.")] = 2.0,
    write: Annotated[
        bool | None, typer.Option("--write/--no-write", help="Put the figures into docs/benchmarks.md (not if quick).")
    ] = None,
) -> None:
    """Requests per second, CPU per request and latency of SubmitRequisition, beside Spyne alone."""
    plan = Plan(3, 1.0, 0.2, (16,)) if quick else Plan(rounds, seconds, 0.5, (1, 16, 64))
    console = Console(width=max(WIDTH, Console().width))
    names = [name for pair in PAIRS for name in (pair.gateway, pair.peer)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    load = os.getloadavg()[0]
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting the servers", total=plan.runs * len(names))
        try:
            with running(names) as site:
                machine = Machine.here(site.database_version, load)
                samples = measure(site, plan, lambda what: progress.update(task, advance=1, description=what))
        except Errors as problem:
            console.print(f"[red]{problem}[/red]")
            raise typer.Exit(1) from None
    for pair in PAIRS:
        console.print(console_table(pair, samples, plan))
    if write if write is not None else not quick:
        console.print(f"Written: {write_figures(markdown(samples, plan, machine))}")


typer.run(main)
