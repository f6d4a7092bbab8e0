"""The day sheet as a workbook: totals of each department, and every difference with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill

if TYPE_CHECKING:
    from gateway.reconciliation.sheet import Line

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheet programs take for the beginning of a formula: such text is written as text, and marked as such."""
HEAD = Font(bold=True, color="FFFFFF")
HEAD_FILL = PatternFill("solid", fgColor="1F4E5F")
BOLD = Font(bold=True)
MONEY = "#,##0.00;[Red]-#,##0.00"
COUNT, AMOUNT = 12, 16
TOTALS = (
    ("科室 Department", 16),
    *(
        (f"{whose}{name}", width)
        for whose in ("网关", "对方")
        for name, width in (
            ("计费 Charges", COUNT),
            ("计费金额 Charged", AMOUNT),
            ("退费 Refunds", COUNT),
            ("退费金额 Refunded", AMOUNT),
            ("净额 Net", AMOUNT),
        )
    ),
    ("净差 Difference", AMOUNT),
)
"""Headings and widths, as are the next."""
DIFFERENCES = (
    ("编号 No.", 9),
    ("类别 Class", 16),
    ("类别说明", 18),
    ("收/退", 7),
    ("流水号 Number", 26),
    ("系统 Source", 10),
    ("院区 Branch", 9),
    ("科室 Dept.", 9),
    ("就诊号 Visit", 16),
    ("申请单 Requisition", 20),
    ("网关金额 Gateway", AMOUNT),
    ("网关状态", 10),
    ("网关时间", 20),
    ("对方号 Their no.", 16),
    ("对方金额 Theirs", AMOUNT),
    ("对方状态", 10),
    ("对方时间", 20),
    ("差额 Gap", AMOUNT),
    ("进展 Standing", 12),
    ("备注 Remark", 20),
    ("建议处理", 60),
    ("Suggested repair", 70),
)


def write_workbook(path: Path, facts: dict[str, Any], lines: Iterable[Line]) -> None:
    """Write it row by row, however many there are."""
    book = Workbook(write_only=True)
    _totals(book.create_sheet("汇总 Totals"), facts)
    _differences(book.create_sheet("差异 Differences"), lines)
    book.save(path)


def _totals(sheet: Any, facts: dict[str, Any]) -> None:
    _widths(sheet, TOTALS)
    run, them = facts["run"], facts["them"]
    sheet.append([_cell(sheet, f"对账日报 Reconciliation {run.day:%Y-%m-%d}", font=Font(bold=True, size=14))])
    about = f"{run.hospital_code} · 网关 gateway — {them[0]} {them[1]} · {run.source} · #{run.id}"
    sheet.append([_cell(sheet, about)])
    sheet.append([_cell(sheet, f"{facts['finished']:%Y-%m-%d %H:%M:%S}")])
    sheet.append([])
    _head(sheet, TOTALS)
    for dept, own, their in facts["totals"]:
        sheet.append(_total_row(sheet, dept, own, their))
    sheet.append(_total_row(sheet, "合计 Total", facts["ours"], facts["theirs"], font=BOLD))
    sheet.append([])
    for bar in facts["bars"]:
        words = " ".join(bar["words"])
        sheet.append([_cell(sheet, bar["kind"]), _cell(sheet, bar["count"]), _cell(sheet, words)])
    for count, (chinese, english) in facts["notes"]:
        sheet.append([_cell(sheet, "" if count is None else count), _cell(sheet, f"{chinese} {english}")])


def _total_row(sheet: Any, dept: str, own: Any, their: Any, **style: Any) -> list[Any]:
    figures = [dept]
    for total in (own, their):
        figures += [total.charges, total.charged, total.refunds, total.refunded, total.net]
    return [_cell(sheet, value, **style) for value in (*figures, own.net - their.net)]


def _differences(sheet: Any, lines: Iterable[Line]) -> None:
    sheet.freeze_panes = "B2"
    _widths(sheet, DIFFERENCES)
    _head(sheet, DIFFERENCES)
    for line in lines:
        found = line.found
        values = (
            found.id, found.kind, line.words[0], line.direction, found.number, found.sender_code, found.branch_code,
            found.dept_code, found.visit_no, line.item, found.our_amount, line.state(found.our_state), line.our_at,
            found.their_no, found.their_amount, line.state(found.their_state), line.their_at, line.gap,
            " ".join(line.standing), line.remark, *line.advice,
        )  # fmt: skip
        sheet.append([_cell(sheet, value) for value in values])


def _head(sheet: Any, columns: Iterable[tuple[str, int]]) -> None:
    wrapped = Alignment(wrap_text=True, vertical="center")
    sheet.append([_cell(sheet, name, font=HEAD, fill=HEAD_FILL, alignment=wrapped) for name, _ in columns])


def _widths(sheet: Any, columns: Iterable[tuple[str, int]]) -> None:
    for number, (_, width) in enumerate(columns):
        sheet.column_dimensions[chr(ord("A") + number)].width = width


def _cell(sheet: Any, value: object, **style: Any) -> Any:
    """A value that stays what it is: money is a number, a number that begins with `=` or `0` is text."""
    if isinstance(value, datetime):
        value = value.replace(tzinfo=None)
    if isinstance(value, str) and not value.isprintable():
        value = "".join(character for character in value if character.isprintable())
    is_formula = isinstance(value, str) and value.startswith(FORMULA)
    if not (style or is_formula or isinstance(value, Decimal)):
        return value  # a cell object costs more than all the rest of it
    cell = WriteOnlyCell(sheet, value)
    if is_formula:
        cell.data_type, cell.quotePrefix = "s", True
    elif isinstance(value, Decimal):
        cell.number_format = MONEY
    for name, wanted in style.items():
        setattr(cell, name, wanted)
    return cell
