"""The front takes in what a sender sends: not too much of it, not for too long, and only whole."""

import gzip
import io
import os
import time
import zlib

import pytest

from gateway.errors import InvalidMessage, MessageFault, TooLarge, TooSlow
from gateway.soap.envelope import Limits, SoapVersion, peek
from gateway.soap.front import SOAP_VERSION, read_body, soap_version

MB = 1024 * 1024


def packed(body: bytes, level: int = 9) -> bytes:
    """Compressed without the time of day, so that every test worker sees the same case."""
    return gzip.compress(body, level, mtime=0)


BODY = b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><a/></s:Body></s:Envelope>'


class Line:
    """A slow line: each read gives one piece, after its pause."""

    def __init__(self, *pieces: bytes, pause: float = 0.0) -> None:
        self.pieces, self.pause = list(pieces), pause
        self.abandoned = False
        self.deadline = 0.0

    def read(self, size: int) -> bytes:
        time.sleep(self.pause)
        return self.pieces.pop(0) if self.pieces else b""

    def abandon(self) -> None:
        self.abandoned = True

    def set_deadline(self, deadline: float) -> None:
        self.deadline = deadline


def request(body: object = BODY, *, length: int | str | None = -1, coding: str = "", content_type: str = "text/xml"):
    stream = io.BytesIO(body) if isinstance(body, bytes) else body
    stated = len(body) if length == -1 and isinstance(body, bytes) else length
    environ = {"wsgi.input": stream, "CONTENT_TYPE": content_type, "HTTP_CONTENT_ENCODING": coding}
    return environ | ({"wsgi.input_terminated": True} if stated in (None, -1) else {"CONTENT_LENGTH": str(stated)})


def read(environ, *, large: bool = False, **limits: float) -> bytes:
    return read_body(environ, lambda prefix: large, Limits(**limits))


def refusal(environ, kind: type[MessageFault] = InvalidMessage, **options) -> MessageFault:
    with pytest.raises(kind) as refused:
        read(environ, **options)
    assert isinstance(environ[SOAP_VERSION], SoapVersion)
    return refused.value


# --- Whole bodies -----------------------------------------------------------------------------------------------------


def test_a_body_of_known_length_comes_in_whole():
    assert read(request()) == BODY
    assert read(request(Line(BODY[:10], BODY[10:]), length=len(BODY))) == BODY


def test_nothing_beyond_the_stated_length_is_read():
    environ = request(BODY + b"next request", length=len(BODY))
    assert read(environ) == BODY


def test_a_chunked_body_comes_in_whole():
    assert read(request(Line(BODY[:10], BODY[10:]), length=None)) == BODY
    environ = request(BODY, length=None) | {"wsgi.input_terminated": False, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert read(environ) == BODY


def test_without_length_or_chunks_there_is_no_body_to_wait_for():
    refusal(request(length=None) | {"wsgi.input_terminated": False})


@pytest.mark.parametrize("body", [b"", Line()])
def test_an_empty_body_is_refused(body):
    assert "为空" in refusal(request(body)).text_zh


def test_a_body_that_stops_before_its_length_is_refused():
    assert "Content-Length" in refusal(request(BODY, length=len(BODY) + 1)).text_en


@pytest.mark.parametrize("length", ["-1", "ten", "1" * 30, "１"])
def test_a_length_that_is_no_number_is_refused(length):
    refusal(request(length=length))


def test_a_transfer_that_breaks_off_is_the_sender_s_fault():
    class Broken(Line):
        def read(self, size: int) -> bytes:
            raise OSError("chunk")

    assert refusal(request(Broken())).sender


def test_a_refused_content_type_is_refused_in_the_sender_s_version():
    environ = request(content_type="application/json")
    refusal(environ)
    assert soap_version(environ) is SoapVersion.V12


def test_the_version_of_a_body_that_came_in_is_read_from_it():
    assert soap_version(request(), BODY) is SoapVersion.V12
    assert soap_version(request(), b"nonsense") is SoapVersion.V11


# --- How much ---------------------------------------------------------------------------------------------------------


def test_two_megabytes_pass_and_one_byte_more_does_not():
    assert len(read(request(b" " * 2 * MB))) == 2 * MB
    for length in (-1, None):
        assert "2 MB" in refusal(request(b" " * (2 * MB + 1), length=length), TooLarge).text_zh


def test_a_client_with_that_right_may_send_twenty_megabytes_but_not_more():
    assert len(read(request(b" " * 20 * MB), large=True)) == 20 * MB
    for length in (-1, None):
        assert "20 MB" in refusal(request(b" " * (20 * MB + 1), length=length), TooLarge, large=True).text_zh


def test_whether_a_large_body_may_come_is_asked_once_with_its_first_part():
    asked: list[bytes] = []
    body = BODY + b" " * 5 * MB
    assert read_body(request(body), lambda prefix: not asked.append(prefix), Limits()) == body
    assert [len(prefix) for prefix in asked] == [2 * MB]
    assert peek(asked[0], "text/xml") == ([], "a")


def test_a_stated_length_beyond_every_limit_is_refused_without_reading_on():
    stream = io.BytesIO(BODY + b" " * 30 * MB)
    environ = request(stream, length=30 * MB)
    refusal(environ, TooLarge, large=True)
    assert stream.tell() < MB
    assert environ[SOAP_VERSION] is SoapVersion.V12


def test_a_large_attachment_is_told_that_attachments_are_not_supported():
    assert "MTOM" in refusal(request(b" " * 3 * MB, content_type="multipart/related; x=y")).text_zh


def test_a_refused_body_is_abandoned():
    line = Line(BODY)
    refusal(request(line, length=len(BODY) + 1))
    assert line.abandoned


# --- How long ---------------------------------------------------------------------------------------------------------


def test_a_dripping_body_is_cut_at_the_deadline_of_the_whole_request():
    started = time.monotonic()
    assert refusal(request(Line(*[b"<"] * 100, pause=0.05), length=100), TooSlow, seconds=0.3).retryable
    assert time.monotonic() - started < 4


def test_our_own_worker_is_told_the_deadline():
    line = Line(BODY)
    read(request(line, length=len(BODY)), seconds=5)
    assert 4 < line.deadline - time.monotonic() <= 5


def test_another_server_s_socket_gets_the_time_that_remains():
    class Socket:
        def __init__(self) -> None:
            self.timeouts: list[float | None] = []

        def gettimeout(self) -> None:
            return None

        def settimeout(self, seconds: float | None) -> None:
            self.timeouts.append(seconds)

    line = Socket()
    read(request() | {"gunicorn.socket": line}, seconds=5)
    assert 4 < line.timeouts[0] <= 5
    assert line.timeouts[-1] is None


def test_a_socket_that_times_out_is_a_slow_sender():
    class Silent(Line):
        def read(self, size: int) -> bytes:
            raise TimeoutError

    refusal(request(Silent()), TooSlow)


# --- Compressed bodies ------------------------------------------------------------------------------------------------


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", packed(BODY)),
        ("X-GZIP", packed(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
        ("identity", BODY),
    ],
)
def test_a_compressed_body_is_inflated(coding, packed):
    assert read(request(packed, coding=coding)) == BODY
    pieces = [packed[at : at + 1] for at in range(len(packed))]
    assert coding == "deflate" or read(request(Line(*pieces), coding=coding)) == BODY


@pytest.mark.parametrize("size", [64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 200_000, 2 * MB])
def test_a_compressed_body_of_any_size_is_inflated_whole(size):
    body = os.urandom(size // 2) + b" " * (size - size // 2)
    assert read(request(packed(body), coding="gzip")) == body


def test_a_bomb_is_cut_at_the_limit():
    bomb = packed(b"\0" * 200 * MB, 9)
    started = time.thread_time()
    refusal(request(bomb, coding="gzip"), TooLarge)
    assert time.thread_time() - started < 2


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", BODY),
        ("gzip", packed(BODY)[:-4]),
        ("gzip", packed(BODY) + b"more"),
        ("gzip", packed(packed(BODY))[:50]),
        ("deflate", BODY),
        ("br", BODY),
        ("gzip, gzip", packed(packed(BODY))),
    ],
)
def test_what_is_not_compressed_as_it_says_is_refused(coding, packed):
    refusal(request(packed, coding=coding))


def test_a_compressed_sender_is_answered_in_its_version():
    environ = request(packed(BODY + b" " * 3 * MB), coding="gzip")
    refusal(environ, TooLarge)
    assert environ[SOAP_VERSION] is SoapVersion.V12
