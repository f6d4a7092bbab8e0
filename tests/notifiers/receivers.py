"""Where notices arrive: a web server and a mail server on this machine that can be told to misbehave."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WebReceiver:
    """Answers 200, or what `script` says next: a status, "close" or "drip"."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.script: deque[str] = deque()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), body))
                receiver._answer(self)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/notices"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _answer(self, http: BaseHTTPRequestHandler) -> None:
        how = self.script.popleft() if self.script else "200"
        http.close_connection = True
        if how == "drip":
            with suppress(OSError):
                for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
                    http.connection.sendall(bytes([byte]))
                    time.sleep(1)
        elif how != "close":
            http.send_response(int(how))
            if how == "302":
                http.send_header("Location", self.url)
            http.send_header("Content-Length", "0")
            http.end_headers()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class MailReceiver:
    """A mail server with a user `gateway`, password `a-secret`; it keeps letters, and refuses what it is told to."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, at_once: bool = False) -> None:
        self.letters: list[str] = []
        self.recipients: list[str] = []
        self.logins: list[str] = []
        self.refuse = ""
        """The beginning of a command that is answered 550."""
        self.tls, self._at_once = tls, at_once
        receiver = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), ExitStack() as stack:
                    receiver._talk(self, stack)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _talk(self, handler: socketserver.StreamRequestHandler, stack: ExitStack) -> None:
        secured = self._at_once
        stream = handler.connection
        if self._at_once:
            assert self.tls is not None
            stream = stack.enter_context(self.tls.wrap_socket(stream, server_side=True))
        reader = stack.enter_context(stream.makefile("rb"))
        stream.sendall(b"220 mail\r\n")
        while line := reader.readline():
            command = line.decode().strip()
            if self.refuse and command.upper().startswith(self.refuse):
                stream.sendall(b"550 no\r\n")
            elif command.upper().startswith("EHLO"):
                offers = "250-mail\r\n" + ("" if secured or not self.tls else "250-STARTTLS\r\n")
                stream.sendall(f"{offers}250 AUTH PLAIN\r\n".encode())
            elif command.upper() == "STARTTLS":
                assert self.tls is not None
                stream.sendall(b"220 go\r\n")
                stream, secured = stack.enter_context(self.tls.wrap_socket(stream, server_side=True)), True
                reader = stack.enter_context(stream.makefile("rb"))
            elif command.upper().startswith("AUTH PLAIN"):
                said = base64.b64decode(command.split()[2]).decode().split("\0")[1:]
                self.logins.append(said[0])
                stream.sendall(b"235 ok\r\n" if said == ["gateway", "a-secret"] else b"535 no\r\n")
            elif command.upper().startswith("RCPT"):
                self.recipients.append(command.partition(":")[2])
                stream.sendall(b"250 ok\r\n")
            elif command.upper() == "DATA":
                stream.sendall(b"354 go\r\n")
                letter = b""
                while (part := reader.readline()) != b".\r\n":
                    letter += part
                self.letters.append(letter.decode())
                stream.sendall(b"250 ok\r\n")
            elif command.upper() == "QUIT":
                stream.sendall(b"221 bye\r\n")
                return
            else:
                stream.sendall(b"250 ok\r\n")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def closing(receiver: WebReceiver | MailReceiver) -> Iterator[None]:
    try:
        yield
    finally:
        receiver.close()
