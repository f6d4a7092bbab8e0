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
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.journal import Alert
from gateway.monitoring import Figure

KINDS = ("critical", "money", "other", "code", "dead", "behind")
_PARTNER = ("partner",)


class DatabaseFigures:
    """Asks the database for them; when it is away, that is the one figure there is."""

    def __init__(
        self, engine: Engine, partners: Sequence[str], now: Callable[[], datetime], plan: MaintenancePlan | None = None
    ) -> None:
        self._engine = engine
        self._partners = tuple(partners)
        self._now = now
        self._plan = plan or MaintenancePlan((), UTC)

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
