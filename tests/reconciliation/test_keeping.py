"""What was found stays: what is new, still open, gone or settled is known when a day is compared again."""

import zipfile
from datetime import timedelta

import pytest
from openpyxl import load_workbook

from books import NOON, ZONE, row
from gateway.reconciliation import results
from gateway.reconciliation.sheet import write_sheets


def test_a_second_comparison_tells_what_is_new_and_what_is_gone(ledger):
    ledger.book("C1")
    ledger.book("C2")
    first = ledger.compare(ledger.list_of(row("C3")))
    assert (first.run.differences, first.new, first.gone) == (3, 3, 0)
    second = ledger.compare(ledger.list_of(row("C3"), row("C1"), row("C4")))
    assert ledger.found(second) == [("GW_ONLY", "C2"), ("HIS_ONLY", "C3"), ("HIS_ONLY", "C4")]
    assert (second.new, second.gone) == (1, 1)


def settle(ledger, number, words="HIS has entered it"):
    with ledger.sessions.begin() as session:
        return results.resolve(session, number, words, "test", NOON)


def test_what_a_person_has_settled_counts_no_more_also_later(ledger):
    ledger.book("C1")
    first = ledger.compare(ledger.list_of())
    settle(ledger, ledger.line(first, "C1").id)
    again = ledger.compare(ledger.list_of())
    assert (again.run.differences, again.settled, again.differences, again.new) == (1, 1, 0, 0)
    with pytest.raises(results.ResolutionRefused, match="is settled already"):
        settle(ledger, ledger.line(again, "C1").id)


def test_what_is_no_difference_cannot_be_settled(ledger):
    ledger.book("C1", when=NOON.replace(hour=23, minute=59))
    carried = ledger.compare(ledger.list_of())
    for number in (ledger.line(carried, "C1").id, 999999):
        with pytest.raises(results.ResolutionRefused, match="There is no difference"):
            settle(ledger, number)


def test_settling_one_day_settles_no_other(ledger):
    ledger.book("C1")
    settle(ledger, ledger.line(ledger.compare(ledger.list_of()), "C1").id)
    tomorrow = NOON + timedelta(days=1)
    ledger.book("C1", when=tomorrow, sender="LIS")
    found = ledger.compare(ledger.list_of(), day=tomorrow.date())
    assert (found.run.differences, found.settled) == (1, 0)


def test_the_newest_comparison_is_found(ledger):
    run = ledger.compare(ledger.list_of()).run
    with ledger.sessions() as session:
        assert results.latest(session, run.hospital_code).id == run.id
        assert results.latest(session, run.hospital_code, "INSURER") is None


# --- the day sheet ----------------------------------------------------------------------------------------------------


def sheets(ledger, summary):
    with ledger.sessions() as session:
        return write_sheets(session, summary, ZONE, ledger.folder / "sheets")


def test_the_day_sheet_holds_totals_and_a_repair_for_each_line(ledger):
    ledger.book("C1", "126.80")
    ledger.book("C2")
    book, page = sheets(ledger, ledger.compare(ledger.list_of(row("C1", "126"), row("C3", "5", dept="0201"))))
    totals, lines = load_workbook(book).worksheets
    assert [cell.value for cell in totals[6]][:7] == ["0103", 2, 226.8, 0, 0, 226.8, 1]
    rows = list(lines.iter_rows(min_row=2, values_only=True))
    assert [(cells[1], cells[4], cells[17]) for cells in rows] == [
        ("AMOUNT_DIFF", "C1", 0.8),
        ("GW_ONLY", "C2", 100),
        ("HIS_ONLY", "C3", -5),
    ]
    assert all("gateway money adjust" in cells[20] and "gateway money adjust" in cells[21] for cells in rows)
    text = page.read_text("utf-8")
    assert all(word in text for word in ("对账日报", "AMOUNT_DIFF", "gateway money adjust", "226.80", "C3"))
    assert (book.stat().st_mode & 0o777, page.stat().st_mode & 0o777) == (0o600, 0o600)


def test_a_day_without_differences_says_so(ledger):
    ledger.book("C1")
    _, page = sheets(ledger, ledger.compare(ledger.list_of(row("C1"))))
    assert "两边账目相符" in page.read_text("utf-8")


@pytest.mark.parametrize("number", ["=1+1", "+1", "-1", "@SUM(A1)", "<b>&amp;"])
def test_a_number_that_looks_like_a_formula_stays_text(ledger, number):
    book, page = sheets(ledger, ledger.compare(ledger.list_of(row(number))))
    cell = load_workbook(book).worksheets[1]["E2"]
    assert (cell.value, cell.data_type, bool(cell.quotePrefix)) == (number, "s", number[0] != "<")
    assert b"<f>" not in zipfile.ZipFile(book).read("xl/worksheets/sheet2.xml")
    assert "<b>&amp;" not in page.read_text("utf-8").replace("&lt;b&gt;&amp;amp;", "")


def test_of_very_many_differences_the_page_shows_the_first_and_the_workbook_all(ledger):
    found = ledger.compare(ledger.list_of(*(row(f"C{number}") for number in range(250))))
    book, page = sheets(ledger, found)
    assert load_workbook(book).worksheets[1].max_row == 251
    text = page.read_text("utf-8")
    assert text.count("<tr>") < 230
    assert "50 more are in the workbook" in text
