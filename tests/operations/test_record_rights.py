"""What a client may read of records is set for it alone: why, what, how often, and how much of the patient it sees."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from building import TEN, ct_requisition, merge, minutes, patient, record_request, visit, visit_event
from gateway.config import Limits, RecordRules, Rules
from gateway.model.record import Mask, RecordReaderPatient, RestrictedPatient
from gateway.operations.record_quota import forget_old_looks
from gateway.terms import RecordPurpose, RecordScope, ReturnMode, VisitEvent
from hospital import UNKNOWN, yes
from readers import (
    TELLING,
    WHO,
    authorize,
    claim,
    code_of,
    codes_of,
    for_treatment,
    insurer,
    policy,
    record_of,
    recorded_visit,
    sections_of,
)

CLAIM, RESEARCH, REGIONAL = RecordPurpose.CLAIM, RecordPurpose.RESEARCH, RecordPurpose.REGIONAL
RECORD = record_of(recorded_visit("V1", "ADMISSION", "LAB", "HIV"))


@pytest.fixture
def ward(hospital):
    """R1 of P1's visit V1 is ordered; the EMR answers generously."""
    hospital.send(ct_requisition())
    hospital.dispatch.script("emr", "GetMedicalRecord", *[yes(RECORD)] * 30)
    return hospital


# --- purposes and sections --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", [RecordPurpose.QC, CLAIM, RESEARCH, REGIONAL])
def test_every_purpose_but_treatment_is_granted_by_name(ward, purpose):
    authorizations = {"authorization_no": "SQ-1"}
    assert code_of(ward.send(for_treatment(purpose=purpose, **authorizations))) == "EMR-403"
    policy(ward, "PACS", purpose)
    authorize(ward, "SQ-1", "PACS", CLAIM if purpose is RecordPurpose.QC else purpose, "P1")
    assert code_of(ward.send(for_treatment(purpose=purpose, **authorizations))) == "0"


def test_a_client_with_other_purposes_does_not_read_for_treatment(ward):
    policy(ward, "PACS", CLAIM)
    assert code_of(ward.send(for_treatment())) == "EMR-403"


def test_quality_control_needs_its_purpose_and_no_relation(ward):
    policy(ward, "QC", RecordPurpose.QC)
    assert code_of(ward.send(for_treatment("P1", "QC", purpose=RecordPurpose.QC))) == "0"


def test_only_the_sections_of_the_policy_are_seen_and_asked_for(ward):
    policy(ward, "PACS", sections=["LAB", "EXAM"])
    assert sections_of(ward.send(record_request())) == {"V1": ["LAB"]}
    assert [section.code for section in ward.dispatch.asked[0].request.sections] == ["EXAM", "LAB"]


def test_a_section_that_is_named_and_not_allowed_is_refused(ward):
    policy(ward, "PACS", sections=["LAB"])
    answer = ward.send(record_request(sections=("LAB", "ADMISSION")))
    assert code_of(answer) == "EMR-403"
    assert "ADMISSION" in answer.result.result_text_en


def test_secret_sections_are_hidden_unless_granted_by_name(ward):
    assert sections_of(ward.send(record_request())) == {"V1": ["ADMISSION", "LAB"]}
    assert code_of(ward.send(record_request(sections=("HIV",)))) == "EMR-403"
    policy(ward, "PACS", secret_sections=["HIV"])
    assert sections_of(ward.send(record_request())) == {"V1": ["ADMISSION", "LAB", "HIV"]}
    assert sections_of(ward.send(record_request(sections=("HIV",)))) == {"V1": ["HIV"]}


def test_which_sections_are_secret_is_the_hospitals_choice(ward):
    ward.choose(rules=Rules(records=RecordRules(secret_sections=("LAB",))))
    assert sections_of(ward.send(record_request())) == {"V1": ["ADMISSION", "HIV"]}


def test_an_authorization_may_cover_less_than_the_policy(ward):
    policy(ward, "INSURER", CLAIM, sections=["LAB", "ADMISSION"])
    authorize(ward, "SQ-1", "INSURER", CLAIM, "P1", sections=["LAB", "PATH"])
    assert sections_of(ward.send(claim())) == {"V1": ["LAB"]}
    assert code_of(ward.send(claim(sections=("ADMISSION",)))) == "EMR-403"
    authorize(ward, "SQ-2", "INSURER", CLAIM, "P1", sections=["PATH"])
    assert code_of(ward.send(claim(number="SQ-2"))) == "EMR-403"


# --- relation ---------------------------------------------------------------------------------------------------------


def test_a_client_of_one_department_is_related_by_its_own_requisitions_and_visits(ward):
    policy(ward, "PACS", departments=["0103"])
    assert code_of(ward.send(record_request())) == "0"
    policy(ward, "PACS", departments=["0199"])
    assert codes_of([ward.send(record_request()), ward.send(for_treatment())]) == ["EMR-403", "EMR-403"]
    policy(ward, "PACS", departments=["W2001"])
    assert code_of(ward.send(record_request())) == "EMR-403"
    ward.send(visit_event())
    assert codes_of([ward.send(record_request()), ward.send(for_treatment())]) == ["0", "0"]


@pytest.mark.parametrize("event", [VisitEvent.DISCHARGE, VisitEvent.SETTLE])
def test_the_relation_lasts_some_days_longer_than_the_visit(ward, event):
    ward.send(visit_event())
    ward.send(visit_event(event, occurred_at=TEN + minutes(1)))
    ward.clock.now = TEN + timedelta(days=30)
    assert code_of(ward.send(record_request())) == "0"
    ward.clock.now = TEN + timedelta(days=31)
    assert codes_of([ward.send(record_request()), ward.send(for_treatment())]) == ["EMR-403", "EMR-403"]


def test_how_long_it_lasts_is_the_hospitals_choice(ward):
    ward.choose(rules=Rules(records=RecordRules(relation_days=60)))
    ward.clock.now = TEN + timedelta(days=31)
    assert code_of(ward.send(record_request())) == "0"


def test_of_a_visit_his_tells_nothing_about_the_requisition_must_be_of_late(ward):
    ward.clock.now = TEN + timedelta(days=31)
    assert code_of(ward.send(record_request())) == "EMR-403"
    ward.send(visit_event())
    assert code_of(ward.send(record_request())) == "0"


def test_a_cancelled_visit_or_requisition_is_no_relation(hospital):
    hospital.send(visit_event())
    hospital.send(visit_event(VisitEvent.CANCEL_VISIT, occurred_at=TEN + minutes(1)))
    assert code_of(hospital.send(for_treatment())) == "EMR-403"


def test_another_open_visit_is_a_relation_and_another_patients_is_none(hospital):
    hospital.send(visit_event(visit=visit("V2")))
    assert code_of(hospital.send(for_treatment())) == "0"
    assert code_of(hospital.send(for_treatment("P2"))) == "EMR-403"
    assert code_of(hospital.send(for_treatment(visit_no="V3"))) == "EMR-403"


# --- restricted patients ----------------------------------------------------------------------------------------------


def restrict(hospital, patient_id="P1"):
    hospital.add(RestrictedPatient(hospital_code="44643245-7", patient_id=patient_id, since=TEN))


def test_a_restricted_patient_needs_a_right_of_its_own(ward):
    restrict(ward)
    answer = ward.send(record_request())
    assert (code_of(answer), ward.dispatch.asked) == ("EMR-403", [])
    assert "restricted" in answer.result.result_text_en
    assert code_of(ward.send(record_request(), rights=["RECORD_RESTRICTED"])) == "0"


def test_an_emergency_opens_a_restricted_record_and_alarms(ward):
    restrict(ward)
    assert code_of(ward.send(record_request(emergency_reason="昏迷"))) == "0"
    assert ward.alerts() == ["RECORD_EMERGENCY"]


def test_a_restricted_patient_stays_so_under_every_id(ward):
    restrict(ward)
    ward.send(merge("P1", "P2"))
    assert code_of(ward.send(for_treatment("P2"))) == "EMR-403"


def test_whose_record_it_is_may_be_known_from_the_answer_alone(ward):
    policy(ward, "QC", RecordPurpose.QC)
    question = for_treatment(None, "QC", empi_id="E1", purpose=RecordPurpose.QC)
    assert code_of(ward.send(question)) == "0"
    restrict(ward)
    answer = ward.send(question)
    assert (code_of(answer), answer.visits) == ("EMR-403", ())
    assert ward.audit_of(answer).subject == "patient P1"


# --- authorisations ---------------------------------------------------------------------------------------------------


def test_an_authorization_opens_the_record_without_a_relation(hospital):
    hospital.dispatch.script("emr", "GetMedicalRecord", yes(RECORD))
    insurer(hospital)
    answer = hospital.send(claim())
    assert code_of(answer) == "0"
    assert "authorization=SQ-1" in hospital.audit_of(answer).detail


@pytest.mark.parametrize(
    ("changes", "question", "told"),
    [
        ({}, {"number": "SQ-9"}, "unknown or not of this system"),
        ({"client": "OTHER"}, {}, "unknown or not of this system"),
        ({"purpose": REGIONAL}, {}, "for another purpose"),
        ({"revoked_at": TEN}, {}, "was revoked"),
        ({"valid_from": date(2026, 11, 1), "valid_to": date(2026, 11, 15)}, {}, "has expired"),
        ({"valid_from": date(2026, 11, 17), "valid_to": date(2026, 11, 18)}, {}, "not yet valid"),
        ({}, {"patient_id": "P9"}, "not about this patient"),
        ({}, {"patient_id": None, "empi_id": "E1"}, "not about this patient"),
        ({}, {"number": None}, "needs an AuthorizationNo"),
    ],
)
def test_an_authorization_that_does_not_fit_opens_nothing(hospital, changes, question, told):
    for client in ("INSURER", "OTHER"):
        policy(hospital, client, CLAIM)
    values = {"client": "INSURER", "purpose": CLAIM} | changes
    authorize(hospital, "SQ-1", values.pop("client"), values.pop("purpose"), "P1", **values)
    answer = hospital.send(claim(**question))
    assert (code_of(answer), hospital.dispatch.asked) == ("EMR-403", [])
    assert told in answer.result.result_text_en


def test_an_authorization_follows_a_merge_and_betrays_no_new_id_to_others(hospital):
    insurer(hospital)
    hospital.send(merge("P1", "P2"))
    refused = hospital.send(claim(number="SQ-9"))
    assert (code_of(refused), refused.new_patient_id) == ("EMR-403", None)
    moved = hospital.send(claim())
    assert (code_of(moved), moved.new_patient_id) == ("EMR-409", "P2")
    hospital.dispatch.script("emr", "GetMedicalRecord", yes(replace(RECORD, patient=patient("P2"))))
    assert code_of(hospital.send(claim("P2"))) == "0"


def test_no_emergency_opens_a_claim(hospital):
    insurer(hospital)
    assert code_of(hospital.send(claim("P9", emergency_reason="急"))) == "EMR-403"
    assert hospital.alerts() == []


# --- masking ----------------------------------------------------------------------------------------------------------


def test_an_insurer_sees_a_masked_patient_and_the_hospitals_numbers(ward):
    insurer(ward)
    answer = ward.send(claim(include_orders=True), rights=["RECORD_ORDERS"])
    shown = answer.patient
    assert answer.masked is True
    assert (shown.patient_id, shown.patient_name, shown.id_no) == ("P1", "王**", "999999********001X")
    assert (shown.phone, shown.address, shown.birth_date) == ("199****0001", "示例市样例区****", WHO.birth_date)
    (document,) = answer.visits[0].sections[0].documents
    assert document.content == "王**（身份证 999999********001x，电话 199****0001）诉胸痛。"
    assert (document.title, document.url, document.author_name) == ("王**的检查报告", None, "赵䶮")
    assert answer.visits[0].orders[0].order_text == "王**：低分子肝素"
    assert "masked=yes" in ward.audit_of(answer).detail


def test_a_client_that_treats_may_be_shown_a_masked_patient_too(ward):
    policy(ward, "PACS", mask=Mask.INSURER)
    assert ward.send(record_request()).patient.patient_name == "王**"


def test_a_regional_platform_sees_who_it_is(ward):
    policy(ward, "REGION", REGIONAL)
    authorize(ward, "QY-1", "REGION", REGIONAL, "P1")
    answer = ward.send(for_treatment(by="REGION", purpose=REGIONAL, authorization_no="QY-1"))
    assert (answer.patient, answer.masked) == (WHO, None)
    assert answer.visits[0].sections[0].documents[0].content == TELLING


def research(ward, number="KY-1", *patients):
    policy(ward, "LAB1", RESEARCH)
    authorize(ward, number, "LAB1", RESEARCH, *patients)
    return ward.send(for_treatment(by="LAB1", purpose=RESEARCH, authorization_no=number))


def test_research_recognises_nobody(ward):
    answer = research(ward)
    written = f"{answer.patient}{answer.visits}"
    assert not any(word in written for word in ("P1", "V1", "王", "祥", "9999991968", "0001", "赵", "emr.example.org"))
    assert (answer.patient.age_text, answer.patient.birth_date, answer.patient.sex_code) == ("58岁", None, "1")
    assert answer.visits[0].sections[0].documents[0].content == "***（身份证 ***，电话 ***）诉胸痛。"
    assert ward.audit_of(answer).subject == "patient P1"


def test_research_gets_the_same_number_for_the_same_patient_but_no_other_project_does(ward):
    first, again, other = research(ward), research(ward, "KY-2"), research(ward, "KY-3", "P1")
    assert len({one.patient.patient_id for one in (first, again, other)}) == 3
    same = ward.send(for_treatment(by="LAB1", purpose=RESEARCH, authorization_no="KY-1"))
    assert (same.patient, same.visits) == (first.patient, first.visits)


def test_what_cannot_be_masked_is_not_shown(ward):
    insurer(ward)
    ward.dispatch.scripts["emr", "GetMedicalRecord"] = [yes(replace(RECORD, patient=None))]
    answer = ward.send(claim())
    assert (code_of(answer), answer.visits) == ("EMR-503", ())


# --- an address instead of data ---------------------------------------------------------------------------------------

BY_ADDRESS = {"return_mode": ReturnMode.VIEW_URL}


def test_behind_an_address_nothing_can_be_hidden_so_it_is_for_those_who_may_see_all(ward):
    ward.dispatch.scripts["emr", "GetMedicalRecord"] = [yes(replace(RECORD, view_url="https://emr.example.org/1"))]
    answer = ward.send(record_request(**BY_ADDRESS))
    assert (answer.view_url, answer.visits) == ("https://emr.example.org/1", ())
    assert ward.audit_of(answer).detail.endswith("address=yes")
    insurer(ward)
    assert code_of(ward.send(claim(**BY_ADDRESS))) == "EMR-403"
    policy(ward, "PACS", sections=["LAB"])
    assert code_of(ward.send(record_request(**BY_ADDRESS))) == "EMR-403"


def test_an_address_that_is_none_is_shown_to_nobody(ward):
    ward.dispatch.scripts["emr", "GetMedicalRecord"] = [yes(replace(RECORD, view_url="javascript:alert(1)"))]
    assert code_of(ward.send(record_request(**BY_ADDRESS))) == "EMR-503"


# --- size -------------------------------------------------------------------------------------------------------------


def test_too_large_an_answer_is_read_with_smaller_pages(ward):
    ward.choose(limits=Limits(record_bytes=65536))
    visits = [recorded_visit(f"V{n}", "LAB", content="字" * 10000) for n in range(4)]
    ward.dispatch.scripts["emr", "GetMedicalRecord"] = [yes(record_of(*visits)), yes(record_of(*visits[:2]))]
    every = {"scope": RecordScope.ALL_VISITS}
    answer = ward.send(record_request(**every), rights=["RECORD_ALL_VISITS"])
    assert (code_of(answer), answer.visits) == ("EMR-413", ())
    assert "PageSize of 2" in answer.result.result_text_en
    assert code_of(ward.send(record_request(page_size=2, **every), rights=["RECORD_ALL_VISITS"])) == "0"


def test_too_large_a_visit_is_read_by_sections(ward):
    ward.choose(limits=Limits(record_bytes=65536))
    large = record_of(recorded_visit("V1", "LAB", content="字" * 30000))
    ward.dispatch.scripts["emr", "GetMedicalRecord"] = [yes(large)]
    answer = ward.send(record_request())
    assert (code_of(answer), "Sections one by one" in answer.result.result_text_en) == ("EMR-413", True)


def test_an_answer_the_gateway_gave_up_reading_is_too_large(ward):
    ward.dispatch.scripts["emr", "GetMedicalRecord"] = [replace(UNKNOWN, code="TOO-LARGE")]
    assert code_of(ward.send(record_request())) == "EMR-413"


def test_visits_outside_the_days_asked_for_are_left_out(ward):
    early, late = TEN - timedelta(days=100), TEN - timedelta(days=50)
    visits = (
        recorded_visit("V1", "LAB"),
        recorded_visit("V2", "LAB", started_at=early, ended_at=late),
        recorded_visit("V3", "LAB", started_at=None),
    )
    ward.dispatch.scripts["emr", "GetMedicalRecord"] = [yes(record_of(*visits))] * 2
    question = record_request(scope=RecordScope.ALL_VISITS, date_from=late.date())
    assert list(sections_of(ward.send(question, rights=["RECORD_ALL_VISITS"]))) == ["V1", "V2", "V3"]
    question = replace(question, date_from=late.date() + timedelta(days=1))
    assert list(sections_of(ward.send(question, rights=["RECORD_ALL_VISITS"]))) == ["V1", "V3"]


# --- quota ------------------------------------------------------------------------------------------------------------


def test_so_many_looks_a_minute_and_then_again_in_the_next(ward):
    policy(ward, "PACS", per_minute=2)
    answers = [ward.send(record_request()) for _ in range(3)]
    assert codes_of(answers) == ["0", "0", "EMR-429"]
    refused = answers[-1].result
    assert refused.retryable
    assert "Try again after 2026-11-16T10:01+0800" in refused.result_text_en
    assert "quota=PER_MINUTE" in ward.audit_of(answers[-1]).detail
    assert len(ward.dispatch.asked) == 2
    ward.clock.now = TEN + minutes(1)
    assert code_of(ward.send(record_request())) == "0"
    assert ward.alerts() == []


def test_so_many_looks_a_day_and_somebody_is_told_once(ward):
    policy(ward, "PACS", per_day=1)
    answers = [ward.send(record_request()) for _ in range(3)]
    assert codes_of(answers) == ["0", "EMR-429", "EMR-429"]
    assert "11-17 00:00" in answers[-1].result.result_text
    assert ward.alerts() == ["RECORD_QUOTA"]
    ward.clock.now = TEN.replace(hour=23, minute=59)
    assert code_of(ward.send(record_request())) == "EMR-429"
    ward.clock.now = TEN.replace(hour=0) + timedelta(days=1)
    assert code_of(ward.send(record_request())) == "0"


def test_looks_on_several_connections_are_counted_together(ward):
    policy(ward, "PACS", per_minute=5)
    answers = ward.send_at_once(*(record_request() for _ in range(8)))
    assert sorted(codes_of(answers)) == ["0"] * 5 + ["EMR-429"] * 3


def test_a_refused_look_counts_nothing(ward):
    policy(ward, "PACS", per_minute=1)
    ward.send(for_treatment("P9"))
    assert code_of(ward.send(record_request())) == "0"


def test_each_client_has_its_own_quota_and_one_without_has_none(ward):
    policy(ward, "LIS", per_minute=1)
    policy(ward, "PACS", per_minute=1)
    looks = [ward.send(for_treatment(by=name)) for name in ("LIS", "PACS", "EMR2", "EMR2", "LIS")]
    assert codes_of(looks) == ["0", "0", "0", "0", "EMR-429"]


def test_an_emergency_is_not_held_up_by_the_quota_and_has_one_of_its_own(ward):
    ward.choose(rules=Rules(records=RecordRules(emergencies_per_day=2)))
    ward.dispatch.scripts["emr", "GetMedicalRecord"] = [yes(replace(RECORD, patient=patient(f"P{n}"))) for n in (7, 8)]
    policy(ward, "PACS", per_day=0, per_minute=0)
    looks = [ward.send(for_treatment(f"P{n}", emergency_reason="昏迷")) for n in (7, 8, 9)]
    assert codes_of(looks) == ["0", "0", "EMR-429"]
    assert ward.alerts() == ["RECORD_EMERGENCY", "RECORD_EMERGENCY", "RECORD_QUOTA"]


def test_which_patients_were_read_is_forgotten_after_some_days(ward):
    policy(ward, "PACS", patients_per_day=5)
    ward.send(record_request())
    for days, left in ((2, 1), (3, 0)):
        with ward.sessions.begin() as session:
            forget_old_looks(session, TEN + timedelta(days=days))
        assert len(ward.rows(RecordReaderPatient)) == left
