"""The hospital's systems as callers: zeep on the WSDL the gateway serves, exactly as a vendor would use it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import requests
from zeep.client import Client
from zeep.exceptions import Fault
from zeep.transports import Transport

from gateway.contract import NAMESPACE

SECONDS = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    code: str
    """ResultCode, or the Code of a fault."""
    body: Any
    """The Response, None for a fault."""
    seconds: float
    text: str = ""


class Caller:
    """One system that calls the gateway under its own name and password."""

    def __init__(self, name: str, password: str, wsdl: str, hospital_code: str) -> None:
        logging.getLogger("zeep").setLevel(logging.WARNING)
        session = requests.Session()
        session.trust_env = False
        self.name = name
        self._credentials = {"AuthHeader": {"Username": name, "Password": password}}
        transport = Transport(session=session, timeout=SECONDS, operation_timeout=SECONDS)  # type: ignore[no-untyped-call]
        self._client = Client(wsdl, transport=transport)  # type: ignore[no-untyped-call]
        self._hospital_code = hospital_code
        self._numbers = count(1)

    def header(self, message_id: str | None = None) -> dict[str, Any]:
        """The Header of a new message, or of a repeated one if its number is given."""
        return {
            "MessageId": message_id or f"{self.name}-DEMO-{next(self._numbers):05d}",
            "SenderCode": self.name,
            "HospitalCode": self._hospital_code,
            "BranchCode": "01",
            "SentAt": datetime.now().astimezone(),
        }

    def call(self, operation: str, request: dict[str, Any], message_id: str | None = None) -> Answer:
        """Send one request and wait for the answer."""
        header = self.header(message_id)
        begun = time.monotonic()
        try:
            body = self._client.service[operation](
                Request={"Header": header, **request}, _soapheaders=self._credentials
            )
        except Fault as fault:
            code = None if fault.detail is None else fault.detail.findtext(f".//{{{NAMESPACE}}}Code")
            return Answer(code or "FAULT", None, time.monotonic() - begun, str(fault.message))
        return Answer(body.Result.ResultCode, body, time.monotonic() - begun, body.Result.ResultText)

    def close(self) -> None:
        self._client.transport.session.close()
