"""The simulated HIS: books charges and refunds, each number once, and receives what clinicians must see."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from gateway.errors import AlreadyCharged, QueryUnknown, RefundExceedsCharge, RefundOriginalUnknown
from gateway.messages.charge import (
    ChargeItemRequest,
    ChargeItemResponseType,
    ChargeLine,
    LineOutcome,
    RefundItemRequest,
    RefundItemResponseType,
)
from gateway.messages.query import QueryTransactionRequest, QueryTransactionResponseType, TransactionRecord
from gateway.messages.status import ReportStatusRequest, ReportStatusResponseType
from gateway.simulators import his_books
from gateway.simulators.clinical import ClinicalSystem
from gateway.simulators.memory import Record
from gateway.simulators.system import own_key, sender_of
from gateway.terms import StatusCode, StatusEvent, TransactionState

CENT = Decimal("0.01")
LIST_PRICE = Decimal("120.00")
"""What an item costs that comes without a price."""

STATUS_AFTER = {
    StatusEvent.BOOK: StatusCode.BOOKED,
    StatusEvent.UNBOOK: StatusCode.RELEASED,
    StatusEvent.REGISTER: StatusCode.IN_PROGRESS,
    StatusEvent.CANCEL_REG: StatusCode.RELEASED,
    StatusEvent.EXAM_DONE: StatusCode.EXAMINED,
    StatusEvent.STOP: StatusCode.STOPPED,
    StatusEvent.REJECT: StatusCode.REJECTED,
    StatusEvent.PRELIM: StatusCode.PRELIMINARY,
    StatusEvent.FINAL: StatusCode.REPORTED,
    StatusEvent.WITHDRAW: StatusCode.EXAMINED,
}


class SimulatedHis(ClinicalSystem):
    """Knows every booking by the number of the system that asked for it: asked twice, it books once."""

    name = "HIS"

    # --- statuses -----------------------------------------------------------------------------------------------------

    def report_status(self, request: ReportStatusRequest) -> ReportStatusResponseType:
        status = STATUS_AFTER[request.event]
        self.memory.remember(
            "statuses",
            own_key(request, request.header.message_id),
            requisition_no=request.requisition_no,
            event=request.event,
            status=status,
            sender=sender_of(request),
            **_stamp(request),
        )
        return ReportStatusResponseType(result=self.accepted(request), current_status=status, applied=True)

    # --- money --------------------------------------------------------------------------------------------------------

    def charge_item(self, request: ChargeItemRequest) -> ChargeItemResponseType:
        key = own_key(request, request.charge_no)
        known = self.memory.recall("charges", key)
        lines = {str(line.line_no): _booked(line) for line in request.lines}
        if known is not None and known["lines"] != lines:
            raise AlreadyCharged("该计费号已用于其他费用。", "This number was used for another charge.")
        charge = known or self.memory.remember(
            "charges",
            key,
            charge_no=request.charge_no,
            sender=sender_of(request),
            his_charge_no=self.memory.next_number("charges", "HF"),
            requisition_no=request.requisition_no,
            visit_no=request.visit.visit_no,
            branch_code=request.header.branch_code,
            perform_dept_code=request.perform_dept_code,
            lines=lines,
            amount=_total(lines),
            **_stamp(request),
        )
        return ChargeItemResponseType(
            result=self.accepted(request, duplicate=known is not None),
            charge_no=request.charge_no,
            his_charge_no=charge["his_charge_no"],
            transaction_state=TransactionState.CONFIRMED,
            lines=tuple(
                LineOutcome(line_no=int(number), result_code="0", amount=Decimal(line["amount"]))
                for number, line in charge["lines"].items()
            ),
        )

    def refund_item(self, request: RefundItemRequest) -> RefundItemResponseType:
        key = own_key(request, request.refund_no)
        known = self.memory.recall("refunds", key)
        refund = known or self._refund(request, key)
        return RefundItemResponseType(
            result=self.accepted(request, duplicate=known is not None),
            refund_no=request.refund_no,
            his_refund_no=refund["his_refund_no"],
            transaction_state=TransactionState.CONFIRMED,
            refunded_amount=Decimal(refund["amount"]),
            lines=tuple(
                LineOutcome(line_no=line.original_line_no, result_code="0", amount=line.refund_amount)
                for line in request.lines
            ),
        )

    def _refund(self, request: RefundItemRequest, key: tuple[str, ...]) -> Record:
        self._check_original(request)
        return self.memory.remember(
            "refunds",
            key,
            refund_no=request.refund_no,
            sender=sender_of(request),
            his_refund_no=self.memory.next_number("refunds", "HT"),
            original_charge_no=request.original_charge_no,
            source_system=request.source_system or sender_of(request),
            requisition_no=request.requisition_no,
            initiator=request.initiator,
            branch_code=request.header.branch_code,
            perform_dept_code=self._department_of(request),
            lines=[
                {
                    "original_line_no": line.original_line_no,
                    "quantity": str(line.refund_quantity),
                    "amount": str(line.refund_amount),
                }
                for line in request.lines
            ],
            amount=str(sum((line.refund_amount or Decimal(0) for line in request.lines), Decimal("0.00"))),
            **_stamp(request),
        )

    def _department_of(self, request: RefundItemRequest) -> str | None:
        source = request.source_system or sender_of(request)
        charge = self.memory.recall("charges", (request.header.hospital_code, source, request.original_charge_no or ""))
        return charge.get("perform_dept_code") if charge is not None else None

    def act(self, action: str, number: str, amount: str = "") -> None:
        """`lose`, `void`, `change`, `invent` or `refund` a booking, as happens in books."""
        if not his_books.act(self.memory, action, number, amount):
            super().act(action, number, amount)

    def _check_original(self, request: RefundItemRequest) -> None:
        """No more goes back than was booked. What HIS charged by itself stands in books that are not simulated."""
        source = request.source_system or sender_of(request)
        if source == self.name:
            return
        number = request.original_charge_no or ""
        charge = self.memory.recall("charges", (request.header.hospital_code, source, number))
        if charge is None:
            raise RefundOriginalUnknown()
        for line in request.lines:
            booked = charge["lines"].get(str(line.original_line_no))
            if booked is None:
                raise RefundOriginalUnknown()
            back = self._refunded(number, source, line.original_line_no)
            if back + (line.refund_quantity or Decimal(0)) > Decimal(booked["quantity"]):
                raise RefundExceedsCharge()

    def _refunded(self, charge_no: str, source: str, line_no: int) -> Decimal:
        return sum(
            (
                Decimal(line["quantity"])
                for refund in self.memory.all("refunds")
                if refund["original_charge_no"] == charge_no and refund["source_system"] == source
                for line in refund["lines"]
                if line["original_line_no"] == line_no
            ),
            Decimal(0),
        )

    def query_transaction(self, request: QueryTransactionRequest) -> QueryTransactionResponseType:
        """What is booked under a number; the answer to whoever lost the answer to the booking itself."""
        if request.booked_from is not None or request.booked_to is not None:
            return his_books.listed(self.memory, request, self.accepted(request))
        sender = request.source_system or sender_of(request)
        hospital = request.header.hospital_code
        wanted = {
            "charges": request.charge_no,
            "refunds": request.refund_no,
            "statuses": request.queried_message_id,
        }
        known = [self.memory.recall(kind, (hospital, sender, number or "")) for kind, number in wanted.items()]
        found = tuple(_transaction(record) for record in known if record is not None)
        if not found:
            raise QueryUnknown()
        return QueryTransactionResponseType(result=self.accepted(request), transactions=found)


def _booked(line: ChargeLine) -> dict[str, str]:
    """A line as it is booked; one without a price gets the price of the list."""
    amount = line.actual_amount
    if amount is None:
        amount = (LIST_PRICE * line.quantity).quantize(CENT, ROUND_HALF_UP)
    return {"charge_code": line.charge_code, "quantity": str(line.quantity), "amount": str(amount)}


def _stamp(request: Any) -> dict[str, str]:
    """Which message booked it, and when."""
    return {
        "message_id": request.header.message_id,
        "booked_at": datetime.now().astimezone().isoformat(timespec="milliseconds"),
    }


def _total(lines: dict[str, dict[str, str]]) -> str:
    return str(sum(Decimal(line["amount"]) for line in lines.values()))


def _transaction(booking: Record) -> TransactionRecord:
    if "event" in booking:
        return TransactionRecord(
            operation="ReportStatus",
            gateway_txn_no=booking["message_id"],
            sender_code=booking["sender"],
            message_id=booking["message_id"],
            received_at=datetime.fromisoformat(booking["booked_at"]),
            result_code="0",
        )
    return TransactionRecord(
        operation="ChargeItem" if "charge_no" in booking else "RefundItem",
        gateway_txn_no=booking.get("his_charge_no") or booking["his_refund_no"],
        sender_code=booking["sender"],
        message_id=booking["message_id"],
        received_at=datetime.fromisoformat(booking["booked_at"]),
        result_code="0",
        charge_no=booking.get("charge_no"),
        refund_no=booking.get("refund_no"),
        his_charge_no=booking.get("his_charge_no"),
        his_refund_no=booking.get("his_refund_no"),
        transaction_state=TransactionState.CONFIRMED,
        amount=Decimal(booking["amount"]),
        delivered=True,
    )
