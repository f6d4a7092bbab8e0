"""The SOAP client of one partner: zeep writes the envelope by our own WSDL, this module sends it and reads the reply.

zeep is given a transport of ours: its own goes through requests, which took as long as zeep itself, and which knows
neither one deadline over everything nor whether anything of a request has left.

Nothing a partner sends or a message holds gets into a log or an exception; what went wrong is told by a code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import zeep
from lxml import etree
from zeep.proxy import ServiceProxy

from gateway.operations.dispatch import Outcome
from gateway.partner_config import Partner
from gateway.partners.connection import TlsSource, connection_to
from gateway.partners.credentials import Credentials
from gateway.partners.failures import UnusableReply
from gateway.partners.tls import tls_of
from gateway.partners.unwrapping import inflated
from gateway.partners.wsdl.loading import NothingFetched, load, settings

LARGEST_REPLY = 20 * 1024 * 1024
_PIECE = 64 * 1024
_WSDL = {"1.1": "gateway.wsdl", "1.2": "gateway-soap12.wsdl"}
_ALWAYS = {"User-Agent": "hospital-gateway", "Accept": "*/*", "Connection": "close"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a partner sent back, unread."""

    status: int
    content_type: str
    body: bytes


def post(address: str, body: bytes, headers: dict[str, str], tls: TlsSource | None = None) -> Reply:
    """Send one body over a connection of its own: no redirects, no proxies, no cookies, no waiting for ever.

    A connection kept open would be cheaper, but when a partner closes it just as the next message leaves, nobody knows
    whether that message was read.
    """
    url = urlsplit(address)
    connection = connection_to(url, tls)
    try:
        # As UTF-8: asmx puts the name of an operation into its SOAPAction, and that may be Chinese.
        sent = {name: value.encode() for name, value in (_ALWAYS | headers).items()}
        connection.request("POST", urlunsplit(("", "", url.path or "/", url.query, "")), body, sent)
        with connection.getresponse() as response:
            content = inflated(_read(response), response.getheader("Content-Encoding", ""))
            return Reply(response.status, response.getheader("Content-Type", ""), content)
    finally:
        connection.close()


def _read(response: HTTPResponse) -> bytes:
    """The body, in pieces, so that one without end is given up. Raises IncompleteRead for one that is cut short."""
    pieces, size = [], 0
    while piece := response.read(_PIECE):
        size += len(piece)
        if size > LARGEST_REPLY:
            raise UnusableReply("TOO-LARGE", Outcome.UNKNOWN, "The reply is larger than 20 MB.")
        pieces.append(piece)
    if response.length:
        raise IncompleteRead(b"", response.length)
    return b"".join(pieces)


class Door:
    """The way into one partner: its TLS, and how the gateway says who it is; any number of threads may use it."""

    def __init__(self, partner: Partner) -> None:
        self._tls = tls_of(partner)
        self.credentials = Credentials(partner, self.post)

    def post(self, address: str, body: bytes, headers: dict[str, str]) -> Reply:
        """Send one body within the current exchange. Raises what FAILURES lists."""
        reply = post(address, body, headers, self._tls)
        self.credentials.look_at(reply)
        return reply


class DeadlineTransport(NothingFetched):
    """Sends zeep's envelopes within the current exchange."""

    def __init__(self, door: Door, charset: str = "utf-8") -> None:
        super().__init__()
        self._door = door
        self._charset = charset

    def post_xml(self, address: str, envelope: etree._Element, headers: dict[str, str]) -> Reply:
        if self._charset != "utf-8":
            kind = headers["Content-Type"].replace("utf-8", self._charset)
            return self._door.post(address, _encoded(envelope, self._charset), headers | {"Content-Type": kind})
        return self._door.post(address, etree.tostring(envelope, xml_declaration=True, encoding="utf-8"), headers)


def _encoded(envelope: etree._Element, charset: str) -> bytes:
    """What the charset cannot hold becomes a character reference, which every reader of XML undoes."""
    text = etree.tostring(envelope, encoding="unicode")
    return f'<?xml version="1.0" encoding="{charset.upper()}"?>{text}'.encode(charset, "xmlcharrefreplace")


class PartnerClient:
    """Calls the operations of our contract at one partner's address; any number of threads may use it at once."""

    def __init__(self, partner: Partner, contract_folder: Path) -> None:
        self._partner = partner
        self._folder = contract_folder
        self._service: ServiceProxy | None = None
        self._building = Lock()

    def post(self, operation: str, request: dict[str, Any]) -> Reply:
        """Send one request within the current exchange. Raises what FAILURES lists."""
        reply: Reply = self._built()[operation](Request=request, **self._header())
        return reply

    def _header(self) -> dict[str, Any]:
        """Our contract's own way to say who one is goes beside HTTP Basic: a proxy may have taken that away."""
        partner = self._partner
        if partner.auth.kind != "basic" or not partner.username:
            return {}
        password = partner.password.get_secret_value() if partner.password else ""
        return {"_soapheaders": {"AuthHeader": {"Username": partner.username, "Password": password}}}

    def _built(self) -> ServiceProxy:
        """Reading the WSDL takes 50 ms: done with the first message, not at the start of every process."""
        with self._building:
            if self._service is None:
                door = Door(self._partner)
                client: Any = zeep.Client(  # type: ignore[no-untyped-call]
                    _document(self._folder / "wsdl" / _WSDL[self._partner.soap_version]),
                    transport=DeadlineTransport(door),
                    wsse=door.credentials,
                    settings=settings(),
                )
                binding = next(iter(client.wsdl.bindings))
                self._service = client.create_service(binding, str(self._partner.url))
            return self._service


_document = cache(load)
"""Our WSDL as zeep reads it, shared by all partners of a SOAP version."""
