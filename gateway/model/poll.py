"""How far each table or view of a partner has been read, and what became of the rows that are still looked at."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.model.base import Base


class RowState(StrEnum):
    """What became of a row."""

    TAKEN = "TAKEN"
    WAITING = "WAITING"
    """Refused for now; it is tried again by itself."""
    PARKED = "PARKED"
    """Refused; a person has to look at it."""
    RETRY = "RETRY"
    """A person has said that it is to be tried again."""
    SKIPPED = "SKIPPED"
    """A person has said that it is not wanted, or it is there no more."""


class PollBookmark(Base):
    """How far one poll has come, and whether its source can be read."""

    __tablename__ = "poll_bookmark"

    partner: Mapped[str] = mapped_column(primary_key=True)
    poll: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[str | None]
    """The last row in order, as JSON: its time, if the poll goes by time, and its key; empty before the first."""
    begun: Mapped[bool]
    """False while its source has never answered."""
    started_at: Mapped[datetime]
    looked_at: Mapped[datetime | None]
    """When the source was last read to its end."""
    failing_since: Mapped[datetime | None]
    trouble: Mapped[str | None]
    """A code and words, without any value."""
    alerted_at: Mapped[datetime | None]
    process: Mapped[str | None]
    """Who reads it: node and number of the process."""


class PollRow(Base):
    """One row that was read, as long as it may be read again or waits for something."""

    __tablename__ = "poll_row"
    __table_args__ = (
        UniqueConstraint("partner", "poll", "row_key"),
        Index("ix_poll_row_open", "partner", "poll", postgresql_where=text("state IN ('WAITING', 'PARKED', 'RETRY')")),
        Index("ix_poll_row_unmarked", "partner", "poll", postgresql_where=text("NOT marked")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    partner: Mapped[str]
    poll: Mapped[str]
    row_key: Mapped[str]
    version: Mapped[str]
    position: Mapped[str]
    ahead: Mapped[bool]
    """True when it stood behind all that had been read before; a late one did not."""
    state: Mapped[str]
    tries: Mapped[int]
    round: Mapped[int]
    """How often it was given a new MessageId, because it was refused and comes again."""
    code: Mapped[str]
    words: Mapped[str]
    """What was wrong, from our rules or about the stylesheet; no value of the row."""
    txn_no: Mapped[str | None]
    first_at: Mapped[datetime]
    decided_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    marked: Mapped[bool]
    """False while what became of it still has to be written into the row."""
