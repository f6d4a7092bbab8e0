"""How far a poll has come, kept in the gateway's database: what a row became and the bookmark, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Text, all_, delete, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session, sessionmaker

from gateway.model.journal import Alert
from gateway.model.poll import PollBookmark, PollRow, RowState

AWAY_SECONDS = 60
"""How long a source may be away before people are told."""
AT_ONCE = frozenset({"LOGIN", "TABLE", "COLUMN", "RIGHTS", "DRIVER", "ADDRESS", "STYLESHEET", "CLIENT", "START"})
"""Troubles that do not end by themselves: people are told at once."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a row, as it is stored."""

    key: str
    version: str
    position: tuple[str, ...]
    ahead: bool
    state: RowState
    tries: int
    round: int
    code: str
    words: str
    txn_no: str | None
    next_at: datetime | None
    marked: bool


class Bookmarks:
    """The bookmark of one poll; used by one thread."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        partner: str,
        poll: str,
        now: Callable[[], datetime],
        process: str,
        counted: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        self._sessions = sessions
        self._partner = partner
        self._poll = poll
        self._now = now
        self._process = process
        self._counted = counted

    def begin(self) -> PollBookmark | None:
        """The bookmark; None before the first look."""
        with self._sessions() as session:
            found = session.get(PollBookmark, (self._partner, self._poll))
            return found if found is not None and found.begun else None

    def start(self, position: Sequence[str] | None, *, is_row: bool = False) -> None:
        """Reading begins behind this position, None: with the first row; `is_row` when it is that of a row there is."""
        now = self._now()
        values = {
            "position": None if position is None else json.dumps(list(position)),
            "begun": True,
            "started_at": now,
        }
        statement = insert(PollBookmark).values(partner=self._partner, poll=self._poll, process=self._process, **values)
        with self._sessions.begin() as session:
            session.execute(statement.on_conflict_do_update(index_elements=["partner", "poll"], set_=values))
        if is_row and position is not None:
            words = "Reading began behind this row."
            self.decide(
                Decided(
                    position[-1], "", tuple(position), True, RowState.SKIPPED, 0, 0, "START", words, None, None, True
                )
            )

    def lower_bound(self, rows: int) -> list[str] | None:
        """The position some rows before the last, or that of the first row: what is behind it is looked at again."""
        query = select(PollRow.position).where(
            PollRow.partner == self._partner, PollRow.poll == self._poll, PollRow.ahead
        )
        with self._sessions() as session:
            found = session.scalars(query.order_by(PollRow.id.desc()).offset(rows).limit(1)).first()
        return None if found is None else list(json.loads(found))

    def first(self) -> list[str] | None:
        """The position of the first row that is remembered."""
        query = select(PollRow.position).where(
            PollRow.partner == self._partner, PollRow.poll == self._poll, PollRow.ahead
        )
        with self._sessions() as session:
            found = session.scalars(query.order_by(PollRow.id).limit(1)).first()
        return None if found is None else list(json.loads(found))

    def known(self, keys: Iterable[str]) -> dict[str, PollRow]:
        """What is known of these rows."""
        with self._sessions() as session:
            query = select(PollRow).where(
                PollRow.partner == self._partner, PollRow.poll == self._poll, PollRow.row_key.in_(list(keys))
            )
            return {row.row_key: row for row in session.scalars(query)}

    def due(self, now: datetime) -> list[PollRow]:
        """Rows that are to be tried again: by themselves, or because somebody said so."""
        with self._sessions() as session:
            query = select(PollRow).where(
                PollRow.partner == self._partner,
                PollRow.poll == self._poll,
                (PollRow.state == RowState.RETRY) | ((PollRow.state == RowState.WAITING) & (PollRow.next_at <= now)),
            )
            return list(session.scalars(query.order_by(PollRow.id).limit(1000)))

    def stands(self, row: PollRow) -> bool:
        """Whether nobody has decided about it since it was looked up."""
        query = select(PollRow.id).where(
            PollRow.id == row.id, PollRow.state == row.state, PollRow.decided_at == row.decided_at
        )
        with self._sessions() as session:
            return session.scalars(query).first() is not None

    def unmarked(self) -> list[PollRow]:
        """Decided rows whose mark has not been written into the source."""
        with self._sessions() as session:
            query = select(PollRow).where(
                PollRow.partner == self._partner, PollRow.poll == self._poll, PollRow.marked.is_(False)
            )
            return list(session.scalars(query.order_by(PollRow.id).limit(1000)))

    def decide(self, row: Decided) -> None:
        """Store what became of a row and, if it stood behind all others, that reading goes on behind it."""
        now, position = self._now(), json.dumps(list(row.position))
        values = {
            "version": row.version,
            "position": position,
            "state": row.state,
            "tries": row.tries,
            "round": row.round,
            "code": row.code,
            "words": row.words[:500],
            "txn_no": row.txn_no,
            "decided_at": now,
            "next_at": row.next_at,
            "marked": row.marked,
        }
        statement = insert(PollRow).values(
            partner=self._partner, poll=self._poll, row_key=row.key, ahead=row.ahead, first_at=now, **values
        )
        with self._sessions.begin() as session:
            session.execute(statement.on_conflict_do_update(index_elements=["partner", "poll", "row_key"], set_=values))
            if row.ahead:
                self._move(session, position)
            if row.state == RowState.PARKED:
                self._tell(session, "POLL_PARKED", "has parked rows", now)
        if row.tries:
            self._counted(row.state.lower())

    def go_behind(self, position: Sequence[str]) -> None:
        """Reading goes on behind a row that was decided before."""
        with self._sessions.begin() as session:
            self._move(session, json.dumps(list(position)))

    def marked(self, key: str) -> None:
        """Its mark stands in the source."""
        with self._sessions.begin() as session:
            session.execute(
                update(PollRow)
                .where(PollRow.partner == self._partner, PollRow.poll == self._poll, PollRow.row_key == key)
                .values(marked=True)
            )

    def looked(self, seen: Iterable[str], lower: Sequence[str] | None, began: datetime, *, is_well: bool) -> None:
        """The source was read to its end: of what was decided before, only rows that were seen again are remembered.

        It is not well when something could not be written into it: that trouble then goes on.
        """
        kept = [*seen, *([lower[-1]] if lower else [])]
        well = {"failing_since": None, "trouble": None, "alerted_at": None} if is_well else {}
        with self._sessions.begin() as session:
            session.execute(
                delete(PollRow).where(
                    PollRow.partner == self._partner,
                    PollRow.poll == self._poll,
                    PollRow.state.in_((RowState.TAKEN, RowState.SKIPPED)),
                    PollRow.marked,
                    PollRow.decided_at < began,
                    PollRow.row_key != all_(literal(kept, ARRAY(Text))),
                )
            )
            session.execute(
                update(PollBookmark)
                .where(PollBookmark.partner == self._partner, PollBookmark.poll == self._poll)
                .values(looked_at=self._now(), process=self._process, **well)
            )

    def failed(self, code: str, detail: str) -> None:
        """The source could not be read; people are told once."""
        now, words = self._now(), f"{code}: {detail}" if detail and detail != code else code
        with self._sessions.begin() as session:
            bookmark = session.get(PollBookmark, (self._partner, self._poll), with_for_update=True)
            if bookmark is None:
                bookmark = PollBookmark(partner=self._partner, poll=self._poll, begun=False, started_at=now)
                session.add(bookmark)
            bookmark.failing_since = bookmark.failing_since or now
            bookmark.trouble, bookmark.process = words[:500], self._process
            away = now - bookmark.failing_since >= timedelta(seconds=AWAY_SECONDS)
            if bookmark.alerted_at is None and (away or code in AT_ONCE):
                bookmark.alerted_at = now
                self._tell(session, "POLL_FAILS", f"fails: {words}", now)

    def _move(self, session: Session, position: str) -> None:
        session.execute(
            update(PollBookmark)
            .where(PollBookmark.partner == self._partner, PollBookmark.poll == self._poll)
            .values(position=position)
        )

    def _tell(self, session: Session, kind: str, words: str, now: datetime) -> None:
        """One alert, however often it happens, until somebody has settled it."""
        subject = f"poll {self._poll} of {self._partner} {words}"[:500]
        known = select(Alert.id).where(Alert.kind == kind, Alert.subject == subject, Alert.settled_at.is_(None))
        if session.scalars(known.limit(1)).first() is None:
            session.add(Alert(raised_at=now, kind=kind, subject=subject, txn_no=None))
