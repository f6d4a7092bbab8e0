"""`gateway money`: undecided money is listed and shown, and two people settle or correct it, never one alone."""

from decimal import Decimal
from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from building import charge, refund, refund_line
from emptying import clear
from gateway.model.delivery import Delivery
from gateway.model.journal import AuditEntry
from gateway.model.money import ChargeOnce, LedgerEntry, MoneyKind, MoneyState, MoneyTransaction
from hospital import UNKNOWN, Hospital

PEOPLE = ("--operator", "K01", "--approved-by", "K02", "--reason", "HIS books of the day")


@pytest.fixture
def hospital(site: Path, migrated: str):
    engine = create_engine(migrated)
    clear(engine)
    yield Hospital(engine)
    engine.dispose()


def unknown_charge(hospital: Hospital) -> None:
    """A charge whose answer never came."""
    hospital.dispatch.script("his", "ChargeItem", UNKNOWN)
    assert hospital.send(charge()).result.result_code == "CHG-504"


def booked_charge(hospital: Hospital) -> None:
    assert hospital.send(charge()).result.result_code == "0"


def balance(hospital: Hospital) -> Decimal:
    return sum((entry.amount for entry in hospital.rows(LedgerEntry) if "VISIT|" in entry.account), Decimal(0))


def test_what_is_undecided_is_listed(gateway: Command, hospital: Hospital):
    unknown_charge(hospital)
    hospital.send(charge("C2"))
    said = gateway("money", "list")
    first, behind = sorted(line.split() for line in said.out.splitlines()[1:])
    assert first[:7] == ["CHARGE", "C1", "PACS", "PENDING_CONFIRM", "238.50", "V1", "0103"]
    assert behind[:4] == ["CHARGE", "C2", "PACS", "PROPOSED"]
    assert len(gateway("money", "list", "--state", "proposed").out.splitlines()) == 2
    assert gateway("money", "list", "--visit", "V2").out.splitlines()[1:] == []


def test_how_a_charge_came_to_be_is_shown(gateway: Command, hospital: Hospital):
    booked_charge(hospital)
    said = gateway("money", "show", "C1")
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0] == ["CHARGE", "C1", "of", "PACS:", "CONFIRMED,", "238.50,", "visit", "V1"]
    assert ["1", "VISIT|44643245-7||V1", "238.50"] in lines
    assert ["1", "DEPT|44643245-7||0103", "238.50"] in lines


def test_two_people_settle_an_unknown_outcome_as_his_has_it(gateway: Command, hospital: Hospital):
    unknown_charge(hospital)
    said = gateway("money", "resolve", "C1", "--booked", "--his-no", "HF9", *PEOPLE)
    assert (said.code, said.out) == (0, "C1 is booked.\n")
    row = hospital.row(MoneyTransaction)
    assert (row.state, row.his_no, balance(hospital)) == ("CONFIRMED", "HF9", Decimal("238.50"))
    assert hospital.row(Delivery, operation="ChargeItem").state == "DISCARDED"
    audited = hospital.rows(AuditEntry, action="RESOLVE_MONEY")[0]
    assert (audited.subject, audited.detail) == (
        "charge C1",
        "booked=True: HIS books of the day (K01, approved by K02)",
    )
    assert hospital.send(charge(header=charge().header)).result.result_code == "0"


def test_what_his_never_booked_may_be_charged_again(gateway: Command, hospital: Hospital):
    unknown_charge(hospital)
    assert gateway("money", "resolve", "C1", "--not-booked", *PEOPLE).code == 0
    assert hospital.row(MoneyTransaction).state == "REVERSED"
    assert (hospital.rows(LedgerEntry), hospital.rows(ChargeOnce)) == ([], [])
    answer = hospital.send(charge())
    assert (answer.result.result_code, answer.result.retryable) == ("CHG-503", False)
    assert hospital.send(charge("C2")).result.result_code == "0"


def test_people_may_take_over_so_that_the_visit_goes_on(gateway: Command, hospital: Hospital):
    unknown_charge(hospital)
    assert gateway("money", "take-over", "C1", *PEOPLE).code == 0
    assert [row.state for row in hospital.rows(MoneyState)] == ["SENT", "PENDING_CONFIRM", "MANUAL"]
    assert gateway("money", "resolve", "C1", "--booked", *PEOPLE).code == 0
    assert hospital.row(MoneyTransaction).state == "CONFIRMED"


def test_a_charge_is_corrected_by_an_entry_of_its_own(gateway: Command, hospital: Hospital):
    booked_charge(hospital)
    said = gateway("money", "adjust", "--charge", "C1", "--line", "1", "--amount", "-38.50", *PEOPLE)
    assert (said.code, balance(hospital)) == (0, Decimal("200.00"))
    assert [row.kind for row in hospital.rows(MoneyTransaction)] == [MoneyKind.CHARGE, MoneyKind.ADJUST]
    assert hospital.send(refund(lines=(refund_line(amount="238.50"),))).result.result_code == "RFD-409"
    answer = hospital.send(refund("F2", lines=(refund_line(refund_amount=None),)))
    assert (answer.refunded_amount, balance(hospital)) == (Decimal("200.00"), Decimal("0.00"))


def test_what_only_his_had_is_entered(gateway: Command, hospital: Hospital):
    where = ("--visit", "V9", "--patient", "P9", "--department", "0103", "--code", "YP1108")
    assert gateway("money", "adjust", *where, "--amount", "12.00", *PEOPLE).code == 0
    assert balance(hospital) == Decimal("12.00")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("resolve", "C9", "--booked", *PEOPLE), "No transaction has the number C9."),
        (("resolve", "C1", "--booked", *PEOPLE), "CHARGE C1 is CONFIRMED: that is final."),
        (("take-over", "C1", *PEOPLE), "CHARGE C1 is CONFIRMED: that is final."),
        (("adjust", "--charge", "C1", "--amount", "-238.51", *PEOPLE), "would cost less than nothing"),
        (("adjust", "--charge", "C1", "--line", "7", "--amount", "1.00", *PEOPLE), "has no line 7"),
        (("adjust", "--charge", "C1", "--amount", "0", *PEOPLE), "at least 0.01"),
        (("adjust", "--charge", "C1", "--amount", "0.005", *PEOPLE), "with two places"),
        (("adjust", "--charge", "C1", "--amount", "much", *PEOPLE), "is no amount"),
        (("adjust", "--charge", "C1", "--amount", "NaN", *PEOPLE), "is no amount"),
        (("adjust", "--visit", "V9", "--amount", "1.00", *PEOPLE), "Give --charge and --line"),
        (
            ("adjust", "--charge", "C1", "--amount", "1", "--operator", "K01", "--approved-by", "K01", "--reason", "x"),
            "Another person has to approve it",
        ),
        (
            ("adjust", "--charge", "C1", "--amount", "1", "--operator", "K01", "--approved-by", " ", "--reason", "x"),
            "Name who does it",
        ),
    ],
)
def test_what_cannot_be_decided_so_is_refused_and_changes_nothing(
    gateway: Command, hospital: Hospital, words: tuple[str, ...], why: str
):
    booked_charge(hospital)
    said = gateway("money", *words)
    assert said.code in (1, 2)
    assert why in said.err
    assert balance(hospital) == Decimal("238.50")
    assert len(hospital.rows(MoneyTransaction)) == 1


def test_a_number_that_two_systems_use_needs_a_sender(gateway: Command, hospital: Hospital, migrated: str):
    hospital.send(charge())
    hospital.send(charge(), by="LIS")
    assert "give --sender" in gateway("money", "show", "C1").err
    assert gateway("money", "show", "C1", "--sender", "LIS").out.startswith("CHARGE C1 of LIS")
    engine = create_engine(migrated)
    with Session(engine) as session:
        assert len(session.scalars(select(MoneyTransaction)).all()) == 2
    engine.dispose()
