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
    ULTRASOUND = "ultrasound"
    ENDOSCOPY = "endoscopy"
    ECG = "ecg"
    ANAESTHESIA = "anaesthesia"
    PATHOLOGY = "pathology"
    INSURANCE = "insurance"
    DUTY = "duty"
    COMMERCIAL_INSURER = "commercial-insurer"
    REGIONAL = "regional"
    INTERNET_HOSPITAL = "internet-hospital"
    HRP = "hrp"
    PHARMACY = "pharmacy"
    REFERENCE_LAB = "reference-lab"
    POCT = "poct"
    HEALTH_CHECK = "health-check"
    QUEUE_CALLING = "queue-calling"
    MESSAGE_PLATFORM = "message-platform"


Login = Annotated[
    str | None,
    typer.Option(
        envvar="SIMULATOR_LOGIN", show_envvar=True, help="name:password of the client it calls the gateway as."
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command()(simulate)


def simulate(
    kind: Annotated[Kind, typer.Argument(help="Which system to simulate.")],
    port: Annotated[int, typer.Option(help="The port of its address; 0 takes a free one.", min=0, max=65535)] = 0,
    log: Annotated[Path, typer.Option(help="A line of JSON per request received goes here.")] = Path("requests.jsonl"),
    folder: Annotated[
        Path | None, typer.Option(help="What it remembers goes here and outlives it; without it nothing does.")
    ] = None,
    vendor: Annotated[
        bool,
        typer.Option("--vendor", help="Of HIS, PACS, LIS and EMR: as a vendor builds it, with a contract of its own."),
    ] = False,
    gateway: Annotated[
        str | None, typer.Option(help="The gateway's address, http://host:port, for a vendor's system to call.")
    ] = None,
    login: Login = None,
    database: Annotated[
        str, typer.Option(envvar="SIMULATOR_DATABASE", help="Of an ECG system that works with a PostgreSQL: its URL.")
    ] = "",
) -> None:
    """Serve as one of a hospital's systems until Ctrl-C: HIS, PACS, LIS and EMR by our own contract or, like all
    others, by a contract and with quirks of their own (docs/simulators.md)."""
    from gateway.simulators.run import PortInUse
    from gateway.simulators.run import simulate as run
    from gateway.simulators.vendors.calling import Gateway
    from gateway.simulators.vendors.table import VENDORS

    if vendor and kind.value not in VENDORS:
        raise Failure(f"There is no vendor's form of {kind.value}: leave out --vendor.")
    name, _, password = (login or "").partition(":")
    called = Gateway(gateway, (name, password) if name else None) if gateway else None
    try:
        run(kind.value, port, log, folder=folder, vendor=vendor, gateway=called, database=database)
    except (PortInUse, LookupError) as problem:
        raise Failure(str(problem)) from None
