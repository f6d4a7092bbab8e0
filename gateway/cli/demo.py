"""`gateway demo`: the whole gateway with simulated partners, playing the hospital's stories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.terminal import FAILED, Failure


def add_to(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The gateway's port; 0 for any, without it from 8080 on.")
    ] = None,
    leave: Annotated[bool, typer.Option("--exit", help="Stop after the stories instead of serving on.")] = False,
    no_stories: Annotated[bool, typer.Option("--no-stories", help="Only serve.")] = False,
    folder: Annotated[
        Path, typer.Option(help="Everything of the demonstration is kept below; FOLDER.json says where it is.")
    ] = Path("var/demo"),
) -> None:
    """Start the gateway with simulated HIS, PACS, LIS, EMR and insurance, play the stories, then serve until Ctrl-C."""
    from gateway.demo.run import run_demo
    from gateway.demo.site import DemoRefused
    from gateway.simulators.process import SimulatorFailed

    try:
        succeeded = run_demo(folder, port, stories=not no_stories, stay=not leave)
    except (DemoRefused, SimulatorFailed) as problem:
        raise Failure(str(problem)) from None
    if not succeeded:
        raise typer.Exit(FAILED)
