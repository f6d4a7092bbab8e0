"""Slots, rate and breaker of a partner live in its one owner: they hold for the whole site, also while it changes."""

import time

import psycopg
import pytest
from sqlalchemy import text

from gateway.database.embedded import libpq_url
from gateway.delivery.leases import LIVE, OWNER, PAUSED, number_of
from gateway.delivery.owner import Timing
from gateway.model.delivery import Delivery


def in_flight(received) -> int:
    """The most requests the partner had at the same time."""
    moments = sorted([(r.started, 1) for r in received] + [(r.finished, -1) for r in received])
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def holders(site, kind: int) -> list[int]:
    """The numbers of the locks of a kind that are held in this database, once for each that holds one."""
    query = text(
        "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = :kind AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with site.sessions() as session:
        return list(session.scalars(query, {"kind": kind}))


def test_a_partner_never_gets_more_at_once_than_its_file_says_while_its_owner_changes(make_site, his, pacs):
    site = make_site(his.partner("HIS", concurrency=2, critical_concurrency=1), pacs.partner("PACS", concurrency=2))
    his.behave = pacs.behave = lambda request: "slow:0.1"
    for key in range(60):
        site.put(site.forward(key=f"R{key}"), site.forward(key=f"P{key}", to="PACS"))
    with site.working():
        site.wait(lambda: len(his.received) > 5)
        with site.working():  # one of the two partners moves there, and back
            site.wait(lambda: len(holders(site, LIVE)) == 2)
            time.sleep(0.5)
        site.wait_until_all_is_finished()
    assert (in_flight(his.received), in_flight(pacs.received)) == (2, 2)
    assert len(his.received) == len(pacs.received) == 60


def test_while_the_breaker_is_open_nothing_is_fetched_and_no_attempt_is_used_up(make_site, his):
    site = make_site(his.partner("HIS", concurrency=4))
    his.behave = lambda request: "http:503"
    site.put(*[site.forward(key=f"R{key}") for key in range(30)])
    with site.working(Timing(poll=0.05, lease=0.1, failures=4, pause=60)):
        site.wait(lambda: len(his.received) >= 4)
        site.wait(lambda: holders(site, PAUSED) and site.count_jobs("doing") == 0)
        knocked = len(his.received)
        with site.sessions() as session:
            jobs = session.execute(
                text("SELECT sum(attempts), bool_and(status = 'todo') FROM procrastinate_jobs")
            ).one()
        time.sleep(1)
        assert len(his.received) == knocked <= 4 + 3  # what was in the other slots
        with site.sessions() as session:
            again = session.execute(
                text("SELECT sum(attempts), bool_and(status = 'todo') FROM procrastinate_jobs")
            ).one()
            used = sum(row.attempts for row in session.query(Delivery))
        assert tuple(again) == tuple(jobs) == (again[0], True)
        assert used == knocked


def test_a_half_open_breaker_tries_one_message_and_waits_for_what_becomes_of_it(make_site, his):
    site = make_site(his.partner("HIS", concurrency=8, total_seconds=5))
    his.behave = lambda request: "http:503"
    site.put(*[site.forward(key=f"R{key}") for key in range(40)])
    with site.working(Timing(poll=0.05, lease=0.1, failures=4, pause=0.3)):
        site.wait(lambda: len(his.received) >= 4)
        time.sleep(0.5)
        his.behave = lambda request: "slow:0.4"
        site.wait_until_all_is_finished()
    probe, *others = sorted((r for r in his.received if r.behaviour == "slow:0.4"), key=lambda r: r.started)
    assert min(r.started for r in others) >= probe.finished
    assert in_flight(others) > 1


def test_everybody_can_see_who_serves_a_partner_and_that_it_is_left_alone(make_site, his):
    site = make_site(his.partner("HIS"))
    his.behave = lambda request: "http:503"
    site.put(*[site.forward(key=f"R{key}") for key in range(8)])
    with site.working(Timing(poll=0.05, lease=0.1, failures=3, pause=0.5)):
        site.wait(lambda: holders(site, PAUSED) == [number_of("HIS")])
        assert holders(site, OWNER) == [number_of("HIS")]
        his.behave = lambda request: "ok"
        site.wait(lambda: holders(site, PAUSED) == [])
        site.wait_until_all_is_finished()
    assert holders(site, OWNER) == holders(site, LIVE) == []


@pytest.mark.parametrize("partners", [1, 5])
def test_a_process_that_has_lost_its_lease_gets_a_new_one_and_serves_on(make_site, his, partners):
    site = make_site(*[his.partner(f"P{number}") for number in range(partners)])
    with site.working() as worker:
        site.wait(lambda: len(worker._owners) == partners)
        lost = holders(site, LIVE)
        with psycopg.connect(libpq_url(site.url), autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = %s"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                (LIVE,),
            )
        site.wait(lambda: holders(site, LIVE) not in ([], lost) and len(holders(site, OWNER)) == partners)
        site.put(*[site.forward(key=f"R{number}", to=f"P{number}") for number in range(partners)])
        site.wait_until_all_is_finished()
    assert len(his.received) == partners
