"""The dialect of a partner that serves the operations of our own contract at its own address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway.contract import Contract
from gateway.messages.wire import Wire
from gateway.operations.dispatch import PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners import queried
from gateway.partners.addressing import Stamp, addressed
from gateway.partners.client import PartnerClient
from gateway.partners.connection import exchange
from gateway.partners.failures import told_as_answer
from gateway.partners.reply import ReplyReader


class Canonical:
    """Sends our messages as they are, under our name, and reads answers of the same contract."""

    def __init__(self, partner: Partner, contract: Contract, wire: Wire, now: Callable[[], datetime]) -> None:
        self._partner = partner
        self._wire = wire
        self._now = now
        self._client = PartnerClient(partner, contract.folder)
        self._reader = ReplyReader(contract, wire)

    def call(self, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer:
        """Send one message and read its answer, within `seconds` from now; never raises."""
        with exchange(seconds, self._partner.connect_seconds) as way:
            try:
                message = self._wire.plain(addressed(self._partner, operation, request, stamp, self._now()))
                reply = self._client.post(operation, message)
                return self._reader.read(operation, stamp.message_id, reply)
            except Exception as problem:
                return told_as_answer(problem, way)

    def find_booking(self, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer | None:
        """What became of a charge, refund or registration whose answer was lost (`queried.find_booking`)."""
        return queried.find_booking(self.call, operation, request, stamp, seconds)
