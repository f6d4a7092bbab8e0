"""A record is read by those who treat the patient, no more of it than was asked for, and never without a trace."""

from dataclasses import replace
from datetime import date

import pytest

from building import (
    OTHER_HOSPITAL,
    TEN,
    at_branch,
    ct_requisition,
    header,
    merge,
    patient,
    record_request,
    visit_event,
)
from gateway.errors import InternalFault
from gateway.messages.medical_record import RecordDocument, RecordOrder, RecordSection, RecordVisit
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.journal import AuditEntry, MessageKey
from gateway.terms import RecordPurpose, RecordScope, ReturnMode, VisitType
from hospital import FAULT, NOT_SENT, UNKNOWN, no, response_of, yes

ALL = {"rights": ("RECORD_ALL_VISITS", "RECORD_ORDERS")}


def document(number):
    return RecordDocument(doc_id=number, type="C0006", title="检查报告", at=TEN, content="右肺动脉栓塞 <待排>")


def recorded_visit(visit_no, *codes):
    return RecordVisit(
        visit_type=VisitType.INPATIENT,
        visit_no=visit_no,
        sections=tuple(RecordSection(code=code, documents=(document(f"{visit_no}-{code}"),)) for code in codes),
        orders=(RecordOrder(order_no="O1", order_text="低分子肝素"),),
    )


RECORD = response_of(
    "GetMedicalRecord",
    patient=patient(),
    visits=(recorded_visit("V1", "ADMISSION", "LAB", "ORDER"), recorded_visit("V0", "LAB")),
    total_count=2,
    masked=True,
    view_url="https://emr.example.org/once",
)


@pytest.fixture
def ward(hospital):
    """A hospital where R1 of visit V1 is ordered and the EMR answers generously with two visits."""
    hospital.send(ct_requisition())
    hospital.dispatch.script("emr", "GetMedicalRecord", *[yes(RECORD)] * 9)
    return hospital


def code_of(response):
    return response.result.result_code


def seen(answer):
    return {visit.visit_no: [section.code for section in visit.sections] for visit in answer.visits}


# --- what comes back --------------------------------------------------------------------------------------------------


def test_a_department_reads_the_visit_of_its_requisition(ward):
    answer = ward.send(record_request(sections=("ADMISSION", "LAB")))
    assert (code_of(answer), answer.patient.patient_id, answer.masked) == ("0", "P1", True)
    assert seen(answer) == {"V1": ["ADMISSION", "LAB"]}
    assert answer.visits[0].sections[0].documents[0].content == "右肺动脉栓塞 <待排>"


def test_the_emr_is_asked_what_the_department_asked(ward):
    request = record_request(sections=("LAB",), page_no=2, page_size=20)
    ward.send(request)
    (asked,) = ward.dispatch.asked
    assert (asked.partner, asked.request) == ("emr", replace(request, patient_id="P1", visit_no="V1"))


def test_without_a_page_the_first_fifty_visits_are_asked_for(ward):
    ward.send(record_request())
    (asked,) = ward.dispatch.asked
    assert (asked.request.page_no, asked.request.page_size) == (1, 50)


def test_sections_nobody_asked_for_are_left_out(ward):
    assert seen(ward.send(record_request(sections=("LAB",)))) == {"V1": ["LAB"]}


def test_orders_come_only_with_their_right_and_when_asked_for(ward):
    without, given = ward.send(record_request()), ward.send(record_request(include_orders=True), **ALL)
    assert (seen(without), without.visits[0].orders) == ({"V1": ["ADMISSION", "LAB"]}, ())
    assert (seen(given), len(given.visits[0].orders)) == ({"V1": ["ADMISSION", "LAB", "ORDER"]}, 1)


def test_all_visits_come_with_their_right(ward):
    answer = ward.send(record_request(scope=RecordScope.ALL_VISITS), **ALL)
    assert list(seen(answer)) == ["V1", "V0"]


def test_an_address_to_open_comes_only_when_asked_for(ward):
    assert ward.send(record_request()).view_url is None
    assert ward.send(record_request(return_mode=ReturnMode.VIEW_URL)).view_url == "https://emr.example.org/once"


def test_the_same_question_is_asked_again(ward):
    request = record_request()
    assert [ward.send(request).result.duplicate for _ in range(2)] == [False, False]
    assert len(ward.dispatch.asked) == 2
    assert ward.rows(MessageKey, operation="GetMedicalRecord") == []


# --- who may read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": RecordScope.ALL_VISITS},
        {"include_orders": True},
        {"sections": ("ORDER",)},
        {"purpose": RecordPurpose.CLAIM},
        {"purpose": RecordPurpose.RESEARCH},
        {"purpose": RecordPurpose.REGIONAL},
        {"requisition_no": None, "patient_id": "P9"},
        {"requisition_no": None, "empi_id": "E1"},
        {"patient_id": "P9"},
        {"visit_no": "V0"},
        {"requisition_no": None, "patient_id": "P1", "visit_no": "V0"},
    ],
)
def test_without_right_authorization_or_relation_nothing_is_read(ward, changes):
    assert code_of(ward.send(record_request(**changes))) == "EMR-403"
    assert ward.dispatch.asked == []


@pytest.mark.parametrize("changes", [{"patient_id": "P1"}, {"patient_id": "P1", "visit_no": "V1"}])
def test_a_patient_with_a_known_requisition_is_related(ward, changes):
    assert code_of(ward.send(record_request(requisition_no=None, **changes))) == "0"


def test_a_patient_with_a_visit_told_by_his_is_related(hospital):
    hospital.send(visit_event())
    assert code_of(hospital.send(record_request(requisition_no=None, patient_id="P1"))) == "0"


def test_an_emergency_opens_it_and_is_looked_at_afterwards(hospital):
    answer = hospital.send(record_request(requisition_no=None, patient_id="P9", emergency_reason="昏迷，需要过敏史"))
    assert code_of(answer) == "0"
    assert "emergency=yes" in hospital.audit_of(answer).detail
    assert hospital.alerts() == ["RECORD_EMERGENCY"]


def test_an_unknown_requisition_is_no_relation(ward):
    assert code_of(ward.send(record_request(requisition_no="R9"))) == "EMR-404"
    request = record_request(requisition_no="R9", patient_id="P1", emergency_reason="昏迷")
    assert code_of(ward.send(request)) == "0"


def test_the_requisition_of_another_hospital_is_unknown(ward):
    assert code_of(ward.send(record_request(header=header("PACS", hospital=OTHER_HOSPITAL)))) == "EMR-404"


def test_a_requisition_of_two_branches_needs_the_branch(ward):
    for branch in ("01", "02"):
        ward.send(at_branch(ct_requisition("R7"), branch))
    assert code_of(ward.send(record_request(requisition_no="R7"))) == "EMR-400"
    assert code_of(ward.send(at_branch(record_request(requisition_no="R7"), "01"))) == "0"


def test_a_merged_patient_is_answered_with_todays_id(ward):
    ward.send(merge("P1", "P2"))
    answer = ward.send(record_request(patient_id="P1"))
    assert (code_of(answer), answer.new_patient_id) == ("EMR-409", "P2")


def test_under_todays_id_the_old_requisition_is_a_relation(ward):
    ward.send(merge("P1", "P2"))
    assert code_of(ward.send(record_request(patient_id="P2"))) == "0"


@pytest.mark.parametrize(
    "changes",
    [{"requisition_no": None}, {"date_from": date(2026, 11, 2), "date_to": date(2026, 11, 1)}],
)
def test_an_incomplete_question_is_refused(ward, changes):
    assert code_of(ward.send(record_request(**changes))) == "EMR-400"


# --- when the EMR does not give it ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "code", "retryable"),
    [
        (NOT_SENT, "EMR-503", True),
        (UNKNOWN, "EMR-504", True),
        (FAULT, "EMR-503", True),
        (no("XYZ-1"), "EMR-503", True),
        (no("EMR-400"), "EMR-400", False),
        (no("EMR-403"), "EMR-403", False),
        (no("EMR-404"), "EMR-404", False),
        (no("EMR-409"), "EMR-409", False),
        (no("EMR-413"), "EMR-413", False),
        (no("EMR-429"), "EMR-429", True),
    ],
)
def test_the_caller_learns_why(hospital, outcome, code, retryable):
    hospital.send(ct_requisition())
    hospital.dispatch.script("emr", "GetMedicalRecord", outcome)
    answer = hospital.send(record_request())
    assert (code_of(answer), answer.result.retryable, answer.visits) == (code, retryable, ())


def test_a_question_that_failed_is_not_asked_in_the_background(hospital):
    hospital.send(ct_requisition())
    hospital.dispatch.script("emr", "GetMedicalRecord", NOT_SENT)
    hospital.send(record_request())
    assert hospital.row(Delivery, operation="GetMedicalRecord").state == DeliveryState.DISCARDED


def test_the_new_id_the_emr_knows_is_passed_on(ward):
    refusal = response_of("GetMedicalRecord", "EMR-409", new_patient_id="P5")
    ward.dispatch.scripts["emr", "GetMedicalRecord"] = [replace(no("EMR-409"), response=refusal)]
    assert ward.send(record_request()).new_patient_id == "P5"


def test_without_an_emr_the_caller_is_told(ward):
    ward.dispatch.routes["GetMedicalRecord"] = ()
    assert code_of(ward.send(record_request())) == "EMR-503"


def test_the_emr_is_not_asked_for_its_own_question(ward):
    assert code_of(ward.send(record_request(header=header("EMR")))) == "EMR-503"


def test_somebody_elses_record_is_shown_to_nobody(ward):
    ward.dispatch.scripts["emr", "GetMedicalRecord"] = [yes(replace(RECORD, patient=patient("P9")))]
    answer = ward.send(record_request())
    assert (code_of(answer), answer.visits, answer.patient) == ("EMR-503", (), None)
    assert ward.alerts() == ["RECORD_OF_ANOTHER_PATIENT"]


# --- the trace --------------------------------------------------------------------------------------------------------


def test_every_look_is_audited_with_purpose_scope_and_amount(ward):
    entry = ward.audit_of(ward.send(record_request(patient_id="P1", sections=("LAB", "ADMISSION"))))
    assert (entry.actor, entry.subject, entry.purpose) == ("PACS", "patient P1", "TREAT")
    assert (
        entry.detail
        == "scope=THIS_VISIT sections=LAB,ADMISSION orders=no visits=1 documents=2 orders_given=0 masked=yes"
    )


def test_a_refused_look_is_audited_too(ward):
    entry = ward.audit_of(ward.send(record_request(scope=RecordScope.ALL_VISITS)))
    assert (entry.result_code, entry.purpose, entry.detail) == (
        "EMR-403",
        "TREAT",
        "scope=ALL_VISITS sections=all orders=no",
    )


def test_no_audit_entry_holds_a_name_or_a_finding(ward):
    ward.send(record_request(emergency_reason="王祥昏迷", patient_id="P1"))
    written = "".join(f"{entry.subject}{entry.detail}" for entry in ward.rows(AuditEntry))
    assert "王" not in written


def test_when_the_audit_cannot_be_kept_nothing_is_shown(ward, monkeypatch):
    def fail(*_):
        raise RuntimeError("audit")

    monkeypatch.setattr("gateway.operations.unit.Unit.audit_row", fail)
    with pytest.raises(InternalFault):
        ward.send(record_request())
