"""The states of a requisition item as one table: which event leads where, what it implies and what is refused.

Every pair of state and event is decided here; docs/specification/requisition.md explains it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.terms import StatusCode as S
from gateway.terms import StatusEvent as E


class Verdict(StrEnum):
    """What the gateway does with an event."""

    APPLY = "APPLY"
    STALE = "STALE"
    """Older than what is known: recorded, not applied."""
    NOT_PAID = "NOT_PAID"
    FINAL = "FINAL"
    """The requisition is cancelled, rejected or refunded."""
    ILLEGAL = "ILLEGAL"


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

REACHES = {
    E.BOOK: S.BOOKED,
    E.REGISTER: S.IN_PROGRESS,
    E.EXAM_DONE: S.EXAMINED,
    E.PRELIM: S.PRELIMINARY,
    E.FINAL: S.REPORTED,
}
"""The state an event of progress stands for: behind it the event is stale, before it the skipped states are implied."""

IMPLIES_REGISTRATION = frozenset({E.EXAM_DONE, E.PRELIM, E.FINAL, E.STOP})


def decide(state: S, event: E) -> Decision:
    """What `event` does to an item in `state`; every pair has an answer."""
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
