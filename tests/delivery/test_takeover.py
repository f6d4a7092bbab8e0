"""Delivery processes that die: nothing is lost, order is kept, another process goes on within seconds."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.delivery import dispatch, sending
from gateway.delivery.leases import OWNER, owners
from tests.delivery.site import FAST, number_of

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def process(site) -> Iterator[subprocess.Popen]:
    """A delivery process that is up."""
    partners = json.dumps([json.loads(partner.model_dump_json()) for partner in site.settings.partners])
    command = [sys.executable, "-m", "tests.delivery.worker_process", site.url, partners]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout.readline() == "ready\n"
        yield running
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def test_when_the_process_in_charge_is_killed_another_goes_on_and_nothing_is_lost(make_site, his):
    site = make_site(his.partner("HIS", total_seconds=1, concurrency=6, max_attempts=50))
    his.behave = lambda request: "slow:0.04"
    keys = [f"R{number}" for number in range(24)]
    with process(site) as first, process(site) as second:
        for number in (1, 2, 3):
            site.put(*[site.forward(key=key, number=number) for key in keys])
        site.wait(lambda: len(his.received) > 12)
        victim = next(one for one in (first, second) if one.pid == owner_of_the_partner(site))
        victim.kill()
        at = time.time()
        site.wait_until_all_is_finished()
    seen, ids = defaultdict(list), Counter(r.message_id for r in his.received)
    for one in sorted(his.received, key=lambda r: r.started):
        seen[one.request.requisition_no].append(number_of(one.request))
    assert all(sorted(set(numbers)) == [1, 2, 3] for numbers in seen.values())
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    assert sum(count - 1 for count in ids.values()) <= 6
    assert min(r.started for r in his.received if r.started > at + 0.2) < at + 30


def owner_of_the_partner(site) -> int:
    """The process that has the lock of the one partner."""
    query = (
        "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND classid = :owner AND granted AND datname = current_database()"
    )
    with site.sessions() as session:
        name = session.execute(text(query), {"owner": OWNER}).scalar_one()
    return int(name.rpartition("-")[2])


def test_what_was_committed_when_the_gateway_died_before_it_sent_leaves_once_when_it_is_back(make_site, his):
    """Edge case 44: killed between commit and send. With real kills of all processes: `make chaos`."""
    delivery = make_site(his.partner("HIS")).put(make_site(his.partner("HIS")).forward())[0]
    assert his.received == []
    back = make_site(his.partner("HIS"))
    with back.working():
        back.wait_for(delivery, "DELIVERED")
    assert len(his.received) == 1


def test_a_process_that_is_told_to_end_ends_by_itself(make_site, his):
    site = make_site(his.partner("HIS"))
    his.behave = lambda request: "slow:0.5"
    with process(site) as running:
        delivery = site.put(site.forward())[0]
        site.wait(lambda: len(his.received) == 1)
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
        assert running.stdout.readline() == "ended\n"
    assert site.state(delivery) == "DELIVERED"


def test_what_a_killed_process_had_fetched_is_sent_at_once_by_the_next(make_site, his):
    """Not when its heartbeat is missed: whoever holds the lease knows that nobody else is at work."""
    site = make_site(his.partner("HIS", rate_per_second=0.1, concurrency=6))
    slow = replace(FAST, stalled=600)
    with process(site) as first:
        site.put(*[site.forward(key=f"R{key}") for key in range(8)])
        site.wait(lambda: site.count_jobs("doing") >= 5 and site.unfinished() == 7)
        first.kill()
        first.wait()
        at = time.time()
        site.settings = site.settings.model_copy(update={"partners": (his.partner("HIS", concurrency=6),)})
        with site.working(slow):
            site.wait_until_all_is_finished()
    assert max(r.started for r in his.received) < at + 60
    assert Counter(r.message_id for r in his.received).most_common(1)[0][1] == 1


def test_jobs_that_are_being_run_are_not_taken_from_oneself(make_site, his):
    site = make_site(his.partner("HIS", concurrency=3))
    his.behave = lambda request: "slow:1.2"
    site.put(*[site.forward(key=f"R{key}") for key in range(3)])
    with site.working(replace(FAST, recovery=0.05)):
        site.wait_until_all_is_finished()
    assert len(his.received) == 3
    with site.sessions() as session:
        assert session.execute(text("SELECT max(attempts) FROM delivery")).scalar() == 1


def test_a_question_whose_process_died_is_taken_up_when_nobody_can_be_waiting_for_it_any_more(
    make_site, his, monkeypatch
):
    """Not only after the time a queued message may take: nobody asks longer than the caller waits."""
    monkeypatch.setattr(sending, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(dispatch, "GRACE_SECONDS", 0.3)
    site = make_site(his.partner("HIS", total_seconds=60), sync_seconds=1)
    monkeypatch.setattr(site.sender, "conclude", lambda *_, **__: pytest.fail("the process has died"))
    his.script.append("lost")
    with pytest.raises(BaseException, match="died"):
        site.ask(site.forward(), 1)
    at = time.monotonic()
    asked = site.newest().id
    assert site.state(asked) == "SENDING"
    monkeypatch.undo()
    with site.working():
        site.wait_for(asked, "DELIVERED")
    assert 0.5 < time.monotonic() - at < 45


def test_a_new_owner_does_not_leave_waiting_for_hours_what_the_former_one_could_not_send(make_site, his):
    site = make_site(his.partner("HIS"))
    his.script.append("http:503")
    waiting = site.put(site.forward(key="R1"))[0]
    site.sender.attempt(waiting)
    site.run_sql("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '8 hours'")
    site.change(waiting, next_attempt_at=site.now() + timedelta(hours=8))
    with site.working():
        site.put(site.forward(key="R2"))
        site.wait_until_all_is_finished()


def test_a_partner_is_handed_over_at_once_though_it_is_slow_and_keeps_its_order(make_site, his, pacs):
    site = make_site(his.partner("HIS", total_seconds=60), pacs.partner("PACS"))
    his.behave = lambda request: "held"
    with site.working() as one, site.working() as other:
        site.wait(lambda: len(one._owners) == len(other._owners) == 1)
        leaving = one if "HIS" in one._owners else other
        before = served(site)["HIS"]
        slow = site.put(site.forward(key="R1"))[0]
        site.wait(lambda: len(his.received) == 1)
        his.behave = lambda request: "ok"
        leaving.stop()
        site.wait(lambda: served(site).get("HIS", before) != before)
        (quick,) = site.put(site.forward(key="R2"))
        (after_it,) = site.put(site.forward(key="R1", number=2))
        site.wait_for(quick, "DELIVERED")
        assert [site.state(slow), site.state(after_it)] == ["SENDING", "QUEUED"]
        his.go_on.set()
        site.wait_until_all_is_finished()
    assert [number_of(one.request) for one in his.received if one.request.requisition_no == "R1"] == [1, 2]


def served(site) -> dict[str, int]:
    with site.sessions() as session:
        return owners(session, ["HIS", "PACS"])


def test_one_can_see_who_serves_a_partner(make_site, his):
    site = make_site(his.partner("HIS"))
    with site.working() as worker:
        site.wait(lambda: worker._owners)
        assert list(served(site)) == ["HIS"]
    assert served(site) == {}
