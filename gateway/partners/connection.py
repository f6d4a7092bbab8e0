"""One connection per message to a partner, with one deadline over looking up, connecting, sending and every read.

An ordinary read time-out starts again with every byte, so a partner that drips its answer would hold a caller for
minutes. Here the sockets themselves know the deadline. They also know whether any of the request was handed to the
network: only then can the partner have carried it out.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from http.client import HTTP_PORT, HTTPS_PORT, HTTPConnection
from threading import Lock
from typing import Any
from urllib.parse import SplitResult

TlsSource = Callable[[], ssl.SSLContext]
"""By what a connection is encrypted; asked anew for every connection, because certificates are renewed."""
VERIFY_FLAGS = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
"""The same with every Python: 3.13 alone would refuse the authorities most hospitals have made for themselves."""
_LOOK_UPS = 16


@dataclass(slots=True)
class Exchange:
    """One request on its way to a partner."""

    deadline: float
    """On the monotonic clock."""
    connect_seconds: float
    stage: str = "CONNECT"
    """DNS, CONNECT or TLS: what is being done before anything of the request leaves."""
    has_left: bool = False
    """True as soon as any of the request was handed to the network."""

    def remaining(self) -> float:
        """Seconds until the deadline. Raises TimeoutError once it has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("The deadline has passed.")
        return left


_exchange: ContextVar[Exchange] = ContextVar("exchange")


@contextmanager
def exchange(seconds: float, connect_seconds: float) -> Iterator[Exchange]:
    """All connections made and read by this thread in the block keep to one deadline."""
    current = Exchange(time.monotonic() + seconds, connect_seconds)
    token = _exchange.set(current)
    try:
        yield current
    finally:
        _exchange.reset(token)


def seconds_left() -> float:
    """Until the deadline of the current exchange. Raises TimeoutError once it has passed."""
    return _exchange.get().remaining()


@contextmanager
def errand() -> Iterator[None]:
    """A request of its own on the way to the message, such as a login. Whatever becomes of it: nothing of the message
    itself has left."""
    try:
        yield
    finally:
        current = _exchange.get()
        current.has_left, current.stage = False, "CONNECT"


class _Socket(socket.socket):
    """A socket whose every operation ends at the deadline of the exchange."""

    def recv_into(self, *args: Any, **keywords: Any) -> int:
        self.settimeout(_exchange.get().remaining())
        return super().recv_into(*args, **keywords)

    def sendall(self, *args: Any, **keywords: Any) -> None:
        self.settimeout(_exchange.get().remaining())
        _exchange.get().has_left = True
        return super().sendall(*args, **keywords)


class _TlsSocket(ssl.SSLSocket):
    """The same with encryption."""

    def recv_into(self, *args: Any, **keywords: Any) -> int:
        self.settimeout(_exchange.get().remaining())
        return super().recv_into(*args, **keywords)

    def send(self, *args: Any, **keywords: Any) -> int:
        self.settimeout(_exchange.get().remaining())
        _exchange.get().has_left = True
        return super().send(*args, **keywords)


class _Resolver:
    """The system's look-up cannot be given a time-out, so it is waited for from outside.

    One look-up per host at a time, for all who want it: a name server that is silent about one partner's host must not
    use up the threads for the others.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS, "partner-dns")
        self._running: dict[tuple[str, int], Future[list[Any]]] = {}
        self._lock = Lock()

    def look_up(self, host: str, port: int, seconds: float) -> list[Any]:
        with self._lock:
            running = self._running.get((host, port))
            if running is None or running.done():
                running = self._threads.submit(socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
                self._running[host, port] = running
        return running.result(seconds)


@cache
def _resolver() -> _Resolver:
    return _Resolver()


def _addresses(host: str, port: int, seconds: float) -> list[Any]:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return _resolver().look_up(host, port, seconds)
    return socket.getaddrinfo(host.strip("[]"), port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)


def _open(host: str, port: int) -> socket.socket:
    """A connected socket; every address of the host is tried within the one connect time-out."""
    current = _exchange.get()
    until = time.monotonic() + min(current.connect_seconds, current.remaining())
    current.stage = "DNS"
    try:
        addresses = _addresses(host, port, until - time.monotonic())
    except UnicodeError:
        raise socket.gaierror("no name of a host") from None
    current.stage = "CONNECT"
    for family, kind, protocol, _, address in addresses:
        opened = _Socket(family, kind, protocol)
        try:
            opened.settimeout(max(until - time.monotonic(), 0.001))
            opened.connect(address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except TimeoutError:
            opened.close()
            raise
        except OSError:
            opened.close()
        else:
            return opened
    raise ConnectionRefusedError("No address of the partner accepts a connection.")


def _encrypted(host: str, port: int, tls: TlsSource) -> ssl.SSLSocket:
    context = tls()
    context.sslsocket_class = _TlsSocket
    opened = _open(host, port)
    _exchange.get().stage = "TLS"
    try:
        return context.wrap_socket(opened, server_hostname=host)
    except BaseException:
        opened.close()
        raise


class _Connection(HTTPConnection):
    def connect(self) -> None:
        self.sock = _open(self.host, self.port)


class _TlsConnection(HTTPConnection):
    default_port = HTTPS_PORT

    def __init__(self, host: str, port: int, tls: TlsSource) -> None:
        super().__init__(host, port)
        self._tls = tls

    def connect(self) -> None:
        self.sock = _encrypted(self.host, self.port, self._tls)


def usual_tls() -> ssl.SSLContext:
    """Trusts what the operating system trusts: a hospital's own authority is installed there, or in SSL_CERT_FILE."""
    context = ssl.create_default_context()
    context.verify_flags = VERIFY_FLAGS
    return context


_tls_context = cache(usual_tls)
"""One for all partners: to read the authorities takes milliseconds."""


def connection_to(url: SplitResult, tls: TlsSource | None = None) -> HTTPConnection:
    """A connection to an address, within the current exchange; made when the first request is sent."""
    if url.scheme == "https":
        return _TlsConnection(url.hostname or "", url.port or HTTPS_PORT, tls or _tls_context)
    return _Connection(url.hostname or "", url.port or HTTP_PORT)


def socket_to(host: str, port: int, tls: TlsSource | None = None, *, encrypted: bool = False) -> socket.socket:
    """A connected socket, within the current exchange, for partners that speak no HTTP: to be used by `sendall` and
    `recv_into`, which know the deadline."""
    return _encrypted(host, port, tls or _tls_context) if encrypted else _open(host, port)
