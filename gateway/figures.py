"""The figures of /metrics that are in the database: what waits for partners, who serves them, what a person must see.

They are the same whichever process or machine is asked, so an alarm needs no sum over machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.delivery.backlog import backlogs, services
from gateway.delivery.holds import open_holds
from gateway.delivery.hours import MaintenancePlan
from gateway.delivery.locks import MONEY
from gateway.model.code_table import UnmappedCode, WaitingForCode
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.journal import Alert
from gateway.model.poll import PollBookmark, PollRow, RowState
from gateway.monitoring import Figure

KINDS = ("critical", "money", "other", "code", "dead", "behind")
_PARTNER = ("partner",)
_POLL = ("partner", "poll")
POLL_KINDS = {"parked": (RowState.PARKED,), "waiting": (RowState.WAITING, RowState.RETRY)}


class DatabaseFigures:
    """Asks the database for them; when it is away, that is the one figure there is."""

    def __init__(
        self,
        engine: Engine,
        partners: Sequence[str],
        now: Callable[[], datetime],
        plan: MaintenancePlan | None = None,
        polls: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`polls` are named by their partner and their own name."""
        self._engine = engine
        self._partners = tuple(partners)
        self._now = now
        self._plan = plan or MaintenancePlan((), UTC)
        self._polls = tuple(polls)

    def __call__(self) -> Sequence[Figure]:
        try:
            with Session(self._engine) as session:
                return [_up(True), *self._found(session)]
        except SQLAlchemyError:
            return [_up(False)]

    def _found(self, session: Session) -> Iterator[Figure]:
        waiting, now = backlogs(session, self._partners), self._now()
        yield Figure(
            "gateway_delivery_backlog",
            "Deliveries that have not come to an end: critical, money and other leave by themselves; those "
            "of code wait for a row of a code table, the dead for an operator, and those behind with them",
            ("partner", "kind"),
            {(name, kind): one.count(kind) for name, one in waiting.items() for kind in KINDS},
        )
        yield Figure(
            "gateway_delivery_oldest_seconds",
            "Age of the oldest delivery that is to leave by itself",
            _PARTNER,
            {(name,): _age(one.oldest, now) for name, one in waiting.items()},
        )
        unknown = _unknown_money(session, self._partners)
        yield Figure(
            "gateway_money_unknown",
            "Charges and refunds that were sent and whose outcome is not known",
            _PARTNER,
            {(name,): unknown.get(name, (0, None))[0] for name in self._partners},
        )
        yield Figure(
            "gateway_money_unknown_oldest_seconds",
            "Age of the oldest of them since it was sent",
            _PARTNER,
            {(name,): _age(unknown.get(name, (0, None))[1], now) for name in self._partners},
        )
        yield from self._service(session, now)
        yield from self._of_polls(session, now)
        yield from _of_codes(session, now)
        kinds = session.execute(select(Alert.kind, func.count()).where(Alert.settled_at.is_(None)).group_by(Alert.kind))
        yield Figure(
            "gateway_alerts_open",
            "What a person must look at and nobody has settled",
            ("kind",),
            {(kind,): count for kind, count in kinds},
        )

    def _service(self, session: Session, now: datetime) -> Iterator[Figure]:
        serving = services(session, self._partners)
        orders = (*open_holds(session), *self._plan.at(now))
        held = {one.partner for one in orders if one.is_in_effect(now)}
        facts = {
            "gateway_partner_served": ("1 when a delivery process serves the partner", set(serving)),
            "gateway_partner_left_alone": (
                "1 when the partner does not answer and is only tried now and then (its breaker is open)",
                {name for name, service in serving.items() if service.breaker_open},
            ),
            "gateway_partner_held": (
                "1 when an operator has declared a downtime or stopped it, or in its maintenance hours",
                held,
            ),
        }
        for name, (said, true_of) in facts.items():
            yield Figure(name, said, _PARTNER, {(partner,): float(partner in true_of) for partner in self._partners})

    def _of_polls(self, session: Session, now: datetime) -> Iterator[Figure]:
        marks = {(mark.partner, mark.poll): mark for mark in session.scalars(select(PollBookmark))}
        open_states = [state for states in POLL_KINDS.values() for state in states]
        query = select(PollRow.partner, PollRow.poll, PollRow.state, func.count()).where(PollRow.state.in_(open_states))
        grouped = session.execute(query.group_by(PollRow.partner, PollRow.poll, PollRow.state))
        counts = {(partner, poll, state): many for partner, poll, state, many in grouped}
        yield Figure(
            "gateway_poll_backlog",
            "Rows that were read and not taken: waiting are tried again, parked wait for an operator",
            (*_POLL, "kind"),
            {
                (*poll, kind): sum(counts.get((*poll, state), 0) for state in states)
                for poll in self._polls
                for kind, states in POLL_KINDS.items()
            },
        )
        yield Figure(
            "gateway_poll_looked_seconds",
            "Age of the last time the source was read to its end, or since it is tried",
            _POLL,
            {poll: _age(mark.looked_at or mark.started_at, now) for poll, mark in marks.items() if poll in self._polls},
        )
        yield Figure(
            "gateway_poll_failing_seconds",
            "Since when the source cannot be read or written to; 0 when it can",
            _POLL,
            {poll: _age(marks[poll].failing_since if poll in marks else None, now) for poll in self._polls},
        )


def _of_codes(session: Session, now: datetime) -> Iterator[Figure]:
    query = select(UnmappedCode.partner, UnmappedCode.policy, func.count()).where(UnmappedCode.resolved_at.is_(None))
    found = session.execute(query.group_by(UnmappedCode.partner, UnmappedCode.policy))
    yield Figure(
        "gateway_codes_without_row",
        "Values that were met and have no row in their code table, by what becomes of them",
        ("partner", "policy"),
        {(partner, policy): many for partner, policy, many in found},
    )
    oldest = (
        select(UnmappedCode.partner, func.min(WaitingForCode.since))
        .join(WaitingForCode, WaitingForCode.unmapped_id == UnmappedCode.id)
        .where(WaitingForCode.goes_on_at.is_(None))
        .group_by(UnmappedCode.partner)
    )
    yield Figure(
        "gateway_codes_waiting_seconds",
        "How long the oldest message has been waiting for a row of a code table",
        _PARTNER,
        {(partner,): _age(since, now) for partner, since in session.execute(oldest)},
    )


def _up(up: bool) -> Figure:
    return Figure("gateway_database_up", "1 when the database answers in time", (), {(): float(up)})


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0) if since is not None else 0


def _unknown_money(session: Session, partners: Sequence[str]) -> dict[str, tuple[int, datetime | None]]:
    query = (
        select(Delivery.partner, func.count(), func.min(Delivery.started_at))
        .where(
            Delivery.partner.in_(partners),
            Delivery.state == DeliveryState.UNKNOWN,
            Delivery.lock.startswith(f"{MONEY}|"),
        )
        .group_by(Delivery.partner)
    )
    return {partner: (count, since) for partner, count, since in session.execute(query)}
