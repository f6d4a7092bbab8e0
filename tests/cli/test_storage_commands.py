"""`gateway storage`: what is kept is seen, and what is too old is let go after a look at it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from emptying import clear
from gateway.model.journal import AuditEntry, JournalEntry
from gateway.storage.months import make_months

NOW = datetime.now(UTC)


@pytest.fixture
def session(site: Path, migrated: str):
    engine = create_engine(migrated)
    clear(engine)
    make_months(engine, NOW)
    with Session(engine) as session:
        for number, at in enumerate((NOW, NOW - timedelta(days=800))):
            session.add(
                JournalEntry(
                    txn_no=f"G{number}", received_at=at, operation="ChargeItem", sender_code="PACS", message_id="M1",
                    hospital_code="H1", branch_code="", soap_version="1.1", xml=b"<x/>", result_code="0",
                    answered_at=at,
                )
            )  # fmt: skip
        session.commit()
        yield session
    engine.dispose()


@pytest.fixture
def two_years(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_STORAGE__JOURNAL_MONTHS", "24")


def test_the_months_their_sizes_and_the_free_disk_are_shown(gateway: Command, session: Session, site: Path):
    said = gateway("storage", "show")
    assert said.code == 0
    assert any(line.startswith("journal_before") for line in said.out.splitlines())
    assert f"delivery_{NOW:%Y}" in said.out or "delivery_before" in said.out
    assert "journal_default" in said.out
    assert f"MB are free for {site}; below 512 MB no new work is taken." in said.out


def test_a_disk_with_too_little_room_is_said(gateway: Command, session: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GATEWAY_STORAGE__FREE_MEGABYTES", "999999999")
    assert "no new work is taken. That is so now." in gateway("storage", "show").out


@pytest.mark.usefixtures("two_years")
def test_a_preview_shows_what_would_go(gateway: Command, session: Session):
    said = gateway("storage", "prune", "--dry-run")
    assert [line.split()[0] for line in said.out.splitlines()] == ["GOES", "journal_before"]
    assert len(session.scalars(select(JournalEntry)).all()) == 2


@pytest.mark.usefixtures("two_years")
def test_a_script_has_to_say_yes(gateway: Command, session: Session):
    assert "add --yes" in gateway("storage", "prune").err
    assert len(session.scalars(select(JournalEntry)).all()) == 2


@pytest.mark.usefixtures("two_years")
def test_what_is_too_old_is_let_go_and_who_did_it_stays_known(gateway: Command, session: Session):
    said = gateway("storage", "prune", "--yes")
    assert said.out.splitlines()[-1] == "0 months and 1 single rows are gone; 0 rows of months had to stay."
    assert session.scalars(select(JournalEntry.txn_no)).all() == ["G0"]
    (noted,) = session.scalars(select(AuditEntry))
    assert (noted.action, noted.detail) == ("PRUNE_STORAGE", "months=0 rows=1 kept=0")
    assert noted.actor.startswith("terminal:")
    assert gateway("storage", "prune", "--yes").out == "Nothing is old enough to go.\n"


def test_a_site_that_keeps_everything_is_told_so(gateway: Command, session: Session):
    said = gateway("storage", "prune", "--yes")
    assert (said.code, said.mistake.startswith("Everything is kept for ever: set storage.journal_months")) == (2, True)
