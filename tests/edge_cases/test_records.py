"""Reading records where it is difficult: without a relation, in bulk, of well-known people, with a torn audit."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from building import TEN, ct_requisition, minutes, record_request, status, visit, visit_event
from gateway.errors import InternalFault, ServiceUnavailable
from gateway.model.delivery import Delivery
from gateway.model.journal import Alert, AuditEntry, JournalEntry
from gateway.model.record import RestrictedPatient
from gateway.simulators.emr import SimulatedEmr
from gateway.simulators.memory import Memory
from gateway.terms import RecordPurpose, RecordScope, VisitEvent
from hospital import WIRE, no, yes
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

RECORD = record_of(recorded_visit("V1", "LAB", "HIV", "PSYCH"))
DIALYSIS = "PHD400"
HISTORY = {"scope": RecordScope.ALL_VISITS, "patient_id": DIALYSIS}


@pytest.fixture
def ward(hospital):
    """P1 lies here for a CT; the EMR has its record."""
    hospital.send(ct_requisition(patient=WHO))
    hospital.dispatch.script("emr", "GetMedicalRecord", *[yes(RECORD)] * 300)
    return hospital


@pytest.fixture
def dialysis(hospital):
    """A patient with 400 visits, on dialysis today; the simulated EMR keeps the record."""
    hospital.send(visit_event(patient=replace(WHO, patient_id=DIALYSIS), visit=visit("HD0400")))
    emr = SimulatedEmr(Memory(), WIRE)
    answer = lambda forward: yes(emr.get_medical_record(forward.request))  # noqa: E731
    hospital.dispatch.script("emr", "GetMedicalRecord", *[answer] * 50)
    return hospital


# --- 47: who must not, and who may only so much ---------------------------------------------------------------------


def test_without_a_relation_nothing_is_read_and_the_attempt_is_audited(ward):
    """Edge case 47."""
    answer = ward.send(for_treatment("P9"))
    assert (code_of(answer), answer.patient, ward.dispatch.asked) == ("EMR-403", None, [])
    entry = ward.audit_of(answer)
    assert (entry.actor, entry.subject, entry.purpose, entry.result_code) == ("PACS", "patient P9", "TREAT", "EMR-403")


def test_when_the_visit_is_long_over_its_department_reads_no_more(ward):
    """Edge case 47."""
    ward.send(visit_event())
    ward.send(visit_event(VisitEvent.DISCHARGE, occurred_at=TEN + minutes(60)))
    assert code_of(ward.send(record_request())) == "0"
    ward.clock.now = TEN + timedelta(days=40)
    assert code_of(ward.send(record_request())) == "EMR-403"
    assert code_of(ward.send(record_request(emergency_reason="再次昏迷送院"))) == "0"
    assert ward.alerts() == ["RECORD_EMERGENCY"]


@pytest.mark.parametrize("size", [50, 30, None])
def test_a_history_of_400_visits_is_read_to_its_end_page_by_page(dialysis, size):
    """Edge case 47."""
    read, page = [], 1
    while True:
        question = for_treatment(page_no=page, page_size=size, **HISTORY)
        answer = dialysis.send(question, rights=["RECORD_ALL_VISITS"])
        assert (code_of(answer), answer.total_count) == ("0", 400)
        read += [visit.visit_no for visit in answer.visits]
        if len(read) >= answer.total_count or not answer.visits:
            break
        page += 1
    assert read == [f"HD{number:04d}" for number in range(400, 0, -1)]


def test_pages_that_would_be_too_large_say_how_large_they_may_be(dialysis):
    """Edge case 47."""
    limits = dialysis.reception._site.limits.model_copy(update={"record_bytes": 65536})
    dialysis.choose(limits=limits)
    refused = dialysis.send(for_treatment(page_size=50, **HISTORY), rights=["RECORD_ALL_VISITS"])
    assert code_of(refused) == "EMR-413"
    fits = int(refused.result.result_text_en.rstrip(".").rpartition(" ")[2])
    assert 1 <= fits < 50
    answer = dialysis.send(for_treatment(page_size=fits, **HISTORY), rights=["RECORD_ALL_VISITS"])
    assert (code_of(answer), len(answer.visits)) == ("0", fits)


def test_every_visit_of_a_patient_is_for_those_with_the_right(dialysis):
    """Edge case 47."""
    assert code_of(dialysis.send(for_treatment(**HISTORY))) == "EMR-403"
    this = dialysis.send(for_treatment(DIALYSIS, visit_no="HD0400"))
    assert list(sections_of(this)) == ["HD0400"]


def test_a_person_everybody_knows_is_read_only_with_a_right_of_its_own(ward):
    """Edge case 47."""
    ward.add(RestrictedPatient(hospital_code="44643245-7", patient_id="P1", since=TEN))
    assert code_of(ward.send(record_request())) == "EMR-403"
    assert code_of(ward.send(record_request(), rights=["RECORD_RESTRICTED"])) == "0"
    assert code_of(ward.send(record_request(emergency_reason="心跳骤停"))) == "0"


def test_hiv_and_psychiatry_are_hidden_from_all_who_were_not_named(ward):
    """Edge case 47."""
    assert sections_of(ward.send(record_request())) == {"V1": ["LAB"]}
    policy(ward, "PACS", secret_sections=["HIV"])
    assert sections_of(ward.send(record_request())) == {"V1": ["LAB", "HIV"]}
    assert code_of(ward.send(record_request(sections=("PSYCH",)))) == "EMR-403"


def test_a_consent_that_has_expired_or_was_withdrawn_opens_nothing(ward):
    """Edge case 47."""
    insurer(ward)
    assert code_of(ward.send(claim())) == "0"
    ward.clock.now = TEN + timedelta(days=1)
    expired = ward.send(claim())
    authorize(ward, "SQ-2", "INSURER", RecordPurpose.CLAIM, "P1", valid_to=TEN.date().replace(day=30), revoked_at=TEN)
    revoked = ward.send(claim(number="SQ-2"))
    assert codes_of([expired, revoked]) == ["EMR-403", "EMR-403"]
    told = [answer.result.result_text_en for answer in (expired, revoked)]
    assert ["expired" in told[0], "revoked" in told[1]] == [True, True]
    assert len(ward.dispatch.asked) == 1


def test_who_reads_patient_after_patient_is_stopped_and_somebody_is_told(ward):
    """Edge case 47: bulk scraping."""
    ward.dispatch.scripts["emr", "GetMedicalRecord"] = [
        lambda forward: yes(replace(RECORD, patient=replace(WHO, patient_id=forward.request.patient_id)))
    ] * 50
    policy(ward, "INSURER", RecordPurpose.CLAIM, patients_per_day=20)
    authorize(ward, "SQ-1", "INSURER", RecordPurpose.CLAIM, *(f"P{n}" for n in range(30)))
    answers = [ward.send(claim(f"P{n}")) for n in range(30)]
    assert codes_of(answers) == ["0"] * 20 + ["EMR-429"] * 10
    assert code_of(ward.send(claim("P3"))) == "0"
    assert ward.alerts() == ["RECORD_QUOTA"]
    looks = ward.rows(AuditEntry, actor="INSURER")
    assert sum("quota=PATIENTS" in entry.detail for entry in looks) == 10


# --- 48: what is masked is only what is shown -----------------------------------------------------------------------


def test_what_the_insurer_sees_masked_reaches_everybody_else_as_it_is(ward):
    """Edge case 48."""
    insurer(ward)
    assert ward.send(claim()).patient.patient_name == "王**"
    ward.send(ct_requisition("R2", patient=WHO))
    ward.send(status())
    (forward,) = [one for one in ward.dispatch.forwards("pacs") if one.request.requisition_no == "R2"]
    assert forward.request.patient == WHO
    stored = [row.request for row in ward.rows(Delivery, operation="SubmitRequisition")]
    assert all(WHO.id_no in request and "*" not in request for request in stored)
    assert ward.send(record_request()).patient == WHO


def test_the_emr_is_asked_about_the_real_patient_for_an_insurer_too(ward):
    """Edge case 48."""
    insurer(ward)
    ward.send(claim())
    assert ward.dispatch.asked[-1].request.patient_id == "P1"


def test_no_log_alert_audit_or_list_shows_who_the_patient_is(ward, caplog):
    """Edge case 48."""
    caplog.set_level(logging.DEBUG)
    insurer(ward)
    ward.dispatch.scripts["emr", "GetMedicalRecord"][:0] = [no("EMR-404", f"没有{WHO.patient_name}的病历")]
    ward.send(claim())
    ward.send(claim())
    ward.send(for_treatment("P9", emergency_reason=TELLING))
    listed = [(row.subject, row.lock, row.last_code) for row in ward.rows(Delivery)]
    noted = [(row.subject, row.detail) for row in ward.rows(AuditEntry)]
    told = [(row.kind, row.subject) for row in ward.rows(Alert)]
    written = f"{caplog.text}{listed}{noted}{told}"
    assert not any(secret in written for secret in (WHO.patient_name, WHO.id_no, WHO.phone, "王"))


# --- 49: the audit holds, or nothing is shown ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit SET actor = 'nobody'",
        "UPDATE audit SET detail = NULL WHERE actor = 'PACS'",
        "DELETE FROM audit",
        "TRUNCATE audit",
    ],
)
def test_the_audit_cannot_be_changed_afterwards(ward, tampering):
    """Edge case 49: audit tampering."""
    before = [vars(entry) | {"_sa_instance_state": None} for entry in _looked(ward)]
    with pytest.raises(DBAPIError, match="kept as they were written"), ward.sessions.begin() as session:
        session.execute(text(tampering))
    assert [vars(entry) | {"_sa_instance_state": None} for entry in ward.rows(AuditEntry)] == before


def _looked(ward):
    ward.send(record_request())
    return ward.rows(AuditEntry)


@pytest.fixture
def torn(ward):
    """The database can write everything but the audit, as if the disk that holds it were full."""
    with ward.sessions.begin() as session:
        session.execute(
            text(
                "CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$"
            )
        )
        session.execute(text("CREATE TRIGGER torn BEFORE INSERT ON audit EXECUTE FUNCTION disk_full()"))
    yield ward
    with ward.sessions.begin() as session:
        session.execute(text("DROP TRIGGER torn ON audit"))
        session.execute(text("DROP FUNCTION disk_full()"))


def test_when_the_audit_cannot_be_written_nobody_reads(torn):
    """Edge case 49: fail closed for reads."""
    with pytest.raises((InternalFault, ServiceUnavailable)):
        torn.send(record_request())
    with pytest.raises((InternalFault, ServiceUnavailable)):
        torn.send(for_treatment("P9", emergency_reason="昏迷"))


def test_a_look_that_could_not_be_audited_is_still_in_the_journal(torn):
    """Edge case 49: what was asked stays known, though nothing was shown."""
    with pytest.raises((InternalFault, ServiceUnavailable)):
        torn.send(record_request())
    assert torn.row(JournalEntry, operation="GetMedicalRecord").result_code == "-"
