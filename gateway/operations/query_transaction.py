"""QueryTransaction: what became of a message, a charge or a refund, for a caller whose answer got lost."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, select

from gateway.errors import MessageConflict, QueryInvalid, QueryUnknown
from gateway.messages.query import QueryTransactionRequest, QueryTransactionResponseType, TransactionRecord
from gateway.model.client import SpecialRight
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.journal import JournalEntry, MessageKey
from gateway.model.money import MoneyKind, MoneyTransaction
from gateway.operations.insurance import OPERATIONS
from gateway.operations.query_bookings import query_bookings
from gateway.operations.unit import Unit

MOST = 50
"""As many records as the contract allows in one answer."""
CRITERIA = ("queried_message_id", "gateway_txn_no", "charge_no", "refund_no")
REFUNDS = (MoneyKind.REFUND, MoneyKind.REVERSAL)


def query_transaction(request: QueryTransactionRequest, unit: Unit) -> QueryTransactionResponseType:
    """What fits all numbers given, or was booked in a time; a caller sees its own, HIS sees everybody's."""
    if request.booked_from is not None or request.booked_to is not None:
        return query_bookings(request, unit)
    named = [name for name in CRITERIA if getattr(request, name) is not None]
    if not named:
        raise QueryInvalid(
            "QueriedMessageId、GatewayTxnNo、ChargeNo、RefundNo 至少填一个，或填 BookedFrom 与 BookedTo。",
            "Give QueriedMessageId, GatewayTxnNo, ChargeNo or RefundNo, or BookedFrom and BookedTo.",
        )
    unit.subject = " ".join(f"{name} {getattr(request, name)}" for name in named)
    if request.source_system not in (None, unit.sender_code) and not unit.caller.may(SpecialRight.HIS):
        raise QueryUnknown()
    entries = _entries(request, unit)
    records = [record for entry in entries for record in _records(request, unit, entry)]
    if not records:
        raise QueryUnknown()
    unit.detail = f"found={len(records)}"
    return QueryTransactionResponseType(result=unit.accepted(), transactions=tuple(records[:MOST]))


# --- which messages ---------------------------------------------------------------------------------------------------


def _entries(request: QueryTransactionRequest, unit: Unit) -> list[tuple[JournalEntry, str]]:
    """The messages meant, in the order they came, each with the result code of its latest answer."""
    query = select(JournalEntry).where(*_visible(request, unit, JournalEntry))
    if request.gateway_txn_no is not None:
        query = query.where(JournalEntry.txn_no == request.gateway_txn_no)
    if request.queried_message_id is not None:
        query = query.where(JournalEntry.message_id == request.queried_message_id)
    if request.queried_operation is not None:
        query = query.where(JournalEntry.operation == request.queried_operation)
    if request.charge_no is not None or request.refund_no is not None:
        numbers = [transaction.txn_no for transaction in _money(request, unit)]
        query = query.where(JournalEntry.txn_no.in_(numbers))
    found = unit.session.scalars(query.order_by(JournalEntry.received_at, JournalEntry.txn_no)).all()
    if request.queried_message_id is None:
        return [(entry, entry.result_code) for entry in found]
    return _one_per_message(unit, found)


def _one_per_message(unit: Unit, entries: Iterable[JournalEntry]) -> list[tuple[JournalEntry, str]]:
    """Of a message that was repeated, the one that counted, and what was answered last."""
    by_message: dict[tuple[str, str, str], list[JournalEntry]] = {}
    for entry in entries:
        by_message.setdefault((entry.sender_code, entry.operation, entry.message_id), []).append(entry)
    result = []
    for key, all_of_it in by_message.items():
        known = unit.session.get(MessageKey, key)
        own = [entry for entry in all_of_it if entry.result_code != MessageConflict.code] or all_of_it
        counted = next((entry for entry in own if known is not None and entry.txn_no == known.txn_no), own[-1])
        result.append((counted, own[-1].result_code))
    return result


def _money(request: QueryTransactionRequest, unit: Unit, txn_no: str | None = None) -> list[MoneyTransaction]:
    """The charges and refunds of the numbers given, or all of one message."""
    query = select(MoneyTransaction).where(*_visible(request, unit, MoneyTransaction))
    if txn_no is not None:
        query = query.where(MoneyTransaction.txn_no == txn_no)
    if request.charge_no is not None:
        query = query.where(MoneyTransaction.number == request.charge_no, MoneyTransaction.kind == MoneyKind.CHARGE)
    if request.refund_no is not None:
        query = query.where(MoneyTransaction.number == request.refund_no, MoneyTransaction.kind.in_(REFUNDS))
    return list(unit.session.scalars(query.order_by(MoneyTransaction.created_at, MoneyTransaction.key)))


def _visible(
    request: QueryTransactionRequest, unit: Unit, table: type[JournalEntry] | type[MoneyTransaction]
) -> list[ColumnElement[bool]]:
    """Of this hospital, and of the caller alone unless it is HIS."""
    of_hospital = table.hospital_code == unit.hospital_code
    if unit.caller.may(SpecialRight.HIS) and request.source_system is None:
        return [of_hospital]
    return [of_hospital, table.sender_code == (request.source_system or unit.sender_code)]


# --- what is told of them ---------------------------------------------------------------------------------------------


def _records(request: QueryTransactionRequest, unit: Unit, entry: tuple[JournalEntry, str]) -> list[TransactionRecord]:
    """One record of the message, or one for each of its charges and refunds."""
    message, code = entry
    money: list[MoneyTransaction | None] = [*_money(request, unit, message.txn_no)]
    delivered = _is_delivered(unit, message.txn_no)
    return [_record(message, code, transaction, delivered) for transaction in money or [None]]


def _record(
    message: JournalEntry, code: str, money: MoneyTransaction | None, delivered: bool | None
) -> TransactionRecord:
    is_charge = money is not None and money.kind == MoneyKind.CHARGE
    is_refund = money is not None and not is_charge
    return TransactionRecord(
        operation=message.operation,
        gateway_txn_no=message.txn_no,
        sender_code=message.sender_code,
        message_id=message.message_id,
        received_at=message.received_at,
        result_code=code,
        charge_no=money.number if money is not None and is_charge else None,
        refund_no=money.number if money is not None and is_refund else None,
        his_charge_no=money.his_no if money is not None and is_charge else None,
        his_refund_no=money.his_no if money is not None and is_refund else None,
        transaction_state=money.standing if money is not None else None,
        amount=money.amount if money is not None else None,
        delivered=delivered,
    )


def _is_delivered(unit: Unit, txn_no: str) -> bool | None:
    """Whether everybody who must have it has it; None when nobody must. What insurance makes of it is HIS's affair."""
    query = select(Delivery.state).where(
        Delivery.txn_no == txn_no, Delivery.operation.not_in(OPERATIONS), Delivery.replay_of.is_(None)
    )
    states = unit.session.scalars(query).all()
    wanted = [state for state in states if state != DeliveryState.DISCARDED]
    return all(state == DeliveryState.DELIVERED for state in wanted) if wanted else None
