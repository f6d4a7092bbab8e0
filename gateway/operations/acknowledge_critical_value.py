"""AcknowledgeCriticalValue: who has read, received or handled a critical value; who found it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import (
    AcknowledgedBeforePush,
    CriticalValueAmbiguous,
    CriticalValueCancelled,
    CriticalValueConflict,
    CriticalValueUnknown,
    OpinionMissing,
)
from gateway.messages.critical_value import AcknowledgeCriticalValueRequest, AcknowledgeCriticalValueResponseType
from gateway.model.client import Client
from gateway.model.critical_value import CriticalAcknowledgement, CriticalEvent, CriticalValue
from gateway.operations.critical_clocks import look_again, move_on
from gateway.operations.critical_loop import find_values, order_key, subject_of, waits_for
from gateway.operations.dispatch import Dispatch, Forward, PartnerAnswer
from gateway.operations.ledger import content_hash
from gateway.operations.unit import Unit
from gateway.terms import AckType

OPERATION = "AcknowledgeCriticalValue"


def acknowledge_critical_value(
    request: AcknowledgeCriticalValueRequest, unit: Unit
) -> AcknowledgeCriticalValueResponseType:
    """Keep the acknowledgement for ever and move the loop on (docs/specification/critical-value.md)."""
    unit.subject, unit.detail = f"critical value {request.critical_id}", f"type={request.ack_type}"
    if request.ack_type is AckType.HANDLE and request.opinion is None:
        raise OpinionMissing()
    value = _find(request, unit)
    unit.requisition_no, unit.visit_no, unit.patient_id = value.requisition_no, value.visit_no, value.patient_id
    digest = content_hash(unit, request)
    if _is_repetition(request, unit, value, digest):
        return _answer(unit, value, duplicate=True)
    event = CriticalEvent(request.ack_type)
    if not value.may(event):
        raise CriticalValueCancelled(critical_id=value.critical_id, critical_status=value.state)
    unit.add(
        CriticalAcknowledgement,
        critical_value_key=value.key,
        sender_code=unit.sender_code,
        ack_id=request.ack_id,
        ack_type=request.ack_type,
        actor_code=request.actor_code,
        acted_at=request.acted_at,
        received_at=unit.now,
        content_hash=digest,
        request=unit.text_of(request),
        txn_no=unit.txn_no,
    )
    move_on(value, event, unit.site.rules.critical, unit.now)
    if request.ack_type is AckType.UNREACHABLE:
        unit.alert("CRITICAL_UNREACHABLE", subject_of(value))
    if _tell(request, unit, value):
        return _answer(unit, value)
    return _answer(unit, value, warning="来源系统未配置为接收方 (the originator is not configured as a partner)")


def acknowledgement_delivered(session: Session, forward: Forward, answer: PartnerAnswer, dispatch: Dispatch) -> None:
    """The department that found it has taken an opinion: with that its return is done."""
    request = forward.request
    found_it = dispatch.client_of(forward.partner) == request.source_system
    if not (answer.is_yes and found_it and request.ack_type is AckType.HANDLE):
        return
    value = session.scalars(
        select(CriticalValue)
        .where(
            CriticalValue.hospital_code == forward.origin.hospital_code,
            CriticalValue.critical_id == request.critical_id,
            CriticalValue.sender_code == request.source_system,
        )
        .with_for_update()
    ).one_or_none()
    if value is not None:
        value.opinion_is_back(datetime.now(UTC))
        look_again(value)


def _find(request: AcknowledgeCriticalValueRequest, unit: Unit) -> CriticalValue:
    """The one critical value meant; one that has not come yet is waited for, unless its sender cannot exist."""
    found = find_values(unit, request.critical_id, request.source_system)
    if len(found) > 1:
        raise CriticalValueAmbiguous()
    if found:
        return found[0]
    if request.source_system is not None and unit.session.get(Client, request.source_system) is None:
        raise CriticalValueUnknown("SourceSystem 不是网关的客户端。", "SourceSystem is no client of the gateway.")
    raise AcknowledgedBeforePush(waits_for=waits_for(unit, request.critical_id))


def _is_repetition(request: AcknowledgeCriticalValueRequest, unit: Unit, value: CriticalValue, digest: str) -> bool:
    """True when this acknowledgement is known. Raises CriticalValueConflict when its number has other content."""
    known = unit.session.scalars(
        select(CriticalAcknowledgement.content_hash).where(
            CriticalAcknowledgement.critical_value_key == value.key,
            CriticalAcknowledgement.sender_code == unit.sender_code,
            CriticalAcknowledgement.ack_id == request.ack_id,
        )
    ).one_or_none()
    if known is not None and known != digest:
        raise CriticalValueConflict(critical_id=value.critical_id, critical_status=value.state)
    return known is not None


def _tell(request: AcknowledgeCriticalValueRequest, unit: Unit, value: CriticalValue) -> bool:
    """Queue it for the system that found the value and for whom the routes name; False when nobody gets it."""
    routed = unit.dispatch.partners_for(OPERATION, hospital_code=unit.hospital_code)
    originator = unit.dispatch.partner_of(value.sender_code)
    if value.sender_code == unit.sender_code:
        value.opinion_is_back(unit.now)
        look_again(value)
    partners = dict.fromkeys([originator, *routed] if originator is not None else routed)
    message = replace(request, critical_id=value.critical_id, source_system=value.sender_code)
    told = unit.send(partners, OPERATION, message, order_key(value), urgent=True)
    return told or value.sender_code == unit.sender_code


def _answer(
    unit: Unit, value: CriticalValue, *, duplicate: bool = False, warning: str | None = None
) -> AcknowledgeCriticalValueResponseType:
    return AcknowledgeCriticalValueResponseType(
        result=replace(unit.accepted(warning=warning), duplicate=duplicate),
        critical_id=value.critical_id,
        critical_status=value.state,
    )
