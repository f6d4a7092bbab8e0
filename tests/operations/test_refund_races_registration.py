"""The cashier gives money back while the department registers: two processes, one winner, and the books agree."""

import multiprocessing
import random
import time
from collections import Counter
from decimal import Decimal
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, text

from building import header, outpatient_ct, refund, refund_line, status
from emptying import clear
from gateway.store import make_engine
from gateway.terms import Initiator
from hospital import Hospital

LATEST = 0.006
"""Seconds by which a side may begin after the other: about what either needs to get to the requisition."""
PATIENCE = 30
"""Seconds a side waits for the other before the test fails."""

REFUND_WON = ("0", "STA-410")
REGISTRATION_WON = ("RFD-423", "0")
BOOKS_AFTER = {
    REFUND_WON: ("CANCELLED", "90", True, Decimal("0.00"), 0, "CHARGE CONFIRMED, REFUND CONFIRMED"),
    REGISTRATION_WON: ("RELEASED", "30", False, Decimal("400.00"), 1, "CHARGE CONFIRMED"),
}
"""Requisition, item, whether it is refunded, what the visit owes, places taken, and what was booked."""

BOOKS = text(
    """
    SELECT r.requisition_no, r.gateway_status, i.status_code, i.refunded,
        (SELECT sum(e.amount) FROM ledger_entry e JOIN money_transaction t ON t.key = e.transaction_key
            WHERE t.requisition_key = r.key AND e.account LIKE 'VISIT|%') AS owed,
        (SELECT count(*) FROM charge_once c WHERE c.requisition_no = r.requisition_no) AS places,
        (SELECT string_agg(t.kind || ' ' || t.state, ', ' ORDER BY t.kind) FROM money_now t
            WHERE t.requisition_key = r.key) AS booked
    FROM requisition r JOIN requisition_item i ON i.requisition_key = r.key
    """
)


def message_of(side: str, number: int) -> Any:
    """What HIS or the department sends in a round."""
    if side == "department":
        return status(f"R{number}")
    paid = (refund_line(code="210300001", amount="400.00"),)
    values: dict[str, Any] = {"initiator": Initiator.CASHIER, "requisition_no": f"R{number}", "lines": paid}
    return refund(f"F{number}", None, header=header("HIS"), **values)


def play(side: str, rounds: int, url: str, meet: Barrier, told: Connection) -> None:
    """One side of all rounds, in a process of its own: both meet, wait a moment of their own, and send."""
    try:
        hospital, late, answers = Hospital(make_engine(url)), random.Random(side), []
        for number in range(rounds):
            message = message_of(side, number)
            wait = late.choice((0, late.uniform(0, LATEST)))
            meet.wait(PATIENCE)
            begin = time.perf_counter() + wait
            while time.perf_counter() < begin:
                pass
            answers.append(hospital.send(message).result.result_code)
        told.send(answers)
    except BaseException:
        meet.abort()
        raise


def race(engine: Engine, rounds: int) -> list[tuple[str, str]]:
    """What refund and registration were answered, round by round."""
    hospital = Hospital(engine)
    for number in range(rounds):
        hospital.send(outpatient_ct(f"R{number}"))
    spawn = multiprocessing.get_context("spawn")
    meet, url = spawn.Barrier(2), engine.url.render_as_string(hide_password=False)
    processes, ends = [], []
    for side in ("cashier", "department"):
        end, told = spawn.Pipe(duplex=False)
        process = spawn.Process(target=play, args=(side, rounds, url, meet, told), daemon=True)
        process.start()
        told.close()
        processes.append(process)
        ends.append(end)
    try:
        return list(zip(*(end.recv() for end in ends), strict=True))
    finally:
        for process in processes:
            process.join(PATIENCE)
            process.kill()
        for end in ends:
            end.close()


@pytest.mark.parametrize("rounds", [150, pytest.param(1_000, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
def test_refund_and_registration_at_once_have_one_winner_and_the_books_say_who(engine: Engine, rounds: int) -> None:
    """Edge case 6."""
    clear(engine)
    answers = race(engine, rounds)
    won = Counter(answers)
    assert set(won) == {REFUND_WON, REGISTRATION_WON}, won
    with engine.connect() as connection:
        books = {row.requisition_no: tuple(row)[1:] for row in connection.execute(BOOKS)}
    assert books == {f"R{number}": BOOKS_AFTER[answer] for number, answer in enumerate(answers)}
