"""The gateway as a web application (WSGI): SOAP messages at /soap, the published contract, and what monitoring asks.

The way of a message is `SoapServer._receive`, read from top to bottom. Whatever goes wrong on it, the sender gets a
SOAP fault in its own version of SOAP, never a page, a stack trace or silence.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Protocol

from gateway.contract import Contract
from gateway.documents import CONTENT_TYPE as XML_TYPE
from gateway.documents import Documents
from gateway.errors import TooLarge, UnknownAddress
from gateway.messages.wire import Wire
from gateway.model.client import SpecialRight
from gateway.monitoring import CONTENT_TYPE as METRICS_TYPE
from gateway.monitoring import Metrics
from gateway.operations.unit import Caller, new_txn_no
from gateway.security.authentication import AuthenticatedClient
from gateway.security.credentials import Credentials, read_credentials
from gateway.soap.cycle import Call, Reception, make_cycles
from gateway.soap.envelope import Envelope, Limits, parse_envelope, peek
from gateway.soap.faults import as_fault, fault_content, http_status, log_fault, new_error_id
from gateway.soap.front import Answer, Environ, Headers, read_body, soap_version
from gateway.soap.journal_copy import without_passwords
from gateway.soap.protocol import enclose
from gateway.soap.repairs import said as repairs_in_words
from gateway.soap.unreadable import Directory, KeepUnreadablePush, UnreadablePushes

_log = logging.getLogger(__name__)

SOAP_PATH = "/soap"
LARGE_OPERATION = "SubmitReport"
PLAIN = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
ASK_FOR_PASSWORD: Headers = (("WWW-Authenticate", 'Basic realm="hospital gateway", charset="UTF-8"'),)
Known = dict[Credentials | None, AuthenticatedClient]
"""Who was recognised by the first part of a message."""


class IndexPage(Protocol):
    """The page a person sees: gateway/soap/pages.py."""

    def render(self) -> bytes:
        """The page as HTML in UTF-8."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of; gateway/bootstrap puts them together."""

    contract: Contract
    wire: Wire
    reception: Reception
    directory: Directory
    documents: Documents
    index_page: IndexPage
    limits: Limits
    metrics: Metrics
    clock: Callable[[], datetime]
    """The time, in the hospital's zone."""
    readiness: Callable[[], Mapping[str, bool | str]]
    """What must be true for messages to be taken, by name: {"database": True}; a text says why it is not."""
    keep_unreadable_push: KeepUnreadablePush
    require_room: Callable[[str], None] = lambda operation: None
    """Raises NoRoom when a message of this operation could not be kept."""
    facades: Callable[[Environ], Answer | None] = lambda environ: None
    """What else takes messages, beside /soap; None for an address that is none of theirs."""
    draining: Callable[[], bool] = lambda: False
    """Whether this server is about to end, so that nobody should be sent here any more."""


class SoapServer:
    """The WSGI application; one per process, for any number of threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._cycles = make_cycles(parts.contract, parts.wire)
        self._unreadable = UnreadablePushes(parts.directory, parts.keep_unreadable_push)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        answer = self._parts.facades(environ)
        if answer is None:
            answer = self._soap(environ) if environ["REQUEST_METHOD"] == "POST" else self._page(environ)
        headers = [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.content))),
            ("X-Content-Type-Options", "nosniff"),
            *answer.headers,
        ]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.content]

    # --- SOAP -------------------------------------------------------------------------------------------------------

    def _soap(self, environ: Environ) -> Answer:
        now = self._parts.clock()
        call = Call(received_at=now, reception=self._parts.reception, txn_no=new_txn_no(now))
        begun = self._parts.metrics.begin()
        try:
            return self._receive(call, environ)
        except Exception as error:
            return self._fault(call, self._unreadable.look_at(call, error, environ), environ)
        finally:
            self._parts.metrics.end(begun, call.operation or "-", call.result_code)
            if call.repairs and call.caller is not None:
                self._note_repairs(call, call.caller.name)

    def _note_repairs(self, call: Call, client: str) -> None:
        """Whose program sends what; a stranger's name makes no figure."""
        for repair in sorted(call.repairs):
            self._parts.metrics.repaired(repair, client)
        said = (repairs_in_words(call.repairs), call.operation, client, call.message_id or "-")
        _log.warning("Mended %s: operation %s, client %s, message %s", *said)

    def _receive(self, call: Call, environ: Environ) -> Answer:
        """The answer to a message, or an error."""
        known: Known = {}
        limits = self._parts.limits
        call.body = read_body(environ, lambda beginning: self._may_be_large(beginning, environ, known), limits)
        if _path(environ) != SOAP_PATH:
            raise UnknownAddress()
        is_large = len(call.body) > limits.body_bytes
        envelope = parse_envelope(call.body, environ.get("CONTENT_TYPE", ""), limits, is_large)
        call.version, call.repairs = envelope.version, envelope.repairs

        def admit(call: Call, envelope: Envelope) -> None:
            self._admit(call, envelope, environ, known)
            if is_large and not _is_large_report(call.operation, call.caller):
                raise TooLarge()

        content = self._cycles[envelope.version].answer(call, envelope, admit)
        return Answer(200, envelope.version.content_type, content)

    def _admit(self, call: Call, envelope: Envelope, environ: Environ, known: Known) -> None:
        """Let the caller in, or not. A token may be used only once, so who is known by now is not asked again."""
        credentials = read_credentials(envelope.headers, environ.get("HTTP_AUTHORIZATION"))
        caller = known.get(credentials) or self._parts.directory.authenticate(credentials)
        call.caller = caller
        caller.require(call.operation)
        self._parts.require_room(call.operation)
        call.xml = without_passwords(envelope)

    def _may_be_large(self, beginning: bytes, environ: Environ, known: Known) -> bool:
        """Whether the rest of a large message may come, by its first part."""
        seen = peek(beginning, environ.get("CONTENT_TYPE", ""))
        if seen is None or seen[1] != LARGE_OPERATION or _path(environ) != SOAP_PATH:
            return False
        credentials = read_credentials(seen[0], environ.get("HTTP_AUTHORIZATION"))
        if credentials is None:
            return False
        known[credentials] = self._parts.directory.authenticate(credentials)
        return _is_large_report(seen[1], known[credentials])

    def _fault(self, call: Call, error: Exception, environ: Environ) -> Answer:
        version = call.version or soap_version(environ, call.body)
        fault = as_fault(error)
        call.result_code = fault.code
        error_id = new_error_id(call.received_at)
        client = call.caller.name if call.caller else ""
        log_fault(error, fault, error_id, operation=call.operation, client=client, message=call.message_id)
        status = http_status(version, fault)
        content = enclose(version, fault_content(version, fault, error_id, self._parts.wire))
        return Answer(status, version.content_type, content, ASK_FOR_PASSWORD if status == 401 else ())

    # --- Pages ------------------------------------------------------------------------------------------------------

    def _page(self, environ: Environ) -> Answer:
        path = _path(environ)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            allowed = "GET, HEAD, POST" if path == SOAP_PATH else "GET, HEAD"
            return Answer(405, PLAIN, b"Method not allowed\n", (("Allow", allowed),))
        try:
            return self._found(path, environ.get("QUERY_STRING", "")) or Answer(404, PLAIN, b"Not found\n")
        except Exception as error:
            fault = as_fault(error)
            error_id = new_error_id(self._parts.clock())
            log_fault(error, fault, error_id, operation="GET")
            return Answer(500, PLAIN, f"Internal error {error_id}\n".encode())

    def _found(self, path: str, query: str) -> Answer | None:
        """What stands at an address; None if nothing does."""
        if path == SOAP_PATH and query:
            wsdl = self._parts.documents.wsdl(query)
            return None if wsdl is None else Answer(200, XML_TYPE, wsdl)
        if path in ("/", SOAP_PATH):
            return Answer(200, HTML, self._parts.index_page.render())
        if path == "/healthz":
            return _json(200, {"alive": True})
        if path == "/readyz":
            return self._ready()
        if path == "/metrics":
            return Answer(200, METRICS_TYPE, self._parts.metrics.render())
        file = self._parts.documents.file(path)
        return None if file is None else Answer(200, file[1], file[0])

    def _ready(self) -> Answer:
        """Whether messages can be taken; an answer within the database's own time limits, whatever its state."""
        if self._parts.draining():
            return _json(503, {"ready": False, "draining": True})
        try:
            found: dict[str, bool | str] = dict(self._parts.readiness())
        except Exception as error:
            _log.warning("The readiness check failed: %s", type(error).__qualname__)
            found = {"check": False}
        ready = all(value is True for value in found.values())
        return _json(200 if ready else 503, {"ready": ready, **found})


def _path(environ: Environ) -> str:
    """The path asked for; a slash too many at its end is forgiven."""
    path = str(environ.get("PATH_INFO", ""))
    return path.rstrip("/") or "/"


def _json(status: int, content: Mapping[str, bool | str]) -> Answer:
    return Answer(status, JSON, json.dumps(content).encode() + b"\n")


def _is_large_report(operation: str, caller: Caller | None) -> bool:
    """Whether this operation by this caller may be larger than other messages."""
    return operation == LARGE_OPERATION and caller is not None and caller.may(SpecialRight.LARGE_REPORT)
