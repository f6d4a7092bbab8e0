"""A patient who is moved takes the open critical values along; one who has left is telephoned."""

import pytest

from building import (
    TEN,
    acknowledgement,
    bare_push,
    ct_requisition,
    merge,
    minutes,
    patient,
    push,
    visit,
    visit_event,
)
from gateway.messages.critical_value import CriticalPatient, CriticalVisit
from gateway.model.critical_value import CriticalValue
from gateway.terms import AckType, CriticalStatus, VisitEvent
from hospital import NOT_SENT


@pytest.fixture
def ward(hospital):
    """A hospital where HIS has admitted the patient of WJZ1 to ward W2001."""
    hospital.send(ct_requisition())
    hospital.send(visit_event())
    hospital.send(push())
    hospital.clock.now += minutes(5)
    return hospital


def to_icu(**changes):
    place = visit(dept_code="2301", ward_code="W2301", bed_no="3")
    return visit_event(VisitEvent.TRANSFER, occurred_at=TEN + minutes(5), **{"visit": place} | changes)


def told_his(hospital):
    """What HIS was sent after the push itself."""
    return [forward.request for forward in hospital.dispatch.forwards("his", "PushCriticalValue")][1:]


def test_after_a_transfer_the_new_ward_is_told(ward):
    ward.send(to_icu())
    (told,) = told_his(ward)
    assert (told.action, told.critical_id) == ("UPDATE", "WJZ1")
    assert (told.target_dept_code, told.target_ward_code, told.visit.bed_no) == ("2301", "W2301", "3")
    assert [doctor.code for doctor in told.target_doctors] == ["D1066"]
    assert "转移" in told.warning
    value = ward.row(CriticalValue)
    assert (value.dept_code, value.ward_code, value.state) == ("2301", "W2301", CriticalStatus.NOTIFIED)


def test_it_leaves_urgently_and_in_the_name_of_the_department_that_found_it(ward):
    ward.send(to_icu())
    forward = ward.dispatch.forwards("his", "PushCriticalValue")[-1]
    assert (forward.urgent, forward.key, forward.origin.sender_code) == (True, "WJZ1|PACS", "PACS")


def test_the_clocks_run_on(ward):
    before = ward.row(CriticalValue)
    ward.send(to_icu())
    after = ward.row(CriticalValue)
    assert (after.receive_deadline, after.handle_deadline) == (before.receive_deadline, before.handle_deadline)
    assert after.next_due == TEN + minutes(10)


def test_a_move_to_the_same_bed_tells_nobody(ward):
    ward.send(visit_event(VisitEvent.TRANSFER, occurred_at=TEN + minutes(1)))
    assert told_his(ward) == []


def test_what_is_handled_stays_where_it_was(ward):
    ward.send(acknowledgement(kind=AckType.HANDLE))
    ward.send(to_icu())
    assert told_his(ward) == []


def test_an_older_event_moves_nothing(ward):
    ward.send(to_icu())
    ward.send(visit_event(VisitEvent.TRANSFER, occurred_at=TEN + minutes(2)))
    assert len(told_his(ward)) == 1


def test_what_was_found_in_the_clinic_follows_the_patient_who_is_admitted(hospital):
    clinic = CriticalVisit(visit_type="1", visit_no="OP1", dept_code="1001")
    who = CriticalPatient(patient_id="P1")
    hospital.send(bare_push(patient=who, visit=clinic, target_dept_code="1001"))
    hospital.send(visit_event())
    (told,) = told_his(hospital)
    assert (told.visit.visit_no, told.target_ward_code) == ("V1", "W2001")


def test_also_under_the_number_the_patient_had_before(hospital):
    hospital.send(bare_push(patient=CriticalPatient(patient_id="P0"), target_dept_code="1001"))
    hospital.send(merge("P0", "P1"))
    hospital.send(visit_event())
    assert told_his(hospital)[-1].target_ward_code == "W2001"


def test_another_patients_value_stays(ward):
    ward.send(visit_event(visit=visit("V9", ward_code="W9"), patient=patient("P9")))
    assert told_his(ward) == []


def test_a_value_his_has_not_taken_yet_is_followed_by_its_new_place(hospital):
    hospital.send(visit_event())
    hospital.dispatch.script("his", "PushCriticalValue", NOT_SENT)
    hospital.send(push())
    hospital.send(to_icu())
    hospital.dispatch.deliver()
    assert [f.request.action for f in hospital.dispatch.asked if f.partner == "his"][-2:] == ["NEW", "UPDATE"]


def test_a_late_correction_by_the_department_does_not_lead_back_to_the_old_ward(ward):
    ward.send(to_icu())
    ward.send(push(action="UPDATE", content="加重：右心衰竭"))
    assert told_his(ward)[-1].target_ward_code == "W2301"
    assert ward.row(CriticalValue).ward_code == "W2301"


def test_of_a_patient_who_has_left_the_doctors_and_the_duty_office_are_told(ward):
    ward.send(visit_event(VisitEvent.DISCHARGE, occurred_at=TEN + minutes(5)))
    (told,) = told_his(ward)
    assert [doctor.code for doctor in told.target_doctors] == ["D1066", "DUTY"]
    assert "电话" in told.warning
    assert ward.alerts() == ["CRITICAL_PATIENT_LEFT"]
    assert ward.row(CriticalValue).state is CriticalStatus.NOTIFIED


def test_the_end_of_another_visit_of_the_patient_is_no_leaving(ward):
    clinic = visit("OP1", ward_code=None, bed_no=None)
    ward.send(visit_event(VisitEvent.DISCHARGE, occurred_at=TEN + minutes(5), visit=clinic))
    assert told_his(ward) == []


def test_the_ordering_doctor_is_told_when_the_push_names_nobody(hospital):
    hospital.send(ct_requisition())
    hospital.send(push(target_doctors=()))
    hospital.send(visit_event(VisitEvent.DISCHARGE))
    assert [doctor.code for doctor in told_his(hospital)[-1].target_doctors] == ["D1066", "DUTY"]


def test_a_push_for_a_patient_who_has_left_asks_for_a_telephone_call(hospital):
    hospital.send(visit_event(VisitEvent.DISCHARGE))
    answer = hospital.send(push())
    assert "电话" in answer.result.warning
    assert hospital.alerts() == ["CRITICAL_TO_FALLBACK"]
