"""Which deliveries must keep their order: those with the same lock (docs/specification/delivery.md, "Order")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from sqlalchemy import ColumnElement, and_, not_, select
from sqlalchemy.orm import Session, defer

from gateway.model.delivery import Delivery, DeliveryState
from gateway.operations.dispatch import Origin
from gateway.operations.insurance import OPERATIONS

REQUISITION = "requisition"
MONEY = "money"
CRITICAL = "critical"

KINDS = {
    "SubmitRequisition": REQUISITION,
    "ReportStatus": REQUISITION,
    "SubmitReport": REQUISITION,
    "ChargeItem": MONEY,
    "RefundItem": MONEY,
    **dict.fromkeys(OPERATIONS, MONEY),
    "PushCriticalValue": CRITICAL,
    "AcknowledgeCriticalValue": CRITICAL,
}
"""Order is kept within a kind: a visit's money never waits for a requisition that happens to have its number."""

PRIORITIES = {MONEY: 10}
"""What leaves first when much is waiting, by kind; the others have 0. A whole lock has one: it keeps its order."""

_HOLDING = frozenset({DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.UNKNOWN, DeliveryState.DEAD})


def kind_of(operation: str) -> str:
    return KINDS.get(operation, "other")


def priority_of(kind: str) -> int:
    return PRIORITIES.get(kind, 0)


def is_money(operation: str) -> bool:
    return kind_of(operation) == MONEY


def holding_states(kind: str) -> frozenset[DeliveryState]:
    """The states in which a delivery holds back the later ones of its lock; a dead letter of money does not."""
    return _HOLDING - {DeliveryState.DEAD} if kind == MONEY else _HOLDING


def holds(kind: str) -> ColumnElement[bool]:
    """The same as a condition; a dead letter that an operator has released does not hold either."""
    released = and_(Delivery.state == DeliveryState.DEAD, Delivery.released_at.is_not(None))
    return and_(Delivery.state.in_(holding_states(kind)), not_(released))


@dataclass(frozen=True, slots=True)
class Lock:
    """The parts of a lock, and how they are written in one line."""

    kind: str
    partner: str
    hospital_code: str
    branch_code: str
    key: str

    def __str__(self) -> str:
        parts = (self.kind, self.partner, self.hospital_code, self.branch_code, self.key)
        return "|".join(part.replace("%", "%25").replace("|", "%7C") for part in parts)

    @classmethod
    def parse(cls, text: str) -> Lock:
        return cls(*(unquote(part) for part in text.split("|")))

    @classmethod
    def of(cls, operation: str, partner: str, origin: Origin, key: str) -> Lock:
        return cls(kind_of(operation), partner, origin.hospital_code, origin.branch_code, key)


def earlier(session: Session, row: Delivery) -> Sequence[Delivery]:
    """What holds this delivery back, the oldest first."""
    lock = Lock.parse(row.lock)
    if not lock.key:
        return ()
    query = (
        select(Delivery)
        .options(defer(Delivery.request), defer(Delivery.answer))
        .where(Delivery.lock == row.lock, Delivery.id < row.id, holds(lock.kind))
        .order_by(Delivery.id)
    )
    return session.scalars(query).all()
