"""The checks themselves: a run in which all went well breaks no promise, and each tampering breaks the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.chaos.checks import PROMISES, broken, redelivered
from tests.chaos.evidence import Arrival, Booking, Evidence, Key, Repeated, Sent, Stored

PACS, HIS = "PACS", "HIS"
NUMBER = "CT000001"
LOCK = f"requisition|HIS|H|01|{NUMBER}"


def at(second: float) -> str:
    return f"2026-11-28T09:00:{second:06.3f}+08:00"


def sent(number: int, sender: str, operation: str, *reaches: str, **more: Any) -> Sent:
    message_id = f"{sender}-1-{number:06d}"
    return Sent(sender=sender, operation=operation, message_id=message_id, about=NUMBER, reaches=reaches, **more)


def arrival(delivery: Stored, second: float, **more: Any) -> Arrival:
    facts: dict[str, Any] = {"arrived": at(second), "at": at(second + 0.1), "code": "0", **more}
    return Arrival(
        partner=delivery.partner,
        operation=delivery.operation,
        message_id=delivery.message_id,
        origin=delivery.origin,
        **facts,
    )


def delivery(number: int, partner: str, message: Sent, lock: str, operation: str = "", **more: Any) -> Stored:
    origin = (message.sender, message.message_id)
    what = operation or message.operation
    facts: dict[str, Any] = {"state": "DELIVERED", **more}
    return Stored(id=number, partner=partner, operation=what, lock=lock, origin=origin, **facts)


ORDER = sent(1, HIS, "SubmitRequisition", PACS, step="NEW")
REGISTER = sent(2, PACS, "ReportStatus", HIS, step="REGISTER", net=Decimal("718.50"))
DONE = sent(3, PACS, "ReportStatus", HIS, step="EXAM_DONE")
REPORT = sent(4, PACS, "SubmitReport", HIS, step="FINAL")
DELIVERIES = (
    delivery(1, PACS, ORDER, f"requisition|PACS|H|01|{NUMBER}"),
    delivery(2, HIS, REGISTER, LOCK),
    delivery(3, HIS, REGISTER, "money|HIS|H|01|ZY1", operation="ChargeItem"),
    delivery(4, HIS, DONE, LOCK),
    delivery(5, HIS, REPORT, LOCK),
)
CHARGE = Booking(number=(PACS, "GW-1"), requisition_no=NUMBER, net=Decimal("718.50"), codes=("CT0203", "YP1109"))


def good_day() -> Evidence:
    """A CT, ordered, registered and charged, done and reported."""
    messages = [ORDER, REGISTER, DONE, REPORT]
    evidence = Evidence(
        sent=messages,
        repeated=[Repeated(message_id=DONE.message_id, code="0", duplicate=True, read=False)],
        keys={(m.sender, m.operation, m.message_id) for m in messages},
        deliveries=list(DELIVERIES),
        arrivals=[arrival(one, one.id) for one in DELIVERIES],
        ledger=[CHARGE],
        his=[CHARGE],
    )
    evidence.journal.update(evidence.keys)
    evidence.effects["status", NUMBER, "1", "REGISTER"] = 1
    evidence.remembered = {
        PACS: [("worklist", {"requisition_no": NUMBER, "state": "WAITING", "request": "<Priority>URGENT</Priority>"})],
        HIS: [
            ("statuses", {"requisition_no": NUMBER, "event": "REGISTER"}),
            ("statuses", {"requisition_no": NUMBER, "event": "EXAM_DONE"}),
            ("reports", {"report_no": f"BG-{NUMBER}"}),
        ],
    }
    return evidence


def promises_broken(evidence: Evidence) -> set[str]:
    return {promise for promise, found in broken(evidence).items() if found}


def test_a_good_day_breaks_no_promise():
    assert promises_broken(good_day()) == set()


def test_what_was_not_acknowledged_may_be_missing_everywhere():
    evidence = good_day()
    evidence.sent.append(sent(5, HIS, "SubmitRequisition", PACS, outcome="unanswered", code="TimeoutError"))
    assert promises_broken(evidence) == {"not finished after the drain"}


# --- lost -------------------------------------------------------------------------------------------------------------

LOST = "acknowledged but lost"


def test_a_message_that_is_not_in_the_journal_is_lost():
    evidence = good_day()
    del evidence.journal[DONE.sender, DONE.operation, DONE.message_id]
    assert promises_broken(evidence) == {LOST}


def test_a_message_the_store_has_no_key_of_is_lost():
    evidence = good_day()
    evidence.keys.remove((DONE.sender, DONE.operation, DONE.message_id))
    assert promises_broken(evidence) == {LOST}


def test_a_message_that_never_came_to_its_partner_is_lost():
    evidence = good_day()
    evidence.arrivals = [one for one in evidence.arrivals if one.message_id != "GW-5"]
    assert broken(evidence)[LOST] == [f"SubmitReport FINAL {REPORT.message_id} about {NUMBER} never got to HIS"]


def test_a_message_that_the_partner_only_saw_before_it_closed_the_connection_is_lost():
    evidence = good_day()
    evidence.arrivals = [replace(one, code="-") if one.message_id == "GW-5" else one for one in evidence.arrivals]
    assert promises_broken(evidence) == {LOST}


def test_a_partner_without_what_it_said_yes_to_is_found():
    evidence = good_day()
    evidence.remembered[HIS] = [one for one in evidence.remembered[HIS] if one[0] != "reports"]
    assert promises_broken(evidence) == {LOST}


def changed(step: str, priority: str, state: str) -> Evidence:
    evidence = good_day()
    evidence.sent = [ORDER, sent(2, HIS, "SubmitRequisition", step=step)]
    evidence.keys.add((HIS, "SubmitRequisition", "HIS-1-000002"))
    evidence.journal[HIS, "SubmitRequisition", "HIS-1-000002"] = 1
    entry = {"requisition_no": NUMBER, "state": state, "request": f"<Priority>{priority}</Priority>"}
    evidence.remembered[PACS] = [("worklist", entry)]
    evidence.ledger = evidence.his = []
    return evidence


@pytest.mark.parametrize(
    ("step", "priority", "state", "lost"),
    [
        ("CANCEL", "URGENT", "CANCELLED", False),
        ("CANCEL", "URGENT", "WAITING", True),
        ("UPDATE", "STAT", "WAITING", False),
        ("UPDATE", "URGENT", "WAITING", True),
    ],
)
def test_an_acknowledged_change_is_what_the_worklist_shows(step: str, priority: str, state: str, lost: bool):
    assert (LOST in promises_broken(changed(step, priority, state))) is lost


def test_a_requisition_that_was_cancelled_before_it_left_is_not_lost():
    evidence = changed("CANCEL", "", "")
    evidence.remembered[PACS], evidence.arrivals = [], []
    withdrawn = replace(DELIVERIES[0], state="DISCARDED", last_code="WITHDRAWN")
    evidence.deliveries = [withdrawn]
    assert promises_broken(evidence) == set()
    evidence.deliveries = [replace(withdrawn, last_code="LOST")]
    assert promises_broken(evidence) == {LOST}


# --- twice ------------------------------------------------------------------------------------------------------------

TWICE = "applied twice"
CHARGED = "charged twice, or not what was acknowledged"
HALF = "half done: in one of the two books only"


def test_a_second_journal_entry_that_is_no_repetition_is_a_second_effect():
    evidence = good_day()
    evidence.journal[DONE.sender, DONE.operation, DONE.message_id] = 2
    assert promises_broken(evidence) == {TWICE}


def test_a_fact_that_stands_twice_in_the_store_is_found():
    evidence = good_day()
    evidence.effects["status", NUMBER, "1", "REGISTER"] = 2
    assert promises_broken(evidence) == {TWICE}


def test_one_message_delivered_under_two_numbers_is_found():
    evidence = good_day()
    again = delivery(6, HIS, REPORT, LOCK)
    evidence.deliveries.append(again)
    evidence.arrivals.append(arrival(again, 6))
    assert promises_broken(evidence) == {TWICE}


def test_the_same_message_reaching_a_partner_again_is_allowed_and_counted():
    evidence = good_day()
    evidence.arrivals.append(arrival(DELIVERIES[4], 6, duplicate=True))
    assert promises_broken(evidence) == set()
    assert redelivered(evidence) == 1


def test_a_partner_that_has_a_status_twice_is_found():
    evidence = good_day()
    evidence.remembered[HIS].append(("statuses", {"requisition_no": NUMBER, "event": "EXAM_DONE"}))
    assert promises_broken(evidence) == {TWICE}


@pytest.mark.parametrize(("code", "duplicate", "found"), [("0", False, True), ("REQ-409", True, True)])
def test_a_repetition_that_is_taken_for_something_new_is_found(code: str, duplicate: bool, found: bool):
    evidence = good_day()
    evidence.repeated.append(Repeated(message_id=DONE.message_id, code=code, duplicate=duplicate, read=False))
    assert (promises_broken(evidence) == {TWICE}) is found


@pytest.mark.parametrize("code", ["ConnectionRefusedError", "TimeoutError", "SYS-503", "NO SOAP"])
def test_a_repetition_that_came_while_nobody_answered_says_nothing(code: str):
    evidence = good_day()
    evidence.repeated.append(Repeated(message_id=DONE.message_id, code=code, duplicate=False, read=False))
    assert promises_broken(evidence) == set()


def booked(number: Key, net: str, *codes: str) -> Booking:
    return Booking(number=number, requisition_no=NUMBER, net=Decimal(net), codes=codes)


def test_a_second_charge_in_both_books_is_found():
    evidence = good_day()
    second = booked((PACS, "GW-2"), "718.50", "CT0203", "YP1109")
    evidence.ledger, evidence.his = [CHARGE, second], [CHARGE, second]
    assert promises_broken(evidence) == {CHARGED}


@pytest.mark.parametrize("side", ["ledger", "his"])
def test_a_charge_in_one_book_only_is_half_done(side: str):
    evidence = good_day()
    setattr(evidence, side, [])
    assert HALF in promises_broken(evidence)


def test_another_rest_of_a_charge_at_his_is_found():
    evidence = good_day()
    evidence.his = [replace(CHARGE, net=Decimal("480.00"))]
    assert promises_broken(evidence) == {CHARGED, HALF}


def test_a_charge_nobody_acknowledged_must_still_be_in_both_books():
    evidence = good_day()
    evidence.sent[1] = replace(REGISTER, outcome="unanswered")
    assert promises_broken(evidence) == {"not finished after the drain"}
    evidence.his = []
    assert HALF in promises_broken(evidence)


def test_an_acknowledged_payment_that_the_ledger_does_not_have_is_found():
    evidence = good_day()
    evidence.sent[0] = replace(ORDER, paid=Decimal("38.00"))
    assert promises_broken(evidence) == {CHARGED}


# --- order ------------------------------------------------------------------------------------------------------------

OVERTAKEN = "order violations"


def moved(change: Callable[[Arrival], list[Arrival]]) -> Evidence:
    evidence = good_day()
    evidence.arrivals = [new for one in evidence.arrivals for new in change(one)]
    return evidence


def test_a_report_that_comes_before_the_registration_has_overtaken_it():
    early = moved(lambda one: [replace(one, arrived=at(1), at=at(1.1))] if one.message_id == "GW-5" else [one])
    assert promises_broken(early) == {OVERTAKEN}


def test_a_message_that_begins_before_the_one_in_front_is_done_has_overtaken_it():
    long = moved(lambda one: [replace(one, at=at(4.5))] if one.message_id == "GW-2" else [one])
    assert promises_broken(long) == {OVERTAKEN}


def test_a_message_that_comes_back_after_the_next_has_begun_is_out_of_order():
    late = moved(
        lambda one: (
            [one, replace(one, arrived=at(4.05), at=at(4.06), duplicate=True)] if one.message_id == "GW-2" else [one]
        )
    )
    assert promises_broken(late) == {OVERTAKEN}


def test_attempts_that_failed_before_it_came_through_are_in_order():
    often = moved(
        lambda one: (
            [replace(one, arrived=at(1.5), at=at(1.6), code="HTTP-500"), one] if one.message_id == "GW-2" else [one]
        )
    )
    assert promises_broken(often) == set()


def test_the_senders_order_counts_even_where_the_numbers_of_the_deliveries_say_otherwise():
    evidence = good_day()
    swapped = {4: 5, 5: 4}
    evidence.deliveries = [replace(one, id=swapped.get(one.id, one.id)) for one in evidence.deliveries]
    evidence.arrivals = [arrival(one, one.id) for one in evidence.deliveries]
    assert promises_broken(evidence) == {OVERTAKEN}


# --- refused and unfinished -------------------------------------------------------------------------------------------


def test_a_refusal_of_what_is_right_is_found():
    evidence = good_day()
    evidence.sent.append(sent(5, PACS, "ReportStatus", outcome="refused", code="STA-409"))
    assert promises_broken(evidence) == {"refused although nothing was wrong"}


@pytest.mark.parametrize("state", ["QUEUED", "SENDING", "UNKNOWN", "DEAD"])
def test_a_delivery_that_is_not_final_is_found(state: str):
    evidence = good_day()
    evidence.deliveries[4] = replace(DELIVERIES[4], state=state)
    assert promises_broken(evidence) == {"not finished after the drain"}


def test_a_job_of_a_delivery_that_is_final_is_found():
    evidence = good_day()
    evidence.jobs = 1
    assert promises_broken(evidence) == {"not finished after the drain"}


def test_a_reminder_of_a_late_critical_value_is_not_its_push():
    push = sent(9, PACS, "PushCriticalValue", HIS)
    row = delivery(9, HIS, push, "critical|HIS|H|01|WJZ1")
    evidence = good_day()
    evidence.sent.append(push)
    evidence.keys.add((push.sender, push.operation, push.message_id))
    evidence.journal[push.sender, push.operation, push.message_id] = 1
    evidence.remembered[HIS].append(("critical_values", {"critical_id": NUMBER}))
    evidence.arrivals.append(arrival(row, 9, is_reminder=True))
    assert promises_broken(evidence) == {LOST}
    evidence.arrivals.append(arrival(row, 8))
    assert promises_broken(evidence) == set()


def test_every_promise_has_a_tampering_here():
    words = globals().values()
    assert set(PROMISES) - {word for word in words if isinstance(word, str)} == {
        "refused although nothing was wrong",
        "not finished after the drain",
    }
