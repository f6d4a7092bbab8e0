"""What an operation needs from the delivery side, said without knowing it: routes, queues and a question at once.

gateway/delivery implements `Dispatch`, gateway/bootstrap hands it over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy.orm import Session

from gateway.model.partner_hold import HoldMode
from gateway.terms import RequisitionType


class Outcome(StrEnum):
    """How an attempt to reach a partner ended."""

    ANSWERED = "ANSWERED"
    """With a response that keeps to the contract; its Result says yes or no."""
    NOT_SENT = "NOT_SENT"
    """The request certainly did not reach the partner: no connection, or refused before it was read (HTTP 503)."""
    UNKNOWN = "UNKNOWN"
    """The request may have been carried out: time-out, lost or unreadable answer, server fault."""
    FAULT = "FAULT"
    """The partner says that the message itself is wrong (Client fault): repeating it cannot help."""


UNMAPPED = "UNMAPPED"
"""The code of an answer: a code of the message has no row in its table, so nothing was sent."""
MAPPING = "MAPPING"
"""The code of an answer: the partner's own files cannot map the message, or say that it must not go there."""
KEPT_BACK = "Not sent: "
"""How the detail of a yes begins when the partner need not have the message (`g:skip`), before the reason."""


@dataclass(frozen=True, slots=True)
class MissingCode:
    """A code of the message for which a code table has no row (docs/codes.md)."""

    table: str
    value: str


@dataclass(frozen=True, slots=True)
class PartnerAnswer:
    """What came of one attempt."""

    outcome: Outcome
    code: str
    """ResultCode if it answered, else the kind of failure, such as CONNECT, TIMEOUT, HTTP-500, FAULT."""
    response: Any = None
    """The response dataclass if it answered."""
    text: str = ""
    """ResultText of the partner, for its refusal; never kept in a log."""
    detail: str = ""
    """What was wrong and where, for who looks after the partner; nothing a message or an answer holds."""
    missing: MissingCode | None = None
    """Why it is UNMAPPED: NOT_SENT when the message waits for the row, FAULT when it is refused for want of it."""

    @property
    def is_yes(self) -> bool:
        return self.outcome is Outcome.ANSWERED and self.code == "0"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a forwarded message comes from."""

    txn_no: str
    hospital_code: str
    branch_code: str
    sender_code: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Forward:
    """A message for one partner."""

    partner: str
    operation: str
    request: Any
    """The request dataclass; its Header is rewritten for the partner when it leaves."""
    key: str
    """What keeps order: RequisitionNo, VisitNo or CriticalId with its sender (docs/specification/delivery.md).
    Empty when no order is needed, as for reading a record."""
    origin: Origin
    urgent: bool = False
    written: str = ""
    """The children of its Request element as XML, where somebody has written them already."""


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing is sent to a partner at the moment: an operator has said so."""

    partner: str
    mode: HoldMode
    until: str = ""
    """When it ends, in hospital time; empty when nobody has said."""

    def words(self) -> tuple[str, str]:
        """What a caller is told, in Chinese and in English."""
        zh, en = {
            HoldMode.HOLD: ("暂停接收", "takes nothing at the moment"),
            HoldMode.MAINTENANCE: ("维护中", "is in maintenance"),
            HoldMode.STOP: ("已停止发送", "is sent nothing at the moment"),
        }[self.mode]
        if self.until:
            return f"{self.partner} {zh}，至 {self.until}", f"{self.partner} {en} until {self.until}"
        return f"{self.partner} {zh}", f"{self.partner} {en}"


class Dispatch(Protocol):
    """The delivery side, as operations see it."""

    def partners_for(
        self,
        operation: str,
        *,
        hospital_code: str,
        requisition_type: RequisitionType | None = None,
        perform_dept: str | None = None,
    ) -> tuple[str, ...]:
        """The partners that must have such a message, by the routing table; () when no line fits."""
        ...

    def client_of(self, partner: str) -> str:
        """The client name under which a partner calls the gateway."""
        ...

    def partner_of(self, client: str) -> str | None:
        """The partner that calls the gateway under this client name, None when it only calls."""
        ...

    def charges_on_register(self, partner: str) -> bool:
        """True when this HIS charges by itself on a forwarded REGISTER."""
        ...

    def settles_insurance(self, partner: str) -> bool:
        """True when this insurance platform leaves settling to the gateway."""
        ...

    def held(self, session: Session, partner: str, *, urgent: bool) -> Held | None:
        """What keeps such a message from leaving to this partner now, None when nothing does.

        A question is then not asked: its answer is NOT_SENT with the mode as its code."""
        ...

    def enqueue(self, session: Session, forwards: Sequence[Forward]) -> None:
        """Store deliveries with their jobs in the caller's transaction: nothing leaves before it commits."""
        ...

    def ask(self, session: Session, forward: Forward, seconds: float, *, keep: bool) -> PartnerAnswer:
        """Send at once and wait for the answer, within `seconds` over connecting and all reads.

        Stores the delivery as SENDING and COMMITS the caller's transaction before it sends: no lock is held while a
        partner thinks. The outcome is stored in a transaction of its own together with what the outcome hook of the
        operation does, the same hook that runs when a queued delivery gets its answer; so what follows from an answer
        is written once, wherever the answer came. When an earlier delivery of the same lock has not finished, nothing
        is sent and the answer is NOT_SENT with the code ORDER: order comes first. One that is just being sent is waited
        for, up to half of `seconds`.

        keep=True: what was not answered goes on in the background under the same MessageId (NOT_SENT is queued; an
        UNKNOWN outcome of money is first queried at the partner, other messages are sent again).
        keep=False: it ends here, whatever came of it.
        """
        ...

    def kept(self, type_name: str, text: str) -> Any:
        """A message as it was before it was kept as the children of its element."""
        ...

    def withdraw(self, session: Session, *, hospital_code: str, branch_code: str, partner: str, key: str) -> bool:
        """Discard what is queued about a requisition, unless the partner may have seen any of it: then False."""
        ...


class OutcomeHook(Protocol):
    """What follows from an attempt, run in the transaction that stores it.

    It is told every outcome: NOT_SENT and UNKNOWN as often as they happen, also while a caller waits, and an answer
    that asks to be asked again (Result/Retryable). When it raises, what it did is undone and the outcome counts as
    UNKNOWN. What has to go out because of the outcome it enqueues by `dispatch`, in the same transaction.
    """

    def __call__(self, session: Session, forward: Forward, answer: PartnerAnswer, dispatch: Dispatch) -> None: ...
