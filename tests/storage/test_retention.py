"""Old months go as a whole; what somebody still has to deal with stays, however old it is."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from months_of_messages import NOW, attempt, delivery, keep, message, places
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from gateway.config import Settings, Storage
from gateway.model.delivery import Delivery, DeliveryAttempt, DeliveryState
from gateway.model.journal import Alert, AuditEntry, JournalEntry, MessageKey, ParkedMessage
from gateway.storage.months import make_months, months_later
from gateway.storage.retention import count, plan, prune
from gateway.storage.upkeep import StorageUpkeep

YEAR = Storage(journal_months=12, delivery_months=12, key_months=12)
OLD, EDGE = datetime(2026, 1, 20, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
"""Too old in March 2027 with twelve months kept; and the first moment that is kept."""


@pytest.fixture
def year(store: Engine) -> Engine:
    """A store whose months began in January 2026, before NOW in March 2027."""
    with store.begin() as connection:
        for table in ("journal", "delivery", "delivery_attempt"):
            connection.execute(text(f"ALTER TABLE {table} DETACH PARTITION {table}_before"))
            connection.execute(text(f"DROP TABLE {table}_before"))
    make_months(store, datetime(2026, 1, 1, tzinfo=UTC), ahead=16)
    return store


def left(store: Engine, model: type) -> list:
    with Session(store) as session:
        return list(session.scalars(select(model)))


def test_whole_months_go_and_the_first_kept_moment_stays(year: Engine):
    keep(year, message(1, OLD), message(2, EDGE - timedelta(seconds=1)), message(3, EDGE), message(4, NOW))
    pruned = prune(year, YEAR, NOW)
    assert (pruned.months, pruned.rows, pruned.kept) == (6, 0, 0), "January and February of three tables"
    assert [one.message_id for one in left(year, JournalEntry)] == ["M3", "M4"]
    with year.connect() as connection:
        assert connection.scalar(text("SELECT to_regclass('journal_2026_02')")) is None
    assert prune(year, YEAR, NOW).months == 0


def test_what_is_not_limited_is_kept_for_ever(year: Engine):
    keep(year, message(1, OLD), delivery(OLD))
    prune(year, Storage(), NOW)
    prune(year, Storage(delivery_months=12), NOW)
    assert (len(left(year, JournalEntry)), left(year, Delivery)) == (1, [])


@pytest.mark.parametrize("state", ["QUEUED", "SENDING", "UNKNOWN", "DEAD"])
def test_a_delivery_without_an_end_stays_with_its_attempts_and_its_message(year: Engine, state: str):
    origin = message(1, OLD)
    stuck, done = delivery(OLD, DeliveryState(state), txn_no=origin.txn_no), delivery(OLD)
    keep(year, origin, message(2, OLD), stuck, done)
    keep(year, attempt(stuck), attempt(done))
    assert prune(year, YEAR, NOW).kept == 3
    assert [one.id for one in left(year, Delivery)] == [stuck.id]
    assert [one.delivery_id for one in left(year, DeliveryAttempt)] == [stuck.id]
    assert [one.message_id for one in left(year, JournalEntry)] == ["M1"]
    assert places(year, "delivery") == {"delivery_default": 1}


def test_what_stayed_goes_once_it_has_ended(year: Engine):
    stuck = delivery(OLD, DeliveryState.DEAD)
    keep(year, stuck)
    keep(year, attempt(stuck))
    prune(year, YEAR, NOW)
    with Session(year) as session, session.begin():
        session.get_one(Delivery, stuck.id).state = DeliveryState.DISCARDED
    pruned = prune(year, YEAR, NOW)
    assert (pruned.months, pruned.rows) == (0, 2)
    assert left(year, Delivery) == left(year, DeliveryAttempt) == []


def test_a_finished_delivery_that_is_just_sent_again_stays(year: Engine):
    refused = delivery(OLD, DeliveryState.REFUSED)
    keep(year, refused)
    with year.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args) "
                "VALUES ('YB.normal', 'deliver', jsonb_build_object('delivery_id', CAST(:id AS bigint)))"
            ),
            {"id": refused.id},
        )
    prune(year, YEAR, NOW)
    assert [one.id for one in left(year, Delivery)] == [refused.id]


def test_messages_that_people_must_still_see_stay(year: Engine):
    alarmed, settled, parked = message(1, OLD), message(2, OLD), message(3, OLD)
    keep(
        year, alarmed, settled, parked,
        Alert(raised_at=OLD, kind="DELIVERY_DEAD", subject="x", txn_no=alarmed.txn_no),
        Alert(raised_at=OLD, kind="DELIVERY_DEAD", subject="x", txn_no=settled.txn_no, settled_at=OLD),
        ParkedMessage(
            sender_code="HIS", operation="ReportStatus", message_id="M3", txn_no=parked.txn_no, waits_for="x",
            request="", parked_at=OLD, expires_at=OLD,
        ),
    )  # fmt: skip
    prune(year, YEAR, NOW)
    assert [one.message_id for one in left(year, JournalEntry)] == ["M1", "M3"]
    assert len(left(year, ParkedMessage)) == 1


def test_keys_and_ended_parked_messages_go_by_their_age(year: Engine):
    def key(number: int, at: datetime) -> MessageKey:
        return MessageKey(
            sender_code="HIS",
            operation="ChargeItem",
            message_id=f"M{number}",
            content_hash="",
            txn_no="G1",
            created_at=at,
        )

    parked = ParkedMessage(
        sender_code="HIS", operation="ReportStatus", message_id="M1", txn_no="G1", waits_for="x", request="",
        parked_at=OLD, expires_at=OLD, applied_at=OLD, result_code="0",
    )  # fmt: skip
    keep(year, key(1, OLD), key(2, EDGE), parked)
    assert prune(year, YEAR, NOW).rows == 2
    assert [one.message_id for one in left(year, MessageKey)] == ["M2"]
    assert left(year, ParkedMessage) == []


def test_old_rows_of_the_time_before_the_months_go_one_by_one(store: Engine):
    now = datetime.now(UTC)
    keep(store, message(1, now - timedelta(days=500)), message(2, now))
    pruned = prune(store, YEAR, now)
    assert (pruned.months, pruned.rows) == (0, 1)
    assert [one.message_id for one in left(store, JournalEntry)] == ["M2"]


def test_the_preview_says_what_would_go_and_changes_nothing(year: Engine):
    keep(year, message(1, OLD), message(2, NOW), delivery(OLD, DeliveryState.DEAD))
    with year.connect() as connection:
        steps = plan(connection, YEAR, NOW)
        assert [step.name for step in steps if step.is_month and step.table == "journal"] == [
            "journal_2026_01", "journal_2026_02",
        ]  # fmt: skip
        assert [count(connection, step) for step in steps if step.name == "delivery_2026_01"] == [0]
        assert [count(connection, step) for step in steps if step.name == "journal_2026_01"] == [1]
    assert len(left(year, JournalEntry)) == 2


def test_progress_is_told(year: Engine):
    told: list[tuple[str, float]] = []
    prune(year, YEAR, NOW, lambda step, done: told.append((step.name, done)))
    assert ("journal_2026_01", 1) in told
    assert all(0 <= done <= 1 for _, done in told)


def test_messages_are_taken_while_an_old_month_is_being_read(year: Engine):
    """Somebody who reads an old month delays its end, and nobody else for more than seconds."""
    keep(year, message(1, OLD))
    with year.connect() as reader:
        reader.execute(text("SELECT count(*) FROM journal_2026_01"))
        failed: list[Exception] = []

        def let_go() -> None:
            try:
                prune(year, YEAR, NOW)
            except OperationalError as problem:
                failed.append(problem)

        thread = threading.Thread(target=let_go)
        thread.start()
        begun = time.monotonic()
        keep(year, message(2, NOW))
        assert time.monotonic() - begun < 6
        thread.join()
    assert len(failed) == 1
    assert prune(year, YEAR, NOW).months >= 1


# --- by the clock -----------------------------------------------------------------------------------------------------


@pytest.fixture
def clocked(year: Engine, tmp_path: Path) -> Callable[..., StorageUpkeep]:
    def make(clock: SimpleNamespace) -> StorageUpkeep:
        settings = Settings(folder=tmp_path, hospital_code="H1", storage=YEAR)
        return StorageUpkeep(settings, year, lambda: clock.now)

    return make


def test_once_a_day_one_process_lets_go_and_the_audit_keeps_that(clocked, year: Engine):
    keep(year, message(1, OLD))
    clock = SimpleNamespace(now=datetime.fromisoformat("2027-03-10T03:29+08:00"))
    first, second = clocked(clock), clocked(clock)
    assert first.run() is None, "not before half past three"
    clock.now += timedelta(minutes=2)
    assert first.run().months == 6
    assert second.run() is None
    (noted,) = left(year, AuditEntry)
    assert (noted.actor, noted.action, noted.detail) == ("gateway", "PRUNE_STORAGE", "months=6 rows=0 kept=0")
    clock.now += timedelta(days=1)
    assert second.run().months == 0
    assert len(left(year, AuditEntry)) == 1


def test_the_clock_makes_the_months_to_come(clocked, year: Engine):
    clock = SimpleNamespace(now=months_later(datetime(2027, 3, 1, tzinfo=UTC), 3))
    clocked(clock).run()
    with year.connect() as connection:
        assert connection.scalar(text("SELECT to_regclass('journal_2027_08')")) is not None
