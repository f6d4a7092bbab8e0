"""A table of critical values that a laboratory fills, and the gateway's reader of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from building import HOSPITAL, ZONE
from gateway.database_config import Poll
from gateway.facades.intake import Intake
from gateway.mapping.codes import NoCodeTables
from gateway.model.critical_value import CriticalValue
from gateway.model.poll import PollBookmark, PollRow
from gateway.operations.unit import Received
from gateway.partners.database.reading import Source
from gateway.polling.bookmarks import Bookmarks
from gateway.polling.requests import RowRequests
from gateway.polling.rounds import Round
from gateway.security.authentication import AuthenticatedClient
from hospital import CONTRACT, WIRE, Hospital
from tests.partners.database.conftest import Middle

TO_PUSH = """<Request><CriticalId><xsl:value-of select="Row/ID"/></CriticalId><Content>
    <xsl:value-of select="Row/CONTENT"/></Content><FoundAt><xsl:value-of select="g:iso(Row/FOUND_AT)"/></FoundAt>
    </Request>"""
TABLE = """CREATE TABLE RESULTS (ID {id} PRIMARY KEY, CONTENT VARCHAR(200), FOUND_AT {time}, VERSION INTEGER DEFAULT 1,
    FLAG CHAR(1) NOT NULL DEFAULT '0', CODE VARCHAR(10), MSG VARCHAR(40))"""


@dataclass
class Reader:
    """One poll of the laboratory, looked at when a test says so."""

    middle: Middle
    hospital: Hospital
    poll: Poll
    rights: frozenset[str] = frozenset({"PushCriticalValue"})
    client: str = "LIS"
    kept: list[str] = field(default_factory=list)
    came: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.poll.stylesheet == "row.xsl":
            self.middle.stylesheet(TO_PUSH, "row.xsl")
        self.partner = self.middle.partner(name=self.client)
        self.source = Source(self.partner, self.poll, ZONE)
        self.middle.open.append(self.source)  # to be closed with it
        self.bookmarks = Bookmarks(self.hospital.sessions, self.client, self.poll.name, self.hospital.clock, "test:1")

    def look(self, *, minutes: float = 1) -> int:
        """Look once, a little later than before; how many rows were decided."""
        self.hospital.clock.now += timedelta(minutes=minutes)
        now = self.hospital.clock
        requests = RowRequests(self.partner, self.poll, HOSPITAL, now, NoCodeTables())
        intake = Intake(
            contract=CONTRACT,
            wire=WIRE,
            reception=self,
            clients=self,
            keep_unreadable_push=self._keep,
            require_room=lambda operation: None,
        )
        return Round(self.poll, self.client, self.source, requests, self.bookmarks, intake, HOSPITAL, now).run()

    def receive(self, received: Received) -> Any:
        """The hospital's reception, which notes in which order critical values come."""
        self.came.append(getattr(received.request, "critical_id", received.request.header.message_id))
        return self.hospital.reception.receive(received)

    def known(self, name: str) -> AuthenticatedClient:
        return AuthenticatedClient(name, self.rights)

    def authenticate(self, credentials: Any) -> AuthenticatedClient:
        raise AssertionError("nobody logs in here")

    def _keep(self, *, xml: bytes, **_: Any) -> None:
        self.kept.append(xml.decode())

    # --- what came of it ----------------------------------------------------------------------------------------------

    def taken(self) -> list[str]:
        """The critical values the gateway has, in the order in which they came."""
        known = {row.critical_id for row in self.hospital.rows(CriticalValue)}
        return [one for one in dict.fromkeys(self.came) if one in known]

    def rows(self, state: str) -> list[PollRow]:
        return self.hospital.rows(PollRow, state=state)

    def bookmark(self) -> PollBookmark:
        found: PollBookmark = self.hospital.row(PollBookmark)
        return found


def lab(
    middle: Middle, hospital: Hospital, *, key_type: str = "INTEGER", time_type: str = "", **settings: Any
) -> Reader:
    """A laboratory with an empty table of results."""
    middle.run(TABLE.format(id=key_type, time=time_type or ("DATETIME" if middle.is_mariadb else "TIMESTAMP")))
    given = {
        "name": "results", "table": "RESULTS", "operation": "PushCriticalValue", "stylesheet": "row.xsl", "key": "ID",
        "start": "beginning", "rate_per_second": 1000, "columns": ["ID", "CONTENT", "FOUND_AT"],
    }  # fmt: skip
    given |= settings
    if given.get("by") == "mark":
        given["start"] = None
    return Reader(middle, hospital, Poll.model_validate(given))


def put(
    middle: Middle, *ids: Any, at: str | None = "2026-11-16 08:00:00", content: str = "K 6.9 mmol/L", flag: str = "0"
) -> None:
    """What the laboratory's program writes."""
    found_at = "NULL" if at is None else f"'{at}'"
    for one in ids:
        middle.run(
            f"INSERT INTO RESULTS (ID, CONTENT, FOUND_AT, FLAG) VALUES ('{one}', '{content}', {found_at}, '{flag}')"
        )


def at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
