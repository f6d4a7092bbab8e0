"""A delivery process at work: order, limits, partners that are down, and what must go on meanwhile."""

import asyncio
import random
import threading
import time
from collections import defaultdict

import psycopg

from gateway.database.embedded import libpq_url
from gateway.delivery import policy
from gateway.delivery.breaker import Breaker
from gateway.delivery.leases import shares
from gateway.delivery.owner import Timing
from gateway.model.delivery import Delivery
from gateway.operations.dispatch import Outcome, PartnerAnswer
from tests.delivery.site import FAST, number_of


def order_of(received) -> dict[str, list[int]]:
    """Of every requisition, the numbers of its messages as the partner saw them."""
    seen = defaultdict(list)
    for one in sorted(received, key=lambda r: r.started):
        seen[one.request.requisition_no].append(number_of(one.request))
    return seen


def in_flight(received) -> int:
    """The most requests the partner had at the same time."""
    moments = sorted([(r.started, 1) for r in received] + [(r.finished, -1) for r in received])
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


# --- Order ------------------------------------------------------------------------------------------------------------


def test_every_requisition_s_messages_arrive_in_order_whatever_goes_wrong(make_site, his):
    site = make_site(his.partner("HIS", total_seconds=1, concurrency=8, max_attempts=50))
    chance = random.Random(7)
    troubles = ["ok"] * 7 + ["http:503", "http:500", "close", "lost", "refuse:STA-404:retryable", "slow:0.05"]
    his.behave = lambda request: chance.choice(troubles)
    for number in range(1, 5):
        site.put(*[site.forward(key=f"R{key}", number=number) for key in range(15)])
    with site.working():
        site.wait_until_all_is_finished()
    for numbers in order_of(his.received).values():
        assert numbers == sorted(numbers)
        assert set(numbers) == {1, 2, 3, 4}


def test_the_next_message_of_a_requisition_leaves_as_soon_as_the_last_is_answered(make_site, his):
    site = make_site(his.partner("HIS"))
    with site.working(Timing(poll=300, lease=0.1)):
        site.put(site.forward(key="warm"))
        site.wait_until_all_is_finished()
        site.put(*[site.forward(number=number) for number in range(1, 9)])
        site.wait_until_all_is_finished()
    assert order_of(his.received)["R1"] == list(range(1, 9))


def test_a_message_that_never_gets_through_holds_back_only_its_own_requisition(make_site, his):
    site = make_site(his.partner("HIS", total_seconds=1, max_attempts=3))
    his.behave = lambda request: "refuse:STA-404:retryable" if request.request.requisition_no == "BAD" else "ok"
    bad, behind = site.put(site.forward(key="BAD"), site.forward(key="BAD", number=2))
    others = site.put(*[site.forward(key=f"R{key}") for key in range(20)])
    with site.working():
        site.wait(lambda: all(site.state(one) == "DELIVERED" for one in others))
        site.wait_for(bad, "DEAD")
    assert site.state(behind) == "QUEUED"
    assert site.job(bad) is not None


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_a_partner_never_gets_more_at_once_than_its_file_says(make_site, his):
    site = make_site(his.partner("HIS", concurrency=3, critical_concurrency=1))
    his.behave = lambda request: "slow:0.2"
    site.put(*[site.forward(key=f"R{key}") for key in range(30)])
    with site.working():
        site.wait_until_all_is_finished()
    assert in_flight(his.received) == 3


def test_a_partner_never_gets_more_in_a_second_than_its_file_says(make_site, his):
    site = make_site(his.partner("HIS", rate_per_second=10, concurrency=8))
    site.put(*[site.forward(key=f"R{key}") for key in range(25)])
    with site.working():
        site.wait_until_all_is_finished()
    times = sorted(r.started for r in his.received)
    assert times[-1] - times[0] > 1.2


def test_a_rate_below_one_in_a_second_is_possible(make_site, his):
    site = make_site(his.partner("HIS", rate_per_second=0.5))
    site.put(site.forward(key="R1"))
    with site.working():
        site.wait_until_all_is_finished()
    assert len(his.received) == 1


def test_a_critical_value_does_not_wait_behind_a_full_queue(make_site, his):
    site = make_site(his.partner("HIS", concurrency=1, rate_per_second=5))
    his.behave = lambda request: "slow:0.2"
    site.put(*[site.forward(key=f"R{key}") for key in range(100)])
    with site.working():
        site.wait(lambda: len(his.received) >= 2)
        critical = site.put(site.forward("PushCriticalValue", "K1", urgent=True))[0]
        site.wait_for(critical, "DELIVERED")
        assert len(his.received) < 50
        site.run_sql("DELETE FROM procrastinate_jobs WHERE status = 'todo'")


# --- Partners that are down -------------------------------------------------------------------------------------------


def test_a_partner_that_hangs_does_not_slow_another(make_site, his, pacs):
    site = make_site(his.partner("HIS", total_seconds=60), pacs.partner("PACS"))
    his.behave = lambda request: "held"
    site.put(*[site.forward(key=f"H{key}") for key in range(10)])
    with site.working():
        site.wait(lambda: len(his.received) >= 3)
        mine = site.put(*[site.forward(key=f"P{key}", to="PACS") for key in range(10)])
        site.wait(lambda: all(site.state(one) == "DELIVERED" for one in mine))
        assert not any(one.finished for one in his.received)
        his.go_on.set()
        site.wait_until_all_is_finished()


def test_a_partner_that_is_down_is_left_alone_and_then_gets_everything_in_order(make_site, his):
    site = make_site(his.partner("HIS", max_attempts=12))
    his.behave = lambda request: "http:503"
    for number in (1, 2):
        site.put(*[site.forward(key=f"R{key}", number=number) for key in range(30)])
    with site.working():
        site.wait(lambda: len(his.received) >= FAST.failures)
        began = time.monotonic()
        time.sleep(2)
        knocked, waited = len(his.received), time.monotonic() - began
        his.behave = lambda request: "ok"
        site.wait_until_all_is_finished()
    assert knocked <= FAST.failures + 4 + waited / FAST.pause + 1
    assert all(numbers == sorted(numbers) for numbers in order_of(his.received).values())


def test_a_critical_value_is_tried_again_while_all_else_waits(make_site, his):
    site = make_site(his.partner("HIS"))
    his.behave = lambda request: "http:503"
    site.put(*[site.forward(key=f"R{key}") for key in range(10)])
    with site.working(Timing(poll=0.1, lease=0.1, failures=4, pause=60)):
        site.wait(lambda: len(his.received) >= 4)
        critical = site.put(site.forward("PushCriticalValue", "K1", urgent=True))[0]
        site.wait(lambda: site.row(critical).attempts >= 3)
        assert len(his.sent("ReportStatus")) <= 8
        his.behave = lambda request: "ok"
        site.wait_until_all_is_finished()
    assert site.state(critical) == "DELIVERED"


def test_what_waited_for_an_unreachable_partner_does_not_wait_out_its_time_once_it_is_back(make_site, his, monkeypatch):
    monkeypatch.setattr(policy, "WAITS", (3600,))
    site = make_site(his.partner("HIS"))
    his.behave = lambda request: "http:503"
    waiting = site.put(site.forward(key="R1"), site.forward(key="R2"))
    with site.working():
        site.wait(lambda: all(site.row(one).attempts == 1 and site.state(one) == "QUEUED" for one in waiting))
        his.behave = lambda request: "ok"
        site.put(site.forward(key="R3"))
        site.wait_until_all_is_finished()


def test_the_database_may_be_away_for_a_moment(make_site, his):
    site = make_site(his.partner("HIS"))
    with site.working():
        site.put(site.forward(key="R1"))
        site.wait_until_all_is_finished()
        with psycopg.connect(libpq_url(site.url), autocommit=True) as other:
            for _ in range(3):
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    " AND backend_type = 'client backend'"
                )
                time.sleep(0.2)
        site.sessions.kw["bind"].dispose()
        site.put(site.forward(key="R2"))
        site.wait_until_all_is_finished()
    assert {r.request.requisition_no for r in his.received} == {"R1", "R2"}


def test_a_process_that_is_told_to_end_finishes_what_it_is_sending(make_site, his):
    site = make_site(his.partner("HIS", concurrency=2))
    his.behave = lambda request: "slow:0.8"
    site.put(*[site.forward(key=f"R{key}") for key in range(6)])
    with site.working():
        site.wait(lambda: len(his.received) == 2)
    assert len(his.received) == 2
    with site.sessions() as session:
        assert sorted(row.state for row in session.query(Delivery)) == ["DELIVERED"] * 2 + ["QUEUED"] * 4


# --- Sharing ----------------------------------------------------------------------------------------------------------


def test_partners_are_shared_fairly_and_each_has_one_owner():
    partners = [f"P{number}" for number in range(7)]
    whose = shares(partners, [11, 22, 33])
    assert set(whose) == set(partners)
    counts = [list(whose.values()).count(worker) for worker in (11, 22, 33)]
    assert max(counts) <= 3
    assert sum(counts) == 7


def test_every_process_sees_the_same_shares():
    assert shares(["A", "B", "C"], [3, 1, 2]) == shares(["C", "A", "B"], [2, 3, 1])
    assert shares(["A"], []) == {}


def test_two_processes_share_the_partners_and_the_work_goes_on_when_one_ends(make_site, his, pacs):
    site = make_site(his.partner("HIS"), pacs.partner("PACS"))
    with site.working() as first:
        site.wait(lambda: len(first._owners) == 2)
        with site.working() as second:
            site.wait(lambda: len(first._owners) == len(second._owners) == 1)
            assert set(first._owners) != set(second._owners)
            site.put(site.forward(key="R1"), site.forward(key="R2", to="PACS"))
            site.wait_until_all_is_finished()
        site.wait(lambda: len(first._owners) == 2)
        site.put(site.forward(key="R3"), site.forward(key="R4", to="PACS"))
        site.wait_until_all_is_finished()
    assert len(his.received) == len(pacs.received) == 2


# --- The breaker ------------------------------------------------------------------------------------------------------

LOST = PartnerAnswer(Outcome.UNKNOWN, "TIMEOUT")
REFUSED = PartnerAnswer(Outcome.ANSWERED, "STA-410")


def in_a_loop(check) -> None:
    async def run() -> None:
        check(Breaker(3, 60))

    asyncio.run(run())


def test_a_partner_is_left_alone_after_some_failures_in_a_row_and_only_in_a_row():
    def check(breaker):
        for answer in (LOST, LOST, REFUSED, LOST, LOST):
            breaker.record(answer)
        assert breaker.is_closed
        breaker.record(LOST)
        assert breaker.is_open

    in_a_loop(check)


def test_one_message_decides_whether_a_partner_is_back():
    def check(breaker):
        for answer, closed in ((LOST, False), (REFUSED, True)):
            for _ in range(3):
                breaker.record(LOST)
            breaker.half_open()
            breaker.record(answer)
            assert breaker.is_closed is closed
            assert breaker.is_open is not closed

    in_a_loop(check)


def test_messages_that_never_left_us_say_nothing_about_the_partner():
    def check(breaker):
        for _ in range(9):
            breaker.record(PartnerAnswer(Outcome.FAULT, "MESSAGE"))
        assert breaker.is_closed

    in_a_loop(check)


def test_a_success_on_the_critical_lane_ends_the_pause():
    def check(breaker):
        for _ in range(3):
            breaker.record(LOST)
        breaker.record(REFUSED)
        assert breaker.is_closed
        assert breaker.changed.is_set()

    in_a_loop(check)


def test_many_threads_may_queue_while_a_process_delivers(make_site, his):
    site = make_site(his.partner("HIS", concurrency=8, rate_per_second=500))
    with site.working():
        threads = [
            threading.Thread(target=lambda n=n: [site.dispatch_one(f"T{n}", m) for m in range(1, 6)]) for n in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        site.wait_until_all_is_finished()
    assert all(numbers == [1, 2, 3, 4, 5] for numbers in order_of(his.received).values())
