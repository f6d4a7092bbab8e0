"""HL7 that comes in: each message is mapped, goes the way of every message, and is answered by an acknowledgement."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lxml import etree

from gateway.contract import Contract
from gateway.errors import InvalidMessage, MessageFault
from gateway.facades.intake import Arrival, Intake
from gateway.facades.translation import PUSH, Translation, lenient, operation_of
from gateway.hl7.acknowledgements import ACCEPTED, ERROR, REJECTED, acknowledgement
from gateway.hl7.charsets import UTF8, encode
from gateway.hl7.er7 import read_as, value, write
from gateway.hl7_config import Hl7Message, Hl7Port
from gateway.mapping.codes import CodeTables
from gateway.mapping.functions import Circumstances
from gateway.monitoring import Metrics
from gateway.operations.unit import new_txn_no
from gateway.soap.faults import as_fault, log_fault, new_error_id

_log = logging.getLogger(__name__)

_SHOWN = re.compile(r"[!-~]{1,64}")
"""A number of a message as our contract has it, which alone may stand in a log."""


class Hl7Mapping:
    """How messages that come at a port become ours."""

    def __init__(self, port: Hl7Port, folder: Path, hospital_code: str) -> None:
        self._port = port
        self._whens = {one.when: etree.XPath(f"boolean({one.when})") for one in port.messages if one.when}
        self.hospital_code = port.hospital_code or hospital_code
        self.translation = Translation(f"HL7 {port.name}", {}, "", folder)
        self.came_by = f"MLLP {port.name}"
        """What the journal says of their way."""

    def settings(self, message: etree._Element) -> Hl7Message:
        """What is done with messages of this type. Raises InvalidMessage."""
        kind = f"{value(message, 'MSH', 9)}^{value(message, 'MSH', 9, 2)}"
        for one in self._port.messages:
            if kind in one.types and (one.when is None or self._whens[one.when](message)):
                return one
        known = sorted({kind for one in self._port.messages for kind in one.types})
        raise InvalidMessage(
            "此端口不接收该类消息。",
            "This port does not take messages of this type.",
            path="MSH-9",
            expected=" | ".join(known),
        )

    def known(self, at: datetime, codes: CodeTables) -> Circumstances:
        """What stylesheets are told beside a message that came at that moment."""
        port, hospital = self._port, self.hospital_code
        return Circumstances(
            partner=port.client,
            hospital_code=hospital,
            outbound=False,
            now=at,
            codes=codes,
            values={"client": port.client, "hospital_code": hospital, **port.values},
        )


class Hl7Door:
    """One port; any number of threads may bring messages at once."""

    def __init__(
        self,
        port: Hl7Port,
        *,
        folder: Path,
        contract: Contract,
        intake: Intake,
        codes: CodeTables,
        metrics: Metrics,
        clock: Callable[[], datetime],
        hospital_code: str,
        body_bytes: int,
    ) -> None:
        self._port = port
        self._contract = contract
        self._intake = intake
        self._codes = codes
        self._metrics = metrics
        self._clock = clock
        self._body_bytes = body_bytes
        self._mapping = Hl7Mapping(port, folder, hospital_code)
        self._translation = self._mapping.translation

    def check(self) -> None:
        """Compile every stylesheet. Raises StylesheetBroken."""
        for settings in self._port.messages:
            for name in filter(None, (settings.request, settings.response)):
                self._translation.sheet(name)

    def answer(self, content: bytes) -> bytes:
        """The acknowledgement of a message: AA when it is taken, AE when it is refused, AR when it cannot be read, or
        not now."""
        now = self._clock()
        arrival = Arrival(self._mapping.came_by, content, now, new_txn_no(now), self._mapping.hospital_code)
        begun = self._metrics.begin()
        message: etree._Element | None = None
        codec = UTF8
        try:
            message, codec = read_as(content, self._port.charset)
            made = self._taken(arrival, message)
        except Exception as problem:
            made = self._refused(arrival, message, problem)
        finally:
            self._metrics.end(begun, arrival.operation or "-", arrival.result_code)
        return encode(write(made), codec)

    def _taken(self, arrival: Arrival, message: etree._Element) -> etree._Element:
        self._intake.admit_known(arrival, self._port.client)
        settings = self._mapping.settings(message)
        control_id = value(message, "MSH", 10)
        if not control_id:
            raise InvalidMessage(
                "MSH-10（消息控制号）必填。", "MSH-10 is missing.", path="MSH-10", expected="a number of the message"
            )
        if _SHOWN.fullmatch(control_id):
            arrival.message_id = control_id
        known = self._mapping.known(arrival.received_at, self._codes)
        asked: list[etree._Element] = []

        def make() -> tuple[str, etree._Element]:
            lenient_or_not = lenient(known) if settings.operation == PUSH else known
            made = self._translation.request(settings, message, lenient_or_not)
            asked.append(made)
            return operation_of(self._contract, settings, made), made

        is_large = len(arrival.raw) > self._body_bytes
        response = self._intake.take(arrival, settings.operation, make, set(), is_large=is_large)
        return self._acknowledged(arrival, message, settings, response, replace(known, request=asked[0]))

    # --- the answer ---------------------------------------------------------------------------------------------------

    def _acknowledged(
        self, arrival: Arrival, message: etree._Element, settings: Hl7Message, response: Any, known: Circumstances
    ) -> etree._Element:
        result = response.result
        is_yes = result.result_code == "0"
        text = _words(message, result.result_text, result.result_text_en)
        made = acknowledgement(
            message,
            ACCEPTED if is_yes else ERROR,
            (result.warning or "") if is_yes else text,
            control_id=arrival.txn_no,
            now=arrival.received_at,
            error="" if is_yes else result.result_code,
        )
        if settings.response is None:
            return made
        # Codes become theirs now. Nothing of this may hide that the message is taken: the sender would repeat it.
        outward = lenient(replace(known, outbound=True))
        try:
            found = self._translation.response(settings, self._intake.answer(response), outward)
            return _with(made, found) if isinstance(found, etree._Element) else made
        except MessageFault as problem:
            _log.error("HL7 %s: answered without what its stylesheet makes: %s", self._port.name, problem.text_en)
            return made

    def _refused(self, arrival: Arrival, message: etree._Element | None, problem: Exception) -> etree._Element:
        """What a sender cannot mend by another content is AR: what cannot be read, who may not call, not now."""
        fault: MessageFault = as_fault(problem)
        arrival.result_code = fault.code
        error_id = new_error_id(arrival.received_at)
        log_fault(
            problem,
            fault,
            error_id,
            operation=arrival.operation,
            client=self._port.client,
            message=arrival.message_id,
        )
        understood = message is not None and arrival.operation != "" and not fault.retryable
        return acknowledgement(
            message,
            ERROR if understood else REJECTED,
            _words(message, fault.text_zh, _with_place(fault)) + f" ({error_id})",
            control_id=arrival.txn_no,
            now=arrival.received_at,
            error=fault.code,
            location=fault.path if fault.path.startswith("MSH") else "",
        )


def _words(message: etree._Element | None, chinese: str, english: str) -> str:
    """In both languages; in English alone where the sender has neither said nor shown that it knows more than ASCII."""
    if message is None or not (value(message, "MSH", 18) or any(not text.isascii() for text in message.itertext())):
        return english
    return f"{chinese} {english}"


def _with_place(fault: MessageFault) -> str:
    place = f" At {fault.path}." if fault.path else ""
    expected = f" Expected: {fault.expected}." if fault.expected else ""
    return f"{fault.text_en}{place}{expected}"


def _with(made: etree._Element, found: etree._Element) -> etree._Element:
    """The acknowledgement with what a stylesheet has made of our answer: fields of MSH, and segments behind it.

    Raises InvalidMessage for what has no place in HL7.
    """
    made = deepcopy(made)
    head = made[0]
    for segment in found.iterchildren(etree.Element):
        if segment.tag != "MSH":
            made.append(segment)
            continue
        for field in segment.iterchildren(etree.Element):
            for old in head.findall(str(field.tag)):
                head.remove(old)
            head.append(field)
    write(made)
    return made
