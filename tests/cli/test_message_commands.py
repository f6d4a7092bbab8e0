"""`gateway message`: a message is found, followed through all it caused, and given to partners again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from emptying import clear
from gateway.model.delivery import Delivery, DeliveryAttempt, DeliveryState, Lane
from gateway.model.journal import Alert, AuditEntry, JournalEntry
from gateway.model.replay import ReplayBatch

TEN = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
def session(site: Path, migrated: str):
    (site / "partners" / "HIS").mkdir(exist_ok=True)
    (site / "partners" / "HIS" / "partner.toml").write_text('url = "http://127.0.0.1:1/soap"\n')
    engine = create_engine(migrated)
    clear(engine)
    with Session(engine, expire_on_commit=True) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        session.commit()
        yield session
    engine.dispose()


def message(session: Session, number: int, **values: object) -> str:
    """The PACS says that R1 was examined; HIS gets it."""
    at = TEN + timedelta(minutes=number)
    given = {
        "txn_no": f"G{at:%y%m%d%H%M%S}000{number:010x}", "received_at": at, "operation": "ReportStatus",
        "sender_code": "PACS", "message_id": f"M{number}", "hospital_code": "H1", "branch_code": "",
        "requisition_no": "R1", "visit_no": "V1", "patient_id": "P1", "soap_version": "1.1",
        "xml": "<PatientName>王小明</PatientName>".encode(), "result_code": "0",
        "answered_at": at + timedelta(seconds=0.2),
    } | values  # fmt: skip
    session.add(JournalEntry(**given))
    session.commit()
    return str(given["txn_no"])


def delivery(session: Session, txn_no: str, state: str = DeliveryState.DELIVERED, **values: object) -> int:
    at = TEN + timedelta(minutes=5)
    given = {
        "partner": "HIS", "operation": "ReportStatus", "lane": Lane.NORMAL, "lock": "requisition|HIS|H1||R1",
        "state": state, "attempts": 1, "txn_no": txn_no, "hospital_code": "H1", "origin_sender_code": "PACS",
        "origin_message_id": "M1", "subject": "R1", "request": "<Event>EXAM_DONE</Event>", "created_at": at,
        "finished_at": at + timedelta(seconds=2), "last_code": "0",
    } | values  # fmt: skip
    row = Delivery(**given)
    session.add(row)
    session.flush()
    session.add(DeliveryAttempt(delivery_id=row.id, started_at=at, milliseconds=7, outcome="ANSWERED", code="0"))
    session.commit()
    return row.id


def listed(gateway: Command, *words: object) -> list[str]:
    said = gateway("message", "list", *words)
    assert said.code == 0
    return [line.split()[5] for line in said.out.splitlines()[1:]]


# --- Looking ----------------------------------------------------------------------------------------------------------


def test_messages_are_listed_the_latest_first(gateway: Command, session: Session):
    message(session, 1)
    message(session, 2)
    assert listed(gateway) == ["M2", "M1"]
    assert listed(gateway, "--limit", 1) == ["M2"]


@pytest.mark.parametrize(
    "words",
    [
        ("--requisition", "R2"),
        ("--visit", "V2"),
        ("--patient", "P2"),
        ("--message-id", "M2"),
        ("--sender", "LIS"),
        ("--operation", "SubmitReport"),
        ("--code", "RPT-409"),
    ],
)
def test_a_message_is_found_by_each_thing_that_is_known_of_it(gateway: Command, session: Session, words: tuple[str]):
    message(session, 1)
    message(
        session, 2, requisition_no="R2", visit_no="V2", patient_id="P2", sender_code="LIS", operation="SubmitReport",
        result_code="RPT-409",
    )  # fmt: skip
    assert listed(gateway, *words) == ["M2"]


def test_times_are_those_of_the_hospital(gateway: Command, session: Session):
    message(session, 1)
    assert listed(gateway, "--since", f"{TEN:%Y-%m-%d}T10:01") == ["M1"]
    assert listed(gateway, "--until", f"{TEN:%Y-%m-%d}T10:01") == []


def test_what_was_wrong_with_the_last_answer_is_shown_with_the_message_and_with_the_delivery(
    gateway: Command, session: Session
):
    number = delivery(session, message(session, 1), DeliveryState.UNKNOWN, last_code="NOT-XML")
    page = "A web page came instead."
    values = {"delivery_id": number, "started_at": TEN, "milliseconds": 9, "outcome": "UNKNOWN", "code": "NOT-XML"}
    session.add(DeliveryAttempt(**values, detail=page))
    session.commit()
    for words in (("message", "show", "M1"), ("delivery", "show", f"GW-{number}"), ("message", "trace", "M1")):
        assert page in " ".join(gateway(*words).out.split())


def test_a_message_that_was_mended_is_shown_with_what_was_wrong_with_it(gateway: Command, session: Session):
    message(session, 1, repairs="namespace, references")
    assert "Mended: namespace, references" in gateway("message", "show", "M1").out


def test_one_message_is_shown_with_what_it_caused(gateway: Command, session: Session):
    txn_no = message(session, 1)
    number = delivery(session, txn_no, DeliveryState.DEAD, last_code="HTTP-500")
    session.add(Alert(raised_at=TEN, kind="DELIVERY_DEAD", subject=f"delivery GW-{number}", txn_no=txn_no))
    session.commit()
    for name in (txn_no, "M1"):
        said = gateway("message", "show", name)
        assert "Mended" not in said.out
        lines = said.out.splitlines()
        assert lines[0] == f"ReportStatus of PACS, message M1, transaction {txn_no}"
        assert lines[1].endswith("(SOAP 1.1), answered 0 in 0.2 s")
        assert lines[2] == "hospital H1, requisition R1, visit V1, patient P1"
        assert lines[4].split() == [f"GW-{number}", "DEAD", "HIS", "ReportStatus", "1", "HTTP-500"]
        assert "DELIVERY_DEAD" in said.out
        assert "unsettled" in said.out


def test_no_content_is_ever_shown(gateway: Command, session: Session):
    txn_no = message(session, 1)
    delivery(session, txn_no)
    for words in (("list",), ("show", txn_no), ("trace", txn_no), ("replay", txn_no)):
        said = gateway("message", *words)
        assert "王" not in said.out + said.err
        assert "EXAM_DONE" not in said.out + said.err


def test_a_number_nobody_knows_and_one_that_several_have_are_said(gateway: Command, session: Session):
    assert gateway("message", "show", "M9").mistake.startswith("There is no message M9")
    message(session, 1)
    message(session, 2, sender_code="LIS", message_id="M1")
    mistake = gateway("message", "show", "M1").mistake
    assert ("ReportStatus of PACS" in mistake, "ReportStatus of LIS" in mistake) == (True, True)


def test_what_happened_is_told_in_its_order(gateway: Command, session: Session):
    txn_no = message(session, 1)
    number = delivery(session, txn_no)
    said = gateway("message", "trace", txn_no)
    what = [line.split(maxsplit=3)[3] for line in said.out.splitlines()[1:]]
    assert [" ".join(words.split()) for words in what] == [
        "ReportStatus M1 answered 0",
        f"GW-{number}: ANSWERED after 7 ms 0",
        f"GW-{number}: ReportStatus for HIS",
        f"GW-{number}: DELIVERED 0",
    ]


def test_a_requisition_is_followed_through_all_its_messages(gateway: Command, session: Session):
    message(session, 1)
    message(session, 2)
    message(session, 3, requisition_no="R2")
    said = gateway("message", "trace", "--requisition", "R1")
    assert ("M1" in said.out, "M2" in said.out, "M3" in said.out) == (True, True, False)
    assert gateway("message", "trace", "--requisition", "R9").mistake == "No message fits."
    assert gateway("message", "trace").code == gateway("message", "trace", "M1", "--visit", "V1").code == 2


def test_who_looked_is_noted_before_anything_is_shown(gateway: Command, session: Session):
    txn_no = message(session, 1)
    gateway("message", "list", "--patient", "P1", "--sender", "PACS")
    gateway("message", "show", txn_no)
    gateway("message", "trace", "--visit", "V1")
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.at)).all()
    assert [(entry.action, entry.subject, entry.detail) for entry in entries] == [
        ("MESSAGE_LIST", "patient P1", "sender=PACS"),
        ("MESSAGE_SHOW", "patient P1", f"txn_no={txn_no}"),
        ("MESSAGE_TRACE", "messages", "visit_no=V1"),
    ]


# --- Giving it again --------------------------------------------------------------------------------------------------


def replays(session: Session) -> list[int]:
    session.expire_all()
    query = select(Delivery.replay_of).where(Delivery.replay_of.is_not(None)).order_by(Delivery.id)
    return list(session.scalars(query))


def test_a_message_is_given_again_to_whoever_got_it(gateway: Command, session: Session):
    txn_no = message(session, 1)
    number = delivery(session, txn_no)
    delivery(session, txn_no, DeliveryState.DISCARDED)
    assert gateway("message", "replay", txn_no).err == "Nothing is changed: add --yes to do it.\n"
    assert replays(session) == []
    assert gateway("message", "replay", "M1", "--reason", "restored", "--yes").code == 0
    assert replays(session) == [number]
    assert session.scalars(select(ReplayBatch.selection)).one() == "messages M1"


def test_the_messages_of_a_time_are_given_again(gateway: Command, session: Session):
    numbers = [
        delivery(session, message(session, n), lock=f"requisition|HIS|H1||R{n}", subject=f"R{n}") for n in (1, 2)
    ]
    words = ("--sender", "PACS", "--since", f"{TEN:%Y-%m-%d}", "--partner", "HIS", "--reason", "x", "--yes")
    assert gateway("message", "replay", *words, "--limit", 1).mistake.startswith("More than 1 messages fit")
    assert gateway("message", "replay", *words).code == 0
    assert replays(session) == numbers


def test_a_charge_waits_for_a_second_person_here_too(gateway: Command, session: Session):
    txn_no = message(session, 1, operation="ChargeItem")
    delivery(session, txn_no, operation="ChargeItem", lock="money|HIS|H1||V1")
    said = gateway("message", "replay", txn_no, "--reason", "x", "--yes")
    assert (said.code, "Another person approves it" in said.out) == (0, True)
    assert replays(session) == []


def test_what_was_delivered_to_nobody_is_not_given_again(gateway: Command, session: Session):
    txn_no = message(session, 1)
    delivery(session, txn_no, DeliveryState.DEAD)
    assert gateway("message", "replay", txn_no).mistake.startswith("Nothing that fits was delivered")
    assert gateway("message", "replay", "M9", "--yes", "--reason", "x").mistake.startswith("There is no message M9")


def test_nobody_gives_everything_again_by_saying_nothing(gateway: Command, session: Session):
    message(session, 1)
    assert gateway("message", "replay", "--yes", "--reason", "x").code == 2
    assert gateway("message", "replay", "M1", "--yes").mistake == "--reason must say why."
