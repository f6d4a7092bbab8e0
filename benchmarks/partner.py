"""Partners that say yes as fast as they can, in a process of their own: `python -m benchmarks.partner NAME...`

Each name has a port, printed as JSON at the start, at which connections are refused until it is opened. Orders come as
lines of JSON on standard input, each answered by a line: {"open": NAME}, {"delay": SECONDS}, {"log": true}.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

from gateway.contract import Contract
from gateway.messages.common import Result
from gateway.messages.wire import Wire
from gateway.terms import TransactionState

POISON = "POISON"
"""A message that holds this word is told to be wrong, whatever it is about."""
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_OPERATION = re.compile(rb"Body[^>]*>\s*<(?:\w+:)?(\w+)")
_MESSAGE_ID = re.compile(rb"MessageId>([^<]*)<")
_CHARGE_NO = re.compile(rb"ChargeNo>([^<]*)<")
_ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'
_FAULT = "<s:Fault><faultcode>s:Client</faultcode><faultstring>no</faultstring></s:Fault>"
_ID, _NUMBER = "@MESSAGE@", "@NUMBER@"


class Fake:
    """What the partners answer, and what they have been asked."""

    def __init__(self) -> None:
        contract = Contract()
        wire = Wire(contract, timezone(timedelta(hours=8)))
        self.answers = {operation.name.encode(): _yes(wire, operation.name) for operation in contract.operations}
        self.fault = _http(500, _ENVELOPE.format(_FAULT).encode())
        self.delay = 0.0
        self.log: list[tuple[str, str, float, float]] = []
        """Partner, MessageId, and when it came and was answered."""

    def reply(self, body: bytes) -> tuple[str, bytes]:
        """The MessageId of a request, and what to answer it."""
        operation, number, message_id = _OPERATION.search(body), _CHARGE_NO.search(body), _MESSAGE_ID.search(body)
        assert operation is not None
        assert message_id is not None
        if POISON.encode() in body:
            return message_id[1].decode(), self.fault
        answer = self.answers[operation[1]].replace(_ID.encode(), message_id[1])
        return message_id[1].decode(), _http(200, answer.replace(_NUMBER.encode(), number[1] if number else b""))


class Exchange(asyncio.Protocol):
    """One connection."""

    def __init__(self, fake: Fake, name: str) -> None:
        self._fake, self._name, self._data = fake, name, b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return
        self._data = b""
        arrived, is_last = time.time(), b"connection: close" in head.lower()
        if self._fake.delay:
            answer = partial(self._answer, body, arrived, is_last)
            asyncio.get_running_loop().call_later(self._fake.delay, answer)
        else:
            self._answer(body, arrived, is_last)

    def _answer(self, body: bytes, arrived: float, is_last: bool) -> None:
        message_id, reply = self._fake.reply(body)
        self._fake.log.append((self._name, message_id, arrived, time.time()))
        self._transport.write(reply)
        if is_last:
            self._transport.close()


def _yes(wire: Wire, operation: str) -> bytes:
    result = Result(
        result_code="0",
        result_text="成功",
        result_text_en="Accepted",
        message_id=_ID,
        gateway_txn_no="T1",
        duplicate=False,
        retryable=False,
        processed_at=datetime.now(UTC),
    )
    fields: dict[str, Any] = {}
    if operation == "ChargeItem":
        fields = {"charge_no": _NUMBER, "his_charge_no": "H1", "transaction_state": TransactionState.CONFIRMED}
    response = wire.class_of(f"{operation}ResponseType")(result=result, **fields)
    return _ENVELOPE.format(wire.document(f"{operation}Response", response)).encode()


def _http(status: int, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 %d OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
        % (
            status,
            len(body),
        )
        + body
    )


async def main(names: list[str]) -> None:
    loop, fake = asyncio.get_running_loop(), Fake()
    sockets = {}
    for name in names:
        sockets[name] = socket.socket()
        sockets[name].bind(("127.0.0.1", 0))
    _say({name: bound.getsockname()[1] for name, bound in sockets.items()})
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order = json.loads(line)
        answer: Any = True
        if "open" in order:
            name = order["open"]
            await loop.create_server(partial(Exchange, fake, name), sock=sockets[name], backlog=1024)
        elif "delay" in order:
            fake.delay = order["delay"]
        else:
            answer, fake.log = fake.log, []
        _say(answer)


def _say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
