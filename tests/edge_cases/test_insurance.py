"""Money of an insured patient after discharge and after settlement: who may give it back, and in which order."""

from typing import Any

import pytest

from building import charge, refund, visit, visit_event
from gateway.terms import Initiator, VisitEvent
from hospital import Hospital, response_of, yes


@pytest.fixture
def insured(hospital: Hospital) -> Hospital:
    """A hospital with an insurance platform, and one booked charge of an insured inpatient."""
    hospital.dispatch.routes["Insurance"] = ("yb",)
    hospital.dispatch.settling.add("yb")
    hospital.send(charge(visit=visit(insurance_no="YB1", visit_seq="JZ1")))
    return hospital


def code(answer: Any) -> str:
    return str(answer.result.result_code)


def his_refund(number: str = "F1") -> Any:
    return refund(number, initiator=Initiator.CASHIER, source_system="PACS")


def happens(hospital: Hospital, *events: VisitEvent) -> None:
    """HIS reports it, and everything that follows has arrived."""
    hospital.dispatch.script("yb", "InsuranceSettle", yes(response_of("ChargeItem", his_charge_no="JS1")))
    for event in events:
        assert code(hospital.send(visit_event(event))) == "0"
        hospital.dispatch.deliver()


def told(hospital: Hospital) -> list[str]:
    return [forward.operation.removeprefix("Insurance") for forward in hospital.dispatch.forwards("yb")]


def test_after_discharge_the_department_may_not_refund_but_his_may(insured: Hospital) -> None:
    """Edge case 17."""
    happens(insured, VisitEvent.DISCHARGE)
    assert code(insured.send(refund())) == "RFD-424"
    assert code(insured.send(his_refund(), by="HIS")) == "0"
    assert told(insured) == ["Upload", "Withdraw"]


def test_after_insurance_settlement_nobody_may_refund_before_the_settlement_is_reversed(insured: Hospital) -> None:
    """Edge case 17."""
    happens(insured, VisitEvent.DISCHARGE, VisitEvent.SETTLE)
    answers = [insured.send(refund()), insured.send(his_refund(), by="HIS")]
    assert [code(answer) for answer in answers] == ["RFD-424", "RFD-424"]
    assert "UNSETTLE" in answers[1].result.result_text
    assert told(insured) == ["Upload", "Settle"]


def test_reversed_then_refunded_then_withdrawn_then_settled_anew(insured: Hospital) -> None:
    """Edge case 17."""
    happens(insured, VisitEvent.SETTLE, VisitEvent.UNSETTLE)
    assert code(insured.send(his_refund(), by="HIS")) == "0"
    insured.dispatch.deliver()
    assert told(insured) == ["Upload", "Settle", "Unsettle", "Withdraw"]
    happens(insured, VisitEvent.SETTLE)
    assert told(insured)[4:] == [], "nothing is left that could be settled"


def test_a_refund_that_comes_too_early_is_decided_again_when_it_is_repeated(insured: Hospital) -> None:
    """Edge case 17."""
    request = his_refund()
    happens(insured, VisitEvent.SETTLE)
    early = code(insured.send(request, by="HIS"))
    happens(insured, VisitEvent.UNSETTLE)
    assert (early, code(insured.send(request, by="HIS"))) == ("RFD-424", "0")
