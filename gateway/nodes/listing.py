"""Which processes of which nodes there are, whether they agree, and the order to drain one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from gateway.model.journal import Alert
from gateway.model.node import NodeProcess
from gateway.nodes.agreement import differences

SILENT_SECONDS = 10
"""A process that has said nothing for so long is not counted on any more."""
TOLERATED = timedelta(minutes=5)
"""How long nodes may differ before somebody is told: a change goes through them one by one."""
DIFFER = "NODES_DIFFER"
_ALONE = text("SELECT pg_try_advisory_xact_lock(1212635218)")


@dataclass(frozen=True, slots=True)
class Process:
    """One process as the database knows it."""

    row: NodeProcess
    silent_seconds: float

    @property
    def is_alive(self) -> bool:
        return self.silent_seconds < SILENT_SECONDS

    @property
    def state(self) -> str:
        if not self.is_alive:
            return "lost"
        return "draining" if self.row.draining_at or self.row.drain_ordered_at else "running"


def processes(session: Session, node: str | None = None) -> list[Process]:
    """Those of all nodes or of one, by node; also those that died lately without taking their leave."""
    silent = func.extract("epoch", func.now() - NodeProcess.seen_at)
    query = select(NodeProcess, silent).order_by(NodeProcess.node, NodeProcess.kind.desc(), NodeProcess.id)
    if node is not None:
        query = query.where(NodeProcess.node == node)
    return [Process(row, float(seconds)) for row, seconds in session.execute(query)]


def disagreements(found: Sequence[Process]) -> dict[str, list[str]]:
    """What is not the same in all living processes -> the nodes concerned."""
    return differences([(one.row.node, json.loads(one.row.agreed)) for one in found if one.is_alive])


def order_drain(session: Session, node: str) -> int:
    """Tell a node to finish what it has begun and to end; how many of its processes are alive."""
    numbers = [one.row.id for one in processes(session, node) if one.is_alive]
    session.execute(update(NodeProcess).where(NodeProcess.id.in_(numbers)).values(drain_ordered_at=func.now()))
    return len(numbers)


def alert_disagreements(session: Session, now: datetime) -> None:
    """Tell somebody, once, of what has not been the same on all nodes for minutes."""
    if not session.scalar(_ALONE):
        return
    settled = [one for one in processes(session) if one.row.started_at < now - TOLERATED]
    found = disagreements(settled)
    if not found:
        return
    nodes = sorted({node for names in found.values() for node in names})
    subject = f"nodes {', '.join(nodes)}: {', '.join(found)}"
    known = select(Alert.id).where(Alert.kind == DIFFER, Alert.subject == subject, Alert.settled_at.is_(None))
    if session.scalars(known.limit(1)).first() is None:
        session.add(Alert(raised_at=now, kind=DIFFER, subject=subject, txn_no=None))
