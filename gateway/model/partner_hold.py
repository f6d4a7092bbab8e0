"""When an operator keeps messages from a partner: planned, in effect, or over; kept as history."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.model.base import Base


class HoldMode(StrEnum):
    """What is kept from a partner, and whether callers are told; the later ones are stricter."""

    HOLD = "HOLD"
    """All but critical values waits here; callers whose message can wait are not told."""
    MAINTENANCE = "MAINTENANCE"
    """The same, and every caller is told."""
    STOP = "STOP"
    """Nothing at all leaves, critical values neither."""


class PartnerHold(Base):
    """One order of an operator. It is in effect from `starts_at` until `until`, or until somebody releases it."""

    __tablename__ = "partner_hold"
    __table_args__ = (Index("ix_partner_hold_open", "partner", postgresql_where=text("ended_at IS NULL")),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    partner: Mapped[str]
    mode: Mapped[str]
    reason: Mapped[str]
    """In the operator's words; no caller sees it."""
    declared_by: Mapped[str]
    declared_at: Mapped[datetime]
    starts_at: Mapped[datetime]
    until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """When it was released; or, after its time was over, when the partner answered or was found not to."""
    ended_by: Mapped[str | None]
    """Who released it; empty when its time was over."""

    def is_in_effect(self, at: datetime) -> bool:
        return self.ended_at is None and self.starts_at <= at and not self.is_over(at)

    def is_over(self, at: datetime) -> bool:
        """Whether its time has passed without anybody releasing it."""
        return self.until is not None and self.until <= at
