"""Numbers that come again: after a time-out, under another name, in another branch, in another year."""

from dataclasses import replace
from decimal import Decimal

import pytest

from building import (
    TEN,
    again,
    at_branch,
    cancellation,
    charge,
    charge_line,
    ct_requisition,
    find_requisitions,
    header,
    minutes,
    refund,
    report,
    requisition_item,
    status,
    update,
    visit_event,
)
from gateway.model.journal import JournalEntry
from gateway.model.money import MoneyTransaction
from gateway.model.requisition import Requisition
from gateway.terms import GatewayStatus, StatusCode, VisitEvent
from hospital import UNKNOWN
from readers import code_of

A_YEAR = 366 * 24 * 60


# --- 1 to 4: the same number again ------------------------------------------------------------------------------------


def test_a_requisition_sent_again_after_a_timeout_is_one_requisition_with_one_answer(hospital):
    """Edge case 1."""
    request = ct_requisition()
    first = hospital.send(request)
    second = hospital.send(replace(request, header=replace(request.header, sent_at=TEN + minutes(1))))
    assert (first.result.duplicate, second.result.duplicate) == (False, True)
    assert second.result.gateway_txn_no == first.result.gateway_txn_no
    assert len(hospital.rows(Requisition)) == len(hospital.dispatch.forwards("pacs")) == 1
    assert len(hospital.rows(JournalEntry)) == 2


def test_a_charge_sent_again_while_its_outcome_is_unknown_is_not_booked_twice(hospital):
    """Edge case 1."""
    hospital.dispatch.script("his", "ChargeItem", UNKNOWN)
    request = charge()
    assert code_of(hospital.send(request)) == "CHG-504"
    assert code_of(hospital.send(request)) == "CHG-504"
    assert len([f for f in hospital.dispatch.asked if f.operation == "ChargeItem"]) == 1
    assert len(hospital.rows(MoneyTransaction)) == 1


def test_six_copies_that_arrive_at_once_have_one_effect(hospital):
    """Edge case 1."""
    answers = hospital.send_at_once(*(ct_requisition() for _ in range(6)))
    assert {code_of(answer) for answer in answers} == {"0"}
    assert len(hospital.rows(Requisition)) == len(hospital.dispatch.forwards("pacs")) == 1


def test_the_same_requisition_under_a_new_message_id_is_known(hospital):
    """Edge case 2."""
    request = ct_requisition()
    hospital.send(request)
    answer = hospital.send(again(request))
    assert (code_of(answer), answer.result.duplicate) == ("0", True)
    assert len(hospital.dispatch.forwards("pacs")) == 1


def test_the_same_requisition_number_with_another_exam_is_refused_and_changes_nothing(hospital):
    """Edge case 3."""
    hospital.send(ct_requisition())
    other = ct_requisition(items=(requisition_item(item_code="MR0001"),))
    assert code_of(hospital.send(other)) == "REQ-409"
    assert hospital.row(Requisition).items[0].item_code == "CT0201"
    assert len(hospital.dispatch.forwards("pacs")) == 1


def test_the_same_message_id_with_other_content_is_refused(hospital):
    """Edge case 3."""
    hospital.send(ct_requisition("R1", header=header("HIS", message_id="M1")))
    assert code_of(hospital.send(ct_requisition("R2", header=header("HIS", message_id="M1")))) == "SYS-409"


def test_a_message_id_another_sender_used_is_another_message(hospital):
    """Edge case 4."""
    first = hospital.send(ct_requisition("R1", header=header("HIS", message_id="1")))
    second = hospital.send(ct_requisition("R2", header=header("EMR", message_id="1")))
    assert (code_of(first), code_of(second)) == ("0", "0")
    assert second.result.duplicate is False
    assert len(hospital.rows(Requisition)) == 2


def test_a_message_id_used_for_another_operation_is_another_message(hospital):
    """Edge case 4."""
    hospital.send(ct_requisition(header=header("HIS", message_id="1")))
    answer = hospital.send(visit_event(header=header("HIS", message_id="1")))
    assert (code_of(answer), answer.result.duplicate) == ("0", False)


# --- 5: what comes too late -------------------------------------------------------------------------------------------


def test_a_cancel_that_overtakes_its_new_is_remembered_and_stops_it(hospital):
    """Edge case 5."""
    request = ct_requisition()
    assert code_of(hospital.send(cancellation(request))) == "REQ-404"
    answer = hospital.send(request)
    assert code_of(answer) == "REQ-410"
    assert hospital.row(Requisition).gateway_status == GatewayStatus.CANCELLED
    assert hospital.dispatch.forwards("pacs") == []


def test_nobody_can_register_or_revive_what_was_cancelled_before_it_came(hospital):
    """Edge case 5."""
    request = ct_requisition()
    hospital.send(cancellation(request))
    hospital.send(request)
    assert code_of(hospital.send(status())) == "STA-410"
    assert code_of(hospital.send(update(request))) == "REQ-410"


# --- 51: two branches with the same numbers ---------------------------------------------------------------------------


@pytest.fixture
def two_branches(hospital):
    """Branches 01 and 02 have both ordered under R1."""
    for branch in ("01", "02"):
        answer = hospital.send(at_branch(ct_requisition(), branch))
        assert (code_of(answer), answer.result.duplicate) == ("0", False)
    return hospital


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (status(), "STA-422"),
        (cancellation(ct_requisition()), "REQ-422"),
        (report(), "RPT-422"),
        (refund(charge_no=None, requisition_no="R1"), "RFD-422"),
    ],
)
def test_without_its_branch_a_number_of_two_branches_is_nobodys(two_branches, request_, code):
    """Edge case 51."""
    assert code_of(two_branches.send(request_)) == code
    assert {row.status for row in two_branches.rows(Requisition)} == {StatusCode.RELEASED}


def test_with_its_branch_each_is_itself(two_branches):
    """Edge case 51."""
    two_branches.send(at_branch(status(), "01"))
    assert code_of(two_branches.send(at_branch(cancellation(ct_requisition()), "02"))) == "0"
    assert {row.branch_code: row.status for row in two_branches.rows(Requisition)} == {"01": "30", "02": "90"}


def test_a_query_without_branch_finds_both(two_branches):
    """Edge case 51."""
    assert two_branches.send(find_requisitions(requisition_no="R1")).total_count == 2


# --- 52: several order numbers in one field ---------------------------------------------------------------------------


def test_joined_order_numbers_are_kept_as_one_number(hospital):
    """Edge case 52."""
    hospital.send(ct_requisition(items=(requisition_item(order_no="O1^O2"),)))
    assert hospital.row(Requisition).items[0].order_no == "O1^O2"
    assert hospital.dispatch.forwards("pacs")[0].request.items[0].order_no == "O1^O2"
    assert code_of(hospital.send(report(orders=("O1^O2",)))) == "0"


@pytest.mark.parametrize("orders", [("O1",), ("O1^O2^O9",), ("O1^O2", "O9")])
def test_a_part_of_them_or_one_that_is_unknown_is_refused_whole(hospital, orders):
    """Edge case 52."""
    hospital.send(ct_requisition(items=(requisition_item(order_no="O1^O2"),)))
    assert code_of(hospital.send(report(orders=orders))) == "RPT-422"
    assert hospital.row(Requisition).status is StatusCode.RELEASED


# --- 53: numbers that begin anew every year ---------------------------------------------------------------------------


def test_a_requisition_number_that_begins_anew_is_refused_and_never_taken_for_the_old_one(hospital):
    """Edge case 53."""
    hospital.send(ct_requisition("000001"))
    hospital.send(status("000001"))
    hospital.clock.now = TEN + minutes(A_YEAR)
    answer = hospital.send(ct_requisition("000001", ordered_at=hospital.clock.now))
    assert (code_of(answer), answer.result.duplicate) == ("REQ-409", False)
    assert len(hospital.rows(Requisition)) == 1


def test_a_charge_number_that_begins_anew_is_refused(hospital):
    """Edge case 53."""
    hospital.send(charge("000001"))
    hospital.clock.now = TEN + minutes(A_YEAR)
    lines = (charge_line(price="12.00", quantity=Decimal(1)),)
    assert code_of(hospital.send(charge("000001", occurred_at=hospital.clock.now, lines=lines))) == "CHG-409"
    assert len(hospital.rows(MoneyTransaction)) == 1


def test_message_and_event_numbers_that_begin_anew_are_refused(hospital):
    """Edge case 53."""
    hospital.send(visit_event(event_no="1", header=header("HIS", message_id="1")))
    hospital.clock.now = TEN + minutes(A_YEAR)
    later = {"occurred_at": hospital.clock.now}
    assert code_of(hospital.send(visit_event(event_no="2", header=header("HIS", message_id="1"), **later))) == "SYS-409"
    assert code_of(hospital.send(visit_event(VisitEvent.DISCHARGE, event_no="1", **later))) == "VIS-409"


def test_with_the_year_in_front_the_numbers_may_begin_anew(hospital):
    """Edge case 53."""
    hospital.send(ct_requisition("2026-000001"))
    hospital.clock.now = TEN + minutes(A_YEAR)
    assert code_of(hospital.send(ct_requisition("2027-000001"))) == "0"
