"""A report goes to everybody who needs it, once per version, and moves its requisitions on."""

import hashlib

import pytest

from building import (
    TEN,
    acknowledgement,
    again,
    at_branch,
    cancellation,
    ct_requisition,
    header,
    merge,
    minutes,
    outpatient_ct,
    patient,
    push,
    report,
    status,
    update,
    visit,
    withdrawal,
)
from gateway.config import Limits
from gateway.messages.report import CriticalRef, KeyImage, LabResult, ReportFile
from gateway.model.critical_value import CriticalValue
from gateway.model.journal import ParkedMessage
from gateway.model.report import ReportVersion
from gateway.model.requisition import RequisitionItem
from gateway.terms import (
    AbnormalFlag,
    AckType,
    CriticalStatus,
    ReleaseEvent,
    ReportAction,
    ReportFileFormat,
    ReportType,
    StatusCode,
    StatusEvent,
    VisitType,
)

PDF = b"%PDF-1.4 sample"


@pytest.fixture
def ward(hospital):
    """A hospital where the paid CT R1 of an outpatient has been registered and done."""
    hospital.send(outpatient_ct(visit=visit(visit_type=VisitType.OUTPATIENT)))
    hospital.send(status())
    hospital.send(status(event=StatusEvent.EXAM_DONE))
    return hospital


def code_of(response):
    return response.result.result_code


def reports_to(hospital):
    return [(f.partner, f.request.report_version) for f in hospital.dispatch.forwards(operation="SubmitReport")]


def files(**file):
    return {"report_files": (ReportFile(format=ReportFileFormat.PDF, **file),)}


# --- the plain path ---------------------------------------------------------------------------------------------------


def test_a_final_report_is_passed_on_in_the_order_of_its_requisition(ward):
    answer = ward.send(report())
    assert (code_of(answer), answer.report_no, answer.report_version) == ("0", "BG1", 1)
    assert (answer.current_status, answer.result.forwarded) == (StatusCode.REPORTED, False)
    told = ward.dispatch.forwards(operation="SubmitReport")
    assert [(f.partner, f.key, f.urgent) for f in told] == [("his", "R1", False), ("emr", "R1", False)]


def test_it_is_not_sent_to_the_system_it_came_from(ward):
    ward.dispatch.routes["SubmitReport"] = ("pacs", "emr")
    ward.send(report())
    assert reports_to(ward) == [("emr", 1)]


@pytest.mark.parametrize(
    ("action", "reached"),
    [
        (ReportAction.PRELIM, StatusCode.PRELIMINARY),
        (ReportAction.FINAL, StatusCode.REPORTED),
        (ReportAction.AMEND, StatusCode.REPORTED),
    ],
)
def test_each_action_implies_a_status(ward, action, reached):
    assert ward.send(report(action=action)).current_status is reached


def test_a_withdrawal_takes_the_status_back_and_is_passed_on(ward):
    ward.send(report())
    assert ward.send(withdrawal()).current_status is StatusCode.EXAMINED
    assert reports_to(ward) == [("his", 1), ("emr", 1), ("his", 2), ("emr", 2)]


def test_a_correction_also_reaches_who_has_an_earlier_version_but_is_no_longer_routed(ward):
    ward.send(report())
    ward.dispatch.routes["SubmitReport"] = ("his",)
    ward.send(withdrawal())
    assert reports_to(ward)[2:] == [("his", 2), ("emr", 2)]


def test_a_report_without_any_registration_registers_and_charges(hospital):
    hospital.send(ct_requisition())
    assert hospital.send(report()).current_status is StatusCode.REPORTED
    assert [f.partner for f in hospital.dispatch.forwards(operation="ChargeItem")] == ["his"]


def test_one_report_may_answer_several_requisitions(ward):
    ward.send(outpatient_ct("R2"))
    ward.send(report("BG1", 1, "R2", "R1"))
    assert {item.state for item in ward.rows(RequisitionItem)} == {StatusCode.REPORTED}
    assert ward.dispatch.forwards(operation="SubmitReport")[0].key == "R2"


def test_the_orders_named_limit_which_items_are_reported(hospital):
    hospital.send(ct_requisition(items=3))
    hospital.send(report(orders=("O2",)))
    states = [item.state for item in hospital.rows(RequisitionItem)]
    assert states == [StatusCode.RELEASED, StatusCode.REPORTED, StatusCode.RELEASED]


def test_two_reports_may_answer_one_requisition(ward):
    ward.send(report("FROZEN"))
    assert code_of(ward.send(report("ROUTINE"))) == "0"


# --- what the message itself must hold --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"auditor_code": None},
        {"audited_at": None},
        {"audited_at": TEN - minutes(11)},
        {"action": ReportAction.AMEND, "auditor_code": None},
        {"action": ReportAction.WITHDRAW},
        files(),
        files(url="https://pacs.example.org/1.pdf", content=PDF),
        files(content=PDF, sha256="0" * 64),
    ],
)
def test_an_incomplete_report_is_refused(ward, changes):
    assert code_of(ward.send(report(**changes))) == "RPT-400"
    assert reports_to(ward) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"audited_at": TEN - minutes(10)},
        {"action": ReportAction.PRELIM, "auditor_code": None, "audited_at": None},
        files(url="https://pacs.example.org/1.pdf", sha256="0" * 64),
        files(content=PDF, sha256=hashlib.sha256(PDF).hexdigest().upper()),
    ],
)
def test_a_complete_report_is_not(ward, changes):
    assert code_of(ward.send(report(**changes))) == "0"


def test_a_key_image_above_the_limit_must_be_sent_by_address(ward):
    ward.choose(limits=Limits(key_image_bytes=1024))
    assert code_of(ward.send(report(key_images=(KeyImage(content=b"x" * 1024),)))) == "0"
    assert code_of(ward.send(report("BG2", key_images=(KeyImage(content=b"x" * 1025),)))) == "RPT-413"


# --- versions ---------------------------------------------------------------------------------------------------------


def test_the_same_message_again_is_passed_on_once(ward):
    request = report()
    ward.send(request)
    assert ward.send(request).result.duplicate is True
    assert len(reports_to(ward)) == 2


def test_the_same_version_with_the_same_content_is_known(ward):
    request = report()
    first, second = ward.send(request), ward.send(again(request))
    assert (code_of(second), second.result.duplicate) == ("0", True)
    assert second.current_status is first.current_status
    assert len(ward.rows(ReportVersion)) == 1


def test_the_same_version_six_times_at_once_is_passed_on_once(ward):
    request = report()
    answers = ward.send_at_once(*(again(request) for _ in range(6)))
    assert [code_of(answer) for answer in answers] == ["0"] * 6
    assert reports_to(ward) == [("his", 1), ("emr", 1)]


def test_two_reports_of_the_same_requisitions_do_not_stop_each_other(ward):
    ward.send(outpatient_ct("R2"))
    requests = [report(f"BG{n}", 1, *(("R1", "R2") if n % 2 else ("R2", "R1"))) for n in range(6)]
    assert {code_of(answer) for answer in ward.send_at_once(*requests)} == {"0"}


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_is_not_greater_is_refused(ward, version):
    ward.send(report(version=2))
    assert code_of(ward.send(report(version=version, findings="改写"))) == "RPT-409"


def test_a_greater_version_corrects_it(ward):
    ward.send(report())
    assert code_of(ward.send(report(version=2, action=ReportAction.AMEND, findings="改写"))) == "0"
    assert [row.version for row in ward.rows(ReportVersion)] == [1, 2]


@pytest.mark.parametrize(
    ("following", "expected"),
    [
        (report("BG1", 1, findings="改写"), "RPT-410"),
        (report("BG1", 2, findings="改写"), "RPT-410"),
        (withdrawal("BG1", 3), "RPT-410"),
        (report("BG1", 3, findings="重新审核"), "0"),
    ],
)
def test_after_a_withdrawal_only_a_greater_version_counts(ward, following, expected):
    ward.send(report())
    ward.send(withdrawal())
    assert code_of(ward.send(following)) == expected


def test_the_withdrawal_repeated_is_known(ward):
    ward.send(report())
    request = withdrawal()
    ward.send(request)
    assert ward.send(again(request)).result.duplicate is True


def test_equal_report_numbers_of_two_departments_are_two_reports(ward):
    ward.send(report())
    assert code_of(ward.send(report(header=header("LIS"), findings="另一份"))) == "0"


# --- its requisitions -------------------------------------------------------------------------------------------------


def test_a_report_before_its_requisition_waits_for_it(hospital):
    answer = hospital.send(report())
    assert (code_of(answer), answer.result.parked) == ("RPT-404", True)
    hospital.send(outpatient_ct())
    assert hospital.row(RequisitionItem).state is StatusCode.REPORTED
    assert hospital.row(ParkedMessage).result_code == "0"


def test_a_report_before_two_requisitions_waits_for_both(hospital):
    hospital.send(report("BG1", 1, "R1", "R2"))
    hospital.send(outpatient_ct("R1"))
    assert hospital.rows(ReportVersion) == []
    hospital.send(outpatient_ct("R2"))
    assert {item.state for item in hospital.rows(RequisitionItem)} == {StatusCode.REPORTED}


def test_a_report_of_a_requisition_whose_cancellation_came_first_does_not_wait(hospital):
    hospital.send(cancellation(outpatient_ct()))
    answer = hospital.send(report())
    assert (code_of(answer), answer.result.parked) == ("RPT-404", None)


def test_a_number_of_two_branches_needs_the_branch(hospital):
    for branch in ("01", "02"):
        hospital.send(at_branch(outpatient_ct(), branch))
    assert code_of(hospital.send(report())) == "RPT-422"
    assert code_of(hospital.send(at_branch(report(), "02"))) == "0"


def test_an_order_of_another_requisition_is_refused(ward):
    assert code_of(ward.send(report(orders=("O1", "O9")))) == "RPT-422"


def test_a_report_of_a_cancelled_requisition_is_passed_on_and_somebody_is_told(hospital):
    request = outpatient_ct()
    hospital.send(request)
    hospital.send(cancellation(request))
    answer = hospital.send(report())
    assert (code_of(answer), answer.current_status) == ("0", StatusCode.CANCELLED)
    assert "90" in answer.result.warning
    assert hospital.alerts() == ["REPORT_AFTER_CANCEL"]


def test_a_report_of_an_unpaid_requisition_is_passed_on_and_somebody_is_told(hospital):
    hospital.send(outpatient_ct(release_event=None))
    answer = hospital.send(report())
    assert (code_of(answer), answer.current_status) == ("0", StatusCode.HELD)
    assert hospital.alerts() == ["REPORT_BEFORE_RELEASE"]


def test_a_report_about_somebody_else_is_passed_on_and_looked_at(ward):
    answer = ward.send(report(patient=patient("P2")))
    assert code_of(answer) == "0"
    assert "不一致" in answer.result.warning
    assert ward.alerts() == ["REPORT_OF_ANOTHER_PATIENT"]


def test_a_patient_who_was_merged_meanwhile_is_not_somebody_else(ward):
    ward.send(merge("P1", "P2"))
    assert ward.send(report(patient=patient("P2"))).result.warning is None


# --- a critical report ------------------------------------------------------------------------------------------------


def test_a_critical_report_opens_the_loop_under_the_numbers_it_gives(ward):
    answer = ward.send(
        report(critical=True, criticals=(CriticalRef(critical_id="WJZ1"), CriticalRef(critical_id="WJZ2")))
    )
    assert [c.critical_id for c in answer.criticals] == ["WJZ1", "WJZ2"]
    assert [v.critical_id for v in ward.rows(CriticalValue)] == ["WJZ1", "WJZ2"]
    told = ward.dispatch.forwards(operation="PushCriticalValue")
    assert [(f.partner, f.key, f.urgent) for f in told] == [("his", "WJZ1|PACS", True), ("his", "WJZ2|PACS", True)]


def test_without_a_number_the_report_number_stands_for_it(ward):
    ward.send(report(critical=True))
    value = ward.row(CriticalValue)
    assert (value.critical_id, value.report_no, value.opened_by_report) == ("BG1", "BG1", True)
    assert value.receive_deadline == TEN + minutes(10)


def test_what_his_is_told_says_what_is_wrong_with_whom(ward):
    results = (
        LabResult(item_code="K", item_name="血钾", value_text="7.1", abnormal_flag=AbnormalFlag.HH),
        LabResult(item_code="NA", item_name="血钠", value_text="140", abnormal_flag=AbnormalFlag.N),
    )
    ward.send(report(critical=True, report_type=ReportType.LAB, results=results))
    (told,) = ward.dispatch.forwards(operation="PushCriticalValue")
    assert (told.request.source_type, told.request.patient.patient_id, told.request.visit.visit_no) == ("1", "P1", "V1")
    assert (told.request.content, [d.item_code for d in told.request.details]) == ("右肺动脉栓塞。", ["K"])


def test_the_queue_notifies_the_loop_of_a_report(ward):
    ward.send(report(critical=True))
    ward.dispatch.deliver()
    assert ward.row(CriticalValue).state is CriticalStatus.NOTIFIED


@pytest.mark.parametrize(
    ("known", "critical_ids"),
    [(push("WJZ1"), ("WJZ1",)), (push("WJZ7", report_no="BG1"), ()), (push("WJZ7", report_no="BG1"), ("WJZ1",))],
)
def test_a_push_known_before_is_not_opened_again(ward, known, critical_ids):
    ward.send(known)
    ward.send(report(critical=True, criticals=tuple(CriticalRef(critical_id=number) for number in critical_ids)))
    assert [value.critical_id for value in ward.rows(CriticalValue)] == [known.critical_id]


def test_a_second_value_the_report_names_is_opened_beside_the_first(ward):
    ward.send(push("WJZ1", report_no="BG1"))
    ward.send(report(critical=True, criticals=(CriticalRef(critical_id="WJZ1"), CriticalRef(critical_id="WJZ2"))))
    assert sorted(value.critical_id for value in ward.rows(CriticalValue)) == ["WJZ1", "WJZ2"]


def test_the_next_version_opens_nothing_new(ward):
    ward.send(report(critical=True))
    ward.send(report(version=2, action=ReportAction.AMEND, critical=True))
    assert len(ward.rows(CriticalValue)) == 1


def test_a_withdrawal_opens_nothing(ward):
    ward.send(withdrawal(critical=True))
    assert ward.rows(CriticalValue) == []


def test_without_a_receiver_the_duty_office_is_alarmed(ward):
    ward.dispatch.routes["PushCriticalValue"] = ()
    ward.send(report(critical=True))
    assert ward.alerts() == ["CRITICAL_NO_ROUTE"]


def test_a_push_of_the_same_number_joins_the_loop_of_the_report(ward):
    ward.send(report(critical=True, criticals=(CriticalRef(critical_id="WJZ1"),)))
    ward.clock.now += minutes(4)
    answer = ward.send(push("WJZ1", report_no="BG1"))
    assert (code_of(answer), answer.receive_deadline) == ("0", TEN + minutes(10))
    assert len(ward.rows(CriticalValue)) == 1


def test_a_push_with_a_number_of_its_own_joins_the_loop_of_its_report(ward):
    ward.send(report(critical=True))
    answer = ward.send(push("WJZ1", report_no="BG1"))
    assert (code_of(answer), answer.critical_id, answer.result.duplicate) == ("0", "WJZ1", False)
    assert ward.row(CriticalValue).critical_id == "WJZ1"


@pytest.mark.parametrize("number", ["BG1", "WJZ1"])
def test_after_joining_both_numbers_are_acknowledged_and_the_department_hears_its_own(ward, number):
    ward.send(report(critical=True))
    ward.send(push("WJZ1", report_no="BG1"))
    assert ward.send(acknowledgement(number, AckType.HANDLE)).critical_status is CriticalStatus.HANDLED
    assert ward.dispatch.forwards(operation="AcknowledgeCriticalValue")[-1].request.critical_id == "WJZ1"


def test_the_push_that_joined_is_then_a_push_like_any_other(ward):
    ward.send(report(critical=True))
    request = push("WJZ1", report_no="BG1")
    ward.send(request)
    assert ward.send(again(request)).result.duplicate is True
    assert code_of(ward.send(push("WJZ1", report_no="BG1", content="另一个发现"))) == "CRV-409"


def test_an_acknowledgement_that_waited_is_applied_when_the_report_opens_the_loop(ward):
    ward.send(acknowledgement("WJZ1", AckType.HANDLE))
    ward.send(report(critical=True, criticals=(CriticalRef(critical_id="WJZ1"),)))
    assert ward.row(CriticalValue).state is CriticalStatus.HANDLED


def test_a_paid_requisition_can_be_reported_after_all(hospital):
    request = outpatient_ct(release_event=None)
    hospital.send(request)
    hospital.send(report(action=ReportAction.PRELIM))
    hospital.send(update(request, release_event=ReleaseEvent.PAID))
    assert hospital.send(report(version=2)).current_status is StatusCode.REPORTED


def test_a_critical_report_of_a_known_requisition_needs_no_fallback_receiver(ward):
    ward.send(report(critical=True, visit=None))
    value = ward.row(CriticalValue)
    assert (value.visit_no, value.to_fallback) == ("V1", False)
