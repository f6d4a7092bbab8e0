"""MLLP, the wire of HL7: a message stands between the bytes 0x0B and 0x1C 0x0D on a connection that stays open.

0x1C alone ends a message: no character of UTF-8 or GB18030 holds that byte, and some senders forget the 0x0D.
"""

from __future__ import annotations

START, END = b"\x0b", b"\x1c"
LARGEST = 20 * 1024 * 1024
_BETWEEN = b"\r\n\x00 \t"


class NotMllp(Exception):
    """What came is no MLLP, or too large; `code` says which: NOT-MLLP or TOO-LARGE."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def framed(message: bytes) -> bytes:
    """A message as it travels."""
    return START + message + END + b"\r"


class Frames:
    """Takes what comes over one connection, in whatever pieces, and gives whole messages."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._came = bytearray()
        self._seen = 0

    @property
    def has_begun(self) -> bool:
        """Whether a part of the next message is here."""
        return bool(self._came)

    def add(self, piece: bytes) -> None:
        """Raises NotMllp as soon as no message can come of it."""
        self._came += piece
        self._trim()
        if self._came and not self._came.startswith(START):
            raise NotMllp("NOT-MLLP")
        if len(self._came) > self._largest + 2 and self._came.find(END, 0, self._largest + 2) < 0:
            raise NotMllp("TOO-LARGE")

    def take(self) -> bytes | None:
        """The next whole message; None when it has not all come yet."""
        end = self._came.find(END, self._seen)
        if end < 0:
            self._seen = len(self._came)
            return None
        message = bytes(self._came[1:end])
        del self._came[: end + 1]
        self._seen = 0
        self._trim()
        return message

    def _trim(self) -> None:
        if not self._came.startswith(START):
            self._came = self._came.lstrip(_BETWEEN)
