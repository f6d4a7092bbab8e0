"""Sends again what was delivered, because a partner has lost it: chosen, looked at, approved, then handed over slowly.

A replay is a new delivery with the business numbers of its original, at the end of its lock and in the normal lane.
It holds nobody back when it fails, and what it is answered changes no ledger (docs/specification/replay.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, insert, literal, select, text
from sqlalchemy.orm import Session

from gateway.delivery import redrive
from gateway.delivery.dispatch import IN_ORDER
from gateway.delivery.enqueue import enqueue
from gateway.delivery.jobs import Jobs
from gateway.delivery.locks import KINDS, Lock, is_money
from gateway.delivery.selection import Selection
from gateway.model.delivery import Delivery, DeliveryState, Lane
from gateway.model.replay import ReplayBatch, ReplayMember, ReplayState
from gateway.operations.insurance import OPERATIONS as OF_INSURANCE
from gateway.operations.report_status import ASKS_HIS as BOOKED_BY_HIS
from gateway.operations.report_status import OPERATION as STATUS
from gateway.partner_config import Partner

REPLAYABLE = frozenset(KINDS) - frozenset(OF_INSURANCE)
"""What is sent again: an insurance platform cannot be asked what it has by number, and a question has no effect."""
CLINICAL = frozenset({"SubmitRequisition", "SubmitReport", "PushCriticalValue", "AcknowledgeCriticalValue"})
MOST = 10_000
"""Deliveries in one replay."""
UNDER_WAY = 100
"""So many of a replay may wait at a partner at once: what is live never stands behind more of them."""
MOST_PER_SECOND = 50
VALID_DAYS = 7
"""After so long a proposal cannot be approved any more: what has been overtaken since is not what was looked at."""

_SUPERSEDED = text(
    """
    WITH chosen(id) AS MATERIALIZED (SELECT unnest(CAST(:ids AS bigint[])))
    SELECT one.id FROM delivery one JOIN chosen ON chosen.id = one.id
    WHERE right(one.lock, 1) <> '|' AND EXISTS (
        SELECT 1 FROM delivery later
        WHERE later.lock = one.lock AND later.id > one.id AND later.replay_of IS NULL
            AND later.state NOT IN ('REFUSED', 'DISCARDED')
            AND NOT EXISTS (SELECT 1 FROM chosen WHERE chosen.id = later.id)
            AND NOT EXISTS (SELECT 1 FROM replay_member WHERE batch_id = :batch AND original_id = later.id)
            AND CASE one.operation
                WHEN 'ChargeItem' THEN later.operation = 'RefundItem' AND strpos(later.request, '<OriginalChargeNo>'
                    || substring(one.request from '<ChargeNo>([^<]*)</ChargeNo>') || '</OriginalChargeNo>') > 0
                WHEN 'RefundItem' THEN false
                WHEN 'SubmitReport' THEN later.operation = 'SubmitReport' AND strpos(later.request, '<ReportNo>'
                    || substring(one.request from '<ReportNo>([^<]*)</ReportNo>') || '</ReportNo>') > 0
                ELSE true END
    )
    """
)
"""Which of these a later message has overtaken that is neither among them nor part of the same replay: a charge by its
refund, a report by its next version, anything else by whatever came later about the same thing."""


class ReplayRefused(Exception):
    """It cannot be replayed, approved or gone on with; the text says why, and names no patient."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a replay would do at one partner with one operation."""

    partner: str
    operation: str
    many: int
    superseded: int
    oldest: datetime
    newest: datetime
    asks_first: bool
    """True where the partner is asked whether it has them, and only what it does not know is sent."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a selection means, before anybody decides."""

    originals: tuple[int, ...]
    """What would be sent again, oldest first; without what was overtaken, unless that is wanted too."""
    superseded: int
    lines: tuple[Line, ...]
    needs_approval: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is."""

    state: ReplayState
    handed_over: int
    left_out: int
    size: int
    blocked: tuple[str, ...] = ()
    """Partners that have as many waiting as they may."""

    @property
    def done(self) -> int:
        return self.handed_over + self.left_out


# --- choosing ---------------------------------------------------------------------------------------------------------


def plan(
    session: Session, selection: Selection, partners: Mapping[str, Partner], limit: int, *, with_superseded: bool
) -> Plan:
    """What would be sent again. A replay in the selection stands for its original. Raises ReplayRefused."""
    rows = _chosen(session, selection, limit)
    if not rows:
        raise ReplayRefused("Nothing that was delivered fits: only what is DELIVERED is replayed, by its first number.")
    gone = sorted({row.partner for row in rows} - set(partners))
    if gone:
        raise ReplayRefused(f"{', '.join(gone)} is no partner of the site any more: leave it out by --partner.")
    overtaken = superseded(session, [row.id for row in rows])
    lines = []
    for partner, operation in sorted({(row.partner, row.operation) for row in rows}):
        alike = [row for row in rows if (row.partner, row.operation) == (partner, operation)]
        times = [row.created_at for row in alike]
        behind = sum(row.id in overtaken for row in alike)
        asks = is_money(operation) or _charges(operation, partners[partner])
        lines.append(Line(partner, operation, len(alike), behind, min(times), max(times), asks))
    sent = [row for row in rows if with_superseded or row.id not in overtaken]
    return Plan(
        originals=tuple(row.id for row in sent),
        superseded=len(rows) - len(sent),
        lines=tuple(lines),
        needs_approval=any(_needs_two(row.operation, partners[row.partner]) for row in sent),
    )


@dataclass(frozen=True, slots=True)
class _Original:
    id: int
    partner: str
    operation: str
    created_at: datetime


def _chosen(session: Session, selection: Selection, limit: int) -> list[_Original]:
    if selection.ids:
        if len(selection.ids) > limit:
            raise ReplayRefused(f"{len(selection.ids):,} are named, more than {limit:,}: replay them in several parts.")
        return _named(session, selection.ids)
    query = (
        select(Delivery.id, Delivery.partner, Delivery.operation, Delivery.created_at)
        .where(
            *selection.conditions(),
            Delivery.state == DeliveryState.DELIVERED,
            Delivery.replay_of.is_(None),
            Delivery.operation.in_(REPLAYABLE),
        )
        .order_by(Delivery.id)
        .limit(limit + 1)
    )
    rows = [_Original(*row) for row in session.execute(query)]
    if len(rows) > limit:
        raise ReplayRefused(
            f"More than {limit:,} fit: narrow them by --since and --until. None is left out silently, because what"
            " comes later may rest on it."
        )
    return rows


def _named(session: Session, numbers: Collection[int]) -> list[_Original]:
    columns = (Delivery.id, Delivery.partner, Delivery.operation, Delivery.created_at, Delivery.state)
    repeated = select(Delivery.id, Delivery.replay_of).where(Delivery.id.in_(numbers), Delivery.replay_of.is_not(None))
    first = dict(session.execute(repeated).all())
    wanted = {first.get(number) or number for number in numbers}
    found = {row.id: row for row in session.execute(select(*columns).where(Delivery.id.in_(wanted)))}
    for number in sorted(wanted):
        row = found.get(number)
        if row is None:
            raise ReplayRefused(f"There is no delivery {number}.")
        if row.state != DeliveryState.DELIVERED:
            raise ReplayRefused(
                f"Delivery {row.id} is {row.state}: only what was delivered is replayed. `gateway delivery retry` sends"
                " again what has not got through."
            )
        if row.operation not in REPLAYABLE:
            raise ReplayRefused(
                f"Delivery {row.id} is {row.operation}, which is not replayed: it cannot be asked whether it is there."
            )
    return [_Original(row.id, row.partner, row.operation, row.created_at) for _, row in sorted(found.items())]


def superseded(session: Session, originals: Sequence[int], batch_id: int | None = None) -> set[int]:
    """Those that a later message has overtaken which is not among them: to send them may set the partner back.

    Neither does it count when it is part of the replay `batch_id`.
    """
    return set(session.scalars(_SUPERSEDED, {"ids": list(originals), "batch": batch_id}))


def _needs_two(operation: str, partner: Partner) -> bool:
    """Money, clinical content, and what makes a HIS charge by itself."""
    return operation in CLINICAL or is_money(operation) or _charges(operation, partner)


def _charges(operation: str, partner: Partner) -> bool:
    """Whether this HIS charges by itself when it hears of a registration."""
    return operation == STATUS and partner.registration_charges


# --- deciding ---------------------------------------------------------------------------------------------------------


def propose(
    session: Session,
    plan: Plan,
    *,
    by: str,
    reason: str,
    selection: str,
    with_superseded: bool,
    per_second: int,
    now: datetime,
) -> ReplayBatch:
    """Keep what was planned as a replay; it may begin at once unless a second person has to approve it."""
    if not plan.originals:
        raise ReplayRefused("All of it was overtaken by later messages: --with-superseded sends it all the same.")
    batch = ReplayBatch(
        proposed_at=now,
        proposed_by=by,
        reason=reason,
        selection=selection,
        with_superseded=with_superseded,
        superseded=plan.superseded,
        needs_approval=plan.needs_approval,
        per_second=min(per_second, MOST_PER_SECOND),
        state=ReplayState.PROPOSED if plan.needs_approval else ReplayState.APPROVED,
    )
    session.add(batch)
    session.flush()
    chosen = select(literal(batch.id), Delivery.id, Delivery.partner, Delivery.operation)
    columns = ["batch_id", "original_id", "partner", "operation"]
    session.execute(insert(ReplayMember).from_select(columns, chosen.where(Delivery.id.in_(plan.originals))))
    return batch


def approve(session: Session, batch_id: int, *, by: str, now: datetime) -> ReplayBatch:
    """A second person agrees. Raises ReplayRefused."""
    batch = locked(session, batch_id)
    if batch.state != ReplayState.PROPOSED:
        raise ReplayRefused(f"Replay {batch_id} is {batch.state}: only a proposed one is approved.")
    if batch.proposed_by == by:
        raise ReplayRefused(
            f"Replay {batch_id} was proposed by {by}: another person has to approve it, from an account of their own."
        )
    if now - batch.proposed_at > timedelta(days=VALID_DAYS):
        raise ReplayRefused(f"Replay {batch_id} is older than {VALID_DAYS} days: cancel it and propose it again.")
    batch.state, batch.approved_by, batch.approved_at = ReplayState.APPROVED, by, now
    session.flush()
    return batch


def cancel(session: Session, jobs: Jobs, batch_id: int, *, now: datetime) -> int:
    """Hand over no more of it, and take back what the partner was not sent yet; how many were taken back.

    Raises ReplayRefused.
    """
    batch = locked(session, batch_id)
    if batch.state in (ReplayState.DONE, ReplayState.CANCELLED):
        raise ReplayRefused(
            f"Replay {batch_id} is {batch.state}: `gateway delivery skip --replay {batch_id}` gives up what waits."
        )
    batch.state, batch.finished_at = ReplayState.CANCELLED, now
    waiting = (DeliveryState.QUEUED, DeliveryState.UNKNOWN)
    query = select(Delivery.id).where(
        Delivery.partner.in_(select(ReplayMember.partner).where(ReplayMember.batch_id == batch_id)),
        Delivery.state.in_(waiting),
        Delivery.replay_batch == batch_id,
        Delivery.attempts == 0,
    )
    taken = 0
    for number in session.scalars(query.order_by(Delivery.id)).all():
        try:
            redrive.discard(session, jobs, number, f"replay {batch_id} cancelled", now)
        except redrive.RedriveRefused:
            continue  # it is just being sent
        taken += 1
    return taken


def locked(session: Session, batch_id: int) -> ReplayBatch:
    """The replay, so that nobody else decides about it or goes on with it meanwhile. Raises ReplayRefused."""
    batch = session.get(ReplayBatch, batch_id, with_for_update=True, populate_existing=True)
    if batch is None:
        raise ReplayRefused(f"There is no replay {batch_id}.")
    return batch


# --- handing over -----------------------------------------------------------------------------------------------------


def hand_over(session: Session, batch_id: int, many: int, now: datetime) -> Progress:
    """Give the next ones to the queue, in the order of the originals, and say how far the replay is.

    Any number of processes may call it: one works at a time. Raises ReplayRefused when it may not go on.
    """
    batch = locked(session, batch_id)
    if batch.state not in (ReplayState.APPROVED, ReplayState.RUNNING):
        raise ReplayRefused(f"Replay {batch_id} is {batch.state}: it does not go on.")
    waiting = _under_way(session, batch_id)
    blocked = tuple(sorted(partner for partner, number in waiting.items() if number >= UNDER_WAY))
    query = select(ReplayMember).where(
        ReplayMember.batch_id == batch_id,
        ReplayMember.delivery_id.is_(None),
        ReplayMember.left_out.is_(None),
        ReplayMember.partner.not_in(blocked),
    )
    members = session.scalars(query.order_by(ReplayMember.original_id).limit(many)).all()
    if members:
        _enqueue(session, batch, members, now)
    batch.state, batch.started_at = ReplayState.RUNNING, batch.started_at or now
    session.flush()
    found = progress(session, batch_id, blocked)
    if found.done == found.size:
        batch.state, batch.finished_at = ReplayState.DONE, now
        return Progress(ReplayState.DONE, found.handed_over, found.left_out, found.size)
    return found


def progress(session: Session, batch_id: int, blocked: tuple[str, ...] = ()) -> Progress:
    """How far a replay is."""
    state = session.scalars(select(ReplayBatch.state).where(ReplayBatch.id == batch_id)).one()
    counts = (func.count(ReplayMember.delivery_id), func.count(ReplayMember.left_out), func.count())
    found = session.execute(select(*counts).where(ReplayMember.batch_id == batch_id)).one()
    return Progress(ReplayState(state), *found, blocked)


def _under_way(session: Session, batch_id: int) -> Counter[str]:
    """How many of it wait at each partner."""
    states = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.UNKNOWN)
    partners = select(ReplayMember.partner).where(ReplayMember.batch_id == batch_id)
    query = (
        select(Delivery.partner, func.count())
        .where(Delivery.partner.in_(partners), Delivery.state.in_(states), Delivery.replay_batch == batch_id)
        .group_by(Delivery.partner)
    )
    return Counter(dict(session.execute(query).all()))


def _enqueue(session: Session, batch: ReplayBatch, members: Sequence[ReplayMember], now: datetime) -> None:
    numbers = [member.original_id for member in members]
    originals = {row.id: row for row in session.scalars(select(Delivery).where(Delivery.id.in_(numbers)))}
    locks = sorted({row.lock for row in originals.values() if Lock.parse(row.lock).key})
    session.execute(IN_ORDER, {"locks": locks})  # whatever is added to one of them now comes after what is looked at
    overtaken = set() if batch.with_superseded else superseded(session, numbers, batch.id)
    for member in members:
        if member.original_id not in originals:
            member.left_out = "GONE"
        elif member.original_id in overtaken:
            member.left_out = "SUPERSEDED"
    sent = [originals[member.original_id] for member in members if member.left_out is None]
    enqueue(session, [_values(row, batch, now) for row in sent])
    found = select(Delivery.replay_of, Delivery.id).where(
        Delivery.lock.in_({row.lock for row in sent}), Delivery.replay_batch == batch.id
    )
    made = dict(session.execute(found).all())
    for member in members:
        member.delivery_id = made.get(member.original_id)


def _values(original: Delivery, batch: ReplayBatch, now: datetime) -> dict[str, object]:
    """The new delivery. What is booked is asked for before it is sent; whatever fails holds nobody back."""
    registers = original.operation == STATUS and any(f">{event}</Event>" in original.request for event in BOOKED_BY_HIS)
    asks_first = is_money(original.operation) or registers
    same = (
        *("partner", "operation", "lock", "txn_no", "hospital_code"),
        *("origin_sender_code", "origin_message_id", "subject", "request"),
    )
    return {
        **{name: getattr(original, name) for name in same},
        "lane": Lane.NORMAL,
        "state": DeliveryState.UNKNOWN if asks_first else DeliveryState.QUEUED,
        "attempts": 0,
        "created_at": now,
        "started_at": now if asks_first else None,
        "released_at": now,
        "replay_of": original.id,
        "replay_batch": batch.id,
    }
