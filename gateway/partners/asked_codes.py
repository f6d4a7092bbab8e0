"""Finds the codes that messages to a partner ask for: its stylesheets are run again, and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from gateway.codes.coverage import Listener
from gateway.mapping.errors import MappingFailed, PayloadUnreadable, StylesheetBroken
from gateway.model.delivery import Delivery
from gateway.operations.dispatch import Origin
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp
from gateway.partners.mapped import Mapped, Surroundings
from gateway.partners.registry import DIALECTS

AT_ONCE = 500
_COLUMNS = (
    Delivery.id,
    Delivery.operation,
    Delivery.hospital_code,
    Delivery.txn_no,
    Delivery.origin_sender_code,
    Delivery.origin_message_id,
    Delivery.request,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """The messages to one partner with stylesheets since a moment, the newest `most` of them."""

    partner: Partner
    around: Surroundings
    since: datetime
    most: int

    @property
    def name(self) -> str:
        return self.partner.name

    def count(self, session: Session) -> int:
        """How many there are, those left out included."""
        return session.scalar(select(func.count()).select_from(Delivery).where(*self._wanted())) or 0

    def listen(self, session: Session, listener: Listener, told: Callable[[int], None]) -> int:
        """Let the listener hear what they ask; how many could not be mapped, by which nothing is learnt of the rest."""
        mapped, failed = DIALECTS[self.partner.dialect](self.partner, self.around), 0
        assert isinstance(mapped, Mapped)
        for done, row in enumerate(self._rows(session), 1):
            origin = Origin(row.txn_no, row.hospital_code, "", row.origin_sender_code, row.origin_message_id)
            try:
                mapped.look_up(row.operation, row.request, Stamp(f"GW-{row.id}", origin), listener)
            except (StylesheetBroken, MappingFailed, PayloadUnreadable):
                failed += 1
            listener.message_ends()
            told(done)
        return failed

    def _rows(self, session: Session) -> Iterator[Any]:
        below: list[ColumnElement[bool]] = []
        left = self.most
        while left > 0:
            query = select(*_COLUMNS).where(*self._wanted(), *below).order_by(Delivery.id.desc())
            rows = session.execute(query.limit(min(AT_ONCE, left))).all()
            if not rows:
                return
            yield from rows
            left -= len(rows)
            below = [Delivery.id < rows[-1].id]

    def _wanted(self) -> tuple[ColumnElement[bool], ...]:
        """A message sent again is counted once."""
        return (
            Delivery.partner == self.partner.name,
            Delivery.created_at >= self.since,
            Delivery.replay_of.is_(None),
        )
