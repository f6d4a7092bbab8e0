"""Messages that wait for a row of a code table: they keep their place, use no attempt, and go on when the row is there.

(docs/specification/delivery.md, "A code without a row".)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gateway.codes.picture import Asked
from gateway.codes.tables import bump
from gateway.codes.unmapped import open_number, settle
from gateway.delivery.alarms import alert_without_code
from gateway.delivery.policy import Verdict
from gateway.mapping.codes import UnmappedPolicy
from gateway.model.code_table import UnmappedCode, WaitingForCode
from gateway.model.delivery import Delivery, DeliveryState, Lane
from gateway.operations.dispatch import UNMAPPED, PartnerAnswer
from gateway.store import take_turn

TURN = "codes"
AGAIN_AT_ONCE = 1.0
"""Seconds until a message is tried again whose code may have got its row while it was looked up."""

_WAITS = "delivery.state = 'QUEUED' AND delivery.last_code = 'UNMAPPED'"
_GO_ON = text(
    f"""
    UPDATE delivery SET next_attempt_at = NULL
    FROM waiting_for_code waiting
    WHERE waiting.unmapped_id = ANY(:numbers) AND delivery.id = waiting.delivery_id AND {_WAITS}
    RETURNING delivery.job_id
    """  # noqa: S608 - our own words
)
_JOBS_NOW = text(
    """
    UPDATE procrastinate_jobs SET scheduled_at = now()
    WHERE id = ANY(:jobs) AND status = 'todo' AND scheduled_at > now()
    """
)
_HASTEN = text(
    f"""
    SELECT delivery.job_id FROM waiting_for_code waiting JOIN delivery ON delivery.id = waiting.delivery_id
    WHERE waiting.goes_on_at IS NOT NULL AND delivery.partner = :partner AND {_WAITS}
    """  # noqa: S608 - our own words
)
_TIDY = text(
    f"""
    DELETE FROM waiting_for_code WHERE delivery_id IN (
        SELECT delivery.id FROM waiting_for_code waiting JOIN delivery ON delivery.id = waiting.delivery_id
        WHERE delivery.partner = :partner AND NOT ({_WAITS}) FOR UPDATE OF delivery SKIP LOCKED
    )
    RETURNING delivery_id
    """  # noqa: S608 - our own words
)
"""Not without the lock: what is just being stored as waiting again would be judged by what it was before."""
_COUNT = text(
    f"""
    WITH waiting AS (
        SELECT waiting_for_code.unmapped_id, delivery.id, delivery.lock, right(delivery.lock, 1) <> '|' AS ordered
        FROM waiting_for_code JOIN delivery ON delivery.id = waiting_for_code.delivery_id WHERE {_WAITS}
    )
    SELECT unmapped_id, count(*), coalesce(sum((
        SELECT count(*) FROM delivery behind
        WHERE ordered AND behind.lock = waiting.lock AND behind.id > waiting.id AND behind.state = 'QUEUED'
    )), 0)
    FROM waiting GROUP BY unmapped_id
    """  # noqa: S608 - our own words
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many messages wait for one code."""

    many: int
    behind: int
    """How many others wait behind those, to keep their order."""


def park(session: Session, row: Delivery, answer: PartnerAnswer, verdict: Verdict, now: datetime) -> Verdict:
    """Note what a delivery waits for, and give back its attempt; when it is looked at again."""
    row.attempts -= 1
    if row.lane == Lane.CRITICAL:
        alert_without_code(session, row, now)
    if answer.missing is None:
        return verdict
    asked = Asked(answer.missing.table, answer.missing.value, row.partner, row.hospital_code, outbound=True)
    number = open_number(session, asked, UnmappedPolicy.PARK, now)
    if number is None:
        return replace(verdict, wait=AGAIN_AT_ONCE)
    waits = insert(WaitingForCode).values(delivery_id=row.id, unmapped_id=number, since=now)
    session.execute(
        waits.on_conflict_do_update(index_elements=["delivery_id"], set_={"unmapped_id": number, "goes_on_at": None})
    )
    return verdict


def go_on(session: Session, numbers: Sequence[int], now: datetime) -> int:
    """Let everything go now that waits for these values; how many there are. The caller commits.

    To be called in the transaction that has settled them (`gateway.codes.unmapped.settle`).
    """
    if not numbers:
        return 0
    session.execute(update(WaitingForCode).where(WaitingForCode.unmapped_id.in_(numbers)).values(goes_on_at=now))
    jobs = session.scalars(_GO_ON, {"numbers": list(numbers)}).all()
    session.execute(_JOBS_NOW, {"jobs": jobs})
    return len(jobs)


def settle_hourly(session: Session, now: datetime) -> int:
    """Let go what has a row since today; the first process of the site does it in each hour. How many there were."""
    if not take_turn(session, TURN, now.replace(minute=0, second=0, microsecond=0)):
        return 0
    bump(session)  # so that whoever is about to store that it waits looks again
    return go_on(session, settle(session, now), now)


def hasten(session: Session, partner: str) -> int:
    """The same for those whose jobs were just in somebody's hands when they were let go."""
    jobs = session.scalars(_HASTEN, {"partner": partner}).all()
    if jobs:
        session.execute(_JOBS_NOW, {"jobs": jobs})
    return len(jobs)


def tidy(session: Session, partner: str) -> int:
    """Forget what does not wait any more; how many there were."""
    return len(session.scalars(_TIDY, {"partner": partner}).all())


def awaited(session: Session, row: Delivery) -> UnmappedCode | None:
    """The value for whose row a delivery waits, if it does."""
    if (row.state, row.last_code) != (DeliveryState.QUEUED, UNMAPPED):
        return None
    query = select(UnmappedCode).join(WaitingForCode, WaitingForCode.unmapped_id == UnmappedCode.id)
    return session.scalars(query.where(WaitingForCode.delivery_id == row.id)).one_or_none()


def waiting(session: Session) -> Mapping[int, Waiting]:
    """How many messages wait for each value without a row, by its number."""
    return {number: Waiting(many, int(behind)) for number, many, behind in session.execute(_COUNT)}
