"""Writes a code table into a file that can be imported again as it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from gateway.codes.lines import Line
from gateway.codes.reading import DIRECTIONS, HEADINGS, NO, YES
from gateway.sheets import write_rows


def write_lines(path: Path, lines: Iterable[Line]) -> None:
    """CSV, or XLSX by the name of the file."""
    write_rows(path, [headings[0] for headings in HEADINGS.values()], (_cells(line) for line in lines))


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.ours,
        line.ours_name,
        line.theirs,
        line.theirs_name,
        DIRECTIONS[line.direction][0],
        YES[0] if line.preferred else NO[0],
        _day(line.valid_from),
        _day(line.valid_to),
        line.note,
    )


def _day(day: date | None) -> str:
    return day.isoformat() if day is not None else ""
