"""One message's unit of work: what it reads, writes and sends belongs together and is committed together."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from gateway.config import Limits, Rules
from gateway.errors import GatewayError
from gateway.messages.common import Result
from gateway.messages.wire import Wire
from gateway.model.base import Base
from gateway.model.journal import Alert, AuditEntry, JournalEntry, MessageKey
from gateway.model.partner_hold import HoldMode
from gateway.operations.clocks import doubts_about_times
from gateway.operations.dispatch import Dispatch, Forward, Held, Origin, PartnerAnswer
from gateway.store import Row, insert_rows

IN_PROGRESS = "-"
"""The result code of a journal entry whose message still waits for a partner."""
PARKED = "parked"
"""Stands for the SOAP version of a message that was parked and is applied now."""

CHARACTERS_GONE = "报文含控制字符，已替换为空格 (control characters in free text were replaced by blanks)"
"""The one repair of a message that changed what its sender wrote."""


class Caller(Protocol):
    """Who sent the message: proven by authentication, with rights that are denied unless granted."""

    @property
    def name(self) -> str: ...

    def may(self, right: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Received:
    """A message that is well-formed, keeps to the XSD and comes from a known caller."""

    operation: str
    request: Any
    caller: Caller
    xml: bytes
    """The HTTP body as received."""
    soap_version: str
    received_at: datetime
    txn_no: str
    repairs: frozenset[str] = frozenset()
    """What the gateway had to mend in it (docs/specification/wire.md)."""


@dataclass(frozen=True, slots=True)
class Site:
    """What operations need to know of the hospital."""

    hospital_code: str
    hospital_codes: frozenset[str]
    rules: Rules
    limits: Limits


def new_txn_no(now: datetime) -> str:
    """A transaction number, unique and readable: G, the time to the millisecond, ten random digits in hexadecimal."""
    return f"G{now:%y%m%d%H%M%S}{now.microsecond // 1000:03d}{os.urandom(5).hex()}"


def patient_of(request: Any) -> str | None:
    """The patient a message names; None when it names none."""
    patient = getattr(request, "patient", None)
    found: str | None = getattr(request, "patient_id", None) or getattr(patient, "patient_id", None)
    return found


@dataclass(slots=True)
class Unit:
    """What an operation works with. `now` is the gateway's clock when the message came, in hospital time."""

    session: Session
    received: Received
    site: Site
    dispatch: Dispatch
    wire: Wire
    hospital_code: str
    content_hash: str
    request_text: str
    """The children of the Request element as XML, as they are kept."""
    subject: str = ""
    """What the message is about, for the audit: a kind and a number, never a name."""
    requisition_no: str | None = None
    visit_no: str | None = None
    patient_id: str | None = None
    purpose: str | None = None
    detail: str | None = None
    needs_key: bool = True
    """False when the message's key is known already, or when the operation has no effect and keeps none."""
    is_final: bool = True
    """False when the answer may change (a charge not yet booked): a repetition is then decided again."""
    arrived: list[str] = field(default_factory=list)
    """What has become known with this message; parked messages that wait for it are applied after the commit."""
    awaited: list[str] = field(default_factory=list)
    """The same, where it is known already that messages wait for it."""
    warnings: list[str] = field(default_factory=list)
    """What the sender should look at although the message is accepted."""
    alerts_if_refused: list[tuple[str, str]] = field(default_factory=list)
    """Kind and subject of alerts that stand although the message itself is refused."""
    _held: list[Held] = field(default_factory=list)
    """Partners that get nothing at the moment, of which the sender is told."""
    _rows: list[Row] = field(default_factory=list)
    _forwards: list[Forward] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _asked: bool = False

    @property
    def now(self) -> datetime:
        return self.received.received_at

    @property
    def txn_no(self) -> str:
        return self.received.txn_no

    @property
    def caller(self) -> Caller:
        return self.received.caller

    @property
    def sender_code(self) -> str:
        return self.received.caller.name

    @property
    def message_id(self) -> str:
        return str(self.received.request.header.message_id)

    @property
    def branch_code(self) -> str:
        return self.received.request.header.branch_code or ""

    @property
    def has_asked(self) -> bool:
        """True when a first transaction was committed before a partner was asked."""
        return self._asked

    @property
    def origin(self) -> Origin:
        return Origin(self.txn_no, self.hospital_code, self.branch_code, self.sender_code, self.message_id)

    # --- writing ----------------------------------------------------------------------------------------------------

    def add(self, model: type[Base], **values: Any) -> None:
        """Insert a row when the message is decided, together with all others in one round trip."""
        self._rows.append((model, values))

    def count(self, what: str) -> int:
        """1 for the first thing of this kind that the message makes, 2 for the second: what numbers are made of."""
        self._counts[what] += 1
        return self._counts[what]

    def alert(self, kind: str, subject: str) -> None:
        """Tell the people on duty; `subject` holds numbers only."""
        self.session.add(Alert(raised_at=self.now, kind=kind, subject=subject, txn_no=self.txn_no))

    def text_of(self, message: Any) -> str:
        """A message as it is kept: the children of its Request element as XML."""
        return self.request_text if message is self.received.request else self.wire.write(message)

    def flush(self) -> None:
        """Write what was collected; still nothing is committed."""
        rows, self._rows = self._rows, []
        insert_rows(self.session, rows)
        self.session.flush()
        forwards, self._forwards = self._forwards, []
        if forwards:
            self.dispatch.enqueue(self.session, forwards)

    # --- sending ----------------------------------------------------------------------------------------------------

    def send(self, partners: Iterable[str], operation: str, request: Any, key: str, *, urgent: bool = False) -> bool:
        """Queue a message for partners in this transaction, never for the one it came from; True if any gets it."""
        wanted = [p for p in partners if self.dispatch.client_of(p) != self.sender_code]
        written = self.text_of(request) if wanted else ""
        held = (self.dispatch.held(self.session, partner, urgent=urgent) for partner in wanted)
        self._held += [one for one in held if one is not None and one.mode is not HoldMode.HOLD]
        self._forwards += [Forward(p, operation, request, key, self.origin, urgent, written) for p in wanted]
        return bool(wanted)

    def ask(
        self, partner: str, operation: str, request: Any, key: str, *, keep: bool, urgent: bool = False
    ) -> PartnerAnswer:
        """Commit what was decided so far, send at once and wait for the answer (see Dispatch.ask)."""
        if not self._asked:
            self._rows.append(self.journal_row(IN_PROGRESS))
            self._rows += [self.key_row(None)] if self.needs_key else []
            self._asked = True
        self.flush()
        held = self.dispatch.held(self.session, partner, urgent=urgent)
        self._held += [held] if held is not None else []
        forward = Forward(partner, operation, request, key, self.origin, urgent)
        return self.dispatch.ask(self.session, forward, self.site.limits.sync_seconds, keep=keep)

    # --- answering --------------------------------------------------------------------------------------------------

    def accepted(self, *, forwarded: bool | None = None, warning: str | None = None) -> Result:
        """The Result of a message that was accepted, with what the sender should look at."""
        said = [*self.warnings, *([warning] if warning else [])]
        warnings = [*said, *self._repaired(), *self._later(), *self._doubts_about_times()]
        return Result(
            result_code="0",
            result_text="成功",
            result_text_en="Accepted",
            message_id=self.message_id,
            gateway_txn_no=self.txn_no,
            duplicate=False,
            retryable=False,
            processed_at=self.now,
            forwarded=forwarded,
            warning="；".join(dict.fromkeys(warnings))[:500] or None,
        )

    def _later(self) -> list[str]:
        words = (one.words() for one in self._held)
        return [f"{zh}，恢复后送达 ({en}: it is handed over after that)" for zh, en in words]

    def _repaired(self) -> list[str]:
        return [CHARACTERS_GONE] if "control-characters" in self.received.repairs else []

    def _doubts_about_times(self) -> list[str]:
        if self.received.soap_version == PARKED:
            return []  # it was sent when it was parked, and has waited since
        return doubts_about_times(self.received.request, self.now)

    def refused(self, reason: GatewayError) -> Result:
        """The Result of a message that a rule refuses, or that a partner could not be asked about."""
        words = [one.words() for one in self._held] if reason.code.endswith("-503") else []
        return Result(
            result_code=reason.code,
            result_text=" ".join((reason.text_zh, *(f"{zh}。" for zh, _ in words)))[:500],
            result_text_en=" ".join((reason.text_en, *(f"{en}." for _, en in words)))[:500],
            message_id=self.message_id,
            gateway_txn_no=self.txn_no,
            duplicate=False,
            retryable=reason.retryable,
            processed_at=self.now,
            parked=True if getattr(reason, "parked", False) else None,
        )

    # --- what is written of every message ---------------------------------------------------------------------------

    def journal_row(self, result_code: str) -> Row:
        return JournalEntry, {
            "txn_no": self.txn_no,
            "received_at": self.now,
            "operation": self.received.operation,
            "sender_code": self.sender_code,
            "message_id": self.message_id,
            "hospital_code": self.hospital_code,
            "branch_code": self.branch_code,
            "requisition_no": self.requisition_no,
            "visit_no": self.visit_no,
            "soap_version": self.received.soap_version,
            "xml": self.received.xml,
            "result_code": result_code,
            "answered_at": self.now,
            "patient_id": self.patient_id,
            "repairs": ", ".join(sorted(self.received.repairs)) or None,
        }

    def key_row(self, answer: str | None) -> Row:
        return MessageKey, {
            "sender_code": self.sender_code,
            "operation": self.received.operation,
            "message_id": self.message_id,
            "content_hash": self.content_hash,
            "txn_no": self.txn_no,
            "created_at": self.now,
            "answer": answer,
        }

    def audit_row(self, result_code: str) -> Row:
        return AuditEntry, {
            "txn_no": self.txn_no,
            "at": self.now,
            "actor": self.sender_code,
            "operator_code": self.received.request.header.operator_code,
            "action": self.received.operation,
            "subject": self.subject,
            "result_code": result_code,
            "purpose": self.purpose,
            "detail": self.detail,
        }
