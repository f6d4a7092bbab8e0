"""Runs a comparison from beginning to end: the other side's list or answers, our own side, what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from gateway.config import Settings
from gateway.reconciliation import results
from gateway.reconciliation.asking import Books, CannotList
from gateway.reconciliation.booking import Booking, Counterpart, Total
from gateway.reconciliation.comparing import Comparison, Day, Loaded
from gateway.reconciliation.listing import FileList

Progress = Callable[[str, int, int | None], None]
"""What is being done, how far, and of how much where that is known."""
STEP = 500
NOTHING = Decimal("0.00")
MOST_NUMBERS = 500
"""How many single numbers are asked for after a list, so that a HIS that lost a day is not asked for each of it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be compared."""

    hospital_code: str
    day: date
    counterpart: Counterpart
    actor: str
    department: str = ""
    every_department: bool = False
    """Whether departments whose totals agree are compared in detail too."""


def _silent(what: str, done: int, of: int | None) -> None:
    """Tells nobody."""


class Runner:
    """Compares days of one site."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime], progress: Progress = _silent) -> None:
        self._settings = settings
        self._clock = clock
        self._progress = progress

    def with_file(self, session: Session, order: Order, file: FileList) -> results.Summary:
        """Compare with a list in a file, as a whole since it is there. Raises FileRefused, and keeps nothing then."""
        started, comparison, loaded = self._clock(), self._comparison(session, order), Loaded()
        loaded.by_requisition = file.columns().has("requisition_no")
        comparison.load_theirs(self._counted(file.bookings(), f"reading {file.name}"), loaded)
        self._progress("reading the ledger", 0, None)
        comparison.load_ours()
        self._compare(comparison, loaded)
        return self._keep(session, comparison, loaded, file.name, order, started)

    def with_books(self, session: Session, order: Order, books: Books) -> results.Summary:
        """Compare with books that can be asked: totals first, then details where these differ.

        Where they tell single numbers only, each of ours is asked for. Raises BooksUnavailable, and keeps nothing then.
        """
        started, comparison = self._clock(), self._comparison(session, order)
        loaded = Loaded(covers_midnight=books.covers_midnight)
        self._progress("reading the ledger", 0, None)
        comparison.load_ours()
        loaded.notes["his_own"] = comparison.leave_out_his_own()
        try:
            wanted = self._differing(comparison, loaded, order, books)
            comparison.load_theirs(self._fetched(comparison.day, wanted, books), loaded)
        except CannotList:
            loaded.notes["by_number"] = 1
        self._compare(comparison, loaded)
        self._ask_for_missing(comparison, loaded, books)
        return self._keep(session, comparison, loaded, books.name, order, started)

    def _comparison(self, session: Session, order: Order) -> Comparison:
        tolerance = timedelta(seconds=self._settings.reconciliation.tolerance_seconds)
        day = Day(order.hospital_code, order.day, self._settings.zone, order.counterpart, tolerance, order.department)
        return Comparison(session, day)

    def _differing(self, comparison: Comparison, loaded: Loaded, order: Order, books: Books) -> list[str | None]:
        """The departments whose details are needed; None stands for all in one list."""
        if order.every_department:
            return [order.department or None]
        self._progress(f"asking {books.name} for totals", 0, None)
        theirs = books.totals(comparison.day)
        ours = {dept: own for dept, (own, _) in comparison.totals().items()}
        if not books.lists_departments:
            return self._one_list(comparison, loaded, ours, theirs)
        every = {
            dept: (ours.get(dept, Total()), theirs.get(dept, Total())) for dept in sorted(ours.keys() | theirs.keys())
        }
        loaded.agreed = {dept: both for dept, both in every.items() if both[0] == both[1]}
        comparison.leave_out(loaded.agreed)
        return [dept for dept in every if dept not in loaded.agreed and order.department in ("", dept)]

    def _one_list(
        self, comparison: Comparison, loaded: Loaded, ours: dict[str, Total], theirs: dict[str, Total]
    ) -> list[str | None]:
        """All or nothing, by the net of all departments: what such a list counts as one is its own affair."""
        if sum((total.net for total in ours.values()), NOTHING) != sum((t.net for t in theirs.values()), NOTHING):
            return [None]
        loaded.agreed = {dept: (total, total) for dept, total in ours.items()}
        comparison.leave_out(ours)
        return []

    def _fetched(self, day: Day, wanted: list[str | None], books: Books) -> Iterator[Booking]:
        if "" in wanted:  # a list of bookings without department cannot be asked for alone
            wanted = [None]
        for place, department in enumerate(wanted, 1):
            what = f"asking {books.name}" + (f" about {department} ({place} of {len(wanted)})" if department else "")
            yield from self._counted(books.bookings(day, department), what)

    def _counted(self, bookings: Iterable[Booking], what: str) -> Iterator[Booking]:
        self._progress(what, 0, None)
        for number, booking in enumerate(bookings, 1):
            yield booking
            if number % STEP == 0:
                self._progress(what, number, None)

    def _compare(self, comparison: Comparison, loaded: Loaded) -> None:
        self._progress("comparing", 0, None)
        comparison.look_up_named()
        comparison.pair()
        if not loaded.by_requisition:
            loaded.notes["his_own"] += comparison.leave_out_his_own()

    def _ask_for_missing(self, comparison: Comparison, loaded: Loaded, books: Books) -> None:
        """Ask by number for what is in our books alone: HIS may have it on another day or for another department."""
        limit = None if loaded.notes["by_number"] else MOST_NUMBERS
        missing = comparison.missing(limit)
        found = self._counted(books.find(missing), f"asking {books.name} for {len(missing)} numbers")
        comparison.load_theirs(found, loaded, named=True)
        comparison.pair()

    def _keep(
        self, session: Session, comparison: Comparison, loaded: Loaded, source: str, order: Order, started: datetime
    ) -> results.Summary:
        comparison.find(loaded, self._settings.reconciliation.not_performed_days)
        self._progress("keeping what was found", 0, None)
        run = results.keep(
            session, comparison, loaded, source=source, actor=order.actor, started_at=started, now=self._clock()
        )
        return results.summary(session, run)
