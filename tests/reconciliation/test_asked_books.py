"""HIS is asked for its books by SOAP: totals first, then details, or single numbers where it keeps no list."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from books import HOSPITAL, ZONE, Ledger
from building import header, patient, visit
from gateway.contract import Contract
from gateway.messages.charge import ChargeItemRequest, ChargeLine
from gateway.messages.wire import Wire
from gateway.model.reconciliation import ReconciliationRun
from gateway.operations.dispatch import Origin
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp
from gateway.partners.books import HisBooks
from gateway.partners.registry import Partners
from gateway.reconciliation.asking import AskedHis, BooksUnavailable, CannotList
from gateway.reconciliation.booking import Counterpart
from gateway.reconciliation.comparing import Day
from gateway.reconciliation.running import Runner
from gateway.simulators.process import SimulatorProcess, free_port
from gateway.terms import ChargePoint

CONTRACT = Contract()
WIRE = Wire(CONTRACT, ZONE)


def now() -> datetime:
    return datetime.now(ZONE)


class His:
    """The simulated HIS, called as the gateway calls it."""

    def __init__(self, folder: Path) -> None:
        self.simulator = SimulatorProcess("his", free_port(), folder)
        partner = Partner(name="HIS", url=self.simulator.url)
        self.partners = Partners([partner], CONTRACT, WIRE, now)
        self.books = AskedHis(HisBooks(self.partners, "HIS", HOSPITAL, now))

    def book(
        self, ledger: Ledger, number: str, amount: str = "100.00", *, here: bool = True, dept: str = "0103"
    ) -> None:
        """Both sides book a charge; here only with `here`."""
        line = ChargeLine(
            line_no=1, charge_code="X", item_name="CT", quantity=Decimal(1), actual_amount=Decimal(amount)
        )
        request = ChargeItemRequest(
            header=header("PACS"),
            charge_no=number,
            patient=patient(),
            visit=visit(),
            charge_point=ChargePoint.SUPPLEMENT,
            occurred_at=now(),
            perform_dept_code=dept,
            lines=(line,),
        )
        answer = self.partners.call(
            "HIS", "ChargeItem", request, Stamp(number, Origin(number, HOSPITAL, "", "PACS", number))
        )
        assert answer.is_yes, answer
        if here:
            ledger.book(number, amount, when=now(), dept=dept)


@pytest.fixture
def his(tmp_path: Path) -> Iterator[His]:
    his = His(tmp_path / "his")
    his.simulator.start()
    yield his
    his.simulator.stop()


@pytest.fixture(autouse=True)
def _not_at_midnight() -> None:
    if (now().hour, now().minute) in ((23, 59), (0, 0)):
        pytest.skip("the day would change while this runs")


def compare(ledger: Ledger, books: object, **values: object):
    with ledger.sessions.begin() as session:
        return Runner(ledger.settings, now).with_books(session, ledger.order(now().date(), **values), books)


def asked(his: His) -> list[str | None]:
    """Which numbers HIS was asked for; None stands for a list."""
    return [line.get("charge_no") for line in his.simulator.requests("QueryTransaction")]


def test_where_the_totals_agree_no_details_are_fetched(ledger, his):
    his.book(ledger, "C1")
    found = compare(ledger, his.books)
    assert (ledger.found(found), found.run.source, list(found.totals)) == ([], "HIS", ["0103"])
    assert asked(his) == [None]


def test_details_are_fetched_of_the_department_that_differs(ledger, his):
    his.book(ledger, "C1")
    his.book(ledger, "C2", dept="0201")
    his.book(ledger, "C3", "50.00", dept="0201", here=False)
    ledger.book("C4", when=now(), dept="0201")
    found = compare(ledger, his.books)
    assert ledger.found(found) == [("GW_ONLY", "C4"), ("HIS_ONLY", "C3")]
    assert sorted(found.totals) == ["0103", "0201"]
    assert asked(his) == [None, None, "C4"]


def test_amounts_that_cancel_each_other_out_are_found_with_all(ledger, his):
    for number in ("C1", "C2"):
        his.book(ledger, number)
    his.simulator.books("change", "C1", "90.00")
    his.simulator.books("change", "C2", "110.00")
    assert ledger.found(compare(ledger, his.books)) == []
    found = compare(ledger, his.books, every_department=True)
    assert ledger.found(found) == [("AMOUNT_DIFF", "C1"), ("AMOUNT_DIFF", "C2")]


def test_a_booking_under_another_department_is_found_by_its_number(ledger, his):
    his.book(ledger, "C1", here=False, dept="0300")
    ledger.book("C1", when=now(), dept="0201")
    assert ledger.found(compare(ledger, his.books)) == []


def test_a_voided_booking_is_a_difference_of_states(ledger, his):
    his.book(ledger, "C1")
    his.simulator.books("void", "C1")
    assert ledger.found(compare(ledger, his.books)) == [("STATUS_DIFF", "C1")]


def test_many_pages_are_read_to_the_end(ledger, his, monkeypatch):
    monkeypatch.setattr("gateway.partners.books.PAGE_SIZE", 2)
    for number in range(5):
        his.book(ledger, f"C{number}")
    assert ledger.found(compare(ledger, his.books, every_department=True)) == []
    assert len(asked(his)) == 3


class NoListHis(AskedHis):
    """A HIS of the older contract."""

    def totals(self, day):
        raise CannotList(self.name)

    def bookings(self, day, department):
        raise CannotList(self.name)


@pytest.mark.parametrize("every", [True, False])
def test_a_his_without_lists_is_asked_for_each_number(ledger, his, every):
    his.book(ledger, "C1")
    his.book(ledger, "C2")
    his.simulator.books("change", "C2", "1.00")
    ledger.book("C3", when=now())
    found = compare(ledger, NoListHis(HisBooks(his.partners, "HIS", HOSPITAL, now)), every_department=every)
    assert ledger.found(found) == [("AMOUNT_DIFF", "C2"), ("GW_ONLY", "C3")]
    assert found.notes == {"by_number": 1}


def test_a_his_that_refuses_the_criteria_keeps_no_list(ledger, his):
    his.simulator.disturb(refuse="QRY-400", operation="QueryTransaction")
    with pytest.raises(CannotList):
        his.books.totals(Day(HOSPITAL, now().date(), ZONE, Counterpart.HIS, timedelta(minutes=5)))


@pytest.mark.parametrize("fault", [{"status": 500}, {"drop_before_commit": 1}])
def test_a_his_that_does_not_answer_leaves_nothing_behind(ledger, his, fault):
    his.simulator.disturb(**fault, operation="QueryTransaction")
    with pytest.raises(BooksUnavailable, match="HIS does not tell what it has booked"):
        compare(ledger, his.books)
    assert ledger.count(ReconciliationRun) == 0
