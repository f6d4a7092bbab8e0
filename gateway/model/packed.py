"""Messages as they are kept: packed, because XML says the same names again and again.

PostgreSQL packs a value by itself only when its row has more than 2 KB, and made of 2.8 KB of XML 1.9 KB (measured,
docs/specification/storage.md). zlib is told beforehand what our messages always say, and makes 0.7 KB of it.
"""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import LargeBinary
from sqlalchemy.types import TypeDecorator

MARK = b"\x01"
"""Begins what is packed with the first dictionary; no XML begins like that. Another dictionary gets another mark."""
MOST = 256 * 1024
"""Larger messages are mostly pictures and documents in Base64: packing them costs much and gives little."""
WORDS = Path(__file__).parent / "packed_words_1.xml"
"""What is packed can only be read with the words it was packed with: this file is never changed."""


def pack(xml: bytes) -> bytes:
    """A message as it is kept."""
    if len(xml) > MOST and not xml.startswith(MARK):
        return xml
    packing = _prepared().copy()
    packed: bytes = MARK + packing.compress(xml) + packing.flush()
    return packed


def unpack(kept: bytes) -> bytes:
    """A message as it came; what was kept before there was packing is given as it is."""
    if not kept.startswith(MARK):
        return kept
    unpacking = zlib.decompressobj(zdict=_words())
    return unpacking.decompress(kept[len(MARK) :]) + unpacking.flush()


class PackedXml(TypeDecorator[bytes]):
    """A column that holds messages packed and gives them as they came."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Any) -> bytes | None:
        return None if value is None else pack(value)

    def process_result_value(self, value: bytes | None, dialect: Any) -> bytes | None:
        return None if value is None else unpack(bytes(value))


@cache
def _words() -> bytes:
    return WORDS.read_bytes()


@cache
def _prepared() -> Any:
    """A packer that has read the words; its copies need not."""
    return zlib.compressobj(6, zdict=_words())
