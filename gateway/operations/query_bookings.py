"""The list of what was booked in a time, with totals of each department: others compare their books with it.

A part of QueryTransaction (docs/specification/queries.md, "QueryTransaction").
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, case, func, select

from gateway.errors import QueryInvalid
from gateway.messages.query import BookingRecord, BookingTotal, QueryTransactionRequest, QueryTransactionResponseType
from gateway.model.client import SpecialRight
from gateway.model.money import MoneyKind, MoneyLine, MoneyTransaction
from gateway.model.requisition import Requisition
from gateway.operations.unit import Unit
from gateway.terms import TransactionState

PAGE_SIZE = 1000
"""When the request says nothing, and the most the contract allows."""
LONGEST = timedelta(days=2)
REFUNDS = (MoneyKind.REFUND, MoneyKind.REVERSAL)
_BOOKED_AT = case(
    (MoneyTransaction.source == "HIS", MoneyTransaction.occurred_at),
    else_=func.coalesce(MoneyTransaction.settled_at, MoneyTransaction.created_at),
)
_AMOUNT = (
    select(func.coalesce(func.sum(MoneyLine.amount), Decimal("0.00")))
    .where(MoneyLine.transaction_key == MoneyTransaction.key)
    .scalar_subquery()
)


def query_bookings(request: QueryTransactionRequest, unit: Unit) -> QueryTransactionResponseType:
    """One page of what was booked from BookedFrom until before BookedTo, the oldest first, or only the totals."""
    if request.booked_from is None or request.booked_to is None:
        raise QueryInvalid("BookedFrom 与 BookedTo 须同时填写。", "Give BookedFrom and BookedTo together.")
    if not request.booked_from < request.booked_to <= request.booked_from + LONGEST:
        raise QueryInvalid(
            "BookedTo 应晚于 BookedFrom，且不超过两天。", "BookedTo is to be later, by two days at most."
        )
    if request.charge_no or request.refund_no or request.queried_message_id or request.gateway_txn_no:
        raise QueryInvalid("按时间查询时不能填写编号。", "A list by time takes no number.")
    unit.subject = f"bookings from {request.booked_from:%Y-%m-%d %H:%M} to {request.booked_to:%Y-%m-%d %H:%M}"
    wanted = _wanted(request, unit)
    count, totals = _totals(unit, wanted)
    if request.totals_only:
        return QueryTransactionResponseType(result=unit.accepted(), totals=totals, total_count=count)
    size, page = request.page_size or PAGE_SIZE, request.page_no or 1
    query = (
        select(MoneyTransaction, _BOOKED_AT, _AMOUNT, Requisition.requisition_no)
        .outerjoin(Requisition, Requisition.key == MoneyTransaction.requisition_key)
        .where(*wanted)
        .order_by(_BOOKED_AT, MoneyTransaction.key)
        .limit(size)
        .offset((page - 1) * size)
    )
    found = tuple(_record(*row) for row in unit.session.execute(query))
    unit.detail = f"found={count} given={len(found)}"
    return QueryTransactionResponseType(result=unit.accepted(), bookings=found, totals=totals, total_count=count)


def _wanted(request: QueryTransactionRequest, unit: Unit) -> list[ColumnElement[bool]]:
    """Of this time, hospital and department, and of the caller alone unless it is HIS."""
    wanted = [
        MoneyTransaction.hospital_code == unit.hospital_code,
        request.booked_from <= _BOOKED_AT,
        request.booked_to > _BOOKED_AT,
    ]
    if unit.branch_code:
        wanted.append(MoneyTransaction.branch_code == unit.branch_code)
    if request.perform_dept_code is not None:
        wanted.append(MoneyTransaction.perform_dept_code == request.perform_dept_code)
    if not unit.caller.may(SpecialRight.HIS):
        if request.source_system not in (None, unit.sender_code):
            raise QueryInvalid("只能查询本系统的记账。", "Only your own bookings may be listed.")
        wanted.append(MoneyTransaction.sender_code == unit.sender_code)
    elif request.source_system is not None:
        wanted.append(MoneyTransaction.sender_code == request.source_system)
    return wanted


def _totals(unit: Unit, wanted: list[ColumnElement[bool]]) -> tuple[int, tuple[BookingTotal, ...]]:
    """How many there are in all, and what is booked of each department."""
    refund = MoneyTransaction.kind.in_(REFUNDS)
    booked = MoneyTransaction.state == TransactionState.CONFIRMED
    of_each = select(
        MoneyTransaction.perform_dept_code.label("dept"), refund.label("refund"), booked.label("booked"),
        _AMOUNT.label("amount"),
    ).where(*wanted).subquery()  # fmt: skip
    rows = unit.session.execute(
        select(of_each.c.dept, of_each.c.refund, of_each.c.booked, func.count(), func.sum(of_each.c.amount))
        .group_by(of_each.c.dept, of_each.c.refund, of_each.c.booked)
        .order_by(of_each.c.dept.nulls_first())
    ).all()
    totals: dict[str | None, dict[bool, tuple[int, Decimal]]] = {}
    for dept, is_refund, is_booked, count, amount in rows:
        if is_booked:
            totals.setdefault(dept, {})[is_refund] = (count, amount)
    none = (0, Decimal("0.00"))
    return sum(row[3] for row in rows), tuple(
        BookingTotal(
            perform_dept_code=dept,
            charge_count=both.get(False, none)[0],
            charge_amount=both.get(False, none)[1],
            refund_count=both.get(True, none)[0],
            refund_amount=both.get(True, none)[1],
        )
        for dept, both in totals.items()
    )


def _record(money: MoneyTransaction, booked_at: datetime, amount: Decimal, requisition_no: str | None) -> BookingRecord:
    is_refund = money.kind in REFUNDS
    return BookingRecord(
        sender_code=money.sender_code,
        branch_code=money.branch_code or None,
        charge_no=None if is_refund else money.number,
        refund_no=money.number if is_refund else None,
        his_no=money.his_no,
        transaction_state=money.standing,
        amount=amount,
        booked_at=booked_at,
        perform_dept_code=money.perform_dept_code,
        visit_no=money.visit_no,
        requisition_no=requisition_no,
    )
