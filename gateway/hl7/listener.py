"""Takes HL7 connections on one port: any number of messages on each, answered one after the other.

Slow senders, half messages and too many connections harm nobody else, and a listener that is told to end finishes the
messages it has begun.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from gateway.hl7.mllp import LARGEST, Frames, NotMllp, framed

BACKLOG = 128
_PIECE = 64 * 1024

_log = logging.getLogger(__name__)

Answer = Callable[[bytes], bytes]
"""A message in, its acknowledgement out; never raises."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How much of everything a listener allows."""

    connections: int = 200
    largest: int = LARGEST
    message_seconds: float = 30
    """From the first byte of a message to its last, and for the sender to take the answer."""
    idle_seconds: float = 3600
    """For how long a connection may be silent between two messages."""
    drain_seconds: float = 10
    """How long a message that has begun to arrive may still take once the listener ends."""


class Listener:
    """One port. `serve` takes connections until `stop`, and returns when all messages under way are answered."""

    def __init__(
        self,
        name: str,
        listening: socket.socket,
        answer: Answer,
        *,
        patience: Patience | None = None,
        allowed: tuple[str, ...] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.name = name
        self._listening = listening
        self._answer = answer
        self._patience = patience or Patience()
        self._allowed = [ip_network(network) for network in allowed]
        self._tls = tls
        self._ending = threading.Event()
        self._wake, self._waker = socket.socketpair()
        self._ends_at = float("inf")
        self._open = 0
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._open

    def stop(self) -> None:
        """Take no more; may be called by a signal's handler."""
        self._ends_at = time.monotonic() + self._patience.drain_seconds
        self._ending.set()
        with suppress(OSError):
            self._waker.send(b"x")

    def serve(self) -> None:
        """To be called once."""
        self._listening.setblocking(False)
        while not self._ending.is_set():
            if self._readable(self._listening, None):
                try:
                    self._accept(*self._listening.accept())
                except OSError as problem:  # gone again, or no file is free: then all would spin here
                    _log.warning("HL7 %s: a connection could not be taken: %s.", self.name, problem.strerror)
                    self._ending.wait(0.1)
        self._listening.close()
        for thread in list(self._threads):
            thread.join()
        self._wake.close()
        self._waker.close()

    def _accept(self, connection: socket.socket, address: tuple[str, int]) -> None:
        if not self._is_allowed(address[0]):
            _log.warning("HL7 %s: a connection from %s is refused: its address is not allowed.", self.name, address[0])
            connection.close()
            return
        with self._lock:
            if self._open >= self._patience.connections:
                _log.warning("HL7 %s: a connection from %s is refused: %d are open.", self.name, address[0], self._open)
                connection.close()
                return
            self._open += 1
        connection.setblocking(True)
        thread = threading.Thread(target=self._converse, args=(connection, address[0]), daemon=True)
        self._threads.add(thread)
        thread.start()

    def _is_allowed(self, address: str) -> bool:
        if not self._allowed:
            return True
        plain = ip_address(address.partition("%")[0])
        mapped = getattr(plain, "ipv4_mapped", None)
        return any((mapped or plain) in network for network in self._allowed)

    def _converse(self, plain: socket.socket, address: str) -> None:
        """One connection, from its first message to its end."""
        connection = plain
        try:
            connection.settimeout(self._patience.message_seconds)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(plain, server_side=True)
            self._messages(connection)
        except NotMllp as problem:
            _log.warning("HL7 %s: the connection from %s is closed: %s.", self.name, address, problem.code)
        except TimeoutError:
            _log.warning("HL7 %s: the connection from %s is closed: it was too slow.", self.name, address)
        except (OSError, ValueError) as problem:
            _log.info("HL7 %s: the connection from %s has ended: %s.", self.name, address, type(problem).__name__)
        except Exception as problem:
            _log.error("HL7 %s: a connection is closed.", self.name, exc_info=problem)
        finally:
            connection.close()
            with self._lock:
                self._open -= 1
            self._threads.discard(threading.current_thread())

    def _messages(self, connection: socket.socket) -> None:
        frames = Frames(self._patience.largest)
        until = time.monotonic() + self._patience.idle_seconds
        while True:
            message = frames.take()
            if message is not None:
                _send(connection, framed(self._answer(message)), self._patience.message_seconds)
                until = time.monotonic() + self._patience.idle_seconds
                if frames.has_begun:
                    until = time.monotonic() + self._patience.message_seconds
                continue
            if not self._wait(connection, until, frames.has_begun):
                return
            piece = connection.recv(_PIECE)
            if not piece:
                return
            begun = frames.has_begun
            frames.add(piece)
            if frames.has_begun and not begun:
                until = time.monotonic() + self._patience.message_seconds

    def _wait(self, connection: socket.socket, until: float, begun: bool) -> bool:
        """Whether something has come; False when the listener ends or the connection was silent for too long."""
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        if not begun:
            return self._readable(connection, until - time.monotonic())
        if not self._readable(connection, until - time.monotonic()):
            # Its time is over, or the listener ends: then what has begun may go on for a little while.
            left = min(until, self._ends_at) - time.monotonic()
            if left <= 0 or not _readable([connection], left):
                raise TimeoutError
        connection.settimeout(max(until - time.monotonic(), 0.01))
        return True

    def _readable(self, one: socket.socket, seconds: float | None) -> bool:
        """Whether something comes on this socket before the listener ends."""
        ready = _readable([one, self._wake], seconds)
        return not self._ending.is_set() and one.fileno() in ready


def _readable(those: list[socket.socket], seconds: float | None) -> set[int]:
    """Which of them something has come on, after at most so many seconds; select would not do above 1024 files."""
    poll = select.poll()
    for one in those:
        poll.register(one, select.POLLIN)
    return {found for found, _ in poll.poll(None if seconds is None else max(seconds, 0) * 1000)}


def _send(connection: socket.socket, content: bytes, seconds: float) -> None:
    connection.settimeout(seconds)
    connection.sendall(content)
