"""What a hospital sends to its partners in an hour, in the order in which it comes, about invented patients."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from functools import cached_property
from typing import Any

from lxml import etree

from benchmarks.partner import POISON
from gateway.contract import Contract
from gateway.messages.wire import Wire
from gateway.operations.dispatch import Forward, Origin

HOSPITAL = "44643245-7"
STATUSES = 4
"""Of each requisition, followed by a report."""
CHARGED = 0.8
"""How many messages about money each requisition has."""
CHARGES_OF_A_VISIT = 1.33
CRITICAL = 0.01
"""How many requisitions have a critical value."""


class Hospital:
    """Makes messages; every one has numbers of its own, and texts of the contract's samples."""

    def __init__(self, seed: int = 1) -> None:
        self._contract = Contract()
        self._wire = Wire(self._contract, timezone(timedelta(hours=8)))
        self._random = random.Random(seed)
        self._number = 0

    @cached_property
    def _samples(self) -> dict[str, Any]:
        found = {}
        for operation in self._contract.operations:
            body = etree.parse(self._contract.sample(operation.name)).getroot()[-1]
            found[operation.name] = self._wire.read(f"{operation.name}Request", body[0][0])
        return found

    def status(self, partner: str, requisition_no: str | None = None, seq: int = 1) -> Forward:
        """One status; of a requisition nothing else is about, when none is named."""
        requisition_no = requisition_no or f"S{self._next():08d}"
        return self._forward(partner, "ReportStatus", requisition_no, requisition_no=requisition_no, status_seq=seq)

    def poisoned(self, partner: str, requisition_no: str) -> Forward:
        """A status the partner will call wrong."""
        return self._forward(partner, "ReportStatus", requisition_no, requisition_no=requisition_no, room=POISON)

    def hour(self, partner: str, count: int) -> list[Forward]:
        """So many messages, of DOMAIN's mix: two thirds statuses, a sixth reports, an eighth money."""
        found: list[tuple[float, Callable[[], Forward]]] = []
        for number in range(round(count / (STATUSES + 1 + CHARGED + CRITICAL)) + 1):
            found += self._of_requisition(partner, number, count)
        found.sort(key=lambda one: one[0])
        return [make() for _, make in found[:count]]

    def _of_requisition(self, partner: str, number: int, count: int) -> list[tuple[float, Callable[[], Forward]]]:
        """What comes about one requisition, each with its time within the hour."""
        requisition_no = f"R{number:08d}"
        times = sorted(self._random.random() for _ in range(STATUSES + 1))
        found: list[tuple[float, Callable[[], Forward]]] = [
            (at, lambda seq=seq: self.status(partner, requisition_no, seq)) for seq, at in enumerate(times[:-1], 1)
        ]
        found.append((times[-1], lambda: self._report(partner, requisition_no)))
        if self._random.random() < CHARGED:
            visit = f"V{self._random.randrange(round(count / (STATUSES + 2) / CHARGES_OF_A_VISIT) + 1):07d}"
            found.append((self._random.random(), lambda: self._charge(partner, visit)))
        if self._random.random() < CRITICAL:
            found.append((times[-1], lambda: self._critical(partner)))
        return found

    def _report(self, partner: str, requisition_no: str) -> Forward:
        return self._forward(partner, "SubmitReport", requisition_no, report_no=f"B{self._next():08d}")

    def _charge(self, partner: str, visit_no: str) -> Forward:
        return self._forward(partner, "ChargeItem", visit_no, charge_no=f"C{self._next():08d}")

    def _critical(self, partner: str) -> Forward:
        critical_id = f"K{self._next():08d}"
        return self._forward(partner, "PushCriticalValue", critical_id, urgent=True, critical_id=critical_id)

    def _forward(self, partner: str, operation: str, key: str, *, urgent: bool = False, **fields: Any) -> Forward:
        request, number = replace(self._samples[operation], **fields), self._next()
        origin = Origin(f"T{number:010d}", HOSPITAL, "01", "PACS", f"PACS-{number:010d}")
        return Forward(partner, operation, request, key, origin, urgent, self._wire.write(request))

    def _next(self) -> int:
        self._number += 1
        return self._number
