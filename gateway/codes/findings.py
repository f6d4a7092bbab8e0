"""What is wrong or doubtful in a code table: contradictions, gaps, copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum

from gateway.codes.lines import Line, Lookup, key_of


class Kind(Enum):
    """What was found. Its first word is how it is called, the second whether it stops an import."""

    DATE = ("bad date", True)
    SPREADSHEET = ("changed by a spreadsheet", True)
    WORD = ("unknown word", True)
    LONG = ("too long", True)
    CONTRADICTION = ("contradiction", True)
    EMPTY = ("empty code", False)
    REPEATED = ("repeated row", False)
    DUPLICATE = ("duplicate", False)
    AMBIGUOUS = ("several of ours", False)
    NUMBER = ("number", False)
    ZEROS = ("leading zeros lost?", False)
    GAP = ("gap in time", False)
    NOT_TODAY = ("not valid today", False)
    NO_ROW = ("no row", False)

    @property
    def words(self) -> str:
        return self.value[0]

    @property
    def stops(self) -> bool:
        """Whether nothing of a file with it is taken."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    kind: Kind
    text: str
    code: str
    number: int = 0
    """The row in the file; 0 when it is about no single row."""


def check(lines: Sequence[Line], today: date, known: Mapping[str, str] | None = None) -> list[Finding]:
    """What is to be said about lines as a whole; `known` are codes of ours that ought to have a row."""
    findings: list[Finding] = []
    for outbound in (True, False):
        groups: dict[str, list[Line]] = defaultdict(list)
        for line in lines:
            if line.is_read(outbound=outbound):
                groups[key_of(line.code(outbound=outbound))].append(line)
        for group in groups.values():
            findings += _of_group(group, today, outbound=outbound)
    if known is not None:
        lookup = Lookup(lines)
        findings += [
            Finding(Kind.NO_ROW, "This code of ours has no row that counts today.", code)
            for key, code in known.items()
            if not lookup.has(key, outbound=True, on=today)
        ]
    return findings


def _of_group(group: list[Line], today: date, *, outbound: bool) -> Iterator[Finding]:
    """Of the lines that answer for one code."""
    if len(group) > 1:
        yield from _clashes(group, outbound=outbound)
        if outbound:
            yield from _copies(group)
            yield from _gaps(group)
    if outbound and not any(line.begins <= today < line.ends for line in group):
        text = "No row of this code counts today: none yet, or none any more."
        yield Finding(Kind.NOT_TODAY, text, group[0].ours, group[0].number)


def _clashes(group: list[Line], *, outbound: bool) -> Iterator[Finding]:
    """The first day on which a code has several answers and nobody can tell which is meant."""
    for day in sorted({line.begins for line in group} | {line.ends for line in group}):
        valid = [line for line in group if line.begins <= day < line.ends]
        answers = {line.code(outbound=not outbound) for line in valid}
        preferred = {line.code(outbound=not outbound) for line in valid if line.preferred}
        if len(answers) > 1 and len(preferred) != 1:
            yield _clash(valid, answers, day, outbound=outbound)
            return


def _clash(valid: list[Line], answers: set[str], day: date, *, outbound: bool) -> Finding:
    shown = ", ".join(sorted(answers)[:5]) + (" ..." if len(answers) > 5 else "")
    rows = ", ".join(str(line.number) for line in valid[:5] if line.number)
    where = (f" (rows {rows})" if rows else "") + (f" from {day}" if day != date.min else "")
    code = valid[0].code(outbound=outbound)
    if outbound:
        text = f"It is {shown} at the partner{where}: prefer one, give one way only, or end one."
        return Finding(Kind.CONTRADICTION, text, code, valid[-1].number)
    text = f"Theirs is {shown} of ours{where} and none is preferred: on the way in it counts as unmapped."
    return Finding(Kind.AMBIGUOUS, text, code, valid[-1].number)


def _copies(group: list[Line]) -> Iterator[Finding]:
    by_answer: dict[str, list[Line]] = defaultdict(list)
    for line in group:
        by_answer[line.theirs].append(line)
    for same in by_answer.values():
        last: Line | None = None
        for line in sorted(same, key=lambda one: (one.begins, one.ends)):
            if (
                last is not None
                and line.begins < last.ends
                and line.is_read(outbound=False) == last.is_read(outbound=False)
            ):
                yield Finding(
                    Kind.DUPLICATE, f"Row {last.number} says the same for these days.", line.ours, line.number
                )
            if last is None or line.ends > last.ends:
                last = line


def _gaps(group: Iterable[Line]) -> Iterator[Finding]:
    end: date | None = None
    for line in sorted(group, key=lambda one: one.begins):
        if end is not None and line.begins > end:
            text = f"It has no row from {end} until {line.begins}."
            yield Finding(Kind.GAP, text, line.ours, line.number)
        end = line.ends if end is None else max(end, line.ends)
