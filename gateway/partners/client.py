"""The SOAP client of one partner: zeep writes the envelope by our own WSDL, this module sends it and reads the reply.

Nothing a partner sends or a message holds gets into a log or an exception; what went wrong is told by a code.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import requests
import zeep
from lxml import etree
from requests.auth import HTTPBasicAuth
from zeep.exceptions import ExternalReferenceForbidden
from zeep.proxy import ServiceProxy
from zeep.transports import Transport

from gateway.config import Partner
from gateway.operations.dispatch import Outcome
from gateway.partners.connection import DeadlineAdapter, current_exchange
from gateway.partners.failures import UnusableReply

LARGEST_REPLY = 20 * 1024 * 1024
_PIECE = 64 * 1024
_WSDL = {"1.1": "gateway.wsdl", "1.2": "gateway-soap12.wsdl"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a partner sent back, unread."""

    status: int
    content_type: str
    body: bytes


def post(address: str, body: bytes, headers: dict[str, str], auth: HTTPBasicAuth | None) -> Reply:
    """Send one body over a connection of its own: no redirects, no proxies, no cookies, no waiting for ever.

    A connection kept open would be cheaper, but when a partner closes it just as the next message leaves, nobody knows
    whether that message was read.
    """
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", DeadlineAdapter())
        session.mount("https://", DeadlineAdapter())
        session.headers.update({"User-Agent": "hospital-gateway", "Connection": "close"})
        response = session.post(
            address,
            data=body,
            headers=headers,
            auth=auth,
            timeout=current_exchange().remaining(),
            allow_redirects=False,
            stream=True,
        )
        with response:
            content = _read(response)
    return Reply(response.status_code, response.headers.get("Content-Type", ""), content)


class DeadlineTransport(Transport):
    """Sends zeep's envelopes within the current exchange."""

    def __init__(self, username: str | None, password: str | None) -> None:
        super().__init__(session=requests.Session())  # type: ignore[no-untyped-call]
        self._auth = HTTPBasicAuth(username, password or "") if username else None

    def post_xml(self, address: str, envelope: etree._Element, headers: dict[str, str]) -> Reply:
        body = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
        return post(address, body, headers, self._auth)

    def _load_remote_data(self, url: str) -> bytes:
        raise ExternalReferenceForbidden(url)  # type: ignore[no-untyped-call]


def _read(response: requests.Response) -> bytes:
    """The body, in pieces, so that one without end is given up."""
    pieces, size = [], 0
    for piece in response.iter_content(_PIECE):
        size += len(piece)
        if size > LARGEST_REPLY:
            raise UnusableReply("TOO-LARGE", Outcome.UNKNOWN)
        pieces.append(piece)
    return b"".join(pieces)


class PartnerClient:
    """Calls the operations of our contract at one partner's address; any number of threads may use it at once."""

    def __init__(self, partner: Partner, contract_folder: Path) -> None:
        self._partner = partner
        self._folder = contract_folder
        self._service: ServiceProxy | None = None
        self._building = Lock()

    def post(self, operation: str, request: dict[str, Any]) -> Reply:
        """Send one request within the current exchange. Raises what FAILURES lists."""
        headers = {"_soapheaders": {"AuthHeader": self._auth_header()}} if self._partner.username else {}
        reply: Reply = self._built()[operation](Request=request, **headers)
        return reply

    def _auth_header(self) -> dict[str, str | None]:
        return {"Username": self._partner.username, "Password": self._password()}

    def _password(self) -> str:
        return self._partner.password.get_secret_value() if self._partner.password else ""

    def _built(self) -> ServiceProxy:
        """Reading the WSDL takes 50 ms: done with the first message, not at the start of every process."""
        with self._building:
            if self._service is None:
                client: Any = zeep.Client(  # type: ignore[no-untyped-call]
                    _document(self._folder, self._partner.soap_version),
                    transport=DeadlineTransport(self._partner.username, self._password()),
                    settings=_settings(),
                )
                binding = next(iter(client.wsdl.bindings))
                self._service = client.create_service(binding, str(self._partner.url))
            return self._service


def _settings() -> zeep.Settings:
    return zeep.Settings(
        strict=True, raw_response=True, forbid_dtd=True, forbid_entities=True, forbid_external=True, force_https=False
    )


@cache
def _document(folder: Path, soap_version: str) -> zeep.wsdl.Document:
    """Our WSDL as zeep reads it, shared by all partners of a SOAP version. zeep's own log would show envelopes."""
    logging.getLogger("zeep").setLevel(logging.WARNING)
    transport: Any = DeadlineTransport(None, None)
    return zeep.wsdl.Document(str(folder / "wsdl" / _WSDL[soap_version]), transport, settings=_settings())
