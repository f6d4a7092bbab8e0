"""`gateway critical` and `gateway alerts`: what is open and late is seen, and each month counts as it was."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from emptying import clear
from gateway.model.critical_value import CriticalEscalation, CriticalValue
from gateway.model.journal import Alert, AuditEntry

NOON = datetime(2026, 10, 15, 4, tzinfo=UTC)


@pytest.fixture
def session(site: Path, migrated: str) -> Iterator[Session]:
    engine = create_engine(migrated)
    clear(engine, but=("client", "client_right"))
    with Session(engine) as session:
        yield session
    engine.dispose()


def value(
    session: Session,
    number: str,
    at: datetime = NOON,
    *,
    dept: str = "2001",
    received: float | None = None,
    handled: float | None = None,
    status: str | None = None,
) -> None:
    """A value to be received in 10 and handled in 30 minutes; `received` and `handled` are the minutes it took."""
    session.add(
        CriticalValue(
            key=number,
            hospital_code="H1",
            branch_code="",
            sender_code="LIS",
            critical_id=number,
            status=status or ("50" if handled is not None else "40" if received is not None else "20"),
            source_type="1",
            dept_code=dept,
            ward_code="W1",
            bed_no="12",
            to_fallback=False,
            opened_by_report=False,
            content_hash="-",
            request="<PatientName>王𠮷祥</PatientName>",
            received_at=at,
            receive_deadline=at + timedelta(minutes=10),
            handle_deadline=at + timedelta(minutes=30),
            receipt_at=None if received is None else at + timedelta(minutes=received),
            handled_at=None if handled is None else at + timedelta(minutes=handled),
        )
    )
    session.commit()


def told(session: Session, number: str, stage: str, level: int) -> None:
    session.add(
        CriticalEscalation(
            critical_value_key=number,
            stage=stage,
            level=level,
            due_at=NOON,
            raised_at=NOON,
            receivers="X",
            partners="",
        )
    )
    session.commit()


def report(gateway: Command, month: str = "2026-10", *words: str) -> dict[str, dict[str, object]]:
    said = gateway("critical", "report", "--month", month, "--format", "json", *words)
    assert said.code == 0, said
    return {one["department"]: one for one in json.loads(said.out)}


def test_what_was_in_time_is_counted_by_department(gateway: Command, session: Session) -> None:
    value(session, "A", received=4, handled=20)
    value(session, "B", received=10, handled=30)
    value(session, "C", received=12, handled=29)
    value(session, "D", received=1, handled=50)
    value(session, "E", dept="3001", received=2)
    told(session, "C", "RECEIVE", 1)
    told(session, "D", "TOTAL", 2)
    told(session, "D", "HANDLE", 2)
    ward, clinic = report(gateway)["2001"], report(gateway)["3001"]
    assert (ward["values"], ward["share_received_in_time"], ward["share_handled_in_time"]) == (4, 0.75, 0.75)
    assert (ward["median_minutes_to_receive"], ward["median_minutes_to_handle"]) == (7, 29.5)
    assert ward["escalations"] == {"L1": 1, "L2": 2}
    assert (clinic["not_handled"], clinic["handled_late"], clinic["median_minutes_to_handle"]) == (1, 1, None)


def test_a_value_open_for_more_than_a_day_is_late_by_all_of_it(gateway: Command, session: Session) -> None:
    value(session, "A", received=24 * 60 + 5, handled=3 * 24 * 60)
    found = report(gateway)["2001"]
    assert (found["received_late"], found["handled_late"]) == (1, 1)
    assert (found["median_minutes_to_receive"], found["median_minutes_to_handle"]) == (1445, 4320)


def test_a_month_ends_at_midnight_in_hospital_time(gateway: Command, session: Session) -> None:
    last = datetime(2026, 10, 31, 15, 59, 59, tzinfo=UTC)
    value(session, "A", last, received=5, handled=24 * 60)
    value(session, "B", last + timedelta(seconds=1), received=5, handled=10)
    october, november = report(gateway)["2001"], report(gateway, "2026-11")["2001"]
    assert (october["values"], october["handled_late"], november["values"], november["handled_late"]) == (1, 1, 1, 0)


def test_december_ends_with_the_year(gateway: Command, session: Session) -> None:
    value(session, "A", datetime(2026, 12, 31, 15, tzinfo=UTC))
    value(session, "B", datetime(2026, 12, 31, 16, tzinfo=UTC))
    assert (report(gateway, "2026-12")["2001"]["values"], report(gateway, "2027-01")["2001"]["values"]) == (1, 1)


def test_what_still_has_time_and_what_was_cancelled_spoil_no_share(gateway: Command, session: Session) -> None:
    now = datetime.now(UTC)
    value(session, "A", now)
    value(session, "B", now, status="90")
    month = f"{now + timedelta(hours=8):%Y-%m}"
    found = report(gateway, month)["2001"]
    assert (found["values"], found["cancelled"], found["not_handled"]) == (1, 1, 1)
    assert (found["share_received_in_time"], found["received_late"]) == (None, 0)


def test_one_department_alone_can_be_asked_for(gateway: Command, session: Session) -> None:
    value(session, "A")
    value(session, "B", dept="3001")
    assert set(report(gateway, "2026-10", "--department", "3001")) == {"3001"}


def test_the_table_shows_bars_and_the_list_for_a_spreadsheet_the_figures(gateway: Command, session: Session) -> None:
    value(session, "A", received=4, handled=20)
    value(session, "B", received=14, handled=20)
    told(session, "B", "RECEIVE", 1)
    table = gateway("critical", "report", "--month", "2026-10").out
    assert "█████░░░░░ 50.0 %" in table
    assert "██████████ 100.0 %" in table
    assert "L1 1" in table
    (row,) = csv.DictReader(io.StringIO(gateway("critical", "report", "--month", "2026-10", "--format", "csv").out))
    assert (row["department"], row["values"], row["share_received_in_time"], row["L1"]) == ("2001", "2", "0.5", "1")


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_month_without_any_is_an_empty_report(gateway: Command, session: Session, form: str) -> None:
    assert gateway("critical", "report", "--month", "2020-02", "--format", form).code == 0


@pytest.mark.parametrize("month", ["2026-13", "November", "2026-1", "0000-01"])
def test_a_month_that_is_none_is_said_in_one_line(gateway: Command, session: Session, month: str) -> None:
    said = gateway("critical", "report", "--month", month)
    assert (said.code, said.mistake) == (2, f"{month} is no month: write it as 2026-11.")


def test_what_is_open_is_listed_with_what_is_late_and_no_patient(gateway: Command, session: Session) -> None:
    value(session, "A")
    value(session, "B", datetime.now(UTC))
    value(session, "C", received=1, handled=2)
    told(session, "A", "TOTAL", 3)
    lines = gateway("critical", "list").out.splitlines()[1:]
    first = ["A", "LIS", "1", "notified", "2001", "W1", "12", "10-15", "12:00:00", "receive", "total", "3"]
    assert lines[0].split() == first
    assert lines[1].split()[0] == "B"
    assert len(lines) == 2
    assert len(gateway("critical", "list", "--overdue").out.splitlines()) == 2
    assert "王" not in gateway("critical", "list").out


# --- alerts -----------------------------------------------------------------------------------------------------------


def alerts(session: Session, *kinds: str) -> list[int]:
    rows = [Alert(raised_at=NOON, kind=kind, subject=f"about {kind}") for kind in kinds]
    session.add_all(rows)
    session.commit()
    return [row.id for row in rows]


def test_alerts_are_listed_until_somebody_settles_them(gateway: Command, session: Session) -> None:
    first, second = alerts(session, "DELIVERY_DEAD", "CRITICAL_NO_ROUTE")
    assert [line.split()[0] for line in gateway("alerts", "list").out.splitlines()[1:]] == [str(second), str(first)]
    assert gateway("alerts", "settle", first, "--reason", "telephoned").out == f"Settled: {first}.\n"
    assert gateway("alerts", "list").out.splitlines()[1:][0].split()[0] == str(second)
    assert len(gateway("alerts", "list", "--settled").out.splitlines()) == 3
    assert gateway("alerts", "list", "--kind", "delivery_dead").out.splitlines()[1:] == []
    entry = session.scalars(select(AuditEntry)).one()
    assert (entry.action, entry.subject, entry.detail) == ("SETTLE_ALERT", f"alert {first}", "telephoned")


def test_several_are_settled_together_or_not_at_all(gateway: Command, session: Session) -> None:
    first, second = alerts(session, "A", "B")
    assert gateway("alerts", "settle", first, 99999, "--reason", "x").mistake == "There is no alert 99999."
    assert gateway("alerts", "settle", first, second, "--reason", "x").code == 0
    assert "is settled already" in gateway("alerts", "settle", first, "--reason", "x").mistake


def test_a_settlement_needs_a_reason(gateway: Command, session: Session) -> None:
    (only,) = alerts(session, "A")
    assert gateway("alerts", "settle", only, "--reason", " ").mistake == "--reason must say what was done."
