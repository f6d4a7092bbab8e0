"""Reads a partner's reply strictly: only what keeps to the contract and answers this very message is an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from gateway.contract import NAMESPACE, Contract
from gateway.errors import InternalFault, InvalidMessage
from gateway.messages.wire import Wire
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partners.client import Reply
from gateway.partners.failures import UnusableReply
from gateway.soap.decoding import decode
from gateway.soap.envelope import SoapVersion
from gateway.soap.explain import normalise

REFUSED_UNREAD = {
    401: Outcome.NOT_SENT,
    404: Outcome.NOT_SENT,
    405: Outcome.NOT_SENT,
    413: Outcome.FAULT,
    429: Outcome.NOT_SENT,
    503: Outcome.NOT_SENT,
}
"""HTTP statuses by which a web server says, without a SOAP fault, that no application saw the request."""

NOT_ABOUT_THE_MESSAGE = frozenset({"AUT-401", "AUT-403", "SYS-429", "SYS-503"})
"""Codes of faults after which the same message may succeed: the partner did nothing, and not because of the message."""

_CODE = re.compile(r"[A-Z]{3}-[0-9]{3}")
SENDER_FAULTS = ("Client", "Sender")
NOT_PROCESSED = ("MustUnderstand", "VersionMismatch", "DataEncodingUnknown")
"""Faults by which SOAP says that the envelope was not even opened: the partner, or our setting for it, is to be mended,
and the messages of that time are as good as before."""


@dataclass(frozen=True, slots=True)
class ReplyReader:
    """Turns replies into answers; one per process."""

    contract: Contract
    wire: Wire

    def read(self, operation: str, message_id: str, reply: Reply) -> PartnerAnswer:
        """The answer. Raises UnusableReply, which says what came instead."""
        child = answer_or_fault(reply)
        return child if isinstance(child, PartnerAnswer) else self._answer(operation, message_id, child)

    def _answer(self, operation: str, message_id: str, wrapper: etree._Element) -> PartnerAnswer:
        if wrapper.tag != f"{{{NAMESPACE}}}{operation}Response":
            raise UnusableReply("OFF-CONTRACT")
        schema = self.contract.schema
        if not schema.validate(wrapper) and not (normalise(self.contract, wrapper) and schema.validate(wrapper)):
            raise UnusableReply("OFF-CONTRACT")
        try:
            response = self.wire.read(f"{operation}ResponseType", wrapper[0])
        except InvalidMessage:
            raise UnusableReply("OFF-CONTRACT") from None
        if response.result.message_id != message_id:
            raise UnusableReply("WRONG-REPLY")
        return PartnerAnswer(Outcome.ANSWERED, response.result.result_code, response, response.result.result_text)


def answer_or_fault(reply: Reply) -> etree._Element | PartnerAnswer:
    """What stands in the SOAP body, or what follows from the fault that does. Raises UnusableReply."""
    child = body_child(reply)
    if child is not None and is_fault(child):
        return read_fault(child, reply.status)
    if child is None or reply.status != 200:
        raise UnusableReply(f"HTTP-{reply.status}", REFUSED_UNREAD.get(reply.status, Outcome.UNKNOWN))
    return child


def body_child(reply: Reply) -> etree._Element | None:
    """The one element in soap:Body; None for an error page of a web server. Raises UnusableReply for all else."""
    if not reply.body.strip():
        if reply.status == 200:
            raise UnusableReply("EMPTY")
        return None
    try:
        root = etree.fromstring(decode(reply.body, reply.content_type), _parser())
    except (InvalidMessage, etree.XMLSyntaxError, ValueError):
        if reply.status == 200:
            raise UnusableReply("NOT-XML") from None
        return None
    body = root[-1] if len(root) else None
    envelopes = {version.envelope: version.body for version in SoapVersion}
    if body is None or envelopes.get(root.tag) != body.tag or len(body) != 1:
        if reply.status == 200:
            raise UnusableReply("NOT-SOAP")
        return None
    return body[0]


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )


def is_fault(element: etree._Element) -> bool:
    return element.tag in {version.fault for version in SoapVersion}


def read_fault(fault: etree._Element, status: int) -> PartnerAnswer:
    """Whose fault the partner says it is, and what follows for the message."""
    code = (fault.findtext(f".//{{{NAMESPACE}}}GatewayFault/{{{NAMESPACE}}}Code") or "").strip()
    if not _CODE.fullmatch(code):
        code = ""
    if status in (429, 503) or code in NOT_ABOUT_THE_MESSAGE:
        return PartnerAnswer(Outcome.NOT_SENT, code or f"HTTP-{status}")
    value = fault.findtext("faultcode")
    if value is None:
        value = next((e.text for e in fault.iter(f"{{{SoapVersion.V12.namespace}}}Value")), None)
    name = (value or "").strip().rpartition(":")[2]
    if name.startswith(NOT_PROCESSED):
        return PartnerAnswer(Outcome.NOT_SENT, code or "ENVELOPE")
    blames_us = name.startswith(SENDER_FAULTS) and code != InternalFault.code
    return PartnerAnswer(Outcome.FAULT if blames_us else Outcome.UNKNOWN, code or "FAULT")
