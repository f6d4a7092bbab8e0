"""Acknowledgements: what came of a message, told as MSA and ERR, and read from what a partner answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from gateway.hl7.er7 import ROOT, value

ACCEPTED, ERROR, REJECTED = "AA", "AE", "AR"
"""MSA-1: taken; understood and refused; not understood, or not now."""
LONGEST_TEXT = 80
"""Of MSA-3; ERR-8 has room for all of it."""

_HL7_ERRORS = {
    "400": ("102", "Data type error"),
    "404": ("204", "Unknown key identifier"),
    "409": ("205", "Duplicate key identifier"),
    "423": ("206", "Application record locked"),
}


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What MSA and ERR of an answer say."""

    code: str
    """AA, AE or AR; CA, CE and CR where the message has only been stored, or could not be."""
    control_id: str
    """MSA-2: which message it answers."""
    text: str
    """What the other side says of it: MSA-3, or ERR-8 or ERR-3 where that goes on from there."""
    error: str
    """The other side's own code, from ERR-5, else ERR-3."""


def acknowledgement(
    message: etree._Element | None,
    code: str,
    text: str = "",
    *,
    control_id: str,
    now: datetime,
    error: str = "",
    location: str = "",
) -> etree._Element:
    """The answer to a message: MSH turned round, MSA, and ERR when `error` (our code, such as REQ-404) is given.

    `message` is None when not even its MSH could be read. `location` is segment and field, such as PID-5.
    """
    answer = etree.Element(ROOT)
    _head(answer, message, control_id, now)
    msa = etree.SubElement(answer, "MSA")
    _add(msa, "MSA.1", code)
    _add(msa, "MSA.2", _of(message, 10))
    _add(msa, "MSA.3", text[:LONGEST_TEXT])
    if error:
        number, meaning = _HL7_ERRORS.get(error.rpartition("-")[2], ("207", "Application internal error"))
        err = etree.SubElement(answer, "ERR")
        _add(err, "ERR.2", *location.replace("-", ".").split(".", 1))
        _add(err, "ERR.3", number, meaning, "HL70357")
        _add(err, "ERR.4", "E")
        _add(err, "ERR.5", error)
        _add(err, "ERR.8", text)
    return answer


def read_acknowledgement(answer: etree._Element) -> Acknowledgement | None:
    """What an answer says; None when it is no acknowledgement at all, or two of them."""
    if len(answer.findall("MSA")) > 1:
        return None
    code = value(answer, "MSA", 1).strip().upper()
    if len(code) != 2 or code[0] not in "AC" or code[1] not in "AER":
        return None
    text, detail = value(answer, "MSA", 3), value(answer, "ERR", 8) or value(answer, "ERR", 3, 2)
    return Acknowledgement(
        code,
        value(answer, "MSA", 2).strip(),
        detail if detail.startswith(text) else text,
        value(answer, "ERR", 5) or value(answer, "ERR", 3) or value(answer, "MSA", 6),
    )


def _head(answer: etree._Element, message: etree._Element | None, control_id: str, now: datetime) -> None:
    head = etree.SubElement(answer, "MSH")
    received = message.find("MSH") if message is not None else None
    for number in (1, 2):
        _add(head, f"MSH.{number}", received.findtext(f"MSH.{number}") or "" if received is not None else "")
    for to, whence in ((3, 5), (4, 6), (5, 3), (6, 4)):
        for field in received.findall(f"MSH.{whence}") if received is not None else ():
            turned = etree.SubElement(head, f"MSH.{to}")
            for component in field:
                place = str(component.tag).rpartition(".")[2]
                etree.SubElement(turned, f"MSH.{to}.{place}").text = "".join(component.itertext())
    _add(head, "MSH.7", now.strftime("%Y%m%d%H%M%S"))
    _add(head, "MSH.9", "ACK", _of(message, 9, 2))
    _add(head, "MSH.10", control_id)
    _add(head, "MSH.11", _of(message, 11) or "P")
    _add(head, "MSH.12", _of(message, 12) or "2.4")
    _add(head, "MSH.18", _of(message, 18))


def _of(message: etree._Element | None, field: int, component: int = 1) -> str:
    return value(message, "MSH", field, component) if message is not None else ""


def _add(segment: etree._Element, tag: str, *components: str) -> None:
    """A field, unless all of it is empty; MSH-1 and MSH-2 have no components."""
    if not any(components):
        return
    field = etree.SubElement(segment, tag)
    if tag in ("MSH.1", "MSH.2"):
        field.text = components[0]
        return
    for number, component in enumerate(components, 1):
        if component:
            etree.SubElement(field, f"{tag}.{number}").text = component
