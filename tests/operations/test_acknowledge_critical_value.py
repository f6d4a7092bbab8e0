"""Who answered for a critical value is kept for ever, and the department that found it hears of every answer."""

from dataclasses import replace

import pytest

from building import (
    OTHER_HOSPITAL,
    TEN,
    acknowledgement,
    again,
    bare_push,
    ct_requisition,
    header,
    minutes,
    push,
)
from gateway.model.client import Client
from gateway.model.critical_value import CriticalAcknowledgement, CriticalValue
from gateway.model.journal import ParkedMessage
from gateway.terms import AckType, CriticalStatus
from hospital import NOT_SENT


@pytest.fixture
def ward(hospital):
    """A hospital where the PACS has pushed WJZ1."""
    hospital.send(ct_requisition())
    hospital.send(push())
    hospital.dispatch.asked.clear()
    return hospital


def code_of(response):
    return response.result.result_code


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (AckType.READ, CriticalStatus.NOTIFIED),
        (AckType.RECEIVE_NURSE, CriticalStatus.NURSE_RECEIVED),
        (AckType.FORWARD_DOCTOR, CriticalStatus.NURSE_RECEIVED),
        (AckType.RECEIVE_DOCTOR, CriticalStatus.DOCTOR_RECEIVED),
        (AckType.HANDLE, CriticalStatus.HANDLED),
        (AckType.TRANSFER, CriticalStatus.NOTIFIED),
        (AckType.TECH_CONFIRM, CriticalStatus.NOTIFIED),
        (AckType.UNREACHABLE, CriticalStatus.NOTIFIED),
    ],
)
def test_each_kind_moves_the_loop_as_far_as_it_reaches(ward, kind, status):
    answer = ward.send(acknowledgement(kind=kind))
    assert (code_of(answer), answer.critical_status) == ("0", status)


def test_the_department_that_found_it_is_told_at_once_with_its_own_number(ward):
    ward.send(acknowledgement(kind=AckType.HANDLE))
    (told,) = ward.dispatch.forwards(operation="AcknowledgeCriticalValue")
    assert (told.partner, told.key, told.urgent) == ("pacs", "WJZ1|PACS", True)
    assert (told.request.critical_id, told.request.source_system) == ("WJZ1", "PACS")
    assert "抗凝" in told.request.opinion


def test_others_hear_of_it_when_the_routes_name_them(ward):
    ward.dispatch.routes["AcknowledgeCriticalValue"] = ("app", "pacs")
    ward.send(acknowledgement())
    assert [f.partner for f in ward.dispatch.forwards(operation="AcknowledgeCriticalValue")] == ["pacs", "app"]


def test_an_originator_that_cannot_be_called_is_said_in_a_warning(ward):
    ward.dispatch.clients = {"his": "HIS", "emr": "EMR"}
    assert "来源系统" in ward.send(acknowledgement()).result.warning


def test_the_departments_own_confirmation_is_not_sent_back_to_it(ward):
    ward.send(acknowledgement(kind=AckType.HANDLE))
    answer = ward.send(acknowledgement(kind=AckType.TECH_CONFIRM, header=header("PACS")))
    assert (answer.critical_status, answer.result.warning) == (CriticalStatus.CLOSED, None)
    assert len(ward.dispatch.forwards(operation="AcknowledgeCriticalValue")) == 1


def test_the_first_handling_stops_the_clock_and_later_ones_are_kept(ward):
    ward.send(acknowledgement(kind=AckType.HANDLE))
    ward.clock.now += minutes(7)
    ward.send(acknowledgement(kind=AckType.HANDLE, opinion="补充：已溶栓"))
    assert ward.row(CriticalValue).handled_at == TEN
    assert len(ward.rows(CriticalAcknowledgement)) == 2
    assert len(ward.dispatch.forwards(operation="AcknowledgeCriticalValue")) == 2


def test_a_late_acknowledgement_moves_nothing_back(ward):
    ward.send(acknowledgement(kind=AckType.HANDLE))
    assert ward.send(acknowledgement(kind=AckType.RECEIVE_NURSE)).critical_status is CriticalStatus.HANDLED


def test_nobody_reached_leaves_the_clock_running_and_alarms(ward):
    ward.send(acknowledgement(kind=AckType.UNREACHABLE))
    value = ward.row(CriticalValue)
    assert (value.state, value.handled_at) == (CriticalStatus.NOTIFIED, None)
    assert ward.alerts() == ["CRITICAL_UNREACHABLE"]


def test_handling_needs_an_opinion(ward):
    assert code_of(ward.send(acknowledgement(kind=AckType.HANDLE, opinion=None))) == "CRV-412"
    assert ward.rows(CriticalAcknowledgement) == []


def test_a_cancelled_value_is_not_acknowledged(ward):
    ward.send(push(action="CANCEL"))
    answer = ward.send(acknowledgement())
    assert (code_of(answer), answer.critical_status) == ("CRV-410", CriticalStatus.CANCELLED)


# --- the same acknowledgement again -----------------------------------------------------------------------------------


def test_the_same_message_again_is_answered_again_and_kept_once(ward):
    request = acknowledgement()
    ward.send(request)
    assert ward.send(request).result.duplicate is True
    assert len(ward.rows(CriticalAcknowledgement)) == 1


def test_the_same_acknowledgement_under_a_new_message_id_is_kept_once(ward):
    request = acknowledgement(ack_id="QR1")
    ward.send(request)
    answer = ward.send(again(request))
    assert (code_of(answer), answer.result.duplicate) == ("0", True)
    assert len(ward.dispatch.forwards(operation="AcknowledgeCriticalValue")) == 1


def test_the_same_number_with_another_content_is_refused(ward):
    ward.send(acknowledgement(kind=AckType.HANDLE, ack_id="QR1"))
    answer = ward.send(acknowledgement(kind=AckType.HANDLE, ack_id="QR1", opinion="另一个意见"))
    assert (code_of(answer), answer.critical_status) == ("CRV-409", CriticalStatus.HANDLED)


def test_two_doctors_at_once_are_both_kept(ward):
    answers = ward.send_at_once(*(acknowledgement(kind=AckType.HANDLE) for _ in range(6)))
    assert {code_of(answer) for answer in answers} == {"0"}
    assert len(ward.rows(CriticalAcknowledgement)) == 6


def test_the_same_acknowledgement_six_times_at_once_is_kept_once(ward):
    request = acknowledgement(ack_id="QR1")
    answers = ward.send_at_once(*(again(request) for _ in range(6)))
    assert [code_of(answer) for answer in answers] == ["0"] * 6
    assert len(ward.rows(CriticalAcknowledgement)) == 1


def test_two_systems_may_use_the_same_acknowledgement_number(ward):
    ward.send(acknowledgement(ack_id="QR1"))
    assert code_of(ward.send(acknowledgement(ack_id="QR1", header=header("APP")))) == "0"
    assert len(ward.rows(CriticalAcknowledgement)) == 2


# --- which value is meant ---------------------------------------------------------------------------------------------


def test_a_number_of_two_departments_needs_the_source_system(ward):
    ward.send(bare_push("WJZ1"))
    assert code_of(ward.send(acknowledgement())) == "CRV-422"
    assert code_of(ward.send(acknowledgement(source_system="LIS"))) == "0"
    assert ward.dispatch.forwards(operation="AcknowledgeCriticalValue")[-1].partner == "lis"


def test_an_acknowledgement_before_the_push_waits_for_it(hospital):
    answer = hospital.send(acknowledgement(kind=AckType.HANDLE))
    assert (code_of(answer), answer.result.parked, answer.result.retryable) == ("CRV-413", True, True)
    hospital.send(bare_push())
    assert hospital.row(CriticalValue).state is CriticalStatus.HANDLED
    assert hospital.row(ParkedMessage).result_code == "0"


def test_one_for_the_other_department_goes_on_waiting(hospital):
    hospital.add(Client(name="PACS", password_hash="-", description="", created_at=TEN))
    hospital.send(acknowledgement(source_system="PACS"))
    hospital.send(bare_push())
    assert hospital.rows(CriticalAcknowledgement) == []
    hospital.send(push())
    assert hospital.row(CriticalValue, sender_code="PACS").state is CriticalStatus.DOCTOR_RECEIVED


def test_a_day_later_it_waits_no_longer(hospital):
    hospital.send(acknowledgement())
    hospital.clock.now += minutes(24 * 60 + 1)
    hospital.send(bare_push())
    assert hospital.rows(CriticalAcknowledgement) == []


def test_a_source_system_that_does_not_exist_is_not_waited_for(hospital):
    answer = hospital.send(acknowledgement(source_system="NOBODY"))
    assert (code_of(answer), answer.result.parked) == ("CRV-404", None)


def test_the_value_of_another_hospital_is_not_meant(ward):
    assert code_of(ward.send(acknowledgement(header=header("HIS", hospital=OTHER_HOSPITAL)))) == "CRV-413"


def test_the_answer_reaches_the_department_even_if_it_is_away_for_a_while(ward):
    ward.dispatch.script("pacs", "AcknowledgeCriticalValue", NOT_SENT)
    ward.send(acknowledgement())
    ward.dispatch.deliver()
    ward.dispatch.deliver()
    assert [f.operation for f in ward.dispatch.asked if f.partner == "pacs"][-1] == "AcknowledgeCriticalValue"


def test_an_opinion_of_white_space_is_none(ward):
    assert code_of(ward.send(replace(acknowledgement(kind=AckType.HANDLE), opinion=" \n "))) == "CRV-412"
