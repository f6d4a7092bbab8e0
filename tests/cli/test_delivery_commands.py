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


# --- Many at once -----------------------------------------------------------------------------------------------------


def states(session: Session) -> list[str]:
    session.expire_all()
    return list(session.scalars(select(Delivery.state).order_by(Delivery.id)))


def test_many_are_shown_before_anything_happens_to_them(gateway: Command, session: Session):
    for number in range(3):
        delivery(session, DeliveryState.DEAD, requisition=f"R{number}")
    delivery(session, DeliveryState.DEAD, "LIS")
    said = gateway("delivery", "retry", "--partner", "PACS", "--code", "HTTP-500")
    assert said.code == 0
    assert said.out.splitlines()[1].split()[:5] == ["PACS", "SubmitRequisition", "DEAD", "HTTP-500", "3"]
    assert said.err == "Nothing is changed: add --yes to do it.\n"
    assert states(session) == ["DEAD"] * 4


def test_a_dry_run_changes_nothing_whatever_else_is_said(gateway: Command, session: Session):
    number = delivery(session, DeliveryState.DEAD)
    assert gateway("delivery", "skip", number, "--reason", "x", "--dry-run", "--yes").code == 0
    assert states(session) == ["DEAD"]


def test_the_first_of_each_order_is_retried_and_the_others_follow(gateway: Command, session: Session):
    delivery(session, DeliveryState.DEAD)
    delivery(session, DeliveryState.QUEUED)
    delivery(session, DeliveryState.DEAD, requisition="R2")
    said = gateway("delivery", "retry", "--partner", "PACS", "--yes")
    assert "2 are decided." in said.out
    assert "Done to 2 of 2: each is sent again now." in said.out
    assert states(session) == ["QUEUED"] * 3
    assert len(session.scalars(select(AuditEntry)).all()) == 2


def test_many_are_given_up_with_one_reason(gateway: Command, session: Session):
    for number in range(30):
        delivery(session, DeliveryState.DEAD, requisition=f"R{number}")
    said = gateway("delivery", "skip", "--partner", "PACS", "--reason", "test messages", "--yes")
    assert states(session) == ["DISCARDED"] * 30
    assert said.err.splitlines()[-1] == "Deliveries: 30 of 30"


def test_what_it_means_for_order_is_said_before_a_release(gateway: Command, session: Session):
    number = delivery(session, DeliveryState.DEAD)
    said = gateway("delivery", "release", number, "--reason", "PACS has it by telephone")
    assert (said.code, said.err) == (0, "Nothing is changed: add --yes to do it.\n")
    assert gateway("delivery", "release", number, "--reason", "PACS has it by telephone", "--yes").code == 0
    assert shown(gateway)[0][1:3] == ["DEAD,", "released"]
    entry = session.scalars(select(AuditEntry)).one()
    assert (entry.action, entry.detail) == ("RELEASE_DELIVERY", "PACS has it by telephone")


def test_nobody_decides_about_everything_by_saying_nothing(gateway: Command, session: Session):
    delivery(session, DeliveryState.DEAD)
    for words in (["retry"], ["skip", "--reason", "x"], ["release", "--reason", "x"]):
        said = gateway("delivery", *words, "--yes")
        assert (said.code, "Say which" in said.mistake) == (2, True)
    assert gateway("delivery", "retry", "--state", "dead", "--yes").code == 0


def test_a_selection_is_never_cut_off(gateway: Command, session: Session):
    for number in range(3):
        delivery(session, DeliveryState.DEAD, requisition=f"R{number}")
    said = gateway("delivery", "retry", "--partner", "PACS", "--limit", "2", "--yes")
    assert said.mistake.startswith("3 deliveries fit, more than 2")
    assert states(session) == ["DEAD"] * 3


@pytest.mark.parametrize("state", ["delivered", "sending", "refused", "discarded"])
def test_what_is_over_is_no_state_to_decide_about(gateway: Command, session: Session, state: str):
    assert gateway("delivery", "retry", "--state", state, "--yes").code == 2


def test_numbers_that_do_not_exist_are_said_and_nothing_is_done(gateway: Command, session: Session):
    number = delivery(session, DeliveryState.DEAD)
    said = gateway("delivery", "retry", number, "999999", "--yes")
    assert said.mistake == "Only 1 of the 2 numbers given are deliveries that fit."
    assert states(session) == ["DEAD"]
    assert gateway("delivery", "retry", "--partner", "NOBODY", "--yes").mistake == "No delivery fits."


def test_one_that_cannot_be_decided_keeps_nobody_from_the_others(gateway: Command, session: Session):
    for number in range(2):
        delivery(session, DeliveryState.DEAD, requisition=f"R{number}")
    session.execute(text("UPDATE procrastinate_jobs SET status = 'doing' WHERE lock LIKE '%|R0'"))
    session.commit()
    said = gateway("delivery", "retry", "--partner", "PACS", "--yes")
    assert (said.code, "just being sent" in said.err) == (1, True)
    assert states(session) == ["DEAD", "QUEUED"]


def test_an_empty_reason_is_none(gateway: Command, session: Session):
    number = delivery(session, DeliveryState.DEAD)
    said = gateway("delivery", "discard", number, "--reason", " ")
    assert (said.code, said.mistake) == (2, "--reason must say why.")
