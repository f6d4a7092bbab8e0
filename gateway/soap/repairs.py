"""The habits of senders that are mended instead of refused, because only one thing can be meant.

Each is noted with the message, so that the information department can see which vendor's program sends what: in the
log, in the journal and at /metrics, by the names below and never with anything the message holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Repair(StrEnum):
    """What was mended (docs/specification/wire.md, "What is mended")."""

    CHARSET = "charset"
    """The text is in another encoding than the message says."""
    CHARACTERS = "control-characters"
    """Characters that XML forbids stood in free text; a blank stands there now, and the sender gets a Warning."""
    NAMESPACE = "namespace"
    """Elements of ours came in no namespace, in tempuri.org, or in ours with a slash too many."""
    REFERENCES = "references"
    """Values stood beside the request (multiRef); each is now where it was referred to."""
    ENCODING = "soap-encoding"
    """Arrays and wrappers of rpc/encoded."""
    ESCAPING = "escaping"
    """In a string (docs/facades.md): a message that was escaped once too often, or not where it had to be."""


Repairs = set[Repair]


def said(repairs: Iterable[Repair]) -> str:
    """The kinds of repair in one line, always in the same order."""
    return ", ".join(sorted(repairs))
