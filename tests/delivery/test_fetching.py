"""A worker gets the next job of its own partner at once, however much waits, for whomever."""

import asyncio

import pytest
from procrastinate import sql
from sqlalchemy import text

from gateway.database.embedded import libpq_url
from gateway.delivery.fetching import worker_app


def fetch(site, *queues: str) -> list[int | None]:
    """Fetch from each queue once, as one worker would; the deliveries."""

    async def run() -> list[int | None]:
        app, found = worker_app(libpq_url(site.url)), []
        async with app.open_async():
            worker = await app.job_manager.register_worker()
            for queue in queues:
                job = await app.job_manager.fetch_job([queue], worker)
                found.append(job.task_kwargs["delivery_id"] if job else None)
        return found

    return asyncio.run(run())


def job_of(site, delivery: int) -> int:
    return site.row(delivery).job_id


def test_jobs_come_in_the_order_of_their_locks_and_of_nobody_else(site):
    first, _, other = site.put(site.forward(key="R1"), site.forward(key="R1", number=2), site.forward(key="R2"))
    site.put(site.forward(to="PACS"))
    assert fetch(site, *["HIS.normal"] * 3) == [first, other, None]


def test_money_comes_first(site):
    status, charge = site.put(site.forward())[0], site.put(site.forward("ChargeItem", "V1"))[0]
    assert fetch(site, *["HIS.normal"] * 2) == [charge, status]


def test_a_job_that_waits_for_its_time_holds_its_lock(site):
    first, _ = site.put(site.forward(key="R1"), site.forward(key="R1", number=2))
    site.run_sql(
        "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour' WHERE id = :id", id=job_of(site, first)
    )
    assert fetch(site, "HIS.normal") == [None]


def test_what_waits_for_another_partner_is_not_even_read(site):
    """Ten thousand for PACS, no statistics: the plan must go by the queue's own index, whatever the planner guesses."""
    site.run_sql(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args)"
        " SELECT 'PACS.normal', 'deliver', 'L' || n / 4, '{}' FROM generate_series(1, 10000) n"
    )
    delivery = site.put(site.forward())[0]
    site.run_sql("SELECT pg_stat_force_next_flush()")
    before = rows_read(site)
    assert fetch(site, "HIS.normal", "HIS.normal") == [delivery, None]
    site.wait(lambda: rows_read(site) > before)
    assert rows_read(site) - before < 100


def rows_read(site) -> int:
    with site.sessions() as session:
        query = "SELECT sum(idx_tup_fetch + seq_tup_read) FROM pg_stat_user_tables WHERE relname = 'procrastinate_jobs'"
        return int(session.execute(text(query)).scalar_one())


def test_a_connection_the_database_has_closed_is_not_used(site):
    delivery = site.put(site.forward())[0]

    async def run() -> int:
        app = worker_app(libpq_url(site.url))
        async with app.open_async():
            worker = await app.job_manager.register_worker()
            async with app.connector.pool.connection() as connection:
                closed = connection.info.backend_pid
            await asyncio.to_thread(site.run_sql, "SELECT pg_terminate_backend(:pid, 5000)", pid=closed)
            job = await app.job_manager.fetch_job(["HIS.normal"], worker)
            return job.task_kwargs["delivery_id"]

    assert asyncio.run(run()) == delivery


def test_our_fetch_gives_what_procrastinate_s_own_would(site):
    """Should a release fetch by another function, ours has to be compared with it again."""
    assert "procrastinate_fetch_job_v2" in sql.queries["fetch_job"]


# --- The end of a job -------------------------------------------------------------------------------------------------


def run_job(site, delivery: int):
    assert fetch(site, "HIS.normal") == [delivery]
    return site.sender.attempt(delivery, job_id=job_of(site, delivery))


@pytest.mark.parametrize("operation", ["ReportStatus", "ChargeItem"])
def test_a_delivered_message_and_its_job_end_together(site, his, operation):
    delivery = site.put(site.forward(operation))[0]
    report = run_job(site, delivery)
    assert report.job_removed
    assert site.state(delivery) == "DELIVERED"
    assert site.job(delivery) is None


def test_a_job_stays_when_what_follows_from_a_yes_cannot_be_done(site, his):
    def fail(*_):
        raise ValueError("no")

    site.hooks["ChargeItem"] = fail
    delivery = site.put(site.forward("ChargeItem"))[0]
    report = run_job(site, delivery)
    assert not report.job_removed
    assert site.state(delivery) == "UNKNOWN"
    assert site.codes(delivery) == ["INTERNAL"]
    assert site.job(delivery).status == "doing"


def test_a_job_of_a_message_somebody_else_has_taken_over_is_left_to_procrastinate(site, his):
    delivery = site.put(site.forward())[0]
    assert fetch(site, "HIS.normal") == [delivery]
    his.behave = lambda request: site.change(delivery, attempts=5) or "ok"
    report = site.sender.attempt(delivery, job_id=job_of(site, delivery))
    assert not report.job_removed
    assert site.job(delivery).status == "doing"
    assert len(site.codes(delivery)) == 1
