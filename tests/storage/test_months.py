"""The journal, the deliveries and their attempts stand in months; a row never lacks a place."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from months_of_messages import NOW, attempt, delivery, keep, message, places
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from gateway import migrate
from gateway.model.delivery import Delivery, DeliveryAttempt
from gateway.model.journal import JournalEntry
from gateway.model.monthly import MONTHLY
from gateway.storage.months import make_months, parts
from gateway.store import make_engine

CHINA = timezone(timedelta(hours=8))


def test_this_month_and_the_next_two_are_made_once(store: Engine):
    made = make_months(store, NOW)
    assert made == [f"{table}_2027_{month}" for table in MONTHLY for month in ("03", "04", "05")]
    assert make_months(store, NOW) == []
    assert make_months(store, NOW + timedelta(days=31)) == [f"{table}_2027_06" for table in MONTHLY]


def test_a_message_stands_in_its_month_and_one_without_month_is_not_refused(store: Engine):
    make_months(store, NOW)
    later = datetime(2028, 1, 1, tzinfo=UTC)
    keep(store, message(1, NOW), message(2, later))
    assert places(store, "journal") == {"journal_2027_03": 1, "journal_default": 1}


def test_months_begin_and_end_in_utc(store: Engine):
    make_months(store, NOW)
    keep(
        store, message(1, datetime(2027, 4, 1, 7, 59, tzinfo=CHINA)), message(2, datetime(2027, 4, 1, 8, tzinfo=CHINA))
    )
    assert places(store, "journal") == {"journal_2027_03": 1, "journal_2027_04": 1}


def test_what_came_before_its_month_was_made_moves_there_when_it_is(store: Engine):
    of_june = delivery(datetime(2027, 6, 3, tzinfo=UTC))
    keep(store, of_june)
    keep(store, attempt(of_june), message(1, datetime(2027, 6, 3, tzinfo=UTC)), message(2, NOW))
    make_months(store, datetime(2027, 6, 4, tzinfo=UTC))
    assert places(store, "journal") == {"journal_2027_06": 1, "journal_default": 1}
    assert places(store, "delivery") == {"delivery_2027_06": 1}
    assert places(store, "delivery_attempt") == {"delivery_attempt_2027_06": 1}
    with Session(store) as session:
        assert session.get_one(Delivery, of_june.id).request == "<Action>NEW</Action>"


def test_two_processes_make_the_months_at_once(store: Engine):
    made: list[list[str]] = []
    threads = [threading.Thread(target=lambda: made.append(make_months(store, NOW))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made[0] + made[1]) == sorted(
        f"{table}_2027_{month}" for table in MONTHLY for month in ("03", "04", "05")
    )


def test_a_long_reader_delays_the_months_and_not_the_messages(store: Engine):
    with store.connect() as reader:
        reader.execute(text("SELECT count(*) FROM journal_default"))
        with pytest.raises(OperationalError):
            make_months(store, NOW)
        keep(store, message(1, NOW))
    assert "journal_2027_03" in make_months(store, NOW)
    assert places(store, "journal") == {"journal_2027_03": 1}


def test_numbers_go_on_whatever_the_month(store: Engine):
    make_months(store, NOW)
    first, second = delivery(NOW), delivery(NOW + timedelta(days=40))
    keep(store, first, second)
    assert second.id == first.id + 1


# --- the tables of the release before ---------------------------------------------------------------------------------

OLD_MESSAGE = """
INSERT INTO journal (txn_no, received_at, operation, sender_code, message_id, hospital_code, branch_code, soap_version,
    xml, result_code, answered_at)
VALUES (:txn_no, :at, 'ReportStatus', 'PACS', 'M1', 'H1', '', '1.1', 'x', '0', :at)
"""
OLD_DELIVERY = """
INSERT INTO delivery (partner, operation, lane, lock, state, attempts, txn_no, hospital_code, origin_sender_code,
    origin_message_id, subject, request, created_at)
VALUES ('HIS', 'ReportStatus', 'normal', 'l', 'QUEUED', 0, 'G1', 'H1', 'PACS', 'M1', 'R1', '<x/>', :at) RETURNING id
"""
OLD_ATTEMPT = """
INSERT INTO delivery_attempt (delivery_id, started_at, milliseconds, outcome, code)
VALUES (:of, :at, 1, 'ANSWERED', '0') RETURNING id
"""


def as_before(connection, txn_no: str, at: datetime) -> tuple[int, int]:
    """What the release before writes: it knows of no months."""
    connection.execute(text(OLD_MESSAGE), {"txn_no": txn_no, "at": at})
    number = connection.execute(text(OLD_DELIVERY), {"at": at}).scalar_one()
    return number, connection.execute(text(OLD_ATTEMPT), {"of": number, "at": at}).scalar_one()


@pytest.fixture
def old(empty_url: str):
    """The tables of the release before, with rows of two months, the last of them ahead of its time."""
    migrate.upgrade(empty_url)
    migrate.downgrade(empty_url, "0011")
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        for number, at in enumerate((datetime(2020, 5, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=70))):
            as_before(connection, f"G{number}", at)
        connection.execute(text("ALTER SEQUENCE delivery_id_seq RESTART WITH 5000"))
    yield engine
    engine.dispose()


def test_the_tables_of_the_release_before_become_the_first_part_as_they_are(old: Engine, empty_url: str):
    with old.connect() as connection:
        file = connection.scalar(text("SELECT pg_relation_filenode('journal')"))
    migrate.upgrade(empty_url)
    assert places(old, "journal") == {"journal_before": 2}
    with old.connect() as connection:
        assert connection.scalar(text("SELECT pg_relation_filenode('journal_before')")) == file, "no row was copied"
        (before, *_) = parts(connection)
    assert before.ends is not None
    assert before.ends > datetime.now(UTC) + timedelta(days=70)
    assert before.ends.day == 1


def test_numbers_go_on_after_the_last_one_that_was_ever_given(old: Engine, empty_url: str):
    migrate.upgrade(empty_url)
    with old.begin() as connection:
        assert as_before(connection, "G9", datetime.now(UTC)) == (5000, 3)


def test_the_release_before_works_on_with_the_divided_tables(old: Engine, empty_url: str):
    """A rolling upgrade: its processes are still there when the first new one has divided the tables."""
    migrate.upgrade(empty_url)
    engine = make_engine(empty_url, pool_size=1)
    make_months(engine, datetime.now(UTC))
    with old.begin() as connection:
        number, _ = as_before(connection, "G9", datetime.now(UTC))
        assert connection.execute(text("SELECT id FROM delivery WHERE id = :id FOR UPDATE"), {"id": number}).one()
        changed = connection.execute(text("UPDATE delivery SET state = 'SENDING' WHERE id = :id"), {"id": number})
        assert changed.rowcount == 1
    with Session(engine) as session:
        assert session.get_one(JournalEntry, "G9").patient_id is None
        assert session.get_one(Delivery, number).state == "SENDING"
        assert session.scalars(select(DeliveryAttempt).where(DeliveryAttempt.delivery_id == number)).one()
    engine.dispose()


def test_going_back_brings_every_row_into_one_table(old: Engine, empty_url: str):
    migrate.upgrade(empty_url)
    engine = make_engine(empty_url, pool_size=1)
    make_months(engine, datetime.now(UTC))
    engine.dispose()
    with old.begin() as connection:
        as_before(connection, "G9", datetime.now(UTC) + timedelta(days=400))
    migrate.downgrade(empty_url, "0011")
    assert places(old, "journal") == {"journal": 3}
    with old.begin() as connection:
        assert as_before(connection, "G10", datetime.now(UTC)) == (5001, 4)
