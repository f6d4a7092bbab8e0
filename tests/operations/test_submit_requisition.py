"""SubmitRequisition: paid before performed, delivered when released, changed only with the department's consent."""

from dataclasses import replace
from decimal import Decimal

import pytest

from building import (
    HOSPITAL,
    again,
    at_branch,
    cancellation,
    ct_requisition,
    merge,
    outpatient_ct,
    requisition_item,
    status,
    update,
    visit_event,
)
from gateway.config import ChargePointRule, Rules
from gateway.errors import NotAllowed
from gateway.model.money import MoneyTransaction
from gateway.model.requisition import Requisition, RequisitionItem
from gateway.terms import (
    GatewayStatus,
    ReleaseEvent,
    RequisitionAction,
    StatusCode,
    StatusEvent,
    TransactionState,
    VisitEvent,
)
from hospital import NOT_SENT, UNKNOWN, Hospital, no


def code(response: object) -> str:
    return response.result.result_code  # type: ignore[attr-defined, no-any-return]


# --- held and released ------------------------------------------------------------------------------------------------


def test_a_requisition_sent_by_the_nurse_goes_to_the_department(hospital: Hospital) -> None:
    answer = hospital.send(ct_requisition())
    assert (code(answer), answer.gateway_status) == ("0", GatewayStatus.RELEASED)
    assert [f.request.requisition_no for f in hospital.dispatch.forwards("pacs")] == ["R1"]


def test_an_unpaid_outpatient_is_held_and_nobody_is_told(hospital: Hospital) -> None:
    answer = hospital.send(outpatient_ct(release_event=None))
    assert (code(answer), answer.gateway_status) == ("0", GatewayStatus.HELD)
    assert hospital.dispatch.forwards() == []
    assert hospital.row(Requisition).status is StatusCode.HELD


def test_a_site_may_refuse_unpaid_requisitions(hospital: Hospital) -> None:
    hospital.choose(rules=Rules(unpaid="refuse"))
    assert code(hospital.send(outpatient_ct(release_event=None))) == "REQ-402"
    assert hospital.rows(Requisition) == []


def test_payment_told_by_an_update_releases(hospital: Hospital) -> None:
    held = outpatient_ct(release_event=None)
    hospital.send(held)
    answer = hospital.send(update(held, release_event=ReleaseEvent.PAID))
    assert answer.gateway_status is GatewayStatus.RELEASED
    (forward,) = hospital.dispatch.forwards("pacs")
    assert forward.request.action is RequisitionAction.NEW


def test_payment_told_by_a_second_new_releases_too(hospital: Hospital) -> None:
    held = outpatient_ct(release_event=None)
    hospital.send(held)
    answer = hospital.send(again(replace(held, release_event=ReleaseEvent.PAID, receipt_no="SJ1")))
    assert answer.gateway_status is GatewayStatus.RELEASED
    assert len(hospital.dispatch.forwards("pacs")) == 1


def test_what_the_outpatient_paid_stands_in_the_ledger_and_goes_to_no_billing_system(hospital: Hospital) -> None:
    hospital.send(outpatient_ct())
    charge = hospital.row(MoneyTransaction)
    assert (charge.state, charge.source, charge.amount) == (TransactionState.CONFIRMED, "HIS", Decimal("400.00"))
    assert hospital.dispatch.forwards("his") == []


def test_the_charge_point_is_fixed_when_the_requisition_is_released(hospital: Hospital) -> None:
    hospital.choose(rules=Rules(charge_points=(ChargePointRule(perform_dept="0103", charge_point="NURSE_SEND"),)))
    hospital.send(ct_requisition())
    hospital.choose(rules=Rules())
    answer = hospital.send(status())
    assert answer.charge_result is None
    assert [t.charge_point for t in hospital.rows(MoneyTransaction)] == ["NURSE_SEND"]


def test_a_nurse_cannot_release_an_outpatient(hospital: Hospital) -> None:
    assert code(hospital.send(outpatient_ct(release_event=ReleaseEvent.NURSE_SENT))) == "REQ-402"


def test_the_green_channel_needs_a_right_of_its_own(hospital: Hospital) -> None:
    green = outpatient_ct(release_event=ReleaseEvent.GREEN_CHANNEL)
    with pytest.raises(NotAllowed):
        hospital.send(green)
    assert hospital.send(green, rights=["GREEN_CHANNEL"]).gateway_status is GatewayStatus.RELEASED


# --- the same again ---------------------------------------------------------------------------------------------------


def test_the_same_requisition_under_a_new_message_id_is_the_same_requisition(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    answer = hospital.send(again(ct_requisition()))
    assert (code(answer), answer.result.duplicate) == ("0", True)
    assert len(hospital.dispatch.forwards("pacs")) == 1


def test_the_same_number_with_other_content_is_refused(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    assert code(hospital.send(ct_requisition(items=2))) == "REQ-409"


def test_two_branches_may_use_the_same_number(hospital: Hospital) -> None:
    hospital.send(at_branch(ct_requisition(), "EAST"))
    assert code(hospital.send(at_branch(ct_requisition(items=2), "WEST"))) == "0"
    assert code(hospital.send(status())) == "STA-422"
    assert code(hospital.send(at_branch(status(), "WEST"))) == "0"


def test_an_update_without_branch_is_refused_when_two_branches_have_the_number(hospital: Hospital) -> None:
    hospital.send(at_branch(ct_requisition(), "EAST"))
    hospital.send(at_branch(ct_requisition(), "WEST"))
    assert code(hospital.send(update(ct_requisition()))) == "REQ-422"


# --- refusals about content -------------------------------------------------------------------------------------------


def test_an_item_number_may_occur_once(hospital: Hospital) -> None:
    twice = (requisition_item(1), requisition_item(1))
    assert code(hospital.send(replace(ct_requisition(), items=twice))) == "REQ-400"


def test_a_quantity_of_zero_is_refused(hospital: Hospital) -> None:
    nothing = replace(ct_requisition(), items=(requisition_item(1, quantity=Decimal(0)),))
    assert code(hospital.send(nothing)) == "REQ-400"


def test_a_merged_patient_is_refused_with_the_new_number(hospital: Hospital) -> None:
    hospital.send(merge("P1", "P2"))
    answer = hospital.send(ct_requisition())
    assert code(answer) == "REQ-424"
    assert "P2" in answer.result.result_text


# --- change -----------------------------------------------------------------------------------------------------------


def test_an_unknown_requisition_cannot_be_changed(hospital: Hospital) -> None:
    assert code(hospital.send(update(ct_requisition()))) == "REQ-404"


def test_a_held_requisition_is_changed_freely(hospital: Hospital) -> None:
    held = outpatient_ct(release_event=None)
    hospital.send(held)
    more = replace(held, items=(requisition_item(1), requisition_item(2)))
    assert code(hospital.send(update(more))) == "0"
    assert [item.item_seq for item in hospital.row(Requisition).items] == [1, 2]


def test_a_change_before_delivery_replaces_what_waits(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    assert code(hospital.send(update(ct_requisition(), purpose="排除肺栓塞"))) == "0"
    assert hospital.dispatch.states("pacs") == ["DISCARDED", "QUEUED"]
    assert hospital.dispatch.forwards("pacs")[-1].request.action is RequisitionAction.NEW


def test_a_delivered_requisition_changes_when_the_department_says_yes(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.dispatch.deliver()
    assert code(hospital.send(update(ct_requisition(), purpose="排除肺栓塞"))) == "0"
    assert hospital.dispatch.asked[-1].request.action is RequisitionAction.UPDATE
    assert "排除肺栓塞" in hospital.row(Requisition).request


@pytest.mark.parametrize("answer", [no("REQ-423"), NOT_SENT, UNKNOWN], ids=["no", "not sent", "unknown"])
def test_without_a_clear_yes_nothing_changes(hospital: Hospital, answer: object) -> None:
    hospital.send(ct_requisition())
    hospital.dispatch.deliver()
    hospital.dispatch.script("pacs", "SubmitRequisition", answer)  # type: ignore[arg-type]
    refused = hospital.send(update(ct_requisition(), purpose="排除肺栓塞"))
    assert code(refused) == "REQ-423"
    assert "排除肺栓塞" not in hospital.row(Requisition).request


def test_after_registration_nobody_changes_it(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status())
    assert code(hospital.send(update(ct_requisition(), purpose="排除肺栓塞"))) == "REQ-423"


def test_charged_items_are_refunded_before_they_are_changed(hospital: Hospital) -> None:
    paid = outpatient_ct()
    hospital.send(paid)
    more = replace(paid, items=(requisition_item(1), requisition_item(2)))
    assert code(hospital.send(update(more))) == "REQ-423"


# --- cancellation -----------------------------------------------------------------------------------------------------


def test_a_held_requisition_is_cancelled_freely(hospital: Hospital) -> None:
    held = outpatient_ct(release_event=None)
    hospital.send(held)
    answer = hospital.send(cancellation(held))
    assert (code(answer), answer.gateway_status) == ("0", GatewayStatus.CANCELLED)
    assert hospital.dispatch.forwards() == []


def test_a_requisition_the_department_never_saw_is_withdrawn(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    assert code(hospital.send(cancellation(ct_requisition()))) == "0"
    assert hospital.dispatch.states("pacs") == ["DISCARDED"]


def test_the_department_is_asked_before_its_requisition_is_cancelled(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.dispatch.deliver()
    hospital.dispatch.script("pacs", "SubmitRequisition", no("REQ-423"))
    assert code(hospital.send(cancellation(ct_requisition()))) == "REQ-423"
    assert code(hospital.send(cancellation(ct_requisition()))) == "0"
    assert hospital.row(Requisition).status is StatusCode.CANCELLED


def test_a_registered_requisition_cannot_be_cancelled(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status())
    assert code(hospital.send(cancellation(ct_requisition()))) == "REQ-423"


def test_the_cancellation_after_a_withdrawn_registration_is_possible_again(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status())
    hospital.send(status(event=StatusEvent.CANCEL_REG))
    hospital.dispatch.deliver()
    assert code(hospital.send(cancellation(ct_requisition()))) == "0"


def test_a_cancelled_requisition_stays_cancelled(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(cancellation(ct_requisition()))
    assert code(hospital.send(cancellation(ct_requisition()))) == "REQ-410"
    assert code(hospital.send(update(ct_requisition()))) == "REQ-410"
    assert code(hospital.send(again(ct_requisition()))) == "REQ-410"


def test_a_cancellation_that_overtakes_its_requisition_is_remembered(hospital: Hospital) -> None:
    assert code(hospital.send(cancellation(ct_requisition()))) == "REQ-404"
    assert code(hospital.send(ct_requisition())) == "REQ-410"
    assert hospital.dispatch.forwards() == []


def test_cancelling_takes_back_what_the_nurse_charged(hospital: Hospital) -> None:
    hospital.choose(rules=Rules(charge_points=(ChargePointRule(hospital_code=HOSPITAL, charge_point="NURSE_SEND"),)))
    hospital.send(ct_requisition())
    hospital.send(cancellation(ct_requisition()))
    booked = sorted((transaction.kind, transaction.state) for transaction in hospital.rows(MoneyTransaction))
    assert booked == [("CHARGE", "CONFIRMED"), ("REVERSAL", "CONFIRMED")]


# --- who may change it ------------------------------------------------------------------------------------------------


def test_only_who_submitted_it_or_his_may_change_and_cancel(hospital: Hospital) -> None:
    hospital.send(ct_requisition(), by="EMR")
    assert code(hospital.send(cancellation(ct_requisition()), by="APP")) == "REQ-403"
    assert code(hospital.send(update(ct_requisition()), by="PACS")) == "REQ-403"
    assert code(hospital.send(cancellation(ct_requisition()), by="HIS")) == "0"


def test_nobody_else_may_release_what_is_held(hospital: Hospital) -> None:
    hospital.send(ct_requisition(release_event=None), by="EMR")
    assert code(hospital.send(ct_requisition(), by="APP")) == "REQ-403"
    assert (hospital.row(Requisition).gateway_status, hospital.dispatch.forwards()) == ("HELD", [])
    assert code(hospital.send(ct_requisition(), by="HIS")) == "0"


def test_his_confirms_a_rejected_requisition_by_cancelling_it(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.dispatch.deliver()
    hospital.send(status(event=StatusEvent.REJECT))
    assert hospital.row(RequisitionItem).state is StatusCode.REJECTED
    assert code(hospital.send(cancellation(ct_requisition()))) == "0"
    assert hospital.row(RequisitionItem).state is StatusCode.CANCELLED


def test_a_visit_cancelled_in_a_branch_is_pointed_out_also_to_who_names_none(hospital: Hospital) -> None:
    hospital.send(at_branch(visit_event(VisitEvent.ADMIT), "N"))
    hospital.send(at_branch(visit_event(VisitEvent.CANCEL_VISIT, "JZ2"), "N"))
    assert "已取消" in (hospital.send(ct_requisition()).result.warning or "")
