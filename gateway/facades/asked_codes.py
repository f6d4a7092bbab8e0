"""Finds the codes that messages to a facade ask for: its stylesheets are run again over the journal, and no more.

What was refused because a code had no row is not in the journal; such values are counted when they are met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from gateway.codes.coverage import Listener
from gateway.errors import MessageFault
from gateway.facade_config import Facade
from gateway.facades.door import Door, Letter
from gateway.facades.intake import Arrival
from gateway.model.journal import JournalEntry
from gateway.soap.cycle import VERSION_NAMES
from gateway.soap.envelope import parse_envelope

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Received:
    """The messages that came by one facade since a moment, the newest `most` of them."""

    facade: Facade
    hospital_code: str
    """Of messages that name none."""
    zone: timezone
    since: datetime
    most: int

    @property
    def name(self) -> str:
        return f"facade {self.facade.name}"

    def count(self, session: Session) -> int:
        """How many there are, those left out included."""
        return session.scalar(select(func.count()).select_from(JournalEntry).where(*self._wanted())) or 0

    def listen(self, session: Session, listener: Listener, told: Callable[[int], None]) -> int:
        """Let the listener hear what they ask; how many could not be mapped, by which nothing is learnt of the rest."""
        door, failed = Door(self.facade), 0
        for done, row in enumerate(self._rows(session), 1):
            try:
                self._map(door, row, listener)
            except MessageFault:
                failed += 1
            listener.message_ends()
            told(done)
        return failed

    def _map(self, door: Door, row: JournalEntry, listener: Listener) -> None:
        hospital = self.facade.hospital_code or self.hospital_code
        arrival = Arrival(row.soap_version, b"", row.received_at.astimezone(self.zone), row.txn_no, hospital)
        letter = Letter(arrival)
        door.open(letter, parse_envelope(row.xml, "", huge=True))
        door.read(letter)
        assert letter.settings is not None
        assert letter.payload is not None
        door.translation.request(letter.settings, letter.payload, door.known(letter, row.sender_code, listener))

    def _rows(self, session: Session) -> Iterator[JournalEntry]:
        later: list[ColumnElement[bool]] = []
        order = (JournalEntry.received_at.desc(), JournalEntry.txn_no.desc())
        left = self.most
        while left > 0:
            query = select(JournalEntry).where(*self._wanted(), *later).order_by(*order).limit(min(AT_ONCE, left))
            rows = session.scalars(query).all()
            if not rows:
                return
            yield from rows
            left -= len(rows)
            last = rows[-1]
            later = [
                (JournalEntry.received_at < last.received_at)
                | ((JournalEntry.received_at == last.received_at) & (JournalEntry.txn_no < last.txn_no))
            ]
            session.expunge_all()  # what was read is not needed again

    def _wanted(self) -> tuple[ColumnElement[bool], ...]:
        ways = [f"{version} facade {self.facade.name}" for version in VERSION_NAMES.values()]
        return JournalEntry.received_at >= self.since, JournalEntry.soap_version.in_(ways)
