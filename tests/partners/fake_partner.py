"""A partner's web service that can be told to misbehave: a real HTTP server in threads, speaking our contract."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lxml import etree

from gateway.contract import NAMESPACE, Contract
from gateway.messages.common import Result
from gateway.messages.query import TransactionRecord
from gateway.messages.wire import Wire
from gateway.partner_config import Partner
from gateway.terms import TransactionState

CONTRACT = Contract()
WIRE = Wire(CONTRACT, timezone(timedelta(hours=8)))
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
BOOKS = ("ok", "slow", "held", "lost", "drip", "cut")
"""What it does after it has done what it was asked."""
MONEY = {"ChargeItem": "charge_no", "RefundItem": "refund_no"}


def sample(operation: str) -> Any:
    """The request of the contract's sample message."""
    body = etree.parse(CONTRACT.sample(operation)).getroot()[-1]
    return WIRE.read(f"{operation}Request", body[0][0])


@dataclass
class Received:
    """One request as the partner saw it."""

    operation: str
    message_id: str
    request: Any
    started: float
    finished: float = 0.0
    behaviour: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    envelope: bytes = b""


class FakePartner:
    """Answers what `behave` says, by default always yes; remembers every request and what it booked."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.received: list[Received] = []
        self.broken: list[str] = []
        """Envelopes that did not keep to the contract."""
        self.booked: dict[str, TransactionState] = {}
        self.seen: set[str] = set()
        self.script: deque[str] = deque()
        """What to do with the next requests, in order; then `behave` decides."""
        self.behave: Callable[[Received], str] = lambda request: "ok"
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.go_on = threading.Event()
        """Set when what is "held" may be answered."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                fake._serve(self)

            def do_GET(self) -> None:
                fake.broken.append(f"GET {self.path}")
                self.send_error(404)

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server((host, port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}/soap"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self.url = f"https://localhost:{self.port}/soap"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def partner(self, name: str = "HIS", **settings: Any) -> Partner:
        return Partner(name=name, url=self.url, **settings)

    def sent(self, operation: str | None = None) -> list[Received]:
        with self._lock:
            return [r for r in self.received if operation in (None, r.operation)]

    # --- serving ----------------------------------------------------------------------------------------------------

    def _serve(self, http: BaseHTTPRequestHandler) -> None:
        body = http.rfile.read(int(http.headers["Content-Length"]))
        root = etree.fromstring(body)
        wrapper = root[-1][0]
        operation = etree.QName(wrapper).localname
        if not CONTRACT.schema.validate(wrapper):
            self.broken.append(str(CONTRACT.schema.error_log.last_error))
        request = WIRE.read(f"{operation}Request", wrapper[0])
        received = Received(operation, request.header.message_id, request, time.time())
        received.headers, received.envelope = dict(http.headers), body
        with self._lock:
            self.received.append(received)
            received.behaviour = self.script.popleft() if self.script else self.behave(received)
        self._act(http, received, root.nsmap[root.prefix])

    def _act(self, http: BaseHTTPRequestHandler, received: Received, soap: str) -> None:
        name, _, argument = received.behaviour.partition(":")
        yes = self._envelope(soap, self._yes(received)) if name in BOOKS else b""
        if name in ("slow", "hang"):
            self._closing.wait(float(argument))
        elif name == "held":
            self.go_on.wait()
        received.finished = time.time()  # before the answer leaves: who has it may send the next at once
        if name in ("ok", "slow", "held"):
            self._reply(http, 200, yes)
        elif name == "refuse":
            self._reply(http, 200, self._envelope(soap, self._no(received, argument)))
        elif name in ("lost", "close", "hang"):
            http.close_connection = True
        elif name == "reset":
            http.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            http.connection.close()
            http.close_connection = True
        elif name == "drip":
            self._drip(http, yes, float(argument))
        elif name == "cut":
            self._head(http, 200, len(yes), "text/xml")
            http.wfile.write(yes[: len(yes) // 2])
            http.close_connection = True
        elif name == "http":
            self._reply(http, int(argument), b"<html>error</html>", "text/html")
        elif name == "raw":
            self._reply(http, 200, argument.encode(), "text/html")
        elif name == "fault":
            who, _, code = argument.partition("/")
            self._reply(http, 500, fault(soap, who, code))
        elif name == "reply":
            self._reply(http, 200, argument.encode())
        else:
            raise AssertionError(name)

    def _yes(self, received: Received) -> str:
        operation, request = received.operation, received.request
        if operation == "QueryTransaction":
            return self._found(received)
        with self._lock:
            duplicate = received.message_id in self.seen
            self.seen.add(received.message_id)
            if operation in MONEY:
                self.booked.setdefault(getattr(request, MONEY[operation]), TransactionState.CONFIRMED)
        fields = {}
        if operation == "ChargeItem":
            fields = {"charge_no": request.charge_no, "his_charge_no": "H1", "transaction_state": "CONFIRMED"}
        return self._response(received, result(received.message_id, duplicate=duplicate), **fields)

    def _no(self, received: Received, argument: str) -> str:
        code, _, retryable = argument.partition(":")
        refusal = result(received.message_id, code, retryable=retryable == "retryable")
        if received.operation in MONEY and not retryable:
            self.booked.setdefault(getattr(received.request, MONEY[received.operation]), TransactionState.REJECTED)
        return self._response(received, refusal)

    def _found(self, received: Received) -> str:
        request = received.request
        if request.queried_message_id is not None:
            return self._found_registration(received)
        state = self.booked.get(request.charge_no or request.refund_no)
        if state is None:
            return self._response(received, result(received.message_id, "QRY-404"))
        record = TransactionRecord(
            operation="ChargeItem" if request.charge_no else "RefundItem",
            gateway_txn_no="T1",
            sender_code="GATEWAY",
            message_id="GW-1",
            received_at=datetime.now(UTC),
            result_code="CHG-409" if state is TransactionState.REJECTED else "0",
            charge_no=request.charge_no,
            refund_no=request.refund_no,
            his_charge_no="H1" if request.charge_no else None,
            transaction_state=state,
        )
        return self._response(received, result(received.message_id), transactions=(record,))

    def _found_registration(self, received: Received) -> str:
        """By its MessageId, as a HIS that charges on registration knows it."""
        request = received.request
        if request.queried_message_id not in self.seen:
            return self._response(received, result(received.message_id, "QRY-404"))
        record = TransactionRecord(
            operation=request.queried_operation,
            gateway_txn_no="T1",
            sender_code="GATEWAY",
            message_id=request.queried_message_id,
            received_at=datetime.now(UTC),
            result_code="0",
            charge_no="H-C1",
            his_charge_no="H1",
            transaction_state=TransactionState.CONFIRMED,
        )
        return self._response(received, result(received.message_id), transactions=(record,))

    def _response(self, received: Received, outcome: Result, **fields: Any) -> str:
        response = response_class(received.operation)(result=outcome, **fields)
        return WIRE.document(f"{received.operation}Response", response)

    @staticmethod
    def _envelope(soap: str, content: str) -> bytes:
        return envelope(soap, content)

    @staticmethod
    def _head(http: BaseHTTPRequestHandler, status: int, length: int, content_type: str) -> None:
        http.send_response(status)
        http.send_header("Content-Type", content_type)
        http.send_header("Content-Length", str(length))
        if status in (301, 302):
            http.send_header("Location", "/login")
        http.end_headers()

    def _reply(
        self, http: BaseHTTPRequestHandler, status: int, body: bytes, content_type: str = "text/xml; charset=utf-8"
    ) -> None:
        with suppress(OSError):
            self._head(http, status, len(body), content_type)
            http.wfile.write(body)

    def _drip(self, http: BaseHTTPRequestHandler, body: bytes, pause: float) -> None:
        """Byte by byte, the head too: no single read ever waits long."""
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        http.close_connection = True
        with suppress(OSError):
            for byte in head + body:
                http.connection.sendall(bytes([byte]))
                time.sleep(pause)


def response_class(operation: str) -> Any:
    return WIRE._classes[f"{operation}ResponseType"]


def result(message_id: str, code: str = "0", *, duplicate: bool = False, retryable: bool = False) -> Result:
    return Result(
        result_code=code,
        result_text="成功" if code == "0" else "不允许",
        result_text_en="Accepted" if code == "0" else "Refused",
        message_id=message_id,
        gateway_txn_no="T1",
        duplicate=duplicate,
        retryable=retryable,
        processed_at=datetime.now(UTC),
    )


def envelope(soap: str, content: str) -> bytes:
    return f'<s:Envelope xmlns:s="{soap}"><s:Body>{content}</s:Body></s:Envelope>'.encode()


def fault(soap: str, who: str, code: str = "") -> bytes:
    """A SOAP fault that blames Client or Server; with a GatewayFault if a code is given."""
    detail = ""
    if code:
        detail = (
            f'<GatewayFault xmlns="{NAMESPACE}"><Code>{code}</Code><Message>m</Message><MessageEn>m</MessageEn>'
            "<ErrorId>E1</ErrorId><Retryable>false</Retryable></GatewayFault>"
        )
    if soap == SOAP12:
        who = {"Client": "Sender", "Server": "Receiver"}.get(who, who)
        return envelope(
            soap,
            f"<s:Fault><s:Code><s:Value>s:{who}</s:Value></s:Code>"
            f'<s:Reason><s:Text xml:lang="en">no</s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault>',
        )
    text = f"<s:Fault><faultcode>s:{who}</faultcode><faultstring>no</faultstring><detail>{detail}</detail></s:Fault>"
    return envelope(soap, text)
