"""The simulated HIS books as a real one does."""

import json
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
import requests
import zeep
from lxml.etree import XMLSyntaxError

from gateway.simulators.process import SimulatorFailed, SimulatorProcess
from tests.simulators.conftest import CONTRACT, Caller

Start = Callable[..., SimulatorProcess]
Call = Callable[[SimulatorProcess], Caller]


def test_a_charge_sent_twice_is_booked_once(start: Start, caller: Call) -> None:
    his = start("his")
    first, second = (caller(his).send("ChargeItem") for _ in range(2))
    assert (first.HisChargeNo, first.TransactionState) == ("HF000001", "CONFIRMED")
    assert (second.HisChargeNo, second.Result.Duplicate) == ("HF000001", True)
    assert len(his.state()["charges"]) == 1


def test_the_same_number_of_another_system_is_another_charge(start: Start, caller: Call) -> None:
    his = start("his")
    numbers = [
        caller(his).send("ChargeItem", header={"OriginSenderCode": name}).HisChargeNo for name in ("PACS", "LIS")
    ]
    assert numbers == ["HF000001", "HF000002"]


def test_a_charge_whose_answer_is_lost_is_found_by_its_number(start: Start, caller: Call) -> None:
    his = start("his")
    his.disturb(drop_after_commit=1, operation="ChargeItem")
    with pytest.raises(requests.ConnectionError):
        caller(his).send("ChargeItem")
    found = caller(his).send("QueryTransaction").Transactions.Transaction
    assert [(t.HisChargeNo, t.TransactionState) for t in found] == [("HF000001", "CONFIRMED")]
    assert [line["operation"] for line in his.requests()] == ["ChargeItem", "QueryTransaction"]


def test_a_charge_that_was_lost_on_the_way_is_unknown(start: Start, caller: Call) -> None:
    his = start("his")
    his.disturb(drop_before_commit=1)
    with pytest.raises(requests.ConnectionError):
        caller(his).send("ChargeItem")
    assert caller(his).code("QueryTransaction") == "QRY-404"


def test_no_more_goes_back_than_was_booked(start: Start, caller: Call) -> None:
    his = start("his")
    client = caller(his)
    assert client.code("RefundItem") == "RFD-404"
    client.send("ChargeItem")
    refunds = [client.code("RefundItem", RefundNo=f"R{n}") for n in (1, 2, 2, 3)]
    assert refunds == ["0", "0", "0", "RFD-409"]


def test_an_item_without_a_price_is_booked_at_the_price_of_the_list(start: Start, caller: Call) -> None:
    line = {"LineNo": 1, "ChargeCode": "CT1", "ItemName": "CT", "Quantity": 2}
    answer = caller(start("his")).send("ChargeItem", Lines={"Line": [line]})
    assert str(answer.Lines.Line[0].Amount) == "240.00"


def test_what_is_booked_is_known_after_a_restart(start: Start, caller: Call, tmp_path: Path) -> None:
    his = start("his", tmp_path)
    caller(his).send("ChargeItem")
    his.stop()
    with pytest.raises(SimulatorFailed):
        his.state()
    his.start()
    assert caller(his).send("ChargeItem").Result.Duplicate is True


def test_the_log_tells_numbers_and_never_a_name(start: Start, caller: Call) -> None:
    his = start("his")
    for operation in ("ReportStatus", "SubmitReport", "PushCriticalValue", "AcknowledgeCriticalValue"):
        assert caller(his).code(operation) == "0"
    lines = his.requests()
    assert [line["requisition_no"] for line in lines[:3]] == ["SQ202611160012"] * 3
    assert lines[3]["critical_id"] == "WJZ202611160003"
    assert not {"祥", "肝"} & set(his.log.read_text())


def test_a_fault_happens_as_often_as_it_was_asked_for(start: Start, caller: Call) -> None:
    his = start("his")
    his.disturb(refuse="CHG-402", times=2, operation="ChargeItem")
    assert caller(his).code("ReportStatus") == "0"
    assert [caller(his).code("ChargeItem") for _ in range(3)] == ["CHG-402", "CHG-402", "0"]


@pytest.mark.parametrize("fault", ["garbage", "half_close"])
def test_an_answer_that_breaks_on_the_way_leaves_the_work_done(start: Start, caller: Call, fault: str) -> None:
    his = start("his")
    his.disturb(**{fault: 1})
    with pytest.raises((requests.exceptions.RequestException, zeep.exceptions.TransportError, XMLSyntaxError)):
        caller(his).send("ChargeItem")
    assert [(line["fault"], line["result_code"]) for line in his.requests()] == [(fault, "0")]
    assert len(his.state()["charges"]) == 1
    assert caller(his).send("ChargeItem").Result.Duplicate is True


def test_chance_gives_some_requests_a_fault_until_it_is_over_and_none_more_than_two(start: Start) -> None:
    his = start("his")
    his.disturb(chaos=1.0, seed=7)
    assert his.state()["faults"] == [{"chaos": 1.0, "seed": 7}]
    for _ in range(4):
        with suppress(OSError, HTTPException):
            call_raw(his, CONTRACT.sample("ReportStatus").read_bytes())
    assert [line.get("fault") is None for line in his.requests()] == [False, False, True, True]
    his.disturb(clear=True)
    assert his.state()["faults"] == []


def call_raw(simulator: SimulatorProcess, body: bytes) -> None:
    connection = HTTPConnection("127.0.0.1", simulator.port, timeout=30)
    try:
        connection.request("POST", "/soap", body, {"Content-Type": "text/xml; charset=utf-8"})
        connection.getresponse().read()
    finally:
        connection.close()


def test_an_unknown_fault_is_explained(start: Start) -> None:
    with pytest.raises(SimulatorFailed, match="drop_after_commit: the work is done"):
        start("his").disturb(explode=True)


def test_what_is_no_message_is_answered_with_a_fault_and_logged(start: Start) -> None:
    his = start("his")
    answer = requests.post(his.url, b"<a/>", headers={"Content-Type": "text/xml"}, timeout=30)
    assert (answer.status_code, b"<faultcode>s:Client" in answer.content) == (500, True)
    assert [json.loads(line)["result_code"] for line in his.log.read_text().splitlines()] == ["SYS-400"]


def test_its_own_cash_desk_gives_the_last_charge_back(start: Start, caller: Call) -> None:
    his = start("his")
    with pytest.raises(SimulatorFailed, match="no charge yet"):
        his.books("refund", "TF1", "1.00")
    caller(his).send("ChargeItem")
    his.books("refund", "TF1", "126.80")
    (refund,) = his.state()["refunds"]
    charge = his.state()["charges"][0]
    assert (refund["refund_no"], refund["sender"], refund["amount"]) == ("TF1", "HIS", "126.80")
    assert (refund["original_charge_no"], refund["visit_no"]) == (charge["charge_no"], charge["visit_no"])
