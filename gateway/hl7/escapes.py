r"""The escape sequences of HL7 text: \F\ \S\ \R\ \T\ \E\ for the message's own separators, \.br\ and its like, \Xhh\.

What is no sequence stays as it is: `C:\path\x` is text that somebody forgot to escape, not a mistake to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

_LINE_BREAKS = re.compile(r"\r\n?")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEX = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")
_COUNTED = re.compile(r"\.(sp|sk|in|ti)([+-]?\d{1,2})?")
_FORMAT = {".br": "\n", ".ce": "\n", ".fi": "", ".nf": "", "H": "", "N": ""}


@dataclass(frozen=True)
class Separators:
    """The five characters of MSH-1 and MSH-2 by which a message is taken apart."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    rest: str = ""
    """What MSH-2 holds beyond them: the truncation character of version 2.7."""

    @property
    def encoding(self) -> str:
        """MSH-2."""
        return f"{self.component}{self.repetition}{self.escape}{self.subcomponent}{self.rest}"

    @cached_property
    def letters(self) -> Mapping[str, str]:
        """Escape letter -> the separator it stands for."""
        return {
            "F": self.field,
            "S": self.component,
            "R": self.repetition,
            "E": self.escape,
            "T": self.subcomponent,
        }

    @cached_property
    def _table(self) -> dict[int, str]:
        table = {ord(sign): f"{self.escape}{letter}{self.escape}" for letter, sign in self.letters.items()}
        return {**table, ord("\n"): f"{self.escape}.br{self.escape}"}

    @cached_property
    def _sequence(self) -> re.Pattern[str]:
        sign = re.escape(self.escape)
        return re.compile(f"{sign}([^{sign}]{{1,80}}?){sign}" if self.escape else r"(?!)")

    def escaped(self, text: str) -> str:
        """Text as it may stand in a message; a line break becomes \\.br\\."""
        return _LINE_BREAKS.sub("\n", text).translate(self._table)

    def plain(self, text: str, codec: str) -> str:
        """Text as it was meant, with line feeds as line breaks and a blank for what XML cannot hold.

        Never nothing, so that two halves of a number do not become another number.
        """
        if self.escape and self.escape in text:
            text = self._unescaped(text, codec)
        return _NOT_IN_XML.sub(" ", _LINE_BREAKS.sub("\n", text))

    def _unescaped(self, text: str, codec: str) -> str:
        pieces, at = [], 0
        while found := self._sequence.search(text, at):
            meaning = self._meaning(found[1], codec)
            # What is no sequence ends before its second sign: that may begin one.
            end = found.end() if meaning is not None else found.end() - 1
            pieces.append(text[at : found.start()] + meaning if meaning is not None else text[at:end])
            at = end
        return "".join([*pieces, text[at:]])

    def _meaning(self, sequence: str, codec: str) -> str | None:
        """None for what is no sequence of the standard."""
        known = self.letters.get(sequence, _FORMAT.get(sequence))
        if known is not None:
            return known
        if found := _HEX.fullmatch(sequence):
            return bytes.fromhex(found[1]).decode(codec, "replace")
        if found := _COUNTED.fullmatch(sequence):
            return ("\n" if found[1] == "sp" else " ") * max(int(found[2] or 1), 0)
        return None
