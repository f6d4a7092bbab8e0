"""What follows from the answer to a replay: nothing is booked by it; whoever is on duty hears what is not as before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from gateway.delivery.alarms import raise_alarms
from gateway.delivery.locks import is_money
from gateway.messages.wire import Wire
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.journal import Alert
from gateway.operations.dispatch import PartnerAnswer

FAILED, DIFFERS = "REPLAY_FAILED", "REPLAY_DIFFERS"
TOLD = ("his_charge_no", "his_refund_no", "transaction_state", "refunded_amount")
"""What a partner tells of a booking, beside the amounts of its lines."""

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))")
"""Several may fail at once, and there is to be one alert."""


def after_replay(
    session: Session, wire: Wire, row: Delivery, answer: PartnerAnswer, now: datetime, *, registers: bool = False
) -> None:
    """Raise an alert when a replay fails or is answered otherwise than its original was.

    Of money, and of registrations by which HIS charges (`registers`), each has one of its own; of all else a replay has
    one for each partner, however many fail.
    """
    if row.state == DeliveryState.UNKNOWN:
        raise_alarms(session, row, answer.outcome, now, registers=registers)
    elif row.state in (DeliveryState.REFUSED, DeliveryState.DEAD):
        _alert(session, FAILED, _subject(row, f": {answer.code}", registers=registers), row.txn_no, now)
    elif row.state == DeliveryState.DELIVERED:
        differing = _differing(session, wire, row, answer)
        if differing:
            how = f", differs in {', '.join(differing)}"
            _alert(session, DIFFERS, _subject(row, how, registers=registers), row.txn_no, now)


def _differing(session: Session, wire: Wire, row: Delivery, answer: PartnerAnswer) -> list[str]:
    """In which of the things that both answers tell they are not the same."""
    original = session.scalars(select(Delivery.answer).where(Delivery.id == row.replay_of)).one_or_none()
    if original is None or answer.response is None:
        return []
    before, after = _told(wire.read_text(f"{row.operation}ResponseType", original)), _told(answer.response)
    return sorted(name for name in before.keys() & after.keys() if before[name] != after[name])


def _told(response: Any) -> dict[str, Any]:
    """What a partner's answer tells of a booking, by name."""
    response = getattr(response, "charge_result", None) or response
    told = {name: getattr(response, name, None) for name in TOLD}
    told |= {f"line {line.line_no}": line.amount for line in getattr(response, "lines", None) or ()}
    return {name: value for name, value in told.items() if value is not None}


def _subject(row: Delivery, how: str, *, registers: bool) -> str:
    subject = f"replay {row.replay_batch} to {row.partner}"
    if not (is_money(row.operation) or registers):
        return subject
    return f"{subject}, delivery {row.message_id} of GW-{row.replay_of}, {row.operation}, {row.subject}{how}"


def _alert(session: Session, kind: str, subject: str, txn_no: str, now: datetime) -> None:
    session.execute(_ONE_AT_A_TIME, {"subject": subject})
    known = select(Alert.id).where(Alert.kind == kind, Alert.subject == subject, Alert.settled_at.is_(None))
    if session.scalars(known.limit(1)).first() is None:
        session.add(Alert(raised_at=now, kind=kind, subject=subject, txn_no=txn_no))
