"""Leaves a partner alone that does not answer, and finds out with one message at a time whether it is back."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker, CircuitBreakerError

from gateway.model.partner_hold import HoldMode
from gateway.operations.dispatch import UNMAPPED, Outcome, PartnerAnswer
from gateway.terms import TransactionState


class _NoAnswer(Exception):
    """What the breaker counts."""


class Breaker:
    """The state of one partner, as its owner sees it; used from one event loop only.

    Closed: all is well. Open: nothing is fetched for a while. Half-open: one message decides.
    """

    def __init__(self, failures: int, pause_seconds: float) -> None:
        self._breaker = CircuitBreaker(fail_max=failures, reset_timeout=pause_seconds)
        self._pause = pause_seconds
        self._opened = 0.0
        self.changed = asyncio.Event()
        """Set whenever the state may have changed; who waits for it clears it."""

    @property
    def is_closed(self) -> bool:
        return bool(self._breaker.current_state == STATE_CLOSED)

    @property
    def is_open(self) -> bool:
        return bool(self._breaker.current_state == STATE_OPEN)

    @property
    def failures(self) -> int:
        """How many attempts in a row got no answer."""
        return int(self._breaker.fail_counter)

    @property
    def pause(self) -> float:
        """Seconds until the next probe."""
        return max(self._opened + self._pause - asyncio.get_running_loop().time(), 0)

    def half_open(self) -> None:
        """The pause is over: let one message through."""
        if self.is_open:
            self._breaker.half_open()

    def record(self, answer: PartnerAnswer) -> None:
        """Count an attempt. A refusal or a fault is an answer: the partner is there."""
        before = self._breaker.current_state
        if answer.code in ("MESSAGE", UNMAPPED, HoldMode.STOP):  # never left us
            return
        if is_alive(answer):
            if before != STATE_CLOSED:
                self._breaker.close()
            self._count(None)
        elif before != STATE_OPEN:
            self._count(_NoAnswer())
        if self._breaker.current_state == STATE_OPEN and before != STATE_OPEN:
            self._opened = asyncio.get_running_loop().time()
        if self._breaker.current_state != before or before == STATE_HALF_OPEN:
            self.changed.set()

    def _count(self, problem: Exception | None) -> None:
        """pybreaker counts calls; ours have ended elsewhere, because it would let only one run at a time."""

        def ended() -> None:
            if problem is not None:
                raise problem

        with suppress(CircuitBreakerError, _NoAnswer):
            self._breaker.call(ended)


def is_alive(answer: PartnerAnswer) -> bool:
    """Whether the partner answered, be it no, not yet, or that the message is wrong."""
    return answer.outcome in (Outcome.ANSWERED, Outcome.FAULT) or answer.code in TransactionState.__members__
