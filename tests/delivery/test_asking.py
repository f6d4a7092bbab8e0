"""A question at once: answered while the caller waits, in order, within its time, and never forgotten."""

import threading
import time
from datetime import timedelta
from itertools import pairwise

import pytest

from gateway.delivery import dispatch, gate, sending
from gateway.delivery.dispatch import QueueDispatch
from gateway.operations.dispatch import Outcome
from tests.delivery.site import FAST


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch):
    monkeypatch.setattr(dispatch, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(sending, "GRACE_SECONDS", 0.2)


def told(answer) -> tuple[Outcome, str]:
    return answer.outcome, answer.code


def test_the_caller_gets_the_partner_s_answer_and_nothing_is_left_to_do(site, his):
    answer = site.ask(site.forward("ChargeItem", "V1"))
    assert answer.is_yes
    assert answer.response.his_charge_no == "H1"
    row = site.newest()
    assert (row.state, row.attempts, site.codes(row.id), site.job(row.id)) == ("DELIVERED", 1, ["0"], None)
    assert site.hooked[0][1] == answer


def test_what_was_decided_before_is_committed_before_the_partner_is_asked(site, his):
    seen = []

    def look(request) -> str:
        row = site.newest()
        seen.append((row.state, row.attempts, row.message_id == request.message_id))
        return "ok"

    his.behave = look
    site.ask(site.forward("ChargeItem", "V1"))
    assert seen == [("SENDING", 1, True)]


@pytest.mark.parametrize(
    ("behaviour", "keep", "outcome", "state"),
    [
        ("refuse:CHG-410", True, Outcome.ANSWERED, "REFUSED"),
        ("http:503", True, Outcome.NOT_SENT, "QUEUED"),
        ("lost", True, Outcome.UNKNOWN, "UNKNOWN"),
        ("http:503", False, Outcome.NOT_SENT, "DISCARDED"),
        ("lost", False, Outcome.UNKNOWN, "DISCARDED"),
        ("fault:Client", False, Outcome.FAULT, "DISCARDED"),
        ("refuse:CHG-410", False, Outcome.ANSWERED, "REFUSED"),
        ("ok", False, Outcome.ANSWERED, "DELIVERED"),
    ],
)
def test_what_was_not_answered_goes_on_only_if_it_is_kept(site, his, behaviour, keep, outcome, state):
    his.script.append(behaviour)
    assert site.ask(site.forward("ChargeItem", "V1"), keep=keep).outcome is outcome
    row = site.newest()
    assert row.state == state
    assert (site.job(row.id) is not None) == (state in ("QUEUED", "UNKNOWN"))


@pytest.mark.parametrize("behaviour", ["hang:60", "drip:0.1", "slow:60"])
def test_the_caller_never_waits_longer_than_agreed(site, his, behaviour):
    his.script.append(behaviour)
    started = time.monotonic()
    answer = site.ask(site.forward("ChargeItem", "V1"), 0.7)
    assert time.monotonic() - started < 20
    assert told(answer) == (Outcome.UNKNOWN, "TIMEOUT")


def test_a_lost_answer_is_found_in_the_background(site, his):
    his.script.append("lost")
    with site.working():
        answer = site.ask(site.forward("ChargeItem", "V1"), 1)
        assert answer.outcome is Outcome.UNKNOWN
        site.wait_until_all_is_finished()
    assert [r.operation for r in his.received] == ["ChargeItem", "QueryTransaction"]
    assert [answer.code for _, answer in site.hooked] == ["CUT-OFF", "0"]


def test_what_could_not_be_sent_is_sent_in_the_background_under_the_same_number(site, his):
    his.script.extend(["http:503", "http:503"])
    with site.working():
        site.ask(site.forward("ChargeItem", "V1"), 2)
        site.wait_until_all_is_finished()
    assert [r.behaviour for r in his.received] == ["http:503", "http:503", "ok"]
    assert len({r.message_id for r in his.received}) == 1


# --- Order ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["QUEUED", "UNKNOWN", "DEAD"])
def test_nothing_is_sent_before_what_is_stuck_ahead_of_it(site, his, state):
    before = site.put(site.forward(number=1))[0]
    site.change(before, state=state, attempts=1)
    started = time.monotonic()
    assert told(site.ask(site.forward(number=2), 60)) == (Outcome.NOT_SENT, "ORDER")
    assert time.monotonic() - started < 20
    assert his.received == []
    assert site.newest().state == "QUEUED"


def test_a_charge_that_waits_behind_another_is_known_as_not_sent(site, his):
    before = site.put(site.forward("ChargeItem", "V1", number=1))[0]
    site.change(before, state="UNKNOWN", attempts=1)
    site.ask(site.forward("ChargeItem", "V1", number=2))
    assert [told(answer) for _, answer in site.hooked] == [(Outcome.NOT_SENT, "ORDER")]


def test_a_charge_to_a_partner_that_is_left_alone_is_known_as_not_sent(site, his, monkeypatch):
    monkeypatch.setattr(gate.Gate, "enter", lambda _: "PAUSED")
    site.ask(site.forward("ChargeItem", "V1"))
    assert [told(answer) for _, answer in site.hooked] == [(Outcome.NOT_SENT, "PAUSED")]


def test_a_question_that_cannot_wait_in_the_queue_ends_when_something_is_ahead_of_it(site, his):
    before = site.put(site.forward(number=1))[0]
    site.change(before, state="UNKNOWN", attempts=1)
    assert told(site.ask(site.forward(number=2), keep=False)) == (Outcome.NOT_SENT, "ORDER")
    row = site.newest()
    assert (row.state, row.last_code, site.job(row.id)) == ("DISCARDED", "ORDER", None)


def test_two_questions_about_one_visit_follow_each_other(site, his):
    his.behave = lambda request: "slow:0.3"
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(site.ask(site.forward("ChargeItem", "V1", n))))
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.is_yes for answer in answers] == [True] * 3
    times = sorted((r.started, r.finished) for r in his.received)
    assert all(first[1] <= second[0] for first, second in pairwise(times))


def test_questions_about_different_visits_do_not_wait_for_each_other(site, his):
    his.script.append("held")
    slow = threading.Thread(target=lambda: site.ask(site.forward("ChargeItem", "V1")))
    slow.start()
    site.wait(lambda: len(his.received) == 1)
    assert site.ask(site.forward("ChargeItem", "V2")).is_yes
    assert his.received[0].finished == 0
    his.go_on.set()
    slow.join()


def test_what_is_queued_while_a_question_is_out_waits_for_its_answer(site, his):
    his.script.append("slow:1")
    with site.working():
        asking = threading.Thread(target=lambda: site.ask(site.forward(number=1)))
        asking.start()
        site.wait(lambda: len(his.received) == 1)
        site.put(site.forward(number=2))
        asking.join()
        site.wait_until_all_is_finished()
    first, second = his.received
    assert second.request.status_seq == 2
    assert second.started >= first.finished


def test_a_question_waits_for_what_was_queued_a_moment_ago(site, his):
    his.script.append("slow:0.5")
    with site.working():
        site.put(site.forward(number=1))
        assert site.ask(site.forward(number=2)).is_yes
    assert [r.request.status_seq for r in his.received] == [1, 2]


# --- A partner that does not answer -----------------------------------------------------------------------------------


def test_a_partner_that_does_not_answer_costs_callers_no_more_time(site, his, monkeypatch):
    monkeypatch.setattr(gate, "PAUSE_SECONDS", 600)
    his.behave = lambda request: "hang:60"
    for number in range(gate.FAILURES):
        site.ask(site.forward("ChargeItem", f"V{number}"), 0.6)
    assert told(site.ask(site.forward("ChargeItem", "V8"), 60)) == (Outcome.NOT_SENT, "PAUSED")
    assert (site.newest().state, len(his.received)) == ("QUEUED", gate.FAILURES)
    his.behave = lambda request: "ok"
    site.dispatch._gates["HIS"]._closed_until = time.monotonic()  # the pause is over
    assert site.ask(site.forward("ChargeItem", "V9")).is_yes
    assert site.ask(site.forward("ChargeItem", "V10")).is_yes


def test_a_partner_that_hangs_does_not_hold_every_caller(site, his, monkeypatch):
    monkeypatch.setattr(gate, "AT_ONCE", 2)
    site.dispatch = QueueDispatch(site.settings, site.sender)
    his.behave = lambda request: "hang:1"
    threads = [threading.Thread(target=lambda n=n: site.ask(site.forward(key=f"R{n}"), 1)) for n in range(2)]
    for thread in threads:
        thread.start()
    site.wait(lambda: len(his.received) == 2)
    assert told(site.ask(site.forward("GetMedicalRecord", ""), keep=False)) == (Outcome.NOT_SENT, "BUSY")
    his.behave = lambda request: "ok"
    assert site.ask(site.forward("PushCriticalValue", "K1", urgent=True)).is_yes
    for thread in threads:
        thread.join()
    assert site.ask(site.forward(key="R8")).is_yes


# --- The process that asked dies --------------------------------------------------------------------------------------


def die_while_asking(site, his, operation: str, *, keep: bool, key: str = "K1") -> int:
    """A question is out and nobody stores its outcome; the delivery."""
    his.script.append("lost")
    conclude, site.sender.conclude = site.sender.conclude, lambda *args, **keywords: (None, None)
    site.ask(site.forward(operation, key), 0.5, keep=keep)
    site.sender.conclude = conclude
    delivery = site.newest().id
    site.change(delivery, started_at=site.now() - timedelta(seconds=60))
    assert site.state(delivery) == "SENDING"
    return delivery


def test_money_is_then_asked_for_by_a_delivery_process(site, his):
    delivery = die_while_asking(site, his, "ChargeItem", keep=True)
    with site.working():
        site.wait_for(delivery, "DELIVERED")
    assert [r.operation for r in his.received] == ["ChargeItem", "QueryTransaction"]


def test_other_messages_are_then_sent_again(site, his):
    delivery = die_while_asking(site, his, "SubmitRequisition", keep=True)
    with site.working():
        site.wait_for(delivery, "DELIVERED")
    assert [r.operation for r in his.received] == ["SubmitRequisition"] * 2


def test_what_was_not_to_be_kept_is_closed_and_frees_its_lock(site, his):
    delivery = die_while_asking(site, his, "SubmitRequisition", keep=False)
    later = site.put(site.forward("SubmitRequisition", "K1", 2))[0]
    with site.working():
        site.wait_for(later, "DELIVERED")
    assert site.state(delivery) == "DISCARDED"


def test_a_question_without_order_that_nobody_waits_for_is_closed(site, his):
    delivery = die_while_asking(site, his, "GetMedicalRecord", keep=False, key="")
    site.change(delivery, started_at=site.now() - timedelta(seconds=600))
    with site.working(FAST):
        site.wait_for(delivery, "DISCARDED")
