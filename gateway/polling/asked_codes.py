"""Finds the codes that polled rows ask for: their stylesheets are run again over the journal, and nothing is read."""

from __future__ import annotations

from datetime import datetime, timezone

from lxml import etree

from gateway.errors import InternalFault, InvalidMessage
from gateway.facades.asked_codes import Received
from gateway.mapping.codes import CodeTables, NoCodeTables
from gateway.mapping.errors import MappingFailed, StylesheetBroken
from gateway.model.journal import JournalEntry
from gateway.partner_config import Partner
from gateway.polling.requests import RowRequests
from gateway.polling.rounds import ROW


def by_polls(partner: Partner, hospital_code: str, zone: timezone, since: datetime, most: int) -> Received:
    """The rows of all polls of a partner that became messages since a moment."""
    polls, known = {poll.name: poll for poll in partner.polls}, dict[str, RowRequests]()

    def look_up(row: JournalEntry, codes: CodeTables) -> None:
        name = max((name for name in polls if row.message_id.startswith(f"{name}-")), key=len, default=None)
        read = etree.fromstring(row.xml).find("Row")
        if name is None or read is None:
            raise InvalidMessage()
        try:
            if name not in known:
                known[name] = RowRequests(partner, polls[name], hospital_code, lambda: since, NoCodeTables())
            known[name].look_up(read, row.message_id, row.received_at.astimezone(zone), codes)
        except MappingFailed:
            raise InvalidMessage() from None
        except StylesheetBroken:
            raise InternalFault() from None

    return Received(f"polls of {partner.name}", (ROW,), look_up, since, most, partner.client_name)
