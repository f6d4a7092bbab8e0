"""The books are compared: what is missing, extra, different, or booked on two sides of midnight."""

from datetime import timedelta

from books import DAY, NOON, at, row

TOMORROW = DAY + timedelta(days=1)


def test_what_his_lost_and_what_only_his_has_are_told_apart(ledger):
    """Edge case 50."""
    ledger.book("C1")
    ledger.book("C2")
    assert ledger.compared(row("C2"), row("C3")) == [("GW_ONLY", "C1"), ("HIS_ONLY", "C3")]


def test_one_cent_is_a_difference(ledger):
    """Edge case 50."""
    ledger.book("C1", "126.80")
    assert ledger.compared(row("C1", "126.79")) == [("AMOUNT_DIFF", "C1")]


def test_a_refund_on_the_next_day_belongs_to_that_day(ledger):
    """Edge case 50."""
    ledger.book("C1")
    ledger.refund("F1", when=NOON + timedelta(days=1))
    assert ledger.compared(row("C1")) == []
    assert ledger.compared(row("F1", "-100", "退费", when="2026-11-25 12:00:01"), day=TOMORROW) == []


def test_a_charge_that_his_marks_as_refunded_the_day_after_is_still_a_charge(ledger):
    """Edge case 50."""
    ledger.book("C1")
    assert ledger.compared(row("C1", state="已退费")) == []


def test_a_refund_that_his_forgot_on_the_next_day_is_found_there(ledger):
    """Edge case 50."""
    ledger.book("C1")
    ledger.refund("F1", when=NOON + timedelta(days=1))
    assert ledger.compared(row("C1")) == []
    assert ledger.compared(day=TOMORROW) == [("GW_ONLY", "F1")]


def test_his_books_before_midnight_and_we_after(ledger):
    """Edge case 50."""
    ledger.book("C1", when=at("00:00:01", TOMORROW))
    assert ledger.compared(row("C1", when="2026-11-24 23:59:58")) == [("ACROSS", "C1")]
    assert ledger.compared(day=TOMORROW) == []


def test_we_book_before_midnight_and_his_after(ledger):
    """Edge case 50."""
    ledger.book("C1", when=at("23:59:58"))
    assert ledger.compared() == [("CARRIED", "C1")]
    assert ledger.compared(row("C1", when="2026-11-25 00:00:01"), day=TOMORROW) == [("ACROSS", "C1")]
    assert ledger.compared() == []


def test_what_was_carried_over_midnight_and_never_came_is_found_the_next_day(ledger):
    """Edge case 50."""
    ledger.book("C1", when=at("23:59:58"))
    assert ledger.compared() == [("CARRIED", "C1")]
    assert ledger.compared(day=TOMORROW) == [("GW_ONLY", "C1")]
    assert ledger.compared() == [("GW_ONLY", "C1")]


def test_hours_after_midnight_the_same_booking_is_told_as_booked_on_another_day(ledger):
    """Edge case 50."""
    ledger.book("C1", when=at("08:00:00", TOMORROW))
    found = ledger.compare(ledger.list_of(row("C1", when="2026-11-24 23:59:58")))
    line = ledger.line(found, "C1")
    assert (line.kind, line.remark) == ("STATUS_DIFF", "OTHER_DAY")
    assert ledger.compared(day=TOMORROW) == []


def test_the_day_is_the_hospitals_not_the_computers(ledger):
    """Edge case 50."""
    ledger.book("C1", when=at("00:30:00"))
    assert ledger.compared(row("C1", when="2026-11-23T16:30:00Z")) == []
