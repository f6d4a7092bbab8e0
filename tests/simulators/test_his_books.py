"""The books of the simulated HIS are listed by time, and its staff can lose, change, void and invent bookings."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.simulators.process import SimulatorFailed, SimulatorProcess
from tests.simulators.conftest import Caller

Start = Callable[..., SimulatorProcess]
Call = Callable[[SimulatorProcess], Caller]


@pytest.fixture
def his(start: Start) -> SimulatorProcess:
    return start("his")


def listed(caller: Caller, **criteria: object):
    now = datetime.now(UTC)
    times = {"BookedFrom": now - timedelta(hours=1), "BookedTo": now + timedelta(hours=1)}
    return caller.send("QueryTransaction", **times | {"ChargeNo": None, "SourceSystem": None} | criteria)


def numbers(caller: Caller) -> dict[str, str]:
    found = listed(caller).Bookings
    return {b.ChargeNo or b.RefundNo: f"{b.Amount} {b.TransactionState}" for b in (found.Booking if found else [])}


def test_what_is_booked_is_listed_with_totals(his: SimulatorProcess, caller: Call) -> None:
    calling = caller(his)
    for number in ("C1", "C2"):
        calling.send("ChargeItem", ChargeNo=number)
    calling.send("RefundItem", RefundNo="F1", OriginalChargeNo="C1")
    answer = listed(calling)
    assert [b.ChargeNo or b.RefundNo for b in answer.Bookings.Booking] == ["C1", "C2", "F1"]
    (total,) = answer.Totals.Total
    assert (total.PerformDeptCode, total.ChargeCount, total.RefundCount) == ("0103", 2, 1)
    assert (answer.TotalCount, listed(calling, TotalsOnly=True).Bookings) == (3, None)
    assert [b.ChargeNo for b in listed(calling, PageNo=2, PageSize=1).Bookings.Booking] == ["C2"]
    assert listed(calling, PerformDeptCode="9").TotalCount == 0
    assert listed(calling, BookedTo=None).Result.ResultCode == "QRY-400"


def test_its_staff_lose_change_void_and_invent(
    his: SimulatorProcess, caller: Call, tmp_path: Path, start: Start
) -> None:
    calling = caller(his)
    for number in ("C1", "C2", "C3"):
        calling.send("ChargeItem", ChargeNo=number)
    before = numbers(calling)["C1"]
    his.books("lose", "C1")
    his.books("change", "C2", "1.00")
    his.books("void", "C3")
    his.books("invent", "C4", "9.00")
    assert numbers(calling) == {
        "C2": "1.00 CONFIRMED",
        "C3": before.replace("CONFIRMED", "REVERSED"),
        "C4": "9.00 CONFIRMED",
    }
    assert calling.code("QueryTransaction", ChargeNo="C1") == "QRY-404"
    with pytest.raises(SimulatorFailed, match="not in the books"):
        his.books("lose", "C1")
    again = start("his", his.folder)
    assert set(numbers(caller(again))) == {"C2", "C3", "C4"}


def test_nothing_can_be_invented_before_the_first_booking(his: SimulatorProcess) -> None:
    with pytest.raises(SimulatorFailed, match="no booking yet"):
        his.books("invent", "C1", "9.00")
