"""How a worker comes by its jobs: Procrastinate's connections and its fetch, without what they would cost here.

Procrastinate's own fetch is made for any number of queues. With 30,000 jobs waiting it took 250 ms without statistics,
and with them it read through the backlog of a partner that is down to find the next job of another one. Ours names one
queue, so the index gateway_jobs_fetch gives its jobs in order, whatever the planner believes about the table.
"""

from __future__ import annotations

import select
from collections.abc import Iterable
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from psycopg_pool import AsyncConnectionPool

from gateway.store import KEEPALIVES, NOTICE_LOSS

CONNECTIONS = 8
"""For fetching and finishing jobs; listening takes one more for each lane."""
POOL_SECONDS = 3
"""For getting a connection of the pool; one that waits longer waits for a database that is away."""
_OPTIONS = "-c synchronous_commit=off -c enable_sort=off -c enable_hashjoin=off -c enable_mergejoin=off"
"""A job's state need not survive a power cut: the delivery's does, and a job run again for nothing does nothing.
The plans that are switched off would read all jobs of the table."""

_FETCH = """
    UPDATE procrastinate_jobs SET status = 'doing', worker_id = %(worker_id)s
    WHERE id = (
        SELECT id FROM procrastinate_jobs job
        WHERE queue_name = %(queue)s AND status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
            AND NOT EXISTS (
                SELECT FROM procrastinate_jobs other
                WHERE other.lock = job.lock AND other.status IN ('todo', 'doing') AND (
                    other.status = 'doing' OR other.priority > job.priority
                    OR other.priority = job.priority AND other.id < job.id))
        ORDER BY priority DESC, id LIMIT 1
        FOR UPDATE SKIP LOCKED)
    RETURNING id, status, task_name, priority, lock, queueing_lock, args, scheduled_at, queue_name, attempts, worker_id
    """


class LaneJobs(JobManager):
    """Procrastinate's way to its tables, for workers with one queue each."""

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """The first job of the queue that nothing of its lock is before, now being run by this worker."""
        (queue,) = queues or ()
        found = await self.connector.execute_query_all_async(query=_FETCH, queue=queue, worker_id=worker_id)
        return Job.from_row(found[0]) if found else None


def worker_app(url: str) -> App:
    """A Procrastinate application on a database, still closed."""
    connector = PsycopgConnector(
        conninfo=url,
        kwargs={"connect_timeout": 5, "options": f"{_OPTIONS} {NOTICE_LOSS}", **KEEPALIVES},
        min_size=1,
        max_size=CONNECTIONS,
        timeout=POOL_SECONDS,
        configure=_one_statement_each,
        pool_factory=_pool,
    )
    app = App(connector=connector)
    app.job_manager = LaneJobs(connector)
    return app


def _pool(**arguments: Any) -> AsyncConnectionPool:
    return AsyncConnectionPool(**arguments | {"check": _still_there})


async def _one_statement_each(connection: psycopg.AsyncConnection[Any]) -> None:
    """Procrastinate never needs two in a transaction, and BEGIN and COMMIT are questions too."""
    await connection.set_autocommit(True)


async def _still_there(connection: psycopg.AsyncConnection[Any]) -> None:
    """Ask only when something has come unasked: that is how the database, or the network, ends a connection."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        await connection.execute("")
