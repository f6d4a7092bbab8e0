"""ReportStatus: registration closes the refund and charges the inpatient once."""

from dataclasses import replace
from decimal import Decimal

import pytest

from building import TEN, again, cancellation, ct_requisition, minutes, outpatient_ct, requisition_item, status
from gateway.config import Rules
from gateway.messages.charge import LineOutcome
from gateway.messages.status import ChargeOutcome, ItemRef
from gateway.model.journal import ParkedMessage
from gateway.model.money import ChargeOnce, MoneyTransaction
from gateway.model.requisition import Requisition, RequisitionItem, StatusRecord
from gateway.terms import StatusCode, StatusEvent, TransactionState
from hospital import NOT_SENT, UNKNOWN, Hospital, no, response_of, yes


def code(response: object) -> str:
    return response.result.result_code  # type: ignore[attr-defined, no-any-return]


def booked(hospital: Hospital) -> list[tuple[str, str]]:
    """Kind and state of every transaction."""
    return sorted((transaction.kind, transaction.state) for transaction in hospital.rows(MoneyTransaction))


def test_registration_closes_the_refund_and_is_told_to_his(hospital: Hospital) -> None:
    hospital.send(outpatient_ct())
    answer = hospital.send(status())
    assert (code(answer), answer.current_status, answer.refund_allowed) == ("0", StatusCode.IN_PROGRESS, False)
    assert [f.operation for f in hospital.dispatch.forwards("his")] == ["ReportStatus"]


def test_an_inpatient_is_charged_at_registration(hospital: Hospital) -> None:
    hospital.send(ct_requisition(items=2))
    hospital.dispatch.script("his", "ChargeItem", yes(response_of("ChargeItem", his_charge_no="H77")))
    answer = hospital.send(status())
    assert answer.charge_result.transaction_state is TransactionState.CONFIRMED
    assert (answer.charge_result.his_charge_no, answer.charge_result.amount) == ("H77", Decimal("800.00"))


def test_a_second_registration_charges_nothing(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status())
    answer = hospital.send(status())
    assert (code(answer), answer.applied, answer.charge_result) == ("0", False, None)
    assert len(hospital.rows(MoneyTransaction)) == 1


def test_items_are_registered_and_charged_one_by_one(hospital: Hospital) -> None:
    hospital.send(ct_requisition(items=2))
    first = hospital.send(status(seqs=(1,)))
    second = hospital.send(status(seqs=(2,)))
    assert (first.charge_result.amount, second.charge_result.amount) == (Decimal("400.00"), Decimal("400.00"))
    assert second.current_status is StatusCode.IN_PROGRESS


def test_an_outpatient_who_paid_is_not_charged_again(hospital: Hospital) -> None:
    hospital.send(outpatient_ct())
    assert hospital.send(status()).charge_result is None
    assert len(hospital.rows(MoneyTransaction)) == 1


@pytest.mark.parametrize(
    ("answer", "state"),
    [(NOT_SENT, TransactionState.PROPOSED), (UNKNOWN, TransactionState.PENDING_CONFIRM)],
    ids=["not sent", "unknown"],
)
def test_registration_stands_when_his_does_not_book_at_once(
    hospital: Hospital, answer: object, state: TransactionState
) -> None:
    hospital.send(ct_requisition())
    hospital.dispatch.script("his", "ChargeItem", answer)  # type: ignore[arg-type]
    registered = hospital.send(status())
    assert (code(registered), registered.charge_result.transaction_state) == ("0", state)


def test_a_charge_his_refuses_is_alarmed_and_registration_stands(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.dispatch.script("his", "ChargeItem", no("CHG-402", "欠费"))
    answer = hospital.send(status())
    assert (code(answer), answer.charge_result.result_code) == ("0", "CHG-402")
    assert hospital.alerts() == ["REGISTRATION_CHARGE_REJECTED"]
    assert hospital.rows(ChargeOnce) == []


def test_an_item_without_a_price_is_booked_at_the_amount_his_answers(hospital: Hospital) -> None:
    unpriced = requisition_item(1, unit_price=None, amount=None, charge_items=())
    hospital.send(replace(ct_requisition(), items=(unpriced,)))
    line = LineOutcome(line_no=1, result_code="0", amount=Decimal("123.40"))
    hospital.dispatch.script("his", "ChargeItem", yes(response_of("ChargeItem", lines=(line,))))
    assert hospital.send(status()).charge_result.amount == Decimal("123.40")


def test_his_may_charge_by_itself_on_the_registration(hospital: Hospital) -> None:
    hospital.dispatch.registering_charges.add("his")
    hospital.send(ct_requisition())
    booked = ChargeOutcome(transaction_state=TransactionState.CONFIRMED, result_code="0", his_charge_no="H9")
    hospital.dispatch.script("his", "ReportStatus", yes(response_of("ReportStatus", charge_result=booked)))
    answer = hospital.send(status())
    assert answer.charge_result.transaction_state is TransactionState.PROPOSED
    hospital.dispatch.deliver()
    assert [f.operation for f in hospital.dispatch.forwards("his")] == ["ReportStatus"]
    assert hospital.row(MoneyTransaction).state == TransactionState.CONFIRMED


def test_a_lost_registration_by_which_his_charges_leaves_its_charge_unknown(hospital: Hospital) -> None:
    hospital.dispatch.registering_charges.add("his")
    hospital.send(ct_requisition())
    booked = ChargeOutcome(transaction_state=TransactionState.CONFIRMED, result_code="0", his_charge_no="H9")
    hospital.dispatch.script("his", "ReportStatus", UNKNOWN)
    hospital.send(status())
    hospital.dispatch.deliver()
    assert hospital.row(MoneyTransaction).state == TransactionState.PENDING_CONFIRM
    hospital.dispatch.recover(lambda forward: yes(response_of("ReportStatus", charge_result=booked)))
    assert hospital.row(MoneyTransaction).state == TransactionState.CONFIRMED


@pytest.mark.parametrize(
    ("answer", "state"),
    [("yes", TransactionState.CONFIRMED), ("unknown", TransactionState.PENDING_CONFIRM)],
)
def test_his_that_is_asked_and_charges_by_itself_has_charged_when_it_says_so(
    hospital: Hospital, answer: str, state: TransactionState
) -> None:
    hospital.choose(rules=Rules(registration_asks_his=True))
    hospital.dispatch.registering_charges.add("his")
    hospital.send(ct_requisition())
    booked = ChargeOutcome(transaction_state=TransactionState.CONFIRMED, result_code="0", his_charge_no="H9")
    said = yes(response_of("ReportStatus", charge_result=booked)) if answer == "yes" else UNKNOWN
    hospital.dispatch.script("his", "ReportStatus", said)
    assert hospital.send(status()).charge_result.transaction_state is state
    assert hospital.row(MoneyTransaction).state == state
    assert [f.operation for f in hospital.dispatch.forwards("his")] == ["ReportStatus"]


def test_a_lost_registration_leaves_alone_what_his_is_sent_by_itself(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.dispatch.script("his", "ChargeItem", NOT_SENT)
    hospital.dispatch.script("his", "ReportStatus", UNKNOWN)
    hospital.send(status())
    assert hospital.row(MoneyTransaction).state == TransactionState.PROPOSED


def test_withdrawing_the_registration_reverses_its_charge_and_opens_the_refund(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status())
    answer = hospital.send(status(event=StatusEvent.CANCEL_REG))
    assert (answer.current_status, answer.refund_allowed) == (StatusCode.RELEASED, True)
    assert booked(hospital) == [("CHARGE", "CONFIRMED"), ("REVERSAL", "CONFIRMED")]
    assert hospital.dispatch.asked[-1].operation == "RefundItem"


def test_registering_again_charges_again(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    for event in (StatusEvent.REGISTER, StatusEvent.CANCEL_REG, StatusEvent.REGISTER):
        hospital.send(status(event=event))
    assert [kind for kind, _ in booked(hospital)] == ["CHARGE", "CHARGE", "REVERSAL"]
    assert len(hospital.rows(ChargeOnce)) == 1


def test_an_exam_reported_as_done_was_also_registered_and_charged(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    answer = hospital.send(status(event=StatusEvent.EXAM_DONE))
    assert answer.current_status is StatusCode.EXAMINED
    assert [(r.to_status, r.inferred) for r in hospital.rows(StatusRecord)] == [("30", True), ("40", False)]
    assert len(hospital.rows(MoneyTransaction)) == 1


def test_a_stale_event_is_recorded_and_not_applied(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status(event=StatusEvent.EXAM_DONE))
    answer = hospital.send(status(event=StatusEvent.BOOK))
    assert (code(answer), answer.applied, answer.current_status) == ("0", False, StatusCode.EXAMINED)


def test_a_status_number_that_is_not_greater_is_stale(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status(event=StatusEvent.BOOK, status_seq=5))
    assert hospital.send(status(event=StatusEvent.UNBOOK, status_seq=5)).applied is False
    assert hospital.send(status(event=StatusEvent.UNBOOK, status_seq=6)).applied is True


@pytest.mark.parametrize("event", [StatusEvent.CANCEL_REG, StatusEvent.STOP, StatusEvent.REJECT])
def test_going_back_needs_a_reason(hospital: Hospital, event: StatusEvent) -> None:
    hospital.send(ct_requisition())
    assert code(hospital.send(status(event=event, reason=None))) == "STA-400"


def test_an_unpaid_requisition_cannot_be_registered(hospital: Hospital) -> None:
    hospital.send(outpatient_ct(release_event=None))
    assert code(hospital.send(status())) == "STA-402"


def test_an_illegal_event_is_refused_with_the_present_state(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    answer = hospital.send(status(event=StatusEvent.CANCEL_REG))
    assert (code(answer), answer.current_status) == ("STA-409", StatusCode.RELEASED)


def test_a_cancelled_requisition_cannot_be_registered_and_somebody_is_told(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(cancellation(ct_requisition()))
    assert code(hospital.send(status())) == "STA-410"
    assert hospital.alerts() == ["STATUS_AFTER_CANCEL"]


def test_a_cancellation_that_came_first_stops_the_registration(hospital: Hospital) -> None:
    hospital.send(cancellation(ct_requisition()))
    assert code(hospital.send(status())) == "STA-410"


@pytest.mark.parametrize("reference", [ItemRef(item_seq=9), ItemRef(order_no="O9"), ItemRef()])
def test_an_item_that_is_not_there_is_refused(hospital: Hospital, reference: ItemRef) -> None:
    hospital.send(ct_requisition())
    assert code(hospital.send(status(items=(reference,)))) == "STA-422"


def test_a_status_before_its_requisition_waits_for_it(hospital: Hospital) -> None:
    early = hospital.send(status())
    assert (code(early), early.result.parked, early.result.retryable) == ("STA-404", True, True)
    hospital.send(ct_requisition())
    assert hospital.row(Requisition).status is StatusCode.IN_PROGRESS
    assert hospital.row(ParkedMessage).result_code == "0"


def test_a_repeated_early_status_is_parked_once(hospital: Hospital) -> None:
    early = status()
    hospital.send(early)
    hospital.send(early)
    assert len(hospital.rows(ParkedMessage)) == 1


def test_a_parked_status_is_forgotten_after_ten_minutes(hospital: Hospital) -> None:
    hospital.send(status())
    hospital.clock.now = TEN + minutes(11)
    hospital.send(ct_requisition())
    assert hospital.row(Requisition).status is StatusCode.RELEASED


def test_a_site_may_ask_his_before_registration(hospital: Hospital) -> None:
    hospital.choose(rules=Rules(registration_asks_his=True))
    hospital.send(outpatient_ct())
    hospital.dispatch.script("his", "ReportStatus", no("STA-402"))
    assert code(hospital.send(status())) == "STA-409"
    assert hospital.row(Requisition).status is StatusCode.RELEASED
    assert code(hospital.send(again(status()))) == "0"
    assert hospital.row(Requisition).status is StatusCode.IN_PROGRESS


def test_when_his_is_down_the_gateway_decides_about_registration(hospital: Hospital) -> None:
    hospital.choose(rules=Rules(registration_asks_his=True))
    hospital.send(outpatient_ct())
    hospital.dispatch.script("his", "ReportStatus", NOT_SENT)
    assert code(hospital.send(status())) == "0"
    assert hospital.dispatch.states("his") == ["QUEUED"]


# --- who may say it ---------------------------------------------------------------------------------------------------


def test_another_department_may_not_report_the_status(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    assert code(hospital.send(status(), by="LIS")) == "STA-403"
    assert hospital.row(RequisitionItem).state is StatusCode.RELEASED
    assert hospital.rows(MoneyTransaction) == []


def test_his_may_not_report_what_the_department_has_to(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    assert code(hospital.send(status(), by="HIS")) == "STA-403"


def test_where_no_route_leads_anywhere_whoever_performs_it_reports(hospital: Hospital) -> None:
    hospital.dispatch.routes["SubmitRequisition"] = ()
    hospital.send(ct_requisition())
    assert code(hospital.send(status(), by="LIS")) == "0"
