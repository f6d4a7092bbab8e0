"""Registrations that come twice, too late, or are taken back and refunded."""

import pytest

from building import (
    ct_requisition,
    find_requisitions,
    header,
    outpatient_ct,
    refund,
    refund_line,
    report,
    status,
)
from gateway.model.money import MoneyTransaction
from gateway.model.requisition import Requisition, StatusRecord
from gateway.terms import Initiator, StatusCode, StatusEvent
from readers import code_of


def kinds(hospital):
    return sorted(row.kind for row in hospital.rows(MoneyTransaction))


def cashier_refund(refund_no="TF1"):
    line = refund_line(code="210300001", amount="400.00")
    back = {"header": header("HIS"), "initiator": Initiator.CASHIER, "requisition_no": "R1", "lines": (line,)}
    return refund(refund_no, None, **back)


# --- 7: taken back, refunded, registered again ------------------------------------------------------------------------


def test_what_is_registered_cannot_be_refunded_by_the_cashier_until_the_registration_is_withdrawn(hospital):
    """Edge case 7."""
    hospital.send(outpatient_ct())
    hospital.send(status())
    assert code_of(hospital.send(cashier_refund())) == "RFD-423"
    hospital.send(status(event=StatusEvent.CANCEL_REG))
    assert code_of(hospital.send(cashier_refund("TF2"))) == "0"
    assert hospital.row(Requisition).status is StatusCode.CANCELLED


def test_what_was_refunded_cannot_be_registered_again_and_the_duty_office_hears_of_it(hospital):
    """Edge case 7."""
    hospital.send(outpatient_ct())
    hospital.send(status())
    hospital.send(status(event=StatusEvent.CANCEL_REG))
    hospital.send(cashier_refund())
    assert code_of(hospital.send(status())) == "STA-410"
    assert hospital.alerts() == ["STATUS_AFTER_CANCEL"]
    assert kinds(hospital) == ["CHARGE", "REFUND"]


def test_a_registration_charge_goes_back_once_and_is_made_anew_when_registered_again(hospital):
    """Edge case 7."""
    hospital.send(ct_requisition())
    hospital.send(status())
    hospital.send(status(event=StatusEvent.CANCEL_REG))
    assert code_of(hospital.send(cashier_refund())) == "RFD-409"
    hospital.send(status())
    assert kinds(hospital) == ["CHARGE", "CHARGE", "REVERSAL"]


def refunded_and_taken_back(hospital):
    """The department gave the money back, then withdrew the registration."""
    hospital.send(ct_requisition())
    hospital.send(status())
    line = refund_line(code="210300001", amount="400.00")
    back = {"initiator": Initiator.PERFORM_DEPT, "requisition_no": "R1", "lines": (line,)}
    assert code_of(hospital.send(refund("TF1", None, **back))) == "0"
    hospital.send(status(event=StatusEvent.CANCEL_REG))


@pytest.mark.parametrize("event", [StatusEvent.REGISTER, StatusEvent.EXAM_DONE, StatusEvent.STOP])
def test_nothing_that_implies_a_registration_charges_again_what_was_refunded(hospital, event):
    """Edge case 7."""
    refunded_and_taken_back(hospital)
    assert code_of(hospital.send(status(event=event))) == "STA-410"
    assert hospital.row(Requisition).status is StatusCode.RELEASED
    assert kinds(hospital) == ["CHARGE", "REFUND"]


def test_a_report_about_what_was_refunded_is_passed_on_and_charges_nothing(hospital):
    """Edge case 7."""
    refunded_and_taken_back(hospital)
    assert code_of(hospital.send(report())) == "0"
    assert hospital.alerts() == ["REPORT_AFTER_CANCEL"]
    assert kinds(hospital) == ["CHARGE", "REFUND"]


# --- 8: out of order --------------------------------------------------------------------------------------------------


def test_a_report_before_its_registration_implies_it_with_its_charge(hospital):
    """Edge case 8."""
    hospital.send(ct_requisition())
    answer = hospital.send(report())
    assert answer.current_status is StatusCode.REPORTED
    records = [(row.to_status, row.inferred) for row in hospital.rows(StatusRecord)]
    assert records == [("30", True), ("40", True), ("60", False)]
    assert kinds(hospital) == ["CHARGE"]


def test_the_registration_that_comes_after_the_report_is_recorded_and_changes_nothing(hospital):
    """Edge case 8."""
    hospital.send(ct_requisition())
    hospital.send(report())
    answer = hospital.send(status())
    assert (code_of(answer), answer.applied, answer.current_status) == ("0", False, StatusCode.REPORTED)
    assert (hospital.rows(StatusRecord)[-1].applied, kinds(hospital)) == (False, ["CHARGE"])


def test_whoever_sees_the_reported_exam_cannot_refund_it(hospital):
    """Edge case 8."""
    hospital.send(ct_requisition())
    hospital.send(report())
    (found,) = hospital.send(find_requisitions(requisition_no="R1")).requisitions
    assert (found.status_code, found.refund_allowed) == (StatusCode.REPORTED, False)


# --- 9: registered twice ----------------------------------------------------------------------------------------------


def test_a_second_registration_charges_nothing(hospital):
    """Edge case 9."""
    hospital.send(ct_requisition())
    answers = [hospital.send(status()), hospital.send(status())]
    assert [(code_of(a), a.applied) for a in answers] == [("0", True), ("0", False)]
    assert kinds(hospital) == ["CHARGE"]


def test_six_registrations_at_once_charge_once(hospital):
    """Edge case 9."""
    hospital.send(ct_requisition())
    answers = hospital.send_at_once(*(status() for _ in range(6)))
    assert sorted(answer.applied for answer in answers) == [False] * 5 + [True]
    assert kinds(hospital) == ["CHARGE"]
    assert len([f for f in hospital.dispatch.asked if f.operation == "ChargeItem"]) == 1
