"""A partner that an operator holds: what waits, what still leaves, who is told, and how it ends."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.delivery import holds
from gateway.delivery.holds import HoldRefused
from gateway.model.delivery import Lane
from gateway.model.journal import Alert
from gateway.model.partner_hold import HoldMode
from gateway.operations.dispatch import Outcome
from gateway.operations.insurance_books import InsuranceUnavailable
from tests.delivery.site import FAST

MODES = list(HoldMode)


def hold(site, mode=HoldMode.MAINTENANCE, partner="HIS", **times):
    """What an operator orders, in effect or planned."""
    with site.sessions.begin() as session:
        order = holds.declare(session, partner, mode, "new version", "terminal:op", site.now(), **times)
    time.sleep(0.12)  # until every process knows
    return order


def release(site, partner="HIS"):
    with site.sessions.begin() as session:
        return holds.release(session, partner, "terminal:op", site.now())


def alerts(site, kind):
    with site.sessions() as session:
        return [alert.subject for alert in session.query(Alert).filter_by(kind=kind)]


@pytest.fixture(autouse=True)
def _seen_at_once(monkeypatch):
    """So that a test need not wait a second for each order."""
    monkeypatch.setattr(holds, "GOOD_SECONDS", 0.05)
    monkeypatch.setattr(holds, "HELD_SECONDS", 0.05)


# --- what waits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_what_is_queued_for_a_held_partner_waits_without_an_attempt_and_leaves_after(site, his, mode):
    hold(site, mode)
    with site.working():
        waiting = site.put(site.forward(), site.forward("ChargeItem", "V1"), site.forward(number=2))
        time.sleep(0.6)
        assert his.received == []
        assert [(site.state(one), site.row(one).attempts) for one in waiting] == [("QUEUED", 0)] * 3
        release(site)
        site.wait_until_all_is_finished()
    assert [r.request.status_seq for r in his.sent("ReportStatus")] == [1, 2]


@pytest.mark.parametrize("mode", MODES)
def test_an_order_stops_a_delivery_under_way_but_not_the_message_that_is_being_sent(make_site, his, mode):
    site = make_site(his.partner("HIS", concurrency=2, total_seconds=60))
    his.behave = lambda request: "held"
    sent = site.put(*[site.forward(key=f"R{key}") for key in range(20)])
    with site.working():
        site.wait(lambda: len(his.received) == 2)
        hold(site, mode)
        his.go_on.set()
        site.wait(lambda: [site.state(one) for one in sent].count("DELIVERED") == 2)
        time.sleep(0.6)
        assert len(his.received) == 2
        assert [site.state(one) for one in sent].count("QUEUED") == 18


def test_other_partners_are_served_meanwhile(make_site, his, pacs):
    site = make_site(his.partner("HIS"), pacs.partner("PACS"))
    hold(site)
    with site.working():
        site.put(site.forward())
        mine = site.put(site.forward(to="PACS"))[0]
        site.wait_for(mine, "DELIVERED")
    assert his.received == []


@pytest.mark.parametrize("mode", [HoldMode.MAINTENANCE, HoldMode.HOLD])
def test_critical_values_are_tried_during_a_downtime(site, his, mode):
    hold(site, mode)
    with site.working():
        site.put(site.forward())
        site.wait_for(site.put(site.forward("PushCriticalValue", "K1", urgent=True))[0], "DELIVERED")
    assert site.ask(site.forward("PushCriticalValue", "K2", urgent=True)).is_yes
    assert [r.operation for r in his.received] == ["PushCriticalValue"] * 2


def test_after_a_stop_nothing_leaves_and_every_critical_value_alarms_at_once(site, his):
    waiting = site.put(site.forward("PushCriticalValue", "K1", urgent=True))[0]
    hold(site, HoldMode.STOP)
    assert alerts(site, "CRITICAL_STOPPED") == ["PushCriticalValue to HIS, K1: sending is stopped, telephone"]
    with site.working():
        site.put(site.forward("PushCriticalValue", "K2", urgent=True))
        answer = site.ask(site.forward("PushCriticalValue", "K3", urgent=True))
        time.sleep(0.5)
        assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "STOP")
        assert his.received == []
        assert [subject.split(":")[0][-2:] for subject in alerts(site, "CRITICAL_STOPPED")] == ["K1", "K2", "K3"]
        site.change(site.newest().id, next_attempt_at=None)
        site.run_sql("UPDATE procrastinate_jobs SET scheduled_at = NULL")
        release(site)
        site.wait_until_all_is_finished()
    assert site.row(waiting).attempts == 1
    assert len(his.received) == 3


def test_a_critical_value_that_came_before_a_stop_was_known_everywhere_alarms_once_too(site, his, monkeypatch):
    with site.working():
        hold(site, HoldMode.STOP)
        with site.sessions.begin() as session, monkeypatch.context() as patch:
            patch.setattr(site.dispatch, "held", lambda *_, **__: None)  # a web process that does not know yet
            site.dispatch.enqueue(session, [site.forward("PushCriticalValue", "K1", urgent=True)])
        site.wait(lambda: len(alerts(site, "CRITICAL_STOPPED")) == 1)
        site.run_sql("UPDATE alert SET settled_at = now()")
        time.sleep(3 * FAST.recovery)
    assert len(alerts(site, "CRITICAL_STOPPED")) == 1
    assert his.received == []


def test_after_a_stop_a_partner_is_not_even_asked_about_the_past(site, his):
    lost = site.put(site.forward("ChargeItem", "V1"))[0]
    site.change(lost, state="UNKNOWN", attempts=1, started_at=site.now())
    hold(site, HoldMode.STOP)
    with site.working():
        time.sleep(0.4)
    stamp = None
    with site.sessions() as session:
        site.sender.holds.refresh(session)
    found = site.partners.find_booking("HIS", "ChargeItem", site.forward("ChargeItem", "V1").request, stamp)
    assert (found.outcome, found.code) == (Outcome.UNKNOWN, "STOP")
    assert his.received == []


def test_after_a_stop_an_insurance_platform_does_not_tell_its_books():
    from gateway.partners.registry import _Stopped

    for question in (_Stopped().insurance_totals, _Stopped().insurance_details):
        with pytest.raises(InsuranceUnavailable):
            question(None)


# --- who is told ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("keep", [True, False])
def test_a_question_is_answered_at_once_and_not_sent(site, his, mode, keep):
    hold(site, mode)
    begun = time.monotonic()
    answer = site.ask(site.forward("ChargeItem", "V1"), 60, keep=keep)
    assert time.monotonic() - begun < 20
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, mode)
    assert his.received == []
    row = site.newest()
    assert (row.state, row.attempts) == ("QUEUED" if keep else "DISCARDED", 0)
    assert (site.job(row.id) is not None) is keep
    assert [answer.code for _, answer in site.hooked] == ([mode] if keep else [])


def test_what_was_asked_during_a_downtime_is_booked_after_it(site, his):
    hold(site)
    site.ask(site.forward("ChargeItem", "V1"))
    with site.working():
        time.sleep(0.2)
        release(site)
        site.change(site.newest().id, next_attempt_at=None)
        site.run_sql("UPDATE procrastinate_jobs SET scheduled_at = NULL")
        site.wait_until_all_is_finished()
    assert [r.operation for r in his.received] == ["ChargeItem"]


@pytest.mark.parametrize("mode", MODES)
def test_the_words_for_a_caller_name_the_end_in_hospital_time(site, mode):
    until = None if mode is HoldMode.STOP else site.now() + timedelta(hours=1)
    hold(site, mode, until=until)
    with site.sessions() as session:
        held = site.dispatch.held(session, "HIS", urgent=False)
        assert (site.dispatch.held(session, "HIS", urgent=True) is not None) is (mode is HoldMode.STOP)
        assert site.dispatch.held(session, "PACS", urgent=False) is None
    zh, en = held.words()
    shown = f"{until.astimezone(site.settings.zone):%Y-%m-%d %H:%M}" if until else ""
    assert zh.startswith("HIS ")
    assert (zh.endswith(f"至 {shown}"), en.endswith(f"until {shown}")) == ((True, True) if until else (False, False))


# --- when ------------------------------------------------------------------------------------------------------------


def test_a_planned_maintenance_begins_and_ends_by_the_clock(site, his):
    begin = site.now() + timedelta(hours=1)
    hold(site, starts_at=begin, until=begin + timedelta(hours=1))
    with site.working():
        site.wait_for(site.put(site.forward(key="R1"))[0], "DELIVERED")
        site.ahead = timedelta(hours=1.5)
        waiting = site.put(site.forward(key="R2"))[0]
        time.sleep(0.6)
        assert site.state(waiting) == "QUEUED"
        site.ahead = timedelta(hours=2)
        site.wait_for(waiting, "DELIVERED")
        site.wait(lambda: _open(site) == 0)
    assert alerts(site, "PARTNER_NOT_BACK") == []


def test_when_the_time_is_over_and_the_partner_does_not_answer_somebody_is_told_once(site, his):
    his.behave = lambda request: "http:503"
    hold(site, until=site.now() + timedelta(minutes=5))
    site.ahead = timedelta(minutes=5)
    with site.working():
        site.put(*[site.forward(key=f"R{key}") for key in range(8)])
        site.wait(lambda: alerts(site, "PARTNER_NOT_BACK") != [])
        time.sleep(FAST.pause * 2)
    assert alerts(site, "PARTNER_NOT_BACK") == [
        "partner HIS: the time set for its downtime is over and it does not answer"
    ]
    assert _open(site) == 0


def test_a_single_message_that_fails_twice_is_enough_to_tell(site, his):
    his.behave = lambda request: "http:503"
    hold(site, until=site.now() + timedelta(minutes=5))
    site.ahead = timedelta(minutes=5)
    with site.working(replace(FAST, failures=50)):
        site.put(site.forward())
        site.wait(lambda: alerts(site, "PARTNER_NOT_BACK") != [])
    assert len(his.received) < 10


def _open(site) -> int:
    with site.sessions() as session:
        return len(holds.open_holds(session))


def test_the_strictest_of_several_orders_counts_and_of_equal_ones_the_last_to_end(site):
    soon, late = (site.now() + timedelta(minutes=minutes) for minutes in (5, 50))
    hold(site, HoldMode.HOLD)
    hold(site, HoldMode.MAINTENANCE, until=late)
    hold(site, HoldMode.MAINTENANCE, until=soon)
    with site.sessions() as session:
        site.sender.holds.refresh(session)
    assert site.sender.holds.of("HIS", Lane.NORMAL).until == late
    assert site.sender.holds.of("HIS", Lane.CRITICAL) is None
    hold(site, HoldMode.STOP)
    time.sleep(0.06)
    with site.sessions() as session:
        site.sender.holds.refresh(session)
    assert site.sender.holds.of("HIS", Lane.NORMAL).mode == HoldMode.STOP
    assert len(release(site)) == 4


def test_the_last_known_orders_count_while_the_database_is_away(site):
    hold(site)
    with site.sessions() as session:
        site.sender.holds.refresh(session)
    time.sleep(0.06)
    with site.sessions() as session:
        session.execute(text("SET LOCAL statement_timeout = 1"))
        with pytest.raises(Exception, match="timeout"):
            session.execute(text("SELECT pg_sleep(1)"))
        with pytest.raises(Exception, match="aborted"):
            site.sender.holds.refresh(session)
    assert site.sender.holds.of("HIS", Lane.NORMAL) is not None


def test_the_database_is_asked_once_a_second_and_not_for_every_message(site, monkeypatch):
    monkeypatch.setattr(holds, "GOOD_SECONDS", 60)
    asked = []
    monkeypatch.setattr(holds, "open_holds", lambda session: asked.append(1) or [])
    for key in range(20):
        with site.sessions.begin() as session:
            site.dispatch.held(session, "HIS", urgent=False)
            site.dispatch.enqueue(session, [site.forward(key=f"R{key}")])
    assert len(asked) == 1


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "begin", "end", "why"),
    [
        (HoldMode.MAINTENANCE, None, -60, "It cannot end in the past."),
        (HoldMode.HOLD, -60, None, "It cannot begin in the past."),
        (HoldMode.HOLD, 120, 60, "It must end after it begins."),
        (HoldMode.STOP, None, 60, "A stop begins at once"),
        (HoldMode.STOP, 60, None, "A stop begins at once"),
    ],
)
def test_an_order_that_cannot_be_is_refused(site, mode, begin, end, why):
    times = {
        name: site.now() + timedelta(seconds=seconds)
        for name, seconds in (("starts_at", begin), ("until", end))
        if seconds is not None
    }
    with pytest.raises(HoldRefused, match=why):
        hold(site, mode, **times)
    assert _open(site) == 0


def test_an_order_says_why(site):
    with site.sessions.begin() as session, pytest.raises(HoldRefused, match="must say why"):
        holds.declare(session, "HIS", HoldMode.STOP, "  ", "terminal:op", site.now())


def test_what_is_not_held_cannot_be_released(site):
    with pytest.raises(HoldRefused, match="HIS is not held"):
        release(site)
    hold(site, until=site.now() + timedelta(minutes=5))
    site.ahead = timedelta(minutes=5)
    with pytest.raises(HoldRefused, match="HIS is not held"):
        release(site)


def test_a_release_ends_what_is_in_effect_and_leaves_what_is_planned(site):
    hold(site, HoldMode.MAINTENANCE, starts_at=site.now() + timedelta(hours=1))
    hold(site, HoldMode.STOP)
    assert [one.mode for one in release(site)] == ["STOP"]
    assert [one.mode for one in release(site)] == ["MAINTENANCE"]
    assert _open(site) == 0
