"""Control characters, which XML forbids and text copied from Word or read from a C string is full of.

Only a message the parser has refused comes here. Each forbidden character becomes MARK, which XML allows and nobody
writes, so that the message can be parsed; where each one stood, and whether it may go, is decided in mending.py.
"""

from __future__ import annotations

import re

MARK = "\ufdd0"
"""A noncharacter: Unicode keeps it for use inside one program."""
MOST = 1000
"""More of them are no accident of a text: it is not text at all."""

_MARK = MARK.encode()
_HIDDEN = {b"<![CDATA[": b"]]>", b"<!--": b"-->"}
_SUSPECT = re.compile(
    rb"<!\[CDATA\[|<!--|[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]|&#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}));"
)


def mark(text: bytes) -> bytes | None:
    """The text with MARK for every forbidden character and every reference to one; None if it must stay refused."""
    if _MARK in text:
        return None
    pieces: list[bytes] = []
    copied = hidden = 0
    for found in _SUSPECT.finditer(text):
        token, start = found[0], found.start()
        if token in _HIDDEN:
            if start >= hidden:
                hidden = text.find(_HIDDEN[token], found.end())
                if hidden < 0:
                    return None
            continue
        if token.startswith(b"&") and (start < hidden or not _names_none(found)):
            continue
        pieces += [text[copied:start], _MARK]
        copied = found.end()
        if len(pieces) > 2 * MOST:
            return None
    return b"".join([*pieces, text[copied:]]) if pieces else None


def blanks(text: str) -> str:
    """The text with one blank for the marks that stand together, and nothing for those at its ends."""
    return re.sub(f"{MARK}+", " ", text.strip(MARK))


def _names_none(reference: re.Match[bytes]) -> bool:
    """Whether a reference names a control character. Half a surrogate pair is none: part of a name would be lost."""
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return number in (0xFFFE, 0xFFFF) or (number < 0x20 and number not in (0x09, 0x0A, 0x0D))
