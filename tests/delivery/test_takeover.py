"""Delivery processes that die: nothing is lost, order is kept, another process goes on within seconds."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from gateway.delivery.leases import OWNER
from tests.delivery.site import number_of

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
        site.wait_until_all_is_finished(30)
    seen, ids = defaultdict(list), Counter(r.message_id for r in his.received)
    for one in sorted(his.received, key=lambda r: r.started):
        seen[one.request.requisition_no].append(number_of(one.request))
    assert all(sorted(set(numbers)) == [1, 2, 3] for numbers in seen.values())
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    assert sum(count - 1 for count in ids.values()) <= 6
    assert min(r.started for r in his.received if r.started > at + 0.2) < at + 6


def owner_of_the_partner(site) -> int:
    """The process that has the lock of the one partner."""
    query = (
        "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND classid = :owner AND granted AND datname = current_database()"
    )
    with site.sessions() as session:
        name = session.execute(text(query), {"owner": OWNER}).scalar_one()
    return int(name.rpartition("-")[2])


def test_a_process_that_is_told_to_end_ends_by_itself(make_site, his):
    site = make_site(his.partner("HIS"))
    his.behave = lambda request: "slow:0.5"
    with process(site) as running:
        delivery = site.put(site.forward())[0]
        site.wait(lambda: len(his.received) == 1)
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0
        assert running.stdout.readline() == "ended\n"
    assert site.state(delivery) == "DELIVERED"
