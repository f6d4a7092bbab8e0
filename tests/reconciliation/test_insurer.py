"""The insurer's books are compared with what was uploaded to it of each charge."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pytest

from books import DAY, HOSPITAL, NOON, row
from gateway.model.insurance import InsuranceBatch, InsuranceEvent, InsuranceLine
from gateway.operations.insurance_books import InsuranceDetail, InsuranceTotals, InsuranceUnavailable
from gateway.reconciliation.asking import AskedInsurer, BooksUnavailable
from gateway.reconciliation.booking import Counterpart
from gateway.reconciliation.running import Runner


@dataclass
class Platform:
    """What a platform answers: its lines by batch, detail and amount."""

    lines: list[tuple[str, str, str]]
    asked: int = 0

    def insurance_totals(self, day: date) -> InsuranceTotals:
        total = sum((Decimal(amount) for _, _, amount in self.lines), Decimal(0))
        return InsuranceTotals(day=day, count=len(self.lines), amount=total)

    def insurance_details(self, day: date) -> tuple[InsuranceDetail, ...]:
        self.asked += 1
        return tuple(
            InsuranceDetail(batch_no=batch, detail_no=number, visit_no="V1", amount=Decimal(amount), state="UPLOADED")
            for batch, number, amount in self.lines
        )


class SilentPlatform(Platform):
    def insurance_totals(self, day: date) -> InsuranceTotals:
        raise InsuranceUnavailable("TIMEOUT")


def upload(ledger, number="C1", amount="100.00", *states, when=NOON):
    """A charge in our books and its batch, which went through these states; returns the number of the batch."""
    key = ledger.book(number, amount, when=when)
    batch = InsuranceBatch(
        number=key, transaction_key=key, seq=1, partner="YB", hospital_code=HOSPITAL, branch_code="", visit_no="V1",
        visit_type="3", patient_id="P1", perform_dept_code="0103", occurred_at=when,
    )  # fmt: skip
    line = InsuranceLine(
        batch_number=key,
        line_no=1,
        charge_code="210300002",
        item_name="CT",
        quantity=Decimal(1),
        amount=Decimal(amount),
    )
    with ledger.sessions.begin() as session:
        session.add(batch)
        session.flush()
        session.add(line)
        for state in states or ("PLANNED", "PENDING", "UPLOADED"):
            session.add(InsuranceEvent(subject=key, state=state, at=when))
            session.flush()
    return key


def compare(ledger, platform, **values):
    with ledger.sessions.begin() as session:
        order = ledger.order(DAY, Counterpart.INSURER, **values)
        return Runner(ledger.settings, lambda: NOON).with_books(session, order, AskedInsurer("YB", platform))


def test_where_the_total_agrees_no_details_are_fetched(ledger):
    platform = Platform([(upload(ledger), "D1", "60.00"), ("X", "D2", "40.00")])
    assert ledger.found(compare(ledger, platform)) == []
    assert platform.asked == 0
    assert len(ledger.found(compare(ledger, platform, every_department=True))) == 2


def test_details_of_a_batch_are_compared_as_one(ledger):
    first, second, third = (upload(ledger, number) for number in ("C1", "C2", "C3"))
    found = compare(
        ledger, Platform([(first, "D1", "60"), (first, "D2", "40"), (second, "D3", "99"), ("X", "D4", "1")])
    )
    assert ledger.found(found) == [("AMOUNT_DIFF", second), ("GW_ONLY", third), ("INS_ONLY", "X")]
    assert found.totals["0103"][0].net == Decimal(300)


@pytest.mark.parametrize(
    "states", [("PLANNED",), ("PLANNED", "PENDING"), ("REFUSED",), ("UPLOADED", "WITHDRAWING", "WITHDRAWN")]
)
def test_what_the_platform_need_not_have_is_not_missed(ledger, states):
    upload(ledger, "C1", "100.00", *states)
    assert ledger.found(compare(ledger, Platform([]), every_department=True)) == []


def test_a_withdrawn_batch_that_the_platform_still_has_is_a_difference_of_states(ledger):
    batch = upload(ledger, "C1", "100.00", "UPLOADED", "WITHDRAWN")
    assert ledger.found(compare(ledger, Platform([(batch, "D1", "100")]))) == [("STATUS_DIFF", batch)]


def test_a_batch_of_another_day_is_looked_up(ledger):
    batch = upload(ledger, when=NOON - timedelta(days=3))
    found = compare(ledger, Platform([(batch, "D1", "100")]))
    assert (ledger.found(found), ledger.line(found, batch).remark) == ([("STATUS_DIFF", batch)], "OTHER_DAY")


def test_a_charge_that_was_not_insured_is_not_expected_there(ledger):
    ledger.book("C1")
    assert ledger.found(compare(ledger, Platform([]), every_department=True)) == []


def test_a_silent_platform_is_said(ledger):
    with pytest.raises(BooksUnavailable, match=r"YB does not tell what it has booked \(TIMEOUT\)"):
        compare(ledger, SilentPlatform([]))


def test_a_list_of_the_insurer_may_name_our_charge_numbers(ledger):
    upload(ledger, "C1")
    found = ledger.compare(ledger.list_of(row("C1")), counterpart=Counterpart.INSURER)
    assert ledger.found(found) == []
