"""The SOAP client of one partner: writes our envelope around a checked message, sends it and reads the reply.

Nothing a partner sends or a message holds gets into a log or an exception; what went wrong is told by a code.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from http.client import HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from xml.sax.saxutils import escape

from lxml import etree

from gateway.config import Partner
from gateway.contract import NAMESPACE, Contract
from gateway.errors import InvalidMessage
from gateway.messages.wire import Wire
from gateway.operations.dispatch import Outcome
from gateway.partners.connection import connection_to
from gateway.partners.failures import UnusableReply
from gateway.soap.envelope import SoapVersion

LARGEST_REPLY = 20 * 1024 * 1024
_PIECE = 64 * 1024
_ALWAYS = {"User-Agent": "hospital-gateway", "Accept": "*/*", "Connection": "close"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a partner sent back, unread."""

    status: int
    content_type: str
    body: bytes


def post(address: str, body: bytes, headers: dict[str, str], login: tuple[str, str] | None = None) -> Reply:
    """Send one body over a connection of its own: no redirects, no proxies, no cookies, no waiting for ever.

    A connection kept open would be cheaper, but when a partner closes it just as the next message leaves, nobody knows
    whether that message was read.
    """
    url = urlsplit(address)
    headers = _ALWAYS | headers
    if login is not None:
        headers["Authorization"] = "Basic " + b64encode(":".join(login).encode()).decode()
    connection = connection_to(url)
    try:
        connection.request("POST", urlunsplit(("", "", url.path or "/", url.query, "")), body, headers)
        with connection.getresponse() as response:
            content = _read(response)
            return Reply(response.status, response.getheader("Content-Type", ""), content)
    finally:
        connection.close()


def _read(response: HTTPResponse) -> bytes:
    """The body, in pieces, so that one without end is given up. Raises IncompleteRead for one that is cut short."""
    pieces, size = [], 0
    while piece := response.read(_PIECE):
        size += len(piece)
        if size > LARGEST_REPLY:
            raise UnusableReply("TOO-LARGE", Outcome.UNKNOWN)
        pieces.append(piece)
    if response.length:
        raise IncompleteRead(b"", response.length)
    return b"".join(pieces)


class PartnerClient:
    """Calls the operations of our contract at one partner's address; any number of threads may use it at once."""

    def __init__(self, partner: Partner, contract: Contract, wire: Wire) -> None:
        self._schema = contract.schema
        self._wire = wire
        self._address = str(partner.url)
        self._version = SoapVersion.V12 if partner.soap_version == "1.2" else SoapVersion.V11
        password = partner.password.get_secret_value() if partner.password else ""
        self._login = (partner.username, password) if partner.username else None
        self._header = _auth_header(partner.username, password) if partner.username else ""

    def post(self, operation: str, request: Any) -> Reply:
        """Send one request within the current exchange. Raises what FAILURES lists."""
        wrapper = self._wire.document(operation, request)
        if not self._schema.validate(etree.fromstring(wrapper, _parser())):
            raise InvalidMessage()
        envelope = (
            f'<?xml version="1.0" encoding="utf-8"?>\n<soap:Envelope xmlns:soap="{self._version.namespace}">'
            f"{self._header}<soap:Body>{wrapper}</soap:Body></soap:Envelope>"
        )
        return post(self._address, envelope.encode(), self._headers(operation), self._login)

    def _headers(self, operation: str) -> dict[str, str]:
        action = f'"{NAMESPACE}/{operation}"'
        if self._version is SoapVersion.V11:
            return {"Content-Type": self._version.content_type, "SOAPAction": action}
        return {"Content-Type": f"{self._version.content_type}; action={action}"}


def _auth_header(username: str, password: str) -> str:
    known = f"<Username>{escape(username)}</Username><Password>{escape(password)}</Password>"
    return f'<soap:Header><AuthHeader xmlns="{NAMESPACE}">{known}</AuthHeader></soap:Header>'


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
