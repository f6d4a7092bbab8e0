"""`gateway delivery`: what is stuck is seen, tried again or given up, and who did it stays known."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from emptying import clear
from gateway.delivery.jobs import Jobs
from gateway.model.delivery import Delivery, DeliveryState, Lane
from gateway.model.journal import AuditEntry

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)


@pytest.fixture
def session(site: Path, migrated: str):
    engine = create_engine(migrated)
    clear(engine)
    with Session(engine, expire_on_commit=True) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        session.commit()
        yield session
    engine.dispose()


def delivery(session: Session, state: DeliveryState, partner: str = "PACS", requisition: str = "R1") -> int:
    row = Delivery(
        partner=partner,
        operation="SubmitRequisition",
        lane=Lane.NORMAL,
        lock=f"requisition|{partner}|H1||{requisition}",
        state=state,
        attempts=12,
        txn_no="G1",
        hospital_code="H1",
        origin_sender_code="HIS",
        origin_message_id="M1",
        subject=requisition,
        request="<Action>NEW</Action>",
        created_at=NOW,
        last_code="HTTP-500",
    )
    session.add(row)
    session.flush()
    if state not in (DeliveryState.DELIVERED, DeliveryState.SENDING):
        Jobs().add(session, row)
    session.commit()
    return row.id


def shown(gateway: Command, *words: str) -> list[list[str]]:
    said = gateway("delivery", "list", *words)
    assert said.code == 0
    return [line.split() for line in said.out.splitlines()[1:]]


def test_what_is_unfinished_is_listed_the_stuck_first(gateway: Command, session: Session):
    queued = delivery(session, DeliveryState.QUEUED)
    delivery(session, DeliveryState.DELIVERED)
    dead = delivery(session, DeliveryState.DEAD, requisition="R2")
    rows = shown(gateway)
    assert [(row[0], row[1]) for row in rows] == [(f"GW-{dead}", "DEAD"), (f"GW-{queued}", "QUEUED")]
    assert rows[0][2:] == ["PACS", "SubmitRequisition", "R2", "11-22", "12:00:00", "12", "HTTP-500"]


def test_the_list_can_be_narrowed(gateway: Command, session: Session):
    delivery(session, DeliveryState.DEAD, "HIS")
    done = delivery(session, DeliveryState.DELIVERED, "PACS")
    assert shown(gateway, "--state", "delivered")[0][0] == f"GW-{done}"
    assert shown(gateway, "--partner", "PACS") == []
    assert len(shown(gateway, "--limit", "1")) == 1


def test_a_dead_delivery_is_tried_again(gateway: Command, session: Session):
    number = delivery(session, DeliveryState.DEAD)
    assert gateway("delivery", "retry", f"GW-{number}").out == f"Delivery {number} is sent again now.\n"
    row = session.get_one(Delivery, number, populate_existing=True)
    assert (row.state, row.attempts) == (DeliveryState.QUEUED, 0)
    assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")) == 1


def test_a_delivery_is_given_up_for_a_reason(gateway: Command, session: Session):
    number = delivery(session, DeliveryState.DEAD)
    assert gateway("delivery", "discard", number, "--reason", "the exam was cancelled by telephone").code == 0
    row = session.get_one(Delivery, number, populate_existing=True)
    assert (row.state, row.last_code) == (DeliveryState.DISCARDED, "DISCARDED: the exam was cancelled by telephone")
    assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")) == 0


def test_who_decided_stays_known(gateway: Command, session: Session):
    number = delivery(session, DeliveryState.DEAD)
    gateway("delivery", "retry", number)
    gateway("delivery", "discard", number, "--reason", "x")
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.at)).all()
    assert [(e.action, e.subject) for e in entries] == [
        ("RETRY_DELIVERY", f"delivery {number}"),
        ("DISCARD_DELIVERY", f"delivery {number}"),
    ]


@pytest.mark.parametrize("command", [["retry"], ["discard", "--reason", "x"]])
def test_what_cannot_be_decided_is_said_in_one_line(gateway: Command, session: Session, command: list[str]):
    done, sending = delivery(session, DeliveryState.DELIVERED), delivery(session, DeliveryState.SENDING)
    words = ("delivery", command[0])
    assert gateway(*words, "999", *command[1:]).mistake == "There is no delivery 999."
    assert f"Delivery {done} is DELIVERED" in gateway(*words, done, *command[1:]).mistake
    assert f"Delivery {sending} is SENDING" in gateway(*words, sending, *command[1:]).mistake
    said = gateway(*words, "R1", *command[1:])
    assert (said.code, said.mistake) == (2, "R1 is no delivery: give its number, such as 17 or GW-17.")
    assert session.scalars(select(AuditEntry)).all() == []


def test_an_empty_reason_is_none(gateway: Command, session: Session):
    number = delivery(session, DeliveryState.DEAD)
    said = gateway("delivery", "discard", number, "--reason", " ")
    assert (said.code, said.mistake) == (2, "--reason must say why.")
