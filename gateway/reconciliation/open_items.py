"""Open items: money without an outcome, requisitions that have not arrived, critical values nobody has handled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Select, and_, exists, func, select
from sqlalchemy.orm import Session

from gateway.model.critical_value import CriticalValue
from gateway.model.delivery import UNFINISHED, Delivery
from gateway.model.journal import Alert
from gateway.model.money import MoneyTransaction
from gateway.model.requisition import Requisition
from gateway.terms import CriticalStatus, GatewayStatus, TransactionState

UNSETTLED = (
    TransactionState.PROPOSED,
    TransactionState.SENT,
    TransactionState.PENDING_CONFIRM,
    TransactionState.MANUAL,
)
UNHANDLED = (
    CriticalStatus.NEW,
    CriticalStatus.NOTIFIED,
    CriticalStatus.NURSE_RECEIVED,
    CriticalStatus.DOCTOR_RECEIVED,
)
MOST_ALERTS = 500
CRITICAL_AGE = timedelta(hours=1)
"""How old an open critical value is when this alarms too; its own clocks alarm long before (critical-value.md)."""


class OpenKind(StrEnum):
    """What is open; also the kind of its alert."""

    MONEY = "MONEY_OPEN"
    REQUISITION = "REQUISITION_NOT_DELIVERED"
    CRITICAL = "CRITICAL_OPEN"


@dataclass(frozen=True, slots=True)
class OpenItem:
    """One thing that ought to be finished by now."""

    kind: OpenKind
    txn_no: str
    """By which its alert is recognised."""
    subject: str
    """Numbers only."""
    state: str
    since: datetime


def open_items(session: Session, now: datetime, minutes: int, limit: int = 1000) -> list[OpenItem]:
    """Everything that is open for longer than so many minutes, and every open critical value; the oldest first."""
    items: list[OpenItem] = []
    for kind, query in _queries(now - timedelta(minutes=minutes), now).items():
        items += [OpenItem(kind, *row) for row in session.execute(query.limit(limit))]
    return items


def alert_open_items(session: Session, now: datetime, minutes: int) -> int:
    """An alert for each open item that has none yet; returns how many were raised."""
    raised = 0
    for kind, query in _queries(now - timedelta(minutes=minutes), now - CRITICAL_AGE).items():
        number = query.selected_columns[0]
        told = exists().where(and_(Alert.kind == kind, Alert.txn_no == number, Alert.settled_at.is_(None)))
        for txn_no, subject, state, _ in session.execute(query.where(~told).limit(MOST_ALERTS)).all():
            session.add(Alert(raised_at=now, kind=kind, subject=f"{subject}, {state}", txn_no=txn_no))
            raised += 1
    return raised


def _queries(before: datetime, critical_before: datetime) -> dict[OpenKind, Select[str, str, str, datetime]]:
    """Number, subject, state and since when, of each kind."""
    money = MoneyTransaction
    critical = CriticalValue
    return {
        OpenKind.MONEY: select(
            money.key, func.concat(func.lower(money.kind), " ", money.number, " of ", money.sender_code), money.state,
            money.created_at,
        )
        .where(money.created_at < before, money.state.in_(UNSETTLED))
        .order_by(money.created_at),
        OpenKind.REQUISITION: select(
            Delivery.txn_no, func.concat("requisition ", Delivery.subject, " for ", Delivery.partner), Delivery.state,
            Delivery.created_at,
        )
        .where(
            Delivery.operation == "SubmitRequisition",
            Delivery.state.in_(UNFINISHED),
            Delivery.created_at < before,
            Delivery.replay_of.is_(None),
            exists().where(
                Requisition.hospital_code == Delivery.hospital_code,
                Requisition.requisition_no == Delivery.subject,
                Requisition.gateway_status == GatewayStatus.RELEASED,
            ),
        )
        .order_by(Delivery.id),
        OpenKind.CRITICAL: select(
            critical.key, func.concat("critical value ", critical.critical_id, " of ", critical.sender_code),
            critical.status, critical.received_at,
        )
        .where(critical.status.in_(UNHANDLED), critical.received_at < critical_before)
        .order_by(critical.received_at),
    }  # fmt: skip


def counted(items: Iterable[OpenItem]) -> dict[OpenKind, int]:
    """How many of each kind."""
    result = dict.fromkeys(OpenKind, 0)
    for item in items:
        result[item.kind] += 1
    return result
