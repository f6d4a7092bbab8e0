"""Keeps what a comparison found, and tells what is new, still open, settled or gone since the one before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, exists, func, select, text
from sqlalchemy.orm import Session, aliased

from gateway.model.reconciliation import ReconciliationDifference, ReconciliationResolution, ReconciliationRun
from gateway.reconciliation.booking import DIFFERENCES, Kind, Total
from gateway.reconciliation.comparing import Comparison, Loaded

Difference = ReconciliationDifference


class ResolutionRefused(Exception):
    """Why a difference cannot be settled, as one line."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A finished comparison."""

    run: ReconciliationRun
    totals: dict[str, tuple[Total, Total]]
    notes: dict[str, int]
    counts: dict[Kind, int]
    """Of every class that was found."""
    new: int
    gone: int
    """Of the comparison before: differences that are no more."""
    settled: int
    """Differences a person has settled."""

    @property
    def differences(self) -> int:
        """Those that wait for a person."""
        return self.run.differences - self.settled


def keep(
    session: Session,
    comparison: Comparison,
    loaded: Loaded,
    *,
    source: str,
    actor: str,
    started_at: datetime,
    now: datetime,
) -> ReconciliationRun:
    """Write down a comparison with everything it found."""
    day = comparison.day
    totals = dict(sorted((loaded.agreed | comparison.totals()).items()))
    if day.department:
        totals = {dept: both for dept, both in totals.items() if dept == day.department}
    ours = sum(own.charges + own.refunds for own, _ in totals.values())
    theirs = sum(their.charges + their.refunds for _, their in totals.values())
    wanted = [str(kind) for kind in DIFFERENCES]
    count = text("SELECT count(*) FROM reconcile_found WHERE kind = ANY(:kinds)")
    run = ReconciliationRun(
        hospital_code=day.hospital_code,
        day=day.day,
        counterpart=day.counterpart,
        department=day.department,
        source=source,
        actor=actor,
        started_at=started_at,
        finished_at=now,
        ours=ours,
        theirs=theirs,
        matched=comparison.matched(),
        differences=session.execute(count, {"kinds": wanted}).scalar_one(),
        totals=json.dumps({dept: [asdict(own), asdict(their)] for dept, (own, their) in totals.items()}, default=str),
        notes=json.dumps({name: count for name, count in loaded.notes.items() if count}),
    )
    before = _before(session, run)
    session.add(run)
    session.flush()
    session.execute(text(_KEEP), {"run": run.id, "before": before.id if before is not None else None})
    return run


_KEEP = """
INSERT INTO reconciliation_difference (run_id, kind, identity, direction, dept_code, branch_code, sender_code, number,
    visit_no, requisition_no, item_seq, our_key, our_amount, our_state, our_at, their_no, their_amount, their_state,
    their_at, remark, is_new)
SELECT :run, f.kind, f.identity, f.direction, f.dept, f.branch, f.sender, f.number, f.visit_no, f.requisition_no,
    f.item_seq, f.our_key, f.our_amount, f.our_state, f.our_at, f.their_no, f.their_amount, f.their_state, f.their_at,
    f.remark, NOT EXISTS (
        SELECT FROM reconciliation_difference d
        WHERE d.run_id = CAST(:before AS bigint) AND d.kind = f.kind AND d.identity = f.identity)
FROM reconcile_found f ORDER BY f.kind, f.dept, f.number, f.requisition_no, f.item_seq
"""


def _before(session: Session, run: ReconciliationRun) -> ReconciliationRun | None:
    """The latest earlier comparison of the same."""
    query = select(ReconciliationRun).where(
        ReconciliationRun.hospital_code == run.hospital_code,
        ReconciliationRun.day == run.day,
        ReconciliationRun.counterpart == run.counterpart,
        ReconciliationRun.department == run.department,
    )
    if run.id is not None:
        query = query.where(ReconciliationRun.id < run.id)
    return session.scalars(query.order_by(ReconciliationRun.id.desc()).limit(1)).one_or_none()


def summary(session: Session, run: ReconciliationRun) -> Summary:
    """What came of a comparison, in figures."""
    found = select(Difference.kind, func.count()).where(Difference.run_id == run.id).group_by(Difference.kind)
    real = Difference.kind.in_([str(kind) for kind in DIFFERENCES])
    of_run = select(func.count()).select_from(Difference).where(Difference.run_id == run.id, real)
    before, gone = _before(session, run), 0
    if before is not None:
        later = aliased(Difference)
        still = exists().where(
            later.run_id == run.id, later.kind == Difference.kind, later.identity == Difference.identity
        )
        gone_query = select(func.count()).select_from(Difference).where(Difference.run_id == before.id, real, ~still)
        gone = session.scalars(gone_query).one()
    return Summary(
        run=run,
        totals=_totals(run),
        notes=json.loads(run.notes),
        counts={Kind(kind): count for kind, count in session.execute(found)},
        new=session.scalars(of_run.where(Difference.is_new)).one(),
        gone=gone,
        settled=session.scalars(of_run.where(_settled())).one(),
    )


def differences(session: Session, run: ReconciliationRun) -> Iterator[tuple[Difference, bool]]:
    """What a comparison found, in the order of the day sheet, each with whether a person has settled it."""
    query = select(Difference, _settled()).where(Difference.run_id == run.id).order_by(Difference.id)
    for row in session.execute(query.execution_options(yield_per=1000)):
        yield row[0], row[1]


def latest(session: Session, hospital_code: str, counterpart: str | None = None) -> ReconciliationRun | None:
    """The newest comparison of a hospital."""
    query: Select[ReconciliationRun] = select(ReconciliationRun).where(ReconciliationRun.hospital_code == hospital_code)
    if counterpart is not None:
        query = query.where(ReconciliationRun.counterpart == counterpart)
    return session.scalars(query.order_by(ReconciliationRun.id.desc()).limit(1)).one_or_none()


def resolve(session: Session, difference_id: int, words: str, actor: str, now: datetime) -> Difference:
    """Note what a person did about a difference; it then counts no more. Raises ResolutionRefused."""
    difference = session.get(Difference, difference_id)
    if difference is None or Kind(difference.kind) not in DIFFERENCES:
        raise ResolutionRefused(f"There is no difference {difference_id}.")
    if session.scalars(select(_settled()).where(Difference.id == difference_id)).one():
        raise ResolutionRefused(f"Difference {difference_id} is settled already.")
    session.add(ReconciliationResolution(difference_id=difference_id, at=now, actor=actor, text=words))
    return difference


def _settled() -> ColumnElement[bool]:
    """Whether a person has settled this difference, in this comparison or in an earlier one of the same day."""
    earlier, run, its_run = aliased(Difference), aliased(ReconciliationRun), aliased(ReconciliationRun)
    return (
        exists()
        .where(
            ReconciliationResolution.difference_id == earlier.id,
            earlier.kind == Difference.kind,
            earlier.identity == Difference.identity,
            earlier.run_id == its_run.id,
            run.id == Difference.run_id,
            run.hospital_code == its_run.hospital_code,
            run.day == its_run.day,
            run.counterpart == its_run.counterpart,
        )
        .correlate(Difference)
    )


def _totals(run: ReconciliationRun) -> dict[str, tuple[Total, Total]]:
    def total(values: dict[str, str | int]) -> Total:
        return Total(
            int(values["charges"]), Decimal(values["charged"]), int(values["refunds"]), Decimal(values["refunded"])
        )

    return {dept: (total(own), total(their)) for dept, (own, their) in json.loads(run.totals).items()}
