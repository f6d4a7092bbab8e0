"""What an insurance platform is told of a visit's money, when and in which order (docs/specification/insurance.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

UPLOAD, WITHDRAW = "InsuranceUpload", "InsuranceWithdraw"
SETTLE, UNSETTLE = "InsuranceSettle", "InsuranceUnsettle"
OPERATIONS = (UPLOAD, WITHDRAW, SETTLE, UNSETTLE)
"""What a delivery to an insurance platform does. Each carries a bill: the ChargeItemRequest of what it is about."""


# --- what reconciliation asks the platform ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class InsuranceTotals:
    """What a platform has of a day in all."""

    day: date
    count: int
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class InsuranceDetail:
    """One line a platform has of a day."""

    batch_no: str
    """The InsuranceBatch it was uploaded by."""
    detail_no: str
    visit_no: str | None
    amount: Decimal
    state: str
    """UPLOADED, SETTLED or WITHDRAWN."""


class InsuranceUnavailable(Exception):
    """The platform gave no usable answer; the text is a code, such as TIMEOUT or CONNECT."""


class InsuranceBooks(Protocol):
    """An insurance platform's books, for reconciliation."""

    def insurance_totals(self, day: date) -> InsuranceTotals:
        """What the platform has of a day in all (3201). Raises InsuranceUnavailable."""
        ...

    def insurance_details(self, day: date) -> tuple[InsuranceDetail, ...]:
        """Every line the platform has of a day (3202). Raises InsuranceUnavailable."""
        ...
