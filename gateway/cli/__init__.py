"""The command `gateway`: everything a hospital's IT staff does with the gateway from a terminal.

Each module here holds one group of commands and adds itself with `add_to`. Whatever goes wrong is said in one line on
standard error: exit code 2 when the command or the settings are wrong, 1 when something could not be done.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.main import get_group

from gateway.cli import (
    accept,
    alerts,
    audit,
    call,
    clients,
    codes,
    critical,
    database,
    deliveries,
    demo,
    explain,
    facades,
    hl7,
    messages,
    money,
    nodes,
    partners,
    polls,
    reconcile,
    records,
    running,
    simulate,
    site,
    storage,
)
from gateway.cli.terminal import FAILED, WRONG, Failure, forgive_characters, note, say
from gateway.codes.tables import CodesRefused
from gateway.config import ConfigurationError
from gateway.contract import ContractError
from gateway.database.errors import DatabaseError
from gateway.security.clients import ClientError
from gateway.security.secrets import KeyFileError
from gateway.sheets import FileRefused

GROUPS = (
    *(site, running, nodes, database, clients, records, audit),
    *(storage, partners, facades, codes, polls, accept, deliveries, messages, money, critical, alerts, reconcile, call),
    *(explain, hl7, demo, simulate),
)
INTERRUPTED = 130

_CODES: dict[type[Exception], int] = {
    ConfigurationError: WRONG,
    KeyFileError: WRONG,
    DatabaseError: FAILED,
    ClientError: FAILED,
    ContractError: FAILED,
    CodesRefused: FAILED,
    FileRefused: WRONG,
}


@cache
def _command() -> TyperGroup:
    """The command with all its groups; put together once, which takes longer than most of what it does."""
    app = typer.Typer(
        name="gateway",
        help="The hospital's SOAP gateway: set it up, run it, say who may call, see what is under way.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_common)
    for group in GROUPS:
        group.add_to(app)
    return get_group(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"hospital-gateway {importlib.metadata.version('hospital-gateway')}")
        raise typer.Exit()


def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and end.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options that stand before any command."""


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments say; the exit code."""
    try:
        return int(_command()(list(arguments), prog_name="gateway", standalone_mode=False) or 0)
    except Failure as failure:
        return _tell(str(failure), failure.code)
    except typer.Abort:
        return _tell("Stopped.", INTERRUPTED)
    except (*_CODES,) as error:
        return _tell(str(error), next(code for kind, code in _CODES.items() if isinstance(error, kind)))
    except typer.TyperException as error:
        return _tell(_usage(error), error.exit_code)
    except KeyboardInterrupt:
        return _tell("Stopped.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's last flush finds a taker
        return FAILED
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        return _tell(f"The operating system refuses: {what}{error.strerror or type(error).__name__}.", FAILED)
    except Exception as error:
        return _tell(_bug(error), FAILED)


def main() -> None:
    """Do what the command line says, and end the process."""
    forgive_characters()
    sys.exit(run(sys.argv[1:]))


def _tell(text: str, code: int) -> int:
    note(f"gateway: {text}")
    return code


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the command, and where its help is."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "gateway"
    text = error.format_message().strip().replace("Value error, ", "")
    return (
        f"{text if text.endswith('.') else text + '.'} See `{command} --help`." if text else f"See `{command} --help`."
    )


def _bug(error: Exception) -> str:
    """A mistake of ours: its kind and place, never its text, which may hold a value."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}" if place else "?"
    return f"A mistake of the gateway ({type(error).__name__} at {where}): please report it with the command you gave."
