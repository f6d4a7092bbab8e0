"""Critical values at their edges: several on one exam, doctors who disagree, clocks, wards and absences."""

from datetime import timedelta

import pytest

from building import TEN, acknowledgement, again, bare_push, ct_requisition, minutes, push, visit, visit_event
from gateway.config import Rules
from gateway.errors import InvalidMessage
from gateway.model.critical_value import CriticalAcknowledgement, CriticalEscalation, CriticalStage, CriticalValue
from gateway.operations.overdue import Escalation
from gateway.terms import AckType, CriticalStatus, VisitEvent
from hospital import NOT_SENT, WIRE, Hospital


@pytest.fixture
def ward(hospital: Hospital) -> Hospital:
    """A hospital where WJZ1 was pushed at ten for the patient of ward W2001."""
    hospital.send(ct_requisition())
    hospital.send(visit_event())
    hospital.send(push())
    return hospital


def code_of(response):
    return response.result.result_code


def look(hospital: Hospital, after: float) -> list[str]:
    """The stages and levels told when the gateway looks so many minutes after ten."""
    Escalation(hospital.sessions, hospital.dispatch, WIRE, Rules()).run(TEN + minutes(after))
    return [f"{row.stage} {row.level}" for row in hospital.rows(CriticalEscalation)]


def sent_to_his(hospital: Hospital):
    return [forward.request for forward in hospital.dispatch.forwards("his", "PushCriticalValue")]


def sent_to_pacs(hospital: Hospital):
    return [forward.request for forward in hospital.dispatch.forwards("pacs", "AcknowledgeCriticalValue")]


# --- 24 ---------------------------------------------------------------------------------------------------------------


def test_a_transfer_of_ward_between_push_and_acknowledgement(ward: Hospital) -> None:
    """Edge case 24. The new ward is told, its nurse may receive, and the clocks have not stopped meanwhile."""
    place = visit(dept_code="2301", ward_code="W2301", bed_no="3")
    ward.send(visit_event(VisitEvent.TRANSFER, occurred_at=TEN + minutes(4), visit=place))
    assert [request.target_ward_code for request in sent_to_his(ward)] == ["W2001", "W2301"]
    ward.clock.now = TEN + minutes(8)
    answer = ward.send(acknowledgement(kind=AckType.RECEIVE_NURSE, actor_dept_code="2301"))
    assert (code_of(answer), answer.critical_status) == ("0", CriticalStatus.NURSE_RECEIVED)
    assert ward.row(CriticalValue).receive_deadline == TEN + minutes(10)


def test_an_acknowledgement_of_the_old_ward_after_the_transfer_still_counts(ward: Hospital) -> None:
    """Edge case 24. Whoever received it has received it; HIS knows both wards."""
    place = visit(dept_code="2301", ward_code="W2301", bed_no="3")
    ward.send(visit_event(VisitEvent.TRANSFER, occurred_at=TEN + minutes(4), visit=place))
    assert code_of(ward.send(acknowledgement(actor_dept_code="2001"))) == "0"
    assert look(ward, 11) == []


# --- 38 ---------------------------------------------------------------------------------------------------------------


def test_several_critical_values_on_one_exam(ward: Hospital) -> None:
    """Edge case 38. Each has its own number, loop and clocks; handling one leaves the other open."""
    ward.send(push("WJZ2", content="另见主动脉夹层。"))
    ward.send(acknowledgement("WJZ1", AckType.HANDLE))
    assert ward.row(CriticalValue, critical_id="WJZ1").state is CriticalStatus.HANDLED
    assert ward.row(CriticalValue, critical_id="WJZ2").overdue(TEN + minutes(11)) == [CriticalStage.RECEIVE]


def test_the_same_value_pushed_five_times(ward: Hospital) -> None:
    """Edge case 38. One value, one pop-up, and the clock of the first push."""
    request = push("WJZ2", found_at=TEN)
    for number in range(5):
        ward.clock.now = TEN + minutes(number)
        assert ward.send(again(request)).receive_deadline == TEN + minutes(10)
    assert len([one for one in sent_to_his(ward) if one.critical_id == "WJZ2"]) == 1


def test_an_upgrade_of_a_value(ward: Hospital) -> None:
    """Edge case 38. HIS hears the worse finding as UPDATE; the clock of the first stays."""
    ward.clock.now = TEN + minutes(9)
    answer = ward.send(push(action="UPDATE", level="A", content="加重：右心衰竭、休克。"))
    assert (code_of(answer), answer.receive_deadline) == ("0", TEN + minutes(10))
    assert [request.action for request in sent_to_his(ward)] == ["NEW", "UPDATE"]
    look(ward, 10)
    assert "休克" in sent_to_his(ward)[-1].content


def test_an_upgrade_of_a_value_that_was_handled(ward: Hospital) -> None:
    """Edge case 38. HIS hears of it, and since no clock runs any more the duty office is alarmed."""
    ward.send(acknowledgement(kind=AckType.HANDLE))
    assert code_of(ward.send(push(action="UPDATE", content="加重：右心衰竭、休克。"))) == "0"
    assert [request.action for request in sent_to_his(ward)] == ["NEW", "UPDATE"]
    assert ward.alerts() == ["CRITICAL_CHANGED_AFTER_HANDLING"]


# --- 39 ---------------------------------------------------------------------------------------------------------------


def test_an_acknowledgement_twice_with_different_opinions(ward: Hospital) -> None:
    """Edge case 39. The first stops the clock, both are kept, and the last is what the department reads."""
    ward.clock.now = TEN + minutes(5)
    ward.send(acknowledgement(kind=AckType.HANDLE, opinion="抗凝。"))
    ward.clock.now = TEN + minutes(9)
    ward.send(acknowledgement(kind=AckType.HANDLE, opinion="改为溶栓。"))
    assert ward.row(CriticalValue).handled_at == TEN + minutes(5)
    assert [request.opinion for request in sent_to_pacs(ward)] == ["抗凝。", "改为溶栓。"]
    assert len(ward.rows(CriticalAcknowledgement)) == 2


def test_an_acknowledgement_by_two_doctors_at_once(ward: Hospital) -> None:
    """Edge case 39. Both are accepted and kept; the clock stops once."""
    doctors = [acknowledgement(kind=AckType.HANDLE, actor_code=code, opinion=code) for code in ("D1", "D2")]
    assert [code_of(answer) for answer in ward.send_at_once(*doctors)] == ["0", "0"]
    assert {row.actor_code for row in ward.rows(CriticalAcknowledgement)} == {"D1", "D2"}
    assert {request.opinion for request in sent_to_pacs(ward)} == {"D1", "D2"}


def test_an_acknowledgement_before_the_push(hospital: Hospital) -> None:
    """Edge case 39. It waits, is applied when the push comes, and stops the clock at once."""
    assert code_of(hospital.send(acknowledgement(kind=AckType.HANDLE))) == "CRV-413"
    hospital.clock.now = TEN + minutes(2)
    hospital.send(bare_push())
    value = hospital.row(CriticalValue)
    assert (value.state, value.handled_at) == (CriticalStatus.HANDLED, TEN + minutes(2))
    hospital.dispatch.deliver()
    assert look(hospital, 24 * 60) == []


def test_an_acknowledgement_after_the_cancellation(ward: Hospital) -> None:
    """Edge case 39. It is refused, and nobody at the department hears of an opinion about nothing."""
    ward.send(push(action="CANCEL"))
    assert code_of(ward.send(acknowledgement(kind=AckType.HANDLE))) == "CRV-410"
    assert sent_to_pacs(ward) == []


@pytest.mark.parametrize("opinion", [None, "", "  \n "])
def test_an_empty_opinion(ward: Hospital, opinion: str | None) -> None:
    """Edge case 39. Handling without an opinion is refused, and the clock runs on."""
    assert code_of(ward.send(acknowledgement(kind=AckType.HANDLE, opinion=opinion))) == "CRV-412"
    assert look(ward, 10) == ["RECEIVE 1"]


def test_an_opinion_of_2000_characters(ward: Hospital) -> None:
    """Edge case 39. It reaches the department whole, be its characters as rare as they may; one more is refused."""
    opinion = "𠮷" * 1999 + "。"
    ward.send(acknowledgement(kind=AckType.HANDLE, opinion=opinion))
    assert [request.opinion for request in sent_to_pacs(ward)] == [opinion]
    with pytest.raises(InvalidMessage):
        ward.send(acknowledgement(kind=AckType.HANDLE, opinion=opinion + "一"))


# --- 40 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 2, 30])
def test_a_value_open_for_days_does_not_look_young_again(ward: Hospital, days: int) -> None:
    """Edge case 40. Five minutes past a whole day is a day late, not five minutes old."""
    value = ward.row(CriticalValue)
    assert value.overdue(TEN + timedelta(days=days, minutes=5)) == [CriticalStage.RECEIVE, CriticalStage.TOTAL]
    assert look(ward, days * 24 * 60 + 5) == ["RECEIVE 1", "TOTAL 2", "TOTAL 3"]


def test_a_value_found_just_before_midnight(hospital: Hospital) -> None:
    """Edge case 40. Its deadline is after midnight, of the next day."""
    hospital.clock.now = TEN.replace(hour=23, minute=55)
    answer = hospital.send(push())
    assert answer.receive_deadline == TEN.replace(hour=0, minute=5) + timedelta(days=1)
    assert look(hospital, 14 * 60 + 4) == []
    assert look(hospital, 14 * 60 + 5) == ["RECEIVE 1"]


def test_a_value_whose_patient_moves_when_it_is_late_already(ward: Hospital) -> None:
    """Edge case 40. What is told after the transfer goes to the new ward, and no level is told twice."""
    look(ward, 10)
    ward.clock.now = TEN + minutes(15)
    place = visit(dept_code="2301", ward_code="W2301", bed_no="3")
    ward.send(visit_event(VisitEvent.TRANSFER, occurred_at=TEN + minutes(15), visit=place))
    assert look(ward, 30) == ["RECEIVE 1", "TOTAL 2"]
    assert [request.target_ward_code for request in sent_to_his(ward)] == ["W2001", "W2001", "W2301", "W2301"]


def test_a_recipient_who_is_off_duty(ward: Hospital) -> None:
    """Edge case 40. UNREACHABLE alarms the duty office and stops no clock: the chain goes on."""
    ward.send(acknowledgement(kind=AckType.UNREACHABLE))
    assert ward.alerts() == ["CRITICAL_UNREACHABLE"]
    assert look(ward, 60) == ["RECEIVE 1", "TOTAL 2", "TOTAL 3"]
    assert sent_to_his(ward)[-1].target_doctors[0].code == "DUTY"


def test_no_recipient_at_all(hospital: Hospital) -> None:
    """Edge case 40. It is accepted, the fallback receiver is told, and is told again when nobody receives it."""
    assert code_of(hospital.send(bare_push())) == "0"
    look(hospital, 10)
    assert [[d.code for d in request.target_doctors] for request in sent_to_his(hospital)] == [["DUTY"], ["DUTY"]]


def test_the_department_is_down_when_the_opinion_returns(ward: Hospital) -> None:
    """Edge case 40. The opinion waits, its lateness is told once, and it arrives when the department is back."""
    ward.dispatch.script("pacs", "AcknowledgeCriticalValue", NOT_SENT, NOT_SENT)
    ward.send(acknowledgement(kind=AckType.HANDLE))
    ward.dispatch.deliver()
    assert look(ward, 1) == look(ward, 5) == ["RETURN 1"]
    ward.dispatch.deliver()
    assert ward.row(CriticalValue).overdue(TEN + minutes(5)) == [CriticalStage.RETURN]
    ward.dispatch.deliver()
    assert ward.row(CriticalValue).overdue(TEN + minutes(5)) == []
