"""ChargeItem: `0` only when HIS has booked; nothing is charged twice."""

from decimal import Decimal

import pytest

from building import (
    again,
    at_branch,
    cancellation,
    charge,
    charge_line,
    ct_requisition,
    status,
    visit,
    visit_event,
)
from gateway.model.money import MoneyTransaction
from gateway.terms import ChargePoint, TransactionState, VisitEvent
from hospital import FAULT, NOT_SENT, UNKNOWN, Hospital, no, response_of, yes


def code(response: object) -> str:
    return response.result.result_code  # type: ignore[attr-defined, no-any-return]


def nurse_charge(charge_no: str = "N1", **changes: object) -> object:
    """The nurse station charges item 1 of R1."""
    line = charge_line(1, "210300001", "400.00", item_seq=1)
    values = {"charge_point": ChargePoint.NURSE_SEND, "requisition_no": "R1", "lines": (line,)}
    return charge(charge_no, **values | changes)


def test_a_supplement_is_booked_by_his(hospital: Hospital) -> None:
    hospital.dispatch.script("his", "ChargeItem", yes(response_of("ChargeItem", his_charge_no="H1")))
    answer = hospital.send(charge())
    assert (code(answer), answer.transaction_state, answer.his_charge_no) == ("0", TransactionState.CONFIRMED, "H1")
    assert [(line.line_no, line.amount) for line in answer.lines] == [(1, Decimal("238.50"))]


def test_what_his_charges_itself_is_not_sent_back_to_it(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    answer = hospital.send(nurse_charge(), by="HIS")
    assert (code(answer), answer.transaction_state) == ("0", TransactionState.CONFIRMED)
    assert [f.operation for f in hospital.dispatch.forwards("his")] == []


@pytest.mark.parametrize(
    ("outcome", "expected", "state"),
    [
        (NOT_SENT, "CHG-503", TransactionState.PROPOSED),
        (UNKNOWN, "CHG-504", TransactionState.PENDING_CONFIRM),
        (no("CHG-402", "欠费"), "CHG-402", TransactionState.REJECTED),
        (no("E17", "项目停用"), "CHG-400", TransactionState.REJECTED),
        (FAULT, "CHG-400", TransactionState.REJECTED),
    ],
    ids=["not sent", "unknown", "refused with our code", "refused with its own", "fault"],
)
def test_the_answer_says_what_his_did(
    hospital: Hospital, outcome: object, expected: str, state: TransactionState
) -> None:
    hospital.dispatch.script("his", "ChargeItem", outcome)  # type: ignore[arg-type]
    answer = hospital.send(charge())
    assert (code(answer), answer.transaction_state) == (expected, state)


def test_a_charge_his_did_not_hear_is_booked_later_and_the_repeat_says_so(hospital: Hospital) -> None:
    hospital.dispatch.script("his", "ChargeItem", NOT_SENT)
    request = charge()
    assert code(hospital.send(request)) == "CHG-503"
    hospital.dispatch.deliver()
    answer = hospital.send(request)
    assert (code(answer), answer.transaction_state) == ("0", TransactionState.CONFIRMED)
    assert len(hospital.rows(MoneyTransaction)) == 1


def test_a_repeat_over_an_unknown_outcome_sends_nothing(hospital: Hospital) -> None:
    hospital.dispatch.script("his", "ChargeItem", UNKNOWN)
    request = charge()
    hospital.send(request)
    assert code(hospital.send(request)) == "CHG-504"
    assert code(hospital.send(again(request))) == "CHG-504"
    assert len(hospital.dispatch.asked) == 1


def test_the_same_charge_number_with_other_content_is_refused(hospital: Hospital) -> None:
    hospital.send(charge())
    assert code(hospital.send(charge(lines=(charge_line(price="1.00"),)))) == "CHG-409"


def test_pacs_and_lis_may_use_the_same_charge_number(hospital: Hospital) -> None:
    hospital.send(charge())
    assert code(hospital.send(charge(), by="LIS")) == "0"
    assert len(hospital.rows(MoneyTransaction)) == 2


def test_an_item_is_charged_once_whoever_charges_it(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status())
    assert code(hospital.send(nurse_charge(), by="HIS")) == "CHG-409"


def test_a_supplement_may_repeat_a_code(hospital: Hospital) -> None:
    hospital.send(charge("C1"))
    assert code(hospital.send(charge("C2"))) == "0"


def test_only_his_charges_at_the_nurse_station(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    assert code(hospital.send(nurse_charge(), by="PACS")) == "CHG-400"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"requisition_no": None}, "CHG-400"),
        ({"lines": (charge_line(1, item_seq=None),)}, "CHG-400"),
        ({"requisition_no": "R9"}, "CHG-404"),
        ({"lines": (charge_line(1, item_seq=9),)}, "CHG-404"),
        ({"visit": visit("V9")}, "CHG-404"),
        ({"lines": (charge_line(1, item_seq=1), charge_line(1, "X", item_seq=1))}, "CHG-400"),
        ({"lines": (charge_line(1, item_seq=1), charge_line(2, item_seq=1))}, "CHG-409"),
        ({"lines": (charge_line(1, item_seq=1, quantity=Decimal(0)),)}, "CHG-400"),
        ({"lines": (charge_line(1, item_seq=1, list_amount=None),)}, "CHG-400"),
        ({"lines": (charge_line(1, item_seq=1, list_amount=Decimal("239.00")),)}, "CHG-425"),
        ({"lines": (charge_line(1, item_seq=1, actual_amount=Decimal("-1.00")),)}, "CHG-425"),
        ({"lines": (charge_line(1, item_seq=1, actual_amount=Decimal("300.00")),)}, "CHG-425"),
    ],
)
def test_a_charge_that_breaks_a_rule_is_refused_whole(
    hospital: Hospital, changes: dict[str, object], expected: str
) -> None:
    hospital.send(ct_requisition())
    assert code(hospital.send(nurse_charge(**changes), by="HIS")) == expected
    assert hospital.rows(MoneyTransaction) == []


def test_a_third_of_a_yuan_three_times_is_within_the_tolerance(hospital: Hospital) -> None:
    line = charge_line(
        1, quantity=Decimal(3), unit_price=Decimal("0.3333"), list_amount=Decimal("1.00"), actual_amount=Decimal("1.00")
    )
    assert code(hospital.send(charge(lines=(line,)))) == "0"


def test_a_cancelled_requisition_is_not_charged(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(cancellation(ct_requisition()))
    assert code(hospital.send(charge(requisition_no="R1"))) == "CHG-410"


def test_a_discharged_visit_is_not_charged_by_a_department(hospital: Hospital) -> None:
    hospital.send(visit_event(VisitEvent.DISCHARGE))
    assert code(hospital.send(charge())) == "CHG-410"


def test_a_visit_discharged_in_its_branch_is_closed_to_a_charge_that_names_no_branch(hospital: Hospital) -> None:
    hospital.send(at_branch(visit_event(VisitEvent.DISCHARGE), "EAST"))
    assert code(hospital.send(charge())) == "CHG-410"


def test_a_visit_number_of_two_branches_needs_the_branch(hospital: Hospital) -> None:
    hospital.send(at_branch(visit_event(VisitEvent.DISCHARGE, event_no="E1"), "EAST"))
    hospital.send(at_branch(visit_event(VisitEvent.ADMIT, event_no="E2"), "WEST"))
    assert code(hospital.send(charge())) == "CHG-422"
    assert code(hospital.send(at_branch(charge(), "EAST"))) == "CHG-410"


def test_a_visit_his_told_nothing_of_is_decided_by_his(hospital: Hospital) -> None:
    hospital.dispatch.script("his", "ChargeItem", no("CHG-410", "已出院"))
    assert code(hospital.send(charge())) == "CHG-410"


def test_without_a_billing_system_nothing_is_charged(hospital: Hospital) -> None:
    hospital.dispatch.routes["ChargeItem"] = ()
    assert code(hospital.send(charge())) == "CHG-422"


def test_the_branch_of_a_requisition_must_be_clear(hospital: Hospital) -> None:
    hospital.send(at_branch(ct_requisition(), "EAST"))
    hospital.send(at_branch(ct_requisition(), "WEST"))
    assert code(hospital.send(charge(requisition_no="R1"))) == "CHG-422"
