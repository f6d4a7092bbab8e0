"""Asks a HIS for its books by QueryTransaction: totals, a list by time, or single numbers where it keeps no list."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.messages.common import Header
from gateway.messages.query import BookingRecord, BookingTotal, QueryTransactionRequest, TransactionRecord
from gateway.operations.dispatch import Origin, Outcome, PartnerAnswer
from gateway.partners.addressing import Stamp
from gateway.partners.queried import UNKNOWN_NUMBER
from gateway.partners.registry import Partners

PAGE_SIZE = 1000
MOST_PAGES = 5000
AT_ONCE = 8
NO_LIST = frozenset({"QRY-400", "FAULT"})
"""What a HIS answers that knows only numbers: it finds none in the request, or does not know the fields."""


class BooksClosed(Exception):
    """The HIS does not answer, or not as it should; the text is its code."""


class NoList(Exception):
    """The HIS answers for single numbers only."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A number that is looked for."""

    is_charge: bool
    sender_code: str
    number: str


class HisBooks:
    """The books of one HIS for one hospital."""

    def __init__(self, partners: Partners, name: str, hospital_code: str, now: Callable[[], datetime]) -> None:
        self.name = name
        self._partners = partners
        self._hospital_code = hospital_code
        self._now = now

    def totals(self, begin: datetime, end: datetime) -> tuple[BookingTotal, ...]:
        """What is booked of each department. Raises BooksClosed, or NoList."""
        answer = self._ask(booked_from=begin, booked_to=end, totals_only=True)
        return tuple(answer.response.totals)

    def bookings(self, begin: datetime, end: datetime, department: str | None) -> Iterator[BookingRecord]:
        """What is booked in that time, page by page. Raises BooksClosed, or NoList."""
        given = 0
        for page in range(1, MOST_PAGES):
            answer = self._ask(
                booked_from=begin,
                booked_to=end,
                perform_dept_code=department or None,
                page_no=page,
                page_size=PAGE_SIZE,
            )
            found = answer.response.bookings
            yield from found
            given += len(found)
            if not found or given >= (answer.response.total_count or 0):
                return

    def find(self, wanted: Iterable[Wanted]) -> Iterator[tuple[Wanted, TransactionRecord]]:
        """What it has under single numbers; those it does not know are left out. Raises BooksClosed."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for one, record in threads.map(lambda one: (one, self._find(one)), wanted):
                if record is not None:
                    yield one, record

    def _find(self, wanted: Wanted) -> TransactionRecord | None:
        numbers = {"charge_no" if wanted.is_charge else "refund_no": wanted.number}
        answer = self._ask(source_system=wanted.sender_code, **numbers)
        if answer.code == UNKNOWN_NUMBER:
            return None
        fitting = [
            record
            for record in answer.response.transactions
            if wanted.number == (record.charge_no if wanted.is_charge else record.refund_no)
        ]
        return fitting[-1] if fitting else None

    def _ask(self, **criteria: Any) -> PartnerAnswer:
        now = self._now()
        number = f"GW-R{now:%y%m%d%H%M%S}{secrets.token_hex(5)}"
        header = Header(message_id=number, sender_code="GATEWAY", hospital_code=self._hospital_code, sent_at=now)
        request = QueryTransactionRequest(header=header, **criteria)
        settings = self._partners.settings(self.name)
        origin = Origin(number, self._hospital_code, "", settings.our_code if settings else "GATEWAY", number)
        answer = self._partners.call(self.name, "QueryTransaction", request, Stamp(number, origin))
        if answer.is_yes or (answer.code == UNKNOWN_NUMBER and answer.outcome is Outcome.ANSWERED):
            if answer.is_yes and criteria.get("booked_from") and answer.response.total_count is None:
                raise NoList(answer.code)
            return answer
        if answer.code in NO_LIST and criteria.get("booked_from"):
            raise NoList(answer.code)
        raise BooksClosed(answer.code)
