"""The ledger only grows: what is booked can be neither changed nor deleted, balances, and is settled once."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import Engine, func, select

from building import TEN, charge, charge_line, ct_requisition, refund, refund_line, status
from gateway.messages.charge import LineOutcome
from gateway.model.money import (
    FINAL,
    MONEY_TRANSITIONS,
    LedgerEntry,
    MoneyKind,
    MoneyLine,
    MoneyState,
    MoneyTransaction,
)
from gateway.operations.booking import settle
from gateway.operations.dispatch import PartnerAnswer
from gateway.operations.ledger import locked, move_on
from gateway.terms import StatusEvent, TransactionState
from hospital import NOT_SENT, UNKNOWN, Hospital, no, response_of, yes

S = TransactionState
TABLES = ("money_transaction", "money_line", "money_state", "ledger_entry")
CHANGES = {
    "money_transaction": "SET number = 'C2'",
    "money_line": "SET amount = 1",
    "money_state": "SET state = 'REJECTED'",
    "ledger_entry": "SET amount = 0",
}


@pytest.fixture
def books(hospital: Hospital, engine: Engine) -> Iterator[psycopg.Connection[Any]]:
    """Books with a charge of 238.50 and a refund of 100.00, opened by the gateway's own database user."""
    hospital.send(charge())
    hospital.send(refund(lines=(refund_line(amount="100.00"),)))
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def content(books: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    return {table: books.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES}


# --- what the database refuses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} {change}",
        "UPDATE {table} {change} WHERE false",
        "DELETE FROM {table}",
        "DELETE FROM {table} WHERE false",
        "TRUNCATE {table} CASCADE",
    ],
)
def test_the_database_refuses_to_change_what_is_booked(
    books: psycopg.Connection[Any], table: str, statement: str
) -> None:
    before = content(books)
    with pytest.raises(errors.RestrictViolation, match="kept as they were written"):
        books.execute(statement.format(table=table, change=CHANGES[table]))
    assert content(books) == before
    assert all(before.values())


def test_an_upsert_does_not_change_what_is_booked(books: psycopg.Connection[Any]) -> None:
    before = content(books)
    with pytest.raises(errors.RestrictViolation):
        books.execute(
            "INSERT INTO ledger_entry SELECT * FROM ledger_entry "
            "ON CONFLICT (transaction_key, line_no, account) DO UPDATE SET amount = 0"
        )
    assert content(books) == before


@pytest.mark.parametrize(
    "amounts",
    [("0.01",), ("5.00", "-4.99"), ("5.00", "5.00"), ("1.00", "-1.00", "0.01")],
    ids=" ".join,
)
def test_entries_that_do_not_balance_are_refused(books: psycopg.Connection[Any], amounts: tuple[str, ...]) -> None:
    before = content(books)
    rows = ", ".join(f"('X-C', 1, 'A{number}', {amount}, now())" for number, amount in enumerate(amounts))
    books.execute("CREATE TEMPORARY TABLE made AS SELECT * FROM money_transaction LIMIT 1")
    books.execute("UPDATE made SET key = 'X-C', number = 'X'")
    with books.transaction(force_rollback=True):
        books.execute("INSERT INTO money_transaction SELECT * FROM made")
        with pytest.raises(errors.CheckViolation, match="sum to zero"), books.transaction():
            books.execute(f"INSERT INTO ledger_entry (transaction_key, line_no, account, amount, at) VALUES {rows}")
    assert content(books) == before


def test_a_transaction_that_balances_is_not_balanced_by_another(books: psycopg.Connection[Any]) -> None:
    first, second = [row[0] for row in books.execute("SELECT key FROM money_transaction ORDER BY key").fetchall()]
    with pytest.raises(errors.CheckViolation):
        books.execute(
            "INSERT INTO ledger_entry (transaction_key, line_no, account, amount, at) "
            "VALUES (%s, 9, 'A', 5, now()), (%s, 9, 'B', -5, now())",
            (first, second),
        )


# --- what is entered --------------------------------------------------------------------------------------------------


def entries(hospital: Hospital) -> list[tuple[str, Decimal]]:
    return [(row.account, row.amount) for row in hospital.rows(LedgerEntry)]


def balance(hospital: Hospital, account: str) -> Decimal:
    with hospital.sessions() as session:
        query = select(func.coalesce(func.sum(LedgerEntry.amount), 0)).where(LedgerEntry.account.startswith(account))
        return Decimal(session.scalars(query).one())


def test_a_charge_debits_the_visit_and_credits_the_department_line_by_line(hospital: Hospital) -> None:
    hospital.send(charge(lines=(charge_line(1), charge_line(2, "CL0077", "61.50"))))
    assert sorted(amount for account, amount in entries(hospital) if account.startswith("VISIT|")) == [
        Decimal("61.50"),
        Decimal("238.50"),
    ]
    assert sorted(amount for account, amount in entries(hospital) if account.startswith("DEPT|")) == [
        Decimal("-238.50"),
        Decimal("-61.50"),
    ]


def test_a_refund_is_entered_the_other_way_round(hospital: Hospital) -> None:
    hospital.send(charge())
    hospital.send(refund(lines=(refund_line(amount="100.00"),)))
    assert (balance(hospital, "VISIT|"), balance(hospital, "DEPT|")) == (Decimal("138.50"), Decimal("-138.50"))


def test_a_withdrawn_registration_leaves_nothing_owed(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    hospital.send(status())
    assert balance(hospital, "VISIT|") == Decimal("400.00")
    hospital.send(status(event=StatusEvent.CANCEL_REG))
    assert (balance(hospital, "VISIT|"), len(entries(hospital))) == (Decimal("0.00"), 4)


@pytest.mark.parametrize("answer", [NOT_SENT, UNKNOWN, no("CHG-402")], ids=["not sent", "unknown", "refused"])
def test_what_his_has_not_booked_is_not_entered(hospital: Hospital, answer: PartnerAnswer) -> None:
    hospital.dispatch.script("his", "ChargeItem", answer)
    hospital.send(charge())
    assert entries(hospital) == []


def test_an_item_his_priced_is_entered_at_its_price_and_the_line_keeps_what_was_sent(hospital: Hospital) -> None:
    priced = LineOutcome(line_no=1, result_code="0", result_text="成功", amount=Decimal("77.70"))
    hospital.dispatch.script("his", "ChargeItem", yes(response_of("ChargeItem", lines=(priced,))))
    line = charge_line(unit_price=None, list_amount=None, actual_amount=None)
    answer = hospital.send(charge(lines=(line,)))
    assert balance(hospital, "VISIT|") == answer.lines[0].amount == Decimal("77.70")
    assert hospital.row(MoneyLine).stated_amount is None


# --- states -----------------------------------------------------------------------------------------------------------


def proposed(hospital: Hospital, state: TransactionState) -> str:
    """The key of a charge of 5.00 in this state."""
    hospital.add(
        MoneyTransaction(
            key=f"{state}-C",
            txn_no=str(state),
            kind=MoneyKind.CHARGE,
            hospital_code="44643245-7",
            branch_code="",
            sender_code="PACS",
            number=str(state),
            message_id="M1",
            visit_type="3",
            visit_no="V1",
            patient_id="P1",
            perform_dept_code="0103",
            source="GATEWAY",
            content_hash="",
            occurred_at=TEN,
            created_at=TEN,
        )
    )
    line = {"charge_code": "YP1108", "item_name": "碘海醇注射液", "quantity": Decimal(1), "stated_amount": Decimal(5)}
    hospital.add(
        MoneyLine(transaction_key=f"{state}-C", line_no=1, **line),
        MoneyState(transaction_key=f"{state}-C", seq=1, state=state, at=TEN),
    )
    return f"{state}-C"


def move(hospital: Hospital, key: str, state: TransactionState) -> None:
    with hospital.sessions.begin() as session:
        move_on(session, locked(session, key), state, TEN)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(S, S)), ids=str)
def test_every_pair_of_states_is_allowed_or_refused(
    hospital: Hospital, before: TransactionState, after: TransactionState
) -> None:
    key = proposed(hospital, before)
    if after is before:
        move(hospital, key, after)
    elif after in MONEY_TRANSITIONS[before]:
        move(hospital, key, after)
        assert [(row.seq, row.state) for row in hospital.rows(MoneyState)] == [(1, before), (2, after)]
        assert len(hospital.rows(LedgerEntry)) == (2 if after is S.CONFIRMED else 0)
        return
    else:
        with pytest.raises(ValueError, match=f"{before} is not followed by {after}"):
            move(hospital, key, after)
    assert [(row.seq, row.state) for row in hospital.rows(MoneyState)] == [(1, before)]
    assert hospital.rows(LedgerEntry) == []


def test_nothing_follows_a_final_state_and_every_other_state_leads_to_one() -> None:
    assert {state for state in S if not MONEY_TRANSITIONS[state]} == set(FINAL)
    assert all(MONEY_TRANSITIONS[state] & set(FINAL) for state in S if state not in FINAL)


def test_what_his_answered_stands_in_the_states_one_behind_the_other(hospital: Hospital) -> None:
    hospital.dispatch.script("his", "ChargeItem", NOT_SENT, UNKNOWN, yes(response_of("ChargeItem", his_charge_no="H1")))
    hospital.send(charge())
    hospital.dispatch.deliver()
    settle_last(hospital, yes(response_of("ChargeItem", his_charge_no="H1")))
    states = [(row.seq, row.state, row.his_no) for row in hospital.rows(MoneyState)]
    assert states == [(1, "SENT", None), (2, "PROPOSED", None), (3, "PENDING_CONFIRM", None), (4, "CONFIRMED", "H1")]


# --- the same answer twice at once ------------------------------------------------------------------------------------


def settle_last(hospital: Hospital, answer: PartnerAnswer) -> None:
    with hospital.sessions.begin() as session:
        settle(session, hospital.dispatch.asked[-1], answer, hospital.dispatch)


def at_once(*calls: Callable[[], None]) -> None:
    """Run them in threads that begin together; what one raises is raised."""
    meet = Barrier(len(calls))

    def begin(call: Callable[[], None]) -> None:
        meet.wait(10)
        call()

    with ThreadPoolExecutor(len(calls)) as threads:
        list(threads.map(begin, calls))


@pytest.mark.parametrize("round_no", range(5))
def test_an_answer_that_two_threads_store_at_once_counts_once(hospital: Hospital, round_no: int) -> None:
    hospital.dispatch.script("his", "ChargeItem", UNKNOWN)
    hospital.send(charge())
    booked = yes(response_of("ChargeItem", his_charge_no="H1"))
    at_once(*[lambda: settle_last(hospital, booked)] * 4)
    assert [row.state for row in hospital.rows(MoneyState)] == ["SENT", "PENDING_CONFIRM", "CONFIRMED"]
    assert (balance(hospital, "VISIT|"), len(entries(hospital))) == (Decimal("238.50"), 2)


@pytest.mark.parametrize("round_no", range(5))
def test_of_two_answers_at_once_the_first_is_final(hospital: Hospital, round_no: int) -> None:
    hospital.dispatch.script("his", "ChargeItem", UNKNOWN)
    hospital.send(charge())
    at_once(
        lambda: settle_last(hospital, yes(response_of("ChargeItem", his_charge_no="H1"))),
        lambda: settle_last(hospital, no("CHG-402")),
    )
    last = hospital.rows(MoneyState)[-1]
    assert (last.seq, last.state in ("CONFIRMED", "REJECTED")) == (3, True)
    assert len(entries(hospital)) == (2 if last.state == "CONFIRMED" else 0)


def test_two_processes_cannot_write_the_same_state_twice(books: psycopg.Connection[Any]) -> None:
    with pytest.raises(errors.UniqueViolation):
        books.execute(
            "INSERT INTO money_state (transaction_key, seq, state, at) "
            "SELECT transaction_key, seq, 'REJECTED', at FROM money_state"
        )
