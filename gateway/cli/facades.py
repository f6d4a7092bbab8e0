"""Commands about facades: which there are, a new one from a set that ships, and whether one works."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from lxml import etree

from gateway.cli.terminal import FAILED, HERE, WRONG, Failure, Folder, note, plain_table, say, show
from gateway.config import Settings, load_settings, read_facade
from gateway.contract import Contract
from gateway.facade_config import FACADE_NAME, Facade
from gateway.mapping.codes import NoCodeTables
from gateway.mapping.errors import StylesheetBroken
from gateway.mapping.stylesheet import STANDARD, STANDARD_FOLDER
from gateway.messages.wire import Wire

SETS = STANDARD_FOLDER / "facades"
SETTINGS = "facade.toml"
Name = Annotated[str, typer.Argument(metavar="NAME", help="The facade, as its folder is named.")]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Doors for vendors that only send strings.")
    group.command("list")(list_facades)
    group.command("add")(add)
    group.command("check")(check)
    app.add_typer(group, name="facade")


def list_facades(folder: Folder = HERE) -> None:
    """The site's facades with their addresses, and the sets that ship."""
    settings = load_settings(folder)
    table = plain_table("FACADE", "ADDRESS", "STYLE", "CALLERS", "FUNCTIONS")
    for facade in settings.facades:
        functions = "every operation" if is_whole(facade) else ", ".join(facade.functions)
        table.add_row(facade.name, address(settings, facade), facade.style, callers(facade), functions)
    show(table)
    note(f"Sets that ship, for `gateway facade add NAME --from SET`: {', '.join(sets())}.")
    for facade in settings.facades:
        for said in warnings(facade):
            note(f"{facade.name}: {said}.")


def add(
    name: Name,
    source: Annotated[str, typer.Option("--from", metavar="SET", help="One of the sets that ship.")],
    folder: Folder = HERE,
) -> None:
    """Make a facade of a set: its settings, stylesheets and samples, to be changed. Nothing is overwritten."""
    if source not in sets():
        raise Failure(f"There is no set {source}; there are {', '.join(sets())}.", WRONG)
    if not re.fullmatch(FACADE_NAME, name):
        raise Failure(
            f"A facade's name, the end of its address, has 1 to 40 letters, digits, - and _, such as PACS; {name} has "
            "not.",
            WRONG,
        )
    target = folder / "facades" / name
    if target.exists():
        raise Failure(f"{target} exists already and is never overwritten.")
    if not (folder / "gateway.toml").is_file():
        raise Failure(f"{folder} is no site: there is no gateway.toml.", WRONG)
    staged = target.with_name(f".{name}.new")
    shutil.rmtree(staged, ignore_errors=True)
    try:
        _copy(SETS / source, staged)
        read_facade(staged / SETTINGS, name)
        staged.rename(target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    for path in sorted(target.rglob("*")):
        if path.is_file():
            say(f"made  {path}")
    note(f"Now say in {target / SETTINGS} who calls, then `gateway facade check {name}`, and restart the gateway.")


def check(
    name: Name,
    in_full: Annotated[bool, typer.Option("--show", help="Show what becomes of each sample.")] = False,
    folder: Folder = HERE,
) -> None:
    """Compile a facade and run its samples both ways; exit code 1 if anything is wrong. No database is needed.

    Codes stay as they are. A sample is the string of one message, named after its function: samples/ReportStatus.xml.
    """
    from gateway.facades.door import Door
    from gateway.facades.translation import Lenient
    from gateway.facades.trial import Trials

    settings = load_settings(folder)
    facade = found(settings, name)
    broken = list(compiled(facade))
    for problem in broken:
        say(f"✗ {problem}")
    if broken:
        raise Failure(f"{len(broken)} of the above must be put right.", FAILED)
    say(f"✓ {facade.style} at {address(settings, facade)}, called by {callers(facade)}")
    for said in warnings(facade):
        note(f"{name}: {said}.")
    contract = Contract()
    trials = Trials(
        Door(facade),
        contract,
        Wire(contract, settings.zone),
        Lenient(NoCodeTables()),
        datetime.now(settings.zone),
    )
    tried = list(trials.run())
    for trial in tried:
        say(f"{'✗' if trial.problem else '✓'} {trial.sample.name}: {trial.problem or trial.operation}")
        if in_full and not trial.problem:
            _print(trial.request, *trial.answers)
    if not tried:
        note(f"There are no samples: put strings as the vendor sends them into {facade.folder / 'samples'}.")
    wrong = sum(1 for trial in tried if trial.problem)
    if wrong:
        raise Failure(f"{wrong} of {len(tried)} samples cannot be taken.", FAILED)


# --- what `gateway check` wants to know too ---------------------------------------------------------------------------


def compiled(facade: Facade) -> Iterator[str]:
    """What is wrong with its stylesheets, and with the operations it names."""
    from gateway.facades.door import Door

    known = {operation.name for operation in Contract().operations}
    for function, carried_out in facade.functions.items():
        if carried_out.operation and carried_out.operation not in known:
            yield f"functions.{function}: our contract has no operation {carried_out.operation}"
    translation = Door(facade).translation
    for sheet in dict.fromkeys(translation.sheets()):
        try:
            translation.sheet(sheet)
        except StylesheetBroken as problem:
            yield str(problem)


def warnings(facade: Facade) -> Iterator[str]:
    """What makes it weaker than others."""
    if facade.addresses:
        networks = ", ".join(map(str, facade.addresses))
        yield f"whoever calls from {networks} is {facade.client} without any proof; behind a proxy everybody is"


def found(settings: Settings, name: str) -> Facade:
    """The facade of that name."""
    for facade in settings.facades:
        if facade.name == name:
            return facade
    known = ", ".join(facade.name for facade in settings.facades) or "none"
    raise Failure(f"There is no facade {name}; known are: {known}.", WRONG)


def address(settings: Settings, facade: Facade) -> str:
    """Where a vendor calls it."""
    return f"{settings.endpoint.removesuffix('/soap')}/facade/{facade.name}"


def callers(facade: Facade) -> str:
    """Who may call, and how that is proven."""
    who = facade.client or "any client"
    return f"{who}, by address" if facade.addresses else f"{who}, by password"


def is_whole(facade: Facade) -> bool:
    """Whether its functions are the operations of our contract, by their own names."""
    return set(facade.functions) == {operation.name for operation in Contract().operations}


def sets() -> list[str]:
    """The sets that ship."""
    return sorted(path.parent.name for path in SETS.glob(f"*/{SETTINGS}"))


def _copy(source: Path, target: Path) -> None:
    """The files of a set, and of the set whose stylesheets it shares, so that all of them can be changed."""
    shutil.copytree(source, target)
    settings = target / SETTINGS
    text = settings.read_text("utf-8")
    for other in sets():
        shared = f"{STANDARD}facades/{other}/"
        if shared in text:
            ignored = shutil.ignore_patterns(SETTINGS)
            shutil.copytree(SETS / other, target, ignore=ignored, dirs_exist_ok=True)
            text = text.replace(shared, "")
    settings.write_text(text, "utf-8")


def _print(*texts: str) -> None:
    for text in texts:
        try:
            root = etree.fromstring(text, etree.XMLParser(remove_blank_text=True, resolve_entities=False))
            lines = etree.tostring(root, pretty_print=True, encoding="unicode").splitlines()
        except etree.XMLSyntaxError:
            lines = text.splitlines()
        for line in lines:
            typer.echo(f"    {line}")
