"""One look at a partner's table: every new row becomes a message, and no row can stop the others.

A row counts as read once its outcome is stored with the bookmark, in one transaction. Between the reception's own
transaction and that one the process may die: the row is then read again, and the reception knows its MessageId.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from copy import copy
from datetime import datetime, timedelta

from lxml import etree
from sqlalchemy.exc import SQLAlchemyError

from gateway.database_config import Poll
from gateway.errors import (
    CodeAwaited,
    CodeNotMapped,
    GatewayError,
    InvalidMessage,
    NotAllowed,
    NotAuthenticated,
    ServiceUnavailable,
)
from gateway.facades.intake import Arrival, Intake
from gateway.mapping.errors import StylesheetBroken
from gateway.model.poll import PollRow, RowState
from gateway.operations.unit import new_txn_no
from gateway.partners.database.reading import Source, SourceAway, SourceRow
from gateway.polling.bookmarks import Bookmarks, Decided
from gateway.polling.requests import RowRequests, in_words

ROW = "database row"
"""Stands for the SOAP version of a message that was a row."""
WAITS = (5, 15, 60, 300, 900)
"""Seconds before the second, third ... try of a row the gateway cannot take yet."""
ENDS_THE_LOOK = frozenset({"AWAY", "LOGIN", "TIMEOUT", "DRIVER"})
"""Troubles of the source after which no further row is asked of it for now."""
GONE = "GONE"
"""Why a row was skipped that its source does not have any more."""

_log = logging.getLogger(__name__)


class ClientUnknown(Exception):
    """The partner may not send what its rows become: no client of that name, or without the right."""


class Round:
    """Looks at one poll; used by one thread. `goes_on` is asked before each row."""

    def __init__(
        self,
        poll: Poll,
        client: str,
        source: Source,
        requests: RowRequests,
        bookmarks: Bookmarks,
        intake: Intake,
        hospital_code: str,
        now: Callable[[], datetime],
        goes_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._poll = poll
        self._client = client
        self._source = source
        self._requests = requests
        self._bookmarks = bookmarks
        self._intake = intake
        self._hospital_code = hospital_code
        self._now = now
        self._goes_on = goes_on
        self._not_before = 0.0
        self._mark_trouble: SourceAway | None = None

    def run(self) -> int:
        """Read what is new; how many rows were decided. Raises SourceAway, ClientUnknown, ServiceUnavailable."""
        began, seen = self._now(), []
        self._admit(self._arrival(b"", began))
        self._mark_trouble = None
        lower, last = self._bounds()
        self._write_marks()
        decided = self._try_again()
        for page, ahead in self._pages(lower, last):
            known = self._bookmarks.known(row.key for row in page)
            seen += list(known)
            behind: SourceRow | None = None
            for row in page:
                if not self._goes_on():
                    return decided
                is_ahead = ahead and self._source.is_reached(row.position, began)
                taken = self._look_at(row, known.get(row.key), ahead=is_ahead)
                decided += taken
                if is_ahead:
                    behind = None if taken else row
            if behind is not None and behind.key in known:  # its time was still to come when it was taken
                self._bookmarks.go_behind(behind.position)
        self._bookmarks.looked(seen, lower, began, is_well=self._mark_trouble is None)
        if self._mark_trouble is not None:
            raise self._mark_trouble
        return decided

    # --- where to read ------------------------------------------------------------------------------------------------

    def _bounds(self) -> tuple[list[str] | None, list[str] | None]:
        """From where on rows are looked at again, and the last that was read; None for no bound."""
        bookmark = self._bookmarks.begin()
        if bookmark is None:
            position = self._first()
            self._bookmarks.start(position, is_row=self._poll.by == "key" and self._poll.start == "now")
            return None, list(position) if position is not None else None
        if bookmark.position is None:
            return None, None
        last: list[str] = json.loads(bookmark.position)
        if self._poll.by == "time":
            return self._source.earlier(last, bookmark.started_at), last
        return self._bookmarks.lower_bound(self._poll.again_rows) or self._started(), last

    def _pages(self, lower: list[str] | None, last: list[str] | None) -> Iterator[tuple[list[SourceRow], bool]]:
        """What is looked at again, which holds rows that were committed late; then what stands behind all that."""
        if last is not None and self._looks_again(lower):
            for page in self._source.rows(lower, last, whole=False):
                yield page, False
        for page in self._source.rows(last):
            yield page, self._poll.by != "mark"

    def _looks_again(self, lower: list[str] | None) -> bool:
        is_wanted = self._poll.again_rows if self._poll.by == "key" else self._poll.again_minutes
        return bool(is_wanted) and (lower is not None or self._poll.start == "beginning")

    def _started(self) -> list[str] | None:
        """With fewer rows read than are looked at again, that begins where reading began."""
        start = self._poll.start
        if start == "now":
            return self._bookmarks.first()
        return None if start == "beginning" else [str(start)]

    def _first(self) -> tuple[str, ...] | None:
        start = self._poll.start
        if start == "now":
            return self._source.newest(self._now())
        return None if start in (None, "beginning") else (str(start),)

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _look_at(self, row: SourceRow, known: PollRow | None, *, ahead: bool) -> int:
        round_ = self._round_of(row, known)
        if round_ is None:
            return 0
        whole = row if row.is_whole else self._source.row(row.key)
        if whole is None:
            return 0  # it went between two questions
        self._take(whole, tries=0, round_=round_, ahead=ahead)
        return 1

    def _round_of(self, row: SourceRow, known: PollRow | None) -> int | None:
        """In which round a row is to be taken now; None when it is known already."""
        if known is None:
            return 0
        if known.version != row.version or known.code == GONE:
            return known.round
        if self._poll.by != "mark" or not known.marked or known.state not in (RowState.PARKED, RowState.TAKEN):
            return None
        if known.state == RowState.TAKEN:
            return known.round
        was_marked = self._poll.mark is not None and self._poll.mark.refused is not None
        return known.round + 1 if was_marked else None

    def _try_again(self) -> int:
        rows = self._bookmarks.due(self._now())
        for known in rows:
            if not self._goes_on():
                break
            if not self._bookmarks.stands(known):
                continue  # somebody has given it up meanwhile
            row = self._source.row(known.row_key)
            by_hand = known.state == RowState.RETRY
            if row is None:
                self._gone(known)
            else:
                tries = 0 if by_hand else known.tries
                self._take(row, tries=tries, round_=known.round + by_hand, ahead=False)
        return len(rows)

    def _gone(self, known: PollRow) -> None:
        position = tuple(json.loads(known.position))
        self._bookmarks.decide(
            Decided(known.row_key, known.version, position, False, RowState.SKIPPED, known.tries, known.round,
                    GONE, "The row is there no more.", known.txn_no, None, True)
        )  # fmt: skip

    def _take(self, row: SourceRow, *, tries: int, round_: int, ahead: bool) -> None:
        """Hand a row over and store what came of it."""
        self._keep_pace()
        now = self._now()
        txn_no = new_txn_no(now)
        state, code, words, answered = self._received(row, round_, tries, txn_no, now)
        next_at = now + timedelta(seconds=WAITS[min(tries, len(WAITS) - 1)]) if state is RowState.WAITING else None
        decided = Decided(
            row.key, row.version, row.position, ahead, state, tries + 1, round_,
            code, words, answered, next_at, not self._is_to_be_marked(state),
        )  # fmt: skip
        self._bookmarks.decide(decided)
        if not decided.marked:
            self._mark(decided.key, state, code, words, answered)

    def _received(
        self, row: SourceRow, round_: int, tries: int, txn_no: str, now: datetime
    ) -> tuple[RowState, str, str, str | None]:
        """State, code, words and transaction of a row that was handed over."""
        message_id = self._requests.message_id(row, round_)
        arrival = self._arrival(_written(row, message_id), now, txn_no, message_id)
        self._admit(arrival)
        operation = self._poll.operation
        try:
            result = self._intake.take(
                arrival, operation, lambda: (operation, self._requests.make(row, round_)), set()
            ).result
        except (ServiceUnavailable, SQLAlchemyError, StylesheetBroken):
            raise
        except CodeAwaited as problem:
            return RowState.WAITING, "UNMAPPED", in_words(problem), None
        except (InvalidMessage, CodeNotMapped) as problem:
            return RowState.PARKED, problem.code, in_words(problem), None
        except GatewayError as problem:
            return RowState.PARKED, problem.code, problem.text_en, None
        except Exception as problem:
            _log.error("A row of poll %s cannot be taken.", self._poll.name, exc_info=problem)
            return RowState.PARKED, "INTERNAL", type(problem).__name__, None
        if result.result_code == "0" or result.parked:
            return RowState.TAKEN, result.result_code, result.result_text, result.gateway_txn_no
        waits = result.retryable and tries + 1 < self._poll.tries
        state = RowState.WAITING if waits else RowState.PARKED
        return state, result.result_code, result.result_text_en, result.gateway_txn_no

    def _arrival(self, raw: bytes, now: datetime, txn_no: str = "", message_id: str = "") -> Arrival:
        return Arrival(ROW, raw, now, txn_no, self._hospital_code, message_id=message_id)

    def _admit(self, arrival: Arrival) -> None:
        """In the name of the partner's client. Raises ClientUnknown: that is no matter of a row."""
        try:
            self._intake.admit_known(arrival, self._client).require(self._poll.operation)
        except (NotAllowed, NotAuthenticated):
            raise ClientUnknown(
                f"the client {self._client} does not exist, is disabled or may not call {self._poll.operation}"
            ) from None

    def _keep_pace(self) -> None:
        wait = self._not_before - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        self._not_before = time.monotonic() + 1 / self._poll.rate_per_second

    # --- writing back -------------------------------------------------------------------------------------------------

    def _is_to_be_marked(self, state: RowState) -> bool:
        if state is RowState.WAITING:
            return False
        mark = self._poll.mark
        has_mark = mark is not None and (state is not RowState.PARKED or mark.refused is not None)
        return has_mark or bool(self._poll.answer)

    def _write_marks(self) -> None:
        for row in self._bookmarks.unmarked():
            if not self._goes_on():
                return
            self._mark(row.row_key, RowState(row.state), row.code, row.words, row.txn_no)

    def _mark(self, key: str, state: RowState, code: str, words: str, txn_no: str | None) -> None:
        mark, values = self._poll.mark, {}
        if mark is not None and state in (RowState.TAKEN, RowState.SKIPPED):
            values[mark.column] = mark.taken
        elif mark is not None and mark.refused is not None:
            values[mark.column] = mark.refused
        told = {"code": code, "text": words, "transaction": txn_no or "", "time": self._now().isoformat()}
        values |= {name: told[what] for name, what in self._poll.answer.items()}
        try:
            if values:
                self._source.mark(key, values)
        except SourceAway as problem:
            if problem.code in ENDS_THE_LOOK:
                raise
            self._mark_trouble = problem  # somebody holds this row: the others go on, and it is tried again
            return
        self._bookmarks.marked(key)


def _written(row: SourceRow, message_id: str) -> bytes:
    """What the journal keeps: the row as the stylesheet gets it, and under which number it came."""
    root = etree.Element("Polled")
    etree.SubElement(root, "MessageId").text = message_id
    if row.element is not None:
        root.append(copy(row.element))
    written: bytes = etree.tostring(root, encoding="utf-8")
    return written
