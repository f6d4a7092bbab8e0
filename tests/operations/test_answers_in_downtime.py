"""What callers are told while an operator keeps messages from a partner: at once, in words, and nothing is lost."""

import pytest

from building import cancellation, charge, ct_requisition, push, record_request, refund, status, update
from gateway.config import Rules
from gateway.model.journal import MessageKey
from gateway.model.partner_hold import HoldMode
from gateway.model.requisition import Requisition
from gateway.operations.dispatch import Held
from gateway.terms import StatusCode, TransactionState
from hospital import Hospital

UNTIL = "2026-11-24 14:00"
MODES = list(HoldMode)


def hold(hospital: Hospital, partner: str, mode: HoldMode = HoldMode.MAINTENANCE, until: str = UNTIL) -> None:
    hospital.dispatch.holds[partner] = Held(partner, mode, until)


def told(response: object) -> tuple[str, bool]:
    result = response.result  # type: ignore[attr-defined]
    return result.result_code, result.retryable


@pytest.mark.parametrize("mode", MODES)
def test_a_charge_waits_and_its_sender_learns_why(hospital: Hospital, mode: HoldMode) -> None:
    hold(hospital, "his", mode)
    answer = hospital.send(charge())
    assert told(answer) == ("CHG-503", True)
    assert answer.transaction_state is TransactionState.PROPOSED
    assert f"至 {UNTIL}" in answer.result.result_text
    assert f"until {UNTIL}" in answer.result.result_text_en
    hospital.dispatch.holds.clear()
    hospital.dispatch.deliver()
    assert hospital.send(charge()).transaction_state is TransactionState.CONFIRMED


def test_a_refund_waits_and_its_sender_learns_why(hospital: Hospital) -> None:
    hospital.send(charge())
    hold(hospital, "his")
    answer = hospital.send(refund())
    assert told(answer) == ("RFD-503", True)
    assert answer.result.result_text_en.endswith(f"his is in maintenance until {UNTIL}.")


def test_without_an_end_the_words_name_none(hospital: Hospital) -> None:
    hold(hospital, "his", until="")
    answer = hospital.send(charge())
    assert answer.result.result_text.endswith(" his 维护中。")
    assert answer.result.result_text_en.endswith(" his is in maintenance.")


@pytest.mark.parametrize("mode", MODES)
def test_a_record_cannot_be_read(hospital: Hospital, mode: HoldMode) -> None:
    hospital.send(ct_requisition())
    hold(hospital, "emr", mode)
    answer = hospital.send(record_request())
    assert told(answer) == ("EMR-503", True)
    assert f"until {UNTIL}" in answer.result.result_text_en


def changed(requisition: object) -> object:
    return update(requisition, purpose="排除肺栓塞")  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [cancellation, changed], ids=["cancel", "update"])
def test_what_the_department_has_is_neither_changed_nor_cancelled_without_its_yes(
    hospital: Hospital, change: object
) -> None:
    hospital.send(ct_requisition())
    hospital.dispatch.deliver()
    hold(hospital, "pacs")
    message = change(ct_requisition())  # type: ignore[operator]
    answer = hospital.send(message)
    assert told(answer) == ("REQ-503", True)
    assert f"pacs is in maintenance until {UNTIL}" in answer.result.result_text_en
    assert hospital.row(Requisition).status is StatusCode.RELEASED
    assert hospital.row(MessageKey, message_id=message.header.message_id).answer is None
    hospital.dispatch.holds.clear()
    assert told(hospital.send(message)) == ("0", False)


def test_what_the_department_never_got_is_cancelled_during_its_downtime(hospital: Hospital) -> None:
    hold(hospital, "pacs")
    hospital.send(ct_requisition())
    assert told(hospital.send(cancellation(ct_requisition()))) == ("0", False)
    assert hospital.dispatch.states("pacs") == ["DISCARDED"]


def test_the_exam_is_registered_although_his_is_in_maintenance(hospital: Hospital) -> None:
    """A patient on the table does not wait for the books: as when HIS is down, our own state decides."""
    hospital.send(ct_requisition())
    hold(hospital, "his")
    answer = hospital.send(status())
    assert told(answer) == ("0", False)
    assert answer.charge_result.transaction_state is TransactionState.PROPOSED
    assert f"his is in maintenance until {UNTIL}: it is handed over after that" in answer.result.warning


def test_it_is_registered_also_where_his_would_be_asked_first(hospital: Hospital) -> None:
    hospital.choose(rules=Rules(registration_asks_his=True))
    hospital.send(ct_requisition())
    hold(hospital, "his")
    assert told(hospital.send(status())) == ("0", False)
    assert hospital.dispatch.forwards("his", "ReportStatus") != []


@pytest.mark.parametrize(("mode", "warned"), [("MAINTENANCE", True), ("STOP", True), ("HOLD", False)])
def test_a_message_that_can_wait_is_accepted(hospital: Hospital, mode: str, warned: bool) -> None:
    hold(hospital, "pacs", HoldMode(mode))
    answer = hospital.send(ct_requisition())
    assert told(answer) == ("0", False)
    assert ("恢复后送达" in (answer.result.warning or "")) is warned
    assert hospital.dispatch.states("pacs") == ["QUEUED"]


@pytest.mark.parametrize("mode", [HoldMode.MAINTENANCE, HoldMode.HOLD])
def test_a_critical_value_is_told_as_always_during_maintenance(hospital: Hospital, mode: HoldMode) -> None:
    hospital.send(ct_requisition())
    hold(hospital, "his", mode)
    answer = hospital.send(push())
    assert (told(answer), answer.result.forwarded, answer.result.warning) == (("0", False), True, None)


def test_whoever_pushes_a_critical_value_to_a_stopped_system_is_told_to_telephone(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hold(hospital, "his", HoldMode.STOP, until="")
    answer = hospital.send(push())
    assert (told(answer), answer.result.forwarded) == (("0", False), False)
    assert "请电话通知 (telephone)" in answer.result.warning
    assert "已停止发送" in answer.result.warning
    assert answer.receive_deadline is not None
