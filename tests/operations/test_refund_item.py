"""RefundItem: no refund after registration, except by the performing department; never more than was charged."""

from decimal import Decimal

import pytest

from building import (
    again,
    at_branch,
    charge,
    charge_line,
    ct_requisition,
    outpatient_ct,
    refund,
    refund_line,
    status,
    visit_event,
)
from gateway.model.money import ChargeOnce, MoneyTransaction
from gateway.model.requisition import Requisition, RequisitionItem
from gateway.terms import (
    GatewayStatus,
    Initiator,
    RequisitionAction,
    StatusCode,
    StatusEvent,
    TransactionState,
    VisitEvent,
)
from hospital import NOT_SENT, UNKNOWN, Hospital, no, response_of, yes


def code(response: object) -> str:
    return response.result.result_code  # type: ignore[attr-defined, no-any-return]


def cashier_refund(refund_no: str = "F1", **changes: object) -> object:
    """HIS tells that the cashier gave back what was paid for item 1 of R1."""
    values = {
        "initiator": Initiator.CASHIER,
        "requisition_no": "R1",
        "lines": (refund_line(1, "210300001", "400.00"),),
    }
    return refund(refund_no, None, **values | changes)


def department_refund(refund_no: str = "F1", **changes: object) -> object:
    """The department gives back what registration charged for item 1 of R1."""
    values = {"requisition_no": "R1", "lines": (refund_line(1, "210300001", "400.00"),)}
    return refund(refund_no, None, **values | changes)


def test_the_department_gives_back_its_own_charge(hospital: Hospital) -> None:
    hospital.send(charge())
    hospital.dispatch.script("his", "RefundItem", yes(response_of("RefundItem", his_refund_no="T1")))
    answer = hospital.send(refund())
    assert (code(answer), answer.his_refund_no, answer.refunded_amount) == ("0", "T1", Decimal("238.50"))


def test_the_cashier_may_refund_before_registration_and_the_requisition_is_cancelled(hospital: Hospital) -> None:
    hospital.send(outpatient_ct())
    hospital.dispatch.deliver()
    answer = hospital.send(cashier_refund(), by="HIS")
    assert (code(answer), answer.transaction_state) == ("0", TransactionState.CONFIRMED)
    assert hospital.row(Requisition).gateway_status == GatewayStatus.CANCELLED
    assert hospital.dispatch.forwards("pacs")[-1].request.action is RequisitionAction.CANCEL
    assert hospital.dispatch.forwards("his") == []


def test_after_registration_the_cashier_may_not_refund(hospital: Hospital) -> None:
    hospital.send(outpatient_ct())
    hospital.send(status())
    assert code(hospital.send(cashier_refund(), by="HIS")) == "RFD-423"


def test_a_refunded_requisition_cannot_be_registered(hospital: Hospital) -> None:
    hospital.send(outpatient_ct())
    hospital.send(cashier_refund(), by="HIS")
    assert code(hospital.send(status())) == "STA-410"


def test_after_a_withdrawn_registration_the_cashier_may_refund_again(hospital: Hospital) -> None:
    hospital.send(outpatient_ct())
    hospital.send(status())
    hospital.send(status(event=StatusEvent.CANCEL_REG))
    assert code(hospital.send(cashier_refund(), by="HIS")) == "0"


def test_the_department_refunds_an_exam_in_progress(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status())
    answer = hospital.send(department_refund())
    assert (code(answer), answer.transaction_state) == ("0", TransactionState.CONFIRMED)
    requisition = hospital.row(Requisition)
    assert (requisition.status, requisition.items[0].refunded) == (StatusCode.IN_PROGRESS, True)
    assert hospital.rows(ChargeOnce) == []


def test_after_a_second_registration_the_department_refunds_what_that_one_charged(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    for event in (StatusEvent.REGISTER, StatusEvent.CANCEL_REG, StatusEvent.REGISTER):
        hospital.send(status(event=event, reason="患者未到"))
        hospital.dispatch.deliver()
    assert code(hospital.send(department_refund("F1"))) == "0"
    assert code(hospital.send(department_refund("F2"))) == "RFD-409"


def test_the_department_cannot_refund_an_outpatient(hospital: Hospital) -> None:
    hospital.send(outpatient_ct())
    hospital.send(status())
    assert code(hospital.send(department_refund())) == "RFD-425"


def test_another_department_cannot_refund(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status())
    assert code(hospital.send(department_refund(), by="LIS")) == "RFD-400"


def test_only_his_speaks_for_the_cashier(hospital: Hospital) -> None:
    hospital.send(outpatient_ct())
    assert code(hospital.send(cashier_refund(), by="PACS")) == "RFD-400"


@pytest.mark.parametrize(
    ("outcome", "expected", "state"),
    [
        (NOT_SENT, "RFD-503", TransactionState.PROPOSED),
        (UNKNOWN, "RFD-504", TransactionState.PENDING_CONFIRM),
        (no("RFD-424", "已结算"), "RFD-424", TransactionState.REJECTED),
    ],
    ids=["not sent", "unknown", "refused"],
)
def test_the_answer_says_what_his_did(
    hospital: Hospital, outcome: object, expected: str, state: TransactionState
) -> None:
    hospital.send(charge())
    hospital.dispatch.script("his", "RefundItem", outcome)  # type: ignore[arg-type]
    answer = hospital.send(refund())
    assert (code(answer), answer.transaction_state) == (expected, state)


def test_a_refused_refund_may_be_tried_under_a_new_number(hospital: Hospital) -> None:
    hospital.send(charge())
    hospital.dispatch.script("his", "RefundItem", no("RFD-424"))
    hospital.send(refund("F1"))
    assert code(hospital.send(refund("F2"))) == "0"


def test_one_of_three_is_refunded_three_times_and_not_a_fourth(hospital: Hospital) -> None:
    three = charge_line(quantity=Decimal(3), list_amount=Decimal("715.50"), actual_amount=Decimal("715.50"))
    hospital.send(charge(lines=(three,)))
    codes = [code(hospital.send(refund(f"F{number}"))) for number in range(1, 5)]
    assert codes == ["0", "0", "0", "RFD-409"]


def test_no_more_money_goes_back_than_came(hospital: Hospital) -> None:
    hospital.send(charge())
    assert code(hospital.send(refund(lines=(refund_line(amount="238.51"),)))) == "RFD-409"


def test_a_refund_on_its_way_counts(hospital: Hospital) -> None:
    hospital.send(charge())
    hospital.dispatch.script("his", "RefundItem", NOT_SENT)
    hospital.send(refund("F1"))
    assert code(hospital.send(refund("F2"))) == "RFD-409"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"original_charge_no": None}, "RFD-400"),
        ({"original_charge_no": "C9"}, "RFD-404"),
        ({"lines": (refund_line(9),)}, "RFD-404"),
        ({"lines": (refund_line(code="OTHER"),)}, "RFD-404"),
        ({"lines": (refund_line(refund_quantity=Decimal(0)),)}, "RFD-400"),
        ({"lines": (refund_line(amount="0.00"),)}, "RFD-400"),
        ({"lines": (refund_line(amount="-5.00"),)}, "RFD-400"),
        ({"lines": (refund_line(), refund_line())}, "RFD-409"),
    ],
)
def test_a_refund_that_breaks_a_rule_is_refused_whole(
    hospital: Hospital, changes: dict[str, object], expected: str
) -> None:
    hospital.send(charge())
    assert code(hospital.send(refund(**changes))) == expected
    assert len(hospital.rows(MoneyTransaction)) == 1


def test_a_refund_cannot_be_refunded(hospital: Hospital) -> None:
    hospital.send(charge())
    hospital.send(refund("F1"))
    assert code(hospital.send(refund("F2", "F1"))) == "RFD-410"


def test_a_charge_his_has_not_booked_cannot_be_refunded_yet(hospital: Hospital) -> None:
    hospital.dispatch.script("his", "ChargeItem", NOT_SENT)
    hospital.send(charge())
    assert code(hospital.send(refund())) == "RFD-404"


def test_the_same_number_at_two_systems_needs_the_source(hospital: Hospital) -> None:
    hospital.send(charge(), by="LIS")
    hospital.send(charge())
    by_his = {"initiator": Initiator.NURSE}
    assert code(hospital.send(refund(**by_his), by="HIS")) == "RFD-422"
    assert code(hospital.send(refund(source_system="LIS", **by_his), by="HIS")) == "0"


def test_a_requisition_number_of_two_branches_needs_the_branch(hospital: Hospital) -> None:
    hospital.send(at_branch(outpatient_ct(), "EAST"))
    hospital.send(at_branch(outpatient_ct(), "WEST"))
    assert code(hospital.send(cashier_refund(), by="HIS")) == "RFD-422"


def test_after_settlement_only_his_may_refund(hospital: Hospital) -> None:
    hospital.send(charge())
    hospital.send(visit_event(VisitEvent.SETTLE))
    assert code(hospital.send(refund())) == "RFD-424"
    assert code(hospital.send(refund("F2", initiator=Initiator.CASHIER), by="HIS")) == "0"


def test_the_same_refund_number_is_refunded_once(hospital: Hospital) -> None:
    hospital.send(charge())
    request = refund()
    hospital.send(request)
    answer = hospital.send(again(request))
    assert (code(answer), answer.result.duplicate) == ("0", True)
    assert len([t for t in hospital.rows(MoneyTransaction) if t.kind == "REFUND"]) == 1


def test_the_same_refund_number_with_other_content_is_refused(hospital: Hospital) -> None:
    hospital.send(charge())
    hospital.send(refund(lines=(refund_line(amount="100.00"),)))
    assert code(hospital.send(refund(lines=(refund_line(amount="50.00"),)))) == "RFD-409"


def test_his_is_told_whose_charge_goes_back(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    registered = hospital.send(status())
    hospital.send(department_refund())
    forwarded = hospital.dispatch.asked[-1].request
    assert forwarded.original_charge_no == registered.charge_result.charge_no
    assert forwarded.source_system == "PACS"


def test_an_item_of_which_money_was_kept_stays_charged(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status())
    answer = hospital.send(department_refund(lines=(refund_line(1, "210300001", "100.00"),)))
    assert code(answer) == "0"
    assert len(hospital.rows(ChargeOnce)) == 1
    assert not hospital.row(RequisitionItem).refunded
