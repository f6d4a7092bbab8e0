"""A partner in the maintenance hours of its partner.toml: as in a planned maintenance, again and again."""

import time
from datetime import timedelta, timezone

import pytest

from gateway.delivery import holds
from gateway.model.delivery import Lane
from gateway.model.partner_hold import HoldMode
from gateway.operations.dispatch import Outcome
from tests.delivery.test_downtime import hold

HOURS = ("02:00-03:30",)


@pytest.fixture(autouse=True)
def _seen_at_once(monkeypatch):
    monkeypatch.setattr(holds, "GOOD_SECONDS", 0.05)
    monkeypatch.setattr(holds, "HELD_SECONDS", 0.05)


@pytest.fixture
def make_night(make_site, his, pacs):
    """A site where it is a certain time of day now."""

    def make(hour: int, minute: int):
        site = make_site(his.partner("HIS", maintenance=HOURS), pacs.partner("PACS"))
        wanted, now = timedelta(hours=hour, minutes=minute), site.now()
        passed = now - now.replace(hour=0, minute=0, second=0, microsecond=0)
        site.sender.holds._plan._zone = timezone((wanted - passed) % timedelta(days=1))
        return site

    return make


def test_during_its_hours_the_queue_waits_and_goes_on_by_itself_at_their_end(make_night, his):
    site = make_night(2, 30)
    with site.working():
        waiting = site.put(site.forward(), site.forward("ChargeItem", "V1"), site.forward(number=2))
        time.sleep(0.6)
        assert his.received == []
        assert [(site.state(one), site.row(one).attempts) for one in waiting] == [("QUEUED", 0)] * 3
        site.ahead = timedelta(hours=1)
        site.wait_until_all_is_finished()
    assert [r.request.status_seq for r in his.sent("ReportStatus")] == [1, 2]


def test_at_their_beginning_nothing_more_is_fetched(make_night, his):
    site = make_night(1, 30)
    with site.working():
        site.wait_for(site.put(site.forward(key="R1"))[0], "DELIVERED")
        site.ahead = timedelta(hours=1)
        waiting = site.put(site.forward(key="R2"))[0]
        time.sleep(0.5)
        assert site.state(waiting) == "QUEUED"


def test_other_partners_are_served_meanwhile_and_critical_values_leave(make_night, his, pacs):
    site = make_night(2, 30)
    with site.working():
        site.put(site.forward())
        site.wait_for(site.put(site.forward(to="PACS"))[0], "DELIVERED")
        site.wait_for(site.put(site.forward("PushCriticalValue", "K1", urgent=True))[0], "DELIVERED")
    assert [r.operation for r in his.received] == ["PushCriticalValue"]


def test_who_asks_during_them_is_told_at_once_and_until_when(make_night, his):
    site = make_night(2, 30)
    answer = site.ask(site.forward("ChargeItem", "V1"))
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "MAINTENANCE")
    with site.sessions() as session:
        held = site.dispatch.held(session, "HIS", urgent=False)
        assert site.dispatch.held(session, "HIS", urgent=True) is None
        assert site.dispatch.held(session, "PACS", urgent=False) is None
    plan = site.sender.holds._plan
    end = plan.of("HIS", site.now()).until
    assert (end.hour, end.minute) == (3, 30)
    assert held.words()[1] == f"HIS is in maintenance until {end.astimezone(site.settings.zone):%Y-%m-%d %H:%M}"


def test_what_an_operator_orders_adds_up_with_them(make_night):
    site = make_night(2, 30)
    assert site.sender.holds.of("HIS", Lane.NORMAL).declared_by == "partner.toml"
    hold(site, HoldMode.STOP)
    with site.sessions() as session:
        site.sender.holds.refresh(session)
    assert site.sender.holds.of("HIS", Lane.NORMAL).mode == HoldMode.STOP
    assert site.sender.holds.is_stopped("HIS")


def test_outside_them_nothing_is_held(make_night):
    site = make_night(12, 0)
    assert site.sender.holds.of("HIS", Lane.NORMAL) is None
    assert site.sender.holds.queues() == []
