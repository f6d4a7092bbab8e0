"""Packages (组套): a discount shared among the lines, partial refunds by share, and a line moved to the ward."""

from decimal import Decimal
from itertools import pairwise

import pytest

from building import (
    again,
    charge,
    charge_code,
    charge_line,
    ct_requisition,
    refund,
    refund_line,
    requisition_item,
    status,
)
from gateway.config import Rules
from gateway.messages.charge import PackagePrice
from gateway.model.money import ChargeOnce, LedgerEntry, MoneyKind, MoneyState, MoneyTransaction, shares
from gateway.terms import ChargePoint, Initiator, RefundReason, StatusEvent, TransactionState
from hospital import NOT_SENT, UNKNOWN, Hospital, no

SCAN, CONTRAST, NEEDLE = "210300002", "YP1108", "HC0021"
WARD = "0301"


def code(response: object) -> str:
    return response.result.result_code  # type: ignore[attr-defined, no-any-return]


def enhanced_ct(amount: str = "600.00") -> object:
    """An inpatient's enhanced CT: scan, contrast medium and needle, sold as one package."""
    lines = (charge_code(SCAN, "400.00"), charge_code(CONTRAST, "238.50"), charge_code(NEEDLE, "31.80"))
    item = requisition_item(amount=Decimal(amount), package_code="TC01", charge_items=lines)
    return ct_requisition(items=(item,))


def registered(hospital: Hospital, requisition: object | None = None) -> MoneyTransaction:
    """The charge of a package whose exam has been registered."""
    hospital.send(requisition or enhanced_ct())
    assert code(hospital.send(status())) == "0"
    return hospital.row(MoneyTransaction, kind=MoneyKind.CHARGE)


def of_needle(**changes: object) -> object:
    """PACS gives back the needle of R1."""
    values = {"requisition_no": "R1", "lines": (refund_line(3, NEEDLE, refund_amount=None),)}
    return refund("F1", None, **values | changes)


def moved_needle(to: str = WARD, **changes: object) -> object:
    """The ward placed the needle: it is charged there instead."""
    return of_needle(reason_code=RefundReason.WARD_PERFORMED, move_to_dept_code=to, **changes)


def balance(hospital: Hospital, account: str) -> Decimal:
    return sum((e.amount for e in hospital.rows(LedgerEntry) if account in e.account), Decimal(0))


# --- the discount -----------------------------------------------------------------------------------------------------


def test_the_lines_of_a_package_share_its_discount_and_the_last_takes_the_remainder(hospital: Hospital) -> None:
    made = registered(hospital)
    assert [line.amount for line in made.lines] == [Decimal("358.05"), Decimal("213.49"), Decimal("28.46")]
    assert made.amount == Decimal("600.00")
    assert [line.list_amount for line in made.lines] == [Decimal("400.00"), Decimal("238.50"), Decimal("31.80")]
    sent = hospital.dispatch.asked[-1].request.lines
    assert [line.actual_amount for line in sent] == [line.amount for line in made.lines]


def test_a_package_never_costs_more_than_its_lines(hospital: Hospital) -> None:
    assert registered(hospital, enhanced_ct("700.00")).amount == Decimal("670.30")


@pytest.mark.parametrize("total", ["0.00", "0.01", "0.02", "99.99", "100.00", "333.33"])
@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 2, 3), (0, 0, 0), (100, 0, 1), (1,)])
def test_shares_of_a_price_always_add_up_and_none_is_negative(total: str, weights: tuple[int, ...]) -> None:
    parts = shares(Decimal(total), [Decimal(weight) for weight in weights])
    assert sum(parts) == Decimal(total)
    assert all(Decimal(0) <= part <= Decimal(total) for part in parts)


def test_a_department_may_charge_a_package_by_its_price(hospital: Hospital) -> None:
    lines = tuple(
        charge_line(no, price_code, price, package_code="TC01", actual_amount=None)
        for no, price_code, price in ((1, SCAN, "400.00"), (2, CONTRAST, "238.50"), (3, NEEDLE, "31.80"))
    )
    package = PackagePrice(package_code="TC01", amount=Decimal("600.00"))
    assert code(hospital.send(charge(lines=lines, packages=(package,)))) == "0"
    assert hospital.row(MoneyTransaction).amount == Decimal("600.00")


@pytest.mark.parametrize(
    ("price", "lines", "refusal"),
    [
        ("600.00", (charge_line(1, SCAN, "400.00", package_code="TC01", actual_amount=None),), "CHG-425"),
        ("300.00", (charge_line(1, SCAN, "400.00", package_code="TC01"),), "CHG-400"),
        ("300.00", (charge_line(1, SCAN, "400.00", actual_amount=None),), "CHG-400"),
    ],
    ids=["dearer than its lines", "with an amount of its own", "without a line"],
)
def test_a_package_whose_lines_and_price_do_not_fit_is_refused(
    hospital: Hospital, price: str, lines: tuple[object, ...], refusal: str
) -> None:
    package = PackagePrice(package_code="TC01", amount=Decimal(price))
    assert code(hospital.send(charge(lines=lines, packages=(package,)))) == refusal
    assert hospital.rows(MoneyTransaction) == []


# --- part of it goes back ---------------------------------------------------------------------------------------------


def test_one_line_of_a_discounted_package_goes_back_at_what_it_really_cost(hospital: Hospital) -> None:
    """Edge case 16."""
    registered(hospital)
    answer = hospital.send(of_needle())
    assert (code(answer), answer.refunded_amount) == ("0", Decimal("28.46"))
    assert balance(hospital, "VISIT|") == Decimal("571.54")


def test_thirds_of_a_line_add_up_to_the_line_with_the_remainder_in_the_last(hospital: Hospital) -> None:
    """Edge case 16: 100.00 back in three shares."""
    hospital.send(charge(lines=(charge_line(price="100.00"),)))
    given = []
    for number, share in enumerate(("0.3333", "0.3333", "0.3334")):
        line = refund_line(refund_quantity=None, refund_amount=None, refund_share=Decimal(share))
        answer = hospital.send(refund(f"F{number}", lines=(line,)))
        assert code(answer) == "0"
        given.append(answer.refunded_amount)
    assert given == [Decimal("33.33"), Decimal("33.33"), Decimal("33.34")]
    line = refund_line(refund_quantity=None, refund_amount=None, refund_share=Decimal("0.0001"))
    assert code(hospital.send(refund("F9", lines=(line,)))) == "RFD-409"


@pytest.mark.parametrize(
    "line",
    [
        refund_line(refund_share=Decimal("0.5")),
        refund_line(refund_quantity=None, refund_amount=None),
        refund_line(refund_quantity=Decimal(0), refund_amount=None),
    ],
    ids=["quantity and share", "neither", "nothing"],
)
def test_a_refund_line_says_how_much_in_one_way(hospital: Hospital, line: object) -> None:
    hospital.send(charge())
    assert code(hospital.send(refund(lines=(line,)))) == "RFD-400"


def test_where_the_site_wants_it_the_last_line_stays(hospital: Hospital) -> None:
    hospital.choose(rules=Rules(refund_last_line=False))
    registered(hospital)
    assert code(hospital.send(of_needle())) == "0"
    rest = tuple(refund_line(no, c, refund_amount=None) for no, c in ((1, SCAN), (2, CONTRAST)))
    assert code(hospital.send(refund("F2", None, requisition_no="R1", lines=rest))) == "RFD-409"


# --- a line moves to the ward -----------------------------------------------------------------------------------------


def test_a_line_moves_to_the_ward_as_one_linked_movement(hospital: Hospital) -> None:
    registered(hospital)
    answer = hospital.send(moved_needle())
    assert (code(answer), answer.move_transaction_state) == ("0", TransactionState.PROPOSED)
    hospital.dispatch.deliver()
    sent = hospital.dispatch.forwards("his")[-2:]
    assert [forward.operation for forward in sent] == ["RefundItem", "ChargeItem"]
    new = sent[1].request
    assert (new.charge_no, new.perform_dept_code, new.patient.patient_id) == (answer.move_charge_no, WARD, "P1")
    refunded, charged = (hospital.row(MoneyTransaction, number=number) for number in ("F1", answer.move_charge_no))
    assert refunded.correlation_no == charged.correlation_no == answer.result.gateway_txn_no
    assert (charged.standing, charged.amount) == (TransactionState.CONFIRMED, Decimal("28.46"))
    assert balance(hospital, f"|{WARD}") == Decimal("-28.46")
    assert balance(hospital, "VISIT|") == Decimal("600.00")


def test_the_movement_is_told_once_it_is_through(hospital: Hospital) -> None:
    registered(hospital)
    request = moved_needle()
    hospital.send(request)
    hospital.dispatch.deliver()
    answer = hospital.send(again(request))
    assert (answer.result.duplicate, answer.move_transaction_state) == (True, TransactionState.CONFIRMED)
    assert len(hospital.dispatch.forwards("his", "ChargeItem")) == 2


def test_a_refund_that_his_refuses_takes_the_new_charge_with_it(hospital: Hospital) -> None:
    registered(hospital)
    hospital.dispatch.script("his", "RefundItem", no("RFD-409"))
    answer = hospital.send(moved_needle())
    assert (code(answer), answer.move_transaction_state) == ("RFD-409", TransactionState.REJECTED)
    hospital.dispatch.deliver()
    assert len(hospital.dispatch.forwards("his", "ChargeItem")) == 1
    assert balance(hospital, "VISIT|") == Decimal("600.00")


def test_the_new_charge_waits_until_the_refund_is_known_to_be_booked(hospital: Hospital) -> None:
    registered(hospital)
    hospital.dispatch.script("his", "RefundItem", NOT_SENT)
    answer = hospital.send(moved_needle())
    assert (code(answer), answer.move_transaction_state) == ("RFD-503", TransactionState.PROPOSED)
    assert len(hospital.dispatch.forwards("his", "ChargeItem")) == 1
    hospital.dispatch.deliver()
    hospital.dispatch.deliver()
    states = [t.standing for t in hospital.rows(MoneyTransaction)]
    assert states == [TransactionState.CONFIRMED] * 3


def test_a_ward_charge_that_his_refuses_after_its_refund_alarms(hospital: Hospital) -> None:
    registered(hospital)
    hospital.send(moved_needle())
    hospital.dispatch.script("his", "ChargeItem", no("CHG-410"))
    hospital.dispatch.deliver()
    assert "MOVE_INCOMPLETE" in hospital.alerts()


def test_what_was_moved_whole_is_not_charged_again_by_another_registration(hospital: Hospital) -> None:
    registered(hospital)
    hospital.send(moved_needle())
    hospital.dispatch.deliver()
    for event in (StatusEvent.CANCEL_REG, StatusEvent.REGISTER):
        assert code(hospital.send(status("R1", event))) == "0"
        hospital.dispatch.deliver()
    hospital.dispatch.deliver()
    newest = hospital.dispatch.forwards("his", "ChargeItem")[-1].request
    assert [line.charge_code for line in newest.lines] == [SCAN, CONTRAST]
    assert balance(hospital, "VISIT|") == Decimal("600.00")
    assert len(hospital.rows(ChargeOnce)) == 3


def test_his_may_tell_of_a_movement_it_has_booked(hospital: Hospital) -> None:
    registered(hospital)
    answer = hospital.send(moved_needle(), by="HIS")
    assert (code(answer), answer.move_transaction_state) == ("0", TransactionState.CONFIRMED)
    assert len(hospital.dispatch.forwards("his")) == 1 + len(hospital.dispatch.forwards("his", "ReportStatus"))
    assert balance(hospital, f"|{WARD}") == Decimal("-28.46")


def test_a_charge_without_a_requisition_moves_with_the_patient_it_named(hospital: Hospital) -> None:
    hospital.send(charge())
    hospital.send(refund(move_to_dept_code=WARD))
    hospital.dispatch.deliver()
    new = hospital.dispatch.forwards("his")[-1].request
    assert (new.perform_dept_code, new.visit.visit_no, new.lines[0].actual_amount) == (WARD, "V1", Decimal("238.50"))


def test_nothing_moves_to_where_it_is(hospital: Hospital) -> None:
    registered(hospital)
    assert code(hospital.send(moved_needle("0103"))) == "RFD-400"


def test_what_his_charged_without_a_requisition_only_his_can_move(hospital: Hospital) -> None:
    hospital.send(charge(), by="HIS")
    request = refund(move_to_dept_code=WARD, initiator=Initiator.PERFORM_DEPT)
    assert code(hospital.send(request, by="HIS")) == "RFD-400"


def test_the_states_of_a_charge_are_numbered_without_a_gap(hospital: Hospital) -> None:
    hospital.dispatch.script("his", "ChargeItem", UNKNOWN)
    hospital.send(charge(charge_point=ChargePoint.SUPPLEMENT))
    rows = hospital.rows(MoneyState)
    assert [row.state for row in rows] == ["SENT", "PENDING_CONFIRM"]
    assert all(second.seq == first.seq + 1 for first, second in pairwise(rows))


def test_what_has_no_price_is_moved_by_his_alone(hospital: Hospital) -> None:
    hospital.send(charge(lines=(charge_line(unit_price=None, list_amount=None, actual_amount=None),)))
    line = refund_line(refund_amount=None)
    assert code(hospital.send(refund(lines=(line,), move_to_dept_code=WARD))) == "RFD-400"
