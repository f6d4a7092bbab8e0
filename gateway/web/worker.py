"""A gunicorn worker that slow clients cannot stop: a thread is only taken by a request that has arrived.

gunicorn's own threaded worker gives a thread to every connection, and its reads have no deadline over a whole request:
64 clients that send one byte per second stop it. Here the main loop collects the head of a request, and a body of up
to 64 KB, without a thread. Longer bodies are read by their thread, every single read against one deadline.
"""

from __future__ import annotations

import errno
import re
import selectors
import socket
import ssl
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn import sock, util
from gunicorn.http import errors, get_parser, wsgi
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

SMALL_BODY = 64 * 1024
LONGEST_HEAD = 64 * 1024
LONGEST_CHUNK = 32 * 1024 * 1024
MOST_CHUNKS = 40_000
CHUNKS_COUNTED = 64
LONGEST_CHUNK_LINE = 1024
LINGER_BYTES = 32 * 1024 * 1024
LOOK_AROUND_EVERY = 0.25
NAMES_PER_POOL = 8 * 1024 * 1024
LARGEST_INFLATED = 2 * 1024 * 1024
OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9a-f]{1,7})[ \t]*(?:;[^\r\n]*)?", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:", re.IGNORECASE)

wsgi.SERVER = "gateway"  # what the Server header says: neither product nor version


class PatientUnreader(SocketUnreader):  # type: ignore[misc]
    """Reads from a connection, but not beyond its deadline."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.deadline = float("inf")
        self.received = 0

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes; a TimeoutError when the deadline has passed."""
        before = self.sock.gettimeout()
        remaining = self.deadline - time.monotonic()
        try:
            if remaining <= 0:
                raise TimeoutError
            self.sock.settimeout(None if remaining == float("inf") else remaining)
            data = bytes(super().chunk(size_hint))
        except TimeoutError:
            # gunicorn takes this number for a client that has gone, any other for a crash of its own.
            raise TimeoutError(errno.ECONNRESET, "the client was too slow") from None
        finally:
            self.sock.settimeout(before)
        self.received += len(data)
        return data

    def take_what_came(self) -> bool:
        """Keep what has arrived, without waiting for more; False when the client has ended its side."""
        data = self.sock.recv(SMALL_BODY)
        self.buf.seek(0, 2)
        self.buf.write(data)
        self.received += len(data)
        return bool(data)

    def request_is_here(self) -> bool:
        """Whether a thread can serve what has come without waiting for the client (or must, to refuse it)."""
        data = self.buf.getvalue().lstrip(b"\r\n")
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return b"\n\n" in data or len(data) > LONGEST_HEAD
        if _EXPECT.search(data, 0, head):
            return True  # the client waits for a word from us
        if length := _LENGTH.search(data, 0, head + 2):
            return int(length[1]) > SMALL_BODY or len(data) >= head + 4 + int(length[1])
        if _CHUNKED.search(data, 0, head):
            return len(data) > SMALL_BODY or _chunks_are_here(data, head + 4)
        return True

    def head_is_here(self) -> bool:
        return b"\r\n\r\n" in self.buf.getvalue().lstrip(b"\r\n")


def _chunks_are_here(data: bytes, at: int) -> bool:
    """Whether the last chunk has come, or something to refuse, or more chunks than are worth counting."""
    for _ in range(CHUNKS_COUNTED):
        end = data.find(b"\r\n", at)
        if end < 0:
            return len(data) - at > LONGEST_CHUNK_LINE
        size = _CHUNK_SIZE.fullmatch(data, at, end)
        if size is None or not int(size[1], 16):
            return True
        at = end + 2 + int(size[1], 16) + 2
        if at > len(data):
            return at - end > SMALL_BODY
    return True


class BoundedChunkedReader(ChunkedReader):  # type: ignore[misc]
    """A chunked body without absurd chunks: one of 40 hexadecimal digits, or two million of one byte."""

    chunks = 0

    def parse_chunk_size(self, unreader: Any, data: bytes | None = None) -> tuple[int, bytes | None]:
        size, rest = super().parse_chunk_size(unreader, data)
        self.chunks += 1
        if size > LONGEST_CHUNK or self.chunks > MOST_CHUNKS:
            raise errors.InvalidChunkSize(b"too large, or too many")
        return size, rest


class PatientBody(Body):  # type: ignore[misc]
    """The `wsgi.input` of a request; gateway.soap.front tells it how long it may take."""

    def __init__(self, request: Any) -> None:
        reader = request.body.reader
        if isinstance(reader, ChunkedReader):
            reader = BoundedChunkedReader(request, request.unreader)
        super().__init__(reader)
        self.request = request

    def set_deadline(self, deadline: float) -> None:
        """Let no read last beyond this moment of the monotonic clock."""
        self.request.unreader.deadline = min(self.request.unreader.deadline, deadline)

    def abandon(self) -> None:
        """Close the connection after the answer: the rest of the body is not wanted."""
        self.request.force_close()


class PatientConnection(TConn):  # type: ignore[misc]
    """A client's connection, and since when its present request is on the way."""

    sock: Any
    initialized: bool

    def __init__(self, cfg: Any, client_socket: Any, client: Any, server: Any, linger: Callable[[Any], None]) -> None:
        super().__init__(cfg, client_socket, client, server)
        self.since = time.monotonic()
        self.linger = linger
        self.counted = 0
        self.drained = 0

    def init(self, handshake_seconds: float = 10.0) -> None:
        """Make the parser; with TLS, shake hands first, within the time for a head."""
        if self.initialized:
            return
        self.initialized = True
        if self.cfg.is_ssl:
            self.sock.settimeout(handshake_seconds)
            self.sock = sock.ssl_wrap_socket(self.sock, self.cfg)
            if not self.cfg.do_handshake_on_connect:
                self.sock.do_handshake()
        self.parser = get_parser(self.cfg, self.sock, self.client)
        self.parser.unreader = PatientUnreader(self.sock)

    def limit_sending(self, seconds: float) -> None:
        """Let the kernel end a send that stands still; with Python's own timeout every send would cost a poll more."""
        limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def close(self, graceful: bool = False) -> None:
        if graceful:
            self.linger(self)
        else:
            super().close()


class PatientThreadWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, with a deadline on everything that a client does."""

    tpool: Any
    head_seconds = 10.0
    request_seconds = 30.0
    answer_seconds = 30.0
    """How long sending an answer may stand still because a client does not read it."""
    is_leaving: Callable[[], bool] = staticmethod(lambda: False)
    """Whether connections are to be closed after their answers, because this server takes nobody any more soon."""
    linger_seconds = 5.0
    """How long a client may go on sending what was refused, so that it reads the answer and not a reset."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: set[PatientConnection] = set()
        self.lingering: dict[PatientConnection, float] = {}
        self.looked_around = 0.0
        self.names_left = NAMES_PER_POOL

    # --- Connections, in the main loop --------------------------------------------------------------------------------

    def accept(self, listener: Any) -> None:
        """Take in a new connection; out of file descriptors is no reason to die."""
        try:
            client_socket, client = listener.accept()
        except OSError as problem:
            if problem.errno in OUT_OF_RESOURCES:
                self.log.error("No connection can be accepted at the moment: %s", errno.errorcode[problem.errno])
                time.sleep(0.05)
            elif problem.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        connection = PatientConnection(self.cfg, client_socket, client, listener.getsockname(), self.linger)
        if not self.cfg.is_ssl:
            connection.init()
            connection.limit_sending(self.answer_seconds)
        self.enqueue_req(connection)

    def enqueue_req(self, conn: PatientConnection) -> None:
        """Give the connection a thread once its request has arrived; until then only the main loop watches it."""
        conn.since = time.monotonic()
        conn.sock.setblocking(False)
        if not self.__arrived(conn, readable=conn.initialized and self.cfg.is_ssl):
            self.waiting.add(conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_more, conn))

    def on_more(self, conn: PatientConnection, _: Any) -> None:
        """Something came on a connection that waits for its request to be complete."""
        if self.__arrived(conn, readable=True, watched=True):
            self.waiting.discard(conn)

    def __arrived(self, conn: PatientConnection, *, readable: bool, watched: bool = False) -> bool:
        """Serve or close the connection if there is reason to; False means: go on waiting."""
        here = readable if self.cfg.is_ssl else self.__take(conn)
        if here is False:
            return False
        if watched:
            self.poller.unregister(conn.sock)
        if here is None:
            self.__forget(conn)
        else:
            self.__serve(conn)
        return True

    def __take(self, conn: PatientConnection) -> bool | None:
        """Whether the request is complete now; None when the client has gone and nothing is left to answer."""
        unreader = conn.parser.unreader
        try:
            open_still = unreader.take_what_came()
        except BlockingIOError:
            open_still = True
        except OSError:
            return None
        if not open_still:  # a client may end its side after the request
            return True if unreader.head_is_here() else None
        return bool(unreader.request_is_here())

    def __serve(self, conn: PatientConnection) -> None:
        if self.names_left <= 0:
            self.__renew_threads()
        conn.data_ready = True
        super().enqueue_req(conn)

    def __forget(self, conn: PatientConnection) -> None:
        self.nr_conns -= 1
        conn.close()

    def __renew_threads(self) -> None:
        """Let the old threads end when they are done, and with them the names that lxml never forgets.

        lxml keeps every element name of every message for the life of a thread: messages of invented names made a
        thread grow by 2 MB each.
        """
        old, self.tpool = self.tpool, self.get_thread_pool()
        old.shutdown(wait=False)
        self.names_left = NAMES_PER_POOL

    def finish_request(self, conn: PatientConnection, fs: Any) -> None:
        """A thread is done with a request."""
        unreader = getattr(conn.parser, "unreader", None)
        if unreader is not None:
            self.names_left -= unreader.received - conn.counted
            conn.counted = unreader.received
            request = conn.parser.mesg
            if request is not None and any(name == "CONTENT-ENCODING" for name, _ in request.headers):
                self.names_left -= LARGEST_INFLATED
        super().finish_request(conn, fs)

    # --- Closing ------------------------------------------------------------------------------------------------------

    def linger(self, conn: PatientConnection) -> None:
        """Close after the answer was read: closing with unread bytes makes the kernel reset the connection.

        gunicorn does this in its main loop, two seconds long for each client that does not close.
        """
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_leftover, conn))
        except (OSError, ValueError, KeyError):
            conn.close()
            return
        self.nr_conns += 1
        self.lingering[conn] = time.monotonic() + (self.linger_seconds if self.alive else 1.0)

    def on_leftover(self, conn: PatientConnection, _: Any) -> None:
        """Throw away what a client still sends, until it closes."""
        try:
            size = len(conn.sock.recv(SMALL_BODY))
        except BlockingIOError:
            return
        except OSError:
            size = 0
        conn.drained += size
        if not size or conn.drained > LINGER_BYTES:
            self.__stop_lingering(conn)

    def __stop_lingering(self, conn: PatientConnection) -> None:
        del self.lingering[conn]
        self.poller.unregister(conn.sock)
        self.__forget(conn)

    def murder_pending(self) -> None:
        """End what takes too long; a body that is late gets its answer from a thread."""
        super().murder_pending()
        now = time.monotonic()
        if now < self.looked_around + LOOK_AROUND_EVERY:
            return
        self.looked_around = now
        for conn in [conn for conn, until in self.lingering.items() if until <= now]:
            self.__stop_lingering(conn)
        for conn in [conn for conn in self.waiting if conn.since + self.head_seconds <= now or not self.alive]:
            self.__end_waiting(conn, now)

    def __end_waiting(self, conn: PatientConnection, now: float) -> None:
        has_head = conn.initialized and not self.cfg.is_ssl and conn.parser.unreader.head_is_here()
        if has_head and conn.since + self.request_seconds > now:
            return
        self.waiting.discard(conn)
        self.poller.unregister(conn.sock)
        if has_head:
            self.__serve(conn)
        else:
            self.__forget(conn)

    # --- One request, in its thread -----------------------------------------------------------------------------------

    def handle(self, conn: PatientConnection) -> Any:
        """Serve one request of a connection."""
        try:
            conn.init(self.head_seconds)
        except (OSError, ssl.SSLError):
            return False  # no TLS hand-shake in time
        # A head collected by the main loop is here already; this bounds those that come through TLS.
        conn.parser.unreader.deadline = time.monotonic() + self.head_seconds
        return super().handle(conn)

    def handle_request(self, req: Any, conn: PatientConnection) -> bool:
        """Let the application answer; its body and its answer have deadlines of their own."""
        unreader = conn.parser.unreader
        unreader.deadline = conn.since + self.request_seconds
        req.body = PatientBody(req)
        if self.is_leaving():
            req.force_close()
        if self.cfg.is_ssl:
            conn.sock.settimeout(self.answer_seconds)
        try:
            keep = bool(super().handle_request(req, conn))
        except (TimeoutError, BlockingIOError):
            self.log.warning("A client did not take its answer within %s s", self.answer_seconds)
            return False
        reader = req.body.reader
        if isinstance(reader, LengthReader) and reader.length > SMALL_BODY:
            return False
        unreader.deadline = time.monotonic() + 1.0  # for what the application left unread
        return keep

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what is not HTTP, and repeat nothing of it: a broken head may hold a password."""
        if not isinstance(exc, errors.ParseException | ssl.SSLError):
            super().handle_error(req, client, addr, exc)
            return
        status, reason = _STATUS.get(type(exc), (400, "Bad Request"))
        self.log.warning("Not HTTP, from %s: %s", addr[0] if addr else "a local socket", type(exc).__name__)
        try:
            util.write_error(client, status, reason, "")
        except OSError:
            self.log.debug("The client did not wait for the answer.")


_STATUS = {
    errors.LimitRequestLine: (414, "URI Too Long"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    errors.ExpectationFailed: (417, "Expectation Failed"),
    errors.UnsupportedTransferCoding: (501, "Not Implemented"),
}
