"""Whatever a partner's end of a connection may do has a meaning, each tried on a real socket."""

import gzip
import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.contract import NAMESPACE
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners import connection
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners
from tests.partners import raw_partner as raw
from tests.partners.conftest import ORIGIN
from tests.partners.fake_partner import CONTRACT, SOAP11, SOAP12, WIRE, envelope, fault, response_class, result, sample
from tests.partners.raw_partner import Conversation, RawPartner, answers, hangs_after, says

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
YES = envelope(
    SOAP11,
    WIRE.document(
        "ChargeItemResponse", response_class("ChargeItem")(result=result("GW-1"), transaction_state="CONFIRMED")
    ),
)
PACKED = gzip.compress(YES)
MULTIPART = 'multipart/related; type="application/xop+xml"; boundary=b'


def as_multipart(*parts: bytes) -> bytes:
    head = b"--b\r\nContent-Type: application/xop+xml; charset=UTF-8\r\nContent-ID: <%d@x>\r\n\r\n"
    return b"".join(head % number + part + b"\r\n" for number, part in enumerate(parts)) + b"--b--\r\n"


def with_types(body: bytes) -> bytes:
    """As Axis 1.x answers rpc/encoded."""
    names = (
        b' xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="http://www.w3.org/2001/XMLSchema"'
        b' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'
    )
    typed = re.sub(rb"<(ResultCode|ResultText|MessageId|TransactionState)>", rb'<\1 i:type="x:string">', body)
    return typed.replace(b"<ChargeItemResponse ", b"<ChargeItemResponse" + names + b" ")


def in_pieces(body: bytes) -> bytes:
    found = re.search(rb"<Response>(.*)</Response></ChargeItemResponse>", body, re.DOTALL)
    value = b'<m id="id0" xmlns="%s">%s</m>' % (NAMESPACE.encode(), found[1])
    return body.replace(found[0], b'<Response href="#id0"/></ChargeItemResponse>' + value)


def with_one_text_for_two(body: bytes) -> bytes:
    """As Axis 1.x answers when the same object is said twice."""
    found = re.search(rb"<ResultText>(.*?)</ResultText><ResultTextEn>.*?</ResultTextEn>", body)
    both = b'<ResultText href="#t"/><ResultTextEn href="#t"/>'
    pieces = in_pieces(body.replace(found[0], both))
    return pieces.replace(b'<m id="id0"', b'<m id="t">' + found[1] + b'</m><m id="id0"')


WITH_XOP = as_multipart(
    YES.replace("成功".encode(), b'<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:7@x"/>')
)
_INCLUDE = b'<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:1@x"/>'
WITH_XOP_TWICE = as_multipart(YES.replace("成功".encode(), _INCLUDE * 2), b"x" * 3000)
TWO_OF_ONE_NAME = as_multipart(YES).replace(b"--b--", b"") + as_multipart(YES.replace(b">0<", b">1<"))
DEEP = YES.replace("成功".encode(), b"<a>" * 100 + b"</a>" * 100)
UNKNOWN, NOT_SENT, FAULT, ANSWERED = Outcome.UNKNOWN, Outcome.NOT_SENT, Outcome.FAULT, Outcome.ANSWERED
Start = Callable[..., RawPartner]


@pytest.fixture
def start() -> Iterator[Start]:
    running = []

    def run(conversation: Conversation, tls: ssl.SSLContext | None = None) -> RawPartner:
        running.append(RawPartner(conversation, tls))
        return running[-1]

    yield run
    for one in running:
        one.close()


def charge(
    port: int, *, seconds: float = 20, scheme: str = "http", host: str = "127.0.0.1", **changes
) -> PartnerAnswer:
    partner = Partner(name="HIS", url=f"{scheme}://{host}:{port}/soap", connect_seconds=5)
    partners = Partners([partner], CONTRACT, WIRE, lambda: datetime.now(UTC))
    return partners.call(
        "HIS", "ChargeItem", changes.get("request", sample("ChargeItem")), Stamp("GW-1", ORIGIN), seconds
    )


def chunked(*pieces: bytes) -> bytes:
    sizes = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + sizes


def with_length(body: bytes, length: int) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % length + body


LOST = [
    ("a reset after it has read", raw.resets_after_reading, "CUT-OFF"),
    ("a half-close before it reads", raw.closes_its_half, "CUT-OFF"),
    ("a half-close after it has read", raw.closes_its_half_after_reading, "CUT-OFF"),
    ("a close in the midst of the request", raw.stops_reading_halfway, "CUT-OFF"),
    ("a close without a word", says(), "CUT-OFF"),
    ("another protocol", says(b"SSH-2.0-OpenSSH_9.2\r\n"), "CUT-OFF"),
    ("noise", says(bytes(range(256)) * 8), "CUT-OFF"),
    ("a status that is no number", says(b"HTTP/1.1 OK fine\r\n\r\n"), "CUT-OFF"),
    ("a head that never ends in lines", says(HEAD + b"X: y\r\n" * 200), "CUT-OFF"),
    ("a line that never ends", says(HEAD + b"X: " + b"y" * 100_000), "CUT-OFF"),
    ("the head alone", says(HEAD), "EMPTY"),
    ("half an answer", says(with_length(YES[:100], len(YES))), "CUT-OFF"),
    ("half a chunk", says(chunked(YES)[:-80]), "CUT-OFF"),
    ("chunks without an end", says(chunked(YES)), "CUT-OFF"),
    ("a chunk of no size", says(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "CUT-OFF"),
    ("half an answer without a length", says(HEAD + b"\r\n" + YES[:100]), "NOT-XML"),
    ("a part of the answer given as all", answers(YES[:-30]), "NOT-XML"),
    (
        "a packed answer that breaks off",
        answers(PACKED[:-20], "200 OK", "Content-Encoding: gzip"),
        "CUT-OFF",
    ),
    ("a damaged packed answer", answers(PACKED[:12] + b"\xff" * 99), "NOT-XML"),
    ("an answer packed in a way of its own", answers(b"\x1b\x05", "200 OK", "Content-Encoding: br"), "NOT-XML"),
    ("a bomb", answers(gzip.compress(b" " * 30_000_000), "200 OK", "Content-Encoding: gzip"), "TOO-LARGE"),
    ("JSON", answers(b'{"ResultCode": "0"}', "200 OK", "Content-Type: application/json"), "NOT-XML"),
    ("an attachment that did not come", answers(WITH_XOP, "200 OK", f"Content-Type: {MULTIPART}"), "NOT-XML"),
    ("a multipart without a boundary", answers(YES, "200 OK", "Content-Type: multipart/related"), "NOT-XML"),
    ("a multipart without a part", answers(b"--b--", "200 OK", f"Content-Type: {MULTIPART}"), "NOT-XML"),
    ("an empty body", answers(envelope(SOAP11, "")), "NOT-SOAP"),
    ("XML without an envelope", answers(b"<Response><ResultCode>0</ResultCode></Response>"), "NOT-SOAP"),
    ("a document with entities of its own", answers(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), "NOT-XML"),
    ("a login page", answers(b"<!DOCTYPE html><html><body><form></body></html>"), "NOT-XML"),
    ("a tidy login page", answers(b"<html><body><form/></body></html>"), "NOT-XML"),
    ("no content", answers(b"", "204 No Content"), "HTTP-204"),
    ("an empty answer", answers(b""), "EMPTY"),
    ("accepted for later", answers(b"", "202 Accepted"), "HTTP-202"),
    ("a hint before an answer that does not come", says(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), "HTTP-103"),
    ("a switch of protocols", answers(b"", "101 Switching Protocols"), "HTTP-101"),
    ("another operation's answer", answers(YES.replace(b"ChargeItem", b"RefundItem")), "OFF-CONTRACT"),
    ("another message's answer", answers(YES.replace(b">GW-1<", b">GW-2<")), "WRONG-REPLY"),
    ("an answer where a server says that there is nothing", answers(YES, "404 Not Found"), "HTTP-404"),
    ("an answer of a server that says it is busy", answers(YES, "503 Service Unavailable"), "HTTP-503"),
    ("packed in very many parts", answers(PACKED + gzip.compress(b"") * 10_000), "NOT-XML"),
    ("one attachment for two places", answers(WITH_XOP_TWICE, "200 OK", f"Content-Type: {MULTIPART}"), "NOT-XML"),
    ("two parts of one name", answers(TWO_OF_ONE_NAME, "200 OK", f"Content-Type: {MULTIPART}"), "NOT-XML"),
    ("an answer nested without end", answers(DEEP), "NOT-XML"),
    ("two answers in one body", answers(YES.replace(b"<s:Body>", b"<s:Body><a/>")), "NOT-SOAP"),
]


@pytest.mark.parametrize(("conversation", "code"), [case[1:] for case in LOST], ids=[case[0] for case in LOST])
def test_what_may_have_been_carried_out_is_unknown(start, conversation, code):
    answer = charge(start(conversation).port)
    assert (answer.outcome, answer.code) == (UNKNOWN, code)
    assert answer.detail.endswith(".") or code in ("CUT-OFF", "HTTP-204", "HTTP-202", "HTTP-103", "HTTP-101")


def test_a_reset_at_once_is_unknown_as_soon_as_anything_was_handed_over(start):
    partner = start(raw.resets)
    answers_seen = {(answer.outcome, answer.code) for answer in (charge(partner.port) for _ in range(20))}
    assert answers_seen <= {(UNKNOWN, "CUT-OFF"), (NOT_SENT, "CONNECT")}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(start, status):
    elsewhere = start(answers(YES))
    moved = start(answers(b"", f"{status} Moved", f"Location: http://127.0.0.1:{elsewhere.port}/soap"))
    answer = charge(moved.port)
    assert (answer.outcome, answer.code) == (UNKNOWN, f"HTTP-{status}")


HANGS = [
    ("before it reads", raw.waits),
    ("after it has read", hangs_after(b"")),
    ("in the status", hangs_after(b"HTTP/1.")),
    ("in the head", hangs_after(HEAD)),
    ("in the body", hangs_after(with_length(YES[:100], len(YES)))),
    ("in a chunk", hangs_after(chunked(YES)[:-80])),
    ("after asking for patience", hangs_after(b"HTTP/1.1 100 Continue\r\n\r\n")),
]


@pytest.mark.parametrize("conversation", [case[1] for case in HANGS], ids=[case[0] for case in HANGS])
def test_a_partner_that_hangs_anywhere_is_given_up_in_time(start, conversation):
    started = time.monotonic()
    answer = charge(start(conversation).port, seconds=0.5)
    assert (answer.outcome, answer.code) == (UNKNOWN, "TIMEOUT")
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("piece", [b"HTTP/1.1 100 Continue\r\n\r\n", b"X: y\r\n"])
def test_a_partner_that_never_stops_talking_is_given_up_in_time(start, piece):
    answer = charge(start(says(HEAD, *[piece] * 60, pause=0.05)).port, seconds=0.5)
    assert (answer.outcome, answer.code) == (UNKNOWN, "TIMEOUT")


READ = [
    ("plain", answers(YES)),
    ("byte by byte", says(*[bytes([byte]) for byte in with_length(YES, len(YES))])),
    ("in chunks", says(chunked(YES[:50], YES[50:]) + b"0\r\n\r\n")),
    ("as gzip by its head and plain by its content", answers(YES, "200 OK", "Content-Encoding: gzip")),
    ("after asking for patience", says(b"HTTP/1.1 100 Continue\r\n\r\n", with_length(YES, len(YES)))),
    ("without a length", says(HEAD + b"\r\n" + YES)),
    ("with a byte order mark", answers(b"\xef\xbb\xbf" + YES)),
    ("packed unasked", answers(gzip.compress(YES), "200 OK", "Content-Encoding: gzip")),
    ("packed without a word about it", answers(gzip.compress(YES))),
    ("packed in two parts", answers(gzip.compress(YES[:90]) + gzip.compress(YES[90:]))),
    ("as deflate", answers(zlib.compress(YES), "200 OK", "Content-Encoding: deflate")),
    ("as deflate without its head", answers(zlib.compress(YES)[2:-4], "200 OK", "Content-Encoding: deflate")),
    ("called a web page", answers(YES, "200 OK", "Content-Type: text/html")),
    ("called plain text", answers(YES, "200 OK", "Content-Type: text/plain")),
    ("called Latin-1", answers(YES, "200 OK", "Content-Type: text/xml; charset=ISO-8859-1")),
    ("called an encoding nobody knows", answers(YES, "200 OK", "Content-Type: text/xml; charset=x-klingon")),
    ("in a multipart", answers(as_multipart(YES), "200 OK", f"Content-Type: {MULTIPART}")),
    ("as the second part", answers(as_multipart(b"x", YES), "200 OK", f'Content-Type: {MULTIPART}; start="<1@x>"')),
    ("with types on everything", answers(with_types(YES))),
    ("in pieces beside it", answers(in_pieces(YES))),
    ("in pieces of which one is used twice", answers(with_one_text_for_two(YES))),
    ("in SOAP 1.2", answers(YES.replace(SOAP11.encode(), SOAP12.encode()))),
    ("in an envelope without the slash", answers(YES.replace(b"/soap/envelope/", b"/soap/envelope"))),
    ("with the contract's namespace and a slash", answers(YES.replace(NAMESPACE.encode(), NAMESPACE.encode() + b"/"))),
    ("with a misspelt declaration", answers(b'<?xml version="1.0" standalong="yes"?>\r\n' + YES)),
    ("with control characters in a text", answers(YES.replace("成功".encode(), b"OK\x0b&#x0;\x00"))),
    ("with a bare &", answers(YES.replace("成功".encode(), b"R & D"))),
    ("as UTF-8 by its head and GBK by its content", answers(YES.replace("成功".encode(), "成功".encode("gbk")))),
]


@pytest.mark.parametrize("conversation", [case[1] for case in READ], ids=[case[0] for case in READ])
def test_a_good_answer_is_read_however_it_comes(start, conversation):
    assert charge(start(conversation).port).is_yes


# --- What the partner says with a fault -------------------------------------------------------------------------------

FAULTS = [
    ("Client", FAULT, "FAULT"),
    ("Client.Authentication", FAULT, "FAULT"),
    ("Server", UNKNOWN, "FAULT"),
    ("Server.Busy", UNKNOWN, "FAULT"),
    ("MustUnderstand", NOT_SENT, "ENVELOPE"),
    ("VersionMismatch", NOT_SENT, "ENVELOPE"),
    ("DataEncodingUnknown", NOT_SENT, "ENVELOPE"),
    ("", UNKNOWN, "FAULT"),
    ("soap", UNKNOWN, "FAULT"),
]


@pytest.mark.parametrize(("who", "outcome", "code"), FAULTS)
@pytest.mark.parametrize("soap", [SOAP11, SOAP12], ids=["1.1", "1.2"])
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "500 Internal Server Error"])
def test_a_fault_means_the_same_whatever_the_status_it_comes_with(start, who, outcome, code, soap, status):
    answer = charge(start(answers(fault(soap, who), status)).port)
    assert (answer.outcome, answer.code) == (outcome, code)


# --- TLS --------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, host: str = "localhost", days: int = 1) -> Path:
    """A certificate with its key, in force until `days` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=9))
    builder = builder.not_valid_after(datetime.now(UTC) + timedelta(days=days))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{host}.pem"
    path.write_bytes(signed + plain_key)
    return path


@pytest.fixture
def tls(tmp_path, monkeypatch) -> Iterator[Callable[..., ssl.SSLContext]]:
    """What a partner's end of TLS needs, with a certificate that the gateway trusts."""

    def make(**how) -> ssl.SSLContext:
        path = certificate(tmp_path, **how)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        connection._tls_context.cache_clear()
        return context

    yield make
    connection._tls_context.cache_clear()


def secured(port: int, **how) -> PartnerAnswer:
    return charge(port, scheme="https", host="localhost", **how)


def test_a_trusted_partner_is_spoken_to(start, tls):
    assert secured(start(answers(YES), tls()).port).is_yes


@pytest.mark.parametrize("how", [{"host": "other.invalid"}, {"days": -1}], ids=["another host", "expired"])
def test_a_certificate_that_does_not_fit_means_nothing_was_sent(start, tls, how):
    answer = secured(start(answers(YES), tls(**how)).port)
    assert (answer.outcome, answer.code) == (NOT_SENT, "TLS")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Python forgets to close after a reset
@pytest.mark.parametrize(
    "conversation",
    [
        raw.resets,
        raw.closes_its_half,
        raw.waits,
        lambda connection: connection.sendall(b"\x15\x03\x01\x00\x02\x02\x28"),
    ],
    ids=["reset", "half-close", "silence", "alarm"],
)
def test_a_handshake_that_fails_means_nothing_was_sent(start, conversation):
    answer = secured(start(conversation).port, seconds=0.7)
    assert (answer.outcome, answer.code) in ((NOT_SENT, "TLS"), (NOT_SENT, "CONNECT"))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_a_partner_that_only_speaks_an_old_tls_gets_nothing(start, tls):
    context = tls()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    answer = secured(start(answers(YES), context).port)
    assert (answer.outcome, answer.code) == (NOT_SENT, "TLS")


def test_a_partner_that_misses_our_certificate_after_the_handshake_says_so_or_breaks_off(start, tls):
    context = tls()
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    answer = secured(start(answers(YES), context).port)
    # Its closing may overtake what it says; then nobody knows whether it has read the message.
    assert (answer.outcome, answer.code) in ((NOT_SENT, "TLS"), (UNKNOWN, "CUT-OFF"))


@pytest.mark.parametrize(
    ("conversation", "code"),
    [(raw.resets_after_reading, "CUT-OFF"), (says(with_length(YES[:50], len(YES))), "CUT-OFF"), (says(), "CUT-OFF")],
    ids=["reset", "half an answer", "no answer"],
)
def test_what_breaks_off_under_tls_is_unknown_too(start, tls, conversation, code):
    answer = secured(start(conversation, tls()).port)
    assert (answer.outcome, answer.code) == (UNKNOWN, code)
