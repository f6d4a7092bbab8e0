"""Whoever pulls requisitions finds what was ordered as it stands now, and never what may not be performed yet."""

from dataclasses import replace

import pytest

from building import (
    OTHER_HOSPITAL,
    TEN,
    at_branch,
    cancellation,
    ct_requisition,
    find_requisitions,
    header,
    minutes,
    outpatient_ct,
    patient,
    requisition_item,
    status,
    update,
    visit,
)
from gateway.messages.requisition import Diagnosis
from gateway.terms import DiagnosisType, GatewayStatus, Priority, ReleaseEvent, RequisitionType, StatusCode


def code_of(response):
    return response.result.result_code


def found(hospital, sender="PACS", **criteria):
    return [record.requisition_no for record in hospital.send(find_requisitions(sender, **criteria)).requisitions]


def test_a_requisition_comes_back_as_it_was_ordered(hospital):
    diagnosis = Diagnosis(code="I26.900", name="肺栓塞 & <待排>", type=DiagnosisType.MAIN)
    request = ct_requisition(items=2, diagnoses=(diagnosis,), allergy="青霉素", priority=Priority.URGENT)
    hospital.send(request)
    (record,) = hospital.send(find_requisitions(requisition_no="R1")).requisitions
    for name in ("patient", "visit", "items", "diagnoses", "allergy", "priority", "ordered_at", "release_event"):
        assert getattr(record, name) == getattr(request, name)


def test_it_comes_with_its_present_states(hospital):
    hospital.send(ct_requisition(items=2))
    hospital.send(status(seqs=(2,), accession_no="CT7"))
    (record,) = hospital.send(find_requisitions(requisition_no="R1")).requisitions
    assert (record.status_code, record.refund_allowed) == (StatusCode.RELEASED, False)
    assert [(s.item_seq, s.status_code, s.accession_no) for s in record.item_states] == [
        (1, "10", None),
        (2, "30", "CT7"),
    ]


def test_after_an_update_the_newest_content_is_found(hospital):
    request = outpatient_ct(release_event=None)
    hospital.send(request)
    hospital.send(update(request, release_event=ReleaseEvent.PAID, clinical_summary="补充病史"))
    (record,) = hospital.send(find_requisitions(requisition_no="R1")).requisitions
    assert (record.clinical_summary, record.release_event) == ("补充病史", ReleaseEvent.PAID)


@pytest.mark.parametrize(
    "criteria",
    [
        {"visit_no": "V1"},
        {"requisition_no": "R1"},
        {"barcode": "6911"},
        {"patient_id": "P1"},
        {"perform_dept_code": "0103", "ordered_to": TEN},
        {"visit_no": "V1", "requisition_type": RequisitionType.EXAM},
    ],
)
def test_each_criterion_finds_what_fits_and_nothing_else(hospital, criteria):
    hospital.send(ct_requisition("R1", items=(requisition_item(1, barcode="6911"),)))
    other = ct_requisition("R2", patient=patient("P2"), visit=visit("V2"), perform_dept_code="0201")
    hospital.send(replace(other, requisition_type=RequisitionType.LAB))
    assert found(hospital, **criteria) == ["R1"]


@pytest.mark.parametrize(
    "criteria",
    [
        {},
        {"requisition_type": RequisitionType.EXAM},
        {"visit_no": "V1", "ordered_from": TEN, "ordered_to": TEN - minutes(1)},
    ],
)
def test_a_query_for_everything_is_refused(hospital, criteria):
    assert code_of(hospital.send(find_requisitions(**criteria))) == "QRY-400"


def test_nothing_found_is_an_empty_answer(hospital):
    answer = hospital.send(find_requisitions(requisition_no="R9"))
    assert (code_of(answer), answer.requisitions, answer.total_count) == ("0", (), 0)


def test_pages_hold_everything_once_the_oldest_first(hospital):
    for number in range(5):
        hospital.send(ct_requisition(f"R{number}", ordered_at=TEN - minutes(number)))
    answer = hospital.send(find_requisitions(visit_no="V1", page_size=2, page_no=2))
    assert ([r.requisition_no for r in answer.requisitions], answer.total_count) == (["R2", "R1"], 5)
    assert found(hospital, visit_no="V1", page_size=2, page_no=4) == []


def test_dates_limit_what_is_found(hospital):
    for number in range(3):
        hospital.send(ct_requisition(f"R{number}", ordered_at=TEN - minutes(number)))
    assert found(hospital, visit_no="V1", ordered_from=TEN - minutes(1), ordered_to=TEN - minutes(1)) == ["R1"]


# --- what a performing department may see -----------------------------------------------------------------------------


def test_a_department_never_sees_what_is_held(hospital):
    hospital.send(outpatient_ct(release_event=None))
    assert found(hospital, requisition_no="R1") == []
    assert found(hospital, "HIS", requisition_no="R1") == ["R1"]


def test_nor_what_was_cancelled_before_it_was_released(hospital):
    request = outpatient_ct(release_event=None)
    hospital.send(request)
    hospital.send(cancellation(request))
    assert found(hospital, requisition_no="R1") == []


def test_but_it_sees_that_what_it_had_is_cancelled(hospital):
    request = outpatient_ct()
    hospital.send(request)
    hospital.send(cancellation(request))
    (record,) = hospital.send(find_requisitions(requisition_no="R1")).requisitions
    assert (record.gateway_status, record.status_code) == (GatewayStatus.CANCELLED, StatusCode.CANCELLED)


def test_a_cancellation_that_came_first_is_no_requisition(hospital):
    hospital.send(cancellation(outpatient_ct()))
    assert found(hospital, "HIS", requisition_no="R1") == []


def test_the_requisitions_of_another_hospital_are_not_found(hospital):
    hospital.send(ct_requisition(header=header("HIS", hospital=OTHER_HOSPITAL)))
    assert found(hospital, requisition_no="R1") == []


def test_a_branch_limits_and_no_branch_finds_all(hospital):
    for branch in ("01", "02"):
        hospital.send(at_branch(ct_requisition(), branch))
    answer = hospital.send(at_branch(find_requisitions(requisition_no="R1"), "02"))
    assert [record.branch_code for record in answer.requisitions] == ["02"]
    assert found(hospital, requisition_no="R1") == ["R1", "R1"]


def test_the_audit_says_what_was_looked_for_and_how_much_was_found(hospital):
    hospital.send(ct_requisition())
    entry = hospital.audit_of(hospital.send(find_requisitions(patient_id="P1")))
    assert (entry.actor, entry.subject, entry.detail) == ("PACS", "patient_id P1", "found=1 given=1")


def test_the_same_query_is_read_again(hospital):
    request = find_requisitions(visit_no="V1")
    hospital.send(request)
    hospital.send(ct_requisition())
    assert hospital.send(request).total_count == 1
