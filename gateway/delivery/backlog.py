"""What waits for each partner, how fast it leaves, and which process serves it: measured now, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from gateway.delivery.leases import OWNER, PAUSED, number_of

_WAITING = text(
    """
    SELECT partner,
        CASE WHEN state = 'DEAD' THEN 'dead'
            WHEN lock IN (
                SELECT lock FROM delivery WHERE partner = ANY(:partners) AND state = 'DEAD' AND released_at IS NULL)
                AND right(lock, 1) <> '|' AND lock NOT LIKE 'money|%' THEN 'behind'
            WHEN lane = 'critical' THEN 'critical'
            WHEN state = 'QUEUED' AND last_code = 'UNMAPPED' OR right(lock, 1) <> '|' AND lock IN (
                SELECT lock FROM delivery
                WHERE partner = ANY(:partners) AND state = 'QUEUED' AND last_code = 'UNMAPPED') THEN 'code'
            WHEN lock LIKE 'money|%' THEN 'money' ELSE 'other' END AS kind,
        count(*), min(created_at)
    FROM delivery WHERE partner = ANY(:partners) AND state IN ('QUEUED', 'SENDING', 'UNKNOWN', 'DEAD')
    GROUP BY 1, 2
    """
)
_FINISHED = text("SELECT partner, count(*) AS finished FROM delivery WHERE finished_at > :since GROUP BY partner")
_SERVED = text(
    """
    SELECT classid::bigint, objid::bigint, application_name, host(client_addr)
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND classid::bigint = ANY(:classes) AND objsubid = 2 AND granted
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)


LEAVING = ("money", "critical", "other")
"""The kinds that leave by themselves."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for one partner, by kind.

    Apart from those that leave by themselves: dead letters and what they hold back; what waits for a row of a code
    table, with what it holds back.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    oldest: datetime | None = None
    """Since when the oldest waits that is to leave by itself."""

    def count(self, kind: str) -> int:
        return self.counts.get(kind, 0)

    @property
    def left(self) -> int:
        """How many are to leave by themselves."""
        return sum(self.count(kind) for kind in LEAVING)


@dataclass(frozen=True, slots=True)
class Service:
    """Which process serves a partner, and whether it leaves the partner alone because that does not answer."""

    process: str
    breaker_open: bool


def backlogs(session: Session, partners: Iterable[str]) -> dict[str, Backlog]:
    """What waits for each of these partners."""
    names = list(partners)
    counts: dict[str, dict[str, int]] = {name: {} for name in names}
    oldest: dict[str, datetime] = {}
    for partner, kind, count, since in session.execute(_WAITING, {"partners": names}):
        counts[partner][kind] = count
        if kind in LEAVING:
            oldest[partner] = min(since, oldest.get(partner, since))
    return {name: Backlog(counts[name], oldest.get(name)) for name in names}


def finished_since(session: Session, since: datetime) -> dict[str, int]:
    """How many deliveries have come to an end since then, by partner."""
    return {row.partner: row.finished for row in session.execute(_FINISHED, {"since": since})}


def services(session: Session, partners: Iterable[str]) -> dict[str, Service]:
    """Who serves the partners now; those nobody serves are left out."""
    found = session.execute(_SERVED, {"classes": [OWNER, PAUSED]}).all()
    open_ones = {number for kind, number, _, _ in found if kind == PAUSED}
    owners = {
        number: f"{name}{f' at {address}' if address else ''}" for kind, number, name, address in found if kind == OWNER
    }
    numbers = {name: number_of(name) for name in partners}
    return {name: Service(owners[n], n in open_ones) for name, n in numbers.items() if n in owners}
