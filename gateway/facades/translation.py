"""The stylesheets of one facade: from a vendor's message to ours, and from our answer, or a fault, to the vendor's.

Stylesheets see every message without namespaces, since vendors write them with and without a slash at the end.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from threading import Lock

from lxml import etree

from gateway.contract import NAMESPACE, Contract
from gateway.errors import CodeAwaited, CodeNotMapped, InternalFault, InvalidMessage, TooLarge
from gateway.facade_config import FacadeFunction
from gateway.mapping import payload as payloads
from gateway.mapping.codes import CodeTables, Unmapped, UnmappedPolicy
from gateway.mapping.errors import MappingFailed, NotWanted, PayloadUnreadable, StylesheetBroken
from gateway.mapping.functions import Circumstances, under
from gateway.mapping.ours import from_result
from gateway.mapping.stylesheet import Stylesheet, located
from gateway.mapping.success import without_namespaces

_log = logging.getLogger(__name__)

REQUEST = "Request"
EVERY_OTHER = "*"
PUSH = "PushCriticalValue"
MOST_ELEMENTS = 100_000
"""In the string: 2 MB of <b/> would take hundreds."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the Header of a message says where the vendor's message does not."""

    sender_code: str
    hospital_code: str
    sent_at: datetime
    message_id: str = ""
    """Empty: it is made of the content."""


class Translation:
    """The compiled stylesheets, read with the first message that needs them; for any number of threads."""

    def __init__(self, name: str, functions: Mapping[str, FacadeFunction], response: str, folder: Path) -> None:
        self._name = name
        self._functions = {function.casefold(): settings for function, settings in functions.items()}
        self._names = tuple(name for name in functions if name != EVERY_OTHER)
        self._response = response
        self._folder = folder
        self._sheets: dict[str, Stylesheet] = {}
        self._compiling = Lock()

    def function(self, name: str) -> FacadeFunction:
        """How a function of the vendor is carried out. Raises InvalidMessage when it is none."""
        found = self._functions.get(name.strip().casefold()) or self._functions.get(EVERY_OTHER)
        if found is None:
            raise InvalidMessage(
                "没有这个功能（功能名或交易码）。", "There is no such function.", expected=" | ".join(self._names)
            )
        return found

    def request(self, settings: FacadeFunction, message: etree._Element, known: Circumstances) -> etree._Element:
        """Our request as the stylesheet makes it. Raises MessageFault."""
        with self.told_as_fault():
            with under(known):
                made = self.sheet(settings.request).apply(message)
            if isinstance(made, str):
                raise MappingFailed(f"{settings.request} makes a text where an element is wanted.")
            return made

    def response(
        self, settings: FacadeFunction | None, answer: etree._Element, known: Circumstances
    ) -> etree._Element | str:
        """The vendor's answer for our <Response> or <Fault>.

        Raises InternalFault, whose text asks to repeat: a message that is taken must not seem to be refused.
        """
        name = settings.response if settings is not None and settings.response is not None else self._response
        try:
            with under(known):
                return self.sheet(name).apply(answer)
        except (MappingFailed, NotWanted, StylesheetBroken) as problem:
            _log.error("%s: an answer cannot be mapped: %s", self._name, problem)
            raise InternalFault() from None

    def sheet(self, name: str) -> Stylesheet:
        """One of its stylesheets. Raises StylesheetBroken."""
        found = self._sheets.get(name)
        if found is None:
            with self._compiling:
                found = self._sheets[name] = self._sheets.get(name) or Stylesheet(located(name, self._folder))
        return found

    def sheets(self) -> Iterator[str]:
        """The names of all its stylesheets."""
        yield self._response
        for settings in self._functions.values():
            yield from filter(None, (settings.request, settings.response))

    @contextmanager
    def told_as_fault(self) -> Iterator[None]:
        """What goes wrong with a mapping, as the sender is told it: where and why, and no value of the message."""
        try:
            yield
        except PayloadUnreadable as problem:
            raise InvalidMessage(f"字符串内的报文无法读取：{problem}", str(problem)) from None
        except (MappingFailed, NotWanted) as problem:
            raise InvalidMessage(f"字符串内的报文无法转换：{problem}", str(problem)) from None
        except Unmapped as problem:
            _log.warning("%s: a code is not mapped in the table %s", self._name, problem.table)
            kind = CodeAwaited if problem.policy is UnmappedPolicy.PARK else CodeNotMapped
            raise kind(f"对照表：{problem.table}。", f"Table {problem.table}.", path=problem.table) from None
        except StylesheetBroken as problem:
            _log.error("%s: %s", self._name, problem)
            raise InternalFault() from None


def read_payload(text: str, form: str, noted: set[str]) -> etree._Element:
    """The message in a vendor's string, without namespaces; what had to be mended is added to `noted`.

    Raises PayloadUnreadable, TooLarge or InvalidMessage.
    """
    if text.count("<") > 2 * MOST_ELEMENTS:
        raise TooLarge(
            f"字符串内的元素超过 {MOST_ELEMENTS} 个，请分批发送。",
            f"More than {MOST_ELEMENTS} elements in the string: send it in parts.",
        )
    found = payloads.read(text, form, noted)
    if found.getroottree().docinfo.internalDTD is not None:
        raise InvalidMessage("字符串内的报文不得含有 DTD。", "The message in the string may not hold a DTD.")
    return without_namespaces(found)


def operation_of(contract: Contract, settings: FacadeFunction, made: etree._Element) -> str:
    """Our operation: that of the settings, or the one the root element of what was made is named after."""
    if settings.operation is not None:
        return settings.operation
    name = str(etree.QName(made).localname)
    if not any(operation.name == name for operation in contract.operations):
        raise InvalidMessage(
            "无法判断该报文对应的业务。", "The stylesheet does not say which operation this message is."
        )
    return name


def wrapper_of(contract: Contract, operation: str, made: etree._Element, defaults: Defaults) -> etree._Element:
    """The wrapper element of our contract, its Header completed. Raises MappingFailed.

    A message without number gets one of its content, so that the same content sent again is a repetition.
    """
    header = next((child for child in made if etree.QName(child).localname == "Header"), None)
    if header is None:
        header = etree.SubElement(made, "Header")
    said = {str(etree.QName(child).localname) for child in header if (child.text or "").strip()}
    for name, value in (
        ("SenderCode", defaults.sender_code),
        ("HospitalCode", defaults.hospital_code),
        ("SentAt", defaults.sent_at.isoformat(timespec="seconds")),
        ("MessageId", defaults.message_id),
    ):
        if name not in said and value:
            _say(header, name, value)
    request = from_result(contract, f"{operation}Request", made)
    request.tag = f"{{{NAMESPACE}}}{REQUEST}"
    if "MessageId" not in said and not defaults.message_id:
        found = etree.Element(f"{{{NAMESPACE}}}MessageId")
        found.text = number_of(operation, request)
        request[0].insert(0, found)
    wrapper = etree.Element(f"{{{NAMESPACE}}}{operation}", nsmap={None: NAMESPACE})
    wrapper.append(request)
    return wrapper


def number_of(operation: str, request: etree._Element) -> str:
    """A MessageId made of what a request says beside its Header."""
    content = hashlib.sha256(operation.encode())
    for child in request[1:]:
        content.update(etree.tostring(child, method="c14n"))
    return f"F-{content.hexdigest()[:32].upper()}"


def _say(header: etree._Element, name: str, value: str) -> None:
    for child in [one for one in header if etree.QName(one).localname == name]:
        header.remove(child)
    etree.SubElement(header, name).text = value


class Lenient:
    """Code tables for critical values, which are never refused for a code: an unmapped one stays as it is."""

    def __init__(self, codes: CodeTables) -> None:
        self._codes = codes

    def translate(self, table: str, value: str, *, partner: str, hospital_code: str, outbound: bool, on: date) -> str:
        try:
            return self._codes.translate(
                table, value, partner=partner, hospital_code=hospital_code, outbound=outbound, on=on
            )
        except Unmapped:
            return value


def lenient(known: Circumstances) -> Circumstances:
    """The same, with code tables that let pass what they do not know."""
    return replace(known, codes=Lenient(known.codes))
