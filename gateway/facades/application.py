"""Facades as a web server sees them: /facade/<name> takes a vendor's message, and ?wsdl there shows its contract.

The way of a message is `FacadeServer._receive`, read from top to bottom. Whatever goes wrong on it, the vendor is told
in its own form.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from lxml import etree

from gateway.errors import InvalidMessage, MessageFault
from gateway.facade_config import Facade
from gateway.facades.door import Door, Letter
from gateway.facades.intake import Arrival, Intake
from gateway.facades.translation import PUSH, lenient, operation_of
from gateway.mapping.codes import CodeTables
from gateway.mapping.functions import Circumstances
from gateway.model.client import SpecialRight
from gateway.operations.unit import new_txn_no
from gateway.security.credentials import read_credentials
from gateway.soap.cycle import VERSION_NAMES
from gateway.soap.envelope import Envelope, Limits, SoapVersion, parse_envelope
from gateway.soap.faults import as_fault, fault_content, http_status, log_fault, new_error_id
from gateway.soap.front import Answer, Environ, Headers, read_body, soap_version
from gateway.soap.protocol import enclose
from gateway.soap.repairs import Repair, Repairs, said

_log = logging.getLogger(__name__)

FOLDER = "/facade/"
PLAIN = "text/plain; charset=utf-8"
XML = "text/xml; charset=utf-8"
ASK_FOR_PASSWORD: Headers = (("WWW-Authenticate", 'Basic realm="hospital gateway", charset="UTF-8"'),)


class Counting(Protocol):
    """What counts messages: gateway/monitoring.py."""

    def begin(self) -> float: ...

    def end(self, begun: float, operation: str, result_code: str) -> None: ...

    def repaired(self, kind: Repair, client: str) -> None: ...


class FacadeServer:
    """All facades of a site; one per process, for any number of threads."""

    def __init__(
        self,
        facades: Iterable[Facade],
        intake: Intake,
        *,
        codes: CodeTables,
        clock: Callable[[], datetime],
        limits: Limits,
        metrics: Counting,
        base_url: str,
        hospital_code: str,
    ) -> None:
        self._doors = {facade.name: Door(facade) for facade in facades}
        self._intake = intake
        self._codes = codes
        self._clock = clock
        self._limits = limits
        self._metrics = metrics
        self._base_url = base_url
        self._hospital_code = hospital_code

    def __call__(self, environ: Environ) -> Answer | None:
        """The answer to a request for a facade; None for any other address."""
        path = str(environ.get("PATH_INFO", ""))
        if not path.startswith(FOLDER):
            return None
        door = self._doors.get(path.removeprefix(FOLDER).rstrip("/"))
        if door is None:
            return Answer(404, PLAIN, b"There is no facade of this name\n")
        if environ["REQUEST_METHOD"] == "POST":
            return self._post(door, environ)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return Answer(405, PLAIN, b"Method not allowed\n", (("Allow", "GET, HEAD, POST"),))
        return self._page(door, str(environ.get("QUERY_STRING", "")))

    def list(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Name, style and functions of each, for the page that lists them."""
        return [(name, door.facade.style, tuple(door.facade.functions)) for name, door in self._doors.items()]

    def _page(self, door: Door, query: str) -> Answer:
        if query.strip().lower() in ("wsdl", "singlewsdl"):
            return Answer(200, XML, door.served.wsdl(f"{self._base_url}{FOLDER}{door.facade.name}"))
        text = f"{door.facade.name}: send SOAP by POST; the WSDL is at ?wsdl ({door.facade.style})\n"
        return Answer(200, PLAIN, text.encode())

    # --- messages -----------------------------------------------------------------------------------------------------

    def _post(self, door: Door, environ: Environ) -> Answer:
        now = self._clock()
        arrival = Arrival(
            came_by=f"facade {door.facade.name}",
            raw=b"",
            received_at=now,
            txn_no=new_txn_no(now),
            hospital_code=door.facade.hospital_code or self._hospital_code,
        )
        letter, begun = Letter(arrival), self._metrics.begin()
        try:
            response = self._receive(door, letter, environ)
            return self._answer(door, letter, response, 200)
        except Exception as error:
            return self._fault(door, letter, error, environ)
        finally:
            self._metrics.end(begun, arrival.operation or "-", arrival.result_code)

    def _receive(self, door: Door, letter: Letter, environ: Environ) -> etree._Element:
        """Our answer to a message, or an error."""
        arrival = letter.arrival
        body = read_body(environ, lambda _: self._may_be_large(environ), self._limits)
        is_large = len(body) > self._limits.body_bytes
        envelope = parse_envelope(body, environ.get("CONTENT_TYPE", ""), self._limits, is_large)
        arrival.came_by = f"{VERSION_NAMES[envelope.version]} facade {door.facade.name}"
        door.open(letter, envelope)
        try:
            self._read(door, letter, envelope, environ)
        finally:
            envelope.repairs.update(Repair(kind) for kind in letter.noted)
            self._note_repairs(arrival, envelope.repairs)
        settings, message, known = letter.settings, letter.payload, self._known(door, letter)
        assert settings is not None
        assert message is not None
        if settings.operation == PUSH:
            known = lenient(known)

        def make() -> tuple[str, etree._Element]:
            made = door.translation.request(settings, message, known)
            return operation_of(self._intake.contract, settings, made), made

        number, repairs = letter.asked.message_id, envelope.repairs
        response = self._intake.take(arrival, settings.operation, make, repairs, message_id=number, is_large=is_large)
        return self._intake.answer(response)

    def _read(self, door: Door, letter: Letter, envelope: Envelope, environ: Environ) -> None:
        """Let the caller in, and read what the string holds."""
        is_in = door.outside(letter, envelope, environ, self._intake)
        try:
            door.read(letter)
            if not is_in:
                door.inside(letter, self._intake)
        except InvalidMessage as reason:
            letter.arrival.raw = door.kept(letter, envelope)
            if letter.settings is not None and letter.settings.operation is not None:
                self._intake.keep_unreadable(letter.arrival, letter.settings.operation, reason)
            raise
        letter.arrival.raw = door.kept(letter, envelope)

    def _may_be_large(self, environ: Environ) -> bool:
        """Whether more than usual may come: only from who says with HTTP Basic that it may send large reports."""
        credentials = read_credentials([], environ.get("HTTP_AUTHORIZATION"))
        if credentials is None:
            return False
        return self._intake.clients.authenticate(credentials).may(SpecialRight.LARGE_REPORT)

    def _known(self, door: Door, letter: Letter) -> Circumstances:
        """What stylesheets are told beside the message."""
        caller = letter.arrival.caller
        return door.known(letter, caller.name if caller is not None else "", self._codes)

    def _note_repairs(self, arrival: Arrival, repairs: Repairs) -> None:
        client = arrival.caller.name if arrival.caller is not None else ""
        for repair in sorted(repairs):
            self._metrics.repaired(repair, client)
        if repairs:
            told = (said(repairs), arrival.operation or "-", client or "-", arrival.message_id or "-")
            _log.warning("Mended %s: operation %s, client %s, message %s", *told)

    # --- answers ------------------------------------------------------------------------------------------------------

    def _answer(self, door: Door, letter: Letter, answer: etree._Element, status: int) -> Answer:
        """Our <Response> or <Fault> in the vendor's form. Raises MessageFault when it cannot be mapped."""
        code, text = answer.findtext("Result/ResultCode", ""), answer.findtext("Result/ResultText", "")
        made = door.answer(letter, answer, self._known(door, letter))
        version = letter.version or SoapVersion.V11
        content = door.envelope(version, door.write(letter, code, text, made))
        return Answer(status, door.content_type(version), content)

    def _fault(self, door: Door, letter: Letter, error: Exception, environ: Environ) -> Answer:
        arrival, fault = letter.arrival, as_fault(error)
        letter.version = letter.version or soap_version(environ)
        arrival.result_code = fault.code
        error_id = new_error_id(arrival.received_at)
        client = arrival.caller.name if arrival.caller is not None else ""
        what = arrival.operation or f"facade {door.facade.name}"
        log_fault(error, fault, error_id, operation=what, client=client, message=arrival.message_id)
        status = 200 if door.facade.statuses == "always-200" else http_status(letter.version, fault)
        try:
            found = self._answer(door, letter, self._intake.fault(arrival, fault, error_id), status)
        except Exception as problem:
            found = self._plain_fault(letter, fault, error_id, problem)
        return replace(found, headers=ASK_FOR_PASSWORD) if status == 401 else found

    def _plain_fault(self, letter: Letter, fault: MessageFault, error_id: str, problem: Exception) -> Answer:
        """A fault of ours: the last resort where the stylesheet of answers fails."""
        log_fault(problem, as_fault(problem), error_id, operation="the stylesheet of answers")
        version = letter.version or SoapVersion.V11
        content = enclose(version, fault_content(version, fault, error_id, self._intake.wire))
        return Answer(http_status(version, fault), version.content_type, content)
