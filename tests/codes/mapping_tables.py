"""Builders for code tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from gateway.codes import tables, unmapped
from gateway.codes.lines import Line
from gateway.codes.tables import Name, Unmapped
from gateway.codes.translating import DatabaseCodes
from gateway.mapping.codes import UnmappedPolicy
from gateway.model.code_table import CodeVersion

HOSPITAL, BRANCH = "H1", "H2"
NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
TODAY = date(2026, 11, 28)
RADIOLOGY = (Line("0103", "FSK", "放射科"), Line("0577", "XGK", "血管科"))


def now() -> datetime:
    return NOW


class Hospital:
    """Makes tables as the people of a hospital do, and asks them as stylesheets do."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self.sessions = sessions
        self.codes = DatabaseCodes(sessions, now)

    def draft(self, *lines: Line, table: str = "department", partner: str = "", hospital: str = HOSPITAL) -> int:
        """The number of a new version."""
        with self.sessions.begin() as session:
            found = tables.take_table(session, Name(hospital, partner, table), "zhang", NOW)
            return tables.add_draft(session, found, lines, "科室.csv", "zhang", NOW).number

    def activate(self, number: int | None = None, **whose: str) -> list[int]:
        """Let a version count, the newest draft when not said; what was settled by it."""
        with self.sessions.begin() as session:
            found = tables.the_table(session, name_of(**whose), lock=True)
            tables.activate(session, found, tables.the_version(session, found, number, "DRAFT"), "li", NOW)
            return unmapped.settle(session, NOW)

    def use(self, *lines: Line, **whose: str) -> int:
        """A version that counts from now on."""
        number = self.draft(*lines, **whose)
        self.activate(number, **whose)
        return number

    def roll_back(self, **whose: str) -> None:
        with self.sessions.begin() as session:
            tables.roll_back(session, tables.the_table(session, name_of(**whose), lock=True), "wang", NOW)
            unmapped.settle(session, NOW)

    def policy(self, policy: UnmappedPolicy, theirs: str | None = None, ours: str | None = None, **whose: str) -> None:
        with self.sessions.begin() as session:
            found = tables.take_table(session, name_of(**whose), "zhang", NOW)
            tables.set_policy(session, found, Unmapped(policy, theirs, ours), "zhang", NOW)
            unmapped.settle(session, NOW)

    def states(self, **whose: str) -> list[tuple[int, str]]:
        with self.sessions() as session:
            found = tables.versions(session, tables.the_table(session, name_of(**whose)))
            return sorted((one.number, one.state) for one in found)

    def version(self, number: int) -> CodeVersion:
        with self.sessions() as session:
            return session.scalars(select(CodeVersion).where(CodeVersion.number == number)).one()

    def count(self, model: Any) -> int:
        with self.sessions() as session:
            return session.scalars(select(func.count()).select_from(model)).one()

    def all(self, model: Any) -> list[Any]:
        with self.sessions() as session:
            return list(session.scalars(select(model).order_by(model.id)))

    # --- asking -------------------------------------------------------------------------------------------------------

    def theirs(self, value: str, on: date = TODAY, **other: Any) -> str:
        """What our code is called at PACS."""
        return self._ask(value, on, outbound=True, **other)

    def ours(self, value: str, on: date = TODAY, **other: Any) -> str:
        """What PACS's code is called here."""
        return self._ask(value, on, outbound=False, **other)

    def _ask(self, value: str, on: date, **other: Any) -> str:
        asked = {"table": "department", "partner": "PACS", "hospital_code": HOSPITAL} | other
        return self.codes.translate(value=value, on=on, **asked)

    def forget_when_looked(self) -> None:
        """As if a second had passed since the tables were looked at."""
        self.codes._looked_at = 0.0


def name_of(table: str = "department", partner: str = "", hospital: str = HOSPITAL) -> Name:
    return Name(hospital, partner, table)
