"""What becomes of an item when HIS does not give its money back, or gives back what nobody had priced."""

from dataclasses import replace
from decimal import Decimal

import pytest

from building import charge_code, ct_requisition, refund, refund_line, requisition_item, status
from gateway.model.delivery import DeliveryState
from gateway.model.money import ChargeOnce, LedgerEntry, MoneyKind, MoneyTransaction
from gateway.model.requisition import RequisitionItem
from gateway.terms import StatusEvent
from his_books import PRICE_OF_HIS, Mood, keep_books
from hospital import Hospital

REGISTER, CANCEL_REG = StatusEvent.REGISTER, StatusEvent.CANCEL_REG


def code(response: object) -> str:
    return response.result.result_code  # type: ignore[attr-defined, no-any-return]


def report(hospital: Hospital, *events: StatusEvent, seqs: tuple[int, ...] = ()) -> None:
    for event in events:
        assert code(hospital.send(status(event=event, seqs=seqs))) == "0"


def owed(hospital: Hospital) -> Decimal:
    return sum((e.amount for e in hospital.rows(LedgerEntry) if e.account.startswith("VISIT|")), Decimal("0.00"))


def charged(hospital: Hospital) -> list[str]:
    """The states of the charges."""
    return sorted(row.state for row in hospital.rows(MoneyTransaction, kind=MoneyKind.CHARGE))


def test_an_item_whose_reversal_his_refused_is_not_charged_again_by_the_next_registration(hospital: Hospital) -> None:
    keep_books(hospital, Mood.BOOKS, Mood.REFUSES)
    hospital.send(ct_requisition())
    report(hospital, REGISTER, CANCEL_REG, REGISTER)
    assert (charged(hospital), owed(hospital)) == (["CONFIRMED"], Decimal("400.00"))
    assert len(hospital.rows(ChargeOnce)) == 1


def test_a_charge_that_waits_behind_a_reversal_which_his_then_refuses_never_leaves(hospital: Hospital) -> None:
    books = keep_books(hospital, Mood.BOOKS, Mood.LOST_BEFORE, Mood.REFUSES)
    hospital.send(ct_requisition())
    report(hospital, REGISTER, CANCEL_REG, REGISTER)
    hospital.dispatch.recover(books.find)
    hospital.dispatch.deliver()
    assert (charged(hospital), owed(hospital)) == (["CONFIRMED", "REVERSED"], Decimal("400.00"))
    assert DeliveryState.DISCARDED in hospital.dispatch.states("his")
    assert sum(books.amounts().values()) == Decimal("400.00")
    report(hospital, CANCEL_REG)
    assert owed(hospital) == Decimal("0.00")


def test_a_charge_that_waits_behind_a_reversal_is_booked_when_the_reversal_is(hospital: Hospital) -> None:
    books = keep_books(hospital, Mood.BOOKS, Mood.LOST_AFTER)
    hospital.send(ct_requisition())
    report(hospital, REGISTER, CANCEL_REG, REGISTER)
    hospital.dispatch.recover(books.find)
    hospital.dispatch.deliver()
    assert (charged(hospital), owed(hospital)) == (["CONFIRMED", "CONFIRMED"], Decimal("400.00"))


def test_of_three_registrations_during_an_outage_only_the_booked_one_stays_when_his_refuses_to_reverse_it(
    hospital: Hospital,
) -> None:
    books = keep_books(hospital, Mood.BOOKS, Mood.LOST_BEFORE, Mood.REFUSES)
    hospital.send(ct_requisition())
    report(hospital, REGISTER, CANCEL_REG, REGISTER, CANCEL_REG, REGISTER)
    hospital.dispatch.recover(books.find)
    hospital.dispatch.deliver()
    assert (charged(hospital), owed(hospital)) == (["CONFIRMED", "REVERSED", "REVERSED"], Decimal("400.00"))
    assert sum(books.amounts().values()) == Decimal("400.00")


def test_a_charge_of_more_than_the_reversed_items_stands_and_somebody_is_told(hospital: Hospital) -> None:
    books = keep_books(hospital, Mood.BOOKS, Mood.LOST_BEFORE, Mood.REFUSES)
    hospital.send(ct_requisition(items=2))
    report(hospital, REGISTER, CANCEL_REG, seqs=(1,))
    report(hospital, REGISTER)
    hospital.dispatch.recover(books.find)
    assert "CHARGED_TWICE" in hospital.alerts()


def test_an_item_whose_refund_his_refused_may_be_registered_again(hospital: Hospital) -> None:
    keep_books(hospital, Mood.BOOKS, Mood.REFUSES)
    hospital.send(ct_requisition(items=2))
    report(hospital, REGISTER)
    line = refund_line(code="210300001", amount="400.00")
    assert code(hospital.send(refund("F1", None, requisition_no="R1", lines=(line,)))) == "RFD-400"
    assert [item.refunded for item in hospital.rows(RequisitionItem)] == [False, False]
    report(hospital, CANCEL_REG, REGISTER)
    assert owed(hospital) == Decimal("800.00")


@pytest.mark.parametrize("mood", [Mood.BOOKS, Mood.LOST_AFTER])
def test_what_his_had_not_priced_when_it_was_taken_back_goes_back_at_the_price_of_his(
    hospital: Hospital, mood: Mood
) -> None:
    books = keep_books(hospital, Mood.AWAY, Mood.BOOKS, mood)
    unpriced = replace(charge_code("CT2"), unit_price=None, amount=None)
    hospital.send(ct_requisition(items=(requisition_item(1), requisition_item(2, charge_items=(unpriced,)))))
    report(hospital, REGISTER)
    report(hospital, CANCEL_REG, seqs=(2,))
    for _ in range(3):
        hospital.dispatch.deliver()
        hospital.dispatch.recover(books.find)
    assert owed(hospital) == Decimal("400.00")
    assert books.amounts()[max(books.booked)] == PRICE_OF_HIS
