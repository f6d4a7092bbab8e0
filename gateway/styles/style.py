"""What a string style is: its operation, its parameters and results by role, and how a message is put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree

FUNCTION, PAYLOAD, HEADER, CODE, TEXT = "function", "payload", "header", "code", "text"
"""Roles of parameters and results: which function is called, the message, what surrounds it; how it went, in words."""


@dataclass(frozen=True, slots=True)
class Place:
    """A parameter or result: its role, and what it is usually called."""

    role: str
    name: str
    type: str = "string"
    """Its simple type of XML Schema."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message on its way to whoever carries it out."""

    function: str
    payload: str
    format: str = "xml"
    message_id: str = ""
    sender: str = ""
    sent_at: datetime | None = None
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, as far as its style knows it."""

    payload: str = ""
    code: str = ""
    text: str = ""


class Style:
    """One string style. Without more, every role stands in its own parameter."""

    word = ""
    """By which settings choose it."""
    operation: str | None = None
    """What its operation is called, when every vendor calls it so."""
    takes: tuple[Place, ...] = ()
    gives: tuple[Place, ...] = ()

    def wrap(self, asked: Asked) -> dict[str, str]:
        """The parameters, by role."""
        values = {FUNCTION: asked.function, PAYLOAD: asked.payload}
        return {place.role: values.get(place.role, "") for place in self.takes}

    def unwrap(self, parameters: Mapping[str, str]) -> Asked:
        """The message in the parameters. Raises PayloadUnreadable."""
        return Asked(parameters.get(FUNCTION, "").strip(), parameters.get(PAYLOAD, ""))

    def enclose(self, asked: Asked, said: Said) -> dict[str, str]:
        """The results, by role."""
        values = {PAYLOAD: said.payload, CODE: said.code, TEXT: said.text}
        return {place.role: values.get(place.role, "") for place in self.gives}

    def disclose(self, results: Mapping[str, str]) -> Said:
        """The answer in the results. Raises PayloadUnreadable."""
        return Said(results.get(PAYLOAD, ""), results.get(CODE, "").strip(), results.get(TEXT, ""))

    def name_of(self, place: Place, names: Mapping[str, str]) -> str:
        """What a parameter or result is called at a vendor who has names of his own, by role."""
        return names.get(place.role, place.name)


def folded_name(element: etree._Element) -> str:
    """The name of a parameter or result, as names are compared: without namespace and in small letters."""
    return str(etree.QName(element).localname).casefold()
