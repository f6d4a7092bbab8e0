"""A web server for slow, hostile and good clients."""

import http.client
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

GOOD = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    b'<QueryRequisition xmlns="urn:hospital-gateway:v1"/></s:Body></s:Envelope>'
)


class WebServer:
    good = GOOD

    def __init__(self, log: Path, **settings: object) -> None:
        self.log = log
        program = [sys.executable, str(Path(__file__).with_name("tiny_server.py")), json.dumps(settings)]
        with log.open("w") as errors:
            self.process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=errors, text=True)
        self.port = int(self.process.stdout.readline())

    def open(self, sent: bytes = b"") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(sent)
        return connection

    def post(self, body: bytes = GOOD, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("POST", "/soap", body, {"Content-Type": "text/xml", **named})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    @staticmethod
    def rest(connection: socket.socket) -> str:
        """Everything the server still sends, until it closes."""
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received.decode("latin-1")

    @staticmethod
    def read_until(connection: socket.socket, awaited: bytes) -> None:
        """Read until the awaited words have come."""
        received = b""
        while awaited not in received:
            piece = connection.recv(65536)
            assert piece, received
            received += piece

    def seconds_of_a_good_request(self) -> float:
        started = time.monotonic()
        assert self.post() == (200, f"well received {len(GOOD)}")
        return time.monotonic() - started

    def worker_pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def stop(self) -> None:
        self.process.terminate()
        self.process.stdout.close()
        assert self.process.wait(20) == 0


@pytest.fixture(scope="session")
def web(tmp_path_factory):
    """One process of four threads, and short deadlines: what 20 slow clients cannot stop here they stop nowhere."""
    log = tmp_path_factory.mktemp("web") / "error.log"
    server = WebServer(log, workers=1, threads=4, head_seconds=2.0, request_seconds=3.0, answer_seconds=1.0)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def patient_web(tmp_path_factory):
    """The same with deadlines of a minute, which no test waits for."""
    log = tmp_path_factory.mktemp("patient") / "error.log"
    server = WebServer(log, workers=1, threads=4, head_seconds=60.0, request_seconds=60.0, answer_seconds=60.0)
    yield server
    server.stop()


@pytest.fixture
def start_web(tmp_path):
    """Start a web server with settings of its own."""
    servers = []

    def start(**settings: object) -> WebServer:
        servers.append(WebServer(tmp_path / "error.log", **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def crowd():
    """Connections that are closed when the test ends."""
    connections: list[socket.socket] = []
    yield connections
    for connection in connections:
        connection.close()
