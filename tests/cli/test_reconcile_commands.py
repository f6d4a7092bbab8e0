"""`gateway reconcile`: a day is compared, what is open is listed, what was done about a difference is noted."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine

from books import Ledger, row
from emptying import clear
from gateway.cli import reconcile
from gateway.reconciliation.asking import BooksUnavailable
from gateway.reconciliation.booking import Counterpart, Total
from gateway.terms import TransactionState

HOSPITAL = "H1"


@pytest.fixture
def ledger(site: Path, migrated: str, tmp_path: Path):
    engine = create_engine(migrated)
    clear(engine, but={"client", "client_right"})
    ledger = Ledger(engine, tmp_path)
    ledger.hospital = HOSPITAL
    yield ledger
    engine.dispose()


def compare(gateway: Command, path: Path, *words: object):
    return gateway("reconcile", "--date", "2026-11-24", "--his-file", path, *words)


def test_equal_books_end_with_zero(gateway: Command, ledger: Ledger, site: Path):
    ledger.book("C1")
    said = compare(gateway, ledger.list_of(row("C1")))
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "2026-11-24 · gateway and HIS (his.csv): 1 and 1 bookings, 1 on both sides"
    assert lines[2].split() == ["0103", "100.00", "100.00", "-"]
    assert lines[3] == "Differences: none; 0 new, 0 gone, 0 settled"
    assert lines[4:] == [f"Written: {site}/reconciliation/sheets/2026-11-24-his.{kind}" for kind in ("xlsx", "html")]


def test_different_books_end_with_one_and_each_line_says_what_to_do(gateway: Command, ledger: Ledger, tmp_path: Path):
    ledger.book("C1", "126.80")
    said = compare(gateway, ledger.list_of(row("C1", "126")), "--output", tmp_path / "out")
    assert said.code == 1
    assert "AMOUNT_DIFF  C1      0103  126.80   126.00  new" in said.out
    assert "`gateway money adjust`" in said.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["2026-11-24-his.html", "2026-11-24-his.xlsx"]


def test_a_settled_difference_counts_no_more(gateway: Command, ledger: Ledger):
    ledger.book("C1")
    path = ledger.list_of()
    said = compare(gateway, path)
    number = said.out.splitlines()[4].split()[0]
    assert gateway("reconcile", "settle", number, "--reason", "entered at HIS").out == (
        f"Difference {number} (GW_ONLY C1) is settled.\n"
    )
    assert compare(gateway, path).code == 0
    assert gateway("reconcile", "settle", number, "--reason", "x").mistake == f"Difference {number} is settled already."
    assert gateway("reconcile", "settle", number, "--reason", " ").code == 2


def test_what_is_left_out_is_said(gateway: Command, ledger: Ledger):
    ledger.book("GW-1", source="HIS")
    said = compare(gateway, ledger.list_of(row("C9", when="2026-11-01")))
    assert said.code == 0
    assert "rows of other days, left out: 1" in said.err
    assert "HIS made by itself that its list cannot name, not compared: 1" in said.err


def test_the_insurers_list_is_compared_beside(gateway: Command, ledger: Ledger):
    said = gateway("reconcile", "--date", "2026-11-24", "--insurer-file", ledger.list_of(row("C1"), name="yb.csv"))
    assert said.code == 1
    assert "INS_ONLY" in said.out
    assert "2026-11-24-insurer.xlsx" in said.out


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (["--date", "soon"], "soon is no day: give --date 2026-11-24, today or yesterday."),
        (["--date", "2999-01-01"], "2999-01-01 is no day"),
        (["--date", "2098-01-01"], "2098-01-01 has not come yet."),
        (["--hospital", "H9"], "H9 is no hospital of this site."),
        (["--his-file", "x.csv", "--from-his"], "Give --his-file or --from-his, not both."),
        (["--his-file", "none.csv"], "none.csv: It cannot be read"),
        ([], "No partner gets ChargeItem: give --his-file, or name the HIS in [reconciliation] his."),
        (["--his"], "No such option: --his"),
    ],
)
def test_a_wrong_command_is_said_in_one_line(gateway: Command, ledger: Ledger, words: list[str], mistake: str):
    said = gateway("reconcile", *words)
    assert said.code == 2
    assert mistake in said.mistake


def test_a_wrong_list_is_refused_with_its_place(gateway: Command, ledger: Ledger):
    said = compare(gateway, ledger.list_of(row("C1", "abc")))
    assert said.code == 2
    assert said.mistake.startswith("his.csv, row 2, column 金额: An amount is expected")


def test_yesterday_is_compared_when_no_day_is_given(gateway: Command, ledger: Ledger):
    yesterday = (datetime.now(UTC) + timedelta(hours=8)).date() - timedelta(days=1)
    assert gateway("reconcile", "--his-file", ledger.list_of()).out.startswith(f"{yesterday} · ")


class SilentHis:
    name = "HIS"
    lists_departments = covers_midnight = True

    def totals(self, day):
        raise BooksUnavailable("HIS does not tell what it has booked (CONNECT): try again, or give its list as a file.")


class AgreeingHis(SilentHis):
    def totals(self, day):
        return {"0103": Total(1, 100)}

    def find(self, numbers):
        return iter(())


def test_a_silent_his_is_an_exit_code_of_its_own(gateway: Command, ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reconcile, "_asked", lambda session, settings, hospital: [(Counterpart.HIS, SilentHis())])
    said = gateway("reconcile", "--date", "2026-11-24")
    assert (said.code, said.err[:46]) == (3, "gateway: HIS does not tell what it has booked ")


def test_his_is_asked_when_no_list_is_given(gateway: Command, ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reconcile, "_asked", lambda session, settings, hospital: [(Counterpart.HIS, AgreeingHis())])
    ledger.book("C1")
    said = gateway("reconcile", "--date", "2026-11-24")
    assert (said.code, said.out.splitlines()[2].split()) == (0, ["0103", "100.00", "100.00", "-"])


def test_open_items_are_listed(gateway: Command, ledger: Ledger):
    ledger.book("C1", state=TransactionState.PENDING_CONFIRM)
    said = gateway("reconcile", "open")
    assert said.code == 0
    assert "charge C1 of PACS  PENDING_CONFIRM  11-24 12:00:00" in said.out
    assert said.err == ("money without an outcome: 1, released, not delivered: 0, critical values not handled: 0\n")


def test_who_watches_sees_how_far_it_is(gateway: Command, ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    said = compare(gateway, ledger.list_of(*(row(f"C{number}") for number in range(600))))
    assert said.code == 1
    assert "comparing" in said.err or sys.stderr.isatty() is False
