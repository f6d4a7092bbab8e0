"""Which processes of the gateway run, on which machines, and which releases the tables still tolerate."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Identity, func
from sqlalchemy.orm import Mapped, mapped_column

from gateway.model.base import Base


class NodeProcess(Base):
    """One running process of one node; it says every few seconds that it lives, by the database's clock."""

    __tablename__ = "node_process"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    node: Mapped[str]
    """What the site calls the machine (`node` in gateway.toml)."""
    kind: Mapped[str]
    """serve, web or delivery."""
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    revision: Mapped[str]
    """Of the tables its release was made for."""
    agreed: Mapped[str]
    """Fingerprints of what must be the same on every node, as JSON: what it is -> its fingerprint."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lease: Mapped[int | None] = mapped_column(BigInteger)
    """The number by which a delivery process is known among the locks (gateway/delivery/leases.py)."""
    draining_at: Mapped[datetime | None]
    drain_ordered_at: Mapped[datetime | None]


class SchemaFloor(Base):
    """One row: the oldest revision whose gateway still runs against these tables (gateway/migrate.py)."""

    __tablename__ = "schema_floor"

    revision: Mapped[str] = mapped_column(primary_key=True)
