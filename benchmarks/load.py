"""The clients: so many connections, each sending its next request as soon as its answer is there.

A process of its own, in one thread: `python -m benchmarks.load` reads one job from each line of standard input as JSON
and prints what came of it. An answer that is not HTTP 200 with ResultCode 0 is an error.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from benchmarks.message import Template, make_template

GOOD = b"ResultCode>0<"
LONGEST_ANSWER = 10.0


@dataclass
class Outcome:
    """What one run of the clients saw."""

    seconds: float = 0.0
    answers: int = 0
    """Within `seconds`."""
    all_answers: int = 0
    """With those of the warming up and of the end."""
    errors: int = 0
    milliseconds: list[float] = field(default_factory=list)
    """From a request's first byte to its answer's last, for each answer within `seconds`."""
    own_cpu_seconds: float = 0.0


class Connection:
    """One client that keeps its connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LONGEST_ANSWER)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._received = b""

    def send(self, request: bytes) -> None:
        self._received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The answer once it is complete; b"" when the server has hung up."""
        piece = self.socket.recv(65536)
        if not piece:
            return b""
        self._received += piece
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return None
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        return self._received if len(body) >= length else None


def run(port: int, connections: int, warm_up: float, seconds: float, first: int, template: Template) -> Outcome:
    """Send for `seconds` after warming up; numbers of requests start with `first`."""
    outcome, numbers = Outcome(seconds=seconds), iter(range(first, sys.maxsize))

    def request() -> bytes:
        return template.request(next(numbers))

    cpu = time.process_time()
    clients = [Connection(port) for _ in range(connections)]
    begins = time.perf_counter() + warm_up
    _converse(clients, request, begins, begins + seconds, outcome)
    for client in clients:
        client.socket.close()
    outcome.own_cpu_seconds = time.process_time() - cpu
    return outcome


def _converse(
    clients: list[Connection], request: Callable[[], bytes], begins: float, ends: float, outcome: Outcome
) -> None:
    poller = select.epoll()
    by_descriptor = {client.socket.fileno(): client for client in clients}
    for descriptor, client in by_descriptor.items():
        poller.register(descriptor, select.EPOLLIN)
        client.send(request())
    waiting = len(clients)
    while waiting:
        ready = poller.poll(LONGEST_ANSWER)
        if not ready:
            outcome.errors += waiting
            return
        for descriptor, _ in ready:
            client = by_descriptor[descriptor]
            answer = client.receive()
            if answer is None:
                continue
            now = time.perf_counter()
            _count(outcome, answer, now - client.sent_at, begins <= now < ends)
            if now < ends and answer:
                client.send(request())
            else:
                waiting -= 1
                poller.unregister(descriptor)


def _count(outcome: Outcome, answer: bytes, seconds: float, counts: bool) -> None:
    if not answer.startswith(b"HTTP/1.1 200") or GOOD not in answer:
        outcome.errors += 1
        return
    outcome.all_answers += 1
    if counts:
        outcome.answers += 1
        outcome.milliseconds.append(seconds * 1000)


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        template = make_template(job.pop("user"), job.pop("password"))
        sys.stdout.write(json.dumps(asdict(run(**job, template=template))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
