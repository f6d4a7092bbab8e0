"""PushCriticalValue: a department has found a value that endangers a patient; it must reach a doctor, come what may.

Nothing but its number and its content is required, and nothing unknown refuses it. Refused is only what contradicts
itself: the same number for another finding, and a cancellation after somebody has handled it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from gateway.errors import (
    CriticalValueCancelled,
    CriticalValueConflict,
    CriticalValueHandled,
    CriticalValueUnknown,
    InvalidMessage,
)
from gateway.messages.critical_value import PushCriticalValueRequest, PushCriticalValueResponseType
from gateway.model.critical_value import CriticalEvent, CriticalValue
from gateway.model.journal import Alert, AuditEntry, JournalEntry
from gateway.model.partner_hold import HoldMode
from gateway.operations.critical_clocks import look_again, move_on
from gateway.operations.critical_loop import (
    describe,
    find_values,
    open_loop,
    subject_of,
    tell,
    values_of_report,
    waits_for,
)
from gateway.operations.dispatch import Dispatch, Forward, Outcome, PartnerAnswer
from gateway.operations.ledger import content_hash
from gateway.operations.unit import Unit, new_txn_no
from gateway.terms import CriticalStatus

OPERATION = "PushCriticalValue"
ACTIONS = ("NEW", "UPDATE", "CANCEL")
_IDENTIFIER = re.compile(r"[!-~]{1,64}")


def push_critical_value(request: PushCriticalValueRequest, unit: Unit) -> PushCriticalValueResponseType:
    """Open the loop, tell HIS at once and keep telling until it answers (docs/specification/critical-value.md)."""
    unit.subject, unit.requisition_no = f"critical value {request.critical_id}", request.requisition_no
    unit.visit_no = request.visit.visit_no if request.visit is not None else None
    action = (request.action or "NEW").upper()
    doubts = [] if action in ACTIONS else ["Action 未知，按 NEW 处理 (unknown, taken as NEW)"]
    action = action if action in ACTIONS else "NEW"
    unit.detail = f"action={action}"
    digest = content_hash(unit, replace(request, action=None))
    value = _known(request, unit)
    if action == "CANCEL":
        return _cancel(request, unit, value)
    if value is None:
        value, found = open_loop(unit, request)
        value.content_hash = digest
        return _tell(replace(request, action="NEW"), unit, value, [*doubts, *found])
    if value.state is CriticalStatus.CANCELLED:
        raise CriticalValueCancelled(critical_id=value.critical_id, critical_status=value.state)
    if value.content_hash == digest:
        return _answer(unit, value, duplicate=True)
    if not value.content_hash:
        return _join(request, unit, value, digest, doubts)
    if action == "NEW":
        raise CriticalValueConflict(critical_id=value.critical_id, critical_status=value.state)
    value.content_hash = digest
    doubts += describe(unit, value, request)
    if value.handled_at is not None:
        unit.alert("CRITICAL_CHANGED_AFTER_HANDLING", subject_of(value))
    return _tell(request, unit, value, doubts)


def critical_value_delivered(session: Session, forward: Forward, answer: PartnerAnswer, dispatch: Dispatch) -> None:
    """HIS has it: the value is notified. A HIS that refuses it for good is an alarm."""
    origin, critical_id = forward.origin, forward.request.critical_id
    now = datetime.now(UTC)
    if _is_refusal(answer):
        subject = f"critical value {critical_id} of {origin.sender_code} at {forward.partner}: {answer.code}"
        session.add(Alert(raised_at=now, kind="CRITICAL_REFUSED", subject=subject, txn_no=origin.txn_no))
    if not answer.is_yes or forward.request.action == "CANCEL":
        return
    by_report = CriticalValue.opened_by_report.is_(True) & (CriticalValue.report_no == critical_id)
    told = session.scalars(
        select(CriticalValue)
        .where(
            CriticalValue.hospital_code == origin.hospital_code,
            CriticalValue.sender_code == origin.sender_code,
            or_(CriticalValue.critical_id == critical_id, by_report),
        )
        .with_for_update()
    )
    for value in told:
        value.move_on(CriticalEvent.DELIVERED, now)
        look_again(value)


def keep_unreadable_push(
    session: Session,
    *,
    sender_code: str,
    xml: bytes,
    message_id: str,
    hospital_code: str,
    now: datetime,
    txn_no: str | None = None,
    soap_version: str = "",
) -> str:
    """Keep a push that does not keep to the contract, and alarm the duty office: somebody may be in danger.

    Returns the transaction number under which it is found, the one given or a new one; the caller commits.
    `message_id` is what could be read of it, else empty. A repetition that is still unsettled raises no second alarm.
    """
    txn_no = txn_no or new_txn_no(now)
    known_id = message_id if _IDENTIFIER.fullmatch(message_id) else ""
    session.add(
        JournalEntry(
            txn_no=txn_no,
            received_at=now,
            operation=OPERATION,
            sender_code=sender_code,
            message_id=known_id,
            hospital_code=hospital_code,
            branch_code="",
            soap_version=soap_version,
            xml=xml,
            result_code=InvalidMessage.code,
            answered_at=now,
        )
    )
    session.add(
        AuditEntry(
            txn_no=txn_no,
            at=now,
            actor=sender_code,
            action=OPERATION,
            subject=f"message {known_id}".strip(),
            result_code=InvalidMessage.code,
        )
    )
    subject = f"unreadable critical value of {sender_code}, message {known_id or 'without number'}"
    open_alert = select(Alert.id).where(Alert.subject == subject, Alert.settled_at.is_(None)).limit(1)
    if not known_id or session.scalars(open_alert).first() is None:
        session.add(Alert(raised_at=now, kind="CRITICAL_UNREADABLE", subject=subject, txn_no=txn_no))
    session.flush()
    return txn_no


# --- the three actions ------------------------------------------------------------------------------------------------


def _known(request: PushCriticalValueRequest, unit: Unit) -> CriticalValue | None:
    """The critical value of this number, or the one its report has opened in its place."""
    found = find_values(unit, request.critical_id, unit.sender_code)
    if found or request.report_no is None:
        return found[0] if found else None
    opened = [v for v in values_of_report(unit, request.report_no) if not v.content_hash]
    return next((value for value in opened if value.critical_id == request.report_no), None)


def _join(
    request: PushCriticalValueRequest, unit: Unit, value: CriticalValue, digest: str, doubts: list[str]
) -> PushCriticalValueResponseType:
    """The push of a value its report has opened: the clock keeps running, the sender's number counts from now on."""
    value.critical_id, value.content_hash = request.critical_id, digest
    unit.arrived.append(waits_for(unit, request.critical_id))
    doubts += describe(unit, value, request)
    return _tell(replace(request, action="NEW"), unit, value, doubts)


def _cancel(
    request: PushCriticalValueRequest, unit: Unit, value: CriticalValue | None
) -> PushCriticalValueResponseType:
    if value is None:
        raise CriticalValueUnknown()
    if value.state is CriticalStatus.CANCELLED:
        return _answer(unit, value, duplicate=True)
    if not value.may(CriticalEvent.CANCEL):
        raise CriticalValueHandled(critical_id=value.critical_id, critical_status=value.state)
    move_on(value, CriticalEvent.CANCEL, unit.site.rules.critical, unit.now)
    return _tell(request, unit, value, [])


def _tell(
    request: PushCriticalValueRequest, unit: Unit, value: CriticalValue, doubts: list[str]
) -> PushCriticalValueResponseType:
    """Tell HIS and answer. The sender gets `0` whatever came of it: the gateway has taken over the telling."""
    anybody, answer = tell(unit, value, request, at_once=True)
    if not anybody:
        doubts = [*doubts, "没有接收系统，请电话通知 (no receiving system: telephone)"]
    elif answer is not None and answer.code == HoldMode.STOP:
        doubts = [*doubts, "请电话通知 (telephone)"]
    elif answer is not None and not answer.is_yes:
        doubts = [*doubts, "接收系统尚未应答，网关继续发送 (not answered yet, the gateway keeps sending)"]
    if answer is not None:
        unit.session.refresh(value)
    return _answer(unit, value, forwarded=answer is not None and answer.is_yes, doubts=doubts)


def _answer(
    unit: Unit,
    value: CriticalValue,
    *,
    duplicate: bool = False,
    forwarded: bool | None = None,
    doubts: list[str] | None = None,
) -> PushCriticalValueResponseType:
    result = unit.accepted(forwarded=forwarded, warning="；".join(doubts or ()))
    return PushCriticalValueResponseType(
        result=replace(result, duplicate=duplicate),
        critical_id=value.critical_id,
        critical_status=value.state,
        receive_deadline=value.receive_deadline,
        handle_deadline=value.handle_deadline,
    )


def _is_refusal(answer: PartnerAnswer) -> bool:
    """A no that repeating cannot turn into a yes."""
    if answer.outcome is Outcome.FAULT:
        return True
    result = getattr(answer.response, "result", None)
    return answer.outcome is Outcome.ANSWERED and not answer.is_yes and not (result is not None and result.retryable)
