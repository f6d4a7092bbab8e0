"""What every vendor's system has: how it is spoken to, what it carries out, and what it can tell the gateway."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from lxml import etree

from gateway.simulators.memory import Memory
from gateway.simulators.system import System
from gateway.simulators.vendors.calling import Gateway, ours, request
from gateway.styles.style import Asked, Said


class Contract(Protocol):
    """How a system is spoken to: a string style as its vendor serves it, or operations with types."""

    def read(self, wrapper: etree._Element) -> Asked:
        """The message in the one element of a SOAP body. Raises PayloadUnreadable."""
        ...

    def answer(self, wrapper: etree._Element, asked: Asked, said: Said) -> str:
        """The one element of the answer's SOAP body, as text."""
        ...

    def wsdl(self, address: str) -> bytes:
        """Its WSDL, with this address."""
        ...


class Refused(Exception):
    """The system's own no: its code, and its words, which never name a patient."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class NotAdmitted(Exception):
    """The caller is not who the system wants to speak with: answered as a SOAP fault."""


@dataclass(frozen=True)
class Question:
    """One message that came."""

    function: str
    """What it asks for, in the vendor's word."""
    asked: Asked

    @property
    def payload(self) -> str:
        return self.asked.payload

    @cached_property
    def content(self) -> etree._Element:
        """The XML of the message, read as strictly as the vendor's own program does. Raises Refused."""
        text = self.payload.strip()
        if text.startswith("<?xml"):
            text = text.partition("?>")[2]
        try:
            return etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
        except (etree.XMLSyntaxError, ValueError):
            raise Refused("-1", "入参不是合法的XML") from None

    def text(self, path: str) -> str:
        """The text at a path below the root, without white space around it; empty when there is none."""
        return (self.content.findtext(path) or "").strip()

    def needed(self, path: str) -> str:
        """The same, of what the system cannot do without. Raises Refused."""
        found = self.text(path)
        if not found:
            raise Refused("-1", f"{path}不能为空")
        return found


Carry = Callable[[Question], Said]


class Message(Protocol):
    """Something it tells, however that travels."""

    def deliver(self, gateway: Gateway) -> tuple[int, str]:
        """The status of the answer, as HTTP has them, 0 when there was none, and its text."""
        ...


Send = Callable[[Mapping[str, Any]], Message]
Toolkit = Callable[[str, str, tuple[str, str] | None], Message]
"""Operation of ours, Request without namespaces, name and password -> the call as a SOAP toolkit writes it."""


class Vendor(System, ABC):
    """One system of one vendor.

    What it answers always has a `code`, whether its style shows one or has it inside the message: the log does.
    """

    contract: Contract
    path = "/Service.asmx"
    """Of its address."""
    charset = "utf-8"
    """Of all it reads and writes; a request in another one is not understood."""
    unsupported = "-1"
    """Its code for a function it does not have."""
    toolkit: Toolkit | None = None
    """With what it calls by the gateway's own contract; by a clean envelope without one."""
    noted: Mapping[str, str] = {}
    """Elements of its messages that the log shows, by local name -> our word for them (request_log.py); no names."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self.login: tuple[str, str] | None = None
        """By which it calls the gateway, name and password."""

    def use_database(self, url: str) -> None:
        """Work with a database of its own. Raises LookupError when it has none."""
        raise LookupError(f"{self.name} has no database of its own.")

    @property
    def sender(self) -> str:
        """The SenderCode of what it tells the gateway."""
        return self.login[0] if self.login else self.name

    @abstractmethod
    def functions(self) -> Mapping[str, Carry]:
        """What it carries out, by the word a request asks for it with."""

    def sends(self) -> Mapping[str, Send]:
        """What it can tell the gateway: operation of ours -> what makes the message from what /control says."""
        return {}

    def by_contract(self, operation: str, values: Mapping[str, Any], fields: str) -> Message:
        """A message by the gateway's own contract; `fields` are its elements after the Header, already escaped."""
        number = str(values.get("message_id", ""))
        if self.toolkit is None:
            return ours(operation, self.sender, fields, message_id=number)
        return self.toolkit(operation, request(self.sender, fields, message_id=number), self.login)

    @abstractmethod
    def refusal(self, question: Question, code: str, text: str) -> Said:
        """A no in its own form."""

    def admit(self, header: etree._Element | None, environ: Mapping[str, Any]) -> None:
        """Look at who calls, by SOAP header and HTTP. Raises NotAdmitted. Without more, everybody may."""

    def carry_out(self, question: Question) -> Said:
        """The answer to a message; a refusal is an answer too."""
        carry = self.functions().get(question.function)
        try:
            if carry is None:
                raise Refused(self.unsupported, f"不支持的功能：{question.function[:40]}")
            return carry(question)
        except Refused as reason:
            return self.refusal(question, reason.code, str(reason))

    def numbers(self, question: Question) -> dict[str, str]:
        """What a message is about, for the log. Raises Refused when it cannot be read."""
        found: dict[str, str] = {}
        for element in question.content.iter(etree.Element):
            name = self.noted.get(etree.QName(element).localname)
            value = (element.text or "").strip() or element.get("extension", "")
            if name is not None and value:
                found.setdefault(name, value)
        return found
