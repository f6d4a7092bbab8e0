"""Reads a partner's reply: leniently what surrounds the answer, strictly the answer itself.

Only what keeps to the contract and answers this very message is an answer.
"""

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
from gateway.partners.unwrapping import NoXml, parsed
from gateway.soap.envelope import SoapVersion
from gateway.soap.explain import explain, normalise
from gateway.soap.mending import is_near, mend
from gateway.soap.references import put_in_place

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
SERVER_FAULTS = ("Server", "Receiver")
DEEPEST = 64
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
        expected, found = f"{operation}Response", etree.QName(wrapper)
        if found.localname != expected or not (found.namespace == NAMESPACE or is_near(found.namespace)):
            raise UnusableReply("OFF-CONTRACT", detail=f"The reply is no {expected} of our contract.")
        wrapper.tag = f"{{{NAMESPACE}}}{expected}"
        try:
            if not self._keeps_contract(wrapper):
                raise explain(self.contract, wrapper)
            response = self.wire.read(f"{operation}ResponseType", wrapper[0])
        except InvalidMessage as problem:
            raise UnusableReply("OFF-CONTRACT", detail=f"{problem.path}: {problem.detail_en}") from None
        if response.result.message_id != message_id:
            raise UnusableReply("WRONG-REPLY", detail="Result/MessageId is not that of the request.")
        return PartnerAnswer(Outcome.ANSWERED, response.result.result_code, response, response.result.result_text)

    def _keeps_contract(self, wrapper: etree._Element) -> bool:
        """Whether it does, mended as a request would be."""
        schema = self.contract.schema
        if schema.validate(wrapper):
            return True
        changed = bool(mend(self.contract, wrapper))
        return (normalise(self.contract, wrapper) or changed) and bool(schema.validate(wrapper))


def answer_or_fault(reply: Reply) -> etree._Element | PartnerAnswer:
    """What stands in the SOAP body, or what follows from the fault that does. Raises UnusableReply."""
    child, instead = body_child(reply)
    if child is not None and is_fault(child):
        return read_fault(child, reply.status)
    if child is None:
        raise UnusableReply(f"HTTP-{reply.status}", REFUSED_UNREAD.get(reply.status, Outcome.UNKNOWN), instead)
    if reply.status != 200:  # whoever wrote an answer has seen the request
        raise UnusableReply(f"HTTP-{reply.status}", detail=f"What looks like an answer came with HTTP {reply.status}.")
    return child


def body_child(reply: Reply) -> tuple[etree._Element | None, str]:
    """The one element in soap:Body; None for an error page of a web server, with what came instead.

    Raises UnusableReply for all else.
    """
    if not reply.body.strip():
        return _nothing_useful(reply, "EMPTY", "The reply has no content.")
    try:
        root = parsed(reply.body, reply.content_type)
    except NoXml as problem:
        return _nothing_useful(reply, "NOT-XML", str(problem))
    if _local(root) != "Envelope" or not _is_soap(root):
        return _nothing_useful(reply, "NOT-SOAP", f"The root of the reply is <{_local(root)}>, no SOAP envelope.")
    bodies = [child for child in root if _local(child) == "Body"]
    if len(bodies) != 1 or len(bodies[0]) == 0:
        what = "no soap:Body" if not bodies else "an empty soap:Body" if len(bodies) == 1 else "several bodies"
        return _nothing_useful(reply, "NOT-SOAP", f"The envelope of the reply has {what}.")
    if len(bodies[0]) > 1:
        try:
            put_in_place(bodies[0], DEEPEST)
        except InvalidMessage as problem:
            return _nothing_useful(reply, "NOT-SOAP", f"soap:Body holds several elements. {problem.detail_en}")
    return bodies[0][0], ""


def _nothing_useful(reply: Reply, code: str, detail: str) -> tuple[None, str]:
    if reply.status == 200:
        raise UnusableReply(code, detail=detail)
    return None, detail


def _is_soap(element: etree._Element) -> bool:
    """In the namespace of either version; who writes envelopes by hand forgets the slash, or all of it."""
    namespace = str(etree.QName(element).namespace or "").rstrip("/")
    return namespace in ("", *(version.namespace.rstrip("/") for version in SoapVersion))


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)[:64]


def is_fault(element: etree._Element) -> bool:
    return _local(element) == "Fault" and _is_soap(element)


def read_fault(fault: etree._Element, status: int) -> PartnerAnswer:
    """Whose fault the partner says it is, and what follows for the message."""
    code = (fault.findtext(f".//{{{NAMESPACE}}}GatewayFault/{{{NAMESPACE}}}Code") or "").strip()
    if not _CODE.fullmatch(code):
        code = ""
    value = fault.findtext("{*}faultcode")
    if value is None:
        value = next((e.text for e in fault.iter("{*}Value")), None)
    name = (value or "").strip().rpartition(":")[2]
    said = next((known for known in (*SENDER_FAULTS, *SERVER_FAULTS, *NOT_PROCESSED) if name.startswith(known)), None)
    detail = f"A SOAP fault of HTTP {status}: " + (said or "with a code of its own") + "."
    if status in (429, 503) or code in NOT_ABOUT_THE_MESSAGE:
        return PartnerAnswer(Outcome.NOT_SENT, code or f"HTTP-{status}", detail=detail)
    if name.startswith(NOT_PROCESSED):
        return PartnerAnswer(Outcome.NOT_SENT, code or "ENVELOPE", detail=detail)
    blames_us = name.startswith(SENDER_FAULTS) and code != InternalFault.code
    return PartnerAnswer(Outcome.FAULT if blames_us else Outcome.UNKNOWN, code or "FAULT", detail=detail)
