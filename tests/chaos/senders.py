"""The hospital's systems as senders: one MessageId per message, the same bytes again until it is acknowledged.

Each keeps a ledger on disk, a line of JSON for every message that was answered for good. It knows nothing of how the
gateway is doing: it sees refused connections, time-outs, faults and answers, as a vendor's system does.
"""

from __future__ import annotations

import http.client
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lxml import etree
from zeep.client import Client

from gateway.contract import NAMESPACE, Contract
from gateway.demo.site import HOSPITAL_CODE
from tests.chaos.journeys import Message, Waiting

PATIENCE = 15.0
"""Seconds a sender waits for an answer; most vendors' systems wait 10 to 20."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 3.0
"""Before a message is sent again, longer each time."""
REPEATED = 0.05
"""The share of acknowledged messages that come once more, as from a sender that lost the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever it was."""

    code: str
    """ResultCode, the Code of a fault, or the name of what went wrong on the way."""
    retryable: bool
    duplicate: bool = False
    txn_no: str = ""


class Envelopes:
    """Writes messages as a vendor's toolkit does, from the WSDL; for any number of threads."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        logging.getLogger("zeep").setLevel(logging.WARNING)
        self._client = Client(str(Contract().folder / "wsdl" / "gateway.wsdl"))  # type: ignore[no-untyped-call]
        self._passwords = passwords
        self._lock = threading.Lock()

    def write(self, message: Message, message_id: str) -> bytes:
        header = {
            "MessageId": message_id,
            "SenderCode": message.sender,
            "HospitalCode": HOSPITAL_CODE,
            "BranchCode": "01",
            "SentAt": datetime.now().astimezone(),
        }
        credentials = {"AuthHeader": {"Username": message.sender, "Password": self._passwords[message.sender]}}
        with self._lock:
            envelope = self._client.create_message(
                self._client.service,
                message.operation,
                Request={"Header": header, **message.request},
                _soapheaders=credentials,
            )
        return etree.tostring(envelope, xml_declaration=True, encoding="utf-8")


class Ledger:
    """What one system knows of its own messages; a line is written before anything follows from the answer."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, **line: Any) -> None:
        with self._lock:
            self._file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


class Hospital:
    """All senders of a run: threads that play journeys, each under the name of the system whose turn it is."""

    def __init__(
        self, port: int, passwords: Mapping[str, str], folder: Path, waiting: Waiting, *, seed: int, until: float
    ) -> None:
        self.acknowledged = 0
        self.refused = 0
        self.tries = 0
        self.repeats = 0
        self.latencies: list[tuple[float, float]] = []
        """When a message was acknowledged (monotonic clock), and after how many seconds."""
        self.end = until
        """On the monotonic clock: what is not acknowledged then is given up."""
        self._port = port
        self._envelopes = Envelopes(passwords)
        self._ledgers = {name: Ledger(folder / f"{name}.jsonl") for name in passwords}
        self._waiting = waiting
        self._seed = seed
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self, senders: int, may_send: Callable[[int], float]) -> None:
        """So many journeys at once; `may_send` says how long message number n has to wait, to keep to the plan."""
        for number in range(senders):
            one = threading.Thread(target=self._play, args=(random.Random(f"{self._seed} {number}"), may_send))
            one.daemon = True
            one.start()
            self._threads.append(one)

    @property
    def is_done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        for thread in self._threads:
            thread.join()
        for ledger in self._ledgers.values():
            ledger.close()

    # --- a journey ----------------------------------------------------------------------------------------------------

    def _play(self, chance: random.Random, may_send: Callable[[int], float]) -> None:
        while time.monotonic() < self.end and (journey := self._waiting.next()) is not None:
            for message in journey:
                number = self._waiting.count()
                time.sleep(min(max(may_send(number), 0), max(self.end - time.monotonic(), 0)))
                message_id = f"{message.sender}-{self._seed}-{number:06d}"
                if not self._deliver(message, message_id, chance):
                    break

    def _deliver(self, message: Message, message_id: str, chance: random.Random) -> bool:
        """Send until acknowledged; False when it was refused or given up, so that nothing may follow."""
        body, begun, tries = self._envelopes.write(message, message_id), time.monotonic(), 0
        answer = Answer("NOT SENT", True)
        while time.monotonic() < self.end:
            tries += 1
            answer = self._post(body)
            if not answer.retryable and answer.code not in message.again_after:
                break
            pause = min(SHORTEST_PAUSE * 2 ** min(tries, 8), LONGEST_PAUSE)
            time.sleep(pause * chance.uniform(0.5, 1))
        seconds = time.monotonic() - begun
        self._note(message, message_id, answer, tries, seconds)
        if answer.code == "0" and chance.random() < REPEATED:
            self._repeat(message, message_id, body)
        return answer.code == "0"

    def _repeat(self, message: Message, message_id: str, body: bytes) -> None:
        """Once more, as if the answer had been lost; what comes back is noted as a repetition."""
        answer = self._post(body)
        with self._lock:
            self.repeats += 1
        self._ledgers[message.sender].write(
            repeated=True, message_id=message_id, code=answer.code, duplicate=answer.duplicate, read=message.is_read
        )

    def _note(self, message: Message, message_id: str, answer: Answer, tries: int, seconds: float) -> None:
        given_up = answer.retryable or answer.code in message.again_after
        self._ledgers[message.sender].write(
            at=datetime.now().astimezone().isoformat(timespec="milliseconds"),
            sender=message.sender,
            operation=message.operation,
            message_id=message_id,
            about=message.about,
            step=message.step,
            reaches=message.reaches,
            net=message.net,
            paid=message.paid,
            outcome="acknowledged" if answer.code == "0" else "unanswered" if given_up else "refused",
            code=answer.code,
            txn_no=answer.txn_no,
            tries=tries,
            seconds=round(seconds, 3),
        )
        with self._lock:
            self.tries += tries
            if answer.code == "0":
                self.acknowledged += 1
                self.latencies.append((time.monotonic(), seconds))
            else:
                self.refused += not given_up

    # --- on the wire --------------------------------------------------------------------------------------------------

    def _post(self, body: bytes) -> Answer:
        """One attempt, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', "Connection": "close"}
            connection.request("POST", "/soap", body, headers)
            reply = connection.getresponse()
            return read_answer(reply.read())
        except (OSError, http.client.HTTPException) as problem:
            return Answer(type(problem).__name__, True)
        finally:
            connection.close()


def read_answer(content: bytes) -> Answer:
    """The Result or the fault of an answer; what is neither may be tried again."""
    try:
        root = etree.fromstring(content)
    except etree.XMLSyntaxError:
        return Answer("NO SOAP", True)
    found = {name: root.findtext(f".//{{{NAMESPACE}}}{name}") for name in ("ResultCode", "Code", "Retryable")}
    code = found["ResultCode"] or found["Code"] or "NO SOAP"
    return Answer(
        code,
        code != "0" and (found["Retryable"] in ("true", "1") or code == "NO SOAP"),
        root.findtext(f".//{{{NAMESPACE}}}Duplicate") in ("true", "1"),
        root.findtext(f".//{{{NAMESPACE}}}GatewayTxnNo") or "",
    )
