"""No notice is lost: not by a channel that is away, not by a process that dies, and none is told twice by accident."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from building import TEN, acknowledgement, minutes, push
from gateway.config import Rules
from gateway.critical_rules import CriticalLevel, CriticalRules, WebhookNotifier
from gateway.model.critical_value import CriticalEscalation, Notification
from gateway.notifiers.notice import Notice, NotTaken
from gateway.notifiers.queue import NotificationQueue, make_notifier
from gateway.operations.overdue import Escalation
from gateway.terms import AckType
from hospital import WIRE, Hospital
from tests.notifiers.receivers import WebReceiver

RULES = Rules(
    critical=CriticalRules(
        chain=(CriticalLevel(stage="RECEIVE", level=1, receivers=("WARD", "REPORTER"), notifiers=("duty",)),)
    )
)


class Deaf:
    """A channel that takes nothing, or whose process dies."""

    def __init__(self, problem: BaseException) -> None:
        self.problem = problem
        self.heard: list[Notice] = []

    def send(self, notice: Notice) -> None:
        self.heard.append(notice)
        raise self.problem


def escalate(hospital: Hospital, after: float = 10) -> None:
    hospital.clock.now = TEN + minutes(after)
    Escalation(hospital.sessions, hospital.dispatch, WIRE, RULES).run(hospital.clock.now)


def queue(hospital: Hospital, channel: WebReceiver | Deaf) -> NotificationQueue:
    deaf = isinstance(channel, Deaf)
    notifier = channel if deaf else make_notifier(WebhookNotifier(kind="webhook", name="duty", url=channel.url))
    return NotificationQueue("duty", notifier, hospital.sessions, hospital.clock)


def test_an_escalation_reaches_the_channel_without_saying_who_the_patient_is(ward: Hospital, web: WebReceiver) -> None:
    escalate(ward, 12.5)
    assert queue(ward, web).run() == 1
    ((_, body),) = web.received
    told = json.loads(body)
    assert (told["critical_id"], told["source"], told["stage"]) == ("WJZ1", "放射", "RECEIVE")
    assert (told["ward"], told["bed"], told["late_minutes"]) == ("W2001", "加12", 2.5)
    assert told["receivers"] == ["W2001", "R0345"]
    text = body.decode()
    assert not [word for word in ("王", "祥", "P1", "栓塞", "充盈") if word in text]
    row = ward.row(Notification)
    assert (row.last_code, row.next_attempt_at, row.attempts) == ("TAKEN", None, 1)


def test_what_is_taken_is_not_told_again(ward: Hospital, web: WebReceiver) -> None:
    escalate(ward)
    queue(ward, web).run()
    ward.clock.now += timedelta(days=2)
    assert queue(ward, web).run() == 0
    assert len(web.received) == 1


def test_a_channel_that_is_away_is_tried_again_until_it_takes_it(ward: Hospital, web: WebReceiver) -> None:
    escalate(ward)
    web.script += ["500", "close", "503"]
    for seconds in (0, 4, 1, 15, 60):
        ward.clock.now += timedelta(seconds=seconds)
        queue(ward, web).run()
    row = ward.row(Notification)
    assert (row.attempts, row.last_code, len(web.received)) == (4, "TAKEN", 4)
    assert {json.loads(body)["notice"] for _, body in web.received} == {f"GW-N{row.id}"}
    assert ward.alerts() == ["CRITICAL_NOT_RECEIVED", "NOTICE_NOT_TAKEN"]


def test_a_process_that_dies_while_it_tells_leaves_it_to_another(ward: Hospital, web: WebReceiver) -> None:
    escalate(ward)
    with pytest.raises(KeyboardInterrupt):
        queue(ward, Deaf(KeyboardInterrupt())).run()
    assert queue(ward, web).run() == 0
    ward.clock.now += minutes(2)
    assert queue(ward, web).run() == 1


def test_before_the_first_attempt_it_is_there_with_the_escalation(ward: Hospital) -> None:
    escalate(ward)
    row = ward.row(Notification)
    assert (row.escalation_id, row.attempts) == (ward.row(CriticalEscalation).id, 0)


def test_many_processes_tell_each_notice_once(ward: Hospital, web: WebReceiver) -> None:
    for number in range(2, 12):
        ward.send(push(f"WJZ{number}"))
    escalate(ward)
    with ThreadPoolExecutor(6) as processes:
        taken = list(processes.map(lambda _: queue(ward, web).run(), range(6)))
    assert (sum(taken), len(web.received)) == (11, 11)


def test_a_notice_is_told_although_the_value_was_handled_meanwhile(ward: Hospital, web: WebReceiver) -> None:
    escalate(ward)
    ward.send(acknowledgement(kind=AckType.HANDLE))
    assert queue(ward, web).run() == 1


def test_after_a_day_it_is_given_up_with_an_alert(ward: Hospital) -> None:
    escalate(ward)
    channel = Deaf(NotTaken("HTTP-500"))
    queue(ward, channel).run()
    ward.clock.now += timedelta(days=1, minutes=1)
    queue(ward, channel).run()
    row = ward.row(Notification)
    assert (row.next_attempt_at, row.sent_at, row.last_code) == (None, None, "HTTP-500")
    assert ward.alerts()[-1] == "NOTICE_GIVEN_UP"


def test_another_channels_notices_are_left_alone(ward: Hospital, web: WebReceiver) -> None:
    escalate(ward)
    other = NotificationQueue("mail", Deaf(NotTaken("X")), ward.sessions, ward.clock)
    assert other.run() == 0
    assert queue(ward, web).run() == 1
