"""A critical value leaves within five seconds, whatever else waits for the partner and whether that answers or not."""

import time

import pytest

from gateway.delivery import policy
from tests.delivery.site import FAST, Site
from tests.partners.fake_partner import FakePartner

WITHIN = 5.0


def queue_up(site: Site, count: int) -> None:
    """So many deliveries to HIS, each about a requisition of its own."""
    for first in range(0, count, 1000):
        site.put(*[site.forward(key=f"R{key}") for key in range(first, min(first + 1000, count))])


def seconds_to_leave(site: Site, his: FakePartner, key: str) -> float:
    """From the moment a critical value is queued until HIS has it before it."""
    begun = time.time()
    site.put(site.forward("PushCriticalValue", key, urgent=True))
    site.wait(lambda: any(one.request.critical_id == key for one in his.sent("PushCriticalValue")))
    return next(one.started for one in his.sent("PushCriticalValue") if one.request.critical_id == key) - begun


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
def test_a_critical_value_overtakes_everything_that_waits_for_the_partner(
    make_site, his: FakePartner, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    site = make_site(his.partner("HIS"))
    queue_up(site, count)
    with site.working(FAST):
        site.wait(lambda: len(his.received) >= 20)
        took = [seconds_to_leave(site, his, f"K{number}") for number in range(5)]
        waiting = site.unfinished()
        site.run_sql("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    with capsys.disabled():
        print(f"\n  {waiting} deliveries wait: a critical value leaves after {max(took):.2f} s at most")
    assert waiting > count / 2
    assert max(took) < WITHIN


def test_it_is_tried_at_once_and_again_while_the_partner_is_left_alone(
    make_site, his: FakePartner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "LONGEST_CRITICAL_WAIT", 0.4)
    site = make_site(his.partner("HIS", total_seconds=1))
    his.behave = lambda request: "http:503"
    queue_up(site, 300)
    with site.working(FAST):
        site.wait(lambda: len(his.received) >= FAST.failures)
        site.wait(lambda: _is_quiet(his))
        assert seconds_to_leave(site, his, "K1") < WITHIN
        site.wait(lambda: len(his.sent("PushCriticalValue")) >= 4)
        his.behave = lambda request: "ok"
        back = time.monotonic()
        site.wait(lambda: site.codes(_newest(site))[-1:] == ["0"])
        assert time.monotonic() - back < WITHIN
        site.run_sql("DELETE FROM procrastinate_jobs WHERE status = 'todo'")


def test_a_partner_that_is_away_is_asked_for_critical_values_every_half_minute_at_least() -> None:
    waits = [
        policy.decide(
            policy.Case("PushCriticalValue", "critical", attempts, max_attempts=3),
            policy.PartnerAnswer(policy.Outcome.NOT_SENT, "CONNECT"),
        ).wait
        for attempts in range(1, 200)
    ]
    assert max(waits) <= 30


def _is_quiet(his: FakePartner) -> bool:
    """Nothing has come for a while: the partner is left alone."""
    return time.time() - his.received[-1].started > FAST.pause / 2


def _newest(site: Site) -> int:
    return site.newest().id
