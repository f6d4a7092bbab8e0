"""The jobs that carry deliveries: kept by Procrastinate in tables of the same database, one job for each delivery.

A job is made, moved and removed in the transaction that changes its delivery, so neither is ever without the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy.exc
from procrastinate import App, SyncPsycopgConnector
from procrastinate.exceptions import ConnectorException, NoResult
from procrastinate.jobs import Status
from sqlalchemy import text
from sqlalchemy.orm import Session

from gateway.delivery.locks import Lock, priority_of
from gateway.model.delivery import Delivery

TASK = "deliver"
_PRIORITIES_IN_LOCK = text(
    "SELECT min(priority), max(priority) FROM procrastinate_jobs WHERE lock = :lock AND status IN ('todo', 'doing')"
)


def queue_of(partner: str, lane: str) -> str:
    return f"{partner}.{lane}"


def dead_queue_of(partner: str) -> str:
    """The queue nobody serves: what waits in it keeps its lock until an operator decides."""
    return f"dead.{partner}"


class Jobs:
    """Makes and removes jobs in the caller's transaction; safe for any number of threads."""

    def __init__(self) -> None:
        self._app = App(connector=SyncPsycopgConnector())  # never opened: every call brings its connection

    def add(
        self,
        session: Session,
        delivery: Delivery,
        *,
        at: datetime | None = None,
        first: bool = False,
        keep: bool = True,
    ) -> None:
        """A job for this delivery, to be run as soon as its turn comes, or not before `at`; `first`: before all that
        waits in its lock."""
        priority = _priority(session, delivery, first=first)
        with _as_database_error():
            job = self._app.configure_task(
                TASK,
                queue=queue_of(delivery.partner, delivery.lane),
                lock=delivery.lock if Lock.parse(delivery.lock).key else None,
                priority=priority,
                schedule_at=at,
                connection=_connection(session),
            )
            arguments: dict[str, Any] = (
                {"delivery_id": delivery.id} if keep else {"delivery_id": delivery.id, "keep": False}
            )
            delivery.job_id = job.defer(**arguments)

    def remove(self, session: Session, delivery: Delivery) -> bool:
        """Take the job away, and with it the hold on its lock; False when it is just being run, or is gone."""
        if delivery.job_id is None:
            return False
        with _as_database_error():
            return self._app.job_manager.cancel_job_by_id(
                delivery.job_id, delete_job=True, connection=_connection(session)
            )

    def is_running(self, session: Session, delivery: Delivery) -> bool:
        """Whether a worker has the job in its hands."""
        if delivery.job_id is None:
            return False
        with _as_database_error():
            try:
                status = self._app.job_manager.get_job_status(delivery.job_id, connection=_connection(session))
            except NoResult:
                return False
        return status is Status.DOING


def _priority(session: Session, delivery: Delivery, *, first: bool) -> int:
    """Above all in its lock, or not above any: jobs of an earlier version have 0 whatever they carry."""
    own = priority_of(Lock.parse(delivery.lock).kind)
    if not first and not own:
        return own
    least, most = session.execute(_PRIORITIES_IN_LOCK, {"lock": delivery.lock}).one()
    return max(own, most if most is not None else own) + 1 if first else min(own, least if least is not None else own)


def _connection(session: Session) -> Any:
    """The psycopg connection on which the session's transaction runs; what it has not written yet is written first."""
    session.flush()
    return session.connection().connection.driver_connection


@contextmanager
def _as_database_error() -> Iterator[None]:
    """Procrastinate wraps the driver's errors; everybody else here knows SQLAlchemy's."""
    try:
        yield
    except ConnectorException as problem:
        cause = problem.__cause__
        raise sqlalchemy.exc.OperationalError(
            "job", None, cause if isinstance(cause, Exception) else problem, hide_parameters=True
        ) from None
