"""`gateway partner hold|release|status|drain`: an operator's orders, what waits, and how long it takes."""

import re
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from emptying import clear
from gateway.cli import downtime
from gateway.config import load_settings
from gateway.delivery.leases import OWNER, PAUSED, number_of
from gateway.model.delivery import Delivery, DeliveryState, Lane
from gateway.model.journal import Alert, AuditEntry
from gateway.model.partner_hold import PartnerHold


@pytest.fixture
def session(site: Path, migrated: str):
    for name in ("HIS", "PACS"):
        folder = site / "partners" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "partner.toml").write_text('url = "http://127.0.0.1:1/soap"\n')
    engine = create_engine(migrated)
    clear(engine)
    with Session(engine) as session:
        session.execute(text("DELETE FROM partner_hold"))
        session.commit()
        yield session
    engine.dispose()


def delivery(session: Session, state: DeliveryState = DeliveryState.QUEUED, lock: str = "", **values: object) -> int:
    number = session.query(Delivery).count()
    now = datetime.now(UTC)
    row = Delivery(
        **{
            "partner": "HIS",
            "operation": "SubmitRequisition",
            "lane": Lane.NORMAL,
            "lock": lock or f"requisition|HIS|H1||R{number}",
            "state": state,
            "attempts": 0,
            "txn_no": f"G{number}",
            "hospital_code": "H1",
            "origin_sender_code": "EMR",
            "origin_message_id": "M1",
            "subject": f"R{number}",
            "request": "<Action>NEW</Action>",
            "created_at": now,
            **values,
        }
    )
    session.add(row)
    session.commit()
    return row.id


def finish(session: Session, number: int) -> None:
    session.execute(text("UPDATE delivery SET state = 'DELIVERED', finished_at = now() WHERE id = :id"), {"id": number})
    session.commit()


def orders(session: Session) -> list[PartnerHold]:
    session.rollback()
    return session.query(PartnerHold).order_by(PartnerHold.id).all()


def audited(session: Session) -> list[tuple[str, str]]:
    session.rollback()
    return [(entry.action, entry.subject) for entry in session.query(AuditEntry).order_by(AuditEntry.at)]


# --- hold and release -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "mode"), [((), "HOLD"), (("--maintenance",), "MAINTENANCE"), (("--stop",), "STOP")])
def test_a_partner_is_held_and_released_and_both_are_audited(gateway: Command, session: Session, option, mode):
    said = gateway("partner", "hold", "HIS", *option, "--reason", "new version")
    assert re.fullmatch(rf"HIS: {mode} from \d{{4}}-\d\d-\d\d \d\d:\d\d until it is released\.\n", said.out), said
    (order,) = orders(session)
    assert (order.partner, order.mode, order.reason, order.ended_at) == ("HIS", mode, "new version", None)
    assert order.declared_by.startswith("terminal:")
    said = gateway("partner", "release", "HIS")
    assert re.fullmatch(rf"HIS: {mode} of .* is released\.\n", said.out), said
    assert orders(session)[0].ended_by == order.declared_by
    assert audited(session) == [("HOLD_PARTNER", "partner HIS"), ("RELEASE_PARTNER", "partner HIS")]


def test_a_maintenance_is_planned_in_hospital_time(gateway: Command, session: Session, site: Path):
    zone = load_settings(site).zone
    begin = (datetime.now(zone) + timedelta(days=2)).replace(hour=22, minute=0, second=0, microsecond=0)
    words = ("--maintenance", "--from", f"{begin:%Y-%m-%d %H:%M}", "--until", "02:30", "--reason", "update")
    said = gateway("partner", "hold", "HIS", *words)
    assert said.code == 0, said
    (order,) = orders(session)
    assert (order.starts_at, order.until) == (begin, begin + timedelta(hours=4.5))
    shown = gateway("partner", "status", "HIS").out
    assert "Mode: normal\n" in shown
    assert (
        f"Planned: MAINTENANCE from {begin:%Y-%m-%d %H:%M} until {order.until.astimezone(zone):%Y-%m-%d %H:%M}" in shown
    )


def test_a_time_of_day_is_the_next_one(site: Path, session: Session):
    settings = load_settings(site)
    noon = datetime(2026, 11, 24, 12, tzinfo=settings.zone)
    moments = [
        downtime._moment(settings, datetime(1900, 1, 1, hour), noon)  # noqa: DTZ001 - as typer gives it
        for hour in (11, 12, 13)
    ]
    assert [(one.day, one.hour) for one in moments if one is not None] == [(25, 11), (25, 12), (24, 13)]


def test_one_button_stops_everything_and_one_releases_it(gateway: Command, session: Session):
    critical = delivery(session, lane=Lane.CRITICAL, lock="critical|HIS|H1||K1|LIS", subject="K1|LIS")
    said = gateway("partner", "hold", "--stop", "--all", "--reason", "wrong results are sent")
    assert [line.split(":")[0] for line in said.out.splitlines()] == ["HIS", "PACS"]
    assert said.err == "1 critical values wait and do not leave: `gateway alerts list` names them. Telephone.\n"
    assert {order.mode for order in orders(session)} == {"STOP"}
    assert [alert.kind for alert in session.query(Alert)] == ["CRITICAL_STOPPED"]
    assert session.get_one(Delivery, critical).state == "QUEUED"
    assert len(gateway("partner", "release", "--all").out.splitlines()) == 2
    assert all(order.ended_at for order in orders(session))


@pytest.mark.parametrize(
    ("words", "mistake", "code"),
    [
        (("NOBODY", "--reason", "x"), "There is no partner NOBODY; known are: HIS, PACS.", 2),
        (("HIS", "--reason", " "), "The reason must say why.", 2),
        (("HIS",), "Missing option '--reason'", 2),
        (("--reason", "x"), "Name a partner, or give --all.", 2),
        (("HIS", "--all", "--reason", "x"), "Name a partner, or give --all.", 2),
        (("HIS", "--stop", "--maintenance", "--reason", "x"), "Give --maintenance or --stop, not both.", 2),
        (("HIS", "--stop", "--until", "23:00", "--reason", "x"), "A stop begins at once", 2),
        (("HIS", "--until", "2020-01-01 10:00", "--reason", "x"), "It cannot end in the past.", 2),
        (("HIS", "--from", "2020-01-01 10:00", "--reason", "x"), "It cannot begin in the past.", 2),
        (("HIS", "--from", "2999-01-02 10:00", "--until", "2999-01-01 10:00", "--reason", "x"), "It must end after", 2),
        (("HIS", "--until", "tomorrow", "--reason", "x"), "Invalid value for '--until'", 2),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_in_one_line(gateway: Command, session: Session, words, mistake, code):
    said = gateway("partner", "hold", *words)
    assert said.mistake.startswith(mistake)
    assert said.code == code
    assert orders(session) == []
    assert audited(session) == []


def test_what_is_not_held_cannot_be_released(gateway: Command, session: Session):
    assert gateway("partner", "release", "HIS").mistake == "HIS is not held: there is nothing to release."
    assert gateway("partner", "release", "--all").mistake == "No partner is held: there is nothing to release."
    assert gateway("partner", "release", "NOBODY").mistake.startswith("There is no partner NOBODY")
    assert audited(session) == []


# --- status -----------------------------------------------------------------------------------------------------------


def test_the_status_says_what_waits_by_kind_and_that_nothing_moved(gateway: Command, session: Session):
    hour_ago = datetime.now(UTC) - timedelta(hours=3)
    delivery(session, lock="money|HIS|H1||V1", created_at=hour_ago)
    delivery(session, DeliveryState.DEAD, lock="requisition|HIS|H1||R1")
    delivery(session, lock="requisition|HIS|H1||R1")
    delivery(session, DeliveryState.UNKNOWN)
    delivery(session, lane=Lane.CRITICAL, lock="critical|HIS|H1||K1|LIS")
    gateway("partner", "hold", "HIS", "--maintenance", "--reason", "new version")
    rows = [line.split() for line in gateway("partner", "status").out.splitlines()]
    assert rows[1][:2] == ["HIS", "MAINTENANCE"]
    assert rows[1][2:] == ["unknown", "none", "1", "1", "1", "1", "3", "h", "unknown", "unknown"]
    assert rows[2] == ["PACS", "-", "unknown", "none", "0", "0", "0", "0", "unknown", "nothing", "waits"]
    one = gateway("partner", "status", "HIS").out
    assert "by terminal:" in one
    assert ": new version\n" in one
    assert "Waiting: 1 money, 1 other, 1 critical\n" in one
    assert "Dead letters: 1, which hold back 1 more\n" in one
    assert "Rate: unknown: nothing moved in the last minute\nTime left: unknown\n" in one


def test_the_rate_is_measured_and_so_is_the_time_left(gateway: Command, session: Session):
    for _ in range(6):
        finish(session, delivery(session))
    old = delivery(session)
    session.execute(
        text("UPDATE delivery SET state = 'DELIVERED', finished_at = now() - interval '2 minutes' WHERE id = :i"),
        {"i": old},
    )
    session.commit()
    for _ in range(12):
        delivery(session)
    one = gateway("partner", "status", "HIS").out
    assert "Rate: 0.10 per second in the last minute\nTime left: 2 min\n" in one


def test_who_serves_a_partner_and_whether_it_is_left_alone_is_known_by_its_locks(gateway: Command, session: Session):
    connection = session.connection()
    connection.execute(text("SET application_name = 'gateway-delivery-4711'"))
    for kind in (OWNER, PAUSED):
        connection.execute(text("SELECT pg_advisory_lock(:kind, :number)"), {"kind": kind, "number": number_of("HIS")})
    try:
        rows = [line.split() for line in gateway("partner", "status").out.splitlines()]
    finally:
        connection.execute(text("SELECT pg_advisory_unlock_all()"))
    assert rows[1][2] == "open"
    assert rows[1][3].startswith("gateway-delivery-4711")
    assert rows[2][2:4] == ["unknown", "none"]


def test_the_status_of_a_stranger_is_refused(gateway: Command, session: Session):
    assert gateway("partner", "status", "NOBODY").mistake.startswith("There is no partner NOBODY")


# --- drain ------------------------------------------------------------------------------------------------------------


def test_a_backlog_is_watched_until_nothing_waits(gateway: Command, session: Session, migrated: str, monkeypatch):
    monkeypatch.setattr(downtime, "LOOK_EVERY", 0.1)
    monkeypatch.setattr(downtime, "LINE_EVERY", 0.2)
    waiting, said_first, say = [delivery(session) for _ in range(10)], threading.Event(), downtime.say
    session.close()

    def say_it(text: str) -> None:
        say(text)
        said_first.set()

    monkeypatch.setattr(downtime, "say", say_it)

    def deliver() -> None:
        engine = create_engine(migrated)
        with Session(engine) as other:
            said_first.wait(60)
            for number in waiting:
                time.sleep(0.1)
                finish(other, number)
        engine.dispose()

    delivering = threading.Thread(target=deliver)
    delivering.start()
    said = gateway("partner", "drain", "HIS")
    delivering.join()
    lines = said.out.splitlines()
    assert said.code == 0
    assert lines[0] == "HIS: 10 wait, nothing moves, time left: unknown."
    assert any(re.fullmatch(r"HIS: \d wait, \d+\.\d+ per second, time left: \d s\.", line) for line in lines[1:])
    assert lines[-1] == "Nothing waits for HIS any more; 10 have left."


def test_when_nothing_waits_there_is_nothing_to_watch(gateway: Command, session: Session):
    said = gateway("partner", "drain", "PACS")
    assert said.out.splitlines()[-1] == "Nothing waits for PACS any more; 0 have left."


def test_a_held_partner_does_not_drain(gateway: Command, session: Session):
    gateway("partner", "hold", "HIS", "--reason", "x")
    assert "release it first" in gateway("partner", "drain", "HIS").mistake


def test_what_waits_behind_dead_letters_never_drains_and_is_said(gateway: Command, session: Session):
    delivery(session, DeliveryState.DEAD, lock="requisition|HIS|H1||R1")
    delivery(session, lock="requisition|HIS|H1||R1")
    said = gateway("partner", "drain", "HIS")
    assert said.code == 1
    assert "Dead letters of HIS: 1, and 1 wait behind them" in said.err


def test_the_watching_ends_after_its_time(gateway: Command, session: Session):
    delivery(session)
    said = gateway("partner", "drain", "HIS", "--timeout", "0")
    assert (said.code, said.err) == (1, "gateway: After 0 s 1 still wait for HIS; delivery goes on.\n")


def test_ctrl_c_ends_the_watching_and_nothing_else(gateway: Command, session: Session, monkeypatch):
    number = delivery(session)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(downtime.time, "sleep", interrupt)
    said = gateway("partner", "drain", "HIS")
    assert (said.code, said.err) == (130, "1 still wait for HIS; delivery goes on.\n")
    session.rollback()
    assert session.get_one(Delivery, number).state == "QUEUED"


def test_a_stopped_his_is_not_asked_for_its_books_either(gateway: Command, session: Session, site: Path):
    with socket.create_server(("127.0.0.1", 0)) as his:
        his.settimeout(0.2)
        address = f"http://127.0.0.1:{his.getsockname()[1]}/soap"
        (site / "partners" / "HIS" / "partner.toml").write_text(f'url = "{address}"\n')
        with (site / "gateway.toml").open("a") as settings:
            settings.write('\n[[routes]]\noperation = "ChargeItem"\npartners = ["HIS"]\n')
        gateway("partner", "hold", "HIS", "--stop", "--reason", "x")
        said = gateway("reconcile", "--date", "2026-11-24", "--from-his")
        assert said.code == 3
        assert "HIS does not tell what it has booked (STOP)" in said.err
        with pytest.raises(TimeoutError):
            his.accept()


# --- maintenance hours of partner.toml --------------------------------------------------------------------------------


def in_its_hours(site: Path) -> str:
    """HIS is in its maintenance hours now; when they end, as it is shown."""
    now = datetime.now(UTC).astimezone(load_settings(site).zone)
    begin, end = now - timedelta(hours=1), now + timedelta(hours=1)
    hours = f"{begin:%H:%M}-{end:%H:%M}"
    (site / "partners" / "HIS" / "partner.toml").write_text(f'url = "http://127.0.0.1:1/"\nmaintenance = ["{hours}"]\n')
    return f"{end:%Y-%m-%d %H:%M}"


def test_the_status_shows_maintenance_hours_like_an_order(gateway: Command, site: Path, session: Session):
    end = in_its_hours(site)
    rows = {line.split()[0]: line for line in gateway("partner", "status").out.splitlines()[1:]}
    assert f"MAINTENANCE  {end}" in rows["HIS"]
    assert "MAINTENANCE" not in rows["PACS"]
    shown = gateway("partner", "status", "HIS").out
    assert re.search(rf"Mode: MAINTENANCE from .* until {end}, by partner.toml: its maintenance hours\n", shown)
    assert "\nMaintenance hours: " in shown


def test_maintenance_hours_cannot_be_released_and_drain_says_how_long(gateway: Command, site: Path, session: Session):
    end = in_its_hours(site)
    assert gateway("partner", "release", "HIS").mistake == (
        f"HIS is in its maintenance hours until {end}: they stand in partner.toml and end by themselves."
    )
    assert gateway("partner", "drain", "HIS").mistake.endswith(f"until {end}): wait until then.")
