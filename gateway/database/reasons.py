"""Why a database cannot be reached, in words that say what to look at and never in its own, which name addresses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import ArgumentError, DBAPIError

from gateway.database.errors import DatabaseError

_SIGNS = {
    "password authentication failed": "it refuses the user or password",
    "no password supplied": "it wants a password",
    "onnection refused": "nothing answers at that address",
    "No such file or directory": "it is not running",
    "onnection timeout": "it does not answer",
    "timeout expired": "it does not answer",
    "resolve host": "its host name is unknown",
    "translate host name": "its host name is unknown",
    "does not exist": "there is no such database or user",
    "no pg_hba.conf entry": "it does not let this machine in (pg_hba.conf)",
    "too many c": "it has no connection free",
    "starting up": "it is still starting",
    "shutting down": "it is being stopped",
    "recovery mode": "it is recovering",
    "SSL": "TLS with it fails",
}


@contextmanager
def reachable() -> Iterator[None]:
    """Say in one line that the database cannot be reached, and why; other errors pass through as they are."""
    try:
        yield
    except ArgumentError:
        raise DatabaseError(
            "The database URL cannot be read: write it as postgresql://user:password@host/database."
        ) from None
    except DBAPIError as error:
        if error.orig is None or getattr(error.orig, "sqlstate", None) is not None:
            raise
        raise DatabaseError(f"The database cannot be reached: {reason(error.orig)}.") from None


def reason(error: BaseException) -> str:
    """What the driver's error means, from signs in its text; else its kind alone."""
    words = str(error)
    return next((meaning for sign, meaning in _SIGNS.items() if sign in words), type(error).__name__)
