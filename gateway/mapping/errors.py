"""What can go wrong when a message is mapped."""

from __future__ import annotations


class StylesheetBroken(Exception):
    """A stylesheet or an XPath cannot be used; the text says in one line which file, which line and why."""


class MappingFailed(Exception):
    """A message could not be mapped; the text says which stylesheet and why, and never what the message holds."""


class PayloadUnreadable(Exception):
    """A text that should hold a message holds none; the text says what came instead, and never its content."""


class NotWanted(Exception):
    """The stylesheet says that the other side need not have this message; the text says why."""
