"""What is kept packed comes back byte by byte, also what was kept before there was packing."""

import hashlib
import os

import pytest

from gateway.contract import Contract
from gateway.model.packed import MARK, MOST, WORDS, pack, unpack

SAMPLES = [Contract().sample(operation.name).read_bytes() for operation in Contract().operations]


@pytest.mark.parametrize(
    "message",
    [*SAMPLES, b"", b"<x/>", "王𠮷祥".encode("gb18030"), os.urandom(5000), MARK, MARK + b"<x/>", MARK * (MOST + 1)],
)
def test_a_message_comes_back_as_it_came(message: bytes):
    assert unpack(pack(message)) == message


def test_our_messages_take_a_fraction_of_their_size():
    other = [sample.replace(b"PACS", b"XRAY").replace(b"2026", b"2031") for sample in SAMPLES]
    assert sum(map(len, map(pack, other))) * 4 < sum(map(len, other))


def test_large_reports_and_what_was_kept_before_stay_as_they_are():
    report = b"<x>" + os.urandom(MOST)
    assert pack(report) == report
    assert unpack(b"<x/>") == b"<x/>"


def test_the_words_can_never_change():
    """Whoever changes them makes every journal unreadable: other words get another file and another mark."""
    assert (
        hashlib.sha256(WORDS.read_bytes()).hexdigest()
        == "6e42e3307d4fafaf4f439d48318ff66de37f47bad5a631f65a3ac4b99b90cc81"
    )
