"""The day sheet (对账日报) of a comparison: one workbook and one page to read and print, without any patient's name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from sqlalchemy.orm import Session

from gateway.reconciliation.booking import DIFFERENCES, WORDS, Counterpart, Direction, Kind, Total
from gateway.reconciliation.repairs import Advice, advice
from gateway.reconciliation.results import Difference, Summary, differences
from gateway.reconciliation.workbook import write_workbook

MOST_ON_PAGE = 200
"""Differences of a kind that the page shows; the workbook holds all."""
NAMES = {Counterpart.HIS: ("HIS", "HIS"), Counterpart.INSURER: ("医保平台", "insurer")}
STATES = {"BOOKED": "已记账", "PENDING": "待确认", "CANCELLED": "已作废"}
DIRECTIONS = {Direction.CHARGE: "计费", Direction.REFUND: "退费"}
REMARKS = {"DUPLICATE": ("重复记账", "duplicate"), "OTHER_DAY": ("记账日不同", "another day")}
NOTES = {
    "other_days": ("清单中其他日期的行，未计入", "rows of other days, left out"),
    "copies": ("重复导出的行，只计一次", "rows given twice under one number of theirs, counted once"),
    "his_own": (
        "HIS 自行记账、清单无法对应的笔数，未比较",
        "bookings HIS made by itself that its list cannot name, not compared",
    ),
    "by_number": (
        "HIS 不能按日列出，只按流水号逐笔核对，无法发现 HIS 独有的记账",
        "HIS keeps no list by day and was asked number by number: what only HIS has cannot be found",
    ),
}
WEEKDAYS = "一二三四五六日"


@dataclass(frozen=True, slots=True)
class Line:
    """A difference as it is shown."""

    found: Difference
    settled: bool
    advice: Advice
    zone: tzinfo

    @property
    def words(self) -> tuple[str, str]:
        return WORDS[Kind(self.found.kind)]

    @property
    def direction(self) -> str:
        return DIRECTIONS[Direction(self.found.direction)]

    @property
    def item(self) -> str:
        seq = f" #{self.found.item_seq}" if self.found.item_seq is not None else ""
        return f"{self.found.requisition_no}{seq}"

    @property
    def about(self) -> str:
        """By what it is found again: an item of a requisition, or the number of a booking."""
        is_item = Kind(self.found.kind) in (Kind.MISSED_CHARGE, Kind.NOT_PERFORMED)
        return self.item if is_item else self.found.number

    @property
    def our_at(self) -> datetime | None:
        return self.found.our_at.astimezone(self.zone) if self.found.our_at else None

    @property
    def their_at(self) -> datetime | None:
        return self.found.their_at.astimezone(self.zone) if self.found.their_at else None

    @property
    def gap(self) -> Decimal | None:
        """By how much our books say more than theirs; of something that only one side counts its amount."""
        ours, theirs = self.found.our_amount, self.found.their_amount
        if Kind(self.found.kind) in (Kind.MISSED_CHARGE, Kind.NOT_PERFORMED):
            return None
        counts = (
            ours if self.found.our_state == "BOOKED" else None,
            theirs if self.found.their_state == "BOOKED" else None,
        )
        sign = 1 if self.found.direction == Direction.CHARGE else -1
        return sign * ((counts[0] or Decimal("0.00")) - (counts[1] or Decimal("0.00")))

    @property
    def standing(self) -> tuple[str, str]:
        if self.settled:
            return "已处理", "settled"
        return ("新", "new") if self.found.is_new else ("未处理", "open")

    @property
    def remark(self) -> str:
        return " ".join(REMARKS.get(self.found.remark, ()))

    def state(self, name: str | None) -> str:
        return STATES.get(name or "", "")


def lines_of(session: Session, summary: Summary, zone: tzinfo) -> Iterator[Line]:
    """The lines of a day sheet, class by class."""
    for found, settled in differences(session, summary.run):
        told = advice(found.kind, summary.run.counterpart, found.direction, found.remark)
        yield Line(found, settled, told, zone)


def write_sheets(session: Session, summary: Summary, zone: tzinfo, folder: Path) -> tuple[Path, Path]:
    """Write the workbook and the page into a folder, in place of those of an earlier comparison of the same."""
    folder.mkdir(parents=True, exist_ok=True)
    run = summary.run
    place = f"-{run.department}" if run.department else ""
    name = f"{run.day:%Y-%m-%d}-{run.counterpart.lower()}{place}"
    book, page = folder / f"{name}.xlsx", folder / f"{name}.html"
    facts = _facts(summary, zone)
    groups: dict[tuple[str, Advice], Group] = {}
    lines = _grouped(lines_of(session, summary, zone), groups)
    _replace(book, lambda path: write_workbook(path, facts, lines))
    _replace(page, lambda path: _write_page(path, facts, groups.values()))
    return book, page


def _replace(path: Path, write: Any) -> None:
    """Beside it, then in its place: nobody ever opens half a sheet. Readable by its owner alone."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.touch(mode=0o600)
    write(beside)
    beside.replace(path)


def _facts(summary: Summary, zone: tzinfo) -> dict[str, Any]:
    """What stands at the head of both."""
    run = summary.run
    them = NAMES[Counterpart(run.counterpart)]
    ours, theirs = (_sum(both[side] for both in summary.totals.values()) for side in (0, 1))
    return {
        "run": run,
        "summary": summary,
        "them": them,
        "ours": ours,
        "theirs": theirs,
        "totals": [(dept or "—", own, their) for dept, (own, their) in summary.totals.items()],
        "weekday": "星期" + WEEKDAYS[run.day.weekday()],
        "day_name": f"{run.day:%A}",
        "finished": run.finished_at.astimezone(zone),
        "notes": [
            (None if name == "by_number" else summary.notes[name], words)
            for name, words in NOTES.items()
            if name in summary.notes
        ],
        "bars": _bars(summary),
        "words": WORDS,
    }


def _sum(totals: Iterator[Total]) -> Total:
    total = Total()
    for one in totals:
        total = Total(
            total.charges + one.charges,
            total.charged + one.charged,
            total.refunds + one.refunds,
            total.refunded + one.refunded,
        )
    return total


def _bars(summary: Summary) -> list[dict[str, Any]]:
    """How many differences of each class; the longest bar is as wide as the drawing."""
    other = Kind.INS_ONLY if summary.run.counterpart == Counterpart.HIS else Kind.HIS_ONLY
    most = max((summary.counts.get(kind, 0) for kind in DIFFERENCES), default=0)
    shown = [kind for kind in DIFFERENCES if kind is not other]
    return [
        {
            "kind": kind,
            "words": WORDS[kind],
            "count": summary.counts.get(kind, 0),
            "width": round(100 * summary.counts.get(kind, 0) / most, 1) if most else 0,
        }
        for kind in shown
    ]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gateway.reconciliation"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["money"] = lambda amount: "" if amount is None else f"{amount:,.2f}"
    environment.filters["count"] = lambda count: f"{count:,}"
    return environment


@dataclass(slots=True)
class Group:
    """Differences of a class for which the same is to be done, as the page shows them."""

    kind: str
    words: tuple[str, str]
    remark: tuple[str, str] | None
    advice: Advice
    lines: list[Line] = field(default_factory=list)
    more: int = 0
    """How many are left to the workbook."""


def _grouped(lines: Iterable[Line], groups: dict[tuple[str, Advice], Group]) -> Iterator[Line]:
    """The same lines, while the groups of the page are filled beside."""
    for line in lines:
        kind, told = line.found.kind, line.advice
        group = groups.setdefault((kind, told), Group(kind, line.words, REMARKS.get(line.found.remark), told))
        if len(group.lines) < MOST_ON_PAGE:
            group.lines.append(line)
        else:
            group.more += 1
        yield line


def _write_page(path: Path, facts: dict[str, Any], groups: Iterable[Group]) -> None:
    order = {str(kind): place for place, kind in enumerate(Kind)}
    shown = sorted(groups, key=lambda group: order[group.kind])
    with path.open("wb") as file:
        _environment().get_template("day_sheet.html").stream(groups=shown, **facts).dump(file, encoding="utf-8")
