"""Turns the rows of a file into bookings: which column is which, what its words mean, and where it is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timezone
from pathlib import Path

from gateway.config import Reconciliation
from gateway.reconciliation.booking import Booking, BookState, Direction
from gateway.reconciliation.values import ValueProblem, amount_of, moment_of, text_of
from gateway.sheets import FileRefused, Row, rows_of

HEADINGS: dict[str, tuple[str, ...]] = {
    "number": ("计费流水号", "计费号", "收费流水号", "费用流水号", "流水号", "网关流水号", "ChargeNo", "Number"),
    "refund_number": ("退费流水号", "退费号", "RefundNo"),
    "direction": ("类型", "收退标志", "收退类型", "费用类型", "交易类型", "Type", "Direction", "Kind"),
    "amount": ("金额", "实收金额", "实收", "费用金额", "发生金额", "Amount", "ActualAmount", "Charges"),
    "state": ("状态", "记账状态", "收费状态", "State", "Status", "TransactionState"),
    "dept_code": ("科室", "科室代码", "执行科室", "执行科室代码", "PerformDeptCode", "Department", "Dept"),
    "booked_at": (
        "日期",
        "时间",
        "记账时间",
        "记账日期",
        "收费时间",
        "收费日期",
        "交易时间",
        "发生时间",
        "BookedAt",
        "Date",
        "Time",
    ),
    "visit_no": ("就诊号", "门诊号", "住院号", "就诊流水号", "VisitNo"),
    "requisition_no": ("申请单号", "申请号", "RequisitionNo"),
    "sender_code": ("来源系统", "发送系统", "系统", "SenderCode", "SourceSystem", "Source"),
    "branch_code": ("院区", "院区代码", "BranchCode", "Branch"),
    "own_no": ("HIS计费号", "HIS流水号", "HIS退费号", "医保流水号", "HisChargeNo", "HisRefundNo", "HisNo", "InsurerNo"),
    "detail_no": ("行号", "明细号", "LineNo"),
}
"""Column -> the headings it is known by; a site adds its own in gateway.toml."""

CHARGES = ("计费", "收费", "记账", "正常", "收", "1", "CHARGE", "C", "D")
REFUNDS = ("退费", "退款", "冲正", "冲销", "退", "红冲", "2", "-1", "REFUND", "REVERSAL", "R")
STATES: dict[BookState, tuple[str, ...]] = {
    BookState.BOOKED: (
        "", "正常", "有效", "成功", "已记账", "已收费", "已计费", "已结算", "已退费", "已退", "部分退费",
        "1", "CONFIRMED", "BOOKED", "SETTLED", "OK",
    ),
    BookState.PENDING: ("待确认", "待记账", "未记账", "处理中", "0", "PENDING", "PENDING_CONFIRM"),
    BookState.CANCELLED: (
        "作废", "已作废", "取消", "已取消", "撤销", "已撤销", "失败", "无效",
        "9", "CANCELLED", "VOID", "REJECTED", "REVERSED",
    ),
}  # fmt: skip
"""What a state is called. A charge that was refunded is still booked: its refund is a booking of its own."""
TOTALS = ("合计", "总计", "小计", "TOTAL", "SUM")
EXACT = 10**15
"""Spreadsheets keep fifteen digits of a number and put zeros for the rest."""
SEARCHED_ROWS = 20
"""Among how many the headings are looked for: exports begin with titles."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each column stands."""

    places: Mapping[str, int]
    headings: tuple[str, ...]

    def has(self, name: str) -> bool:
        return name in self.places

    def cell(self, cells: list[object], name: str) -> object:
        place = self.places.get(name)
        return cells[place] if place is not None and place < len(cells) else None

    def heading(self, name: str) -> str:
        return self.headings[self.places[name]] if name in self.places else HEADINGS[name][0]


class FileList:
    """A list of bookings in a file; reading it twice gives the same."""

    def __init__(self, path: Path, settings: Reconciliation, zone: timezone) -> None:
        self.path = path
        self.name = path.name
        self._zone = zone
        self._settings = settings
        self._headings = {
            _plain(word): name for name, words in HEADINGS.items() for word in (*words, *settings.columns.get(name, ()))
        }
        self._directions = dict.fromkeys(CHARGES, Direction.CHARGE) | dict.fromkeys(REFUNDS, Direction.REFUND)
        self._states = {word: state for state, words in STATES.items() for word in words}
        self._states |= {word.upper(): BookState(state) for word, state in settings.states.items()}

    def bookings(self) -> Iterator[Booking]:
        """Its bookings, one by one. Raises FileRefused at the first row that is wrong."""
        with rows_of(self.path) as rows:
            columns = self._find_columns(rows)
            for line, cells in rows:
                if not any(text_of(cell) for cell in cells):
                    continue
                if not _is_total(cells):
                    yield self._booking(columns, line, cells)

    def columns(self) -> Columns:
        """Where its columns stand. Raises FileRefused."""
        with rows_of(self.path) as rows:
            return self._find_columns(rows)

    def _find_columns(self, rows: Iterator[Row]) -> Columns:
        for line, cells in rows:
            headings = tuple(text_of(cell) for cell in cells)
            found: dict[str, int] = {}
            for place, heading in enumerate(headings):
                name = self._headings.get(_plain(heading))
                if name is None:
                    continue
                if name in found:
                    raise FileRefused(
                        self.name, f"Two columns mean {name}.", "列名重复。", line=line, column=headings[found[name]]
                    )
                found[name] = place
            if "amount" in found and ("number" in found or "refund_number" in found):
                return Columns(found, headings)
            if line >= SEARCHED_ROWS:
                break
        raise FileRefused(
            self.name,
            "No row with the headings of a number (计费流水号, ChargeNo) and an amount (金额, Amount) was found.",
            "没有找到列名。",
        )

    def _booking(self, columns: Columns, line: int, cells: list[object]) -> Booking:
        column = "amount"
        try:
            amount = amount_of(columns.cell(cells, column))
            column = "direction"
            direction = self._direction(columns, cells, negative=amount < 0)
            column = "state"
            state = self._state(text_of(columns.cell(cells, column)))
            column = "number" if columns.has("number") else "refund_number"
            number = self._number(columns, cells, direction)
            day, at = None, None
            if columns.has(column := "booked_at"):
                day, at = moment_of(columns.cell(cells, column), self._zone)
        except ValueProblem as problem:
            raise FileRefused(self.name, str(problem), "", line=line, column=columns.heading(column)) from None
        word = {
            name: _identifier(self.name, columns, cells, name, line)
            for name in ("dept_code", "sender_code", "branch_code", "visit_no", "requisition_no", "own_no", "detail_no")
        }
        word["dept_code"] = self._settings.departments.get(word["dept_code"], word["dept_code"])
        word["sender_code"] = self._settings.senders.get(word["sender_code"], word["sender_code"])
        return Booking(line, number, direction, abs(amount), state, day, at, **word)

    def _direction(self, columns: Columns, cells: list[object], *, negative: bool) -> Direction:
        text = text_of(columns.cell(cells, "direction")).upper()
        if negative:
            return Direction.REFUND
        if text:
            if text not in self._directions:
                raise ValueProblem("应为 计费 或 退费。", "CHARGE or REFUND is expected.")
            return self._directions[text]
        only_refund = text_of(columns.cell(cells, "refund_number")) and not text_of(columns.cell(cells, "number"))
        return Direction.REFUND if only_refund else Direction.CHARGE

    def _state(self, text: str) -> BookState:
        state = self._states.get(text.upper())
        if state is None:
            raise ValueProblem(
                "未知状态，请在 [reconciliation.states] 中说明。",
                "Unknown: add it to [reconciliation.states] of gateway.toml.",
            )
        return state

    def _number(self, columns: Columns, cells: list[object], direction: Direction) -> str:
        names = ("refund_number", "number") if direction is Direction.REFUND else ("number",)
        number = next((text for name in names if (text := text_of(columns.cell(cells, name)))), "")
        if not number or len(number) > 64 or not number.isprintable():
            raise ValueProblem("应填流水号。", "A number is expected.")
        if any(isinstance(cell := columns.cell(cells, name), (int, float)) and cell >= EXACT for name in names):
            raise ValueProblem(
                "流水号被表格软件改写，请设为文本格式。", "The spreadsheet has cut this number: format it as text."
            )
        return number


def _identifier(file: str, columns: Columns, cells: list[object], name: str, line: int) -> str:
    text = text_of(columns.cell(cells, name))
    if len(text) > 100:
        raise FileRefused(file, "The text is too long.", "文字过长。", line=line, column=columns.heading(name))
    return text


def _is_total(cells: Iterable[object]) -> bool:
    """Whether a row sums up the others, as many exports end."""
    first = next((text for cell in cells if (text := text_of(cell))), "")
    return first.upper().replace(" ", "").rstrip(":") in TOTALS


def _plain(heading: str) -> str:
    """A heading without what does not matter: case, spaces, units in brackets."""
    return text_of(heading).partition("(")[0].replace(" ", "").replace("_", "").upper()
