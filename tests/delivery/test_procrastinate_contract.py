"""What we rely on in Procrastinate: without our own code, so that a new release which changes any of it fails here.

Our order, dead letters and recovery rest on how it treats locks, retries and abandoned jobs. Some of that is not
promised anywhere (a job that waits for its time holds its lock: its own issue 1599 calls that a fault), so the release
is pinned below 4 and this file says what has to be looked at before the pin may move.
"""

import asyncio
import importlib.metadata
import tomllib
from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision, SyncPsycopgConnector
from procrastinate.jobs import DeleteJobCondition, Status
from procrastinate.utils import utcnow
from procrastinate.worker import Worker
from sqlalchemy import text

from gateway.database.embedded import libpq_url
from gateway.store import make_sessions

ROOT = Path(__file__).resolve().parent.parent.parent
SOON = timedelta(hours=1)


class Decided(Exception):
    """A job's wish to be run again."""

    def __init__(self, **decision: Any) -> None:
        self.decision = RetryDecision(**decision)


class AsTheJobSays(BaseRetryStrategy):
    def get_retry_decision(self, *, exception: BaseException, job: Any) -> RetryDecision:
        return exception.decision


class Queue:
    """Procrastinate on the test's database, with one task that notes its name, or does what was laid down for it."""

    def __init__(self, engine: Any, url: str) -> None:
        self.sessions = make_sessions(engine)
        self.ran: list[str] = []
        self.running = self.most = 0
        self.trouble: dict[str, Exception] = {}
        """By name: what the next run of that job ends with."""
        self.app = App(connector=PsycopgConnector(conninfo=libpq_url(url), min_size=1, max_size=4))
        self.putting = App(connector=SyncPsycopgConnector())  # never opened: every call brings its connection

        @self.app.task(name="note", retry=AsTheJobSays())
        async def note(name: str, seconds: float = 0) -> None:
            self.running += 1
            self.most = max(self.most, self.running)
            self.ran.append(name)
            await asyncio.sleep(seconds)
            self.running -= 1
            if name in self.trouble:
                raise self.trouble.pop(name)

    def put(self, session: Any, name: str, *, lock: str | None = "R1", queue: str = "HIS", **how: Any) -> int:
        """A job in the transaction of `session`; its id."""
        arguments = {"name": name, "seconds": how.pop("seconds", 0)}
        connection = session.connection().connection.driver_connection
        return self.putting.configure_task("note", lock=lock, queue=queue, connection=connection, **how).defer(
            **arguments
        )

    def put_all(self, *names: str, **how: Any) -> list[int]:
        with self.sessions.begin() as session:
            return [self.put(session, name, **how) for name in names]

    def cancel(self, session: Any, job: int) -> bool:
        connection = session.connection().connection.driver_connection
        return self.putting.job_manager.cancel_job_by_id(job, delete_job=True, connection=connection)

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with self.sessions.begin() as session:
            found = session.execute(text(statement), values)
            return list(found.all()) if found.returns_rows else []

    def make_due(self, job: int) -> None:
        self.sql("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE id = :id", id=job)

    def job(self, job: int) -> Any:
        found = self.sql("SELECT * FROM procrastinate_jobs WHERE id = :id", id=job)
        return found[0] if found else None

    @asynccontextmanager
    async def opened(self) -> Any:
        async with self.app.open_async():
            yield self.app.job_manager

    def work(self, *, queues: str = "HIS", concurrency: int = 1) -> list[str]:
        """Run workers until they find nothing more that may run; the names they ran, in order."""
        before = len(self.ran)

        async def run() -> None:
            async with self.app.open_async():
                found = -1
                while found != len(self.ran):
                    found = len(self.ran)
                    await self.run_worker(queues, concurrency, wait=False)

        asyncio.run(run())
        return self.ran[before:]

    async def run_worker(self, queues: str, concurrency: int, *, wait: bool) -> None:
        await self.app.run_worker_async(
            queues=queues.split(),
            wait=wait,
            concurrency=concurrency,
            install_signal_handlers=False,
            delete_jobs=DeleteJobCondition.SUCCESSFUL,
        )


@pytest.fixture
def queue(engine, database_url) -> Queue:
    return Queue(engine, database_url)


# --- Versions and what we override ------------------------------------------------------------------------------------


def test_a_release_whose_locks_may_mean_something_else_is_not_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [one for one in project["dependencies"] if one.startswith("procrastinate")]
    assert wanted == ["procrastinate>=3.10,<4"]
    assert importlib.metadata.version("procrastinate").startswith("3.")


def test_the_parts_of_a_worker_that_we_override_or_wake_are_there(queue):
    worker = Worker(queue.app, queues=["HIS"])
    assert asyncio.iscoroutinefunction(worker._process_job)
    assert isinstance(worker._new_job_event, asyncio.Event)
    assert callable(worker.stop)


# --- With the business, or not at all ---------------------------------------------------------------------------------


def test_a_job_of_a_transaction_that_is_undone_was_never_there(queue):
    with queue.sessions() as session:
        job = queue.put(session, "undone")
        session.rollback()
    assert queue.job(job) is None
    assert queue.work() == []


def test_a_job_is_not_seen_before_its_transaction_is_committed(queue):
    with queue.sessions() as session:
        queue.put(session, "new")
        session.flush()
        assert queue.work() == []
        session.commit()
    assert queue.work() == ["new"]


def test_a_job_that_succeeded_leaves_no_row(queue):
    [job] = queue.put_all("done")
    queue.work()
    assert queue.job(job) is None


# --- Order ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 4])
def test_jobs_of_one_lock_run_one_after_the_other_in_the_order_they_were_put(queue, concurrency):
    queue.put_all("1", "2", "3", "4", "5", seconds=0.01)
    assert queue.work(concurrency=concurrency) == ["1", "2", "3", "4", "5"]
    assert queue.most == 1


def test_jobs_of_several_locks_and_of_none_run_side_by_side(queue):
    for lock in ("R1", "R2", None, None):
        queue.put_all(str(lock), lock=lock, seconds=0.3)
    queue.work(concurrency=4)
    assert queue.most == 4


def test_a_job_for_later_holds_its_lock_although_its_time_has_not_come(queue):
    [later] = queue.put_all("later", schedule_at=utcnow() + SOON)
    queue.put_all("next")
    queue.put_all("other", lock="R2")
    assert queue.work() == ["other"]
    queue.make_due(later)
    assert queue.work() == ["later", "next"]


def test_a_lock_holds_across_queues(queue):
    queue.put_all("waiting", queue="LIS")
    queue.put_all("next")
    assert queue.work() == []
    assert queue.work(queues="LIS HIS") == ["waiting", "next"]


def test_a_job_that_waits_for_its_retry_keeps_its_number_and_place_and_takes_no_slot(queue):
    queue.trouble["first"] = Decided(retry_at=utcnow() + SOON)
    [first] = queue.put_all("first")
    queue.put_all("second")
    queue.put_all("other", "another", lock="R2")
    assert queue.work(concurrency=1) == ["first", "other", "another"]
    waiting = queue.job(first)
    assert (waiting.id, waiting.status, waiting.lock, waiting.attempts) == (first, "todo", "R1", 1)
    queue.make_due(first)
    assert queue.work() == ["first", "second"]


def test_a_job_that_is_moved_to_another_queue_keeps_its_lock_until_it_is_taken_away(queue):
    queue.trouble["dead"] = Decided(queue="dead.HIS")
    [dead] = queue.put_all("dead")
    queue.put_all("next")
    queue.put_all("other", lock="R2")
    assert queue.work() == ["dead", "other"]
    parked = queue.job(dead)
    assert (parked.queue_name, parked.status, parked.lock) == ("dead.HIS", "todo", "R1")
    assert queue.work() == []
    with queue.sessions.begin() as session:
        assert queue.cancel(session, dead)
    assert queue.work() == ["next"]


def test_a_higher_priority_goes_before_the_others_of_its_lock(queue):
    queue.put_all("first", "second")
    queue.put_all("urgent", priority=1)
    assert queue.work() == ["urgent", "first", "second"]


def test_even_a_higher_priority_waits_for_what_is_running(queue):
    queue.put_all("running", seconds=0.3)

    async def run() -> None:
        async with queue.app.open_async():
            worker = asyncio.create_task(queue.run_worker("HIS", 4, wait=True))
            while not queue.ran:
                await asyncio.sleep(0.01)
            queue.put_all("urgent", priority=1)
            await asyncio.sleep(0.15)
            assert queue.ran == ["running"]
            worker.cancel()
            await asyncio.wait([worker])

    asyncio.run(run())
    assert queue.work() == ["urgent"]
    assert queue.most == 1


# --- Taking away ------------------------------------------------------------------------------------------------------


def test_a_job_that_is_taken_away_and_put_again_keeps_the_lock_held_all_the_while(queue):
    """An operator's retry: one transaction, so nobody can slip in between."""
    [old] = queue.put_all("old", queue="dead.HIS")
    queue.put_all("next")
    with queue.sessions() as session:
        assert queue.cancel(session, old)
        queue.put(session, "again", priority=1)
        session.flush()
        assert queue.work() == []
        session.commit()
    assert queue.work() == ["again", "next"]


def test_taking_away_is_undone_with_its_transaction(queue):
    [held] = queue.put_all("held", queue="dead.HIS")
    queue.put_all("next")
    with queue.sessions() as session:
        assert queue.cancel(session, held)
        session.rollback()
    assert queue.job(held) is not None
    assert queue.work() == []


def status_of(queue: Queue, job: int) -> Status:
    with queue.sessions.begin() as session:
        connection = session.connection().connection.driver_connection
        return queue.putting.job_manager.get_job_status(job, connection=connection)


def test_what_is_being_run_is_not_taken_away(queue):
    [job] = queue.put_all("running")
    fetch(queue)
    with queue.sessions.begin() as session:
        assert not queue.cancel(session, job)
    assert status_of(queue, job) is Status.DOING


# --- Workers that die -------------------------------------------------------------------------------------------------


def in_the_loop(queue: Queue, ask: Callable[[Any], Any]) -> Any:
    async def run() -> Any:
        async with queue.opened() as jobs:
            return await ask(jobs)

    return asyncio.run(run())


def fetch(queue: Queue) -> int:
    """Take a job as a worker does that dies with it; the worker's number."""

    async def ask(jobs: Any) -> int:
        worker = await jobs.register_worker()
        assert await jobs.fetch_job(queues=["HIS"], worker_id=worker) is not None
        return worker

    return in_the_loop(queue, ask)


def stalled(queue: Queue) -> list[Any]:
    return list(in_the_loop(queue, lambda jobs: jobs.get_stalled_jobs(queue="HIS", seconds_since_heartbeat=10)))


def test_a_job_of_a_worker_that_lives_is_left_to_it(queue):
    queue.put_all("running")
    fetch(queue)
    assert stalled(queue) == []


@pytest.mark.parametrize("gone", ["silent", "struck off"])
def test_a_job_of_a_worker_that_died_comes_back_in_its_place(queue, gone):
    [job] = queue.put_all("abandoned")
    queue.put_all("next")
    worker = fetch(queue)
    if gone == "silent":
        queue.sql("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '11 s' WHERE id = :id", id=worker)
    else:
        queue.sql("DELETE FROM procrastinate_workers WHERE id = :id", id=worker)
    assert queue.work() == []
    [found] = stalled(queue)
    assert found.id == job
    in_the_loop(queue, lambda jobs: jobs.retry_job(found, retry_at=utcnow()))
    assert queue.work() == ["abandoned", "next"]
