"""Reads the lines of a code table from a CSV or XLSX file, and says what is wrong or doubtful with each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar

from gateway.codes.findings import Finding, Kind
from gateway.codes.lines import LONGEST_CODE, Line, key_of
from gateway.model.code_table import Direction
from gateway.sheets import FileRefused, Number, Row, rows_of

HEADINGS: dict[str, tuple[str, ...]] = {
    "ours": ("本院代码", "本院编码", "院内代码", "院内编码", "Ours", "OurCode"),
    "ours_name": ("本院名称", "院内名称", "OursName", "OurName"),
    "theirs": ("对方代码", "对方编码", "Theirs", "TheirCode"),
    "theirs_name": ("对方名称", "TheirsName", "TheirName"),
    "direction": ("方向", "Direction"),
    "preferred": ("首选", "优先", "Preferred"),
    "valid_from": ("生效日期", "启用日期", "ValidFrom"),
    "valid_to": ("失效日期", "停用日期", "ValidTo"),
    "note": ("备注", "说明", "Note", "Remark"),
}
"""Column -> the headings it is known by; an export has the first of each."""
KNOWN_HEADINGS = (*HEADINGS["ours"], "代码", "编码", "Code")
"""The column of a list of the hospital's own codes."""
DIRECTIONS = {
    Direction.BOTH: ("双向", "", "BOTH", "<->", "↔", "双"),
    Direction.OUT: ("本院到对方", "发出", "出", "本院→对方", "OUT", "->", "→"),
    Direction.IN: ("对方到本院", "接收", "入", "对方→本院", "IN", "<-", "←"),
}
"""Direction -> the words for it; an export has the first of each."""
YES, NO = ("是", "Y", "YES", "1", "TRUE", "√", "T"), ("", "否", "N", "NO", "0", "FALSE", "F")
SEARCHED_ROWS = 20
"""Among how many the headings are looked for: exports begin with titles."""
LONGEST_NAME = 500
FIRST_DAY, LAST_DAY = date(1950, 1, 1), date(2200, 1, 1)
SPREADSHEET_DAYS = (18264, 109575)
"""The same as spreadsheets count days."""
OPEN_END = 2900
"""From this year on a date means that no end is set: 2999-12-31, 9999-12-31."""
UNSET = frozenset({date(1900, 1, 1), date(1, 1, 1)})
"""What some programs write where there is no date."""
EXACT = 10**15
"""Spreadsheets keep fifteen digits of a number and put zeros for the rest."""

_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{4})(\d{2})(\d{2})")
_MIDNIGHT = re.compile(r"[T ]+0?0:00(:00(\.0+)?)?")
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DAMAGED = re.compile(
    rf"\d(\.\d+)?E\+\d+|\d{{1,2}}月\d{{1,2}}日|\d{{1,2}}-({_MONTHS})|({_MONTHS})-\d{{2}}"
    r"|\d{4}/\d{1,2}/\d{1,2}( 0?0:00(:00)?)?"
)
"""What spreadsheet programs make of codes such as 1E5 and 3-1."""
_NO_VALUE = re.compile(
    r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!)|#{3,}|\(?(null|NULL|Null)\)?|NaN|nan|None|\\N"
)
"""What spreadsheets write where a formula has failed, and other programs where there is nothing."""
_DECIMAL = re.compile(r"\d+\.\d+")
_QUOTED = re.compile(r'="(.*)"')
_ZEROS = re.compile(r"0{2,}")

Told = Callable[[int], None]
Meaning = TypeVar("Meaning")


class Reader:
    """Reads one file; `lines` and `findings` are what it found."""

    def __init__(self, path: Path, *, as_written: bool = False, told: Told = lambda done: None) -> None:
        self.path = path
        self.lines: list[Line] = []
        self.findings: list[Finding] = []
        self._as_written = as_written
        self._told = told

    def read(self) -> None:
        """Read all of it. Raises FileRefused when it is no table of codes at all."""
        seen: set[Line] = set()
        with rows_of(self.path, numbers=True) as rows:
            columns = find_columns(self.path, rows, HEADINGS, ("ours", "theirs"))
            for done, (number, cells) in enumerate(rows, 1):
                line = self._line(number, {name: _at(cells, place) for name, place in columns.items()})
                if line is not None and line in seen:
                    self._find(Kind.REPEATED, number, line.ours, "The same row stands above.")
                elif line is not None:
                    seen.add(line)
                    self.lines.append(line)
                if done % 1000 == 0:
                    self._told(done)
        self._find_lost_zeros()
        self._find_added_decimals()

    def _find(self, kind: Kind, number: int, code: str, text: str) -> None:
        self.findings.append(Finding(kind, text, code, number))

    def _line(self, number: int, cells: Mapping[str, object]) -> Line | None:
        """The row as a line; None when nothing is in it, or it cannot be used."""
        if not any(text_of(cell) for cell in cells.values()):
            return None
        before = len(self.findings)
        ours, theirs = (self._code(number, name, cells.get(name)) for name in ("ours", "theirs"))
        direction = self._word(number, ours, "direction", cells.get("direction"), _DIRECTION_WORDS)
        preferred = self._word(number, ours, "preferred", cells.get("preferred"), _PREFERRED_WORDS)
        begins, ends = (self._day(number, ours, name, cells.get(name)) for name in ("valid_from", "valid_to"))
        names = [self._text(number, ours, name, cells.get(name)) for name in ("ours_name", "theirs_name", "note")]
        if begins is not None and ends is not None and ends <= begins:
            self._find(Kind.DATE, number, ours, f"It would end on {ends}, which is not after {begins}.")
        if not ours or not theirs:
            whose = "of ours" if not ours else "of theirs"
            self._find(Kind.EMPTY, number, ours or theirs, f"The row has no code {whose} and is left out.")
            return None
        if any(finding.kind.stops for finding in self.findings[before:]):
            return None
        return Line(ours, theirs, names[0], names[1], direction, preferred, begins, ends, names[2], number)

    # --- cells --------------------------------------------------------------------------------------------------------

    def _code(self, number: int, name: str, cell: object) -> str:
        code, damage = code_of(cell)
        column = HEADINGS[name][0]
        if damage and not (self._as_written and isinstance(cell, str)):
            self._find(Kind.SPREADSHEET, number, code, f"{column}: {damage}")
        elif isinstance(cell, Number) and not _ZEROS.fullmatch(cell.format):
            self._find(Kind.NUMBER, number, code, f"{column}: it is a number in the file: a leading zero is lost.")
        if len(code) > LONGEST_CODE:
            self._find(Kind.LONG, number, code[:20], f"{column}: it is longer than {LONGEST_CODE} characters.")
        return code

    def _text(self, number: int, code: str, name: str, cell: object) -> str:
        text = text_of(cell)
        if len(text) > LONGEST_NAME:
            self._find(Kind.LONG, number, code, f"{HEADINGS[name][0]}: it is longer than {LONGEST_NAME} characters.")
        return text

    def _day(self, number: int, code: str, name: str, cell: object) -> date | None:
        try:
            return day_of(cell)
        except ValueError:
            self._find(Kind.DATE, number, code, f"{HEADINGS[name][0]}: a day is expected, such as 2026-11-24.")
            return None

    def _word(self, number: int, code: str, name: str, cell: object, words: Mapping[str, Meaning]) -> Meaning:
        word = key_of(text_of(cell)).upper()
        if word not in words:
            known = ", ".join(dict.fromkeys(w for w in words if w and not w.isascii()))
            self._find(Kind.WORD, number, code, f"{HEADINGS[name][0]}: one of {known} is expected.")
        return words.get(word, words[""])

    def _find_lost_zeros(self) -> None:
        """Where a column has codes such as 0577, shorter ones made of digits may have lost theirs."""
        for name in ("ours", "theirs"):
            codes = [(line, str(getattr(line, name))) for line in self.lines]
            widths = {len(code) for _, code in codes if code.startswith("0") and code.isdecimal() and len(code) > 1}
            if len(widths) != 1:
                continue
            width = widths.pop()
            for line, code in codes:
                if code.isdecimal() and len(code) < width and code != "0":
                    text = f"{HEADINGS[name][0]}: others have {width} digits with leading zeros: {code.zfill(width)}?"
                    self._find(Kind.ZEROS, line.number, code, text)

    def _find_added_decimals(self) -> None:
        """Where all numbers of a column end in .0 a program has made numbers of codes, as pandas does."""
        for name in ("ours", "theirs"):
            codes = [(line, str(getattr(line, name))) for line in self.lines]
            ended = [(line, code) for line, code in codes if _DECIMAL.fullmatch(code) and code.endswith(".0")]
            if self._as_written or len(ended) < sum(code[:1].isdecimal() for _, code in codes):
                continue
            for line, code in ended:
                text = f"{HEADINGS[name][0]}: a program has made a number of {code[:-2]}: export the column as text."
                self._find(Kind.SPREADSHEET, line.number, code, text)


_DIRECTION_WORDS = {word.upper(): direction for direction, words in DIRECTIONS.items() for word in words}
_PREFERRED_WORDS = {word: meaning for words, meaning in ((NO, False), (YES, True)) for word in words}


def known_codes(path: Path) -> dict[str, str]:
    """The hospital's own codes from a list of them, as they are looked up -> as they are written.

    Raises FileRefused.
    """
    with rows_of(path, numbers=True) as rows:
        place = find_columns(path, rows, {"code": KNOWN_HEADINGS}, ("code",))["code"]
        codes = (code_of(_at(cells, place))[0] for _, cells in rows)
        return {key_of(code): code for code in codes if code}


def find_columns(
    path: Path, rows: Iterator[Row], headings: Mapping[str, Iterable[str]], needed: Iterable[str]
) -> dict[str, int]:
    """Where each column stands. Raises FileRefused."""
    words = {_heading(word): name for name, known in headings.items() for word in known}
    for number, cells in rows:
        found: dict[str, int] = {}
        for place, cell in enumerate(cells):
            name = words.get(_heading(text_of(cell)))
            if name in found:
                raise FileRefused(path.name, f"Two columns mean {name}.", "有两列含义相同。", line=number)
            if name is not None:
                found[name] = place
        if all(name in found for name in needed):
            return found
        if number >= SEARCHED_ROWS:
            break
    names = " and ".join(next(iter(headings[name])) for name in needed)
    raise FileRefused(path.name, f"No row with the headings {names} was found.", "没有找到表头。")


def code_of(cell: object) -> tuple[str, str]:
    """A code as text, and what a spreadsheet program has made of it, if it has."""
    if isinstance(cell, Number):
        return _number_as_code(cell)
    if isinstance(cell, (date, datetime, time, timedelta)):
        return str(cell), "A spreadsheet has turned it into a date or time: format the column as text, type it again."
    text = text_of(cell)
    if _DAMAGED.fullmatch(text):
        return text, "A spreadsheet seems to have made this of another code: format the column as text, type it again."
    if _NO_VALUE.fullmatch(text):
        return text, "A program writes this where a formula has failed or nothing is: give the code, or leave it empty."
    return text, ""


def _number_as_code(cell: Number) -> tuple[str, str]:
    value, shown = cell.value, cell.format
    if isinstance(value, float) and not value.is_integer():
        return str(value), "It is a number with decimals in the file: zeros at its end are lost. Format it as text."
    if "E+" in shown.upper() or abs(value) >= EXACT:
        return str(value), "A spreadsheet has turned it into a large number: format the column as text, type it again."
    text = str(int(value))
    return (text.zfill(len(shown)) if _ZEROS.fullmatch(shown) else text), ""


def text_of(cell: object) -> str:
    """Any cell as plain text, without what cannot be seen."""
    if cell is None:
        return ""
    if isinstance(cell, Number):
        value = cell.value
        return str(int(value)) if isinstance(value, int) or value.is_integer() else str(value)
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, datetime) and cell.time() == time():
        return str(cell.date())
    text = str(cell)
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    text = text.strip().strip("\ufeff\u200b").strip()
    found = _QUOTED.fullmatch(text)
    if found is not None:
        return found[1].strip()
    return text[1:].strip() if len(text) > 1 and text[0] == "'" else text


def day_of(cell: object) -> date | None:
    """A day in any of the forms hospitals write; None when none is set. Raises ValueError."""
    if isinstance(cell, datetime):
        day = cell.date()
    elif isinstance(cell, date):
        day = cell
    elif isinstance(cell, Number) and SPREADSHEET_DAYS[0] <= cell.value <= SPREADSHEET_DAYS[1]:
        day = date(1899, 12, 30) + timedelta(days=int(cell.value))
    else:
        text = key_of(text_of(cell))
        if not text:
            return None
        found = _DAY.match(text)
        if found is None or (text[found.end() :] and not _MIDNIGHT.fullmatch(text[found.end() :])):
            raise ValueError
        day = date(*(int(part) for part in found.groups() if part is not None))
    if day in UNSET or day.year >= OPEN_END:
        return None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError
    return day


def _heading(text: str) -> str:
    return re.sub(r"\(.*|[\s_*]", "", key_of(text)).upper()


def _at(cells: list[object], place: int) -> object:
    return cells[place] if place < len(cells) else None
