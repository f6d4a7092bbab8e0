"""HIS under load: several threads that tell of visits, and send a message again when no good answer came."""

from __future__ import annotations

import base64
import itertools
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from gateway.contract import Contract

PATIENCE = 15.0
"""Seconds a vendor's system waits for an answer."""
PAUSES = (0.5, 1.0, 2.0, 3.0)
"""Before it tries again; the last for all that follow."""
ATTEMPTS = 12


@dataclass
class Sent:
    """One message as its sender knows it."""

    event_no: str
    begun: float
    failures: list[tuple[float, str]] = field(default_factory=list)
    """When an attempt ended without a good answer, and how."""
    answered: float | None = None


class Load:
    """Runs until `stop`; every second thread opens a connection for each message, the others keep theirs."""

    def __init__(self, address: str, port: int, password: str, *, threads: int, pause: float) -> None:
        self.sent: list[Sent] = []
        self._address, self._port = address, port
        self._pause = pause
        self._numbers = itertools.count(1)
        self._run = f"{time.time_ns() % 10**9}"
        self._sample = Contract().sample("ReportVisitEvent")
        self._text = Path(self._sample).read_text(encoding="utf-8")
        self._basic = "Basic " + base64.b64encode(f"HIS:{password}".encode()).decode()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send_on, args=(n % 2 == 0,), daemon=True) for n in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE * 2)

    def since(self, moment: float, until: float = float("inf")) -> list[Sent]:
        """What had an attempt in that time."""
        return [one for one in list(self.sent) if one.begun < until and (one.answered or float("inf")) >= moment]

    def next_answer(self, moment: float, seconds: float) -> float | None:
        """When the first good answer came after a moment, waiting so long for it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            later = [one.answered for one in list(self.sent) if one.answered is not None and one.answered > moment]
            if later:
                return min(later)
            time.sleep(0.01)
        return None

    def _send_on(self, keeps_connection: bool) -> None:
        connection: HTTPConnection | None = None
        while not self._stopping.is_set():
            number = f"JZ{self._run}{next(self._numbers):06}"
            one = Sent(number, time.monotonic())
            body = self._message(number)
            self.sent.append(one)
            for attempt in range(ATTEMPTS):
                try:
                    connection = connection or HTTPConnection(self._address, self._port, timeout=PATIENCE)
                    problem = self._attempt(connection, body)
                except (OSError, HTTPException) as lost:
                    problem = type(lost).__name__
                if problem or not keeps_connection:
                    with suppress(OSError):
                        if connection is not None:
                            connection.close()
                    connection = None
                if not problem:
                    one.answered = time.monotonic()
                    break
                one.failures.append((time.monotonic(), problem))
                time.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
            self._stopping.wait(self._pause)
        if connection is not None:
            connection.close()

    def _message(self, number: str) -> bytes:
        words: dict[str, str | Callable[[re.Match[str]], str]] = {
            "MessageId": f"HIS-{number}",
            "EventNo": number,
            "VisitNo": f"ZY{number}",
            "Event": "ADMIT",
            "SentAt": datetime.now().astimezone().isoformat(timespec="seconds"),
            "OccurredAt": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        text = self._text
        for name, value in words.items():
            text = re.sub(rf"<{name}>[^<]*</{name}>", f"<{name}>{value}</{name}>", text)
        return text.encode()

    def _attempt(self, connection: HTTPConnection, body: bytes) -> str:
        """Why the answer is no good; empty when it is."""
        headers = {"Content-Type": "text/xml; charset=utf-8", "Authorization": self._basic}
        connection.request("POST", "/soap", body, headers)
        answer = connection.getresponse()
        content = answer.read().decode(errors="replace")
        if answer.status == 200 and "<ResultCode>0</ResultCode>" in content:
            return ""
        code = re.search(r"<(?:\w+:)?(?:ResultCode|Code)>([^<]+)<", content)
        return f"HTTP {answer.status} {code[1] if code else ''}".strip()
