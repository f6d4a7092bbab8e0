"""Charges and refunds when the other side is late, silent, wrong or faster; and amounts as old systems write them."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from raw import send_with

from building import (
    TEN,
    ZONE,
    again,
    charge,
    charge_line,
    ct_requisition,
    header,
    outpatient_ct,
    refund,
    refund_line,
    status,
    visit,
)
from gateway.config import Rules
from gateway.errors import InternalFault, InvalidMessage
from gateway.model.money import LedgerEntry, MoneyKind, MoneyLine, MoneyTransaction
from gateway.model.requisition import Requisition
from gateway.terms import ChargePoint, Initiator, StatusCode, StatusEvent, TransactionState
from his_books import Mood, keep_books
from hospital import no
from readers import code_of

MIDNIGHT = datetime(2026, 11, 17, 0, 0, tzinfo=ZONE)


def owed(hospital):
    """What is owed by the visits, by the ledger."""
    return sum((e.amount for e in hospital.rows(LedgerEntry) if e.account.startswith("VISIT|")), Decimal("0.00"))


def booked(hospital):
    """Kind and state of every transaction."""
    return sorted((row.kind, row.state) for row in hospital.rows(MoneyTransaction))


def paid_back(number=1):
    """HIS tells that the cashier gave back what was paid for R<number>."""
    line = refund_line(code="210300001", amount="400.00")
    return refund(
        f"F{number}",
        None,
        header=header("HIS"),
        initiator=Initiator.CASHIER,
        requisition_no=f"R{number}",
        lines=(line,),
    )


def three(**changes):
    """A charge of three pieces at 30.10."""
    line = {"quantity": Decimal(3), "unit_price": Decimal("30.10")} | changes
    return charge(lines=(charge_line(**line, list_amount=Decimal("90.30"), actual_amount=Decimal("90.30")),))


# --- 6: the refund and the registration -------------------------------------------------------------------------------


def test_the_refund_that_comes_first_closes_the_registration(hospital):
    """Edge case 6."""
    hospital.send(outpatient_ct())
    assert code_of(hospital.send(paid_back())) == "0"
    assert code_of(hospital.send(status())) == "STA-410"
    assert (hospital.row(Requisition).status, owed(hospital)) == (StatusCode.CANCELLED, Decimal("0.00"))


def test_the_registration_that_comes_first_closes_the_refund(hospital):
    """Edge case 6."""
    hospital.send(outpatient_ct())
    assert code_of(hospital.send(status())) == "0"
    assert code_of(hospital.send(paid_back())) == "RFD-423"
    assert (hospital.row(Requisition).status, owed(hospital)) == (StatusCode.IN_PROGRESS, Decimal("400.00"))


def test_of_fifty_refunds_and_fifty_registrations_at_once_each_requisition_has_one_winner(hospital):
    """Edge case 6."""
    numbers = range(1, 51)
    for number in numbers:
        hospital.send(outpatient_ct(f"R{number}"))
    answers = hospital.send_at_once(*(m for n in numbers for m in (paid_back(n), status(f"R{n}"))))
    codes = [code_of(answer) for answer in answers]
    assert set(zip(codes[::2], codes[1::2], strict=True)) <= {("0", "STA-410"), ("RFD-423", "0")}
    registered = codes[1::2].count("0")
    assert owed(hospital) == Decimal("400.00") * registered
    states = [requisition.status for requisition in hospital.rows(Requisition)]
    assert (states.count(StatusCode.IN_PROGRESS), states.count(StatusCode.CANCELLED)) == (registered, 50 - registered)


def test_of_a_hundred_refunds_of_one_requisition_at_once_one_is_booked(hospital):
    """Edge case 6."""
    hospital.send(outpatient_ct())
    answers = hospital.send_at_once(*(replace(paid_back(), refund_no=f"F{n}") for n in range(100)))
    codes = [code_of(answer) for answer in answers]
    assert (codes.count("0"), codes.count("RFD-409")) == (1, 99)
    assert owed(hospital) == Decimal("0.00")


# --- 10: another charge point from midnight on ------------------------------------------------------------------------


def switching(before, after):
    """Rules by which the department changes its charge point at midnight."""
    changed = {"perform_dept": "0103", "charge_point": after, "effective_from": MIDNIGHT.date()}
    return Rules(charge_points=(changed, {"perform_dept": "0103", "charge_point": before}))


def test_what_the_nurse_charged_before_midnight_is_not_charged_again_by_the_registration_after_it(hospital):
    """Edge case 10."""
    hospital.choose(rules=switching("NURSE_SEND", "REGISTER"))
    hospital.clock.now = MIDNIGHT - timedelta(seconds=1)
    hospital.send(ct_requisition())
    hospital.clock.now = MIDNIGHT + timedelta(seconds=1)
    assert hospital.send(status()).charge_result is None
    assert (booked(hospital), owed(hospital)) == ([("CHARGE", "CONFIRMED")], Decimal("400.00"))


def test_what_was_released_uncharged_before_midnight_is_charged_by_its_registration_after_it(hospital):
    """Edge case 10."""
    hospital.choose(rules=switching("REGISTER", "NURSE_SEND"))
    hospital.clock.now = MIDNIGHT - timedelta(seconds=1)
    hospital.send(ct_requisition())
    assert booked(hospital) == []
    hospital.clock.now = MIDNIGHT + timedelta(seconds=1)
    assert hospital.send(status()).charge_result.amount == Decimal("400.00")
    assert (booked(hospital), owed(hospital)) == ([("CHARGE", "CONFIRMED")], Decimal("400.00"))


@pytest.mark.parametrize(("before", "after"), [("NURSE_SEND", "REGISTER"), ("REGISTER", "NURSE_SEND")])
@pytest.mark.parametrize("seconds", [-1, 0], ids=["a second before midnight", "at midnight"])
def test_from_the_first_moment_of_the_day_on_the_new_charge_point_holds(hospital, before, after, seconds):
    """Edge case 10."""
    hospital.choose(rules=switching(before, after))
    hospital.clock.now = MIDNIGHT + timedelta(seconds=seconds)
    hospital.send(ct_requisition())
    expected = before if seconds < 0 else after
    assert hospital.row(Requisition).charge_point == expected
    hospital.send(status())
    assert (hospital.row(MoneyTransaction).charge_point, owed(hospital)) == (expected, Decimal("400.00"))


def test_a_requisition_held_over_midnight_is_charged_as_the_day_of_its_release_says(hospital):
    """Edge case 10."""
    hospital.choose(rules=switching("REGISTER", "NURSE_SEND"))
    hospital.clock.now = MIDNIGHT - timedelta(hours=1)
    hospital.send(ct_requisition(release_event=None))
    hospital.clock.now = MIDNIGHT + timedelta(hours=1)
    hospital.send(ct_requisition())
    assert hospital.row(MoneyTransaction).charge_point == ChargePoint.NURSE_SEND
    hospital.send(status())
    assert owed(hospital) == Decimal("400.00")


# --- 11: HIS booked it, and its answer did not come in time -----------------------------------------------------------


def test_a_charge_that_his_booked_without_answering_is_found_by_asking_and_booked_once(hospital):
    """Edge case 11."""
    books = keep_books(hospital, Mood.LOST_AFTER)
    request = charge()
    answer = hospital.send(request)
    assert (code_of(answer), answer.transaction_state) == ("CHG-504", TransactionState.PENDING_CONFIRM)
    assert owed(hospital) == Decimal("0.00")
    hospital.dispatch.recover(books.find)
    answer = hospital.send(request)
    assert (code_of(answer), owed(hospital)) == ("0", Decimal("238.50"))
    assert (books.amounts(), books.twice) == ({("ChargeItem", "PACS", "C1"): Decimal("238.50")}, [])


def test_a_charge_that_his_did_not_book_is_sent_again_under_its_number(hospital):
    """Edge case 11."""
    books = keep_books(hospital, Mood.LOST_BEFORE)
    hospital.send(charge())
    hospital.dispatch.recover(books.find)
    assert [forward.request.charge_no for forward in hospital.dispatch.asked] == ["C1", "C1"]
    assert (booked(hospital), owed(hospital), books.twice) == ([("CHARGE", "CONFIRMED")], Decimal("238.50"), [])


def test_while_nobody_knows_what_his_did_nothing_is_sent_again_and_nothing_refunded(hospital):
    """Edge case 11."""
    books = keep_books(hospital, Mood.LOST_AFTER)
    books.is_silent = True
    hospital.send(charge())
    hospital.dispatch.recover(books.find)
    assert code_of(hospital.send(again(charge()))) == "CHG-504"
    assert code_of(hospital.send(refund())) == "RFD-404"
    assert (booked(hospital), len(hospital.dispatch.asked)) == ([("CHARGE", "PENDING_CONFIRM")], 1)


def test_a_refund_that_his_booked_without_answering_goes_back_once(hospital):
    """Edge case 11."""
    books = keep_books(hospital, Mood.BOOKS, Mood.LOST_AFTER)
    hospital.send(charge())
    assert code_of(hospital.send(refund())) == "RFD-504"
    assert code_of(hospital.send(refund("F2"))) == "RFD-409"
    hospital.dispatch.recover(books.find)
    assert (owed(hospital), books.twice) == (Decimal("0.00"), [])


# --- 12: HIS said yes, and the connection broke before anybody read it ------------------------------------------------


@pytest.mark.parametrize("mood", [Mood.CRASH_AFTER, Mood.CRASH_BEFORE])
def test_a_gateway_that_is_killed_around_the_answer_books_once(hospital, mood):
    """Edge case 12."""
    books = keep_books(hospital, mood)
    request = charge()
    with pytest.raises(InternalFault):
        hospital.send(request)
    assert code_of(hospital.send(request)) == "CHG-504"
    hospital.dispatch.recover(books.find)
    assert code_of(hospital.send(request)) == "0"
    assert (books.amounts(), books.twice) == ({("ChargeItem", "PACS", "C1"): Decimal("238.50")}, [])
    assert (booked(hospital), owed(hospital)) == ([("CHARGE", "CONFIRMED")], Decimal("238.50"))


def test_the_caller_that_lost_the_answer_hears_it_again_without_another_effect(hospital):
    """Edge case 12."""
    books = keep_books(hospital)
    request = charge()
    first, second, third = hospital.send(request), hospital.send(request), hospital.send(again(request))
    assert [answer.result.duplicate for answer in (first, second, third)] == [False, True, True]
    assert {answer.his_charge_no for answer in (first, second, third)} == {"H1"}
    assert (len(books.booked), len(hospital.dispatch.asked)) == (1, 1)


# --- 13, 14, 15: how much goes back -----------------------------------------------------------------------------------


def test_of_three_pieces_one_goes_back_three_times_and_no_fourth(hospital):
    """Edge case 13."""
    books = keep_books(hospital)
    hospital.send(three())
    answers = [hospital.send(refund(f"F{n}", lines=(refund_line(amount="30.10"),))) for n in range(4)]
    assert [code_of(answer) for answer in answers] == ["0", "0", "0", "RFD-409"]
    assert (owed(hospital), len(books.booked)) == (Decimal("0.00"), 4)


def test_of_four_single_refunds_at_once_three_are_booked(hospital):
    """Edge case 13."""
    hospital.send(three())
    requests = [refund(f"F{n}", lines=(refund_line(amount="30.10"),)) for n in range(4)]
    for _ in range(3):
        answers = hospital.send_at_once(*requests)
        hospital.dispatch.deliver()
    assert sorted(code_of(answer) for answer in answers) == ["0", "0", "0", "RFD-409"]
    assert owed(hospital) == Decimal("0.00")


@pytest.mark.parametrize(
    ("quantity", "amount", "expected"),
    [
        ("3.0001", "90.30", "RFD-409"),
        ("3", "90.31", "RFD-409"),
        ("1", "90.31", "RFD-409"),
        ("0", "30.10", "RFD-400"),
        ("0", "0.00", "RFD-400"),
        ("1", "-30.10", "RFD-400"),
        ("1", "0.00", "RFD-400"),
    ],
)
def test_more_than_was_charged_and_nothing_at_all_do_not_go_back(hospital, quantity, amount, expected):
    """Edge case 14."""
    hospital.send(three())
    line = refund_line(amount=amount, refund_quantity=Decimal(quantity))
    assert code_of(hospital.send(refund(lines=(line,)))) == expected
    assert (booked(hospital), owed(hospital)) == ([("CHARGE", "CONFIRMED")], Decimal("90.30"))


@pytest.mark.parametrize("quantity", ["-1", "-0.0001"])
def test_a_negative_quantity_does_not_keep_to_the_contract(hospital, quantity):
    """Edge case 14."""
    hospital.send(three())
    written = "<RefundQuantity>{}</RefundQuantity>"
    with pytest.raises(InvalidMessage):
        send_with(hospital, refund(), written.format(1), written.format(quantity))
    assert owed(hospital) == Decimal("90.30")


def test_more_than_is_left_after_an_earlier_refund_does_not_go_back(hospital):
    """Edge case 14."""
    hospital.send(three())
    hospital.send(refund("F1", lines=(refund_line(amount="60.20", refund_quantity=Decimal(2)),)))
    assert code_of(hospital.send(refund("F2", lines=(refund_line(amount="30.11"),)))) == "RFD-409"
    assert code_of(hospital.send(refund("F3", lines=(refund_line(amount="30.10"),)))) == "0"


def test_a_refund_cannot_be_refunded_by_anybody(hospital):
    """Edge case 15."""
    hospital.send(charge())
    hospital.send(refund("F1"))
    assert code_of(hospital.send(refund("F2", "F1"))) == "RFD-410"
    by_cashier = refund("F3", "F1", header=header("HIS"), initiator=Initiator.CASHIER, source_system="PACS")
    assert code_of(hospital.send(by_cashier)) == "RFD-410"
    assert owed(hospital) == Decimal("0.00")


def test_what_a_withdrawn_registration_gave_back_cannot_be_refunded(hospital):
    """Edge case 15."""
    hospital.send(ct_requisition())
    hospital.send(status())
    hospital.send(status(event=StatusEvent.CANCEL_REG))
    (reversal,) = hospital.rows(MoneyTransaction, kind=MoneyKind.REVERSAL)
    line = (refund_line(code="210300001", amount="400.00"),)
    assert code_of(hospital.send(refund("F1", reversal.number, lines=line))) == "RFD-410"


# --- 18: the performing department and an outpatient ------------------------------------------------------------------


@pytest.mark.parametrize("visit_type", ["1", "2", "9"], ids=["outpatient", "emergency", "other"])
def test_a_department_gives_nothing_back_to_who_is_not_an_inpatient(hospital, visit_type):
    """Edge case 18."""
    paying = visit("OP1", visit_type=visit_type, ward_code=None, bed_no=None)
    hospital.send(charge(visit=paying))
    assert code_of(hospital.send(refund())) == "RFD-425"
    assert owed(hospital) == Decimal("238.50")
    assert code_of(hospital.send(refund("F2", header=header("HIS"), initiator=Initiator.CASHIER))) == "0"
    assert owed(hospital) == Decimal("0.00")


# --- 19: numbers as they are written ----------------------------------------------------------------------------------

WRITTEN = {"UnitPrice": "238.50", "ListAmount": "238.50", "ActualAmount": "238.50", "Quantity": "1"}


def written(hospital, **instead):
    """The answer to a charge whose numbers stand there as given."""
    (name, number), *rest = instead.items()
    assert not rest
    return send_with(hospital, charge(), f"<{name}>{WRITTEN[name]}</{name}>", f"<{name}>{number}</{name}>")


def test_three_times_a_third_of_a_yuan_is_one_yuan(hospital):
    """Edge case 19."""
    yuan = {"unit_price": Decimal("0.3333"), "list_amount": Decimal("1.00"), "actual_amount": Decimal("1.00")}
    assert code_of(hospital.send(charge(lines=(charge_line(quantity=Decimal(3), **yuan),)))) == "0"
    assert owed(hospital) == Decimal("1.00")


@pytest.mark.parametrize(("total", "expected"), [("0.99", "0"), ("1.01", "CHG-425"), ("0.98", "CHG-425")])
def test_a_cent_is_what_rounding_may_cost(hospital, total, expected):
    """Edge case 19."""
    given = {"unit_price": Decimal("0.3333"), "list_amount": Decimal(total), "actual_amount": Decimal(total)}
    assert code_of(hospital.send(charge(lines=(charge_line(quantity=Decimal(3), **given),)))) == expected


@pytest.mark.parametrize("number", ["+238.50", "238.5", "0238.50", "238.500", " 238.50 "])
def test_another_way_to_write_the_same_amount_is_the_same_amount(hospital, number):
    """Edge case 19."""
    assert code_of(written(hospital, ActualAmount=number)) == "0"
    assert owed(hospital) == Decimal("238.50")


@pytest.mark.parametrize("number", [".5", "+.5", "0.5"])
def test_a_missing_zero_before_the_point_is_read(hospital, number):
    """Edge case 19."""
    assert code_of(written(hospital, ActualAmount=number)) == "0"
    assert (owed(hospital), hospital.row(MoneyLine).amount) == (Decimal("0.50"), Decimal("0.50"))


@pytest.mark.parametrize("name", ["UnitPrice", "ListAmount", "ActualAmount", "Quantity"])
@pytest.mark.parametrize("number", ["1E2", "1e2", "1,000.00", "１００", "1.2.3", "￥5", "0x10", "NaN", "INF", "五"])
def test_what_is_no_decimal_number_is_a_clear_fault_and_books_nothing(hospital, name, number):
    """Edge case 19."""
    with pytest.raises(InvalidMessage):
        written(hospital, **{name: number})
    assert (hospital.rows(MoneyTransaction), hospital.dispatch.asked) == ([], [])


@pytest.mark.parametrize("name", ["ListAmount", "ActualAmount"])
@pytest.mark.parametrize("number", ["238.4999", "238.5001", "238.501"])
def test_an_amount_finer_than_a_cent_is_refused_and_never_rounded_away(hospital, name, number):
    """Edge case 19."""
    with pytest.raises(InvalidMessage):
        written(hospital, **{name: number})
    assert hospital.rows(MoneyTransaction) == []


def test_a_price_and_a_quantity_may_be_finer_than_a_cent_and_the_line_is_rounded_once(hospital):
    """Edge case 19."""
    item = ct_requisition().items[0]
    fine = replace(item.charge_items[0], quantity=Decimal("2.5000"), unit_price=Decimal("0.333333"), amount=None)
    hospital.send(ct_requisition(items=(replace(item, charge_items=(fine,)),)))
    assert hospital.send(status()).charge_result.amount == Decimal("0.83")
    assert owed(hospital) == Decimal("0.83")


# --- 20: the price is gone today, and the charge is of yesterday ------------------------------------------------------


def test_a_charge_of_yesterday_keeps_its_day_so_that_his_can_find_its_price(hospital):
    """Edge case 20."""
    books = keep_books(hospital)
    yesterday = TEN - timedelta(days=1)
    assert code_of(hospital.send(charge(occurred_at=yesterday))) == "0"
    assert hospital.dispatch.asked[0].request.occurred_at == yesterday
    assert (hospital.row(MoneyTransaction).occurred_at, len(books.booked)) == (yesterday, 1)


def test_a_price_that_his_has_disabled_is_refused_by_his_and_nothing_is_owed(hospital):
    """Edge case 20."""
    hospital.dispatch.script("his", "ChargeItem", no("E17", "项目已停用"))
    answer = hospital.send(charge(occurred_at=TEN - timedelta(days=1)))
    assert (code_of(answer), answer.transaction_state) == ("CHG-400", TransactionState.REJECTED)
    assert "项目已停用" in answer.result.result_text
    assert owed(hospital) == Decimal("0.00")
    assert code_of(hospital.send(charge("C2", lines=(charge_line(code="YP1109"),)))) == "0"


def test_a_registration_stands_when_his_has_disabled_the_price_and_somebody_is_told(hospital):
    """Edge case 20."""
    hospital.send(ct_requisition())
    hospital.dispatch.script("his", "ChargeItem", no("E17", "项目已停用"))
    answer = hospital.send(status())
    assert (code_of(answer), answer.charge_result.transaction_state) == ("0", TransactionState.REJECTED)
    assert hospital.alerts() == ["REGISTRATION_CHARGE_REJECTED"]
    assert owed(hospital) == Decimal("0.00")
