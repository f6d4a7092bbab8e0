"""Whether an answer is a yes: by the values the partner's settings name, and never by a guess."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from lxml import etree

from gateway.mapping.errors import StylesheetBroken
from gateway.mapping.functions import text_of

EVERY_OTHER = "*"
LONGEST_MESSAGE = 500


class Meaning(StrEnum):
    """What an answer says."""

    YES = "YES"
    NO = "NO"
    NOT_NOW = "NOT_NOW"
    UNCLEAR = "UNCLEAR"
    """None of the values that were named: perhaps it was done, perhaps not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer says, in its own words."""

    meaning: Meaning
    value: str
    """What was looked at, shortened."""
    message: str
    """What the partner says to it; may name a patient, so it is never logged."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, as far as its style takes it apart."""

    reply: etree._Element
    """The one element in the SOAP body."""
    code: str = ""
    text: str = ""
    payload: etree._Element | None = None


Place = Literal["payload", "code", "text", "reply"]


class SuccessRule:
    """One rule, compiled; any number of threads may ask it at once."""

    def __init__(
        self,
        *,
        at: Place = "payload",
        xpath: str = "string(/*)",
        accepted: Iterable[str] = ("0",),
        refused: Iterable[str] = (),
        retry: Iterable[str] = (),
        message: str | None = None,
    ) -> None:
        """Raises StylesheetBroken for an XPath that is none."""
        self._at: Place = at
        self._value = _compiled(xpath)
        self._message = None if message is None else _compiled(message)
        self._accepted, self._refused, self._retry = _words(accepted), _words(refused), _words(retry)

    @property
    def reads_payload(self) -> bool:
        """Whether it looks into the message in the answer."""
        return self._at == "payload"

    def judge(self, answered: Answered, *, only_named: bool = False) -> Verdict:
        """What the answer says; with `only_named` a no must be named, and "*" counts for nothing."""
        value, message = self._found(self._value, answered), ""
        if self._message is not None:
            message = self._found(self._message, answered)[:LONGEST_MESSAGE]
        meaning = self._meaning(value.casefold(), only_named=only_named)
        return Verdict(meaning, value[:20], message or answered.text[:LONGEST_MESSAGE])

    def _meaning(self, word: str, *, only_named: bool) -> Meaning:
        if word in self._accepted:
            return Meaning.YES
        if word in self._retry:
            return Meaning.NOT_NOW
        if word in self._refused or (EVERY_OTHER in self._refused and word and not only_named):
            return Meaning.NO
        return Meaning.UNCLEAR

    def _found(self, xpath: etree.XPath, answered: Answered) -> str:
        if self._at in ("code", "text"):
            return (answered.code if self._at == "code" else answered.text).strip()
        element = answered.payload if self._at == "payload" else answered.reply
        if element is None:
            return ""
        return text_of(xpath(etree.ElementTree(without_namespaces(element)))).strip()


def without_namespaces(element: etree._Element) -> etree._Element:
    """A copy whose names are local names: rules need not know whether a vendor writes a slash at the end of his."""
    copy = etree.Element(_local(element))
    copy.text = element.text
    for name, value in element.attrib.items():
        copy.set(etree.QName(name).localname, value)
    for child in element:
        if isinstance(child.tag, str):
            inner = without_namespaces(child)
            inner.tail = child.tail
            copy.append(inner)
    return copy


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _compiled(xpath: str) -> etree.XPath:
    try:
        return etree.XPath(xpath)
    except etree.XPathSyntaxError:
        raise StylesheetBroken(f"This is no XPath: {xpath}") from None


def _words(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value.strip().casefold() for value in values)
