"""The simulated insurance platform does what a real one does: each message once, nothing after settlement."""

from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.simulators.process import SimulatorProcess

Start = Callable[..., SimulatorProcess]
TODAY = f"{datetime.now().astimezone():%Y-%m-%d}"
_numbers = count(1)


@pytest.fixture(scope="module")
def platform(start: Start) -> SimulatorProcess:
    return start("insurance")


class Visit:
    """One visit at the platform; every test has its own."""

    def __init__(self, platform: SimulatorProcess, person: str = "YB1") -> None:
        self.platform = platform
        self.number = f"V{next(_numbers)}"
        self.person = person
        registered = self.send("2401", {"mdtrtinfo": {"psn_no": person, "ipt_otp_no": self.number}})
        self.mdtrt_id = (registered["output"] or {"data": {"mdtrt_id": ""}})["data"]["mdtrt_id"]
        self.registered = registered["infcode"]

    def send(self, function: str, content: Any, msgid: str | None = None) -> dict[str, Any]:
        message = {"infno": function, "msgid": msgid or f"M{next(_numbers)}", "fixmedins_code": "H1", "input": content}
        answer = requests.post(self.platform.url, json=message, timeout=30)
        told: dict[str, Any] = answer.json()
        return told

    def code(self, function: str, content: Any, msgid: str | None = None) -> str:
        return str(self.send(function, content, msgid)["infcode"])

    @property
    def own(self) -> dict[str, str]:
        return {"psn_no": self.person, "mdtrt_id": self.mdtrt_id}

    def details(self, batch: str = "B", amount: str = "238.50") -> dict[str, Any]:
        line = {"feedetl_sn": f"{self.number}{batch}", "chrg_bchno": f"{self.number}{batch}"}
        money = {"det_item_fee_sumamt": amount, "fee_ocur_time": f"{TODAY} 10:00:00"}
        return {"feedetail": [self.own | line | money]}

    def withdrawal(self, batch: str = "B") -> dict[str, Any]:
        return {"data": [self.own | {"feedetl_sn": f"{self.number}{batch}"}]}

    def batch_withdrawal(self, batch: str = "B") -> dict[str, Any]:
        return {"data": self.own | {"chrg_bchno": f"{self.number}{batch}"}}

    def settlement(self, total: str = "238.50") -> dict[str, Any]:
        return {"data": self.own | {"medfee_sumamt": total}}

    def reversal(self, number: str) -> dict[str, Any]:
        return {"data": self.own | {"setl_id": number}}

    def settle(self) -> str:
        return str(self.send("2304", self.settlement())["output"]["setlinfo"]["setl_id"])

    def state(self, kind: str = "details") -> list[str]:
        return [r["state"] for r in self.platform.state().get(kind, []) if r["visit_no"] == self.number]


@pytest.fixture
def visit(platform: SimulatorProcess) -> Visit:
    return Visit(platform)


def test_who_is_not_insured_is_refused(platform: SimulatorProcess) -> None:
    assert Visit(platform, "X1").registered == "-1"


def test_a_visit_registered_twice_is_one_visit(visit: Visit) -> None:
    again = visit.send("2401", {"mdtrtinfo": {"psn_no": "YB1", "ipt_otp_no": visit.number}})
    assert again["output"]["data"]["mdtrt_id"] == visit.mdtrt_id


def test_a_message_sent_twice_is_carried_out_once(visit: Visit) -> None:
    content = visit.details()
    assert [visit.code("2301", content, "M-TWICE") for _ in range(2)] == ["0", "0"]
    assert visit.state() == ["UPLOADED"]
    assert visit.code("2302", visit.withdrawal(), "M-TWICE") == "-1"


def test_a_detail_is_uploaded_once_whatever_number_its_message_has(visit: Visit) -> None:
    assert [visit.code("2301", visit.details()) for _ in range(2)] == ["0", "-1"]


def test_what_was_uploaded_is_withdrawn_once(visit: Visit) -> None:
    visit.send("2301", visit.details())
    assert [visit.code("2302", visit.withdrawal()) for _ in range(2)] == ["0", "-1"]
    assert visit.state() == ["WITHDRAWN"]


def test_an_outpatients_details_are_withdrawn_by_batch(visit: Visit) -> None:
    visit.send("2204", visit.details("B"))
    visit.send("2204", visit.details("C"))
    assert visit.code("2205", visit.batch_withdrawal("B")) == "0"
    assert visit.state() == ["WITHDRAWN", "UPLOADED"]


def test_a_total_that_is_not_the_sum_of_the_details_is_refused(visit: Visit) -> None:
    visit.send("2301", visit.details())
    assert [visit.code(function, visit.settlement("238.49")) for function in ("2303", "2304")] == ["-1", "-1"]
    assert visit.send("2303", visit.settlement())["output"]["setlinfo"]["psn_part_amt"] == "71.55"


def test_after_settlement_nothing_is_uploaded_or_withdrawn(visit: Visit) -> None:
    visit.send("2301", visit.details())
    visit.settle()
    assert visit.code("2301", visit.details("C")) == "-1"
    assert visit.code("2302", visit.withdrawal()) == "-1"
    assert visit.code("2304", visit.settlement()) == "-1"


def test_once_the_settlement_is_reversed_details_can_be_withdrawn(visit: Visit) -> None:
    visit.send("2301", visit.details())
    number = visit.settle()
    assert visit.code("2305", visit.reversal("JS999999")) == "-1"
    assert [visit.code("2305", visit.reversal(number)) for _ in range(2)] == ["0", "-1"]
    assert visit.code("2302", visit.withdrawal()) == "0"
    assert (visit.state("settlements"), visit.state()) == (["REVERSED"], ["WITHDRAWN"])


def test_what_a_lost_message_did_can_be_undone_once(visit: Visit) -> None:
    visit.platform.disturb(drop_after_commit=1, operation="2301")
    with pytest.raises(requests.ConnectionError):
        visit.send("2301", visit.details(), "M-LOST")
    assert visit.state() == ["UPLOADED"]
    undo = {"data": {"psn_no": "YB1", "omsgid": "M-LOST", "oinfno": "2301"}}
    assert [visit.code("2601", undo) for _ in range(2)] == ["0", "-1"]
    assert visit.state() == ["UNDONE"]
    assert visit.code("2301", visit.details(), "M-LOST") == "0"
    assert visit.state() == ["UPLOADED"]


@pytest.mark.parametrize(("function", "before", "after"), [("2304", [], "UNDONE"), ("2305", ["2304"], "SETTLED")])
def test_a_lost_settlement_and_its_reversal_can_be_undone(
    visit: Visit, function: str, before: list[str], after: str
) -> None:
    visit.send("2301", visit.details())
    number = visit.settle() if before else ""
    content = visit.reversal(number) if before else visit.settlement()
    visit.send(function, content, f"M-{function}")
    visit.send("2601", {"data": {"psn_no": "YB1", "omsgid": f"M-{function}", "oinfno": function}})
    assert visit.state("settlements") == [after]


def test_a_lost_withdrawal_can_be_undone(visit: Visit) -> None:
    visit.send("2301", visit.details())
    visit.send("2302", visit.withdrawal(), "M-WITHDRAWN")
    visit.send("2601", {"data": {"psn_no": "YB1", "omsgid": "M-WITHDRAWN", "oinfno": "2302"}})
    assert visit.state() == ["UPLOADED"]


def test_its_books_of_a_day_are_what_is_uploaded(start: Start) -> None:
    visit = Visit(start("insurance"))
    visit.send("2301", visit.details("B", "8.30"))
    visit.send("2301", visit.details("C", "1.70"))
    visit.send("2302", visit.withdrawal("C"))
    day = {"data": {"stmt_begndate": TODAY, "stmt_enddate": TODAY}}
    assert visit.send("3201", day)["output"]["stmtinfo"] == {"setl_cnt": 1, "medfee_sumamt": "8.30"}
    (row,) = visit.send("3202", day)["output"]["detail"]
    assert (row["ipt_otp_no"], row["det_item_fee_sumamt"], row["state"]) == (visit.number, "8.30", "UPLOADED")


def test_it_signs_in_who_asks_and_knows_no_other_function(visit: Visit) -> None:
    assert visit.send("9001", {"signIn": {}})["output"]["signinoutb"]["sign_no"].startswith("QD")
    assert visit.code("1101", {}) == "-1"


def test_it_can_be_told_to_refuse(visit: Visit) -> None:
    visit.platform.disturb(refuse="-1", operation="2301")
    assert [visit.code("2301", visit.details()) for _ in range(2)] == ["-1", "0"]


@pytest.mark.parametrize("body", [b"", b"<soap/>", b"[]", b'{"infno": "2301"}'])
def test_what_is_no_message_is_refused(platform: SimulatorProcess, body: bytes) -> None:
    assert requests.post(platform.url, body, timeout=30).json()["infcode"] == "-1"


def test_a_message_without_what_it_needs_is_refused(visit: Visit) -> None:
    assert [visit.code("2301", content) for content in ({}, {"feedetail": [{}]}, None)] == ["-1"] * 3
    assert visit.code("2301", visit.details(amount="viel")) == "-1"


def test_it_remembers_after_a_restart_and_its_log_tells_numbers_only(start: Start, tmp_path: Path) -> None:
    platform = start("insurance", tmp_path)
    visit = Visit(platform)
    visit.send("2301", visit.details(), "M-1")
    platform.stop()
    platform.start()
    assert visit.state() == ["UPLOADED"]
    assert visit.code("2301", visit.details(), "M-1") == "0"
    line = platform.requests("2301")[0]
    assert {name: line[name] for name in ("message_id", "sender", "result_code")} == {
        "message_id": "M-1", "sender": "H1", "result_code": "0",
    }  # fmt: skip
    assert line["batch_no"] == f"{visit.number}B"
