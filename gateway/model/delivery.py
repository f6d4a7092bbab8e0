"""What has to reach a partner: one row per message and partner, the record of truth of its way, and every attempt.

Both tables are kept by the month; `id` alone names a row, the time beside it in the key says in which month it stands.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from gateway.model.base import Base
from gateway.model.monthly import keep_by_month, own_numbers, partition_by

_DELIVERY_NUMBERS, _ATTEMPT_NUMBERS = own_numbers("delivery"), own_numbers("delivery_attempt")


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    QUEUED = "QUEUED"
    """Waits for its turn or its next attempt."""
    SENDING = "SENDING"
    """Is being sent; after a crash its outcome is unknown."""
    DELIVERED = "DELIVERED"
    """The partner said yes."""
    REFUSED = "REFUSED"
    """The partner said no by a rule of its own; final, nothing to repeat."""
    UNKNOWN = "UNKNOWN"
    """Was sent and not answered; money is then queried, never guessed."""
    DEAD = "DEAD"
    """Attempts are used up or the partner's fault is permanent: an operator retries or discards it."""
    DISCARDED = "DISCARDED"
    """Given up by an operator, or overtaken by a cancellation before it left."""


UNFINISHED = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.UNKNOWN, DeliveryState.DEAD)
"""States in which a delivery holds back the later ones of its lock."""


class Lane(StrEnum):
    """The queue of a partner a delivery waits in."""

    NORMAL = "normal"
    CRITICAL = "critical"


class Delivery(Base):
    """One message for one partner. Its id is the MessageId at that partner, the same on every attempt."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index("ix_delivery_lock", "lock", "id"),
        Index("ix_delivery_partner_state", "partner", "state"),
        Index("ix_delivery_txn_no", "txn_no"),
        Index("ix_delivery_finished_at", "finished_at", postgresql_using="brin"),
        partition_by("delivery"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger,
        _DELIVERY_NUMBERS,
        server_default=_DELIVERY_NUMBERS.next_value(),
        primary_key=True,
        autoincrement=True,
    )
    partner: Mapped[str]
    operation: Mapped[str]
    lane: Mapped[str]
    lock: Mapped[str]
    """Kind, partner, hospital, branch and key, with bars between; deliveries of one lock leave in the order of ids.
    Without a key they need no order."""
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default="0")
    txn_no: Mapped[str]
    hospital_code: Mapped[str]
    origin_sender_code: Mapped[str]
    origin_message_id: Mapped[str]
    subject: Mapped[str]
    """The requisition, visit or critical value it is about, for lists; never a patient's name."""
    request: Mapped[str]
    """The children of the Request element as XML."""
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    next_attempt_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    last_code: Mapped[str | None]
    """ResultCode of the partner, or the kind of failure of the last attempt."""
    answer: Mapped[str | None]
    """The children of the partner's Response element as XML, once it answered."""
    released_at: Mapped[datetime | None]
    """Since when it holds nobody back as a dead letter: an operator let the later ones of its lock go on."""
    replay_of: Mapped[int | None] = mapped_column(BigInteger)
    """The delivery whose message this sends again, always the first one."""
    replay_batch: Mapped[int | None] = mapped_column(BigInteger)
    """The replay it is part of."""

    __mapper_args__ = {"primary_key": [id]}  # noqa: RUF012 - SQLAlchemy reads it from the class

    @property
    def message_id(self) -> str:
        """The MessageId under which the partner sees it."""
        return f"GW-{self.id}"


class DeliveryAttempt(Base):
    """One try to deliver: when, how long, and what came of it."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (partition_by("delivery_attempt"),)

    id: Mapped[int] = mapped_column(
        BigInteger, _ATTEMPT_NUMBERS, server_default=_ATTEMPT_NUMBERS.next_value(), primary_key=True, autoincrement=True
    )
    delivery_id: Mapped[int] = mapped_column(BigInteger, index=True)
    started_at: Mapped[datetime] = mapped_column(primary_key=True)
    milliseconds: Mapped[int]
    outcome: Mapped[str]
    """ANSWERED, NOT_SENT, UNKNOWN or FAULT."""
    code: Mapped[str | None]
    detail: Mapped[str | None]
    """Of an answer that could not be used: what is wrong with it and where, with nothing that it says."""

    __mapper_args__ = {"primary_key": [id]}  # noqa: RUF012 - SQLAlchemy reads it from the class


keep_by_month(Delivery, numbered=True)
keep_by_month(DeliveryAttempt, numbered=True)
