"""`gateway delivery replay`: what a partner has lost is sent again, looked at first, by two people where it matters."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from emptying import clear
from gateway import site as site_module
from gateway.cli import replays
from gateway.delivery import replay
from gateway.model.delivery import Delivery, DeliveryAttempt, DeliveryState, Lane
from gateway.model.journal import Alert, AuditEntry
from gateway.model.replay import ReplayBatch

NOW = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def session(site: Path, migrated: str):
    for partner in ("HIS", "PACS"):
        (site / "partners" / partner).mkdir(exist_ok=True)
        (site / "partners" / partner / "partner.toml").write_text('url = "http://127.0.0.1:1/soap"\n')
    engine = create_engine(migrated)
    clear(engine)
    with Session(engine, expire_on_commit=True) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        session.commit()
        yield session
    engine.dispose()


@pytest.fixture
def colleague(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A switch: from now on somebody else sits at the terminal."""

    def sits_down() -> None:
        monkeypatch.setattr(site_module, "LOGIN", tmp_path / "nobody")
        monkeypatch.setattr(os, "getuid", lambda: 3999999999)

    return sits_down


def delivered(session: Session, operation: str = "ReportStatus", about: str = "R1", partner: str = "HIS") -> int:
    row = Delivery(
        partner=partner,
        operation=operation,
        lane=Lane.NORMAL,
        lock=f"requisition|{partner}|H1||{about}",
        state=DeliveryState.DELIVERED,
        attempts=1,
        txn_no="G1",
        hospital_code="H1",
        origin_sender_code="PACS",
        origin_message_id="M1",
        subject=about,
        request="<Event>EXAM_DONE</Event>",
        created_at=NOW,
        last_code="0",
    )
    session.add(row)
    session.flush()
    session.add(DeliveryAttempt(delivery_id=row.id, started_at=NOW, milliseconds=12, outcome="ANSWERED", code="0"))
    session.commit()
    return row.id


def again(session: Session) -> list[Delivery]:
    session.expire_all()
    return list(session.scalars(select(Delivery).where(Delivery.replay_of.is_not(None)).order_by(Delivery.id)))


def actions(session: Session) -> list[str]:
    session.expire_all()
    return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.at)))


def propose(gateway: Command, session: Session) -> int:
    """A replay of a report, which waits for a second person."""
    gateway("delivery", "replay", delivered(session, "SubmitReport"), "--reason", "restored", "--yes")
    session.expire_all()
    return session.scalars(select(ReplayBatch.id).order_by(ReplayBatch.id.desc())).first()


# --- Looking first ----------------------------------------------------------------------------------------------------


def test_the_effect_is_shown_and_nothing_happens(gateway: Command, session: Session):
    delivered(session, about="R1")
    delivered(session, about="R2")
    said = gateway("delivery", "replay", "--partner", "HIS", "--since", "2026-01-01")
    assert said.code == 0
    assert said.out.splitlines()[1].split()[:3] == ["HIS", "ReportStatus", "2"]
    assert said.out.splitlines()[-1] == "2 are sent again, at most 10 a second."
    assert said.err == "Nothing is changed: add --yes to do it.\n"
    assert (again(session), actions(session)) == ([], [])


def test_what_later_messages_have_overtaken_is_counted_and_left_out(gateway: Command, session: Session):
    old = delivered(session)
    delivered(session)
    said = gateway("delivery", "replay", old, "--yes", "--reason", "x", "--dry-run")
    assert "0 are sent again, at most 10 a second; 1 are left out" in said.out
    said = gateway("delivery", "replay", old, "--with-superseded", "--yes", "--reason", "x")
    assert (said.code, [row.replay_of for row in again(session)]) == (0, [old])


def test_money_is_marked_as_asked_first_and_needs_a_second_person(gateway: Command, session: Session):
    said = gateway("delivery", "replay", delivered(session, "ChargeItem"), "--dry-run")
    assert said.out.splitlines()[1].split()[3] == "yes"
    assert "a second person has to approve it" in said.out


# --- Doing it ---------------------------------------------------------------------------------------------------------


def test_statuses_go_at_once(gateway: Command, session: Session):
    numbers = [delivered(session, about=f"R{n}") for n in range(3)]
    said = gateway("delivery", "replay", *numbers, "--reason", "restored", "--per-second", 50, "--yes")
    assert said.code == 0
    assert "3 are handed to the queue." in said.out
    assert [row.replay_of for row in again(session)] == numbers
    assert actions(session) == ["REPLAY_PROPOSE"]
    assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 3


def test_clinical_content_waits_for_a_second_person(gateway: Command, session: Session, colleague):
    number = propose(gateway, session)
    assert again(session) == []
    said = gateway("delivery", "approve", number, "--yes")
    assert "another person has to approve it" in said.err
    assert again(session) == []
    colleague()
    assert gateway("delivery", "approve", number, "--yes").code == 0
    assert len(again(session)) == 1
    assert actions(session) == ["REPLAY_PROPOSE", "REPLAY_APPROVE"]


def test_an_approver_sees_it_first(gateway: Command, session: Session, colleague):
    number = propose(gateway, session)
    colleague()
    said = gateway("delivery", "approve", number)
    assert "Reason: restored" in said.out
    assert (said.err, again(session)) == ("Nothing is changed: add --yes to do it.\n", [])


def test_nobody_names_himself_by_an_option_or_a_variable(
    gateway: Command, session: Session, monkeypatch: pytest.MonkeyPatch
):
    number = propose(gateway, session)
    assert gateway("delivery", "approve", number, "--operator", "bea", "--yes").code == 2
    for name in ("LOGNAME", "USER", "SUDO_USER"):
        monkeypatch.setenv(name, "bea")
    assert gateway("delivery", "approve", number, "--yes").code == 1
    assert again(session) == []


def test_a_replay_that_was_stopped_goes_on(gateway: Command, session: Session, monkeypatch: pytest.MonkeyPatch):
    numbers = [delivered(session, about=f"R{n}") for n in range(3)]

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(replays.time, "sleep", interrupted)
        said = gateway("delivery", "replay", *numbers, "--reason", "x", "--yes")
    assert (said.code, "Stopped after 1 of 3" in said.err) == (130, True)
    batch = session.scalars(select(ReplayBatch)).one()
    assert gateway("delivery", "resume", batch.id).code == 0
    assert len(again(session)) == 3
    assert "nothing to go on with" in gateway("delivery", "resume", batch.id).mistake


def test_a_proposed_replay_is_not_gone_on_with(gateway: Command, session: Session):
    assert "is PROPOSED" in gateway("delivery", "resume", propose(gateway, session)).mistake


def test_a_replay_is_cancelled_for_a_reason(gateway: Command, session: Session, colleague):
    number = propose(gateway, session)
    assert gateway("delivery", "cancel", number, "--reason", " ").code == 2
    assert gateway("delivery", "cancel", number, "--reason", "not needed").code == 0
    colleague()
    assert "is CANCELLED" in gateway("delivery", "approve", number, "--yes").err
    assert actions(session) == ["REPLAY_PROPOSE", "REPLAY_CANCEL"]


@pytest.mark.parametrize("command", ["approve", "resume", "replays"])
def test_an_unknown_replay_is_refused(gateway: Command, session: Session, command: str):
    assert gateway("delivery", command, 999999).mistake == "There is no replay 999999."
    assert "no replay" in gateway("delivery", "cancel", 999999, "--reason", "x").mistake


def test_nobody_replays_everything_by_saying_nothing(gateway: Command, session: Session):
    assert gateway("delivery", "replay", "--reason", "x", "--yes").code == 2
    number = delivered(session)
    assert gateway("delivery", "replay", number, "--yes").mistake == "--reason must say why."
    assert gateway("delivery", "replay", number, "--limit", replay.MOST + 1).code == 2
    assert gateway("delivery", "replay", number, "--per-second", replay.MOST_PER_SECOND + 1).code == 2


# --- Looking at it afterwards -----------------------------------------------------------------------------------------


def test_replays_are_listed_and_shown(gateway: Command, session: Session):
    number = propose(gateway, session)
    row = gateway("delivery", "replays").out.splitlines()[1].split()
    assert (row[0], row[1], row[-3:]) == (str(number), "PROPOSED", ["0", "1", "restored"])
    assert gateway("delivery", "replays", number).out.splitlines()[-1].split() == (
        ["HIS", "SubmitReport", "to", "be", "sent", "1"]
    )


def test_a_replay_is_visible_wherever_its_deliveries_are(gateway: Command, session: Session):
    original = delivered(session)
    gateway("delivery", "replay", original, "--reason", "x", "--yes")
    (row,) = again(session)
    assert f"replay of GW-{original}" in gateway("delivery", "list").out
    listed = gateway("delivery", "list", "--replay", row.replay_batch).out
    assert f"GW-{row.id}" in listed
    shown = gateway("delivery", "show", original).out
    assert f"replay {row.replay_batch}" in shown
    assert f"GW-{row.id}" in shown


def test_how_a_delivery_came_to_where_it_is(gateway: Command, session: Session):
    number = delivered(session)
    session.add(Alert(raised_at=NOW, kind="DELIVERY_DEAD", subject=f"delivery GW-{number}", txn_no="G1"))
    session.commit()
    said = gateway("delivery", "show", f"GW-{number}")
    assert said.out.startswith("ReportStatus to HIS about R1: DELIVERED\nFrom PACS, message M1, transaction G1\n")
    assert "ANSWERED" in said.out
    assert "DELIVERY_DEAD" in said.out
    assert gateway("delivery", "show", 10**12).mistake == f"There is no delivery {10**12}."


def test_the_deliveries_of_a_replay_are_decided_together(gateway: Command, session: Session):
    gateway("delivery", "replay", delivered(session), "--reason", "x", "--yes")
    (row,) = again(session)
    row.state = DeliveryState.DEAD
    session.commit()
    assert gateway("delivery", "skip", "--replay", row.replay_batch, "--reason", "x", "--yes").code == 0
    assert [row.state for row in again(session)] == ["DISCARDED"]
