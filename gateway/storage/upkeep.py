"""What is due by the clock: the months to come are made, and once a day what is too old is let go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from gateway.config import Settings
from gateway.model.journal import AuditEntry
from gateway.operations.unit import new_txn_no
from gateway.storage.months import make_months
from gateway.storage.retention import Pruned, prune
from gateway.store import take_turn

TURN = "storage"
MONTHS_EVERY = timedelta(hours=1)


class StorageUpkeep:
    """The clock work of one process; every process may do it."""

    def __init__(self, settings: Settings, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._months_due: datetime | None = None

    def run(self) -> Pruned | None:
        """Do what is due. Raises SQLAlchemyError when the database is away or somebody holds a table for long."""
        now = self._clock()
        if self._months_due is None or now >= self._months_due:
            make_months(self._engine, now)
            self._months_due = now + MONTHS_EVERY
        return self._prune(now)

    def _prune(self, now: datetime) -> Pruned | None:
        """Once a day, whichever process of the site comes first after the time of the setting."""
        storage = self._settings.storage
        due = datetime.combine(now.date(), storage.prune_at, self._settings.zone)
        if now < due:
            return None
        with Session(self._engine) as session, session.begin():
            if not take_turn(session, TURN, due):
                return None
        pruned = prune(self._engine, storage, now)
        if pruned.months or pruned.rows:
            note_pruning(self._engine, "gateway", pruned, now)
        return pruned


def note_pruning(engine: Engine, actor: str, pruned: Pruned, now: datetime) -> None:
    """Note in the audit, which is kept for ever, who let messages go, and how many."""
    with Session(engine) as session, session.begin():
        session.add(
            AuditEntry(
                txn_no=new_txn_no(now), at=now, actor=actor, action="PRUNE_STORAGE", subject="storage", result_code="0",
                detail=str(pruned),
            )
        )  # fmt: skip
