"""A critical value reaches a doctor: nothing unknown refuses it, nobody is asked twice, nobody forgets it."""

from dataclasses import replace

import pytest

from building import (
    HOSPITAL,
    OTHER_HOSPITAL,
    TEN,
    acknowledgement,
    again,
    bare_push,
    critical_header,
    ct_requisition,
    minutes,
    push,
    visit_event,
)
from gateway.config import Rules
from gateway.critical_rules import CriticalRules
from gateway.messages.common import CriticalHeader
from gateway.messages.critical_value import CriticalPatient, CriticalVisit, StaffRef
from gateway.model.critical_value import CriticalValue
from gateway.model.delivery import Delivery, DeliveryState, Lane
from gateway.model.journal import Alert, AuditEntry, JournalEntry
from gateway.operations.push_critical_value import keep_unreadable_push
from gateway.terms import AckType, CriticalStatus
from hospital import FAULT, NOT_SENT, UNKNOWN, no


@pytest.fixture
def ward(hospital):
    """A hospital where requisition R1 of visit V1 is known."""
    hospital.send(ct_requisition())
    return hospital


def code_of(response):
    return response.result.result_code


def test_his_hears_of_it_while_the_department_still_waits(ward):
    answer = ward.send(push())
    assert (code_of(answer), answer.critical_status, answer.result.forwarded) == ("0", CriticalStatus.NOTIFIED, True)
    assert [(f.partner, f.key, f.urgent) for f in ward.dispatch.asked] == [("his", "WJZ1|PACS", True)]
    assert ward.row(CriticalValue).notified_at is not None
    assert answer.result.warning is None
    assert ward.alerts() == []


def test_deadlines_run_from_the_gateways_clock_not_the_senders(ward):
    ward.choose(rules=Rules(critical=CriticalRules(receive_minutes=5, total_minutes=20)))
    answer = ward.send(push(reported_at=TEN + minutes(600), receive_deadline=TEN + minutes(900)))
    assert (answer.receive_deadline, answer.handle_deadline) == (TEN + minutes(5), TEN + minutes(20))


def test_the_first_system_is_asked_and_the_others_are_told_in_parallel(ward):
    ward.dispatch.routes["PushCriticalValue"] = ("his", "app", "emr")
    ward.send(push())
    told = ward.dispatch.forwards(operation="PushCriticalValue")
    assert [(f.partner, f.urgent) for f in told] == [("app", True), ("emr", True), ("his", True)]
    assert [f.partner for f in ward.dispatch.asked] == ["his"]
    assert {row.lane for row in ward.rows(Delivery, operation="PushCriticalValue")} == {Lane.CRITICAL}


def test_a_system_is_never_told_what_it_said_itself(ward):
    ward.dispatch.routes["PushCriticalValue"] = ("pacs", "his")
    ward.send(push())
    assert [f.partner for f in ward.dispatch.forwards(operation="PushCriticalValue")] == ["his"]


@pytest.mark.parametrize("outcome", [NOT_SENT, UNKNOWN])
def test_while_his_is_silent_the_department_is_told_and_the_gateway_goes_on(ward, outcome):
    ward.dispatch.script("his", "PushCriticalValue", outcome)
    answer = ward.send(push())
    assert (code_of(answer), answer.critical_status, answer.result.forwarded) == ("0", CriticalStatus.NEW, False)
    assert "尚未应答" in answer.result.warning
    assert ward.row(Delivery, partner="his").state in (DeliveryState.QUEUED, DeliveryState.UNKNOWN)


def test_a_later_delivery_notifies_as_well(ward):
    ward.dispatch.script("his", "PushCriticalValue", NOT_SENT)
    ward.send(push())
    ward.dispatch.deliver()
    assert ward.row(CriticalValue).state is CriticalStatus.NOTIFIED


@pytest.mark.parametrize("answer", [no("CRV-400"), FAULT])
def test_a_his_that_refuses_it_for_good_alarms_the_duty_office(ward, answer):
    ward.dispatch.script("his", "PushCriticalValue", answer)
    assert code_of(ward.send(push())) == "0"
    assert ward.alerts() == ["CRITICAL_REFUSED"]
    assert ward.row(CriticalValue).state is CriticalStatus.NEW


def test_without_any_receiver_the_duty_office_is_alarmed(ward):
    ward.dispatch.routes["PushCriticalValue"] = ()
    answer = ward.send(push())
    assert (code_of(answer), answer.result.forwarded) == ("0", False)
    assert "电话" in answer.result.warning
    assert ward.alerts() == ["CRITICAL_NO_ROUTE"]


# --- nothing unknown refuses it ---------------------------------------------------------------------------------------


def test_a_push_with_nothing_but_number_and_content_is_accepted(hospital):
    answer = hospital.send(bare_push())
    value = hospital.row(CriticalValue)
    assert (code_of(answer), value.hospital_code, value.to_fallback) == ("0", HOSPITAL, True)
    assert "就诊未知" in answer.result.warning
    assert "没有接收人" in answer.result.warning


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("SourceType", {"source_type": "77"}),
        ("Level", {"level": "紧急"}),
        ("Action", {"action": "RING"}),
        ("SexCode", {"patient": CriticalPatient(patient_id="P1", sex_code="男")}),
        ("VisitType", {"visit": CriticalVisit(visit_no="V1", visit_type="I", ward_code="W2001")}),
        ("visit unknown", {"visit": CriticalVisit(visit_no="NOBODY-KNOWS", ward_code="W2001")}),
    ],
)
def test_an_unknown_code_or_visit_is_accepted_with_a_warning(ward, field, changes):
    answer = ward.send(push(**changes))
    assert code_of(answer) == "0"
    assert field in answer.result.warning


def test_a_value_nobody_can_be_told_of_goes_to_the_fallback_receiver(hospital):
    hospital.choose(rules=Rules(fallback_receiver="ZBS"))
    hospital.send(bare_push())
    (told,) = hospital.dispatch.asked
    assert told.request.target_doctors == (StaffRef(code="ZBS"),)
    assert hospital.alerts() == ["CRITICAL_TO_FALLBACK"]


def test_the_fallback_receiver_is_told_besides_whom_the_sender_named(ward):
    ward.send(push(visit=CriticalVisit(visit_no="NOBODY-KNOWS")))
    (told,) = ward.dispatch.asked
    assert [doctor.code for doctor in told.request.target_doctors] == ["D1066", "DUTY"]


def test_a_visit_told_by_his_is_known_and_says_where_the_patient_is(hospital):
    hospital.send(visit_event())
    answer = hospital.send(bare_push(visit=CriticalVisit(visit_no="V1")))
    assert answer.result.warning is None
    assert hospital.row(CriticalValue).to_fallback is False


def test_the_visit_is_taken_from_the_requisition_when_the_push_names_none(ward):
    ward.send(bare_push(requisition_no="R1"))
    value = ward.row(CriticalValue)
    assert (value.visit_no, value.to_fallback) == ("V1", False)


def test_a_requisition_number_of_two_branches_refuses_nothing(ward):
    request = ct_requisition()
    ward.send(replace(request, header=replace(request.header, branch_code="02", message_id="HIS-B2")))
    assert code_of(ward.send(push())) == "0"


def test_his_is_told_the_action_the_gateway_understood(ward):
    ward.send(push(action="RING"))
    assert ward.dispatch.asked[-1].request.action == "NEW"


# --- the same value again ---------------------------------------------------------------------------------------------


def test_the_same_message_again_gets_the_same_answer_and_rings_nobody(ward):
    request = push()
    first, second = ward.send(request), ward.send(request)
    assert (second.result.duplicate, second.critical_status) == (True, first.critical_status)
    assert len(ward.dispatch.asked) == 1


def test_the_same_value_under_new_message_ids_is_one_value(ward):
    answers = [ward.send(push(found_at=TEN)) for _ in range(5)]
    assert [a.result.duplicate for a in answers] == [False, True, True, True, True]
    assert len(ward.rows(CriticalValue)) == len(ward.dispatch.asked) == 1


def test_the_same_value_sent_eight_times_at_once_rings_once(ward):
    answers = ward.send_at_once(*(push(found_at=TEN) for _ in range(8)))
    assert {code_of(answer) for answer in answers} == {"0"}
    assert sorted(answer.result.duplicate for answer in answers) == [False] + [True] * 7
    assert len(ward.rows(CriticalValue)) == len(ward.dispatch.asked) == 1


def test_the_same_number_for_another_finding_is_refused(ward):
    ward.send(push())
    answer = ward.send(push(content="另一个发现"))
    assert (code_of(answer), answer.critical_status) == ("CRV-409", CriticalStatus.NOTIFIED)


def test_equal_numbers_of_two_departments_are_two_values(ward):
    ward.send(push("1001"))
    assert code_of(ward.send(bare_push("1001"))) == "0"
    assert {value.sender_code for value in ward.rows(CriticalValue)} == {"PACS", "LIS"}


def test_equal_numbers_of_two_hospitals_are_two_values(ward):
    header = CriticalHeader(message_id="LIS-X", sender_code="PACS", hospital_code=OTHER_HOSPITAL)
    ward.send(push())
    assert code_of(ward.send(push(header=header))) == "0"
    assert len(ward.rows(CriticalValue)) == 2


# --- changing and cancelling it ---------------------------------------------------------------------------------------


def test_an_update_is_passed_on_and_keeps_the_clock(ward):
    ward.send(push())
    ward.clock.now += minutes(3)
    answer = ward.send(push(action="UPDATE", content="加重：右心衰竭"))
    assert (code_of(answer), answer.receive_deadline) == ("0", TEN + minutes(10))
    assert [f.request.action for f in ward.dispatch.asked] == ["NEW", "UPDATE"]


def test_an_update_that_changes_nothing_is_a_repetition(ward):
    ward.send(push())
    assert ward.send(push(action="UPDATE")).result.duplicate is True
    assert len(ward.dispatch.asked) == 1


def test_an_update_of_an_unknown_value_opens_it(ward):
    assert code_of(ward.send(push(action="UPDATE"))) == "0"
    assert ward.dispatch.asked[-1].request.action == "NEW"


def test_a_cancellation_reaches_everybody_who_was_told(ward):
    ward.send(push())
    answer = ward.send(push(action="CANCEL"))
    assert (code_of(answer), answer.critical_status) == ("0", CriticalStatus.CANCELLED)
    assert [f.request.action for f in ward.dispatch.asked] == ["NEW", "CANCEL"]


def test_cancelling_twice_is_cancelling_once(ward):
    ward.send(push())
    ward.send(push(action="CANCEL"))
    assert ward.send(push(action="CANCEL")).result.duplicate is True
    assert len(ward.dispatch.asked) == 2


def test_a_cancellation_before_delivery_keeps_its_place_behind_the_push(ward):
    ward.dispatch.script("his", "PushCriticalValue", NOT_SENT)
    ward.send(push())
    ward.send(push(action="CANCEL"))
    ward.dispatch.deliver()
    assert [f.request.action for f in ward.dispatch.asked if f.partner == "his"] == ["NEW", "NEW", "CANCEL"]
    assert ward.row(CriticalValue).state is CriticalStatus.CANCELLED


@pytest.mark.parametrize("action", ["NEW", "UPDATE"])
def test_a_cancelled_value_takes_no_more_changes(ward, action):
    ward.send(push())
    ward.send(push(action="CANCEL"))
    assert code_of(ward.send(push(action=action, content="又改了"))) == "CRV-410"


def test_a_handled_value_cannot_be_cancelled(ward):
    ward.send(push())
    ward.send(acknowledgement(kind=AckType.HANDLE))
    answer = ward.send(push(action="CANCEL"))
    assert (code_of(answer), answer.critical_status) == ("CRV-423", CriticalStatus.HANDLED)


def test_an_unknown_value_cannot_be_cancelled(ward):
    assert code_of(ward.send(push(action="CANCEL"))) == "CRV-404"


# --- a push nobody can read -------------------------------------------------------------------------------------------


def keep_unreadable(hospital, message_id="LIS-77"):
    with hospital.sessions.begin() as session:
        return keep_unreadable_push(
            session, sender_code="LIS", xml=b"<x>", message_id=message_id, hospital_code=HOSPITAL, now=TEN
        )


def test_a_push_that_breaks_the_contract_is_kept_and_alarms_the_duty_office(hospital):
    txn_no = keep_unreadable(hospital)
    entry = hospital.row(JournalEntry, txn_no=txn_no)
    assert (entry.xml, entry.result_code, entry.message_id) == (b"<x>", "SYS-400", "LIS-77")
    assert hospital.row(AuditEntry).actor == "LIS"
    assert hospital.alerts() == ["CRITICAL_UNREADABLE"]


def test_its_repetition_is_kept_and_alarms_nobody_again(hospital):
    keep_unreadable(hospital)
    keep_unreadable(hospital)
    assert (len(hospital.rows(JournalEntry)), len(hospital.rows(Alert))) == (2, 1)


def test_without_a_readable_number_every_one_alarms(hospital):
    keep_unreadable(hospital, "")
    keep_unreadable(hospital, "王祥 的危急值")
    subject = "unreadable critical value of LIS, message without number"
    assert [alert.subject for alert in hospital.rows(Alert)] == [subject, subject]


def test_no_alert_and_no_audit_holds_a_name(hospital):
    hospital.send(bare_push(patient=CriticalPatient(patient_name="王𠮷祥")))
    alert, audit = hospital.row(Alert), hospital.row(AuditEntry)
    assert "王" not in f"{alert.subject}{audit.subject}{audit.detail}"


def test_a_second_push_of_the_header_only_sender_is_not_confused_with_the_first(hospital):
    hospital.send(bare_push("1", header=critical_header("LIS")))
    assert hospital.send(again(bare_push("2"))).result.duplicate is False
