"""Every class of difference between our books and HIS's is found, and none is invented."""

from dataclasses import replace
from datetime import timedelta

import pytest

from books import DAY, HEADINGS, NOON, at, row
from gateway.config import Reconciliation
from gateway.model.money import MoneyKind
from gateway.reconciliation.booking import Counterpart
from gateway.terms import TransactionState

T = TransactionState


def test_equal_books_have_no_difference(ledger):
    ledger.book("C1", "100.00")
    ledger.refund("F1", "40.00")
    assert ledger.compared(row("C1"), row("F1", "40", "退费")) == []


def test_what_only_the_gateway_has_is_found(ledger):
    ledger.book("C1")
    ledger.refund("F1")
    assert ledger.compared() == [("GW_ONLY", "C1"), ("GW_ONLY", "F1")]


def test_what_only_his_has_is_found(ledger):
    assert ledger.compared(row("C1"), row("F1", "-5.00", "")) == [("HIS_ONLY", "C1"), ("HIS_ONLY", "F1")]


def test_what_only_the_insurer_has_is_found(ledger):
    ledger.book("C1")
    found = ledger.compare(ledger.list_of(row("C2")), counterpart=Counterpart.INSURER)
    assert ("INS_ONLY", "C2") in ledger.found(found)


def test_differing_amounts_are_found_with_both(ledger):
    ledger.book("C1", "126.80")
    found = ledger.compare(ledger.list_of(row("C1", "￥126.00")))
    line = ledger.line(found, "C1")
    assert (line.kind, str(line.our_amount), str(line.their_amount)) == ("AMOUNT_DIFF", "126.80", "126.00")


@pytest.mark.parametrize(
    ("ours", "theirs", "differs"),
    [
        (T.CONFIRMED, "已记账", False),
        (T.CONFIRMED, "作废", True),
        (T.CONFIRMED, "待确认", True),
        (T.PENDING_CONFIRM, "已记账", True),
        (T.PENDING_CONFIRM, "待确认", False),
        (T.SENT, "已记账", True),
        (T.MANUAL, "已记账", True),
        (T.REJECTED, "已记账", True),
        (T.REJECTED, "作废", False),
    ],
)
def test_differing_states_are_found(ledger, ours, theirs, differs):
    ledger.book("C1", state=ours)
    expected = [("STATUS_DIFF", "C1")] if differs else []
    assert ledger.compared(row("C1", state=theirs)) == expected


@pytest.mark.parametrize("state", [T.PROPOSED, T.SENT, T.PENDING_CONFIRM, T.REJECTED])
def test_what_was_never_booked_is_not_missed_at_his(ledger, state):
    ledger.book("C1", state=state)
    assert ledger.compared() == []


@pytest.mark.parametrize("state", ["作废", "待确认"])
def test_what_his_has_not_booked_is_not_missed_here(ledger, state):
    assert ledger.compared(row("C1", state=state)) == []


def test_an_unknown_outcome_of_yesterday_that_his_booked_is_a_difference_of_states(ledger):
    ledger.book("C1", state=T.PENDING_CONFIRM, when=NOON - timedelta(days=3))
    assert ledger.compared(row("C1")) == [("STATUS_DIFF", "C1")]


def test_a_number_booked_twice_by_his_is_named_a_duplicate(ledger):
    ledger.book("C1")
    found = ledger.compare(ledger.list_of(row("C1"), row("C1")))
    line = ledger.line(found, "C1")
    assert (line.kind, line.remark) == ("HIS_ONLY", "DUPLICATE")


def test_a_row_exported_twice_under_one_number_of_his_counts_once(ledger):
    ledger.book("C1")
    path = ledger.list_of((*row("C1"), "HF1"), (*row("C1"), "HF1"), headings=(*HEADINGS, "HIS计费号"))
    found = ledger.compare(path)
    assert (ledger.found(found), found.notes) == ([], {"copies": 1})


def test_a_booking_in_several_rows_is_summed(ledger):
    ledger.book("C1", "100.00")
    rows = [(*row("C1", "60"), "1"), (*row("C1", "40"), "2")]
    assert ledger.found(ledger.compare(ledger.list_of(*rows, headings=(*HEADINGS, "行号")))) == []


def test_systems_with_equal_numbers_are_told_apart_where_the_list_names_them(ledger):
    ledger.book("1001", "100.00", sender="PACS")
    ledger.book("1001", "8.00", sender="LIS")
    rows = [(*row("1001", "8.00"), "LIS"), (*row("1001", "99.00"), "PACS")]
    found = ledger.compare(ledger.list_of(*rows, headings=(*HEADINGS, "来源系统")))
    assert (ledger.found(found), ledger.line(found, "1001").sender_code) == ([("AMOUNT_DIFF", "1001")], "PACS")


def test_equal_numbers_are_paired_by_amount_where_the_list_names_no_system(ledger):
    ledger.book("1001", "100.00", sender="PACS")
    ledger.book("1001", "8.00", sender="LIS")
    assert ledger.compared(row("1001", "8.00")) == [("GW_ONLY", "1001")]
    assert ledger.compared(row("1001", "8.00"), row("1001", "100.00")) == []


def test_two_branches_with_equal_numbers_are_told_apart(ledger):
    ledger.book("1001", "100.00", sender="PACS", branch="01")
    ledger.book("1001", "100.00", sender="PACS2", branch="02")
    path = ledger.list_of((*row("1001"), "02"), headings=(*HEADINGS, "院区"))
    found = ledger.compare(path)
    assert (ledger.found(found), ledger.line(found, "1001").branch_code) == ([("GW_ONLY", "1001")], "01")


def test_a_branch_that_only_his_names_does_no_harm(ledger):
    ledger.book("C1")
    assert ledger.found(ledger.compare(ledger.list_of((*row("C1"), "01"), headings=(*HEADINGS, "院区")))) == []


def test_a_booking_is_also_known_by_hiss_own_number(ledger):
    ledger.book("GW-77", his_no="HF9")
    assert ledger.compared(row("HF9")) == []


def test_what_his_charged_by_itself_is_found_by_its_requisition(ledger):
    key = ledger.requisition("R1", "10", charge_point="NONE", registered=None)
    ledger.book("GW-1", source="HIS", requisition_key=key, sender="HIS")
    path = ledger.list_of((*row("S-1"), "R1"), headings=(*HEADINGS, "申请单号"))
    assert ledger.found(ledger.compare(path)) == []
    path = ledger.list_of((*row("S-1", "90"), "R1"), headings=(*HEADINGS, "申请单号"))
    assert ledger.found(ledger.compare(path)) == [("AMOUNT_DIFF", "GW-1")]
    path = ledger.list_of((*row("C9"), "R9"), headings=(*HEADINGS, "申请单号"))
    assert ledger.found(ledger.compare(path)) == [("GW_ONLY", "GW-1"), ("HIS_ONLY", "C9")]


def test_what_his_charged_by_itself_is_left_out_where_the_list_names_no_requisitions(ledger):
    ledger.book("GW-1", source="HIS", sender="HIS")
    found = ledger.compare(ledger.list_of())
    assert (ledger.found(found), found.notes) == ([], {"his_own": 1})


def test_a_correction_belongs_to_the_charge_it_corrects(ledger):
    key = ledger.book("C1", "100.00")
    ledger.book("A1", "26.80", kind="ADJUST", original_key=key, source="HAND")
    assert ledger.compared(row("C1", "126.80")) == []


def test_a_correction_without_charge_is_a_booking_of_its_own(ledger):
    ledger.book("C9", "26.80", kind="ADJUST", source="HAND")
    ledger.book("C8", "-26.80", kind="ADJUST", source="HAND")
    assert ledger.compared(row("C9", "26.80"), row("C8", "26.80", "退费")) == []


# --- missed, not performed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["30", "40", "50", "60"])
@pytest.mark.parametrize("point", ["REGISTER", "NURSE_SEND"])
def test_what_was_performed_without_a_charge_is_missed(ledger, status, point):
    ledger.requisition("R1", status, charge_point=point)
    assert ledger.compared() == [("MISSED_CHARGE", "R1")]


def test_what_was_charged_is_not_missed(ledger):
    ledger.requisition("R1")
    ledger.charged("R1", ledger.book("C1"))
    assert ledger.compared(row("C1")) == []


@pytest.mark.parametrize(
    "requisition",
    [
        {"charge_point": "NONE"},
        {"status": "10", "registered": None},
        {"status": "85"},
        {"status": "90"},
        {"refunded": True},
        {"registered": NOON - timedelta(days=1)},
    ],
    ids=str,
)
def test_nothing_is_missed_where_no_charge_is_due(ledger, requisition):
    ledger.requisition("R1", **requisition)
    assert ledger.compared() == []


@pytest.mark.parametrize("status", ["10", "20", "90", "91"])
def test_what_was_charged_and_not_performed_in_a_week_is_found(ledger, status):
    ledger.requisition("R1", status, registered=None)
    ledger.charged("R1", ledger.book("C1", when=NOON - timedelta(days=7)))
    assert ledger.compared() == [("NOT_PERFORMED", "C1")]


@pytest.mark.parametrize(("status", "days"), [("30", 7), ("60", 7), ("85", 7), ("10", 6), ("10", 8)])
def test_neither_what_was_performed_nor_what_may_still_be(ledger, status, days):
    ledger.requisition("R1", status, registered=None)
    ledger.charged("R1", ledger.book("C1", when=NOON - timedelta(days=days)))
    assert ledger.compared() == []


def test_after_how_many_days_is_the_sites_choice(ledger):
    ledger.reconciliation = Reconciliation(not_performed_days=2)
    ledger.requisition("R1", "10", registered=None)
    ledger.charged("R1", ledger.book("C1", when=NOON - timedelta(days=2)))
    assert ledger.compared() == [("NOT_PERFORMED", "C1")]


# --- departments, totals ----------------------------------------------------------------------------------------------


def test_totals_are_those_of_each_department(ledger):
    ledger.book("C1", "100.00", dept="0103")
    ledger.book("C2", "30.00", dept="0201")
    ledger.refund("F1", "10.00", dept="0201")
    found = ledger.compare(ledger.list_of(row("C1"), row("C2", "30", dept="0201"), row("C3", "5", dept="0201")))
    net = {dept: (str(own.net), str(their.net)) for dept, (own, their) in found.totals.items()}
    assert net == {"0103": ("100.00", "100.00"), "0201": ("20.00", "35.00")}
    assert (found.run.ours, found.run.theirs, found.run.matched) == (3, 3, 2)


def test_one_department_alone(ledger):
    ledger.book("C1", dept="0103")
    ledger.book("C2", dept="0201")
    found = ledger.compare(ledger.list_of(row("C3"), row("C4", dept="0201")), department="0201")
    assert ledger.found(found) == [("GW_ONLY", "C2"), ("HIS_ONLY", "C4")]
    assert list(found.totals) == ["0201"]


def test_a_list_without_departments_is_counted_where_ours_is(ledger):
    ledger.book("C1", dept="0103")
    found = ledger.compare(ledger.list_of(row("C1", dept="")))
    assert [str(their.net) for _, their in found.totals.values()] == ["100.00"]


def test_other_codes_for_departments_and_systems_are_translated(ledger):
    ledger.reconciliation = Reconciliation(departments={"放射科": "0103"}, senders={"RIS": "PACS"})
    ledger.book("C1")
    path = ledger.list_of((*row("C1", dept="放射科"), "RIS"), headings=(*HEADINGS, "来源系统"))
    found = ledger.compare(path)
    assert (ledger.found(found), list(found.totals)) == ([], ["0103"])


def test_another_hospitals_books_are_not_touched(ledger):
    ledger.book("C1")
    order = replace(ledger.order(), hospital_code="H2")
    assert order.hospital_code == "H2"
    with ledger.sessions.begin() as session:
        from gateway.reconciliation.listing import FileList
        from gateway.reconciliation.running import Runner

        file = FileList(ledger.list_of(), ledger.settings.reconciliation, ledger.settings.zone)
        found = Runner(ledger.settings, lambda: NOON).with_file(session, order, file)
        assert found.run.differences == 0


def test_rows_of_other_days_are_left_out_and_counted(ledger):
    found = ledger.compare(ledger.list_of(row("C1", when="2026-11-20"), row("C2", when="2026-11-25 12:00")))
    assert (ledger.found(found), found.notes) == ([], {"other_days": 2})


def test_a_list_without_dates_is_of_the_day(ledger):
    ledger.book("C1", when=at("08:00:00"))
    assert ledger.found(ledger.compare(ledger.list_of(("C1", "100"), headings=("ChargeNo", "Amount")), DAY)) == []


def test_a_reversal_goes_back_as_a_refund(ledger):
    ledger.book("GW-1-R1", kind=MoneyKind.REVERSAL)
    assert ledger.compared(row("GW-1-R1", "-100", "冲正")) == []
