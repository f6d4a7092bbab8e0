"""Under which name and number a message goes to a partner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway.messages.common import CriticalHeader, Header
from gateway.operations.dispatch import Origin
from gateway.partner_config import Partner


@dataclass(frozen=True, slots=True)
class Stamp:
    """Under which number a message goes to a partner, and where it came from."""

    message_id: str
    origin: Origin


def addressed(partner: Partner, operation: str, request: Any, stamp: Stamp, now: datetime) -> Any:
    """The message as the partner gets it: our name and number in its header, its origin beside them."""
    header: Header | CriticalHeader = replace(
        request.header,
        message_id=stamp.message_id,
        sender_code=partner.our_code,
        sent_at=now,
        origin_sender_code=stamp.origin.sender_code,
        origin_message_id=stamp.origin.message_id,
    )
    if operation == "RefundItem" and request.source_system is None:
        return replace(request, header=header, source_system=stamp.origin.sender_code)
    if operation == "AcknowledgeCriticalValue" and request.source_system is None:
        return replace(request, header=header, source_system=partner.client_name)
    return replace(request, header=header)
