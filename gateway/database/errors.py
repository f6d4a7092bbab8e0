"""What can go wrong with the embedded database, each in one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class DatabaseError(Exception):
    """The embedded database cannot do what was asked; the text is for the hospital's IT staff and holds no secret."""


class DatabaseNotInitialised(DatabaseError):
    """There is no embedded database in this folder yet."""


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Say what the operating system refused in one sentence instead of a traceback."""
    try:
        yield
    except OSError as error:
        where = error.filename or "a file of the embedded database"
        reason = error.strerror or type(error).__name__
        raise DatabaseError(
            f"The operating system refuses {where} ({reason}): run the gateway as the user this folder belongs to, "
            "and check that the disk is not full or read-only."
        ) from None
