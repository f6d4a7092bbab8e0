"""Which deliveries a person means: by number, or by partner, operation, answer, state and time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, defer

from gateway.model.delivery import Delivery, DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What all deliveries meant have in common; what is not said leaves a criterion out."""

    ids: tuple[int, ...] = ()
    states: Collection[DeliveryState] = ()
    partner: str | None = None
    operation: str | None = None
    code: str | None = None
    """ResultCode of the partner, or the kind of failure, of the last attempt."""
    about: str | None = None
    """The requisition, visit or critical value."""
    replay: int | None = None
    """Part of this replay."""
    since: datetime | None = None
    until: datetime | None = None
    """When they were handed over, from `since` until before `until`."""

    @property
    def is_narrow(self) -> bool:
        """Whether anything but a state is said: nobody means all deliveries there ever were."""
        named = (self.partner, self.operation, self.code, self.about, self.replay, self.since)
        return bool(self.ids) or any(value is not None for value in named)

    def conditions(self) -> list[ColumnElement[bool]]:
        """What a query for them has to ask."""
        equal = (
            (Delivery.partner, self.partner),
            (Delivery.operation, self.operation),
            (Delivery.last_code, self.code),
            (Delivery.subject, self.about),
            (Delivery.replay_batch, self.replay),
        )
        wanted = [column == value for column, value in equal if value is not None]
        wanted += [Delivery.id.in_(self.ids)] if self.ids else []
        wanted += [Delivery.state.in_(self.states)] if self.states else []
        wanted += [Delivery.created_at >= self.since] if self.since is not None else []
        wanted += [Delivery.created_at < self.until] if self.until is not None else []
        return wanted

    def __str__(self) -> str:
        times = (
            (name, at and f"{at:%Y-%m-%dT%H:%M:%S%z}") for name, at in (("since", self.since), ("until", self.until))
        )
        words = (
            ("ids", ",".join(map(str, self.ids))),
            ("state", ",".join(sorted(self.states))),
            *((name, getattr(self, name)) for name in ("partner", "operation", "code", "about", "replay")),
            *times,
        )
        return " ".join(f"{name}={value}" for name, value in words if value)


@dataclass(frozen=True, slots=True)
class Group:
    """Deliveries that are alike, for a preview."""

    partner: str
    operation: str
    state: str
    code: str
    many: int
    oldest: datetime
    newest: datetime


def find(session: Session, selection: Selection, limit: int) -> Sequence[Delivery]:
    """Those meant, without their content, the oldest first."""
    query = (
        select(Delivery)
        .options(defer(Delivery.request), defer(Delivery.answer))
        .where(*selection.conditions())
        .order_by(Delivery.id)
        .limit(limit)
    )
    return session.scalars(query).all()


def groups(session: Session, *conditions: ColumnElement[bool]) -> Sequence[Group]:
    """What deliveries there are under these conditions, by partner, operation, state and last answer."""
    alike = (Delivery.partner, Delivery.operation, Delivery.state, func.coalesce(Delivery.last_code, ""))
    counted = (func.count(), func.min(Delivery.created_at), func.max(Delivery.created_at))
    query = select(*alike, *counted).where(*conditions).group_by(*alike).order_by(*alike)
    return [Group(*row) for row in session.execute(query)]
