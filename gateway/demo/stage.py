"""Where the stories are played: systems that call, systems that receive, and a board that shows it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.demo.board import Board, StoryFailed
from gateway.demo.callers import Answer, Caller
from gateway.simulators.process import SimulatorProcess
from gateway.terms import CriticalStatus, GatewayStatus, StatusCode, TransactionState, VisitState

ARRIVAL_SECONDS = 30.0
KINDS = ("Action", "ReleaseEvent", "Event", "AckType", "ChargePoint", "Initiator", "Scope")
NUMBERS = ("CriticalId", "RefundNo", "ChargeNo", "ReportNo", "EventNo", "RequisitionNo", "VisitNo")
SETS: dict[str, type[StrEnum]] = {
    "GatewayStatus": GatewayStatus,
    "TransactionState": TransactionState,
    "CurrentStatus": StatusCode,
    "CriticalStatus": CriticalStatus,
    "VisitState": VisitState,
}
SHOWN = (*SETS, "TotalCount")
"""What of an answer is shown beside its code."""


@dataclass(slots=True)
class Stage:
    """A running gateway with its partners."""

    callers: Mapping[str, Caller]
    partners: Mapping[str, SimulatorProcess]
    board: Board
    sent_at: float = 0

    def send(
        self,
        name: str,
        operation: str,
        request: dict[str, Any],
        *,
        message_id: str | None = None,
        expect: str = "0",
        why: str = "",
    ) -> Any:
        """A system calls the gateway; the Response. Raises StoryFailed when the answer has another code than expected.

        `why` the gateway refuses, where it has to.
        """
        self.sent_at = time.time()
        answer = self.callers[name].call(operation, request, message_id)
        self.board.travel(name, "gateway", operation, _about(request), answer.code, _said(answer), answer.seconds)
        if answer.code != expect:
            raise StoryFailed(
                f"{operation} of {name}: expected the gateway to answer {expect}, it said {answer.code} {answer.text}"
            )
        if why:
            self.board.check(why, answer.code, expect)
        return answer.body

    def tells(self, name: str, operation: str, *, expect: str = "0", **values: Any) -> None:
        """A vendor's system calls in its own dialect, by a facade. Raises StoryFailed unless it was answered so."""
        self.sent_at = began = time.time()
        _, text = self.partners[name].send(operation, **values)
        found = re.search(r"<returnCode[^>]*>([^<]*)<", text)
        code = found[1] if found else "?"
        about = " ".join(str(value) for value in values.values())
        self.board.travel(name, "facade", operation, about, code, "", time.time() - began)
        if code != expect:
            raise StoryFailed(f"{operation} of {name}: expected the facade to answer {expect}, it said {code}")

    def arrived(self, name: str, operation: str, *, times: int = 1, **numbers: Any) -> list[dict[str, Any]]:
        """What a partner has received and accepted, so often; waits for it. Raises StoryFailed."""
        partner = self.partners[name]
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while len(found := partner.requests(operation, **numbers)) < times and time.monotonic() < deadline:
            time.sleep(0.03)
        about = " ".join(str(value) for value in numbers.values())
        codes = [line["result_code"] for line in found]
        if codes != ["0"] * times:
            had = f"answered {', '.join(codes)}" if codes else f"nothing after {ARRIVAL_SECONDS:.0f} s"
            raise StoryFailed(f"at {name}: expected {operation} {about}, accepted {_often(times)}; its log has {had}")
        for line in found:
            seconds = max(datetime.fromisoformat(line["at"]).timestamp() - self.sent_at, 0)
            kind = line.get("action") or line.get("event") or line.get("ack_type") or ""
            said = str(line.get("his_charge_no") or line.get("his_refund_no") or "")
            what = " ".join(dict.fromkeys([kind, *about.split()])).strip()
            self.board.travel("gateway", name, operation, what, line["result_code"], said, seconds)
        return found

    def booked(self, kind: str, **numbers: Any) -> list[dict[str, Any]]:
        """What HIS has in its books: kind is charges or refunds."""
        found = self.partners["HIS"].state().get(kind, [])
        return [record for record in found if numbers.items() <= record.items()]


def _often(times: int) -> str:
    return "once" if times == 1 else f"{times} times"


def _about(request: Mapping[str, Any]) -> str:
    kinds = [request[name] for name in KINDS if name in request]
    number = next((request[name] for name in NUMBERS if name in request), "")
    return " ".join([*kinds, number])


def _said(answer: Answer) -> str:
    """What the answer says beside its code, in words: `in progress`, `3 found`."""
    said = next((name for name in SHOWN if getattr(answer.body, name, None) is not None), None)
    if said is None:
        return ""
    value = getattr(answer.body, said)
    return f"{value} found" if said == "TotalCount" else SETS[said](value).name.replace("_", " ").lower()
