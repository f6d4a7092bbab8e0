"""Who may call the gateway, and what each caller may do; nothing is allowed that is not written here."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gateway.model.base import Base

# Visible ASCII as in the contract's SenderCode, without the colon: HTTP Basic could not carry it.
CLIENT_NAME = re.compile(r"[!-9;-~]{1,20}")


class SpecialRight(StrEnum):
    """What a client may do beyond calling an operation; granted one by one, beside the operations' names."""

    GREEN_CHANNEL = "GREEN_CHANNEL"
    """Release a requisition before it is paid (绿色通道)."""
    LARGE_REPORT = "LARGE_REPORT"
    """Send reports larger than other messages may be."""
    RECORD_ALL_VISITS = "RECORD_ALL_VISITS"
    """Read a patient's record of every visit, not of the present one alone."""
    RECORD_ORDERS = "RECORD_ORDERS"
    """Read the orders (医嘱) in a patient's record."""
    RECORD_RESTRICTED = "RECORD_RESTRICTED"
    """Read the records of restricted patients."""
    HIS = "HIS"
    """Speak as the hospital's HIS: report visit events, and money that HIS has booked already."""


class Client(Base):
    """A system that may call; its name is its user name and the SenderCode of its messages."""

    __tablename__ = "client"

    name: Mapped[str] = mapped_column(primary_key=True)
    password_hash: Mapped[str]
    digest_secret: Mapped[bytes | None]
    """The password, encrypted; kept only for a client that proves it by a WS-Security digest."""
    description: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    rights: Mapped[list[ClientRight]] = relationship(cascade="all, delete-orphan", order_by="ClientRight.right")

    def grant(self, right: str) -> None:
        """Allow it; allowing twice changes nothing."""
        if all(held.right != right for held in self.rights):
            self.rights.append(ClientRight(right=right))

    def revoke(self, right: str) -> None:
        """Allow it no longer; revoking what was never granted changes nothing."""
        self.rights = [held for held in self.rights if held.right != right]


class ClientRight(Base):
    """One thing a client may do: an operation it may call, or a special right."""

    __tablename__ = "client_right"

    client: Mapped[str] = mapped_column(ForeignKey("client.name", ondelete="CASCADE"), primary_key=True)
    right: Mapped[str] = mapped_column(primary_key=True)


class UsedNonce(Base):
    """A nonce a client has used; the primary key makes a second use impossible, whichever process is asked."""

    __tablename__ = "used_nonce"

    client: Mapped[str] = mapped_column(primary_key=True)
    nonce: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
