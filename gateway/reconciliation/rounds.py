"""What reconciliation does by the clock: open items once an hour, and lists that somebody has put into the inbox."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from gateway.config import Settings
from gateway.model.journal import Alert
from gateway.operations.unit import new_txn_no
from gateway.reconciliation.asking import Books, BooksUnavailable
from gateway.reconciliation.booking import Counterpart
from gateway.reconciliation.listing import FileList
from gateway.reconciliation.open_items import alert_open_items
from gateway.reconciliation.results import Summary
from gateway.reconciliation.running import Order, Runner
from gateway.reconciliation.sheet import write_sheets
from gateway.sheets import FileRefused
from gateway.store import take_turn

TURN, NIGHT = "open items", "nightly"
QUIET_SECONDS = 5
"""How long a file must not have changed: it may still be written."""
MOST_DAYS = 31
INSURER = ("insurer", "医保")
"""How the name of an insurer's list begins; every other is HIS's."""
ACTOR = "inbox"
_DAY_IN_NAME = re.compile(r"(20\d{2})[-_.]?(\d{2})[-_.]?(\d{2})")

_log = logging.getLogger(__name__)


def look_at_open_items(session: Session, settings: Settings, now: datetime) -> int:
    """Alert for what is open, once an hour, whichever process comes first; returns how many alerts were raised."""
    if not take_turn(session, TURN, now.replace(minute=0, second=0, microsecond=0)):
        return 0
    return alert_open_items(session, now, settings.reconciliation.open_minutes)


class Nightly:
    """Compares yesterday by itself, once, whichever process comes first after the time of the setting."""

    def __init__(
        self,
        settings: Settings,
        sessions: sessionmaker[Session],
        clock: Callable[[], datetime],
        books: Callable[[str], Iterable[tuple[Counterpart, Books]]],
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._clock = clock
        self._books = books

    def compare(self) -> int:
        """Returns how many comparisons were made."""
        at, now = self._settings.reconciliation.nightly, self._clock()
        if at is None:
            return 0
        due = datetime.combine(now.date(), at, self._settings.zone)
        with self._sessions.begin() as session:
            if now < due or not take_turn(session, NIGHT, due):
                return 0
        hospitals = sorted(self._settings.hospital_codes)
        wanted = [(hospital, *source) for hospital in hospitals for source in self._books(hospital)]
        return sum(self._compare(hospital, counterpart, books) for hospital, counterpart, books in wanted)

    def _compare(self, hospital: str, counterpart: Counterpart, books: Books) -> bool:
        """With one side; what it does not tell becomes an alert."""
        day = self._clock().date() - timedelta(days=1)
        order = Order(hospital, day, counterpart, NIGHT)
        try:
            with self._sessions.begin() as session:
                found = Runner(self._settings, self._clock).with_books(session, order, books)
                keep_and_tell(session, found, self._settings, self._clock())
        except BooksUnavailable:
            now = self._clock()
            with self._sessions.begin() as session:
                about = f"{day} {books.name} does not tell its books"
                session.add(Alert(raised_at=now, kind="RECONCILIATION_FAILED", subject=about, txn_no=new_txn_no(now)))
            return False
        return True


def keep_and_tell(session: Session, found: Summary, settings: Settings, now: datetime) -> None:
    """The day sheets of a comparison nobody watches, and an alert where the books differ."""
    run = found.run
    if found.differences:
        about = f"{run.day} {run.counterpart}: {found.differences} differences"
        session.add(Alert(raised_at=now, kind="RECONCILIATION", subject=about, txn_no=f"run-{run.id}"))
    main = run.hospital_code == settings.hospital_code
    sheets = settings.folder / "reconciliation" / "sheets"
    write_sheets(session, found, settings.zone, sheets if main else sheets / run.hospital_code)


class Inbox:
    """FOLDER/reconciliation: lists are put into inbox/ and go to done/ or refused/, day sheets come out in sheets/."""

    def __init__(self, settings: Settings, sessions: sessionmaker[Session], clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._sessions = sessions
        self._clock = clock
        self._folder = settings.folder / "reconciliation"

    def empty(self) -> int:
        """Compare with every list that lies there; returns how many. Each is taken by one process."""
        taken = 0
        for path in sorted((self._folder / "inbox").glob("*")):
            mine = self._take(path)
            if mine is not None:
                self._compare(mine)
                taken += 1
        return taken

    def _take(self, path: Path) -> Path | None:
        """Move it where no other process looks, if it lies still; a rename is won by one."""
        try:
            if (
                path.name.startswith((".", "~"))
                or not path.is_file()
                or time.time() - path.stat().st_mtime < QUIET_SECONDS
            ):
                return None
            taken = self._folder / "taken"
            taken.mkdir(exist_ok=True)
            mine = taken / path.name
            if mine.exists():
                return None
            path.rename(mine)
        except OSError:
            return None
        return mine

    def _compare(self, path: Path) -> None:
        try:
            file = FileList(path, self._settings.reconciliation, self._settings.zone)
            for day in days_of(file, self._clock().date()):
                self._compare_day(file, day)
        except FileRefused as refused:
            _log.warning("A list in the inbox of reconciliation is refused.")
            self._put(path, "refused", str(refused))
            self._alert(path.name)
        except BaseException:
            path.rename(self._folder / "inbox" / path.name)
            raise
        else:
            self._put(path, "done")

    def _compare_day(self, file: FileList, day: date) -> None:
        runner = Runner(self._settings, self._clock)
        order = Order(self._settings.hospital_code, day, counterpart_of(file.name), ACTOR)
        with self._sessions.begin() as session:
            keep_and_tell(session, runner.with_file(session, order, file), self._settings, self._clock())

    def _alert(self, name: str) -> None:
        now = self._clock()
        with self._sessions.begin() as session:
            about = f"list {name if name.isprintable() else 'in the inbox'} is refused"
            session.add(Alert(raised_at=now, kind="RECONCILIATION_LIST", subject=about, txn_no=new_txn_no(now)))

    def _put(self, path: Path, where: str, why: str = "") -> None:
        """Keep it under a name that no earlier one has, with the reason of a refusal beside it."""
        folder = self._folder / where
        folder.mkdir(exist_ok=True)
        stamp = f"{self._clock():%Y%m%d-%H%M%S}"
        kept = next(p for p in _names(folder, f"{stamp}-{path.name}") if not p.exists())
        os.replace(path, kept)
        if why:
            kept.with_name(f"{kept.name}.txt").write_text(why + "\n", encoding="utf-8")


def _names(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    for number in range(2, 1000):
        yield folder / f"{number}-{name}"


def counterpart_of(name: str) -> Counterpart:
    """Whose list it is, by the beginning of its name."""
    return Counterpart.INSURER if name.lower().startswith(INSURER) else Counterpart.HIS


def days_of(file: FileList, today: date) -> list[date]:
    """The days a list is about: those its rows name, without stragglers beside midnight, else the one in its name.

    Raises FileRefused when neither says.
    """
    days: dict[date, int] = {}
    for booking in file.bookings():
        if booking.day is not None:
            days[booking.day] = days.get(booking.day, 0) + 1
    if days:
        most = max(days.values())
        wanted = sorted(day for day, rows in days.items() if rows * 20 >= most and day <= today)
        if 0 < len(wanted) <= MOST_DAYS:
            return wanted
        raise FileRefused(file.name, f"It holds no day up to today, or more than {MOST_DAYS}.", "日期范围不对。")
    found = _DAY_IN_NAME.search(file.name)
    try:
        if found is not None:
            return [date(int(found[1]), int(found[2]), int(found[3]))]
    except ValueError:
        pass
    raise FileRefused(file.name, "Neither its rows nor its name tell the day.", "无法判断对账日期。")
