"""Take in the body of a request: not more of it than allowed, and not for longer than allowed.

This is the first thing that happens to a message and it happens before anybody is identified, so a sender can make it
cost neither memory nor a thread. With gateway/web/ every single read obeys the deadline; other WSGI servers are asked
to keep it between reads.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.errors import InvalidMessage, MessageFault, TooLarge, TooSlow
from gateway.soap.decoding import charset_of
from gateway.soap.envelope import Limits, SoapVersion, guess_version

Environ = dict[str, Any]
Headers = tuple[tuple[str, str], ...]

PIECE = 64 * 1024
SOAP_VERSION = "gateway.soap_version"
"""Where `read_body` leaves the version to answer in when it refuses a body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over HTTP."""

    status: int
    content_type: str
    content: bytes
    headers: Headers = ()


def read_body(environ: Environ, allow_large: Callable[[bytes], bool], limits: Limits) -> bytes:
    """The whole body with its Content-Encoding undone, or a MessageFault.

    A body of more than `limits.body_bytes` only comes in, up to `limits.large_body_bytes`, if `allow_large` says yes
    to its first part; it is asked once. When the body is refused, `environ[SOAP_VERSION]` is the sender's SOAP version
    as far as it can be told, and the connection closes after the answer.
    """
    received = bytearray()
    content_type = environ.get("CONTENT_TYPE", "")
    try:
        _fill(received, environ, allow_large, limits)
        charset_of(content_type)
        if not received:
            raise InvalidMessage("报文为空。", "The message is empty.")
    except MessageFault:
        environ[SOAP_VERSION] = guess_version(bytes(received[:PIECE]), content_type)
        if abandon := getattr(environ["wsgi.input"], "abandon", None):
            abandon()
        raise
    return bytes(received)


def soap_version(environ: Environ, body: bytes = b"") -> SoapVersion:
    """The version in which to answer a request that could not be understood."""
    noted = environ.get(SOAP_VERSION)
    return noted if isinstance(noted, SoapVersion) else guess_version(body, environ.get("CONTENT_TYPE", ""))


def _fill(received: bytearray, environ: Environ, allow_large: Callable[[bytes], bool], limits: Limits) -> None:
    allowed = limits.body_bytes
    for piece in _content(environ, limits):
        received += piece
        if len(received) <= allowed:
            continue
        content_type = environ.get("CONTENT_TYPE", "")
        charset_of(content_type)  # an attachment is told that it is one, not that it is large
        if allowed == limits.large_body_bytes or not allow_large(bytes(received[: limits.body_bytes])):
            raise _too_large(allowed)
        allowed = limits.large_body_bytes


def _too_large(allowed: int) -> TooLarge:
    megabytes = allowed // (1024 * 1024)
    return TooLarge(
        f"上限为 {megabytes} MB；更大的附件请传 Url。",
        f"The limit is {megabytes} MB; send the Url of a larger attachment.",
    )


# --- Content-Encoding -------------------------------------------------------------------------------------------------


def _content(environ: Environ, limits: Limits) -> Iterator[bytes]:
    coding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if coding in ("", "identity"):
        return _transfer(environ, limits)
    if coding in ("gzip", "x-gzip", "deflate"):
        return _inflate(_transfer(environ, limits), coding)
    raise InvalidMessage(
        "不支持该 Content-Encoding，只支持 gzip 和 deflate。",
        "This Content-Encoding is not supported: only gzip and deflate are.",
        expected="gzip, deflate",
    )


def _inflate(pieces: Iterator[bytes], coding: str) -> Iterator[bytes]:
    """The inflated pieces, each small: who takes them decides when a bomb is large enough to stop."""
    inflater = None
    for piece in pieces:
        inflater = inflater or zlib.decompressobj(_window(coding, piece))
        waiting, more = piece, True
        while more:
            try:
                content = inflater.decompress(waiting, PIECE)
            except zlib.error:
                raise _not_inflatable() from None
            yield content
            waiting = inflater.unconsumed_tail
            more = bool(waiting) or len(content) == PIECE
        if inflater.unused_data:
            raise _not_inflatable()
    if inflater is not None and not inflater.eof:
        raise _not_inflatable()


def _window(coding: str, beginning: bytes) -> int:
    """zlib's number for the format; `deflate` is sent with and without its zlib header (RFC 9110, section 8.4.1.2)."""
    if coding != "deflate":
        return 16 + zlib.MAX_WBITS
    with_header = len(beginning) > 1 and beginning[0] & 0x0F == 8 and int.from_bytes(beginning[:2]) % 31 == 0
    return zlib.MAX_WBITS if with_header else -zlib.MAX_WBITS


def _not_inflatable() -> InvalidMessage:
    return InvalidMessage(
        "报文不是声明的压缩格式，或压缩数据不完整。", "The body is not in the compressed form it claims, or is cut off."
    )


# --- The bytes on the line --------------------------------------------------------------------------------------------


def _transfer(environ: Environ, limits: Limits) -> Iterator[bytes]:
    """The pieces of the body as they arrive, all of them before the deadline."""
    deadline = time.monotonic() + limits.seconds
    stream, line = environ["wsgi.input"], environ.get("gunicorn.socket")
    if set_deadline := getattr(stream, "set_deadline", None):  # our worker keeps it for every byte by itself
        set_deadline(deadline)
        line = None
    length = _content_length(environ)
    if length is None and not _ends_by_itself(environ):
        return
    missing = PIECE if length is None else length
    while missing:
        piece = _read(stream, min(missing, PIECE), deadline, line)
        if not piece:
            break
        yield piece
        if length is not None:
            missing -= len(piece)
            if length > limits.large_body_bytes:
                raise _too_large(limits.large_body_bytes)
    if missing and length is not None:
        raise InvalidMessage("报文没有传完（少于 Content-Length）。", "The body ended before its Content-Length.")


def _read(stream: Any, size: int, deadline: float, line: Any) -> bytes:
    remaining = deadline - time.monotonic()
    before = None
    try:
        if remaining <= 0:
            raise TimeoutError
        if line is not None:
            before = line.gettimeout()
            line.settimeout(remaining)
        return bytes(stream.read(size))
    except TimeoutError:
        raise TooSlow from None
    except Exception:  # whatever a server raises here, it could not read what the sender sent
        raise InvalidMessage(
            "报文传输中断或分块格式错误。", "The transfer broke off or its chunks are malformed."
        ) from None
    finally:
        if line is not None:
            line.settimeout(before)


def _content_length(environ: Environ) -> int | None:
    stated = str(environ.get("CONTENT_LENGTH") or "").strip()
    if not stated:
        return None
    if not (stated.isascii() and stated.isdigit() and len(stated) < 19):
        raise InvalidMessage("HTTP 头 Content-Length 不是数字。", "The HTTP header Content-Length is no number.")
    return int(stated)


def _ends_by_itself(environ: Environ) -> bool:
    """Whether a body without length has an end that the server recognises."""
    return bool(environ.get("wsgi.input_terminated")) or "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
