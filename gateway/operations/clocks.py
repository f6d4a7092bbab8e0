"""Compares the times a sender gives with the gateway's clock: a clock that is wrong is pointed out, never refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

SKEW = timedelta(minutes=10)
"""How far a sender's clock may be off before it is told."""
HAPPENED = ("occurred_at", "acted_at", "found_at", "reported_at", "audited_at", "paid_at")
"""Times of what has happened already when it is told."""


def doubts_about_times(request: Any, now: datetime) -> list[str]:
    """What to tell a sender whose SentAt is off, or who tells what has not happened yet; no value is repeated."""
    found = []
    sent_at = request.header.sent_at
    if sent_at is not None and abs(sent_at - now) > SKEW:
        found.append("SentAt 与网关时间相差超过 10 分钟 (SentAt is more than 10 minutes off the gateway's clock)")
    latest = now + SKEW
    for name in HAPPENED:
        at = getattr(request, name, None)
        if at is not None and at > latest:
            field = "".join(word.capitalize() for word in name.split("_"))
            found.append(f"{field} 晚于网关时间 ({field} is in the future by the gateway's clock)")
    return found
