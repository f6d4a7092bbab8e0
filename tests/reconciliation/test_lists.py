"""Lists as hospitals export them are read whole, or refused with the place and nothing kept."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from openpyxl import Workbook

from books import HEADINGS, ZONE, row
from gateway.config import Reconciliation
from gateway.model.reconciliation import ReconciliationRun
from gateway.reconciliation.booking import BookState, Direction
from gateway.reconciliation.listing import FileList
from gateway.reconciliation.values import ValueProblem, amount_of, moment_of
from gateway.sheets import FileRefused


def read(path, **settings):
    return list(FileList(path, Reconciliation(**settings), ZONE).bookings())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_usual_encoding_and_delimiter_is_recognised(ledger, encoding, delimiter):
    path = ledger.list_of(row("C1", "1,234.50"), row("F1", "￥12", "退费"), encoding=encoding, delimiter=delimiter)
    first, second = read(path)
    assert (first.number, first.amount, first.dept_code) == ("C1", Decimal("1234.50"), "0103")
    assert (second.number, second.amount, second.direction) == ("F1", Decimal("12.00"), Direction.REFUND)


def test_characters_that_only_gb18030_has_do_no_harm(ledger):
    path = ledger.list_of((*row("C1"), "𠮷"), headings=(*HEADINGS, "备注"), encoding="gb18030")
    assert [booking.number for booking in read(path)] == ["C1"]


def test_titles_above_totals_below_and_empty_rows_are_passed_over(ledger):
    path = ledger.folder / "his.csv"
    path.write_text(
        "某医院计费日报,,\n制表：信息科,,\n\n流水号,金额（元）,状态\nC1,8.00,正常\n,,\n合计：,8.00,\n", "utf-8"
    )
    assert [(booking.line, booking.number) for booking in read(path)] == [(5, "C1")]


def test_english_headings_and_refund_numbers_of_their_own(ledger):
    headings = ("ChargeNo", "RefundNo", "Amount", "Department", "BookedAt")
    path = ledger.list_of(("C1", "", "5", "D1", "2026-11-24"), ("", "F1", "3", "D1", "2026-11-24"), headings=headings)
    assert [(b.number, b.direction, b.day) for b in read(path)] == [
        ("C1", Direction.CHARGE, date(2026, 11, 24)),
        ("F1", Direction.REFUND, date(2026, 11, 24)),
    ]


def test_a_site_names_its_own_headings_and_states(ledger):
    path = ledger.list_of(("C1", "5", "挂账"), headings=("单据", "钱", "状态"))
    columns = {"number": ("单据",), "amount": ("钱",)}
    (booking,) = read(path, columns=columns, states={"挂账": "PENDING"})
    assert (booking.number, booking.state) == ("C1", BookState.PENDING)


def workbook(ledger, *rows):
    book = Workbook()
    for cells in rows:
        book.active.append(cells)
    path = ledger.folder / "his.xlsx"
    book.save(path)
    return path


def test_a_workbook_is_read_with_its_own_numbers_and_dates(ledger):
    when = datetime(2026, 11, 24, 23, 59, 58)  # noqa: DTZ001 - a spreadsheet's time has no zone
    (booking,) = read(workbook(ledger, HEADINGS, ("C1", "计费", 0.1 + 0.2, "正常", "0103", when)))
    assert (booking.amount, booking.at) == (Decimal("0.30"), when.replace(tzinfo=ZONE))


def test_a_workbook_is_compared_like_any_list(ledger):
    ledger.book("C1")
    path = workbook(
        ledger, HEADINGS, ("C1", "计费", 100, "正常", "0103", "2026-11-24"), (2001, "计费", 5.0, None, "0103")
    )
    assert ledger.compared() == [("GW_ONLY", "C1")]
    with pytest.raises(FileRefused, match="row 3, column 日期"):
        ledger.compare(path)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1,234.50", "1234.50"),
        ("￥12.00", "12.00"),
        ("¥ 1,000", "1000.00"),
        ("-5", "-5.00"),
        ("12.00-", "-12.00"),
        ("(12.00)", "-12.00"),
        ("１２．５０元", "12.50"),
        (".5", "0.50"),
        ("0.125", "0.13"),
        (12, "12.00"),
        (0.125, "0.13"),
    ],
)
def test_amounts_as_they_are_written(text, amount):
    assert amount_of(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "-", "x", "1.2.3", "12,5", "1,23.00", "1e3", "--5", "(5", "NaN", "9" * 20, True])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueProblem, match="An amount is expected"):
        amount_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24 23:59:58",
        "2026/11/24 23:59:58",
        "2026.11.24 23:59:58",
        "20261124235958",
        "20261124 23:59:58",
        "2026-11-24T23:59:58+08:00",
        "2026-11-24T15:59:58Z",
        "2026年11月24日 23时59分58秒",
        "2026年11月24日23:59:58",
        datetime(2026, 11, 24, 15, 59, 58, tzinfo=UTC),
        46350.99997685185,
    ],
)
def test_moments_as_they_are_written(text):
    day, at = moment_of(text, ZONE)
    assert day == date(2026, 11, 24)
    assert at is not None
    assert abs((at - datetime(2026, 11, 24, 23, 59, 58, tzinfo=ZONE)).total_seconds()) < 1


@pytest.mark.parametrize("text", ["2026-11-24", "2026/11/24", "20261124", "2026年11月24日", date(2026, 11, 24), 46350])
def test_days_without_a_time(text):
    assert moment_of(text, ZONE) == (date(2026, 11, 24), None)


@pytest.mark.parametrize(
    "text", ["", "24/11/2026", "2026-02-30", "2026-11-24 25:00", "1900-01-01", "soon", 7.5, "2026-11"]
)
def test_what_is_no_day_is_refused(text):
    with pytest.raises(ValueProblem, match="A day is expected"):
        moment_of(text, ZONE)


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        (("C2", "计费", "abc"), "row 3, column 金额"),
        (("", "计费", "5"), "row 3, column 计费流水号"),
        (("C2", "借支", "5"), "row 3, column 类型"),
        (("C2", "计费", "5", "?"), "row 3, column 状态"),
        (("C2", "计费", "5", "正常", "0103", "昨天"), "row 3, column 日期"),
        (("C2", "计费", "5", "正常", "x" * 101, "2026-11-24"), "row 3, column 科室"),
        (("C2", "计费", "5", "正常", "x" * 5000, "2026-11-24"), "row 3: A cell is too long"),
    ],
)
def test_a_bad_row_is_refused_with_its_place_and_nothing_is_kept(ledger, bad, place):
    with pytest.raises(FileRefused, match=place) as refused:
        ledger.compare(ledger.list_of(row("C1"), bad))
    assert "abc" not in str(refused.value)
    assert ledger.count(ReconciliationRun) == 0


def refusal(ledger, content: bytes, name="his.csv"):
    path = ledger.folder / name
    path.write_bytes(content)
    with pytest.raises(FileRefused) as refused:
        read(path)
    return str(refused.value)


def test_files_that_are_no_lists_are_refused(ledger):
    assert "is empty" in refusal(ledger, b"")
    assert "No row with the headings" in refusal(ledger, b"a,b\n1,2\n")
    assert "Two columns mean amount" in refusal(ledger, "流水号,金额,实收\n".encode())
    assert "neither UTF-8 nor GB18030" in refusal(ledger, b"ChargeNo,Amount\nC1,5\n\xff\xff\xff,1\n")
    assert "quotes do not fit" in refusal(ledger, b'ChargeNo,Amount\n"C1"x,5\n')
    assert "old Excel file" in refusal(ledger, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "his.xls")
    assert "no usable .xlsx" in refusal(ledger, _zip({"a.txt": b"x"}), "his.xlsx")
    assert "no usable .xlsx" in refusal(ledger, _zip({"xl/a.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a/>'}), "his.xlsx")
    with pytest.raises(FileRefused, match="cannot be read"):
        read(ledger.folder / "none.csv")
    with pytest.raises(FileRefused, match="is no file"):
        read(ledger.folder)


def _zip(parts: dict[str, bytes]) -> bytes:
    import io
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        for name, part in parts.items():
            package.writestr(name, part)
    return content.getvalue()


def test_a_number_a_spreadsheet_has_cut_is_refused(ledger):
    with pytest.raises(FileRefused, match="format it as text"):
        read(workbook(ledger, ("ChargeNo", "Amount"), (2.0261124e25, 5)))
