"""An insurance platform's books, as reconciliation asks for them.

docs/specification/insurance.md, "For reconciliation", says what stands in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol


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
