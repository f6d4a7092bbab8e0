"""When much is waiting money leaves first, in its order, and nothing else waits for ever behind it."""

import threading

import pytest
from sqlalchemy import text

from gateway.delivery import recovery
from gateway.model.delivery import Delivery
from tests.delivery.site import FAST


def priority(site, delivery: int) -> int:
    return site.job(delivery).priority


def arrived(his, operation: str) -> list[int]:
    """The places of an operation's messages among all that HIS has received, each message once."""
    order = [r for r in sorted(his.received, key=lambda r: r.started) if r.started >= his.back]
    seen: dict[str, tuple[str, int]] = {}
    for place, one in enumerate(order):
        seen.setdefault(one.message_id, (one.operation, place))
    return [place for name, place in seen.values() if name == operation]


def test_after_an_outage_all_charges_arrive_before_the_remaining_requisitions(make_site, his):
    site = make_site(his.partner("HIS", concurrency=4, rate_per_second=1000))
    his.behave = lambda request: "http:503"
    with site.working():
        site.put(*[site.forward("SubmitRequisition", f"R{key}") for key in range(200)])
        site.wait(lambda: len(his.received) >= FAST.failures)
        for key in range(10):
            site.put(site.forward("ChargeItem", f"V{key}", 1), site.forward("ChargeItem", f"V{key}", 2))
        his.back = site.now().timestamp()
        his.behave = lambda request: "ok"
        site.wait_until_all_is_finished()
    charges, requisitions = arrived(his, "ChargeItem"), arrived(his, "SubmitRequisition")
    assert (len(charges), len(requisitions)) == (20, 200)
    before_the_last_charge = sum(place < max(charges) for place in requisitions)
    assert before_the_last_charge <= 2 * 4, "no more than were already being sent"
    numbers = [
        r.request.charge_no
        for r in sorted(his.received, key=lambda r: r.started)
        if r.started >= his.back and r.operation == "ChargeItem"
    ]
    assert all(numbers.index(f"C-V{key}-1") < numbers.index(f"C-V{key}-2") for key in range(10))


def test_nothing_waits_for_ever_behind_a_constant_stream_of_money(make_site, his, monkeypatch):
    monkeypatch.setattr(recovery, "BEHIND_MONEY_SECONDS", 1)
    site = make_site(his.partner("HIS", concurrency=2, rate_per_second=1000))
    his.behave = lambda request: "slow:0.02"
    site.put(*[site.forward("ChargeItem", f"V{key}") for key in range(100)])
    waiting = site.put(*[site.forward("ReportStatus", "R1", number) for number in (1, 2, 3)])
    ended = threading.Event()

    def stream() -> None:
        key = 100
        while not ended.wait(0.05):
            site.put(*[site.forward("ChargeItem", f"V{key + more}") for more in range(10)])
            key += 10

    money = threading.Thread(target=stream)
    with site.working():
        money.start()
        try:
            site.wait(lambda: all(site.state(one) == "DELIVERED" for one in waiting))
            assert site.unfinished() > 5
        finally:
            ended.set()
            money.join()
            site.run_sql("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    assert [r.request.status_seq for r in his.sent("ReportStatus")] == [1, 2, 3]


@pytest.mark.parametrize("operation", ["ChargeItem", "RefundItem"])
def test_money_has_one_rank_however_it_was_queued(site, operation):
    first, second = site.put(site.forward(operation, "V1", 1), site.forward(operation, "V1", 2))
    with site.sessions.begin() as session:
        row = session.get_one(Delivery, second)
        site.jobs.remove(session, row)
        site.jobs.add(session, row)
    assert priority(site, first) == priority(site, second) > priority(site, site.put(site.forward())[0])


def test_money_never_overtakes_what_an_earlier_version_has_queued_for_the_same_visit(site):
    old = site.put(site.forward("ChargeItem", "V1", 1))[0]
    site.run_sql("UPDATE procrastinate_jobs SET priority = 0 WHERE id = :id", id=site.row(old).job_id)
    new, other = site.put(site.forward("RefundItem", "V1", 2), site.forward("ChargeItem", "V2", 1))
    with site.sessions.begin() as session:
        row = session.get_one(Delivery, new)
        site.jobs.remove(session, row)
        site.jobs.add(session, row)
    assert priority(site, new) == priority(site, old) == 0
    assert priority(site, other) > 0


def test_what_is_put_back_at_the_head_of_its_lock_is_above_all_that_waits_in_it(site):
    first, behind = site.put(site.forward("ChargeItem", "V1", 1), site.forward("ChargeItem", "V1", 2))
    for _ in range(2):
        with site.sessions.begin() as session:
            row = session.get_one(Delivery, first)
            site.jobs.remove(session, row)
            site.jobs.add(session, row, first=True)
        assert priority(site, first) > priority(site, behind)


def test_what_has_waited_long_is_lifted_with_its_whole_lock_and_only_while_money_waits(site):
    first, second, other = site.put(site.forward(number=1), site.forward(number=2), site.forward(key="R2"))
    site.run_sql("UPDATE delivery SET created_at = now() - interval '1 hour'")

    def lift() -> int:
        with site.sessions.begin() as session:
            return recovery.lift(session, "HIS", 1, site.now())

    assert lift() == 0
    site.put(site.forward("ChargeItem", "V1"))
    assert lift() == 2
    assert priority(site, first) == priority(site, second) > priority(site, other) == 0
    assert [lift(), lift()] == [1, 0]


def test_what_waits_behind_a_dead_letter_is_not_lifted(site):
    dead, _ = site.put(site.forward(number=1), site.forward(number=2))
    site.put(site.forward("ChargeItem", "V1"))
    site.run_sql("UPDATE procrastinate_jobs SET queue_name = 'dead.HIS' WHERE id = :id", id=site.row(dead).job_id)
    site.run_sql("UPDATE delivery SET created_at = now() - interval '1 hour'")
    with site.sessions.begin() as session:
        assert recovery.lift(session, "HIS", 4, site.now()) == 0
        assert (
            session.execute(text("SELECT max(priority) FROM procrastinate_jobs WHERE queue_name = 'dead.HIS'")).scalar()
            == 0
        )
