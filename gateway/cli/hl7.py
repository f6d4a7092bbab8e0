"""Commands about HL7: the process that takes it, and how a message looks to stylesheets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from lxml import etree

from gateway import logs
from gateway.cli.running import LogFile, Parent
from gateway.cli.terminal import HERE, Failure, Folder, say
from gateway.config import load_settings
from gateway.errors import InvalidMessage
from gateway.hl7.er7 import read
from gateway.supervision import die_with


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="HL7 version 2: take it over MLLP, look at it.")
    group.command("serve")(serve)
    group.command("show")(show_message)
    app.add_typer(group, name="hl7")


def serve(log_file: LogFile = None, parent: Parent = None, folder: Folder = HERE) -> None:
    """Run the process that takes HL7 at the ports of [[hl7]] alone; `gateway serve` runs it with all others."""
    if parent is not None:
        die_with(parent)
    from gateway.hl7_serving import run_hl7_server

    settings = load_settings(folder)
    logs.configure("hl7", file=log_file)
    run_hl7_server(settings, log_file, alone=parent is None)


def show_message(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One message in pipes; - for standard input.")],
    charset: Annotated[
        str, typer.Option("--charset", metavar="NAME", help="utf-8 or gb18030, where MSH-18 says nothing.")
    ] = "",
) -> None:
    """Show a message as stylesheets see it. It shows what the message holds: the patient, too."""
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as problem:
        raise Failure(f"{file} cannot be read: {problem.strerror}.") from None
    try:
        message = read(content, charset)
    except InvalidMessage as problem:
        raise Failure(f"{file}: {problem.text_en} ({problem.path})") from None
    say(etree.tostring(message, encoding="unicode", pretty_print=True).rstrip())
