"""Visits that end or move while something is still open."""

import pytest

from building import (
    TEN,
    acknowledgement,
    charge,
    ct_requisition,
    header,
    minutes,
    outpatient_ct,
    push,
    refund,
    refund_line,
    report,
    status,
    visit,
    visit_event,
)
from gateway.model.critical_value import CriticalValue
from gateway.model.money import MoneyTransaction
from gateway.model.requisition import Requisition, StatusRecord
from gateway.model.visit import Visit
from gateway.terms import (
    AckType,
    CriticalStatus,
    GatewayStatus,
    Initiator,
    RequisitionAction,
    StatusCode,
    StatusEvent,
    VisitEvent,
    VisitState,
    VisitType,
)
from readers import code_of

CLINIC = visit("OP1", visit_type=VisitType.OUTPATIENT, ward_code=None, bed_no=None)


def returned_ticket(**changes):
    """退号: HIS cancels the outpatient's visit."""
    return visit_event(VisitEvent.CANCEL_VISIT, **{"visit": CLINIC} | changes)


def events(hospital, *names):
    """HIS tells these events of V1, a minute apart."""
    for name in names:
        hospital.clock.now += minutes(1)
        answer = hospital.send(visit_event(name, occurred_at=hospital.clock.now))
        assert code_of(answer) == "0"
    return answer


# --- 22: 退号 after release -------------------------------------------------------------------------------------------


def test_a_visit_cancelled_after_release_takes_the_exam_with_it_and_tells_the_department(hospital):
    """Edge case 22."""
    hospital.send(outpatient_ct())
    hospital.dispatch.deliver()
    answer = hospital.send(returned_ticket())
    assert (code_of(answer), answer.visit_state) == ("0", VisitState.CANCELLED)
    requisition = hospital.row(Requisition)
    assert (requisition.gateway_status, requisition.status) == (GatewayStatus.CANCELLED, StatusCode.CANCELLED)
    assert hospital.row(StatusRecord).event == "CANCEL_VISIT"
    told = hospital.dispatch.forwards("pacs", "SubmitRequisition")[-1]
    assert (told.key, told.request.action) == ("R1", RequisitionAction.CANCEL)


def test_what_the_department_never_got_is_withdrawn_quietly(hospital):
    """Edge case 22."""
    hospital.send(outpatient_ct())
    hospital.send(returned_ticket())
    assert len(hospital.dispatch.forwards("pacs", "SubmitRequisition")) == 1
    assert hospital.dispatch.states("pacs")[0] == "DISCARDED"


def test_the_money_paid_is_refunded_by_the_cashier_afterwards(hospital):
    """Edge case 22."""
    hospital.send(outpatient_ct())
    hospital.dispatch.deliver()
    hospital.send(returned_ticket())
    assert [row.kind for row in hospital.rows(MoneyTransaction)] == ["CHARGE"]
    line = refund_line(code="210300001", amount="400.00")
    back = refund("TF1", None, header=header("HIS"), initiator=Initiator.CASHIER, requisition_no="R1", lines=(line,))
    assert code_of(hospital.send(back)) == "0"
    actions = [f.request.action for f in hospital.dispatch.forwards("pacs", "SubmitRequisition")]
    assert actions == [RequisitionAction.NEW, RequisitionAction.CANCEL]


def test_nobody_but_his_charges_a_cancelled_visit(hospital):
    """Edge case 22."""
    hospital.send(returned_ticket())
    assert code_of(hospital.send(charge(visit=CLINIC))) == "CHG-410"


def test_a_visit_whose_exam_is_registered_stays(hospital):
    """Edge case 22."""
    hospital.send(outpatient_ct())
    hospital.send(status())
    assert code_of(hospital.send(returned_ticket())) == "VIS-409"
    assert hospital.row(Requisition).status is StatusCode.IN_PROGRESS
    assert hospital.rows(Visit) == []


def test_once_the_registration_is_withdrawn_the_visit_can_be_cancelled(hospital):
    """Edge case 22."""
    hospital.send(outpatient_ct())
    hospital.send(status())
    hospital.send(status(event=StatusEvent.CANCEL_REG))
    assert code_of(hospital.send(returned_ticket())) == "0"
    assert hospital.row(Requisition).status is StatusCode.CANCELLED


def test_a_department_that_has_begun_meanwhile_is_called_by_the_duty_office(hospital):
    """Edge case 22."""
    hospital.send(outpatient_ct())
    hospital.dispatch.deliver()
    hospital.send(returned_ticket())
    assert code_of(hospital.send(status())) == "STA-410"
    assert hospital.alerts() == ["STATUS_AFTER_CANCEL"]


def test_what_is_ordered_in_a_visit_that_was_cancelled_is_pointed_out(hospital):
    """Edge case 22."""
    hospital.send(returned_ticket())
    answer = hospital.send(outpatient_ct())
    assert (code_of(answer), answer.result.warning) == ("0", "就诊已取消 (the visit is cancelled)")


# --- 23: discharged with open requisitions ----------------------------------------------------------------------------


@pytest.mark.parametrize("event", [VisitEvent.DISCHARGE, VisitEvent.SETTLE])
def test_his_hears_of_the_exams_still_open_and_they_stay(hospital, event):
    """Edge case 23."""
    hospital.send(ct_requisition("R1", items=2))
    hospital.send(ct_requisition("R2"))
    hospital.send(report("BG2", 1, "R2"))
    answer = events(hospital, event)
    assert "2 个未完成" in answer.result.warning
    assert {row.requisition_no: row.status for row in hospital.rows(Requisition)} == {"R1": "10", "R2": "60"}


def test_an_exam_after_the_discharge_is_registered_and_reported_all_the_same(hospital):
    """Edge case 23."""
    hospital.send(ct_requisition())
    events(hospital, VisitEvent.DISCHARGE)
    assert hospital.send(status()).applied is True
    assert hospital.send(report()).current_status is StatusCode.REPORTED


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ((VisitEvent.ADMIT,), "0"),
        ((VisitEvent.DISCHARGE,), "CHG-410"),
        ((VisitEvent.SETTLE,), "CHG-410"),
        ((VisitEvent.SETTLE, VisitEvent.UNSETTLE), "CHG-410"),
        ((VisitEvent.DISCHARGE, VisitEvent.CANCEL_DISCHARGE), "0"),
        ((VisitEvent.SETTLE, VisitEvent.UNSETTLE, VisitEvent.CANCEL_DISCHARGE), "0"),
    ],
)
def test_the_department_can_charge_only_while_the_visit_is_open(hospital, told, code):
    """Edge case 23."""
    events(hospital, *told)
    assert code_of(hospital.send(charge(occurred_at=hospital.clock.now))) == code


# --- 24: moved between push and acknowledgement -----------------------------------------------------------------------


@pytest.fixture
def moved(hospital):
    """The patient of WJZ1 has gone to intensive care before anybody acknowledged."""
    hospital.send(ct_requisition())
    hospital.send(visit_event())
    hospital.send(push())
    hospital.clock.now += minutes(3)
    place = visit(dept_code="2301", ward_code="W2301", bed_no="3")
    hospital.send(visit_event(VisitEvent.TRANSFER, occurred_at=hospital.clock.now, visit=place))
    return hospital


def test_the_new_ward_is_told_at_once(moved):
    """Edge case 24."""
    told = moved.dispatch.forwards("his", "PushCriticalValue")[-1]
    assert (told.urgent, told.request.action, told.request.target_ward_code) == (True, "UPDATE", "W2301")


def test_the_clock_runs_on(moved):
    """Edge case 24."""
    assert moved.row(CriticalValue).receive_deadline == TEN + minutes(10)


def test_the_new_wards_doctor_acknowledges_and_the_finder_hears_it(moved):
    """Edge case 24."""
    answer = moved.send(acknowledgement(actor_code="D2301", actor_dept_code="2301", acted_at=moved.clock.now))
    assert (code_of(answer), answer.critical_status) == ("0", CriticalStatus.DOCTOR_RECEIVED)
    moved.send(acknowledgement(kind=AckType.HANDLE, actor_dept_code="2301", acted_at=moved.clock.now))
    heard = moved.dispatch.forwards("pacs", "AcknowledgeCriticalValue")
    assert [forward.request.actor_dept_code for forward in heard] == ["2301", "2301"]


def test_an_acknowledgement_by_the_old_ward_counts_too(moved):
    """Edge case 24."""
    assert code_of(moved.send(acknowledgement(acted_at=moved.clock.now))) == "0"
