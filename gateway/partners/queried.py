"""Asks a partner by QueryTransaction what became of a message about money whose answer was lost."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from gateway.messages.charge import ChargeItemResponseType, LineOutcome, RefundItemResponseType
from gateway.messages.query import QueryTransactionRequest, TransactionRecord
from gateway.messages.status import ChargeOutcome, ReportStatusResponseType
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partners.addressing import Stamp
from gateway.terms import TransactionState

Ask = Callable[[str, Any, Stamp, float], PartnerAnswer]
UNKNOWN_NUMBER = "QRY-404"
"""What a partner answers that knows no transaction under a number."""
UNDECIDED = frozenset(
    {
        TransactionState.PROPOSED,
        TransactionState.SENT,
        TransactionState.PENDING_CONFIRM,
        TransactionState.MANUAL,
    }
)


def find_booking(ask: Ask, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer | None:
    """What became of a charge, refund or registration whose answer was lost, as if it had been answered now.

    Charges and refunds are asked for by their numbers, a registration, which has none, by its MessageId. None when
    the partner does not know it, so that it has to be sent again; UNKNOWN when the partner gave no answer to it (its
    code begins with QUERY) or has not decided (its code is the transaction's state).
    """
    query = _question(operation, request, stamp)
    asked_as = replace(stamp, message_id=f"{stamp.message_id}-Q{secrets.token_hex(4)}")
    answer = ask("QueryTransaction", query, asked_as, seconds)
    if answer.outcome is Outcome.ANSWERED and answer.code == UNKNOWN_NUMBER:
        return None
    if not answer.is_yes:
        return PartnerAnswer(Outcome.UNKNOWN, f"QUERY-{answer.code}")
    number = query.charge_no or query.refund_no or query.queried_message_id
    found = [
        record
        for record in answer.response.transactions
        if record.operation == operation and number in (record.charge_no, record.refund_no, record.message_id)
    ]
    if not found and answer.response.transactions:  # it has looked for something else than it was asked
        return PartnerAnswer(Outcome.UNKNOWN, "QUERY-OTHER", detail="The partner tells of other transactions only.")
    return _as_answer(request, found[-1], answer) if found else None


def _question(operation: str, request: Any, stamp: Stamp) -> QueryTransactionRequest:
    if operation == "ReportStatus":
        return QueryTransactionRequest(
            header=request.header, queried_message_id=stamp.message_id, queried_operation=operation
        )
    is_charge = operation == "ChargeItem"
    return QueryTransactionRequest(
        header=request.header,
        charge_no=request.charge_no if is_charge else None,
        refund_no=None if is_charge else request.refund_no,
        source_system=stamp.origin.sender_code,
    )


def _as_answer(request: Any, record: TransactionRecord, asked: PartnerAnswer) -> PartnerAnswer:
    """A transaction the partner knows, told as the answer that was lost."""
    state = record.transaction_state
    said = record.result_code
    if state in UNDECIDED or (state is None and said.endswith(("-429", "-503", "-504"))):
        return PartnerAnswer(Outcome.UNKNOWN, str(state or said))
    booked = state is TransactionState.CONFIRMED or (state is None and said == "0")
    code = "0" if booked else said if said != "0" else str(state)
    result = replace(asked.response.result, result_code=code, message_id=record.message_id, duplicate=True)
    if record.operation == "ReportStatus":
        response: Any = ReportStatusResponseType(result=result, charge_result=_charged(record, code))
    elif record.operation == "ChargeItem":
        response = ChargeItemResponseType(
            result=result,
            charge_no=record.charge_no,
            his_charge_no=record.his_charge_no,
            transaction_state=state,
            lines=_price(request, record.amount) if booked else (),
        )
    else:
        response = RefundItemResponseType(
            result=result,
            refund_no=record.refund_no,
            his_refund_no=record.his_refund_no,
            transaction_state=state,
            refunded_amount=record.amount if booked else None,
        )
    return PartnerAnswer(Outcome.ANSWERED, code, response, "" if booked else asked.text)


def _charged(record: TransactionRecord, code: str) -> ChargeOutcome | None:
    """What was booked with a registration, or reversed with its withdrawal; None when nothing was."""
    if record.transaction_state is None:
        return None
    return ChargeOutcome(
        charge_no=record.charge_no or record.refund_no,
        his_charge_no=record.his_charge_no or record.his_refund_no,
        transaction_state=record.transaction_state,
        amount=record.amount,
        result_code=code,
    )


def _price(request: Any, amount: Decimal | None) -> tuple[LineOutcome, ...]:
    """A query tells only the sum: it gives the price of the one line that went without, when there is just one."""
    unpriced = [line for line in request.lines if line.actual_amount is None]
    if amount is None or len(unpriced) != 1:
        return ()
    price = amount - sum((line.actual_amount for line in request.lines if line.actual_amount is not None), Decimal(0))
    return (LineOutcome(line_no=unpriced[0].line_no, result_code="0", amount=price),)
