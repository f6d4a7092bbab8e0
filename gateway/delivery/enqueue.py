"""Stores deliveries together with their jobs in one statement, because most messages have to go on to somebody.

What Procrastinate's own call would do after an insert per row and before an update per row, its SQL function does here
for all rows at once: one round trip instead of four for a message (docs/benchmarks.md). A test holds the jobs against
those that Procrastinate makes itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import Session

from gateway.delivery.jobs import TASK
from gateway.delivery.locks import PRIORITIES
from gateway.model.delivery import Delivery
from gateway.store import plain

_OWN_COLUMNS = ("id", "job_id")


_PRIORITY = " ".join(
    [
        "CASE split_part(lock, '|', 1)",
        *(
            f"WHEN '{kind}' THEN least({priority}, (SELECT min(priority) FROM procrastinate_jobs waiting"  # noqa: S608
            " WHERE waiting.lock = numbered.lock AND waiting.status IN ('todo', 'doing')))"
            for kind, priority in PRIORITIES.items()
        ),
        "ELSE 0 END",
    ]
)
"""By kind, but never above what waits in the lock already: jobs of an earlier version have 0."""


def _statement() -> str:
    """The advisory locks come first: of two transactions that add to one lock the second waits before it gets a number.

    So ids, jobs and commits of one lock have the same order.
    """
    table = Delivery.__table__
    assert isinstance(table, Table)
    columns = ", ".join(column.name for column in table.columns if column.name not in _OWN_COLUMNS)
    return f"""
        WITH given AS MATERIALIZED (
            SELECT *, right(lock, 1) <> '|' AS ordered,
                   CASE WHEN right(lock, 1) <> '|' THEN pg_advisory_xact_lock(hashtextextended(lock, 0)) END
            FROM json_populate_recordset(NULL::delivery, %(rows)s::json)
        ), numbered AS MATERIALIZED (
            SELECT nextval(pg_get_serial_sequence('delivery', 'id')) AS number, given.* FROM given
        ), jobs AS MATERIALIZED (
            SELECT procrastinate_defer_jobs_v1(array_agg(
                ROW(partner || '.' || lane, '{TASK}', {_PRIORITY}, CASE WHEN ordered THEN lock END, NULL,
                    jsonb_build_object('delivery_id', number), NULL)::procrastinate_job_to_defer_v1
                ORDER BY number)) AS ids
            FROM numbered
        )
        INSERT INTO delivery (id, job_id, {columns})
        SELECT number, jobs.ids[row_number() OVER (ORDER BY number)], {columns} FROM numbered, jobs
        """  # noqa: S608 - our own names


_ENQUEUE = _statement()


def enqueue(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert deliveries, each with a job that may run at once; all in the caller's transaction.

    `rows` are the values of the columns but id and job_id. Rows of one lock keep their order.
    """
    in_order = sorted(rows, key=lambda row: str(row["lock"]))  # so that two transactions never wait for each other
    session.connection().exec_driver_sql(_ENQUEUE, {"rows": json.dumps(in_order, default=plain, ensure_ascii=False)})
