"""Messages are found by whatever is known of them, over all months, the latest first."""

from datetime import UTC, datetime, timedelta

import pytest
from months_of_messages import NOW, keep, message
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from gateway.model.visit import PatientMerge
from gateway.operations.journal_search import Wanted, entries, entry, search
from gateway.storage.months import make_months

LAST_YEAR = datetime(2026, 3, 1, tzinfo=UTC)
"""Before the tables had months: found all the same."""
CRITERIA = [
    ("patient", "P2"), ("requisition_no", "R2"), ("visit_no", "V2"), ("message_id", "M2"), ("sender", "PACS"),
    ("operation", "ReportStatus"), ("result_code", "STA-404"),
]  # fmt: skip


@pytest.fixture
def journal(store: Engine):
    make_months(store, NOW)
    keep(
        store,
        message(1, NOW),
        message(2, LAST_YEAR, sender_code="PACS", operation="ReportStatus", result_code="STA-404"),
        message(3, NOW + timedelta(days=30)),
    )
    with Session(store) as session:
        yield session


def numbers(found) -> list[str]:
    return [one.message_id for one in found]


def test_the_latest_come_first_and_no_more_than_wanted(journal: Session):
    assert numbers(search(journal, Wanted())) == ["M3", "M1", "M2"]
    assert numbers(search(journal, Wanted(), limit=2)) == ["M3", "M1"]


@pytest.mark.parametrize(("criterion", "value"), CRITERIA)
def test_a_message_is_found_by_each_thing_it_names(journal: Session, criterion: str, value: str):
    assert numbers(search(journal, Wanted(**{criterion: value}))) == ["M2"]
    assert search(journal, Wanted(**{criterion: value}, since=NOW)) == []


def test_all_that_is_given_must_fit(journal: Session):
    assert search(journal, Wanted(patient="P2", requisition_no="R1")) == []
    assert search(journal, Wanted(patient="P2", sender="HIS")) == []


def test_times_end_before_their_end(journal: Session):
    assert numbers(search(journal, Wanted(since=LAST_YEAR, until=NOW))) == ["M2"]


def test_a_patient_is_found_under_the_ids_merged_with_it(journal: Session):
    merge = PatientMerge(hospital_code="H1", former_patient_id="P2", patient_id="P1", merged_at=NOW)
    journal.add(merge)
    assert numbers(search(journal, Wanted(patient="P1"))) == ["M1", "M2"]


def test_a_transaction_is_looked_for_in_its_month_only(journal: Session):
    (found,) = search(journal, Wanted(message_id="M1"))
    assert numbers(search(journal, Wanted(txn_no=found.txn_no))) == ["M1"]
    assert entry(journal, found.txn_no).xml == b"<x/>"
    journal.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    plan = "\n".join(
        journal.scalars(
            text("EXPLAIN SELECT * FROM journal WHERE txn_no = :txn AND received_at BETWEEN :a AND :b"),
            {"txn": found.txn_no, "a": NOW - timedelta(hours=15), "b": NOW + timedelta(hours=15)},
        )
    )
    assert "journal_2027_03" in plan
    assert "journal_2027_04" not in plan


@pytest.mark.parametrize("number", ["G1", "G999999999999000aaaaaaaaaa", "", "GW-17"])
def test_a_number_that_is_none_of_ours_finds_nothing(journal: Session, number: str):
    assert entry(journal, number) is None
    assert search(journal, Wanted(txn_no=number)) == []


def test_messages_to_be_sent_again_come_with_their_content_in_the_order_they_came(journal: Session):
    found = entries(journal, Wanted(since=LAST_YEAR))
    assert [one.message_id for one in found] == ["M2", "M1", "M3"]
    assert {one.xml for one in found} == {b"<x/>"}
    assert entries(journal, Wanted(patient="P9")) == ()
