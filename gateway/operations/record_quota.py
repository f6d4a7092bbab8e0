"""How often a client may read records: per minute, per day, and how many different patients a day.

One statement counts a look in the database, so every process counts with the others; a look that is refused is rolled
back with everything else it did and counts nothing (docs/specification/records.md, "Quota").
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from gateway.errors import RecordQuota
from gateway.model.journal import Alert
from gateway.model.record import RecordReaderPatient
from gateway.operations.record_access import Access
from gateway.operations.unit import Unit

KEPT = timedelta(days=2)
"""How long it is known which patients a client has read."""

_COUNT = """
WITH patient AS (
    INSERT INTO record_reader_patient (client, day, patient) SELECT %(client)s, %(day)s, %(patient)s
    WHERE %(looks)s > 0 ON CONFLICT DO NOTHING RETURNING 1
)
INSERT INTO record_reader AS r (client, minute, in_minute, day, in_day, patients, emergencies)
VALUES (%(client)s, %(minute)s, %(looks)s, %(day)s, %(looks)s, (SELECT count(*) FROM patient), %(emergencies)s)
ON CONFLICT (client) DO UPDATE SET
    minute = excluded.minute, day = excluded.day,
    in_minute = CASE WHEN r.minute = excluded.minute THEN r.in_minute ELSE 0 END + excluded.in_minute,
    in_day = CASE WHEN r.day = excluded.day THEN r.in_day ELSE 0 END + excluded.in_day,
    patients = CASE WHEN r.day = excluded.day THEN r.patients ELSE 0 END + excluded.patients,
    emergencies = CASE WHEN r.day = excluded.day THEN r.emergencies ELSE 0 END + excluded.emergencies
RETURNING in_minute, in_day, patients, emergencies
"""
_ONE_LOOK = {"looks": 1, "emergencies": 0}
_ONE_EMERGENCY = {"looks": 0, "emergencies": 1}


def count_look(access: Access, unit: Unit) -> None:
    """Count this look against the client's quotas. Raises RecordQuota, which says when to come again.

    A look that an emergency opens has a quota of its own: no other may stand in its way.
    """
    policy = access.policy
    if not access.is_emergency and policy.per_minute is policy.per_day is policy.patients_per_day is None:
        return
    minute, tomorrow = unit.now.replace(second=0, microsecond=0), _tomorrow(unit.now)
    values = {
        "client": unit.sender_code,
        "minute": minute,
        "day": unit.now.date(),
        "patient": f"{unit.hospital_code}|{_whose(access)}",
    }
    counted = values | (_ONE_EMERGENCY if access.is_emergency else _ONE_LOOK)
    row = unit.session.connection().exec_driver_sql(_COUNT, counted).one()
    if access.is_emergency:
        _hold("EMERGENCIES", row.emergencies, unit.site.rules.records.emergencies_per_day, tomorrow, unit)
        return
    _hold("PER_MINUTE", row.in_minute, policy.per_minute, minute + timedelta(minutes=1), unit)
    _hold("PER_DAY", row.in_day, policy.per_day, tomorrow, unit)
    _hold("PATIENTS", row.patients, policy.patients_per_day, tomorrow, unit)


def forget_old_looks(session: Session, now: datetime) -> None:
    """Delete which patients a client has read on days that no quota asks about."""
    session.execute(delete(RecordReaderPatient).where(RecordReaderPatient.day < (now - KEPT).date()))


def _whose(access: Access) -> str:
    return min(access.patient_ids) if access.patient_ids else f"empi {access.request.empi_id}"


def _tomorrow(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _hold(kind: str, count: int, most: int | None, again_at: datetime, unit: Unit) -> None:
    if most is None or count <= most:
        return
    unit.detail = f"{unit.detail} quota={kind}"
    if kind != "PER_MINUTE":
        _alert_once(kind, unit)
    raise RecordQuota(f"请在 {again_at:%m-%d %H:%M} 之后重试。", f"Try again after {again_at:%Y-%m-%dT%H:%M%z}.")


def _alert_once(kind: str, unit: Unit) -> None:
    """A client that has read its day's share is looked at by a person, but only once a day."""
    subject = f"client {unit.sender_code} on {unit.now:%Y-%m-%d}, {kind}"
    query = select(Alert.id).where(Alert.kind == "RECORD_QUOTA", Alert.subject == subject)
    if unit.session.scalars(query.limit(1)).first() is None:
        unit.alerts_if_refused.append(("RECORD_QUOTA", subject))
