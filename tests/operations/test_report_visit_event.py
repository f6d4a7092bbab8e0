"""What HIS tells of visits and patients is kept in order, and the other systems hear of it."""

from decimal import Decimal

import pytest

from building import (
    TEN,
    again,
    at_branch,
    ct_requisition,
    find_requisitions,
    header,
    merge,
    minutes,
    outpatient_ct,
    patient,
    refund,
    refund_line,
    status,
    visit,
    visit_event,
)
from gateway.config import ChargePointRule, Rules
from gateway.errors import NotAllowed
from gateway.model.money import MoneyTransaction
from gateway.model.requisition import Requisition, RequisitionItem, StatusRecord
from gateway.model.visit import PatientMerge, Visit, VisitEventRecord
from gateway.terms import (
    Initiator,
    RequisitionAction,
    StatusEvent,
    TransactionState,
    VisitEvent,
    VisitState,
    VisitType,
)


def code_of(response):
    return response.result.result_code


def tell(hospital, *events, **changes):
    """HIS tells these events, a minute apart, and gets these states."""
    states = []
    for event in events:
        hospital.clock.now += minutes(1)
        answer = hospital.send(visit_event(event, occurred_at=hospital.clock.now, **changes))
        states.append(answer.visit_state if code_of(answer) == "0" else code_of(answer))
    return states


def merges(hospital):
    return {row.former_patient_id: row.patient_id for row in hospital.rows(PatientMerge)}


# --- visits -----------------------------------------------------------------------------------------------------------


def test_a_stay_from_admission_to_settlement(hospital):
    events = (VisitEvent.ADMIT, VisitEvent.TRANSFER, VisitEvent.DISCHARGE, VisitEvent.SETTLE, VisitEvent.UNSETTLE)
    assert tell(hospital, *events, VisitEvent.CANCEL_DISCHARGE) == [
        "OPEN",
        "OPEN",
        "DISCHARGED",
        "SETTLED",
        "DISCHARGED",
        "OPEN",
    ]


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (VisitEvent.ADMIT, VisitState.OPEN),
        (VisitEvent.TRANSFER, VisitState.OPEN),
        (VisitEvent.DISCHARGE, VisitState.DISCHARGED),
        (VisitEvent.CANCEL_DISCHARGE, VisitState.OPEN),
        (VisitEvent.SETTLE, VisitState.SETTLED),
        (VisitEvent.UNSETTLE, VisitState.DISCHARGED),
        (VisitEvent.CANCEL_VISIT, VisitState.CANCELLED),
    ],
)
def test_the_first_event_of_a_visit_may_be_any(hospital, event, state):
    assert tell(hospital, event) == [state]
    assert hospital.row(Visit).state == state


@pytest.mark.parametrize(
    ("before", "event"),
    [
        (VisitEvent.SETTLE, VisitEvent.DISCHARGE),
        (VisitEvent.SETTLE, VisitEvent.ADMIT),
        (VisitEvent.DISCHARGE, VisitEvent.TRANSFER),
        (VisitEvent.DISCHARGE, VisitEvent.CANCEL_VISIT),
        (VisitEvent.ADMIT, VisitEvent.UNSETTLE),
        (VisitEvent.CANCEL_VISIT, VisitEvent.ADMIT),
    ],
)
def test_an_event_that_cannot_happen_now_is_refused_and_changes_nothing(hospital, before, event):
    (state,) = tell(hospital, before)
    answer = hospital.send(visit_event(event, occurred_at=hospital.clock.now))
    assert (code_of(answer), answer.visit_state) == ("VIS-409", state)
    assert len(hospital.rows(VisitEventRecord)) == 1


def test_told_a_second_time_that_it_is_discharged_the_gateway_says_it_knows(hospital):
    tell(hospital, VisitEvent.DISCHARGE)
    answer = hospital.send(visit_event(VisitEvent.DISCHARGE, occurred_at=TEN + minutes(5)))
    assert (code_of(answer), answer.visit_state) == ("0", VisitState.DISCHARGED)
    assert "该状态" in answer.result.warning


def test_a_transfer_says_where_the_patient_is_now(hospital):
    tell(hospital, VisitEvent.ADMIT)
    tell(hospital, VisitEvent.TRANSFER, visit=visit(dept_code="2005", ward_code="W2005", bed_no=None))
    row = hospital.row(Visit)
    assert (row.dept_code, row.ward_code, row.bed_no) == ("2005", "W2005", None)


def test_an_older_event_is_recorded_changes_nothing_and_is_not_passed_on(hospital):
    tell(hospital, VisitEvent.DISCHARGE)
    answer = hospital.send(visit_event(VisitEvent.TRANSFER, occurred_at=TEN - minutes(60)))
    assert (code_of(answer), answer.visit_state) == ("0", VisitState.DISCHARGED)
    assert "仅记录" in answer.result.warning
    assert len(hospital.rows(VisitEventRecord)) == 2
    assert [f.request.event for f in hospital.dispatch.forwards("pacs")] == [VisitEvent.DISCHARGE]


def test_a_clock_of_his_that_was_ahead_does_not_make_its_next_event_old(hospital):
    hospital.send(visit_event(VisitEvent.ADMIT, occurred_at=TEN + minutes(24 * 60)))
    assert tell(hospital, VisitEvent.DISCHARGE) == [VisitState.DISCHARGED]


def test_the_other_systems_hear_of_it_in_the_order_of_the_visit(hospital):
    tell(hospital, VisitEvent.ADMIT)
    assert [(f.partner, f.key) for f in hospital.dispatch.forwards()] == [("pacs", "V1"), ("lis", "V1")]


def test_only_his_may_speak_of_visits(hospital):
    with pytest.raises(NotAllowed):
        hospital.send(visit_event(header=header("PACS")))
    assert hospital.rows(VisitEventRecord) == []


def test_the_same_message_again_is_told_once(hospital):
    request = visit_event()
    hospital.send(request)
    assert hospital.send(request).result.duplicate is True
    assert len(hospital.dispatch.forwards("pacs")) == 1


def test_the_same_event_under_a_new_message_id_is_told_once(hospital):
    request = visit_event()
    hospital.send(request)
    answer = hospital.send(again(request))
    assert (answer.result.duplicate, answer.visit_state) == (True, VisitState.OPEN)
    assert len(hospital.rows(VisitEventRecord)) == 1


def test_six_events_of_a_new_visit_at_once_make_one_visit(hospital):
    answers = hospital.send_at_once(*(visit_event() for _ in range(6)))
    assert {code_of(answer) for answer in answers} == {"0"}
    assert hospital.row(Visit).state == VisitState.OPEN
    assert len(hospital.rows(VisitEventRecord)) == 6


def test_an_event_number_used_for_another_event_is_refused(hospital):
    hospital.send(visit_event(VisitEvent.ADMIT, "JZ-1"))
    assert code_of(hospital.send(visit_event(VisitEvent.DISCHARGE, "JZ-1"))) == "VIS-409"


def test_a_visit_number_of_two_branches_needs_the_branch(hospital):
    for branch in ("01", "02"):
        hospital.send(at_branch(visit_event(), branch))
    assert code_of(hospital.send(visit_event(VisitEvent.DISCHARGE))) == "VIS-422"
    assert code_of(hospital.send(at_branch(visit_event(VisitEvent.DISCHARGE), "01"))) == "0"
    assert {row.branch_code: row.state for row in hospital.rows(Visit)} == {"01": "DISCHARGED", "02": "OPEN"}


def test_without_a_branch_the_one_visit_of_that_number_is_meant(hospital):
    hospital.send(at_branch(visit_event(), "01"))
    hospital.send(visit_event(VisitEvent.DISCHARGE))
    assert hospital.row(Visit).state == VisitState.DISCHARGED


# --- visits with requisitions -----------------------------------------------------------------------------------------


def test_a_visit_with_a_registered_exam_cannot_be_cancelled(hospital):
    hospital.send(ct_requisition())
    hospital.send(status())
    assert tell(hospital, VisitEvent.CANCEL_VISIT) == ["VIS-409"]


def cancel_visit(hospital, visit_no="V1", **changes):
    return hospital.send(visit_event(VisitEvent.CANCEL_VISIT, visit=visit(visit_no, **changes)))


def states(hospital):
    return {(row.requisition_key, row.item_seq): row.status_code for row in hospital.rows(RequisitionItem)}


def cancels(hospital):
    forwards = hospital.dispatch.forwards("pacs", "SubmitRequisition")
    return [f.request.requisition_no for f in forwards if f.request.action is RequisitionAction.CANCEL]


def test_a_visit_cancelled_takes_the_exams_that_wait_with_it(hospital):
    hospital.send(ct_requisition("R1", release_event=None))
    hospital.send(ct_requisition("R2", items=2))
    hospital.send(ct_requisition("R3"))
    hospital.send(status("R3", StatusEvent.BOOK))
    answer = cancel_visit(hospital)
    assert (code_of(answer), answer.visit_state) == ("0", VisitState.CANCELLED)
    assert "3 个申请单已随就诊取消" in answer.result.warning
    assert set(states(hospital).values()) == {"90"}
    assert {row.gateway_status for row in hospital.rows(Requisition)} == {"CANCELLED"}
    records = hospital.rows(StatusRecord, event="CANCEL_VISIT")
    assert sorted((r.from_status, r.to_status, r.reason) for r in records) == [
        (before, "90", "就诊已取消") for before in ("00", "10", "10", "20")
    ]


def test_a_department_that_has_the_exam_is_told_in_its_order(hospital):
    hospital.send(ct_requisition("R1"))
    hospital.dispatch.deliver()
    cancel_visit(hospital)
    told = hospital.dispatch.forwards("pacs", "SubmitRequisition")
    assert [(f.key, f.request.action) for f in told] == [("R1", "NEW"), ("R1", "CANCEL")]
    assert told[-1].request.cancel_reason == "就诊已取消"


def test_a_department_that_never_got_the_exam_hears_nothing_of_it(hospital):
    hospital.send(ct_requisition("R1"))
    hospital.send(ct_requisition("R2", release_event=None))
    cancel_visit(hospital)
    assert cancels(hospital) == []
    assert hospital.dispatch.states("pacs")[0] == "DISCARDED"


def test_what_the_nurse_sent_is_taken_off_the_visit_that_was_cancelled(hospital):
    rule = ChargePointRule(charge_point="NURSE_SEND")
    hospital.choose(rules=Rules(charge_points=(rule,)))
    hospital.send(ct_requisition("R1"))
    hospital.send(ct_requisition("R2"))
    cancel_visit(hospital)
    reversals = hospital.rows(MoneyTransaction, kind="REVERSAL")
    assert [(one.standing, one.lines[0].amount) for one in reversals] == [
        (TransactionState.CONFIRMED, Decimal(400))
    ] * 2


def test_what_was_paid_stays_in_the_books_until_the_cashier_refunds_it(hospital):
    hospital.send(outpatient_ct())
    cancel_visit(hospital, "OP1", visit_type=VisitType.OUTPATIENT)
    (paid,) = hospital.rows(MoneyTransaction)
    line = refund_line(code="210300001", amount="400.00")
    back = refund("TF1", None, header=header("HIS"), initiator=Initiator.CASHIER, requisition_no="R1", lines=(line,))
    assert (paid.kind, code_of(hospital.send(back))) == ("CHARGE", "0")


def test_exams_of_another_visit_or_branch_stay(hospital):
    hospital.send(at_branch(visit_event(), "01"))
    hospital.send(at_branch(ct_requisition("R1"), "01"))
    hospital.send(at_branch(ct_requisition("R2"), "02"))
    hospital.send(at_branch(ct_requisition("R3", visit=visit("V2")), "01"))
    hospital.send(at_branch(visit_event(VisitEvent.CANCEL_VISIT), "01"))
    found = {row.requisition_no: row.gateway_status for row in hospital.rows(Requisition)}
    assert found == {"R1": "CANCELLED", "R2": "RELEASED", "R3": "RELEASED"}


def test_what_the_department_rejected_is_cancelled_with_what_waits(hospital):
    hospital.send(ct_requisition(items=2))
    hospital.send(status(event=StatusEvent.REJECT, seqs=(2,)))
    cancel_visit(hospital)
    assert [item.status_code for item in hospital.rows(RequisitionItem)] == ["90", "90"]


def test_a_registration_that_comes_after_the_visit_was_cancelled_alarms(hospital):
    hospital.send(ct_requisition())
    cancel_visit(hospital)
    assert code_of(hospital.send(status())) == "STA-410"
    assert hospital.alerts() == ["STATUS_AFTER_CANCEL"]


def test_registration_and_cancelled_visit_at_once_let_one_win(hospital):
    hospital.send(ct_requisition())
    answers = hospital.send_at_once(visit_event(VisitEvent.CANCEL_VISIT), status())
    codes = [code_of(answer) for answer in answers]
    assert codes in (["0", "STA-410"], ["VIS-409", "0"])
    assert hospital.row(RequisitionItem).status_code == {"0": "90", "VIS-409": "30"}[codes[0]]


@pytest.mark.parametrize("event", [VisitEvent.DISCHARGE, VisitEvent.SETTLE])
def test_a_discharge_or_settlement_with_open_exams_is_warned_of(hospital, event):
    hospital.send(ct_requisition(items=2))
    answer = hospital.send(visit_event(event))
    assert code_of(answer) == "0"
    assert "2 个未完成" in answer.result.warning
    assert set(states(hospital).values()) == {"10"}


# --- patients ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [VisitEvent.MERGE, VisitEvent.SPLIT, VisitEvent.IDENTIFY])
@pytest.mark.parametrize("previous", [None, "P1"])
def test_two_patients_are_needed(hospital, event, previous):
    request = visit_event(event, previous_patient_id=previous)
    assert code_of(hospital.send(request)) == "VIS-400"


@pytest.mark.parametrize("event", [VisitEvent.MERGE, VisitEvent.IDENTIFY])
def test_the_former_id_is_known_as_the_surviving_one(hospital, event):
    hospital.send(visit_event(patient=patient("P1")))
    hospital.send(merge("P1", "P2", event=event))
    assert merges(hospital) == {"P1": "P2"}


@pytest.mark.parametrize("event", [VisitEvent.MERGE, VisitEvent.IDENTIFY])
def test_a_word_about_patients_leaves_the_visit_it_names_as_it_is(hospital, event):
    hospital.send(visit_event(patient=patient("P1")))
    hospital.send(merge("P1", "P2", event=event, visit=visit("V2")))
    hospital.send(merge("P1", "P2", event=VisitEvent.SPLIT, occurred_at=TEN + minutes(1)))
    assert [(row.visit_no, row.patient_id, row.state) for row in hospital.rows(Visit)] == [("V1", "P1", "OPEN")]


def test_a_merge_leaves_the_state_of_the_visit_alone(hospital):
    tell(hospital, VisitEvent.DISCHARGE)
    assert hospital.send(merge("P1", "P2")).visit_state is VisitState.DISCHARGED


def test_requisitions_of_a_merged_patient_are_found_under_every_id(hospital):
    hospital.send(ct_requisition("R1", patient=patient("P1")))
    hospital.send(ct_requisition("R2", patient=patient("P2")))
    hospital.send(merge("P1", "P2"))
    hospital.send(merge("P2", "P3"))
    for patient_id in ("P1", "P2", "P3"):
        assert hospital.send(find_requisitions(patient_id=patient_id)).total_count == 2


def test_a_split_undoes_the_merge_and_no_other(hospital):
    hospital.send(merge("P1", "P2"))
    hospital.send(merge("P2", "P3"))
    hospital.send(merge("P2", "P3", event=VisitEvent.SPLIT))
    assert merges(hospital) == {"P1": "P2"}


def test_a_split_may_name_the_two_in_either_order(hospital):
    hospital.send(merge("P1", "P2"))
    hospital.send(merge("P2", "P1", event=VisitEvent.SPLIT))
    assert merges(hospital) == {}


def test_what_was_not_merged_cannot_be_split(hospital):
    assert code_of(hospital.send(merge("P1", "P2", event=VisitEvent.SPLIT))) == "VIS-409"


def test_merged_the_other_way_round_the_newer_word_counts(hospital):
    hospital.send(merge("P1", "P2"))
    hospital.send(merge("P2", "P1", occurred_at=TEN + minutes(5)))
    assert merges(hospital) == {"P2": "P1"}


def test_two_merges_at_once_that_contradict_each_other_leave_one(hospital):
    hospital.send_at_once(*[merge("P1", "P2"), merge("P2", "P1")] * 3)
    assert len(merges(hospital)) == 1


def test_a_circle_of_merges_is_opened_where_the_newest_begins(hospital):
    for number, (former, surviving) in enumerate([("P1", "P2"), ("P2", "P3"), ("P3", "P1")]):
        hospital.send(merge(former, surviving, occurred_at=TEN + minutes(number)))
    assert merges(hospital) == {"P2": "P3", "P3": "P1"}


def test_a_merge_older_than_its_split_changes_nothing(hospital):
    hospital.clock.now = TEN + minutes(5)
    hospital.send(merge("P1", "P2"))
    hospital.send(merge("P1", "P2", event=VisitEvent.SPLIT, occurred_at=TEN + minutes(5)))
    answer = hospital.send(merge("P1", "P2", occurred_at=TEN + minutes(1)))
    assert (code_of(answer), merges(hospital)) == ("0", {})
    assert "仅记录" in answer.result.warning


def test_a_requisition_for_a_merged_patient_names_the_new_id(hospital):
    hospital.send(merge("P1", "P2"))
    hospital.send(merge("P2", "P3"))
    answer = hospital.send(ct_requisition(patient=patient("P1")))
    assert code_of(answer) == "REQ-424"
    assert "P3" in answer.result.result_text
