"""How the commands speak: what was asked for on standard output, a mistake in one line on standard error."""

from __future__ import annotations

import io
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from lxml import etree
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.syntax import Syntax
from rich.table import Table

FAILED = 1
"""What was asked for could not be done."""
WRONG = 2
"""The command or the settings are wrong: nothing was tried."""

PLAIN_FROM = 20
"""Fewer things than these are done before a line about them is read."""

Folder = Annotated[
    Path,
    typer.Option("--folder", envvar="GATEWAY_FOLDER", help="The site's folder, with gateway.toml.", show_default="."),
]
HERE = Path(".")


class Failure(Exception):
    """What the command could not do, as one line for the person at the terminal, with the exit code."""

    def __init__(self, text: str, code: int = FAILED) -> None:
        super().__init__(text)
        self.code = code


def one_line(text: str) -> str:
    """The text without line breaks and without characters that steer a terminal."""
    return " ".join("".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text).split())


def say(text: str, indent: int = 0) -> None:
    """One line of what was asked for."""
    sys.stdout.write(" " * indent + _marks(one_line(text)) + "\n")
    sys.stdout.flush()


def forgive_characters() -> None:
    """Write what the terminal's charset does not have as its number; it would end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _marks(text: str) -> str:
    """A tick and a cross stay apart where the charset has neither, as GBK."""
    try:
        "✓✗".encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return text.replace("✓", "ok").replace("✗", "NO")
    return text


def note(text: str) -> None:
    """One line about it, for a person and not for a script."""
    sys.stderr.write(one_line(text) + "\n")
    sys.stderr.flush()


def show(table: Table) -> None:
    """A table as wide as the terminal, or as its contents when it goes into a file or a pipe.

    On a terminal so narrow that words would be broken, each row is shown by itself.
    """
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = 400
        console.print(table)
        return
    for column in table.columns:
        column.no_wrap = not any(" " in str(part) for part in (column.header, *column.cells))
    if Measurement.get(console, console.options.update(max_width=400), table).minimum <= console.width:
        console.print(table)
        return
    for row in zip(*(column.cells for column in table.columns), strict=True):
        console.print(_by_itself(table, row), "")


def _by_itself(table: Table, row: tuple[RenderableType, ...]) -> Table:
    """One row as lines of heading and value; what is empty is left out."""
    lines = Table.grid(padding=(0, 2, 0, 0))
    lines.add_column(style="bold", no_wrap=True)
    lines.add_column(overflow="fold")
    for column, value in zip(table.columns, row, strict=True):
        if value != "":
            lines.add_row(column.header, value)
    return lines


def plain_table(*columns: str) -> Table:
    """A table without frames, as lists are printed."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def show_xml(element: etree._Element) -> None:
    """A message, indented, and in colours where a person looks."""
    shown = etree.fromstring(etree.tostring(element, encoding="utf-8", with_tail=False), _blankless())
    etree.indent(shown)
    text = etree.tostring(shown, encoding="unicode")
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    if console.is_terminal:
        console.print(Syntax(text, "xml", background_color="default", word_wrap=True))
    else:
        sys.stdout.write(text + "\n")


def _blankless() -> etree.XMLParser:
    return etree.XMLParser(remove_blank_text=True, no_network=True, resolve_entities=False, huge_tree=True)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int, str], None]]:
    """A bar on standard error, told how many are done and what is going on; without an end when nobody knows it.

    Where nobody looks it is a plain line every tenth, and nothing for small work.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        told = [0]

        def tell(done: int, doing: str = "") -> None:
            tenth = done * 10 // total if total else 10
            if total and total >= PLAIN_FROM and tenth > told[0]:
                told[0] = tenth
                note(f"{what}: {done:,} of {total:,}{f', {doing}' if doing else ''}")

        yield tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[doing]}"), console=console) as bar:
        task = bar.add_task(what, total=total, doing="")

        def move(done: int, doing: str = "") -> None:
            bar.update(task, completed=done, doing=doing)

        yield move


def is_wanted(yes: bool, question: str) -> bool:
    """Whether to go on: by --yes, or by the answer of a person at the terminal; a script has to say --yes."""
    if yes:
        return True
    if sys.stdin.isatty() and sys.stdout.isatty():
        return typer.confirm(question, default=False)
    note("Nothing is changed: add --yes to do it.")
    return False


def read_password() -> str:
    """The first line of standard input."""
    if sys.stdin.isatty():
        raise Failure("--password-stdin reads standard input: pipe the password into the command.", WRONG)
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Failure("Standard input holds no password: write it as the first line.", WRONG)
    return password
