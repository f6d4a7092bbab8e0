"""What follows from an attempt to deliver: the next state, whether to try again, and when.

One table decides, the same for the first attempt while a caller waits and for every later one from the queue
(docs/specification/delivery.md, "After an attempt").
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from gateway.delivery.locks import is_money
from gateway.model.delivery import DeliveryState, Lane
from gateway.operations.dispatch import UNMAPPED, Outcome, PartnerAnswer

WAITS = (5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 28800)
"""Seconds before the second, third ... attempt: a day until the twelfth."""
LONGEST_CRITICAL_WAIT = 30
ATTEMPTS_OF_REPLAY = 5
"""Six minutes and a half: so long what is live may have to wait for a replay about the same thing."""
LONGEST_QUESTION_OF_REPLAY = 900
"""Seconds a partner has to say whether it knows a charge or refund that may have to be replayed."""
SHORTEST_QUERY_WAIT, LONGEST_QUERY_WAIT = 5, 300
UNMAPPED_WAIT = 900
"""Seconds until a message that waits for a code is looked at again by itself: a row may count only from today."""
JITTER = 0.15
"""So that what failed together does not come back together."""


class Step(StrEnum):
    """What becomes of the job."""

    DONE = "DONE"
    """Nothing more to do; the lock is free."""
    AGAIN = "AGAIN"
    """To be run again after a while; the lock is kept."""
    PARKED = "PARKED"
    """To wait for an operator; the lock is kept."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows for a delivery."""

    state: DeliveryState
    step: Step
    wait: float = 0
    """Seconds until the next run, when there is one."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is known about a delivery when an attempt has ended."""

    operation: str
    lane: str
    attempts: int
    """How often it was sent, this time included."""
    max_attempts: int
    age: float = 0
    """Seconds since it was sent last."""
    keep: bool = True
    """False for a question that ends with its first attempt."""
    released: bool = False
    """True when as a dead letter it is to hold nobody back."""
    registers: bool = False
    """True for a registration, or its withdrawal, by which HIS books: its money may not be booked twice either."""
    replay: bool = False
    """True for one that was delivered before."""


class _Meaning(StrEnum):
    YES = "YES"
    NO = "NO"
    NOT_YET = "NOT_YET"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"
    FAULT = "FAULT"


# For money a refusal is HIS's decision, which the ledger takes over; any other message that is not wanted is a
# disagreement between two systems that a person has to look at, and what follows it must not overtake it.
_NEXT = {
    _Meaning.YES: (DeliveryState.DELIVERED, Step.DONE),
    _Meaning.NO: (DeliveryState.DEAD, Step.PARKED),
    _Meaning.FAULT: (DeliveryState.DEAD, Step.PARKED),
    _Meaning.NOT_YET: (DeliveryState.QUEUED, Step.AGAIN),
    _Meaning.NOT_SENT: (DeliveryState.QUEUED, Step.AGAIN),
    _Meaning.UNKNOWN: (DeliveryState.UNKNOWN, Step.AGAIN),
}
_NEXT_OF_MONEY = {
    **_NEXT,
    _Meaning.NO: (DeliveryState.REFUSED, Step.DONE),
    _Meaning.FAULT: (DeliveryState.REFUSED, Step.DONE),
    _Meaning.NOT_YET: (DeliveryState.UNKNOWN, Step.AGAIN),
}
_NEXT_OF_REGISTRATION = {**_NEXT, _Meaning.NOT_YET: (DeliveryState.UNKNOWN, Step.AGAIN)}
# A replay that is not wanted has failed, and nothing rests on it: what is live does not wait for it.
_NEXT_OF_REPLAY = dict.fromkeys((_Meaning.NO, _Meaning.FAULT), (DeliveryState.REFUSED, Step.DONE))
_NEXT_WITHOUT_KEEPING = {
    **dict.fromkeys(_Meaning, (DeliveryState.DISCARDED, Step.DONE)),
    _Meaning.YES: (DeliveryState.DELIVERED, Step.DONE),
    _Meaning.NO: (DeliveryState.REFUSED, Step.DONE),
}


def decide(case: Case, answer: PartnerAnswer) -> Verdict:
    """What follows from this answer."""
    if waits_for_code(case, answer):
        return Verdict(DeliveryState.QUEUED, Step.AGAIN, _wait_for_code(case))
    money = is_money(case.operation)
    meaning, table = _meaning(answer), _table(case, money=money)
    state, step = _NEXT_OF_REPLAY.get(meaning, table[meaning]) if case.replay else table[meaning]
    parked = Step.DONE if case.released else Step.PARKED
    if step is not Step.AGAIN:
        return Verdict(state, parked if step is Step.PARKED else step)
    asks_first = (money or case.registers) and state is DeliveryState.UNKNOWN
    if case.replay and _is_long_enough(case, asks_first=asks_first):
        return Verdict(DeliveryState.DEAD, Step.DONE)
    if case.lane != Lane.CRITICAL and not asks_first and case.attempts >= case.max_attempts:
        return Verdict(DeliveryState.DEAD, Step.DONE if money else parked)
    return Verdict(state, step, _wait(case, asks_first=asks_first))


def waits_for_code(case: Case, answer: PartnerAnswer) -> bool:
    """Whether the message is to wait for a row, as long as it takes and without using up its attempts."""
    return answer.outcome is Outcome.NOT_SENT and answer.code == UNMAPPED and case.keep and not case.replay


def _wait_for_code(case: Case) -> float:
    wait = LONGEST_CRITICAL_WAIT / (1 + JITTER) if case.lane == Lane.CRITICAL else UNMAPPED_WAIT
    return wait * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


def _table(case: Case, *, money: bool) -> dict[_Meaning, tuple[DeliveryState, Step]]:
    if not case.keep:
        return _NEXT_WITHOUT_KEEPING
    return _NEXT_OF_MONEY if money else _NEXT_OF_REGISTRATION if case.registers else _NEXT


def _is_long_enough(case: Case, *, asks_first: bool) -> bool:
    """A replay is given up sooner; money of which the partner may have got something is asked for as long as any."""
    if asks_first:
        return case.attempts == 0 and case.age > LONGEST_QUESTION_OF_REPLAY
    return case.attempts >= ATTEMPTS_OF_REPLAY


def _meaning(answer: PartnerAnswer) -> _Meaning:
    if answer.outcome is not Outcome.ANSWERED:
        return _Meaning(answer.outcome.value)
    if answer.is_yes:
        return _Meaning.YES
    result = getattr(answer.response, "result", None)
    asks_again = bool(result is not None and result.retryable) or answer.code.endswith(("-503", "-504"))
    return _Meaning.NOT_YET if asks_again else _Meaning.NO


def _wait(case: Case, *, asks_first: bool) -> float:
    if asks_first:
        wait = min(max(case.age / 2, SHORTEST_QUERY_WAIT), LONGEST_QUERY_WAIT)
    else:
        wait = float(WAITS[min(max(case.attempts, 1), len(WAITS)) - 1])
    if case.lane == Lane.CRITICAL:
        wait = min(wait, LONGEST_CRITICAL_WAIT / (1 + JITTER))
    return wait * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
