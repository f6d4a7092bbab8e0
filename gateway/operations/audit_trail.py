"""Finding in the audit who looked at whom: by patient, by who looked, by day; oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from gateway.model.journal import AuditEntry

_SAME_PATIENT = text("""
WITH RECURSIVE same(id) AS (
    SELECT CAST(:patient AS text)
    UNION
    SELECT CASE WHEN m.patient_id = same.id THEN m.former_patient_id ELSE m.patient_id END
    FROM patient_merge m JOIN same ON same.id IN (m.patient_id, m.former_patient_id)
)
SELECT id FROM same
""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; None leaves a criterion out."""

    since: datetime
    until: datetime
    patient: str | None = None
    """Also under every id that was merged with this one."""
    actor: str | None = None
    action: str | None = None


def same_patient(session: Session, patient: str) -> list[str]:
    """Every id that was merged with this one, this one among them."""
    return list(session.scalars(_SAME_PATIENT, {"patient": patient}))


def find(session: Session, wanted: Wanted, limit: int | None = None) -> Iterator[AuditEntry]:
    """The entries that fit everything wanted, read as they are needed."""
    query = select(AuditEntry).where(AuditEntry.at >= wanted.since, AuditEntry.at < wanted.until)
    if wanted.patient is not None:
        same = same_patient(session, wanted.patient)
        query = query.where(AuditEntry.subject.in_([f"patient {one}" for one in same]))
    if wanted.actor is not None:
        query = query.where(AuditEntry.actor == wanted.actor)
    if wanted.action is not None:
        query = query.where(AuditEntry.action == wanted.action)
    query = query.order_by(AuditEntry.at, AuditEntry.txn_no).limit(limit)
    yield from session.scalars(query, execution_options={"yield_per": 1000})
