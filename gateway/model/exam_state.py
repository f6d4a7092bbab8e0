"""The states of a requisition item as one table: which event leads where, who may cause it, what it implies.

Every triple of state, event and party is decided here; docs/specification/state-machines.md is drawn from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.terms import StatusCode as S
from gateway.terms import StatusEvent as E


class Party(StrEnum):
    """Who causes an event."""

    CLINIC = "CLINIC"
    """HIS, or the system that submitted the requisition: who orders, sends, takes the money and gives it back."""
    DEPARTMENT = "DEPARTMENT"
    """The department that performs it."""
    OTHER = "OTHER"
    """Any other client of the gateway."""


class OrderEvent(StrEnum):
    """What happens to an item beside what a department reports."""

    RELEASE = "RELEASE"
    """paid, sent by the nurse, or let through by the green channel. 放行."""
    UPDATE = "UPDATE"
    """changed. 修改."""
    CANCEL = "CANCEL"
    """cancelled, by HIS or with its visit. 取消."""
    REFUND = "REFUND"
    """its money goes back whole. 全部退费."""


Event = E | OrderEvent


class Verdict(StrEnum):
    """What the gateway does with an event."""

    APPLY = "APPLY"
    STALE = "STALE"
    """Older than what is known: recorded, not applied."""
    NOT_PAID = "NOT_PAID"
    FINAL = "FINAL"
    """The requisition is cancelled, rejected or refunded."""
    ILLEGAL = "ILLEGAL"
    LOCKED = "LOCKED"
    """Registered: only the department can undo anything."""
    FOREIGN = "FOREIGN"
    """Not for this party to say."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an event does to an item."""

    verdict: Verdict
    target: S
    implied: tuple[S, ...] = ()
    """States that were skipped and are filled in, such as the registration before EXAM_DONE."""


ALIVE = (S.HELD, S.RELEASED, S.BOOKED, S.IN_PROGRESS, S.EXAMINED, S.PRELIMINARY, S.REPORTED)
"""From the beginning to the end of an exam, in order."""
ENDED = frozenset({S.STOPPED, S.CANCELLED, S.REJECTED})
REFUND_CLOSED = frozenset({S.IN_PROGRESS, S.EXAMINED, S.PRELIMINARY, S.REPORTED, S.STOPPED})
"""States in which clinic and cashier may neither refund nor cancel."""

TRANSITIONS: dict[E, dict[S, S]] = {
    E.BOOK: {S.RELEASED: S.BOOKED, S.BOOKED: S.BOOKED},
    E.UNBOOK: {S.BOOKED: S.RELEASED},
    E.REGISTER: {S.RELEASED: S.IN_PROGRESS, S.BOOKED: S.IN_PROGRESS},
    E.CANCEL_REG: {S.IN_PROGRESS: S.RELEASED},
    E.EXAM_DONE: {S.IN_PROGRESS: S.EXAMINED},
    E.STOP: {S.IN_PROGRESS: S.STOPPED, S.EXAMINED: S.STOPPED},
    E.REJECT: {S.RELEASED: S.REJECTED, S.BOOKED: S.REJECTED},
    E.PRELIM: {S.IN_PROGRESS: S.PRELIMINARY, S.EXAMINED: S.PRELIMINARY, S.PRELIMINARY: S.PRELIMINARY},
    E.FINAL: {S.IN_PROGRESS: S.REPORTED, S.EXAMINED: S.REPORTED, S.PRELIMINARY: S.REPORTED, S.REPORTED: S.REPORTED},
    E.WITHDRAW: {S.REPORTED: S.EXAMINED, S.PRELIMINARY: S.EXAMINED},
}
"""Event -> present state -> next state; pairs that are missing are decided by `decide`."""

WHO: dict[Event, frozenset[Party]] = {
    **dict.fromkeys(E, frozenset({Party.DEPARTMENT})),
    **dict.fromkeys((OrderEvent.RELEASE, OrderEvent.UPDATE, OrderEvent.CANCEL), frozenset({Party.CLINIC})),
    OrderEvent.REFUND: frozenset({Party.CLINIC, Party.DEPARTMENT}),
}
"""Who may cause an event."""

_BEFORE_REGISTRATION = (S.HELD, S.RELEASED, S.BOOKED)
ORDER_TRANSITIONS: dict[OrderEvent, dict[S, S]] = {
    OrderEvent.RELEASE: {S.HELD: S.RELEASED},
    OrderEvent.UPDATE: {state: state for state in _BEFORE_REGISTRATION},
    OrderEvent.CANCEL: dict.fromkeys((*_BEFORE_REGISTRATION, S.REJECTED), S.CANCELLED),
    OrderEvent.REFUND: {
        **dict.fromkeys(_BEFORE_REGISTRATION, S.CANCELLED),
        S.CANCELLED: S.CANCELLED,
        S.REJECTED: S.CANCELLED,
    },
}
"""The same for what the clinic does; a refund by the department leaves every state as it is."""

REFUSAL_CODES: dict[Verdict, tuple[str, str, str]] = {
    Verdict.NOT_PAID: ("STA-402", "", ""),
    Verdict.ILLEGAL: ("STA-409", "", ""),
    Verdict.FINAL: ("STA-410", "REQ-410", ""),
    Verdict.LOCKED: ("", "REQ-423", "RFD-423"),
    Verdict.FOREIGN: ("STA-403", "REQ-403", "RFD-400"),
}
"""The code of a refusal: of a department's event, of the clinic's, of a refund."""

REACHES = {
    E.BOOK: S.BOOKED,
    E.REGISTER: S.IN_PROGRESS,
    E.EXAM_DONE: S.EXAMINED,
    E.PRELIM: S.PRELIMINARY,
    E.FINAL: S.REPORTED,
}
"""The state an event of progress stands for: behind it the event is stale, before it the skipped states are implied."""

IMPLIES_REGISTRATION = frozenset({E.EXAM_DONE, E.PRELIM, E.FINAL, E.STOP})


def decide(state: S, event: Event, party: Party | None = None) -> Decision:
    """What `event` does to an item in `state`; every triple has an answer. Without a party, one that may cause it."""
    if party is not None and party not in WHO[event]:
        return Decision(Verdict.FOREIGN, state)
    if isinstance(event, OrderEvent):
        return _decide_order(state, event, party)
    if state in (S.CANCELLED, S.REJECTED):
        return Decision(Verdict.FINAL, state)
    target = TRANSITIONS[event].get(state)
    if target is not None:
        return Decision(Verdict.APPLY, target, _skipped(state, target))
    if state is S.HELD:
        return Decision(Verdict.NOT_PAID, state)
    if state is S.STOPPED:
        return Decision(Verdict.STALE if event in IMPLIES_REGISTRATION else Verdict.ILLEGAL, state)
    if state in (S.RELEASED, S.BOOKED) and event in IMPLIES_REGISTRATION:
        following = decide(S.IN_PROGRESS, event)
        return Decision(Verdict.APPLY, following.target, (S.IN_PROGRESS, *following.implied))
    reached = REACHES.get(event)
    if reached is not None and ALIVE.index(state) >= ALIVE.index(reached):
        return Decision(Verdict.STALE, state)
    return Decision(Verdict.ILLEGAL, state)


def _decide_order(state: S, event: OrderEvent, party: Party | None) -> Decision:
    if event is OrderEvent.REFUND and party is Party.DEPARTMENT:
        return Decision(Verdict.APPLY, state)
    target = ORDER_TRANSITIONS[event].get(state)
    if target is not None:
        return Decision(Verdict.APPLY, target)
    if state in (S.CANCELLED, S.REJECTED):
        return Decision(Verdict.FINAL, state)
    if event is OrderEvent.RELEASE:
        return Decision(Verdict.STALE, state)
    return Decision(Verdict.LOCKED, state)


def code_of(event: Event, verdict: Verdict) -> str:
    """The code by which a refusal is answered; empty when it is none."""
    family = 0 if isinstance(event, E) else 2 if event is OrderEvent.REFUND else 1
    return REFUSAL_CODES[verdict][family] if verdict in REFUSAL_CODES else ""


def verdict_of(states: Iterable[S], event: Event, party: Party | None = None) -> Verdict:
    """What the clinic's event meets in a whole requisition: one registered item locks it, all ended ones end it."""
    found = {decide(state, event, party).verdict for state in states}
    if found == {Verdict.FINAL}:
        return Verdict.FINAL
    return next((v for v in (Verdict.FOREIGN, Verdict.LOCKED, Verdict.APPLY) if v in found), Verdict.STALE)


def _skipped(state: S, target: S) -> tuple[S, ...]:
    """EXAMINED is implied by a report; BOOKED and PRELIMINARY may be left out without being implied."""
    if target in (S.PRELIMINARY, S.REPORTED) and state is S.IN_PROGRESS:
        return (S.EXAMINED,)
    return ()


def overall(states: Iterable[S]) -> S:
    """The state of a requisition: of its least advanced living item, else of the last that ended."""
    found = list(states)
    living = [state for state in found if state not in ENDED]
    if living:
        return min(living, key=ALIVE.index)
    return S.STOPPED if S.STOPPED in found else found[0]
