"""Says for one process that it lives, hears of an order to drain, and takes its leave at the end."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from gateway.model.node import NodeProcess
from gateway.nodes.agreement import differences
from gateway.store import make_engine

BEAT_SECONDS = 2.0
FORGOTTEN_SECONDS = 600
"""After which a process that died without taking its leave is no longer listed."""

_log = logging.getLogger(__name__)


class Kind(StrEnum):
    """What a process does."""

    SERVE = "serve"
    """Looks after the others of `gateway serve`."""
    WEB = "web"
    DELIVERY = "delivery"
    POLLING = "polling"
    HL7 = "hl7"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process it is, and what it agrees to."""

    node: str
    kind: Kind
    revision: str
    """Of the tables its release was made for."""
    agreed: Mapping[str, str]


class Presence:
    """A row of this process in the database, renewed every two seconds on a connection of its own.

    It starts without the database and never holds up what the process is for. `on_drain` is called once when somebody
    orders the node to drain; without it the order is another process's to follow. `draining` is asked at every beat.
    """

    def __init__(
        self,
        url: str,
        identity: Identity,
        *,
        on_drain: Callable[[], None] | None = None,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._engine = make_engine(url, pool_size=1)
        self._identity = identity
        self._on_drain = on_drain
        self._asked_to_drain = draining
        self._draining = False
        self._lease: int | None = None
        self._id: int | None = None
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def leased(self, number: int) -> None:
        """The number by which this process is known among the locks of partners."""
        self._lease = number
        self._wake.set()

    def draining(self) -> None:
        """This process finishes what it has begun and then ends."""
        self._draining = True
        self._wake.set()

    def leave(self) -> None:
        """Take the row away; a database that is away is not waited for."""
        self._ended = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(BEAT_SECONDS)

    def _run(self) -> None:
        while not self._ended:
            try:
                self._beat()
            except SQLAlchemyError as problem:
                _log.debug("This process cannot say that it lives: %s.", type(problem).__name__)
            self._wake.wait(BEAT_SECONDS)
            self._wake.clear()
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(NodeProcess).where(NodeProcess.id == self._id))
        except SQLAlchemyError:
            _log.debug("This process could not take its leave.")
        self._engine.dispose()

    def _beat(self) -> None:
        draining = self._draining or self._asked_to_drain()
        since = func.coalesce(NodeProcess.draining_at, func.now()) if draining else None
        with self._engine.begin() as connection:
            row = None
            if self._id is not None:
                renewed = update(NodeProcess).where(NodeProcess.id == self._id)
                values = renewed.values(seen_at=func.now(), lease=self._lease, draining_at=since)
                row = connection.execute(values.returning(NodeProcess.drain_ordered_at)).first()
            if row is None:
                self._join(connection)
        if row is not None and row.drain_ordered_at is not None and self._on_drain is not None:
            _log.info("This node is told to drain.")
            on_drain, self._on_drain = self._on_drain, None
            on_drain()

    def _join(self, connection: Connection) -> None:
        one = self._identity
        others = connection.execute(
            select(NodeProcess.node, NodeProcess.agreed).where(
                NodeProcess.node != one.node, NodeProcess.seen_at > func.now() - text("interval '10 s'")
            )
        )
        for what, nodes in differences(
            [(one.node, one.agreed), *((row.node, json.loads(row.agreed)) for row in others)]
        ).items():
            _log.warning("%s is not the same on %s: put it right and restart the node.", what, " and ".join(nodes))
        forgotten = NodeProcess.seen_at < func.now() - text(f"interval '{FORGOTTEN_SECONDS} s'")
        connection.execute(delete(NodeProcess).where(forgotten))
        self._id = connection.scalar(
            insert(NodeProcess)
            .values(
                node=one.node,
                kind=one.kind,
                host=socket.gethostname(),
                pid=os.getpid(),
                version=importlib.metadata.version("hospital-gateway"),
                revision=one.revision,
                agreed=json.dumps(dict(one.agreed)),
                lease=self._lease,
            )
            .returning(NodeProcess.id)
        )
