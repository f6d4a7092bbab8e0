"""Finds the codes that messages ask for which came by a facade, over MLLP or from a poll: their stylesheets are run
again over the journal, and no more.

What was refused because a code had no row is not in the journal; such values are counted when they are met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from gateway.codes.coverage import Listener
from gateway.errors import MessageFault
from gateway.facade_config import Facade
from gateway.facades.door import Door, Letter
from gateway.facades.hl7 import Hl7Mapping
from gateway.facades.intake import Arrival
from gateway.hl7.er7 import read_as
from gateway.hl7_config import Hl7Port
from gateway.mapping.codes import CodeTables
from gateway.model.journal import JournalEntry
from gateway.soap.cycle import VERSION_NAMES
from gateway.soap.envelope import parse_envelope

AT_ONCE = 500


LookUp = Callable[[JournalEntry, CodeTables], None]
"""Asks these tables all that the stylesheet asks about one message. Raises MessageFault."""


@dataclass(frozen=True, slots=True)
class Received:
    """The messages that came one way since a moment, the newest `most` of them."""

    name: str
    ways: tuple[str, ...]
    """As the journal calls it."""
    look_up: LookUp
    since: datetime
    most: int
    sender: str | None = None
    """Only those of this client."""

    def count(self, session: Session) -> int:
        """How many there are, those left out included."""
        return session.scalar(select(func.count()).select_from(JournalEntry).where(*self._wanted())) or 0

    def listen(self, session: Session, listener: Listener, told: Callable[[int], None]) -> int:
        """Let the listener hear what they ask; how many could not be mapped, by which nothing is learnt of the rest."""
        failed = 0
        for done, row in enumerate(self._rows(session), 1):
            try:
                self.look_up(row, listener)
            except MessageFault:
                failed += 1
            listener.message_ends()
            told(done)
        return failed

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
        sender = () if self.sender is None else (JournalEntry.sender_code == self.sender,)
        return JournalEntry.received_at >= self.since, JournalEntry.soap_version.in_(self.ways), *sender


def by_facade(facade: Facade, hospital_code: str, zone: timezone, since: datetime, most: int) -> Received:
    """Those of one facade; `hospital_code` is that of messages that name none."""
    door, hospital = Door(facade), facade.hospital_code or hospital_code

    def look_up(row: JournalEntry, codes: CodeTables) -> None:
        arrival = Arrival(row.soap_version, b"", row.received_at.astimezone(zone), row.txn_no, hospital)
        letter = Letter(arrival)
        door.open(letter, parse_envelope(row.xml, "", huge=True))
        door.read(letter)
        assert letter.settings is not None
        assert letter.payload is not None
        door.translation.request(letter.settings, letter.payload, door.known(letter, row.sender_code, codes))

    ways = tuple(f"{version} facade {facade.name}" for version in VERSION_NAMES.values())
    return Received(f"facade {facade.name}", ways, look_up, since, most)


def by_hl7(port: Hl7Port, folder: Path, hospital_code: str, zone: timezone, since: datetime, most: int) -> Received:
    """Those of one port for HL7."""
    mapping = Hl7Mapping(port, folder, hospital_code)

    def look_up(row: JournalEntry, codes: CodeTables) -> None:
        message, _ = read_as(row.xml, port.charset)
        known = mapping.known(row.received_at.astimezone(zone), codes)
        mapping.translation.request(mapping.settings(message), message, known)

    return Received(f"HL7 {port.name}", (mapping.came_by,), look_up, since, most)
