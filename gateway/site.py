"""The database of a site, as a command at the terminal opens it, and the note of who did what there."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from gateway import migrate
from gateway.config import Settings
from gateway.database.embedded import EmbeddedDatabase
from gateway.database.errors import DatabaseError
from gateway.database.reasons import reachable
from gateway.model.journal import AuditEntry
from gateway.operations.unit import new_txn_no
from gateway.store import make_engine, make_sessions


def database_url(settings: Settings) -> str:
    """The site's own database, or the embedded one, which must have been started."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return EmbeddedDatabase(settings.database_folder).url()


@contextmanager
def database_session(settings: Settings) -> Iterator[Session]:
    """A session for a command. Raises DatabaseError when there is no database or its tables are of another version."""
    engine = make_engine(database_url(settings), pool_size=1)
    try:
        with reachable():
            if not migrate.is_current(engine):
                raise DatabaseError(
                    "The tables are not those of this version: run `gateway migrate`, or start `gateway serve` once."
                )
            with make_sessions(engine)() as session:
                yield session
    finally:
        engine.dispose()


def audit(session: Session, action: str, subject: str, detail: str | None = None) -> None:
    """Note who did something at the terminal, in the transaction that does it."""
    now = datetime.now(UTC)
    session.add(
        AuditEntry(
            txn_no=new_txn_no(now),
            at=now,
            actor=f"terminal:{getpass.getuser()}",
            action=action,
            subject=subject,
            result_code="0",
            detail=detail,
        )
    )
