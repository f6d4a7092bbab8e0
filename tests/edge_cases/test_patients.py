"""Who a patient is: merged, split, newborn, unidentified, with a card that does not fit."""

from dataclasses import replace
from datetime import date

import pytest

from building import (
    TEN,
    acknowledgement,
    charge,
    ct_requisition,
    find_requisitions,
    merge,
    minutes,
    patient,
    push,
    record_request,
    report,
    status,
    visit,
    visit_event,
)
from gateway.config import Rules
from gateway.messages.critical_value import CriticalPatient
from gateway.model.critical_value import CriticalValue
from gateway.model.requisition import Requisition
from gateway.model.visit import PatientMerge, Visit
from gateway.terms import AckType, SexCode, StatusCode, VisitEvent
from hospital import yes
from readers import code_of, record_of, recorded_visit

SPLIT = VisitEvent.SPLIT
IDENTIFY = VisitEvent.IDENTIFY


def found(hospital, patient_id):
    """The requisitions a department finds under this id."""
    answer = hospital.send(find_requisitions(patient_id=patient_id))
    return [one.requisition_no for one in answer.requisitions]


# --- 21: merged between requisition and report, and split back --------------------------------------------------------


def test_a_report_under_the_new_id_belongs_to_the_requisition_under_the_old_one(hospital):
    """Edge case 21."""
    hospital.send(ct_requisition(patient=patient("P1")))
    hospital.send(merge("P1", "P2"))
    answer = hospital.send(report(patient=patient("P2")))
    assert (code_of(answer), answer.result.warning, answer.current_status) == ("0", None, StatusCode.REPORTED)
    assert hospital.alerts() == []


def test_also_a_report_under_the_old_id_for_a_requisition_under_the_new_one(hospital):
    """Edge case 21."""
    hospital.send(merge("P1", "P2"))
    hospital.send(ct_requisition(patient=patient("P2")))
    assert hospital.send(report(patient=patient("P1"))).result.warning is None


def test_merged_and_open_the_requisition_is_found_under_every_id_and_goes_its_way(hospital):
    """Edge case 21."""
    hospital.send(ct_requisition(patient=patient("P1")))
    hospital.send(merge("P1", "P2"))
    hospital.send(merge("P2", "P3"))
    assert [found(hospital, number) for number in ("P1", "P2", "P3")] == [["R1"]] * 3
    assert hospital.send(status()).applied is True


@pytest.mark.parametrize("asked", ["P1", "P2"])
def test_a_charge_under_either_id_is_taken(hospital, asked):
    """Edge case 21."""
    hospital.send(ct_requisition(patient=patient("P1")))
    hospital.send(merge("P1", "P2"))
    assert code_of(hospital.send(charge(patient=patient(asked), requisition_no="R1"))) == "0"


def test_the_record_of_a_merged_patient_names_the_new_id_under_which_it_is_read(hospital):
    """Edge case 21."""
    hospital.send(ct_requisition(patient=patient("P1")))
    hospital.send(merge("P1", "P2"))
    hospital.dispatch.script("emr", "GetMedicalRecord", yes(record_of(recorded_visit("V1", "LAB"))))
    old = hospital.send(record_request(patient_id="P1"))
    assert (code_of(old), old.new_patient_id) == ("EMR-409", "P2")
    new = hospital.send(record_request(patient_id="P2"))
    assert code_of(new) == "0"


def test_an_open_critical_value_under_the_old_id_follows_the_patient_admitted_under_the_new_one(hospital):
    """Edge case 21."""
    hospital.send(push(patient=CriticalPatient(patient_id="P1"), visit=None, requisition_no=None))
    hospital.send(merge("P1", "P2"))
    hospital.send(visit_event(patient=patient("P2"), visit=visit("V2", ward_code="W9")))
    assert hospital.row(CriticalValue).ward_code == "W9"


def test_the_departments_hear_of_merge_and_split(hospital):
    """Edge case 21."""
    hospital.send(merge("P1", "P2"))
    hospital.send(merge("P1", "P2", event=SPLIT, occurred_at=TEN + minutes(1)))
    for department in ("pacs", "lis"):
        events = [forward.request.event for forward in hospital.dispatch.forwards(department)]
        assert events == [VisitEvent.MERGE, SPLIT]


def test_split_back_each_has_what_was_stored_under_its_id(hospital):
    """Edge case 21."""
    hospital.send(ct_requisition("R1", patient=patient("P1")))
    hospital.send(ct_requisition("R2", patient=patient("P2")))
    hospital.send(merge("P1", "P2"))
    hospital.send(merge("P1", "P2", event=SPLIT, occurred_at=TEN + minutes(1)))
    assert (found(hospital, "P1"), found(hospital, "P2")) == (["R1"], ["R2"])
    answer = hospital.send(report(patient=patient("P2")))
    assert "不一致" in answer.result.warning
    assert hospital.alerts() == ["REPORT_OF_ANOTHER_PATIENT"]
    assert code_of(hospital.send(ct_requisition("R3", patient=patient("P1")))) == "0"


def test_a_merge_makes_no_visit_and_opens_none(hospital):
    """Edge case 21."""
    hospital.send(visit_event(VisitEvent.DISCHARGE))
    hospital.send(merge("P1", "P2", visit=visit("V1", ward_code="W9")))
    hospital.send(merge("P3", "P4", visit=visit("V2")))
    (known,) = hospital.rows(Visit)
    assert (known.visit_no, known.patient_id, known.state, known.ward_code) == ("V1", "P1", "DISCHARGED", None)


def test_merges_told_by_a_clock_that_is_ahead_can_be_split_again(hospital):
    """Edge case 21."""
    hospital.send(merge("P1", "P2", occurred_at=TEN + minutes(600)))
    hospital.clock.now = TEN + minutes(5)
    answer = hospital.send(merge("P1", "P2", event=SPLIT, occurred_at=TEN + minutes(5)))
    assert (code_of(answer), answer.result.warning, hospital.rows(PatientMerge)) == ("0", None, [])


# --- 25: newborns and twins -------------------------------------------------------------------------------------------

BORN = date(2026, 11, 16)


def newborn(patient_id, **changes):
    values = {"patient_name": "王秀英之子", "birth_date": BORN, "age_text": "2小时", "mother_patient_id": "P100"}
    return patient(patient_id, **values | changes)


def test_a_newborn_without_card_and_birth_date_is_taken_without_a_warning(hospital):
    """Edge case 25."""
    answer = hospital.send(ct_requisition(patient=newborn("P101", birth_date=None)))
    assert (code_of(answer), answer.result.warning) == ("0", None)


def test_twins_of_one_name_and_birth_date_are_two_patients(hospital):
    """Edge case 25."""
    hospital.send(ct_requisition("R1", patient=newborn("P101"), visit=visit("V101")))
    hospital.send(ct_requisition("R2", patient=newborn("P102"), visit=visit("V102")))
    assert (found(hospital, "P101"), found(hospital, "P102")) == (["R1"], ["R2"])
    assert found(hospital, "P100") == []


def test_the_report_of_one_twin_for_the_other_is_looked_at(hospital):
    """Edge case 25."""
    hospital.send(ct_requisition("R1", patient=newborn("P101"), visit=visit("V101")))
    assert "不一致" in hospital.send(report(patient=newborn("P102"))).result.warning
    assert hospital.alerts() == ["REPORT_OF_ANOTHER_PATIENT"]


def test_the_critical_value_of_one_twin_does_not_follow_the_other(hospital):
    """Edge case 25."""
    hospital.send(push(patient=CriticalPatient(patient_id="P101", patient_name="王秀英之子"), visit=None))
    hospital.send(visit_event(patient=newborn("P102"), visit=visit("V102", ward_code="NICU")))
    assert hospital.row(CriticalValue).ward_code != "NICU"


def test_a_newborn_with_its_mothers_card_is_pointed_out_and_taken(hospital):
    """Edge case 25."""
    child = newborn("P101", id_type="01", id_no="999999199212250028")
    answer = hospital.send(ct_requisition(patient=child))
    assert code_of(answer) == "0"
    assert "出生日期不一致" in answer.result.warning
    assert "性别不一致" in answer.result.warning


# --- 26: nobody knows who it is ---------------------------------------------------------------------------------------


@pytest.fixture
def emergency(hospital):
    """A man without name lies in the resuscitation room; a CT is registered, a critical value is open."""
    unknown = patient("WMS20261116001", patient_name="无名氏", sex_code=SexCode.UNKNOWN)
    hospital.send(visit_event(patient=unknown))
    hospital.send(ct_requisition(patient=unknown))
    hospital.send(status())
    hospital.send(push(patient=CriticalPatient(patient_id=unknown.patient_id, patient_name="无名氏")))
    hospital.clock.now += minutes(9)
    return hospital


def identified():
    return merge("WMS20261116001", "P1", event=IDENTIFY, occurred_at=TEN + minutes(9))


def test_once_identified_he_is_found_under_both_ids(emergency):
    """Edge case 26."""
    assert code_of(emergency.send(identified())) == "0"
    assert found(emergency, "P1") == found(emergency, "WMS20261116001") == ["R1"]
    assert emergency.row(Visit).state == "OPEN"


def test_what_was_begun_before_he_was_known_is_finished_under_his_name(emergency):
    """Edge case 26."""
    emergency.send(identified())
    assert emergency.send(report(patient=patient("P1"))).result.warning is None
    assert code_of(emergency.send(acknowledgement(kind=AckType.HANDLE, acted_at=TEN + minutes(9)))) == "0"
    assert emergency.row(Requisition).status is StatusCode.REPORTED


def test_the_departments_are_told_who_he_is(emergency):
    """Edge case 26."""
    emergency.send(identified())
    told = emergency.dispatch.forwards("pacs", "ReportVisitEvent")[-1].request
    assert (told.event, told.previous_patient_id, told.patient.patient_id) == (IDENTIFY, "WMS20261116001", "P1")


def test_from_then_on_nothing_is_ordered_for_nobody(emergency):
    """Edge case 26."""
    emergency.send(identified())
    answer = emergency.send(ct_requisition("R2", patient=patient("WMS20261116001", patient_name="无名氏")))
    assert code_of(answer) == "REQ-424"
    assert "P1" in answer.result.result_text


def test_two_without_a_name_are_two(hospital):
    """Edge case 26."""
    for number in ("1", "2"):
        nobody = patient(f"WMS{number}", patient_name="无名氏")
        hospital.send(ct_requisition(f"R{number}", patient=nobody, visit=visit(f"V{number}")))
    hospital.send(merge("WMS1", "P1", event=IDENTIFY, visit=visit("V1")))
    assert (found(hospital, "P1"), found(hospital, "WMS2")) == (["R1"], ["R2"])


# --- 27: identity cards -----------------------------------------------------------------------------------------------

CARD = "99999919680417001X"
PERSON = patient(birth_date=date(1968, 4, 17), id_type="01", id_no=CARD)


def warning_of(hospital, **changes):
    """What is said of a requisition for such a patient, which is taken and forwarded as it came."""
    person = replace(PERSON, **changes)
    answer = hospital.send(ct_requisition(patient=person))
    assert code_of(answer) == "0"
    assert hospital.dispatch.forwards("pacs")[0].request.patient.id_no == person.id_no
    return answer.result.warning


@pytest.mark.parametrize(
    "number", [CARD, CARD.lower(), "999999680417001", "９９９９９９１９６８０４１７００１Ｘ", "９９９９９９680417001"]
)
def test_a_card_is_understood_with_18_or_15_digits_lower_case_x_or_full_width(hospital, number):
    """Edge case 27."""
    assert warning_of(hospital, id_no=number) is None


def test_a_wrong_checksum_is_pointed_out(hospital):
    """Edge case 27."""
    assert warning_of(hospital, id_no="999999196804170011").startswith("身份证号校验码不正确")


def test_a_number_that_is_too_short_is_pointed_out(hospital):
    """Edge case 27."""
    assert warning_of(hospital, id_no="99999919680417").startswith("身份证号格式不正确")


def test_a_birthday_that_is_none_is_pointed_out(hospital):
    """Edge case 27."""
    assert "不存在" in warning_of(hospital, id_no="999999680230001")


@pytest.mark.parametrize("number", [CARD, "999999680417001"])
def test_another_sex_than_the_cards_is_pointed_out(hospital, number):
    """Edge case 27."""
    said = warning_of(hospital, id_no=number, sex_code=SexCode.FEMALE)
    assert said.startswith("身份证号与性别不一致")


@pytest.mark.parametrize("number", [CARD, "999999680417001"])
def test_another_birth_date_than_the_cards_is_pointed_out(hospital, number):
    """Edge case 27."""
    said = warning_of(hospital, id_no=number, birth_date=date(1968, 4, 18))
    assert said.startswith("身份证号与出生日期不一致")


@pytest.mark.parametrize(
    ("id_type", "number"),
    [
        ("03", "E99999999"),
        ("03", "K9999999A"),
        ("06", "H99999999"),
        ("06", "M99999999"),
        ("07", "99999999"),
        (None, "E1"),
    ],
)
def test_passports_and_permits_of_hongkong_macao_and_taiwan_are_left_alone(hospital, id_type, number):
    """Edge case 27."""
    assert warning_of(hospital, id_type=id_type, id_no=number, sex_code=SexCode.FEMALE) is None


def test_a_residence_permit_of_hongkong_is_read_like_a_card(hospital):
    """Edge case 27."""
    assert "性别" in warning_of(hospital, id_type=None, id_no="810000199212250028", birth_date=None)


def test_no_warning_repeats_the_number(hospital):
    """Edge case 27."""
    said = warning_of(hospital, id_no="999999196804170011", sex_code=SexCode.FEMALE)
    assert not any(character.isdigit() for character in said)


def test_a_strict_site_refuses_a_card_that_does_not_fit(hospital):
    """Edge case 27."""
    hospital.choose(rules=Rules(identity="strict"))
    answer = hospital.send(ct_requisition(patient=replace(PERSON, sex_code=SexCode.FEMALE)))
    assert code_of(answer) == "REQ-424"
    assert "999999" not in answer.result.result_text
    assert hospital.rows(Requisition) == []
    assert code_of(hospital.send(ct_requisition(patient=PERSON))) == "0"


def test_a_strict_site_lets_a_cancellation_pass(hospital):
    """Edge case 27."""
    wrong = replace(PERSON, sex_code=SexCode.FEMALE)
    request = ct_requisition(patient=wrong)
    hospital.send(request)
    hospital.choose(rules=Rules(identity="strict"))
    cancel = replace(request, header=replace(request.header, message_id="CANCEL-1"), action="CANCEL")
    assert code_of(hospital.send(cancel)) == "0"
