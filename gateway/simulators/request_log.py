"""One line of JSON per request a simulated system received: what came, from whom, about which number, what it answered.

No line holds a name, an opinion or a finding; numbers and codes only.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

NUMBERS = (
    "action",
    "event",
    "ack_type",
    "requisition_no",
    "charge_no",
    "refund_no",
    "original_charge_no",
    "source_system",
    "critical_id",
    "ack_id",
    "overdue_stage",
    "escalation_level",
    "report_no",
    "report_version",
    "event_no",
    "visit_no",
    "scope",
    "queried_message_id",
    "gateway_txn_no",
)
"""Fields of requests that say what a message is about, in the order of the log."""


class RequestLog:
    """Appends to a file and flushes each line at once, so that others may read along."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._lock = Lock()

    def write(self, operation: str, result_code: str, request: Any = None, **more: Any) -> None:
        """Note one request; `request` is its dataclass if it could be read."""
        line = {"at": datetime.now().astimezone().isoformat(timespec="milliseconds"), "operation": operation}
        if request is not None:
            line |= _header(request.header) | numbers_of(request)
        line |= {"result_code": result_code} | {name: value for name, value in more.items() if value is not None}
        with self._lock:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


def _header(header: Any) -> dict[str, str]:
    found = {
        "message_id": header.message_id,
        "sender": header.sender_code,
        "origin_sender": header.origin_sender_code,
        "origin_message_id": header.origin_message_id,
    }
    return {name: value for name, value in found.items() if value is not None}


def numbers_of(request: Any) -> dict[str, Any]:
    """What a request is about."""
    found = {name: getattr(request, name, None) for name in NUMBERS}
    if hasattr(request, "requisitions"):
        found["requisition_no"] = request.requisitions[0].requisition_no
    if found["visit_no"] is None:
        found["visit_no"] = getattr(getattr(request, "visit", None), "visit_no", None)
    return {name: value for name, value in found.items() if value is not None}
