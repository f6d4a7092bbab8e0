"""The database of a site, as a command at the terminal opens it, and the note of who did what there."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from gateway import migrate
from gateway.config import Settings
from gateway.database.embedded import EmbeddedDatabase
from gateway.database.errors import DatabaseError
from gateway.database.reasons import reachable
from gateway.model.journal import AuditEntry
from gateway.operations.unit import new_txn_no
from gateway.store import make_engine, make_sessions

LOGIN = Path("/proc/self/loginuid")
NO_LOGIN = 2**32 - 1


def operator() -> str:
    """Who is at the terminal: the account that logged in, also after `sudo`, or else the one the command runs under.

    The kernel says so; LOGNAME and USER, which everybody may set, are not asked.
    """
    uid = os.getuid()
    try:
        logged_in = int(LOGIN.read_text("ascii"))
        uid = uid if logged_in == NO_LOGIN else logged_in
    except (OSError, ValueError):
        pass
    try:
        return f"terminal:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"terminal:{uid}"


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
            if not migrate.fits(engine):
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
            actor=operator(),
            action=action,
            subject=subject,
            result_code="0",
            detail=detail,
        )
    )
