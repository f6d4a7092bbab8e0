"""The books of a HIS or an insurer that can be asked, in the words of the comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from gateway.config import INSURANCE
from gateway.messages.query import BookingRecord, BookingTotal, TransactionRecord
from gateway.operations.insurance_books import InsuranceBooks, InsuranceUnavailable
from gateway.partners.books import BooksClosed, HisBooks, NoList, Wanted
from gateway.partners.registry import Partners
from gateway.reconciliation.booking import Booking, BookState, Counterpart, Direction, Total
from gateway.reconciliation.comparing import Day
from gateway.terms import TransactionState

NONE = Decimal("0.00")
WITHDRAWN = "WITHDRAWN"


class BooksUnavailable(Exception):
    """Why the other side's books cannot be read, as one line."""


class CannotList(Exception):
    """The other side answers for single numbers only."""


class Books(Protocol):
    """Books of the other side that can be asked. Each call may raise BooksUnavailable; the first two CannotList."""

    name: str
    lists_departments: bool
    """Whether totals and lists can be had for each performing department; if not, for all in one, under ''."""
    covers_midnight: bool
    """Whether its lists reach over the midnights of the day."""

    def totals(self, day: Day) -> dict[str, Total]:
        """What is booked on the day, by performing department."""
        ...

    def bookings(self, day: Day, department: str | None) -> Iterator[Booking]:
        """The bookings of a department, or all, of the day and within the tolerance of its midnights."""
        ...

    def find(self, numbers: Iterable[tuple[Direction, str, str]]) -> Iterator[Booking]:
        """What they have under single numbers of ours: direction, sender, number."""
        ...


class AskedHis:
    """A HIS that is asked by QueryTransaction."""

    lists_departments = True
    covers_midnight = True

    def __init__(self, books: HisBooks) -> None:
        self.name = books.name
        self._books = books

    def totals(self, day: Day) -> dict[str, Total]:
        return {total.perform_dept_code or "": _total(total) for total in self._pages(day.begin, day.end)}

    def bookings(self, day: Day, department: str | None) -> Iterator[Booking]:
        try:
            found = self._books.bookings(day.begin - day.tolerance, day.end + day.tolerance, department)
            for line, record in enumerate(found, 1):
                yield _booking(line, record, day)
        except NoList:
            raise CannotList(self.name) from None
        except BooksClosed as problem:
            raise _unavailable(self.name, problem) from None

    def find(self, numbers: Iterable[tuple[Direction, str, str]]) -> Iterator[Booking]:
        wanted = [Wanted(direction is Direction.CHARGE, sender, number) for direction, sender, number in numbers]
        try:
            for line, (one, record) in enumerate(self._books.find(wanted), 1):
                yield _known(line, one, record)
        except BooksClosed as problem:
            raise _unavailable(self.name, problem) from None

    def _pages(self, begin: datetime, end: datetime) -> tuple[BookingTotal, ...]:
        try:
            return self._books.totals(begin, end)
        except NoList:
            raise CannotList(self.name) from None
        except BooksClosed as problem:
            raise _unavailable(self.name, problem) from None


class AskedInsurer:
    """An insurance platform that is asked for its total and its details of a day (3201, 3202)."""

    lists_departments = False
    covers_midnight = False

    def __init__(self, name: str, books: InsuranceBooks) -> None:
        self.name = name
        self._books = books

    def totals(self, day: Day) -> dict[str, Total]:
        try:
            total = self._books.insurance_totals(day.day)
        except InsuranceUnavailable as problem:
            raise _unavailable(self.name, problem) from None
        return {"": Total(total.count, total.amount)}

    def bookings(self, day: Day, department: str | None) -> Iterator[Booking]:
        """One for each batch of details; what was withdrawn is not in the platform's list."""
        try:
            details = self._books.insurance_details(day.day)
        except InsuranceUnavailable as problem:
            raise _unavailable(self.name, problem) from None
        for line, detail in enumerate(details, 1):
            yield Booking(
                line=line,
                number=detail.batch_no,
                direction=Direction.CHARGE,
                amount=detail.amount,
                state=BookState.CANCELLED if detail.state == WITHDRAWN else BookState.BOOKED,
                day=day.day,
                visit_no=detail.visit_no or "",
                detail_no=detail.detail_no,
            )

    def find(self, numbers: Iterable[tuple[Direction, str, str]]) -> Iterator[Booking]:
        """A platform is not asked for single batches."""
        return iter(())


def asked_books(
    partners: Partners,
    his: str | None,
    routed: Callable[[str], Iterable[str]],
    hospital_code: str,
    now: Callable[[], datetime],
) -> Iterator[tuple[Counterpart, Books]]:
    """Who can be asked for a hospital: its HIS, which `his` names or ChargeItem is routed to, and its insurers."""
    name = his or next(iter(routed("ChargeItem")), None)
    if name is not None:
        yield Counterpart.HIS, AskedHis(HisBooks(partners, name, hospital_code, now))
    for insurer in routed(INSURANCE):
        books = partners.insurance(insurer)
        if books is not None:
            yield Counterpart.INSURER, AskedInsurer(insurer, books)


def _unavailable(name: str, problem: Exception) -> BooksUnavailable:
    return BooksUnavailable(
        f"{name} does not tell what it has booked ({problem}): try again, or give its list as a file."
    )


def _total(total: BookingTotal) -> Total:
    return Total(total.charge_count, total.charge_amount, total.refund_count, total.refund_amount)


def _booking(line: int, record: BookingRecord, day: Day) -> Booking:
    at = record.booked_at.astimezone(day.zone)
    return Booking(
        line=line,
        number=record.charge_no or record.refund_no or record.his_no or "",
        direction=Direction.REFUND if record.refund_no else Direction.CHARGE,
        amount=record.amount,
        state=_state(record.transaction_state),
        day=at.date(),
        at=at,
        dept_code=record.perform_dept_code or "",
        sender_code=record.sender_code,
        branch_code=record.branch_code or "",
        visit_no=record.visit_no or "",
        requisition_no=record.requisition_no or "",
        own_no=record.his_no or "",
    )


def _known(line: int, wanted: Wanted, record: TransactionRecord) -> Booking:
    return Booking(
        line=line,
        number=wanted.number,
        direction=Direction.CHARGE if wanted.is_charge else Direction.REFUND,
        amount=record.amount if record.amount is not None else NONE,
        state=_state(record.transaction_state or TransactionState.CONFIRMED),
        at=record.received_at,
        sender_code=wanted.sender_code,
        own_no=(record.his_charge_no if wanted.is_charge else record.his_refund_no) or "",
    )


def _state(state: TransactionState) -> BookState:
    if state is TransactionState.CONFIRMED:
        return BookState.BOOKED
    gone = (TransactionState.REJECTED, TransactionState.REVERSED)
    return BookState.CANCELLED if state in gone else BookState.PENDING
