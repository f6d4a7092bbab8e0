"""What a case has at hand: messages with numbers of this run, and a way to the partner that keeps what was said."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from lxml import etree

from gateway.contract import Contract
from gateway.messages.wire import Wire
from gateway.operations.dispatch import KEPT_BACK, MAPPING, UNMAPPED, Origin, Outcome, PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners
from gateway.partners.samples import sample_of

LONGEST_SHOWN = 20_000
"""Of a message in the report; a long one is cut."""
NUMBERS = {
    "SubmitRequisition": ("requisition_no",),
    "ReportStatus": (),
    "SubmitReport": ("report_no",),
    "ChargeItem": ("charge_no",),
    "RefundItem": ("refund_no",),
    "PushCriticalValue": ("critical_id",),
    "AcknowledgeCriticalValue": ("ack_id",),
    "ReportVisitEvent": ("event_no",),
}
"""The number of its own that a message of an operation has."""


class Unmet(Exception):
    """The partner does not do what the case wants; in Chinese and English."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


class NotApplicable(Exception):
    """The case cannot be tried at this partner; in Chinese and English."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


@dataclass(frozen=True, slots=True)
class Exchange:
    """One message and what came of it."""

    operation: str
    message_id: str
    request: str
    outcome: str
    code: str
    text: str
    detail: str
    response: str
    milliseconds: int
    kept_back: str
    """Why the partner's stylesheet did not want it sent; empty when it was."""


class Kit:
    """One run against one partner. `given` are values its test system knows, by their names in our contract."""

    def __init__(
        self,
        partner: Partner,
        partners: Partners,
        contract: Contract,
        wire: Wire,
        now: Callable[[], datetime],
        operations: frozenset[str],
        given: Mapping[str, str],
        hospital_code: str,
    ) -> None:
        self.partner = partner
        self.operations = operations
        self.run = f"AC{now():%y%m%d%H%M%S}"
        self.exchanges: list[Exchange] = []
        self.note = ("", "")
        """What a case has measured, in Chinese and English, for the report."""
        self.hospital_code = hospital_code
        self._partners = partners
        self._contract = contract
        self._wire = wire
        self._now = now
        self._given = dict(given)
        self._count = 0

    def serves(self, operation: str) -> bool:
        """Whether the partner is sent such messages."""
        return operation in self.operations

    def number(self, prefix: str) -> str:
        """A number nobody has used."""
        self._count += 1
        return f"{prefix}{self.run}{self._count:03d}"

    def look_over(self) -> None:
        """Raises MappingFailed when a sample in the partner's folder is no such message, LookupError with a given name
        that no message the partner is sent has, at its top, in its patient or in its visit."""
        parts = [part for operation in self.operations for part in _parts(self.message(operation.partition(".")[0]))]
        for name in self._given:
            if not any(name in _texts(part) for part in parts):
                raise LookupError(name)

    def message(self, operation: str, **changes: Any) -> Any:
        """The sample of the partner's folder or of the contract, with numbers of this run, with what the partner's test
        system knows, and `changes`. Raises MappingFailed."""
        request = sample_of(self.partner, operation, self._contract, self._wire)
        now, numbers = self._now(), {name: self.number("") for name in NUMBERS.get(operation, ())}
        moments = {
            field.name: now
            for field in fields(request)
            if field.name in ("occurred_at", "reported_at", "acted_at", "found_at", "ordered_at")
        }
        header = replace(request.header, sent_at=now, hospital_code=self.hospital_code)
        request = replace(request, header=header, **numbers, **moments)
        return replace(_with(request, self._given), **changes)

    def ask(self, operation: str, request: Any, message_id: str = "") -> PartnerAnswer:
        """Send it, and write down what was said."""
        header, hospital, branch = request.header, request.header.hospital_code or "", request.header.branch_code or ""
        origin = Origin(self.number("T"), hospital, branch, header.sender_code, self.number(""))
        stamp = Stamp(message_id or self.number("GW-"), origin)
        started = time.monotonic()
        answer = self._partners.call(self.partner.name, operation, request, stamp)
        milliseconds = round((time.monotonic() - started) * 1000)
        response = "" if answer.response is None else self._wire.document(f"{operation}Response", answer.response)
        is_kept_back = answer.is_yes and answer.detail.startswith(KEPT_BACK)
        self.exchanges.append(
            Exchange(
                operation=operation,
                message_id=stamp.message_id,
                request=_pretty(self._wire.document(operation, request)),
                outcome=answer.outcome,
                code=answer.code,
                text="" if is_kept_back else answer.text,
                detail=answer.detail,
                response=_pretty(response) if response else "",
                milliseconds=milliseconds,
                kept_back=answer.detail.removeprefix(KEPT_BACK) if is_kept_back else "",
            )
        )
        return answer

    def accepted(self, operation: str, request: Any, message_id: str = "") -> PartnerAnswer:
        """Send it. Raises Unmet unless the answer is a yes."""
        answer = self.ask(operation, request, message_id)
        if not answer.is_yes:
            told = _told(answer)
            raise Unmet(f"{operation} 未被接受：{told}", f"{operation} was not accepted: {told}")
        return answer

    def refused(self, operation: str, request: Any) -> PartnerAnswer:
        """Send what must be refused. Raises Unmet when it is accepted, or when the refusal is not clear."""
        answer = self.ask(operation, request)
        if answer.is_yes:
            raise Unmet(f"{operation} 应被拒绝，却被接受", f"{operation} should have been refused and was accepted")
        if answer.code in (MAPPING, UNMAPPED):
            raise Unmet(f"消息未发出：{answer.detail}", f"it was not even sent: {answer.detail}")
        return self._clear(answer)

    def clear(self, operation: str, request: Any) -> PartnerAnswer:
        """Send it. Raises Unmet unless it is accepted or clearly refused, be it by the partner's stylesheet here."""
        return self._clear(self.ask(operation, request))

    def _clear(self, answer: PartnerAnswer) -> PartnerAnswer:
        if answer.outcome not in (Outcome.ANSWERED, Outcome.FAULT):
            told = _told(answer)
            raise Unmet(f"应答不明确：{told}", f"the answer is not clear: {told}")
        return answer


def expect(condition: bool, zh: str, en: str) -> None:
    """Raises Unmet unless it is so."""
    if not condition:
        raise Unmet(zh, en)


def _told(answer: PartnerAnswer) -> str:
    said = f"{answer.outcome} {answer.code}"
    words = answer.text or answer.detail
    return f"{said} {words}" if words else said


def _with(request: Any, given: Mapping[str, str]) -> Any:
    """The request with known values in place of the sample's, at its top, in its patient and in its visit."""
    changes: dict[str, Any] = {name: given[name] for name in given if name in _texts(request)}
    for part in ("patient", "visit"):
        inner = getattr(request, part, None)
        if inner is not None:
            changes[part] = replace(inner, **{name: given[name] for name in given if name in _texts(inner)})
    return replace(request, **changes)


def _parts(request: Any) -> list[Any]:
    inner = (getattr(request, part, None) for part in ("patient", "visit"))
    return [request, *(part for part in inner if part is not None)]


def _texts(part: Any) -> set[str]:
    """The fields of a part of a message that hold a plain text."""
    return {field.name for field in fields(part) if str(field.type) in ("str", "str | None")}


def _pretty(document: str) -> str:
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    etree.indent(root)
    text: str = etree.tostring(root, encoding="unicode")
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}\n… {len(text):,} characters in all"
