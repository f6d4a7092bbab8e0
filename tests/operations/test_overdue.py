"""A critical value nobody answers for is told to one level of the house after the other, however long it takes."""

from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import pytest
from sqlalchemy import text

from building import TEN, acknowledgement, bare_push, ct_requisition, minutes, push
from gateway.config import Rules
from gateway.critical_rules import CriticalLevel, CriticalRules, CriticalTimesRule, Stage
from gateway.messages.critical_value import CriticalVisit
from gateway.model.critical_value import (
    CRITICAL_TRANSITIONS,
    CriticalEscalation,
    CriticalEvent,
    CriticalStage,
    CriticalValue,
    Notification,
)
from gateway.operations.critical_loop import tell_again
from gateway.operations.overdue import Escalation
from gateway.terms import AckType, CriticalStatus
from hospital import NOT_SENT, WIRE, Hospital, no

RULES = Rules()
DAY = 24 * 60


@pytest.fixture
def ward(hospital: Hospital) -> Hospital:
    """A hospital where WJZ1 was pushed at ten: to be received within 10 minutes, handled within 30."""
    hospital.send(ct_requisition())
    hospital.send(push())
    return hospital


def look(hospital: Hospital, after: float, rules: Rules = RULES) -> list[str]:
    """Who has been told so far when the gateway looks so many minutes after ten: stage and level."""
    watch(hospital, rules).run(TEN + minutes(after))
    return told(hospital)


def watch(hospital: Hospital, rules: Rules = RULES) -> Escalation:
    return Escalation(hospital.sessions, hospital.dispatch, WIRE, rules)


def told(hospital: Hospital) -> list[str]:
    return [f"{row.stage} {row.level}" for row in hospital.rows(CriticalEscalation)]


def acked(hospital: Hospital, kind: AckType, after: float, number: str = "WJZ1", **changes: object) -> None:
    hospital.clock.now = TEN + minutes(after)
    hospital.send(acknowledgement(number, kind, **changes))


def warnings(hospital: Hospital) -> list[tuple[str | None, str | None]]:
    """The stage and level of each message HIS got beyond the push."""
    sent = hospital.dispatch.forwards("his", "PushCriticalValue")[1:]
    return [(forward.request.overdue_stage, forward.request.escalation_level) for forward in sent]


# --- one level after the other ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (9.9, []),
        (10, ["RECEIVE 1"]),
        (29.9, ["RECEIVE 1"]),
        (30, ["RECEIVE 1", "TOTAL 2"]),
        (59.9, ["RECEIVE 1", "TOTAL 2"]),
        (60, ["RECEIVE 1", "TOTAL 2", "TOTAL 3"]),
        (DAY + 5, ["RECEIVE 1", "TOTAL 2", "TOTAL 3"]),
    ],
)
def test_each_level_is_told_when_its_time_has_come(ward: Hospital, after: float, expected: list[str]) -> None:
    assert look(ward, after) == expected


def test_each_level_is_told_once(ward: Hospital) -> None:
    for after in (10, 11, 30, 31, 60, 61, DAY):
        look(ward, after)
    assert told(ward) == ["RECEIVE 1", "TOTAL 2", "TOTAL 3"]
    assert warnings(ward) == [("RECEIVE", "1"), ("TOTAL", "2"), ("TOTAL", "3")]
    assert ward.row(CriticalValue).next_due is None


def test_many_processes_that_look_at_once_tell_once(ward: Hospital) -> None:
    for number in range(2, 12):
        ward.send(push(f"WJZ{number}"))
    with ThreadPoolExecutor(8) as processes:
        raised = list(processes.map(lambda _: watch(ward).run(TEN + minutes(10)), range(8)))
    assert (sum(raised), len(told(ward)), len(warnings(ward)) - 10) == (11, 11, 11)


def test_after_a_night_without_a_gateway_everything_missed_is_told_at_once(ward: Hospital) -> None:
    assert look(ward, 12 * 60) == ["RECEIVE 1", "TOTAL 2", "TOTAL 3"]


def test_his_is_told_whom_to_alarm_urgently_and_what_is_late(ward: Hospital) -> None:
    look(ward, 10)
    forward = ward.dispatch.forwards("his", "PushCriticalValue")[-1]
    request = forward.request
    assert (forward.urgent, forward.key, forward.origin.sender_code) == (True, "WJZ1|PACS", "PACS")
    assert (request.action, request.target_ward_code, request.overdue_since) == ("UPDATE", "W2001", TEN + minutes(10))
    assert [person.code for person in request.target_doctors] == ["R0345", "D1066"]
    assert "电话" in request.warning
    row = ward.row(CriticalEscalation)
    assert (row.receivers, row.partners, row.due_at) == ("W2001,R0345", "his", TEN + minutes(10))


def test_a_higher_level_is_told_by_its_own_code(ward: Hospital) -> None:
    look(ward, 60)
    requests = [forward.request for forward in ward.dispatch.forwards("his", "PushCriticalValue")]
    assert [[d.code for d in r.target_doctors] for r in requests[2:]] == [["DIRECTOR"], ["DUTY"]]


def test_who_is_known_nowhere_is_replaced_by_the_fallback_receiver(hospital: Hospital) -> None:
    hospital.send(bare_push())
    look(hospital, 10)
    assert hospital.row(CriticalEscalation).receivers == "DUTY"


def test_each_late_stage_alerts_the_people_on_duty_once(ward: Hospital) -> None:
    look(ward, 10)
    look(ward, 61)
    assert ward.alerts() == ["CRITICAL_NOT_RECEIVED", "CRITICAL_NOT_HANDLED"]


# --- what stops a clock, and what does not ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [AckType.READ, AckType.TRANSFER, AckType.UNREACHABLE, AckType.TECH_CONFIRM])
def test_what_is_no_receipt_stops_no_clock(ward: Hospital, kind: AckType) -> None:
    acked(ward, kind, 2)
    assert look(ward, 30) == ["RECEIVE 1", "TOTAL 2"]


def test_a_nurse_has_to_pass_it_on_and_the_doctor_has_to_act(ward: Hospital) -> None:
    acked(ward, AckType.RECEIVE_NURSE, 8)
    assert look(ward, 12.9) == []
    assert look(ward, 13) == ["FORWARD 1"]
    acked(ward, AckType.RECEIVE_DOCTOR, 14)
    assert look(ward, 28.9) == ["FORWARD 1"]
    assert look(ward, 29) == ["FORWARD 1", "HANDLE 2"]
    assert look(ward, 30) == ["FORWARD 1", "HANDLE 2", "TOTAL 2"]


def test_passed_on_in_time_the_doctors_clock_runs_from_then(ward: Hospital) -> None:
    acked(ward, AckType.RECEIVE_NURSE, 1)
    acked(ward, AckType.FORWARD_DOCTOR, 3)
    acked(ward, AckType.RECEIVE_DOCTOR, 10)
    assert look(ward, 17.9) == []
    assert look(ward, 18) == ["HANDLE 2"]


def test_handled_in_time_and_back_it_is_quiet_for_ever(ward: Hospital) -> None:
    acked(ward, AckType.HANDLE, 5)
    ward.dispatch.deliver()
    assert look(ward, 30 * DAY) == []


def test_a_cancelled_value_is_quiet(ward: Hospital) -> None:
    ward.send(push(action="CANCEL"))
    assert look(ward, DAY) == []


def test_a_late_handling_ends_what_was_running(ward: Hospital) -> None:
    look(ward, 30)
    acked(ward, AckType.HANDLE, 45)
    ward.dispatch.deliver()
    assert look(ward, 60) == ["RECEIVE 1", "TOTAL 2"]


def test_a_his_that_is_away_is_an_alarm_of_its_own_and_stops_no_clock(hospital: Hospital) -> None:
    hospital.dispatch.script("his", "PushCriticalValue", NOT_SENT)
    hospital.send(push())
    assert look(hospital, 0.5) == ["NOTIFY 1"]
    assert look(hospital, 10) == ["NOTIFY 1", "RECEIVE 1"]


def test_a_nurse_who_was_telephoned_ends_the_wait_for_his(hospital: Hospital) -> None:
    hospital.dispatch.script("his", "PushCriticalValue", NOT_SENT)
    hospital.send(push())
    acked(hospital, AckType.RECEIVE_NURSE, 0.2)
    assert look(hospital, 1) == []


# --- the way back -----------------------------------------------------------------------------------------------------


def test_an_opinion_that_does_not_come_back_is_told_to_who_found_it(ward: Hospital) -> None:
    ward.dispatch.script("pacs", "AcknowledgeCriticalValue", NOT_SENT)
    acked(ward, AckType.HANDLE, 5)
    ward.dispatch.deliver()
    assert look(ward, 5.4) == []
    assert ward.row(CriticalValue).overdue(TEN + minutes(5.5)) == [CriticalStage.RETURN]
    assert look(ward, 5.5) == ["RETURN 1"]
    row = ward.row(CriticalEscalation)
    assert (row.receivers, row.partners) == ("R0345", "")
    assert ward.alerts() == ["CRITICAL_NOT_RETURNED"]
    ward.dispatch.deliver()
    assert ward.row(CriticalValue).returned_at is not None


def test_a_department_that_refuses_the_opinion_has_not_got_it(ward: Hospital) -> None:
    ward.dispatch.script("pacs", "AcknowledgeCriticalValue", no("CRV-400"))
    acked(ward, AckType.HANDLE, 5)
    ward.dispatch.deliver()
    assert look(ward, 6) == ["RETURN 1"]


def test_what_others_hear_is_no_return(ward: Hospital) -> None:
    ward.dispatch.routes["AcknowledgeCriticalValue"] = ("app",)
    ward.dispatch.script("pacs", "AcknowledgeCriticalValue", NOT_SENT)
    acked(ward, AckType.HANDLE, 5)
    ward.dispatch.deliver()
    assert ward.row(CriticalValue).returned_at is None


def test_the_departments_confirmation_says_that_it_has_it(ward: Hospital) -> None:
    ward.dispatch.script("pacs", "AcknowledgeCriticalValue", NOT_SENT)
    acked(ward, AckType.HANDLE, 5)
    acked(ward, AckType.TECH_CONFIRM, 5.2)
    assert look(ward, 10) == []


@pytest.mark.parametrize(("closes", "state"), [(True, CriticalStatus.CLOSED), (False, CriticalStatus.HANDLED)])
def test_a_site_may_close_a_value_when_its_opinion_is_back(
    hospital: Hospital, closes: bool, state: CriticalStatus
) -> None:
    hospital.choose(rules=Rules(critical=CriticalRules(close_when_returned=closes)))
    hospital.send(push())
    acked(hospital, AckType.HANDLE, 5)
    hospital.dispatch.deliver()
    assert hospital.row(CriticalValue).state is state


# --- the site's own times and chain -----------------------------------------------------------------------------------

ICU_FIRST = CriticalRules(
    receive_minutes=8,
    timers=(
        CriticalTimesRule(department="2301", visit_type="3", receive_minutes=3),
        CriticalTimesRule(source_type="7", receive_minutes=0.05),
        CriticalTimesRule(department="2301", receive_minutes=4, total_minutes=9),
    ),
)


@pytest.mark.parametrize(
    ("source", "department", "visit_type", "receive", "total"),
    [
        ("6", "2001", "3", 8, 30),
        ("6", "2301", "3", 3, 30),
        ("7", "2301", "1", 0.05, 30),
        ("6", "2301", "1", 4, 9),
    ],
)
def test_the_first_line_that_fits_gives_the_times(
    hospital: Hospital, source: str, department: str, visit_type: str, receive: float, total: float
) -> None:
    hospital.choose(rules=Rules(critical=ICU_FIRST))
    place = CriticalVisit(visit_no="V1", visit_type=visit_type, dept_code=department)
    answer = hospital.send(push(source_type=source, visit=place, target_dept_code=None))
    assert (answer.receive_deadline, answer.handle_deadline) == (TEN + minutes(receive), TEN + minutes(total))


@pytest.mark.parametrize(("asked", "holds"), [(4, 4), (15, 10), (-1, 10), (60 * 24 * 365, 10)])
def test_a_push_may_ask_for_more_haste_and_not_for_less(hospital: Hospital, asked: float, holds: float) -> None:
    assert hospital.send(push(receive_deadline=TEN + minutes(asked))).receive_deadline == TEN + minutes(holds)


def test_a_departments_own_line_replaces_the_general_one(ward: Hospital) -> None:
    chain = (
        CriticalLevel(stage="RECEIVE", level=1, department="2001", receivers=("N2001",), notifiers=("duty", "mail")),
        CriticalLevel(stage="RECEIVE", level=1, receivers=("WARD",)),
        CriticalLevel(stage="RECEIVE", level=2, after_minutes=2.5, receivers=("DIRECTOR",)),
    )
    rules = Rules(critical=CriticalRules(chain=chain))
    assert look(ward, 10, rules) == ["RECEIVE 1"]
    assert ward.row(CriticalEscalation).receivers == "N2001"
    assert [row.notifier for row in ward.rows(Notification)] == ["duty", "mail"]
    assert look(ward, 12.5, rules) == ["RECEIVE 1", "RECEIVE 2"]


def test_a_stage_without_a_line_still_alerts(ward: Hospital) -> None:
    assert look(ward, 10, Rules(critical=CriticalRules(chain=()))) == []
    assert ward.alerts() == ["CRITICAL_NOT_RECEIVED"]


# --- whatever goes wrong ----------------------------------------------------------------------------------------------


def test_a_value_that_cannot_be_told_holds_up_no_other(ward: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    ward.send(push("WJZ2"))

    def break_for_the_first(session, dispatch, wire, value, **changes):
        if value.critical_id == "WJZ1":
            raise ValueError("broken")
        return tell_again(session, dispatch, wire, value, **changes)

    monkeypatch.setattr("gateway.operations.overdue.tell_again", break_for_the_first)
    assert look(ward, 10) == ["RECEIVE 1"]
    monkeypatch.undo()
    assert look(ward, 10.5) == ["RECEIVE 1"]
    assert look(ward, 11) == ["RECEIVE 1", "RECEIVE 1"]


def test_the_look_that_finds_nothing_reads_an_index(ward: Hospital) -> None:
    with ward.sessions() as session:
        session.execute(text("SET enable_seqscan = off"))
        plan = session.execute(text("EXPLAIN SELECT * FROM critical_value WHERE next_due <= now() ORDER BY next_due"))
        assert "ix_critical_value_next_due" in "".join(plan.scalars())


def test_without_any_system_to_tell_the_chain_still_goes_on(hospital: Hospital) -> None:
    hospital.dispatch.routes["PushCriticalValue"] = ()
    hospital.dispatch.enqueue = None  # the queue takes no empty order
    hospital.send(push())
    assert look(hospital, 10) == ["NOTIFY 1", "RECEIVE 1"]
    assert {row.partners for row in hospital.rows(CriticalEscalation)} == {""}


# --- the table of the loop --------------------------------------------------------------------------------------------


def test_every_event_is_decided_and_nothing_moves_back() -> None:
    assert set(CRITICAL_TRANSITIONS) == set(CriticalEvent)
    for targets in CRITICAL_TRANSITIONS.values():
        assert all(target.value >= state.value for state, target in targets.items())


@pytest.mark.parametrize("event", [event for event in CriticalEvent if event.name in AckType.__members__])
def test_a_cancelled_value_takes_no_acknowledgement(event: CriticalEvent) -> None:
    assert set(CriticalStatus) - set(CRITICAL_TRANSITIONS[event]) == {CriticalStatus.CANCELLED}


def test_the_settings_and_the_loop_know_the_same_stages() -> None:
    assert set(get_args(Stage)) == {stage.value for stage in CriticalStage}
