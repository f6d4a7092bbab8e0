"""What was booked in a time is listed with totals, so that others can compare their books with the gateway's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from building import OTHER_HOSPITAL, TEN, charge, find_transactions, header, refund
from hospital import UNKNOWN, response_of, yes

DAY = timedelta(days=1)


@pytest.fixture
def booked(hospital):
    """A hospital where HIS has booked C1 of the PACS, given F1 of it back, and not answered about C2 of the LIS."""
    hospital.dispatch.script("his", "ChargeItem", yes(response_of("ChargeItem", his_charge_no="HF1")), UNKNOWN)
    hospital.send(charge("C1"))
    hospital.dispatch.script("his", "RefundItem", yes(response_of("RefundItem", his_refund_no="HT1")))
    hospital.send(refund("F1"))
    hospital.send(charge("C2"), by="LIS")
    return hospital


def ask(hospital, by="HIS", **criteria):
    """From a day before to a day after the clock of the answers."""
    now = hospital.clock.now
    times = {"booked_from": now - DAY + timedelta(minutes=1), "booked_to": now + DAY}
    request = replace(find_transactions(charge_no=None), header=header(by), **times | criteria)
    return hospital.send(request)


@pytest.fixture(autouse=True)
def _time(hospital):
    """HIS's answers count when they come, by the clock of the computer."""

    hospital.clock.now = datetime.now(UTC).astimezone(TEN.tzinfo)


def test_his_sees_everybodys_bookings_with_its_own_numbers(booked):
    answer = ask(booked)
    told = [(b.sender_code, b.charge_no or b.refund_no, b.his_no, b.transaction_state) for b in answer.bookings]
    assert sorted(told) == [
        ("LIS", "C2", None, "PENDING_CONFIRM"),
        ("PACS", "C1", "HF1", "CONFIRMED"),
        ("PACS", "F1", "HT1", "CONFIRMED"),
    ]
    assert answer.total_count == 3


def test_totals_hold_what_is_booked_and_nothing_else(booked):
    (total,) = ask(booked, totals_only=True).totals
    assert (total.charge_count, total.charge_amount) == (1, Decimal("238.50"))
    assert (total.refund_count, total.perform_dept_code) == (1, "0103")


def test_a_department_system_sees_its_own_alone(booked):
    assert [b.charge_no for b in ask(booked, by="LIS").bookings] == ["C2"]
    assert ask(booked, by="PACS", source_system="LIS").result.result_code == "QRY-400"


def test_it_can_be_narrowed(booked):
    assert [b.sender_code for b in ask(booked, source_system="LIS").bookings] == ["LIS"]
    assert ask(booked, perform_dept_code="9999").bookings == ()
    assert ask(booked, booked_to=booked.clock.now - timedelta(hours=1)).total_count == 0


def test_pages_hold_all_of_it_once(booked):
    pages = [ask(booked, page_no=page, page_size=2) for page in (1, 2, 3)]
    assert [len(page.bookings) for page in pages] == [2, 1, 0]
    assert len({b.charge_no or b.refund_no for page in pages for b in page.bookings}) == 3


def test_another_hospital_sees_nothing(booked):
    now = booked.clock.now
    request = replace(
        find_transactions(charge_no=None),
        header=header("HIS", hospital=OTHER_HOSPITAL),
        booked_from=now - timedelta(hours=1),
        booked_to=now + DAY,
    )
    assert booked.send(request).total_count == 0


@pytest.mark.parametrize(
    "criteria",
    [
        {"booked_to": None},
        {"booked_from": None},
        {"booked_to": TEN - 90 * DAY},
        {"booked_from": TEN},
        {"charge_no": "C1"},
    ],
    ids=str,
)
def test_times_that_make_no_sense_are_refused(booked, criteria):
    if "booked_from" in criteria and criteria["booked_from"] is not None:
        criteria = {"booked_from": booked.clock.now - 3 * DAY}
    assert ask(booked, **criteria).result.result_code == "QRY-400"
