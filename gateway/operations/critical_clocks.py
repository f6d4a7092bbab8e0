"""Sets the clocks of a critical value: each stage has a moment by which it must be done, by the gateway's own clock.

(docs/specification/critical-value.md, "Clocks")
"""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.critical_rules import CriticalRules
from gateway.messages.critical_value import PushCriticalValueRequest
from gateway.model.critical_value import OPEN, CriticalEvent, CriticalValue
from gateway.terms import CriticalStatus


def begin(value: CriticalValue, rules: CriticalRules, now: datetime, request: PushCriticalValueRequest) -> None:
    """The clocks that run from the push on; the sender may ask for more haste than the site, never for less."""
    times = rules.times_for(value.source_type, value.dept_code, value.visit_type)
    value.received_at = now
    value.notify_deadline = now + timedelta(seconds=times.notify_seconds)
    value.receive_deadline = _sooner(request.receive_deadline, now + timedelta(minutes=times.receive_minutes), now)
    value.handle_deadline = _sooner(request.handle_deadline, now + timedelta(minutes=times.total_minutes), now)
    value.closes_itself = rules.close_when_returned
    look_again(value)


def move_on(value: CriticalValue, event: CriticalEvent, rules: CriticalRules, now: datetime) -> None:
    """Note what happened, and start the clock of the stage that begins with it."""
    value.move_on(event, now)
    times = rules.times_for(value.source_type, value.dept_code, value.visit_type)
    if value.state is CriticalStatus.NURSE_RECEIVED and value.forwarded_at is None:
        value.forward_deadline = value.forward_deadline or now + timedelta(minutes=times.forward_minutes)
    if value.state in OPEN and value.forwarded_at is not None:
        value.doctor_deadline = value.doctor_deadline or now + timedelta(minutes=times.handle_minutes)
    if value.state is CriticalStatus.HANDLED and value.returned_at is None:
        value.return_deadline = value.return_deadline or now + timedelta(seconds=times.return_seconds)
    look_again(value)


def look_again(value: CriticalValue) -> None:
    """When a clock of it runs out next."""
    value.next_due = min(value.running().values(), default=None)


def _sooner(asked: datetime | None, ours: datetime, now: datetime) -> datetime:
    """A moment the sender names counts only between now and our own: its clock, or its typing, may be wrong."""
    return asked if asked is not None and now < asked < ours else ours
