"""Commands that run the gateway: all of it (`serve`), or one of its processes for sites that spread them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from gateway import logs
from gateway.cli.terminal import HERE, Folder
from gateway.config import load_settings
from gateway.serving import Serving
from gateway.supervision import die_with

LogFile = Annotated[
    Path | None, typer.Option("--log-file", metavar="FILE", help="For the log; standard error when not said.")
]
Parent = Annotated[int | None, typer.Option("--parent", hidden=True)]


def add_to(app: typer.Typer) -> None:
    app.command("serve")(serve)
    app.command("web")(web)
    app.command("worker")(worker)
    app.command("polling")(polling)


def serve(
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Instead of server.port; 0: any.")
    ] = None,
    log_file: LogFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No summary.")] = False,
    folder: Folder = HERE,
) -> None:
    """Run the gateway: database (if it is the embedded one), web server and delivery, until Ctrl-C or SIGTERM."""
    settings = load_settings(folder)
    logs.configure("serve", file=log_file)
    serving = Serving(settings, port=port, log_file=log_file)
    for order in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(order) is not signal.SIG_IGN:  # nohup
            signal.signal(order, lambda *_: serving.stop())
    if not quiet:
        serving.when_ready = lambda: _show_summary(serving)
    serving.run()


def web(
    log_file: LogFile = None,
    parent: Parent = None,
    listen: Annotated[int | None, typer.Option("--listen-fd", hidden=True)] = None,
    folder: Folder = HERE,
) -> None:
    """Run the web server alone, for a site that starts its processes by itself; the database must be there."""
    if parent is not None:
        die_with(parent)
    from gateway.bootstrap.web import run_web_server

    settings = load_settings(folder)
    logs.configure("web", file=log_file)
    run_web_server(settings, listen, log_file, alone=parent is None)


def worker(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="How it is called in the log.")] = "worker",
    log_file: LogFile = None,
    parent: Parent = None,
    folder: Folder = HERE,
) -> None:
    """Run one process that delivers to partners; as many as are wanted, on any machine that reaches the database."""
    if parent is not None:
        die_with(parent)
    from gateway.bootstrap.delivery import run_delivery_worker

    settings = load_settings(folder)
    logs.configure(name, file=log_file)
    run_delivery_worker(settings, log_file, alone=parent is None)


def polling(
    log_file: LogFile = None,
    parent: Parent = None,
    folder: Folder = HERE,
) -> None:
    """Run one process that reads partners' tables and views; of several, on any machine, one reads each poll."""
    if parent is not None:
        die_with(parent)
    from gateway.bootstrap.polling import run_polling

    settings = load_settings(folder)
    logs.configure("polling", file=log_file)
    run_polling(settings, log_file, alone=parent is None)


def _show_summary(serving: Serving) -> None:
    """The addresses, once the web server answers."""
    settings, base = serving.settings, serving.address
    table = Table(box=None, show_header=False, pad_edge=False)
    embedded = settings.database_url is None
    rows = {
        "SOAP": serving.endpoint,
        "WSDL": f"{serving.endpoint}?wsdl   SOAP 1.2: {serving.endpoint}?wsdl=soap12",
        "Page": f"{base}/",
        "Health": f"{base}/healthz   {base}/readyz",
        "Metrics": f"{base}/metrics",
        "Database": f"embedded, in {settings.database_folder}" if embedded else "the site's own",
        "HL7": ", ".join(f"{one.name} {one.host}:{one.port}" for one in settings.hl7) or "no port",
        "Partners": ", ".join(partner.name for partner in settings.partners) or "none",
        "Stop": "Ctrl-C",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console = Console(highlight=False, soft_wrap=True)
    title = f"Hospital gateway {settings.hospital_code}"
    console.print(Panel(table, title=title, title_align="left", expand=False) if console.is_terminal else table)
    console.file.flush()
