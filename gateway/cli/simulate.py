"""`gateway simulate`: run one simulated system, for demonstrations and tests."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.terminal import Failure


class Kind(StrEnum):
    """The systems there are."""

    HIS = "his"
    PACS = "pacs"
    LIS = "lis"
    EMR = "emr"
    INSURANCE = "insurance"
    DUTY = "duty"


def add_to(app: typer.Typer) -> None:
    app.command()(simulate)


def simulate(
    kind: Annotated[Kind, typer.Argument(help="Which system to simulate.")],
    port: Annotated[int, typer.Option(help="The port of its address; 0 takes a free one.", min=0, max=65535)] = 0,
    log: Annotated[Path, typer.Option(help="A line of JSON per request received goes here.")] = Path("requests.jsonl"),
    folder: Annotated[
        Path | None, typer.Option(help="What it remembers goes here and outlives it; without it nothing does.")
    ] = None,
) -> None:
    """Serve as a hospital's HIS, PACS, LIS or EMR by our own contract, as the insurance platform
    or as the duty office, until Ctrl-C."""
    from gateway.simulators.run import PortInUse
    from gateway.simulators.run import simulate as run

    try:
        run(kind.value, port, log, folder=folder)
    except PortInUse as problem:
        raise Failure(str(problem)) from None
