"""How well a hospital answers its critical values: shares in time and medians, by department and month; what is open.

Counted from the moments that were stored, so that a value open for days counts as what it is
(docs/specification/critical-value.md, "Figures").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from gateway.model.critical_value import OPEN, CriticalEscalation, CriticalValue
from gateway.terms import CriticalStatus

_FIGURES = """
    SELECT dept_code, count(*) FILTER (WHERE alive), count(*) FILTER (WHERE NOT alive),
        count(*) FILTER (WHERE alive AND handled_at IS NULL),
        count(*) FILTER (WHERE alive AND receipt_at <= receive_deadline),
        count(*) FILTER (WHERE alive AND coalesce(receipt_at, :now) > receive_deadline),
        count(*) FILTER (WHERE alive AND handled_at <= handle_deadline),
        count(*) FILTER (WHERE alive AND coalesce(handled_at, :now) > handle_deadline),
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM receipt_at - received_at) / 60)
            FILTER (WHERE alive),
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM handled_at - received_at) / 60)
            FILTER (WHERE alive)
    FROM (SELECT *, status <> '90' AS alive FROM critical_value
        WHERE received_at >= :first AND received_at < :after AND (:dept IS NULL OR dept_code = :dept)) month
    GROUP BY dept_code ORDER BY dept_code NULLS LAST
"""
_LEVELS = """
    SELECT dept_code, level, count(*) FROM critical_escalation JOIN critical_value ON key = critical_value_key
    WHERE received_at >= :first AND received_at < :after AND status <> '90'
    GROUP BY dept_code, level ORDER BY level
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """One department's month; a value belongs to the month in which it was pushed."""

    department: str | None
    values: int
    """Without those that were cancelled."""
    cancelled: int
    not_handled: int
    received_in_time: int
    received_late: int
    """Too late, or still not and the time is over; what still has time is neither."""
    handled_in_time: int
    handled_late: int
    median_minutes_to_receive: float | None
    median_minutes_to_handle: float | None
    escalations: dict[int, int] = field(default_factory=dict)
    """Level -> how often it was told."""

    @property
    def share_received(self) -> float | None:
        return _share(self.received_in_time, self.received_late)

    @property
    def share_handled(self) -> float | None:
        return _share(self.handled_in_time, self.handled_late)


def month_of(year: int, month: int, zone: tzinfo) -> tuple[datetime, datetime]:
    """The first moment of a month in hospital time, and the first of the next."""
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return datetime(year, month, 1, tzinfo=zone), datetime(*following, 1, tzinfo=zone)


def figures_of(
    session: Session, first: datetime, after: datetime, now: datetime, department: str | None = None
) -> list[Figures]:
    """The figures of every department that had a critical value between the two moments."""
    span = {"first": first, "after": after}
    levels: dict[str | None, dict[int, int]] = {}
    for dept, level, count in session.execute(text(_LEVELS), span):
        levels.setdefault(dept, {})[level] = count
    typed = text(_FIGURES.replace(":dept", "CAST(:dept AS text)"))
    rows: Any = session.execute(typed, {**span, "now": now, "dept": department})
    counted = [Figures(*row) for row in rows]
    return [replace(one, escalations=levels.get(one.department, {})) for one in counted]


def still_open(
    session: Session, department: str | None = None, limit: int = 200
) -> Sequence[tuple[CriticalValue, int | None]]:
    """Values somebody still has to act for, with the highest level that was told; those due longest first."""
    level = (
        select(func.max(CriticalEscalation.level))
        .where(CriticalEscalation.critical_value_key == CriticalValue.key)
        .scalar_subquery()
    )
    not_back = (CriticalValue.status == CriticalStatus.HANDLED) & CriticalValue.return_deadline.is_not(None)
    waiting = or_(CriticalValue.status.in_(OPEN), not_back & CriticalValue.returned_at.is_(None))
    query = select(CriticalValue, level).where(waiting).order_by(CriticalValue.received_at).limit(limit)
    if department is not None:
        query = query.where(CriticalValue.dept_code == department)
    found: Any = session.execute(query).all()
    return [tuple(row) for row in found]


def _share(in_time: int, late: int) -> float | None:
    return in_time / (in_time + late) if in_time + late else None
