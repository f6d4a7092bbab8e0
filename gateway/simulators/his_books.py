"""The books of the simulated HIS as a whole: listed by time with totals, and what its staff does to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.errors import QueryInvalid
from gateway.messages.common import Result
from gateway.messages.query import BookingRecord, BookingTotal, QueryTransactionRequest, QueryTransactionResponseType
from gateway.simulators.memory import Memory, Record
from gateway.terms import TransactionState

PAGE_SIZE = 1000
KINDS = ("charges", "refunds")
NONE = Decimal("0.00")


def listed(memory: Memory, request: QueryTransactionRequest, result: Result) -> QueryTransactionResponseType:
    """What is booked from BookedFrom until before BookedTo. Raises RequestRefused."""
    if request.booked_from is None or request.booked_to is None:
        raise QueryInvalid("BookedFrom 与 BookedTo 须同时填写。", "Give BookedFrom and BookedTo together.")
    found = sorted(_fitting(memory, request), key=lambda record: str(record["booked_at"]))
    size = request.page_size or PAGE_SIZE
    start = ((request.page_no or 1) - 1) * size
    page = [] if request.totals_only else found[start : start + size]
    return QueryTransactionResponseType(
        result=result,
        bookings=tuple(_booking(record) for record in page),
        totals=_totals(found),
        total_count=len(found),
    )


def act(memory: Memory, action: str, number: str, amount: str) -> bool:
    """`lose`, `void` or `change` a booking, `invent` one of the system and department of the last, or `refund` the last
    at HIS's own cash desk; False if none of these. Raises LookupError."""
    if action == "refund":
        _refund(memory, number, amount)
        return True
    if action == "invent":
        kind, model = "charges", memory.all("charges")[-1:]
        if not model:
            raise LookupError("There is no booking yet that an invented one could be like.")
        invented = {**model[0], "charge_no": number, "his_charge_no": memory.next_number(kind, "HF"), "amount": amount}
        invented |= {
            "void": False,
            "lines": {},
            "booked_at": datetime.now().astimezone().isoformat(timespec="milliseconds"),
        }
        memory.remember(kind, ("-", str(model[0]["sender"]), number), **invented)
        return True
    if action not in ("lose", "void", "change"):
        return False
    for kind in KINDS:
        for key, record in memory.items(kind):
            if key[-1] == number and action == "lose":
                memory.forget(kind, key)
                return True
            if key[-1] == number:
                memory.remember(kind, key, **{**record, **({"void": True} if action == "void" else {"amount": amount})})
                return True
    raise LookupError(f"{number} is not in the books of HIS.")


def _refund(memory: Memory, number: str, amount: str) -> None:
    """HIS's cashier gives money of the last charge back, before anybody else is told."""
    charges = memory.all("charges")
    if not charges:
        raise LookupError("There is no charge yet that could be given back.")
    charge = charges[-1]
    same = {name: charge.get(name) for name in ("requisition_no", "visit_no", "branch_code", "perform_dept_code")}
    memory.remember(
        "refunds",
        ("-", "HIS", number),
        refund_no=number,
        sender="HIS",
        his_refund_no=memory.next_number("refunds", "HT"),
        original_charge_no=charge["charge_no"],
        source_system=charge["sender"],
        lines=[],
        amount=amount,
        booked_at=datetime.now().astimezone().isoformat(timespec="milliseconds"),
        **same,
    )


def _fitting(memory: Memory, request: QueryTransactionRequest) -> Iterable[Record]:
    assert request.booked_from is not None
    assert request.booked_to is not None
    for record in (record for kind in KINDS for record in memory.all(kind)):
        in_time = request.booked_from <= datetime.fromisoformat(record["booked_at"]) < request.booked_to
        if in_time and request.perform_dept_code in (None, record.get("perform_dept_code")):
            yield record


def _booking(record: Record) -> BookingRecord:
    is_void = record.get("void", False)
    return BookingRecord(
        sender_code=record["sender"],
        branch_code=record.get("branch_code"),
        charge_no=record.get("charge_no"),
        refund_no=record.get("refund_no"),
        his_no=record.get("his_charge_no") or record.get("his_refund_no"),
        transaction_state=TransactionState.REVERSED if is_void else TransactionState.CONFIRMED,
        amount=Decimal(record["amount"]),
        booked_at=datetime.fromisoformat(record["booked_at"]),
        perform_dept_code=record.get("perform_dept_code"),
        visit_no=record.get("visit_no"),
        requisition_no=record.get("requisition_no"),
    )


def _totals(records: Iterable[Record]) -> tuple[BookingTotal, ...]:
    figures: dict[str | None, dict[str, Any]] = defaultdict(
        lambda: {"charge_count": 0, "charge_amount": NONE, "refund_count": 0, "refund_amount": NONE}
    )
    for record in records:
        if not record.get("void"):
            of_dept, word = figures[record.get("perform_dept_code")], "charge" if "charge_no" in record else "refund"
            of_dept[f"{word}_count"] += 1
            of_dept[f"{word}_amount"] += Decimal(record["amount"])
    return tuple(BookingTotal(perform_dept_code=dept, **figure) for dept, figure in figures.items())
