"""Whether an answer is a yes: by the values the partner's settings name, and never by a guess."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from lxml import etree

from gateway.mapping.errors import StylesheetBroken
from gateway.mapping.functions import text_of
from gateway.mapping.xml_text import TOGETHER

EVERY_OTHER = "*"
LONGEST_MESSAGE = 500
_STRING_OF = re.compile(r"\s*string\s*\((.+)\)\s*", re.DOTALL)


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
        self._every = _every(xpath)
        self._message = None if message is None else _compiled(message)
        self._accepted, self._refused, self._retry = _words(accepted), _words(refused), _words(retry)

    @property
    def reads_payload(self) -> bool:
        """Whether it looks into the message in the answer."""
        return self._at == "payload"

    def judge(self, answered: Answered, *, only_named: bool = False) -> Verdict:
        """What the answer says; with `only_named` a no must be named, and "*" counts for nothing."""
        looked_at = self._looked_at(answered)
        words: Set[str] = frozenset()
        if isinstance(looked_at, str):
            value, message = looked_at, ""
        else:
            value = _text_at(self._value, looked_at)
            message = _text_at(self._message, looked_at)[:LONGEST_MESSAGE] if self._message is not None else ""
            words = _words(map(text_of, _nodes_at(self._every, looked_at)))
        meaning = self._meaning(value.casefold(), only_named=only_named)
        if meaning is Meaning.YES and self._contradict(words, looked_at):
            meaning = Meaning.UNCLEAR
        return Verdict(meaning, value[:20], message or answered.text[:LONGEST_MESSAGE])

    def _contradict(self, words: Set[str], looked_at: etree._ElementTree | str) -> bool:
        """Whether another place the rule points at says no, or not now: XPath alone would believe the first.

        What only "*" refuses is believed to be another answer where several messages came without a root; elsewhere
        it may be a code of something else.
        """
        if words & (self._refused | self._retry):
            return True
        came_as_several = not isinstance(looked_at, str) and looked_at.getroot().tag == TOGETHER
        return EVERY_OTHER in self._refused and came_as_several and bool(words - self._accepted - {""})

    def _meaning(self, word: str, *, only_named: bool) -> Meaning:
        if word in self._accepted:
            return Meaning.YES
        if word in self._retry:
            return Meaning.NOT_NOW
        if word in self._refused or (EVERY_OTHER in self._refused and word and not only_named):
            return Meaning.NO
        return Meaning.UNCLEAR

    def _looked_at(self, answered: Answered) -> etree._ElementTree | str:
        """Where XPaths look, or the text that stands there instead."""
        if self._at in ("code", "text"):
            return (answered.code if self._at == "code" else answered.text).strip()
        element = answered.payload if self._at == "payload" else answered.reply
        return "" if element is None else etree.ElementTree(without_namespaces(element))


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
        compiled = etree.XPath(xpath)
        compiled(etree.Element("Answer"))  # an unknown function or prefix shows only now
    except etree.XPathError:
        raise StylesheetBroken(f"This is no XPath: {xpath}") from None
    return compiled


def _every(xpath: str) -> etree.XPath | None:
    """The XPath of all places of which string() takes the first; None for one that calculates."""
    inner = _STRING_OF.fullmatch(xpath)
    try:
        return etree.XPath(inner[1] if inner else xpath)
    except etree.XPathSyntaxError:
        return None


def _text_at(xpath: etree.XPath, tree: etree._ElementTree) -> str:
    return text_of(xpath(tree)).strip()


def _nodes_at(xpath: etree.XPath | None, tree: etree._ElementTree) -> list[Any]:
    found = xpath(tree) if xpath is not None else None
    return found if isinstance(found, list) else []


def _words(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value.strip().casefold() for value in values)
