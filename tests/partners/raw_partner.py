"""A partner that keeps to no protocol: a real socket on which a test does what it likes."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

Conversation = Callable[[socket.socket], None]


class RawPartner:
    """Accepts connections one after the other and leaves each to `conversation`."""

    def __init__(self, conversation: Conversation, tls: ssl.SSLContext | None = None) -> None:
        self._conversation = conversation
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._stopping = threading.Event()
        self._connection: socket.socket | None = None
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        if (connection := self._connection) is not None:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)  # ends a conversation that would wait on
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            pass  # wakes the thread
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            connection, _ = self._socket.accept()
            self._connection = connection
            with suppress(OSError), connection:
                if not self._stopping.is_set():
                    connection.settimeout(5)
                    self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        if self._tls is None:
            self._conversation(connection)
            return
        with self._tls.wrap_socket(connection, server_side=True) as secured:
            self._conversation(secured)


# --- conversations ----------------------------------------------------------------------------------------------------


def read_request(connection: socket.socket) -> None:
    """Read one request to its end."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65536)


def says(*pieces: bytes, pause: float = 0) -> Conversation:
    """Reads the request, says this, and closes."""

    def converse(connection: socket.socket) -> None:
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)

    return converse


def answers(body: bytes, status: str = "200 OK", *headers: str) -> Conversation:
    """Reads the request and answers it by HTTP."""
    given = {"Content-Type": "text/xml; charset=utf-8", "Content-Length": str(len(body))}
    given |= dict(header.split(": ", 1) for header in headers)
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return says(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)


def resets(connection: socket.socket) -> None:
    """Breaks off without a word and without reading."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def resets_after_reading(connection: socket.socket) -> None:
    read_request(connection)
    resets(connection)


def closes_its_half(connection: socket.socket) -> None:
    """Says at once that it will say nothing, and goes on listening."""
    connection.shutdown(socket.SHUT_WR)
    with suppress(OSError):
        while connection.recv(65536):
            pass


def closes_its_half_after_reading(connection: socket.socket) -> None:
    read_request(connection)
    closes_its_half(connection)


def stops_reading_halfway(connection: socket.socket) -> None:
    connection.recv(200)


def waits(connection: socket.socket) -> None:
    """Reads nothing and says nothing, until the other side gives up."""
    gone = select.poll()
    gone.register(connection, select.POLLRDHUP)
    gone.poll(10_000)


def hangs_after(said: bytes) -> Conversation:
    """Reads the request, says this, and then nothing more."""

    def converse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(said)
        with suppress(OSError):
            while connection.recv(65536):
                pass

    return converse
