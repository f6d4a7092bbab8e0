"""What happens by the clock: open items once an hour, and lists from the inbox, each by one process."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from books import DAY, HOSPITAL, NOON, at, row
from gateway.config import Reconciliation
from gateway.model.critical_value import CriticalValue
from gateway.model.delivery import Delivery, DeliveryState, Lane
from gateway.model.journal import Alert
from gateway.model.reconciliation import ReconciliationRun
from gateway.reconciliation.asking import BooksUnavailable
from gateway.reconciliation.booking import Counterpart
from gateway.reconciliation.open_items import OpenKind, alert_open_items, counted, open_items
from gateway.reconciliation.rounds import Inbox, Nightly, look_at_open_items
from gateway.terms import TransactionState

LATER = NOON + timedelta(minutes=6)


def alerts(ledger):
    with ledger.sessions() as session:
        return [(alert.kind, alert.subject) for alert in session.scalars(select(Alert).order_by(Alert.id))]


def stuck(ledger, state=DeliveryState.DEAD, number="R1"):
    delivery = Delivery(
        partner="PACS", operation="SubmitRequisition", lane=Lane.NORMAL, lock="l", state=state, attempts=1, txn_no="T1",
        hospital_code=HOSPITAL, origin_sender_code="HIS", origin_message_id="M1", subject=number, request="",
        created_at=NOON,
    )  # fmt: skip
    with ledger.sessions.begin() as session:
        session.add(delivery)


def unhandled(ledger, status="20"):
    value = CriticalValue(
        key="K1", hospital_code=HOSPITAL, branch_code="", sender_code="LIS", critical_id="W1", status=status,
        to_fallback=False, opened_by_report=False, content_hash="", request="", received_at=NOON,
        receive_deadline=NOON, handle_deadline=NOON,
    )  # fmt: skip
    with ledger.sessions.begin() as session:
        session.add(value)


def open_at(ledger, now=LATER):
    with ledger.sessions() as session:
        return [(item.kind, item.subject, item.state) for item in open_items(session, now, 5)]


@pytest.mark.parametrize("state", ["PROPOSED", "SENT", "PENDING_CONFIRM", "MANUAL"])
def test_money_without_an_outcome_is_open_after_five_minutes(ledger, state):
    ledger.book("C1", state=TransactionState(state))
    assert open_at(ledger) == [(OpenKind.MONEY, "charge C1 of PACS", state)]
    assert open_at(ledger, NOON + timedelta(minutes=4)) == []


@pytest.mark.parametrize("state", ["CONFIRMED", "REJECTED", "REVERSED"])
def test_money_with_an_outcome_is_not_open(ledger, state):
    ledger.book("C1", state=TransactionState(state))
    assert open_at(ledger) == []


@pytest.mark.parametrize("state", ["QUEUED", "SENDING", "UNKNOWN", "DEAD"])
def test_a_released_requisition_that_has_not_arrived_is_open(ledger, state):
    ledger.requisition("R1", "10", registered=None)
    stuck(ledger, DeliveryState(state))
    assert open_at(ledger) == [(OpenKind.REQUISITION, "requisition R1 for PACS", state)]


def test_neither_a_delivered_requisition_nor_another_message_is_open(ledger):
    ledger.requisition("R1", "10", registered=None)
    stuck(ledger, DeliveryState.DELIVERED)
    stuck(ledger, DeliveryState.DEAD, number="R9")
    assert open_at(ledger) == []


def test_a_critical_value_nobody_has_handled_is_open_and_alarms_after_an_hour(ledger):
    unhandled(ledger)
    assert open_at(ledger) == [(OpenKind.CRITICAL, "critical value W1 of LIS", "20")]
    for minutes, told in ((30, 0), (61, 1)):
        with ledger.sessions.begin() as session:
            assert alert_open_items(session, NOON + timedelta(minutes=minutes), 5) == told


@pytest.mark.parametrize("status", ["50", "60", "90"])
def test_a_handled_critical_value_is_not_open(ledger, status):
    unhandled(ledger, status)
    assert open_at(ledger) == []


def test_they_are_counted(ledger):
    ledger.book("C1", state=TransactionState.SENT)
    with ledger.sessions() as session:
        assert counted(open_items(session, LATER, 5)) == {
            OpenKind.MONEY: 1,
            OpenKind.REQUISITION: 0,
            OpenKind.CRITICAL: 0,
        }


def test_an_open_item_alarms_once_until_it_is_settled(ledger):
    ledger.book("C1", state=TransactionState.PENDING_CONFIRM)
    for _ in range(2):
        with ledger.sessions.begin() as session:
            alert_open_items(session, LATER, 5)
    assert alerts(ledger) == [("MONEY_OPEN", "charge C1 of PACS, PENDING_CONFIRM")]


def test_two_processes_look_once_an_hour(ledger):
    ledger.book("C1", state=TransactionState.PENDING_CONFIRM)

    def look(now):
        with ledger.sessions.begin() as session:
            return look_at_open_items(session, ledger.settings, now)

    with ThreadPoolExecutor(2) as processes:
        assert sorted(processes.map(look, [LATER, LATER])) == [0, 1]
    ledger.book("C2", state=TransactionState.PENDING_CONFIRM)
    assert look(NOON + timedelta(minutes=59)) == 0
    assert look(NOON + timedelta(minutes=60)) == 1
    assert look(NOON + timedelta(minutes=10)) == 0, "a clock that goes back takes no second turn"


# --- the inbox --------------------------------------------------------------------------------------------------------


@pytest.fixture
def inbox(ledger):
    folder = ledger.folder / "reconciliation"
    (folder / "inbox").mkdir(parents=True)
    return folder


def put(ledger, name, *rows, old=True, **values):
    path = ledger.list_of(*rows, name=name, **values)
    kept = path.rename(ledger.folder / "reconciliation" / "inbox" / name)
    if old:
        os.utime(kept, (time.time() - 60, time.time() - 60))


def empty(ledger):
    return Inbox(ledger.settings, ledger.sessions, lambda: NOON + timedelta(days=2)).empty()


def test_a_list_in_the_inbox_is_compared_by_its_days(ledger, inbox):
    ledger.book("C1")
    put(ledger, "his-1124.csv", row("C1"), row("C2"), row("C3", when="2026-11-25 08:00"))
    assert empty(ledger) == 1
    assert [path.name for path in sorted((inbox / "sheets").glob("*.html"))] == [
        "2026-11-24-his.html",
        "2026-11-25-his.html",
    ]
    assert [path.name for path in (inbox / "done").iterdir()] == ["20261126-120000-his-1124.csv"]
    assert alerts(ledger) == [
        ("RECONCILIATION", "2026-11-24 HIS: 1 differences"),
        ("RECONCILIATION", "2026-11-25 HIS: 1 differences"),
    ]


def test_the_name_tells_the_day_where_the_rows_do_not(ledger, inbox):
    put(ledger, "医保 2026-11-24.csv", ("C1", "5"), headings=("流水号", "金额"))
    assert empty(ledger) == 1
    assert [path.name for path in (inbox / "sheets").glob("*.xlsx")] == ["2026-11-24-insurer.xlsx"]


def test_a_list_that_is_wrong_is_refused_as_a_whole_and_says_why(ledger, inbox):
    put(ledger, "his.csv", row("C1"), row("C2", when="2026-11-25", amount="abc"))
    assert empty(ledger) == 1
    (why,) = (inbox / "refused").glob("*.txt")
    assert "row 3, column 金额" in why.read_text("utf-8")
    assert ledger.count(ReconciliationRun) == 0
    assert alerts(ledger) == [("RECONCILIATION_LIST", "list his.csv is refused")]


@pytest.mark.parametrize("rows", [[row("C1", when="2027-01-01")], [("C1", "计费", "5")]], ids=["future", "no day"])
def test_a_list_without_a_day_is_refused(ledger, inbox, rows):
    headings = ("计费流水号", "类型", "金额") if len(rows[0]) == 3 else ()
    put(ledger, "list.csv", *rows, **({"headings": headings} if headings else {}))
    assert empty(ledger) == 1
    assert len(list((inbox / "refused").glob("*.txt"))) == 1


def test_a_list_that_is_still_written_waits(ledger, inbox):
    put(ledger, "his.csv", row("C1"), old=False)
    put(ledger, ".hidden.csv", row("C1"))
    assert empty(ledger) == 0


def test_two_processes_take_a_list_once(ledger, inbox):
    put(ledger, "his.csv", row("C1"))
    with ThreadPoolExecutor(2) as processes:
        assert sum(processes.map(lambda _: empty(ledger), range(2))) == 1
    assert ledger.count(ReconciliationRun) == 1


def test_a_list_of_the_same_name_is_kept_beside_the_earlier_one(ledger, inbox):
    for _ in range(2):
        put(ledger, "his.csv", row("C1"))
        assert empty(ledger) == 1
    assert len(list((inbox / "done").iterdir())) == 2


def test_without_an_inbox_nothing_happens(ledger):
    assert empty(ledger) == 0


def test_a_list_goes_back_when_the_work_fails(ledger, inbox, monkeypatch):
    put(ledger, "his.csv", row("C1"))
    monkeypatch.setattr("gateway.reconciliation.rounds.write_sheets", _no_space)
    with pytest.raises(OSError, match="No space"):
        empty(ledger)
    assert [path.name for path in (inbox / "inbox").iterdir()] == ["his.csv"]
    assert ledger.count(ReconciliationRun) == 0


def _no_space(*_):
    raise OSError("No space left on device")


# --- every night ------------------------------------------------------------------------------------------------------


class Silent:
    name = "HIS"
    lists_departments = covers_midnight = True

    def totals(self, day):
        raise BooksUnavailable("-")


class Empty(Silent):
    def totals(self, day):
        return {}

    def bookings(self, day, department):
        return iter(())

    def find(self, numbers):
        return iter(())


def night(ledger, books, clock="02:00:30"):
    now = at(clock, DAY + timedelta(days=1))
    return Nightly(ledger.settings, ledger.sessions, lambda: now, lambda hospital: [(Counterpart.HIS, books)]).compare()


def test_yesterday_is_compared_once_after_the_time_that_was_set(ledger):
    ledger.book("C1")
    assert night(ledger, Empty()) == 0, "nothing is set"
    ledger.reconciliation = Reconciliation(nightly="02:00")
    assert night(ledger, Empty(), "01:59:59") == 0
    with ThreadPoolExecutor(2) as processes:
        assert sum(processes.map(lambda _: night(ledger, Empty()), range(2))) == 1
    assert night(ledger, Empty(), "23:00:00") == 0
    assert alerts(ledger) == [("RECONCILIATION", "2026-11-24 HIS: 1 differences")]
    assert (ledger.folder / "reconciliation" / "sheets" / "2026-11-24-his.html").exists()


def test_a_silent_his_alarms_and_is_not_asked_all_night(ledger):
    ledger.reconciliation = Reconciliation(nightly="02:00")
    assert (night(ledger, Silent()), night(ledger, Empty())) == (0, 0)
    assert alerts(ledger) == [("RECONCILIATION_FAILED", "2026-11-24 HIS does not tell its books")]
