"""Commands about HL7: the process that takes it, and how a message looks to stylesheets."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
from lxml import etree

from gateway import logs
from gateway.cli.running import LogFile, Parent
from gateway.cli.terminal import FAILED, HERE, WRONG, Failure, Folder, one_line, say
from gateway.config import load_settings
from gateway.errors import InvalidMessage
from gateway.hl7.acknowledgements import ACCEPTED, read_acknowledgement
from gateway.hl7.charsets import encode
from gateway.hl7.er7 import read, read_as, write
from gateway.hl7.mllp import Frames, NotMllp, framed
from gateway.supervision import die_with


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="HL7 version 2: take it over MLLP, look at it.")
    group.command("serve")(serve)
    group.command("show")(show_message)
    group.command("send")(send_message)
    app.add_typer(group, name="hl7")


def serve(log_file: LogFile = None, parent: Parent = None, folder: Folder = HERE) -> None:
    """Run the process that takes HL7 at the ports of gateway.toml alone; `gateway serve` runs it with all others."""
    if parent is not None:
        die_with(parent)
    from gateway.bootstrap.hl7 import run_hl7_server

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
    message, _ = _message(file, charset)
    say(etree.tostring(message, encoding="unicode", pretty_print=True).rstrip())


def send_message(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One message in pipes; - for standard input.")],
    to: Annotated[str, typer.Argument(metavar="HOST:PORT", help="Where HL7 is taken over MLLP.")],
    charset: Annotated[
        str, typer.Option("--charset", metavar="NAME", help="utf-8 or gb18030, where MSH-18 says nothing.")
    ] = "",
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="To wait for the answer.")] = 20,
) -> None:
    """Send one message and say what it is answered; exit code 1 unless that is AA."""
    message, codec = _message(file, charset)
    try:
        answer = read_acknowledgement(read(_asked(to, encode(write(message), codec), seconds), charset))
    except (InvalidMessage, NotMllp) as problem:
        raise Failure(f"{to} answers, but not with HL7 over MLLP: {one_line(str(problem))}.") from None
    if answer is None:
        raise Failure(f"{to} answers with a message that acknowledges nothing.")
    said = " ".join(word for word in (answer.code, answer.control_id, answer.error, answer.text) if word)
    if answer.code != ACCEPTED:
        raise Failure(said, FAILED)
    say(said)


def _message(file: Path, charset: str) -> tuple[etree._Element, str]:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as problem:
        raise Failure(f"{file} cannot be read: {problem.strerror}.") from None
    try:
        return read_as(content, charset)
    except InvalidMessage as problem:
        raise Failure(f"{file}: {problem.text_en} ({problem.path})") from None


def _asked(to: str, message: bytes, seconds: float) -> bytes:
    """The one message that comes back."""
    host, _, port = to.rpartition(":")
    if not host or not port.isdigit():
        raise Failure(f"{to} is no HOST:PORT.", WRONG)
    frames, answer = Frames(), None
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds) as connection:
            connection.sendall(framed(message))
            while answer is None:
                piece = connection.recv(65536)
                if not piece:
                    raise Failure(f"{to} has closed the connection without an answer.")
                frames.add(piece)
                answer = frames.take()
    except OSError as problem:
        raise Failure(f"{to} cannot be asked: {problem.strerror or 'no answer in time'}.") from None
    return answer
