"""What is compared: a booking, whoever's books it stands in, and the kinds of differences there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Counterpart(StrEnum):
    """Whose books ours are compared with."""

    HIS = "HIS"
    INSURER = "INSURER"


class Direction(StrEnum):
    """Which way the money goes; amounts are never negative."""

    CHARGE = "CHARGE"
    REFUND = "REFUND"


class BookState(StrEnum):
    """Whether a booking counts."""

    BOOKED = "BOOKED"
    PENDING = "PENDING"
    CANCELLED = "CANCELLED"


class Kind(StrEnum):
    """A class of differences."""

    GW_ONLY = "GW_ONLY"
    HIS_ONLY = "HIS_ONLY"
    INS_ONLY = "INS_ONLY"
    AMOUNT_DIFF = "AMOUNT_DIFF"
    STATUS_DIFF = "STATUS_DIFF"
    MISSED_CHARGE = "MISSED_CHARGE"
    NOT_PERFORMED = "NOT_PERFORMED"
    CARRIED = "CARRIED"
    """No difference yet: booked by us just before midnight and not in the list of the day; the next day decides."""
    ACROSS = "ACROSS"
    """No difference: booked on two sides of midnight, within the tolerance."""


DIFFERENCES = tuple(kind for kind in Kind if kind not in (Kind.CARRIED, Kind.ACROSS))
"""What makes a person look."""

WORDS: dict[Kind, tuple[str, str]] = {
    Kind.GW_ONLY: ("网关有、对方无", "only in the gateway"),
    Kind.HIS_ONLY: ("HIS 有、网关无", "only in HIS"),
    Kind.INS_ONLY: ("医保有、网关无", "only at the insurer"),
    Kind.AMOUNT_DIFF: ("金额不符", "amounts differ"),
    Kind.STATUS_DIFF: ("状态不符", "states differ"),
    Kind.MISSED_CHARGE: ("漏费", "performed, not charged"),
    Kind.NOT_PERFORMED: ("未做已收", "charged, not performed"),
    Kind.CARRIED: ("跨日待查", "carried to the next day"),
    Kind.ACROSS: ("跨日相符", "equal across midnight"),
}
"""Each class in Chinese and English."""


@dataclass(frozen=True, slots=True)
class Booking:
    """One charge or refund in the books of the other side. What it does not say is empty."""

    line: int
    """Where it stands in the list, from 1."""
    number: str
    direction: Direction
    amount: Decimal
    state: BookState = BookState.BOOKED
    day: date | None = None
    at: datetime | None = None
    """When it was booked; None where only the day is known."""
    dept_code: str = ""
    sender_code: str = ""
    branch_code: str = ""
    visit_no: str = ""
    requisition_no: str = ""
    own_no: str = ""
    """The other side's own number."""
    detail_no: str = ""
    """Where the list has a row for each line of a booking: the line."""


@dataclass(frozen=True, slots=True)
class Total:
    """What one side has booked of a department on a day."""

    charges: int = 0
    charged: Decimal = Decimal("0.00")
    refunds: int = 0
    refunded: Decimal = Decimal("0.00")

    @property
    def net(self) -> Decimal:
        return self.charged - self.refunded
