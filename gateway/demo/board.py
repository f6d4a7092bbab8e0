"""Shows on the terminal what travels where, what was checked at whose side, and a table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

WIDTH, WIDTH_WITH_TIMES = 100, 84
"""A line of the board needs so many columns; a narrower terminal is shown less of each."""
COLOURS = {
    "HIS": "cyan",
    "PACS": "magenta",
    "LIS": "blue",
    "EMR": "green",
    "YB": "red",
    "DUTY": "yellow",
    "gateway": "bold",
}


class StoryFailed(Exception):
    """What was expected where, and what was found instead; one line."""


@dataclass(slots=True)
class Result:
    """How a story went."""

    number: int
    title: str
    chinese: str
    checks: int = 0
    messages: int = 0
    seconds: float = 0
    failure: str = ""


class Board:
    """What the demonstration writes; `lines` of one story after the other, then `table`."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _console()
        self.results: list[Result] = []

    def say(self, text: str, style: str = "dim") -> None:
        """A line about the demonstration itself."""
        self.console.print(Text(text, style))

    def started(self, what: str, where: str, seconds: float) -> None:
        """A part that runs from now on, and how long after the beginning."""
        line = Table.grid(padding=(0, 2))
        line.add_column(width=7, justify="right")
        line.add_column(width=16)
        line.add_column(overflow="fold")
        line.add_row(Text(_duration(seconds), "dim"), what, Text(where, "dim"))
        self.console.print(line)

    @contextmanager
    def story(self, number: int, title: str, chinese: str) -> Iterator[None]:
        """The lines in between belong to one story; what goes wrong in it is noted, and the next one begins."""
        result = Result(number, title, chinese)
        self.results.append(result)
        self.console.print()
        self.console.rule(Text(f"{result.number}  {title}", "bold"), align="left", style="dim")
        self.console.print(Text(f"   {chinese}", "dim"))
        begun = time.monotonic()
        try:
            yield
        except StoryFailed as failure:
            result.failure = str(failure)
        except Exception as problem:  # whatever went wrong, the story did not go as it must
            result.failure = f"{type(problem).__name__}: {problem}"
        if result.failure:
            self.console.print(Text(f"  ✗ {result.failure}", "bold red"))
        result.seconds = time.monotonic() - begun

    def travel(
        self, sender: str, receiver: str, operation: str, what: str, code: str, said: str, seconds: float
    ) -> None:
        """One message on its way: from a system to the gateway, or from the gateway to a system."""
        if self.results:
            self.results[-1].messages += 1
        cells: list[tuple[int, Text, JustifyMethod]] = [
            (22, _way(sender, receiver), "left"),
            (24, Text(operation), "left"),
            (20, Text(what), "left"),
            (7, Text(code, "green" if code == "0" else "yellow"), "left"),
        ]
        if self.console.width >= WIDTH:
            cells.append((15, Text(said, "dim"), "left"))
        if self.console.width >= WIDTH_WITH_TIMES:
            cells.append((7, Text(_duration(seconds), "dim"), "right"))
        line = Table.grid(padding=(0, 1))
        for width, _, side in cells:
            line.add_column(width=width, justify=side, no_wrap=True, overflow="ellipsis")
        line.add_row(*(text for _, text, _ in cells))
        self.console.print(line)

    def note(self, text: str) -> None:
        """Something that happens without a message: a system is stopped, a fault is switched on."""
        self.console.print(Text(f"  • {text}", "yellow"))

    def check(self, sentence: str, found: Any, expected: Any) -> None:
        """Compare what was found at a partner's side, or in an answer. Raises StoryFailed."""
        if found != expected:
            raise StoryFailed(f"{sentence}: expected {expected!r}, found {found!r}")
        self.results[-1].checks += 1
        self.console.print(Text("  ✓ ", "green").append(sentence, "default"))

    def wait_for(self, sentence: str, look: Callable[[], Any], expected: Any, seconds: float) -> None:
        """Check again and again until it is so. Raises StoryFailed when the time is over."""
        deadline = time.monotonic() + seconds
        while (found := look()) != expected and time.monotonic() < deadline:
            time.sleep(0.05)
        self.check(sentence, found, expected)

    @property
    def failed(self) -> bool:
        return any(result.failure for result in self.results)

    def addresses(self, places: Mapping[str, str]) -> None:
        """Where what runs on is found."""
        table = Table.grid(padding=(0, 2))
        for name, place in places.items():
            table.add_row(Text(f"  {name}", "dim"), place)
        self.console.print()
        self.console.print(table)
        self.console.print()
        self.console.print(Text("  Serving until Ctrl-C.", "bold"))

    def table(self, total: float) -> None:
        """All stories with their checks and times; `total` are the seconds since the very start."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("")
        table.add_column("story")
        for title in ("messages", "checks", "time"):
            table.add_column(title, justify="right", no_wrap=True)
        for result in self.results:
            mark = Text("✗", "bold red") if result.failure else Text("✓", "green")
            name = Text(f"{result.number}  {result.title}", "red" if result.failure else "default")
            table.add_row(mark, name, str(result.messages), str(result.checks), _duration(result.seconds))
        sums = [sum(values) for values in zip(*((r.messages, r.checks) for r in self.results), strict=True)]
        table.add_section()
        table.add_row(
            "",
            Text("in all, starting included", "bold"),
            *(Text(str(value), "bold") for value in sums),
            _duration(total),
        )
        self.console.print()
        self.console.rule(style="dim")
        self.console.print(table)
        for result in self.results:
            if result.failure:
                self.console.print(Text(f"✗ {result.number}  {result.failure}", "bold red"))


def _console() -> Console:
    """As wide as the terminal, but never wider than can be read; plain text goes into a file or a pipe."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return console


def _way(sender: str, receiver: str) -> Text:
    """`PACS → gateway` at the left, `gateway → PACS` one step further right."""
    way = Text("  " if receiver == "gateway" else " " * 8)
    way.append(f"{sender:>4}" if receiver == "gateway" else sender, COLOURS.get(sender, ""))
    return way.append(" → ", "dim").append(receiver, COLOURS.get(receiver, ""))


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
