"""Systems that only take HTTP POSTs: who is called before which room (叫号), and prompts on telephones (OA、短信)."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from gateway.messages.report import RequisitionRef
from tests.simulators.vendors.house import CANONICAL, House, new, until

SYSTEMS = {
    "HIS": CANONICAL + "his",
    "PACS": CANONICAL + "pacs",
    "JH": "queue-calling",
    "OA": "message-platform",
}
ROUTES = {
    "SubmitRequisition": ("PACS",),
    "ReportStatus": ("HIS", "JH"),
    "SubmitReport": ("HIS", "OA"),
    "PushCriticalValue": ("HIS", "OA"),
}


# --- queue calling ----------------------------------------------------------------------------------------------------


def test_who_is_registered_waits_before_the_room_until_the_exam_is_done(house: House):
    first, second, room = ordered(house), ordered(house), new("室")
    for number in (first, second):
        status(house, number, "REGISTER", room=room)
        ticket = house.remembered("JH", "tickets", requisition_no=number)
        assert (ticket["state"], ticket["room"]) == ("ARRIVED", room)
    assert house["JH"].state()["waiting"][room] == [first, second]
    status(house, first, "EXAM_DONE", room=room)
    assert house.remembered("JH", "tickets", requisition_no=first, state="DONE")
    assert house["JH"].state()["waiting"][room] == [second]
    status(house, second, "CANCEL_REG", room=room, reason="改期")
    assert house.remembered("JH", "tickets", requisition_no=second, state="LEFT")
    assert room not in house["JH"].state()["waiting"]


def test_nobody_is_called_for_a_report(house: House):
    number = ordered(house)
    status(house, number, "REGISTER")
    house.remembered("JH", "tickets", requisition_no=number, state="ARRIVED")
    status(house, number, "EXAM_DONE")
    status(house, number, "PRELIM")
    until(lambda: [one.state for one in sent(house, "JH", "ReportStatus", number)] == ["DELIVERED"] * 3)
    assert len(house.log("JH", "ticket/state", requisition_no=number)) == 2


def test_a_queue_that_is_busy_is_told_later_under_the_same_number(house: House):
    number = ordered(house)
    house["JH"].disturb(refuse="B", times=2)
    status(house, number, "REGISTER")
    assert house.remembered("JH", "tickets", requisition_no=number, state="ARRIVED")
    lines = house.log("JH", "ticket/state", requisition_no=number)
    assert [line["result_code"] for line in lines] == ["B", "B", "Y"]
    assert len({line["message_id"] for line in lines}) == 1


def test_a_word_that_a_queue_has_never_said_before_is_no_answer(house: House):
    number = ordered(house)
    house["JH"].disturb(wrong_code="?")
    status(house, number, "REGISTER")
    (asked,) = until(lambda: [one for one in sent(house, "JH", "ReportStatus", number) if one.state == "DELIVERED"])
    assert asked.attempts == 2
    assert len([one for one in house["JH"].state()["calls"] if one["requisition_no"] == number]) == 1


def test_what_a_queue_refuses_is_a_no_and_is_not_sent_again(house: House):
    number = ordered(house)
    house["JH"].disturb(refuse="N")
    status(house, number, "REGISTER")
    (refused,) = until(lambda: [one for one in sent(house, "JH", "ReportStatus", number) if one.state == "DEAD"])
    assert (refused.last_code, refused.attempts) == ("N", 1)


# --- prompts ----------------------------------------------------------------------------------------------------------


def test_a_critical_value_is_a_signed_prompt_to_its_doctors_that_names_no_patient(house: House):
    value = new("WJZ")
    pushed = house.call("PACS", "PushCriticalValue", critical_id=value, requisition_no=ordered(house), orders=())
    assert pushed.code == "0", pushed.text
    prompt = house.remembered("OA", "critical_prompts", critical_id=value)
    assert prompt["to"] == ["D1066", "D1001"]
    assert prompt["text"] == f"危急值 {value}，呼吸一病区 加12床，请立即登录系统接收"
    assert prompt["receipt"].startswith("HZ")
    assert "祥" not in str(house["OA"].state())


def test_a_report_is_a_notice_to_the_ward_and_its_withdrawal_another(house: House):
    number, report = ordered(house), new("BG")
    for version, action in enumerate(("FINAL", "AMEND"), 1):
        told = house.call(
            "PACS",
            "SubmitReport",
            report_no=report,
            report_version=version,
            action=action,
            requisitions=(RequisitionRef(requisition_no=number),),
            orders=(),
        )
        assert told.code == "0", told.text
    until(lambda: len(notices(house, report)) == 2)
    first, second = notices(house, report)
    assert (first["to"], first["level"], first["text"]) == (["W2001"], "NORMAL", f"申请单 {number}的报告已发布")
    assert (second["to"], second["level"]) == (["W2001"], "CHANGED")


def test_a_prompt_that_is_not_signed_is_not_believed(house: House):
    address = f"{house.settings.partner('OA').url}/prompt/critical"
    forged = {"X-Gateway-Timestamp": "1", "X-Gateway-Signature": "sha256=00"}
    for headers in ({}, forged):
        answer = requests.post(address, data={"extno": "X1", "to": "D1", "text": "x"}, headers=headers, timeout=10)
        assert answer.status_code == 401
    assert not [one for one in house["OA"].state().get("critical_prompts", ()) if one["to"] == ["D1"]]


def test_what_the_platform_refuses_by_http_422_is_a_no_in_its_own_code(house: House):
    value = new("WJZ")
    house["OA"].disturb(refuse="1203", operation="prompt/critical")
    house.call("PACS", "PushCriticalValue", critical_id=value, requisition_no=ordered(house), orders=())
    (refused,) = until(lambda: [one for one in sent(house, "OA", "PushCriticalValue", value) if one.state == "DEAD"])
    assert (refused.last_code, refused.attempts) == ("HTTP-422", 1)


# --- whatever goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("JH", {"garbage": 1}),
        ("JH", {"half_close": 1}),
        ("JH", {"drop_after_commit": 1}),
        ("JH", {"status": 302}),
        ("OA", {"empty": 1}),
        ("OA", {"duplicate": 1}),
        ("OA", {"drop_before_commit": 1}),
        ("OA", {"status": 500}),
        ("OA", {"status": 503}),
    ],
)
def test_what_was_to_be_told_is_told_once_whatever_goes_wrong(house: House, name: str, fault: dict[str, Any]):
    number, value = ordered(house), new("WJZ")
    house[name].disturb(**fault)
    if name == "JH":
        status(house, number, "REGISTER")
        about, kind, known = "ReportStatus", "tickets", {"requisition_no": number}
    else:
        house.call("PACS", "PushCriticalValue", critical_id=value, requisition_no=number, orders=())
        about, kind, known = "PushCriticalValue", "critical_prompts", {"critical_id": value}
    key = number if name == "JH" else value
    until(lambda: [one.state for one in sent(house, name, about, key)] == ["DELIVERED"])
    assert len([one for one in house[name].state()[kind] if known.items() <= one.items()]) == 1
    (delivery,) = sent(house, name, about, key)
    assert delivery.attempts == 2


# --- what they have in common -----------------------------------------------------------------------------------------


def ordered(house: House) -> str:
    """A requisition the PACS has."""
    number = house.order()
    house.remembered("PACS", "worklist", requisition_no=number)
    return number


def status(house: House, number: str, event: str, **changes: Any) -> None:
    about = {"requisition_no": number, "event": event, "status_seq": None, "items": ()}
    told = house.call("PACS", "ReportStatus", **about, **changes)
    assert told.code == "0", told.text


def sent(house: House, partner: str, operation: str, key: str) -> list[Any]:
    """The deliveries about one thing."""
    return [one for one in house.deliveries(partner, operation) if key in one.lock]


def notices(house: House, report: str) -> list[dict[str, Any]]:
    known: list[dict[str, Any]] = house["OA"].state().get("report_prompts", [])
    return [one for one in known if one["report_no"] == report]
