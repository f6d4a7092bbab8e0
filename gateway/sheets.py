"""Reads the table in a CSV or XLSX file row by row, whatever a hospital's export looks like, and writes one."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

LARGEST_FILE = 200 * 1024 * 1024
LARGEST_UNPACKED = 1024 * 1024 * 1024
LONGEST_CELL = 4096
DELIMITERS = ("\t", ";", "|", ",")
UNUSABLE = (
    InvalidFileException, zipfile.BadZipFile, zlib.error, EOFError, SyntaxError, LookupError, ValueError, TypeError,
    AttributeError,
)  # fmt: skip
"""What a damaged workbook raises when it is opened, or when its rows are read; a SyntaxError is one of its XML."""
_PIECE = 1024 * 1024
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*%?")

Row = tuple[int, list[object]]
"""The number of a row in its file, from 1, and its cells."""


class FileRefused(Exception):
    """Why a file cannot be used, with the row and column where there is one; in one line, without any value."""

    def __init__(self, name: str, english: str, chinese: str, *, line: int = 0, column: str = "") -> None:
        place = f", row {line}" if line else ""
        place += f", column {column}" if column else ""
        super().__init__(f"{name}{place}: {english} {chinese}")


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a spreadsheet, and how the program shows it."""

    value: int | float
    format: str


@contextmanager
def rows_of(path: Path, *, numbers: bool = False) -> Iterator[Iterator[Row]]:
    """The rows of the first sheet, or of the text. Raises FileRefused, also while they are read.

    With `numbers` those of a spreadsheet come as Number: what is shown as 0577 may be kept as 577.
    """
    _check_size(path)
    if zipfile.is_zipfile(path):
        with _workbook(path, numbers) as rows:
            yield rows
    elif path.read_bytes()[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise FileRefused(
            path.name,
            "This is an old Excel file: save it as .xlsx or .csv.",
            "旧版 Excel 文件，请另存为 .xlsx 或 .csv。",
        )
    else:
        with path.open(encoding=_encoding(path), newline="") as file:
            yield _text_rows(path, file)


def _check_size(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as problem:
        raise FileRefused(path.name, f"It cannot be read: {problem.strerror}.", "文件无法读取。") from None
    if not path.is_file():
        raise FileRefused(path.name, "It is no file.", "不是文件。")
    if size == 0:
        raise FileRefused(path.name, "The file is empty.", "文件为空。")
    if size > LARGEST_FILE:
        raise FileRefused(path.name, f"It is larger than {LARGEST_FILE >> 20} MB.", "文件过大。")


# --- text -------------------------------------------------------------------------------------------------------------


def _encoding(path: Path) -> str:
    """UTF-8 where every byte fits it, else GB18030, which holds GBK and GB2312; UTF-16 by its mark."""
    with path.open("rb") as file:
        head = file.read(4)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        try:
            while piece := file.read(_PIECE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "gb18030"
    return "utf-8-sig"


def _text_rows(path: Path, file: io.TextIOWrapper) -> Iterator[Row]:
    line = 0
    try:
        lines = (text.replace("\0", "") for text in file)
        reader = csv.reader(lines, delimiter=_delimiter(file), strict=True)
        for cells in reader:
            line = reader.line_num
            if any(len(cell) > LONGEST_CELL for cell in cells):
                raise FileRefused(path.name, "A cell is too long: is a quote missing?", "单元格过长。", line=line)
            yield line, list(cells)
    except UnicodeDecodeError:
        raise FileRefused(
            path.name, "It is neither UTF-8 nor GB18030.", "编码既不是 UTF-8 也不是 GB18030。", line=line + 1
        ) from None
    except csv.Error:
        raise FileRefused(path.name, "The quotes do not fit.", "引号不匹配。", line=line + 1) from None


def _delimiter(file: io.TextIOWrapper) -> str:
    """The one that the first rows hold most often outside quotes; a comma when none is there."""
    try:
        head = "".join(file.readline(65536) for _ in range(10))
    finally:
        file.seek(0)
    plain = "".join(part for position, part in enumerate(head.split('"')) if position % 2 == 0)
    return max(DELIMITERS, key=lambda delimiter: (plain.count(delimiter), delimiter == ","))


# --- spreadsheets -----------------------------------------------------------------------------------------------------


@contextmanager
def _workbook(path: Path, numbers: bool) -> Iterator[Iterator[Row]]:
    _check_package(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations nobody needs here
            book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except UNUSABLE:
        raise _no_workbook(path) from None
    try:
        if not book.worksheets:
            raise _no_workbook(path)
        sheet: Any = book.worksheets[0]
        sheet.reset_dimensions()  # some programs write wrong ones
        yield _sheet_rows(path, sheet, numbers)
    finally:
        book.close()


def _sheet_rows(path: Path, sheet: Any, numbers: bool) -> Iterator[Row]:
    try:
        for number, cells in enumerate(sheet.iter_rows(values_only=not numbers), 1):
            yield number, [_exact(cell) for cell in cells] if numbers else list(cells)
    except UNUSABLE:
        raise _no_workbook(path) from None


def _exact(cell: Any) -> object:
    value = cell.value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Number(value, cell.number_format)
    return value


def _check_package(path: Path) -> None:
    """Neither a bomb nor a document type with entities: both are harmless in no office program's own files."""
    try:
        with zipfile.ZipFile(path) as package:
            if sum(part.file_size for part in package.infolist()) > LARGEST_UNPACKED:
                raise FileRefused(path.name, "It is too large when unpacked.", "解压后过大。")
            for part in package.infolist():
                if part.filename.endswith((".xml", ".rels")):
                    with package.open(part) as content:
                        if b"<!" in content.read(4096).replace(b"<!--", b""):
                            raise _no_workbook(path)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError):
        raise _no_workbook(path) from None


def _no_workbook(path: Path) -> FileRefused:
    return FileRefused(path.name, "It is no usable .xlsx file.", "不是可用的 .xlsx 文件。")


# --- writing ----------------------------------------------------------------------------------------------------------


def write_rows(path: Path, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table of text, as XLSX if the file is called so and else as CSV that spreadsheet programs read as UTF-8.

    Beside it, then in its place: nobody ever opens half of it. In a workbook every cell is text and stays as written;
    in CSV what a spreadsheet program would take for a formula gets an apostrophe (`harmless`).
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.suffix.lower() == ".xlsx":
            _write_workbook(beside, headings, rows)
        else:
            with beside.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(headings)
                writer.writerows([harmless(cell) for cell in row] for row in rows)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def harmless(cell: str) -> str:
    """A cell of a CSV that no spreadsheet program carries out, whatever a sender has written into a code or a name."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def _write_workbook(path: Path, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet("1")
    sheet.freeze_panes = "A2"
    for number in range(len(headings)):
        sheet.column_dimensions[get_column_letter(number + 1)].width = 18
    sheet.append([_text_cell(sheet, heading, Font(bold=True)) for heading in headings])
    for row in rows:
        sheet.append([_text_cell(sheet, value) if value else None for value in row])
    book.save(path)


def _text_cell(sheet: Any, value: str, font: Font | None = None) -> Any:
    """Text that no program takes for a number, a date or a formula."""
    cell = WriteOnlyCell(sheet, value)
    cell.data_type, cell.number_format = "s", "@"
    if font is not None:
        cell.font = font
    return cell
