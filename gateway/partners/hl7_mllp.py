"""The dialect of a partner that takes HL7 v2 over MLLP: one connection per message, its acknowledgement the answer.

Stylesheets make the HL7 of our request and read what its answer holds, as with every mapped partner (docs/hl7.md).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lxml import etree

from gateway.errors import InvalidMessage
from gateway.hl7.acknowledgements import Acknowledgement, read_acknowledgement
from gateway.hl7.charsets import codec_of
from gateway.hl7.er7 import read, value, write_bytes
from gateway.hl7.mllp import Frames, NotMllp, framed
from gateway.mapping.errors import MappingFailed
from gateway.mapping.functions import Circumstances
from gateway.mapping.success import Answered, SuccessRule
from gateway.operations.dispatch import PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp
from gateway.partners.connection import socket_to
from gateway.partners.failures import UnusableReply
from gateway.partners.mapped import CompiledMapping, Mapped, Surroundings, action_of
from gateway.partners.tls import tls_of

YES, YES_TO_MONEY = ("AA", "CA"), ("AA",)
NO = ("AE", "AR", "CE", "CR")
_PIECE = 64 * 1024


class Hl7Mllp(Mapped):
    """One partner; any number of threads may use it.

    What the acknowledgement says decides: AA is a yes, AE and AR are a no in the partner's own words. A commit (CA) is
    a yes too, but not to money: that a message is stored does not book it. Anything else is no answer.
    """

    def __init__(self, partner: Partner, surroundings: Surroundings) -> None:
        super().__init__(partner, surroundings)
        self._codec = codec_of(partner.charset)
        self._tls = tls_of(partner)

    def mapping(self, operation: str, action: str = "") -> CompiledMapping:
        """The compiled files of an operation; unless the settings say otherwise, MSA-1 is what tells yes from no."""
        found = super().mapping(operation, action)
        if found.settings.success is not None or "success" in self._partner.model_fields_set:
            return found
        accepted = YES_TO_MONEY if self._books(operation) else YES
        return replace(found, success=SuccessRule(at="code", accepted=accepted, refused=NO))

    def rehearse(self, operation: str, request: Any, stamp: Stamp) -> tuple[str, etree._Element | str]:
        """The message it would be sent, as text; there is no operation of the partner's. Raises what mapping raises."""
        mapping = self.mapping(operation, action_of(request))
        made, _ = self._made(operation, mapping, request, stamp)
        return "HL7", write_bytes(_elements(made), self._codec).decode(self._codec)

    def _circumstances(self, mapping: CompiledMapping, stamp: Stamp, source: etree._Element) -> Circumstances:
        known = super()._circumstances(mapping, stamp, source)
        return replace(known, values={**known.values, **mapping.settings.fixed})

    def _exchanged(
        self, mapping: CompiledMapping, made: etree._Element | str, stamp: Stamp
    ) -> Answered | PartnerAnswer:
        made = _elements(made)
        control_id = (value(made, "MSH", 10) or made.findtext("MSH/MSH.10") or "").strip()
        if not control_id:
            raise MappingFailed("The stylesheet makes no MSH-10, by which an answer is known.")
        answer, acknowledgement = _taken_apart(self._asked(write_bytes(made, self._codec)), self._codec)
        if acknowledgement.control_id != control_id:
            raise UnusableReply("WRONG-REPLY")
        return Answered(answer, acknowledgement.code, _in_words(acknowledgement), answer)

    def _asked(self, message: bytes) -> bytes:
        """The one message that comes back."""
        url, frames, piece = self._partner.url, Frames(), bytearray(_PIECE)
        connection = socket_to(str(url.host), url.port or 0, self._tls, encrypted=url.scheme == "mllps")
        try:
            connection.sendall(framed(message))
            while (answer := frames.take()) is None:
                size = connection.recv_into(piece)
                if not size:
                    raise ConnectionResetError("The partner has closed the connection before its answer was whole.")
                frames.add(bytes(piece[:size]))
        except NotMllp as problem:
            raise UnusableReply("TOO-LARGE" if problem.code == "TOO-LARGE" else "UNREADABLE") from None
        finally:
            connection.close()
        return answer


def _elements(made: etree._Element | str) -> etree._Element:
    if isinstance(made, str):
        raise MappingFailed("The stylesheet makes a text where the elements of HL7 are wanted.")
    return made


def _taken_apart(answer: bytes, codec: str) -> tuple[etree._Element, Acknowledgement]:
    try:
        message = read(answer, codec)
    except InvalidMessage as problem:
        raise UnusableReply("UNREADABLE", detail=problem.detail_en) from None
    acknowledgement = read_acknowledgement(message)
    if acknowledgement is None:
        raise UnusableReply("UNCLEAR", detail="The answer has no MSA or several, or MSA-1 is no acknowledgement code.")
    return message, acknowledgement


def _in_words(acknowledgement: Acknowledgement) -> str:
    """What the partner says, its own code before it."""
    return " ".join(word for word in (acknowledgement.error, acknowledgement.text) if word)
