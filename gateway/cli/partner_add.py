"""`gateway partner add`: a folder for a new partner, from its WSDL or from an example that ships."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.terminal import HERE, WRONG, Failure, Folder, note, plain_table, read_password, say, show
from gateway.config import Settings, load_settings
from gateway.contract import Contract
from gateway.mapping.stylesheet import STANDARD_FOLDER
from gateway.partner_config import MAPPED, OUR_CONTRACT
from gateway.partners.wsdl import skeleton
from gateway.partners.wsdl.copying import Copied, copy_wsdl
from gateway.partners.wsdl.describing import Operation, describe, guess_dialect
from gateway.partners.wsdl.errors import WsdlError
from gateway.partners.wsdl.fetching import is_url, shown
from gateway.partners.wsdl.loading import load
from gateway.partners.wsdl.matching import propose

SHOWN_OPERATIONS = 60
DIALECTS = (OUR_CONTRACT, *MAPPED)
EXAMPLES = STANDARD_FOLDER / "partners"


def add_to(group: typer.Typer) -> None:
    group.command("add")(add)


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What its folder will be called, such as PACS.")],
    wsdl: Annotated[str | None, typer.Option("--wsdl", metavar="FILE-or-URL", help="Its WSDL.")] = None,
    example: Annotated[
        str | None,
        typer.Option(
            "--example",
            metavar="KIND",
            help="Instead: a folder that ships, for a system as `gateway simulate KIND` is.",
        ),
    ] = None,
    dialect: Annotated[
        str | None,
        typer.Option("--dialect", metavar="WORD", help=f"Instead of the guessed one: {', '.join(DIALECTS)}."),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option("--port", metavar="NAME", help="Of several ports; the first of SOAP 1.1 when left out."),
    ] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="For the address of the WSDL.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read that user's password from standard input.")
    ] = False,
    folder: Folder = HERE,
) -> None:
    """Copy a partner's WSDL with all it imports, repair it, and write its partner.toml and first stylesheets."""
    settings = load_settings(folder)
    _check_name(name)
    if dialect is not None and dialect not in DIALECTS:
        raise Failure(f"There is no dialect {dialect} for a WSDL; there are: {', '.join(DIALECTS)}.", WRONG)
    if user is not None and not password_stdin:
        raise Failure("--user needs --password-stdin: pipe the password into the command.", WRONG)
    target = settings.folder / "partners" / name
    _refuse_to_overwrite(target)
    if (wsdl is None) == (example is None):
        raise Failure("Give either --wsdl or --example.", WRONG)
    if wsdl is None:
        _add_example(settings, name, str(example), target)
        return
    login = (user, read_password()) if user is not None else None
    made = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=_made_folder(target.parent)))
    try:
        copied = _copied(wsdl, made / "wsdl", login)
        choice = _chosen(name, wsdl, copied, dialect, port)
        _write(made, skeleton.files(choice, Contract()))
        _move(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _tell(copied, choice)
    load_settings(folder)
    _propose(settings, target, choice)


# --- Examples ---------------------------------------------------------------------------------------------------------


def _add_example(settings: Settings, name: str, kind: str, target: Path) -> None:
    source = EXAMPLES / kind
    known = sorted(path.parent.name for path in EXAMPLES.glob("*/partner.toml"))
    if kind not in known:
        raise Failure(f"There is no example {kind}; there are: {', '.join(known)}.", WRONG)
    made = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=_made_folder(target.parent)))
    try:
        shutil.copytree(source, made, dirs_exist_ok=True, copy_function=shutil.copyfile)
        _move(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    values = tomllib.loads((target / "partner.toml").read_text(encoding="utf-8"))
    operations, secret = values.get("operations", {}), values.get("password_file")
    if secret is not None:
        (target / secret).touch(mode=0o600)
    _tell_made(target)
    if secret is not None:
        say(f"Write the password of {values.get('username', name)} into {target / secret}.")
    if polled := sorted({poll["operation"] for poll in values.get("polls", ())}):
        rights = " ".join(f"--right {one}" for one in polled)
        say(f"What is read from it comes in as a client of its name: `gateway client add {name} {rights}`.")
    say("Routes to add to gateway.toml, those that are right:")
    _propose_routes(settings, name, dict.fromkeys(key.partition(".")[0] for key in operations))
    say("")
    say(f"Next: put its address into {target / 'partner.toml'}, then `gateway partner check {name}`.")


# --- Looking before anything is written -------------------------------------------------------------------------------


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[!-~]{1,20}", name):
        raise Failure(f"A partner's name has 1 to 20 visible ASCII characters, such as PACS; {name} has not.", WRONG)
    if Path(name).name != name or name.startswith("."):
        raise Failure(f"{name} cannot be the name of a folder.", WRONG)


def _refuse_to_overwrite(target: Path) -> None:
    there = [path.name for path in sorted(target.glob("*")) if path.suffix != ".example"] if target.is_dir() else []
    if there:
        raise Failure(
            f"{target} already holds {', '.join(there[:5])}, and nothing is overwritten: move the folder away, or take "
            "another name and compare.",
            WRONG,
        )


def _made_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _copied(source: str, into: Path, login: tuple[str, str] | None) -> Copied:
    console = Console(stderr=True)
    try:
        if not console.is_terminal:
            return copy_wsdl(source, into, login=login)
        with console.status("Reading the WSDL") as status:
            return copy_wsdl(source, into, login=login, tell=lambda location: status.update(f"Reading {location}"))
    except WsdlError as problem:
        raise Failure(str(problem)) from None


def _chosen(name: str, source: str, copied: Copied, dialect: str | None, wanted: str | None) -> skeleton.Choice:
    try:
        ports = describe(load(copied.wsdl))
    except WsdlError as problem:
        raise Failure(str(problem).replace(str(copied.wsdl), shown(source))) from None
    port = next((one for one in ports if wanted in (None, one.name)), None)
    if port is None:
        raise Failure(f"The WSDL has no port {wanted}; it has {', '.join(one.name for one in ports)}.", WRONG)
    guess = guess_dialect(port)
    word = dialect or guess.dialect
    return skeleton.Choice(
        name=name,
        source=shown(source) if is_url(source) else Path(source).name,
        wsdl=f"wsdl/{copied.wsdl.name}",
        port=port,
        dialect=word,
        guess=guess,
        proposals=propose(name, word, port),
        day=datetime.now(UTC).date(),
    )


# --- Writing ----------------------------------------------------------------------------------------------------------


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.write_text(content, encoding="utf-8")
        path.chmod(0o600)


def _move(made: Path, target: Path) -> None:
    """All files at once, or none; an example that `gateway init` wrote stays."""
    if target.is_dir():
        for path in made.iterdir():
            os.rename(path, target / path.name)
        return
    made.chmod(0o700)
    os.rename(made, target)


# --- Telling ----------------------------------------------------------------------------------------------------------


def _tell(copied: Copied, choice: skeleton.Choice) -> None:
    port, guess = choice.port, choice.guess
    address = shown(port.address) or "no address"
    say(f"{choice.name}: service {port.service}, port {port.name}, SOAP {port.soap_version}, {address}")
    say(f"Files: {', '.join(copied.files)}")
    say("")
    table = plain_table("OPERATION", "TAKES", "ANSWERS", "SOAPACTION")
    for operation in port.operations[:SHOWN_OPERATIONS]:
        takes = ", ".join(f"{field.name}: {field.type}" for field in operation.parameters) or "nothing"
        table.add_row(operation.name, takes, _answers(operation), operation.soap_action or '""')
    show(table)
    if len(port.operations) > SHOWN_OPERATIONS:
        say(f"... and {len(port.operations) - SHOWN_OPERATIONS} more operations.")
    if copied.repairs:
        say("")
        repairs = plain_table("FILE", "REPAIRED OR LEFT OUT")
        for repair in copied.repairs:
            repairs.add_row(repair.file, repair.text)
        show(repairs)
    say("")
    say(
        f"Dialect: {guess.dialect}, as {guess.why}."
        + (f" Taken: {choice.dialect}." if choice.dialect != guess.dialect else "")
    )


def _answers(operation: Operation) -> str:
    if operation.one_way:
        return "nothing at all"
    return ", ".join(f"{field.name}: {field.type}" for field in operation.results) or "nothing"


def _tell_made(target: Path) -> None:
    for path in sorted(target.glob("*")):
        if path.is_file() and path.suffix != ".example":
            say(f"made  {path}")
    say("")


def _propose_routes(settings: Settings, name: str, operations: Iterable[str]) -> None:
    routed = {route.operation for route in settings.routes}
    for operation in operations:
        already = "   # has a route already: add the name there" if operation in routed else ""
        print_line("")
        print_line(f"[[routes]]{already}")
        print_line(f'operation = "{operation}"')
        print_line(f'partners = ["{name}"]')


def _propose(settings: Settings, target: Path, choice: skeleton.Choice) -> None:
    _tell_made(target)
    if not is_url(choice.port.address):
        note(f"The WSDL gives no address: write url into {target / 'partner.toml'}.")
    say("Routes to add to gateway.toml, those that are right:")
    _propose_routes(settings, choice.name, [proposal.ours for proposal in choice.proposals])
    say("")
    if choice.dialect == OUR_CONTRACT:
        say(f"It serves our own contract: nothing is mapped. Next: `gateway partner ping {choice.name}`.")
    else:
        say(f"Next: put into the stylesheets what {choice.name} wants, then `gateway partner check {choice.name}`.")


def print_line(text: str) -> None:
    """A line for a file, as it is."""
    typer.echo(text)
