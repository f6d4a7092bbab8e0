"""What a node must have before it may work on a database that others use already."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy.orm import Session

from gateway.security.clients import unreadable_secrets
from gateway.security.secrets import KeyFileError, Secrets
from gateway.store import make_engine

_log = logging.getLogger(__name__)


def refuse_foreign_key(url: str, secrets: Secrets, key_file: Path) -> None:
    """Raise KeyFileError when the key opens none of the secrets that the database holds."""
    engine = make_engine(url, pool_size=1)
    try:
        with Session(engine) as session:
            held, unreadable = unreadable_secrets(session, secrets)
    finally:
        engine.dispose()
    if not unreadable:
        return
    names = ", ".join(unreadable)
    if len(unreadable) < held:
        _log.warning("The key file does not open the secrets of %s: give them new passwords.", names)
        return
    raise KeyFileError(
        f"{key_file} is not the key of this database (it does not open the secrets of {names}): copy secret.key from a "
        "node that runs; if it is lost, give these clients new passwords with `gateway client password`."
    )
