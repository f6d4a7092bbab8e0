"""The polling process: reads all polls of the site, each in a thread of its own, until it is told to stop.

Any number of these processes may run, on any number of machines; each poll is read by one of them.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial

import psycopg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from gateway.database.embedded import libpq_url
from gateway.database_config import Poll
from gateway.errors import GatewayError
from gateway.facades.intake import Intake
from gateway.mapping.codes import CodeTables
from gateway.mapping.errors import StylesheetBroken
from gateway.partner_config import Partner
from gateway.partners.database.reading import Source, SourceAway
from gateway.polling.bookmarks import Bookmarks
from gateway.polling.leases import PollLease
from gateway.polling.requests import RowRequests
from gateway.polling.rounds import ClientUnknown, Round

LONGEST_PAUSE = 300.0
"""Seconds between two looks at a source that cannot be read."""
LEASE_SECONDS = 2.0
"""Between two tries to become the one who reads a poll."""
HELD_SECONDS = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all polls of a process are given; gateway/bootstrap puts it together."""

    sessions: sessionmaker[Session]
    database_url: str
    intake: Intake
    hospital_code: str
    zone: timezone
    now: Callable[[], datetime]
    codes: CodeTables
    is_held: Callable[[str], bool]
    """Whether an operator keeps the partner from being asked."""
    process: str
    """Node and number of this process, for lists."""
    counted: Callable[[str, str, str], None] = lambda partner, poll, outcome: None
    """Told of every row what became of it."""
    failed: Callable[[str, str], None] = lambda partner, poll: None
    """Told of every look that has failed."""


def run_polls(partners: Iterable[Partner], around: Surroundings, stopping: threading.Event) -> None:
    """Read every poll until `stopping` is set; returns when the rows in hand are stored."""
    threads = [
        threading.Thread(
            target=PollThread(partner, poll, around, stopping).run, name=f"poll {partner.name}/{poll.name}"
        )
        for partner in partners
        for poll in partner.polls
    ]
    for thread in threads:
        thread.start()
    stopping.wait()
    for thread in threads:
        thread.join()


class PollThread:
    """Reads one poll whenever its lease is ours."""

    def __init__(self, partner: Partner, poll: Poll, around: Surroundings, stopping: threading.Event) -> None:
        self._partner = partner
        self._poll = poll
        self._around = around
        self._stopping = stopping
        self._failures = 0
        self._lease = PollLease(libpq_url(around.database_url), partner.name, poll.name)
        self._bookmarks = Bookmarks(
            around.sessions,
            partner.name,
            poll.name,
            around.now,
            around.process,
            partial(around.counted, partner.name, poll.name),
        )
        self._source = Source(partner, poll, around.zone)
        self._requests: RowRequests | None = None

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._stopping.wait(self._step())
        finally:
            self._source.close()
            self._lease.release()

    def _step(self) -> float:
        """One look, if it is our turn; seconds until the next."""
        try:
            if not self._lease.hold():
                return LEASE_SECONDS
            if self._around.is_held(self._partner.name):
                return HELD_SECONDS
            decided = self._look()
        except (psycopg.Error, SQLAlchemyError) as problem:
            _log.warning("Poll %s has to wait for the database: %s.", self._poll.name, type(problem).__name__)
            return LEASE_SECONDS
        except Exception as problem:
            return self._failed(problem)
        self._failures = 0
        return 0 if decided >= self._poll.batch else self._poll.every_seconds

    def _look(self) -> int:
        around = self._around
        if self._requests is None:
            self._requests = RowRequests(self._partner, self._poll, around.hospital_code, around.now, around.codes)
        return Round(
            self._poll,
            self._partner.client_name,
            self._source,
            self._requests,
            self._bookmarks,
            around.intake,
            around.hospital_code,
            around.now,
            self._goes_on,
        ).run()

    def _goes_on(self) -> bool:
        return not self._stopping.is_set() and not self._around.is_held(self._partner.name) and self._lease.hold()

    def _failed(self, problem: Exception) -> float:
        """Say once what is wrong, and come again, later and later."""
        code, detail = _told(problem)
        if self._failures == 0:
            _log.warning("Poll %s of %s cannot be read: %s %s", self._poll.name, self._partner.name, code, detail)
            if code == "INTERNAL":
                _log.error("Poll %s has failed and goes on.", self._poll.name, exc_info=problem)
        self._failures += 1
        self._around.failed(self._partner.name, self._poll.name)
        with suppress(SQLAlchemyError):
            self._bookmarks.failed(code, detail)
        pause = min(self._poll.every_seconds * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE)
        return float(max(pause * random.uniform(0.85, 1.15), 0.2))  # noqa: S311 - no secret


def _told(problem: Exception) -> tuple[str, str]:
    if isinstance(problem, SourceAway):
        return problem.code, str(problem) if str(problem) != problem.code else ""
    if isinstance(problem, ClientUnknown):
        return "CLIENT", str(problem)
    if isinstance(problem, StylesheetBroken):
        return "STYLESHEET", str(problem)
    if isinstance(problem, GatewayError):
        return problem.code, problem.text_en
    return "INTERNAL", type(problem).__name__
