"""What becomes of a delivery after each kind of answer, without any process running in the background."""

import dataclasses
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.delivery import redrive
from gateway.delivery.policy import LONGEST_CRITICAL_WAIT, Case, Step, decide
from gateway.model.journal import Alert
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.terms import StatusEvent, TransactionState


def attempt(site, his, behaviour: str, operation: str = "ReportStatus", **settings):
    """One attempt to deliver, with what the partner does; the delivery's id."""
    his.script.append(behaviour)
    delivery = site.put(site.forward(operation, "K1", **settings))[0]
    site.sender.attempt(delivery)
    return delivery


@pytest.mark.parametrize(
    ("operation", "behaviour", "state"),
    [
        ("ReportStatus", "ok", "DELIVERED"),
        ("ReportStatus", "http:503", "QUEUED"),
        ("ReportStatus", "close", "UNKNOWN"),
        ("ReportStatus", "hang:3", "UNKNOWN"),
        ("ReportStatus", "fault:Client/SYS-400", "DEAD"),
        ("ReportStatus", "refuse:STA-410", "DEAD"),
        ("ReportStatus", "refuse:STA-404:retryable", "QUEUED"),
        ("ReportStatus", "refuse:SYS-409", "DEAD"),
        ("ChargeItem", "ok", "DELIVERED"),
        ("ChargeItem", "http:503", "QUEUED"),
        ("ChargeItem", "lost", "UNKNOWN"),
        ("ChargeItem", "fault:Client/SYS-400", "REFUSED"),
        ("ChargeItem", "refuse:CHG-410", "REFUSED"),
        ("ChargeItem", "refuse:CHG-503:retryable", "UNKNOWN"),
        ("ChargeItem", "refuse:CHG-504:retryable", "UNKNOWN"),
        ("PushCriticalValue", "refuse:CRV-404", "DEAD"),
    ],
)
def test_every_answer_has_its_consequence(site, his, operation, behaviour, state):
    delivery = attempt(site, his, behaviour, operation)
    assert site.state(delivery) == state


def test_an_attempt_is_kept_with_its_code_and_the_partner_s_answer(site, his):
    delivery = attempt(site, his, "refuse:CHG-410", "ChargeItem")
    row = site.row(delivery)
    assert (row.attempts, row.last_code, site.codes(delivery)) == (1, "CHG-410", ["CHG-410"])
    assert "<ResultCode>CHG-410</ResultCode>" in row.answer
    assert row.finished_at is not None


@pytest.mark.parametrize(
    ("behaviour", "code", "detail"),
    [
        (
            "raw:<!DOCTYPE html><html>王机密</html>",
            "NOT-XML",
            "A web page came instead, such as one that asks for a login.",
        ),
        ("reply:<Response>王机密</Response>", "NOT-SOAP", "The root of the reply is <Response>, no SOAP envelope."),
        ("raw:", "EMPTY", "The reply has no content."),
        ("ok", "0", None),
    ],
)
def test_what_was_wrong_with_an_answer_is_kept_with_the_attempt_and_nothing_of_it(site, his, behaviour, code, detail):
    delivery = attempt(site, his, behaviour, "ChargeItem")
    with site.sessions() as session:
        query = text("SELECT code, detail FROM delivery_attempt WHERE delivery_id = :id")
        assert session.execute(query, {"id": delivery}).one() == (code, detail)


def test_a_medical_record_is_passed_on_and_not_kept(site, his):
    assert site.ask(site.forward("GetMedicalRecord", ""), keep=False).is_yes
    assert site.newest().answer is None


def test_the_partner_sees_the_same_message_id_on_every_attempt(site, his):
    delivery = attempt(site, his, "close")
    site.change(delivery, next_attempt_at=None)
    site.sender.attempt(delivery)
    assert [r.message_id for r in his.received] == [f"GW-{delivery}"] * 2
    assert site.state(delivery) == "DELIVERED"


def test_attempts_are_used_up_after_as_many_as_the_partner_s_file_says(make_site, his):
    site = make_site(his.partner("HIS", max_attempts=3))
    delivery = site.put(site.forward())[0]
    his.behave = lambda request: "http:503"
    steps = []
    for _ in range(3):
        site.change(delivery, next_attempt_at=None)
        steps.append(site.sender.attempt(delivery).verdict.step)
    assert steps == [Step.AGAIN, Step.AGAIN, Step.PARKED]
    assert site.state(delivery) == "DEAD"


def test_a_dead_letter_about_money_does_not_hold_the_visit_s_later_money(make_site, his):
    site = make_site(his.partner("HIS", max_attempts=1))
    his.script.append("http:503")
    delivery = site.put(site.forward("ChargeItem", "V1"))[0]
    assert site.sender.attempt(delivery).verdict.step is Step.DONE
    assert site.state(delivery) == "DEAD"
    assert site.ask(site.forward("ChargeItem", "V1", 2)).is_yes


def test_a_job_that_comes_too_early_waits(site, his):
    delivery = site.put(site.forward())[0]
    site.change(delivery, next_attempt_at=site.now() + timedelta(seconds=60))
    verdict = site.sender.attempt(delivery).verdict
    assert verdict.step is Step.AGAIN
    assert 55 < verdict.wait <= 60
    assert his.received == []


def test_a_job_of_a_finished_delivery_does_nothing(site, his):
    delivery = attempt(site, his, "ok")
    report = site.sender.attempt(delivery)
    assert (report.verdict.step, report.answer) == (Step.DONE, None)
    assert len(his.received) == 1


def test_a_stored_message_that_cannot_be_read_is_for_an_operator(site, his):
    delivery = site.put(site.forward())[0]
    site.change(delivery, request="<RequisitionNo>")
    assert site.sender.attempt(delivery).verdict.step is Step.PARKED
    assert (site.state(delivery), site.row(delivery).last_code) == ("DEAD", "MESSAGE")


# --- Money with a lost answer -----------------------------------------------------------------------------------------


def again(site, delivery: int):
    site.change(delivery, next_attempt_at=None)
    return site.sender.attempt(delivery)


def test_a_lost_charge_is_asked_for_and_not_charged_twice(site, his):
    delivery = attempt(site, his, "lost", "ChargeItem")
    again(site, delivery)
    assert site.state(delivery) == "DELIVERED"
    assert [r.operation for r in his.received] == ["ChargeItem", "QueryTransaction"]
    assert "<HisChargeNo>H1</HisChargeNo>" in site.row(delivery).answer


def test_a_charge_that_never_arrived_is_sent_again_under_its_number(site, his):
    delivery = attempt(site, his, "close", "ChargeItem")
    again(site, delivery)
    assert site.state(delivery) == "DELIVERED"
    assert [r.operation for r in his.received] == ["ChargeItem", "QueryTransaction", "ChargeItem"]
    assert his.received[0].message_id == his.received[2].message_id


def test_a_charge_the_partner_refused_meanwhile_is_refused(site, his):
    delivery = attempt(site, his, "close", "ChargeItem")
    his.booked["C-K1-1"] = TransactionState.REJECTED
    again(site, delivery)
    assert (site.state(delivery), site.row(delivery).last_code) == ("REFUSED", "CHG-409")


def test_an_unanswered_question_changes_nothing_and_is_asked_again(site, his):
    delivery = attempt(site, his, "lost", "ChargeItem")
    his.behave = lambda request: "http:503"
    assert [again(site, delivery).verdict.step for _ in range(20)] == [Step.AGAIN] * 20
    his.behave = lambda request: "ok"
    again(site, delivery)
    assert site.state(delivery) == "DELIVERED"
    assert len(his.sent("ChargeItem")) == 1


def test_other_messages_with_a_lost_answer_are_sent_again(site, his):
    delivery = attempt(site, his, "lost")
    again(site, delivery)
    assert [r.operation for r in his.received] == ["ReportStatus", "ReportStatus"]


# --- Registrations by which HIS charges -------------------------------------------------------------------------------


@pytest.fixture
def charging_site(make_site, his):
    """A site whose HIS charges by itself when an exam is registered."""
    return make_site(his.partner("HIS", total_seconds=2, max_attempts=3, registration_charges=True))


def registration(site, his, behaviour: str, event: StatusEvent = StatusEvent.REGISTER) -> int:
    his.script.append(behaviour)
    forward = site.forward()
    delivery = site.put(dataclasses.replace(forward, request=dataclasses.replace(forward.request, event=event)))[0]
    site.sender.attempt(delivery)
    return delivery


@pytest.mark.parametrize("event", [StatusEvent.REGISTER, StatusEvent.CANCEL_REG])
def test_a_registration_his_charges_by_is_asked_for_and_not_charged_twice(charging_site, his, event):
    delivery = registration(charging_site, his, "lost", event)
    assert charging_site.state(delivery) == "UNKNOWN"
    again(charging_site, delivery)
    assert charging_site.state(delivery) == "DELIVERED"
    assert [r.operation for r in his.received] == ["ReportStatus", "QueryTransaction"]
    question = his.received[1].request
    assert (question.queried_message_id, question.queried_operation) == (f"GW-{delivery}", "ReportStatus")
    assert "<HisChargeNo>H1</HisChargeNo>" in charging_site.row(delivery).answer


def test_a_registration_his_never_saw_is_sent_again_under_its_number(charging_site, his):
    delivery = registration(charging_site, his, "close")
    again(charging_site, delivery)
    assert charging_site.state(delivery) == "DELIVERED"
    assert [r.operation for r in his.received] == ["ReportStatus", "QueryTransaction", "ReportStatus"]
    assert his.received[0].message_id == his.received[2].message_id


def test_a_registration_is_asked_for_as_long_as_it_takes_and_alarmed(charging_site, his):
    delivery = registration(charging_site, his, "lost")
    his.behave = lambda request: "http:503"
    assert [again(charging_site, delivery).verdict.step for _ in range(10)] == [Step.AGAIN] * 10
    charging_site.change(delivery, started_at=charging_site.now() - timedelta(minutes=16))
    again(charging_site, delivery)
    assert [kind for kind, _ in alarms(charging_site)] == ["MONEY_UNKNOWN"]


def test_his_that_wants_to_be_asked_later_may_have_charged(charging_site, his):
    delivery = registration(charging_site, his, "refuse:STA-504:retryable")
    assert charging_site.state(delivery) == "UNKNOWN"


def test_an_operator_who_retries_a_lost_registration_lets_it_be_asked_for(charging_site, his):
    delivery = registration(charging_site, his, "lost")
    with charging_site.sessions.begin() as session:
        redrive.retry(session, charging_site.jobs, delivery, charging_site.now())
    charging_site.sender.attempt(delivery)
    assert [r.operation for r in his.received] == ["ReportStatus", "QueryTransaction"]


@pytest.mark.parametrize("event", [e for e in StatusEvent if e not in (StatusEvent.REGISTER, StatusEvent.CANCEL_REG)])
def test_any_other_status_is_sent_again_to_such_a_his(charging_site, his, event):
    again(charging_site, registration(charging_site, his, "lost", event))
    assert [r.operation for r in his.received] == ["ReportStatus", "ReportStatus"]


def test_a_registration_at_a_his_that_is_sent_charges_of_their_own_is_sent_again(site, his):
    again(site, registration(site, his, "lost"))
    assert [r.operation for r in his.received] == ["ReportStatus", "ReportStatus"]


# --- What follows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["ok", "http:503", "close", "refuse:CHG-410", "fault:Client"])
def test_the_operation_is_told_every_outcome(site, his, behaviour):
    attempt(site, his, behaviour, "ChargeItem")
    [(forward, answer)] = site.hooked
    assert forward == site.forward("ChargeItem", "K1")
    assert answer.code == site.newest().last_code


def test_what_follows_is_stored_together_with_the_answer_or_not_at_all(site, his):
    def fails(session, forward, answer, dispatch):
        session.execute(text("UPDATE delivery SET subject = 'changed'"))
        raise KeyError("王小明")

    site.hooks["ChargeItem"] = fails
    delivery = attempt(site, his, "ok", "ChargeItem")
    row = site.row(delivery)
    assert (row.state, row.last_code, row.subject, row.answer) == ("UNKNOWN", "INTERNAL", "K1", None)
    del site.hooks["ChargeItem"]
    again(site, delivery)
    assert site.state(delivery) == "DELIVERED"
    assert len(his.sent("ChargeItem")) == 1


# --- Alarms -----------------------------------------------------------------------------------------------------------


def alarms(site) -> list[tuple[str, str]]:
    with site.sessions() as session:
        return [(alert.kind, alert.subject) for alert in session.query(Alert).order_by(Alert.id)]


def test_a_dead_letter_is_told_to_the_people_on_duty(site, his):
    delivery = attempt(site, his, "refuse:STA-410")
    assert alarms(site) == [("DELIVERY_DEAD", f"delivery GW-{delivery}, ReportStatus to HIS, K1")]


def test_money_the_partner_calls_malformed_is_told_too(site, his):
    attempt(site, his, "fault:Client/SYS-400", "ChargeItem")
    assert [kind for kind, _ in alarms(site)] == ["MONEY_FAULT"]


def test_money_that_stays_unknown_for_a_quarter_of_an_hour_is_told_once(site, his):
    delivery = attempt(site, his, "lost", "ChargeItem")
    his.behave = lambda request: "http:503"
    again(site, delivery)
    assert alarms(site) == []
    site.change(delivery, started_at=site.now() - timedelta(minutes=16))
    again(site, delivery)
    again(site, delivery)
    assert [kind for kind, _ in alarms(site)] == ["MONEY_UNKNOWN"]


# --- Crashes and rivals -----------------------------------------------------------------------------------------------


def sending(site, operation: str, seconds_ago: float) -> int:
    """A delivery that a process which died had begun to send."""
    delivery = site.put(site.forward(operation, "K1"))[0]
    started = site.now() - timedelta(seconds=seconds_ago)
    site.change(delivery, state="SENDING", attempts=1, started_at=started)
    return delivery


def test_what_another_process_may_still_be_sending_is_left_to_it(site, his):
    delivery = sending(site, "ReportStatus", 1)
    verdict = site.sender.attempt(delivery).verdict
    assert verdict.step is Step.AGAIN
    assert 0 < verdict.wait < 10
    assert his.received == []


def test_what_a_dead_process_was_sending_is_sent_again(site, his):
    delivery = sending(site, "ReportStatus", 100)
    site.sender.attempt(delivery)
    assert (site.state(delivery), site.codes(delivery)) == ("DELIVERED", ["LOST", "0"])


def test_money_a_dead_process_was_sending_is_asked_for_first(site, his):
    delivery = sending(site, "ChargeItem", 100)
    his.booked["C-K1-1"] = TransactionState.CONFIRMED
    site.sender.attempt(delivery)
    assert site.state(delivery) == "DELIVERED"
    assert [r.operation for r in his.received] == ["QueryTransaction"]
    assert [answer.outcome for _, answer in site.hooked] == [Outcome.UNKNOWN, Outcome.ANSWERED]


def test_a_question_whose_process_died_ends_there(site, his):
    delivery = sending(site, "SubmitRequisition", 100)
    site.sender.attempt(delivery, keep=False)
    assert (site.state(delivery), site.row(delivery).last_code) == ("DISCARDED", "LOST")
    assert his.received == []


def test_a_late_answer_counts_even_if_another_process_has_taken_over(site, his):
    delivery = site.put(site.forward("ChargeItem", "K1"))[0]
    slow = site.sender._begin(delivery, True)
    site.change(delivery, state="UNKNOWN")
    verdict, _ = site.sender.conclude(slow, site.sender.call(slow))
    assert (verdict.step, site.state(delivery)) == (Step.DONE, "DELIVERED")


def test_a_late_failure_does_not_count_once_another_process_has_taken_over(site, his):
    delivery = site.put(site.forward("ChargeItem", "K1"))[0]
    slow = site.sender._begin(delivery, True)
    site.change(delivery, attempts=2)
    verdict, _ = site.sender.conclude(slow, PartnerAnswer(Outcome.NOT_SENT, "CONNECT"))
    assert (verdict.step, site.state(delivery)) == (Step.AGAIN, "SENDING")
    assert site.hooked == []


def test_an_answer_that_is_already_stored_is_not_stored_twice(site, his):
    delivery = site.put(site.forward("ChargeItem", "K1"))[0]
    work = site.sender._begin(delivery, True)
    answer = site.sender.call(work)
    site.sender.conclude(work, answer)
    site.sender.conclude(work, answer)
    assert len(site.hooked) == 1
    assert site.codes(delivery) == ["0"]


# --- When it is tried again -------------------------------------------------------------------------------------------


def wait_after(attempts: int, lane: str = "normal", **case) -> float:
    known = Case("ReportStatus", lane, attempts, 12, **case)
    return decide(known, PartnerAnswer(Outcome.NOT_SENT, "CONNECT")).wait


def test_the_waits_grow_to_a_day_in_all(monkeypatch):
    monkeypatch.undo()
    waits = [wait_after(n) for n in range(1, 12)]
    assert waits[:9] == sorted(waits[:9])
    assert 4 < waits[0] < 6
    assert 20 * 3600 < sum(waits) < 28 * 3600


def test_no_two_messages_come_back_together(monkeypatch):
    monkeypatch.undo()
    assert len({wait_after(1) for _ in range(20)}) == 20


def test_a_critical_value_never_waits_more_than_half_a_minute_and_is_never_given_up(monkeypatch):
    monkeypatch.undo()
    waits = [wait_after(n, "critical") for n in range(1, 500)]
    assert max(waits) <= LONGEST_CRITICAL_WAIT
    assert min(waits) > 0


def test_the_partner_is_asked_about_lost_money_soon_and_then_less_often(monkeypatch):
    monkeypatch.undo()
    lost = PartnerAnswer(Outcome.UNKNOWN, "TIMEOUT")
    waits = [decide(Case("ChargeItem", "normal", 40, 12, age=age), lost).wait for age in (0, 60, 600, 86400)]
    assert 4 < waits[0] < 6 < 20 < waits[1] < 60 < 200 < waits[2] < 400
    assert waits[3] < 400


def test_a_question_that_is_not_kept_ends_with_its_first_attempt():
    case = Case("SubmitRequisition", "normal", 1, 12, keep=False)
    for outcome in (Outcome.NOT_SENT, Outcome.UNKNOWN, Outcome.FAULT):
        assert decide(case, PartnerAnswer(outcome, "X")).state == "DISCARDED"
    assert decide(case, PartnerAnswer(Outcome.ANSWERED, "REQ-423")).state == "REFUSED"
