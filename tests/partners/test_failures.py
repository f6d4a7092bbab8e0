"""What the gateway makes of a partner that does not answer as it should."""

import dataclasses
import http.client
import io
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import requests.exceptions
import zeep.exceptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.operations.dispatch import Outcome
from gateway.partner_config import Partner
from gateway.partners import client, connection
from gateway.partners.addressing import Stamp
from gateway.partners.connection import Exchange
from gateway.partners.failures import FAILURES, told_as_answer
from gateway.partners.registry import Partners
from tests.partners.conftest import ORIGIN
from tests.partners.fake_partner import CONTRACT, SOAP11, WIRE, FakePartner, envelope, sample

LOGIN_PAGE = "raw:<!DOCTYPE html><html><body><form action='/login'></form></body></html>"


@pytest.mark.parametrize(
    ("behaviour", "outcome", "code"),
    [
        ("http:503", Outcome.NOT_SENT, "HTTP-503"),
        ("http:429", Outcome.NOT_SENT, "HTTP-429"),
        ("http:404", Outcome.NOT_SENT, "HTTP-404"),
        ("http:401", Outcome.NOT_SENT, "HTTP-401"),
        ("http:413", Outcome.FAULT, "HTTP-413"),
        ("http:500", Outcome.UNKNOWN, "HTTP-500"),
        ("http:502", Outcome.UNKNOWN, "HTTP-502"),
        ("http:302", Outcome.UNKNOWN, "HTTP-302"),
        ("close", Outcome.UNKNOWN, "CUT-OFF"),
        ("reset", Outcome.UNKNOWN, "CUT-OFF"),
        ("cut", Outcome.UNKNOWN, "CUT-OFF"),
        ("lost", Outcome.UNKNOWN, "CUT-OFF"),
        (LOGIN_PAGE, Outcome.UNKNOWN, "NOT-XML"),
        ("raw:", Outcome.UNKNOWN, "EMPTY"),
        ("reply: \n ", Outcome.UNKNOWN, "EMPTY"),
        ("reply:OK", Outcome.UNKNOWN, "NOT-XML"),
        ("reply:<a><b>", Outcome.UNKNOWN, "NOT-XML"),
        ("reply:<html><body><p/></body></html>", Outcome.UNKNOWN, "NOT-XML"),
        ("reply:<Response/>", Outcome.UNKNOWN, "NOT-SOAP"),
        ("reply:" + envelope(SOAP11, "").decode(), Outcome.UNKNOWN, "NOT-SOAP"),
        ("reply:" + envelope(SOAP11, "<a/><b/>").decode(), Outcome.UNKNOWN, "NOT-SOAP"),
        ("reply:" + envelope(SOAP11, "<a/>").decode(), Outcome.UNKNOWN, "OFF-CONTRACT"),
        ("fault:Client", Outcome.FAULT, "FAULT"),
        ("fault:Client/SYS-400", Outcome.FAULT, "SYS-400"),
        ("fault:Client.Data", Outcome.FAULT, "FAULT"),
        ("fault:Server", Outcome.UNKNOWN, "FAULT"),
        ("fault:Server/SYS-500", Outcome.UNKNOWN, "SYS-500"),
        ("fault:Server/SYS-503", Outcome.NOT_SENT, "SYS-503"),
        ("fault:Client/AUT-401", Outcome.NOT_SENT, "AUT-401"),
        ("fault:E9/王小明", Outcome.UNKNOWN, "FAULT"),
    ],
)
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_every_misbehaviour_has_its_meaning(partner, call, behaviour, outcome, code, version):
    partner.script.append(behaviour)
    answer = call(soap_version=version)
    assert (answer.outcome, answer.code) == (outcome, code)
    assert answer.response is None


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return "reply:" + envelope(SOAP11, text.replace(old, new)).decode()


def test_an_answer_that_breaks_the_contract_is_no_answer(partner, call):
    call()
    good = partner._yes(partner.received[0])
    for old, new in [
        ("<ChargeNo>", "<Bill>1</Bill><ChargeNo>"),
        (">CONFIRMED<", ">DONE<"),
        ("ChargeItemR", "RefundItemR"),
    ]:
        partner.script.append(changed(good, old, new))
        assert call().code == "OFF-CONTRACT"


def test_an_answer_to_another_message_is_no_answer(partner, call):
    call()
    partner.script.append(changed(partner._yes(partner.received[0]), ">GW-1<", ">GW-2<"))
    answer = call()
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "WRONG-REPLY")


def test_empty_optional_elements_in_an_answer_do_no_harm(partner, call):
    call()
    good = partner._yes(partner.received[0])
    partner.script.append(changed(good, "</TransactionState>", "</TransactionState><VisitBalance></VisitBalance>"))
    assert call().is_yes


def test_an_answer_in_gbk_is_read(partner, call):
    call()
    text = envelope(SOAP11, partner._yes(partner.received[0])).decode()
    body = ('<?xml version="1.0" encoding="GBK"?>' + text).encode("gbk")
    partner._act = lambda http, received, soap: partner._reply(http, 200, body, "text/xml; charset=GBK")
    answer = call()
    assert answer.is_yes
    assert answer.text == "成功"


# --- Time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["hang:60", "drip:0.1", "slow:60"])
def test_one_deadline_covers_everything_even_against_a_dripping_partner(partner, call, behaviour):
    partner.script.append(behaviour)
    started = time.monotonic()
    answer = call(seconds=0.6)
    assert time.monotonic() - started < 20
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "TIMEOUT")


def test_a_slow_answer_within_the_deadline_is_an_answer(partner, call):
    partner.script.append("slow:0.3")
    assert call(seconds=3).is_yes


def test_an_answer_without_end_is_given_up(partner, call, monkeypatch):
    monkeypatch.setattr(client, "LARGEST_REPLY", 500)
    answer = call()
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "TOO-LARGE")


def partners_at(url: str, **settings) -> Partners:
    partner = Partner(name="HIS", url=url, **settings)
    return Partners([partner], CONTRACT, WIRE, lambda: datetime.now(UTC))


def charge(partners: Partners, seconds: float = 30):
    return partners.call("HIS", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN), seconds)


def test_a_refused_connection_means_nothing_was_sent():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/soap"
    answer = charge(partners_at(url))
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "CONNECT")


def test_an_unknown_host_means_nothing_was_sent():
    answer = charge(partners_at("http://no-such-host.invalid/soap"))
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "DNS")


def test_a_look_up_that_takes_too_long_means_nothing_was_sent(monkeypatch):
    monkeypatch.setattr("gateway.partners.connection.socket.getaddrinfo", lambda *args: time.sleep(9))
    started = time.monotonic()
    answer = charge(partners_at("http://his.invalid/soap", connect_seconds=0.2))
    assert time.monotonic() - started < 8
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "DNS")


def test_a_name_server_that_is_silent_about_one_host_does_not_stop_the_others(partner, monkeypatch):
    real, stop = socket.getaddrinfo, threading.Event()

    def look_up(host, *rest):
        if "silent" in host:
            stop.wait(5)
        return real(host, *rest)

    monkeypatch.setattr("gateway.partners.connection.socket.getaddrinfo", look_up)
    silent = partners_at("http://silent.invalid/soap", connect_seconds=0.02)
    assert {charge(silent).code for _ in range(30)} == {"DNS"}
    assert charge(partners_at(partner.url.replace("127.0.0.1", "localhost"))).is_yes
    stop.set()


def test_a_host_that_does_not_accept_in_time_means_nothing_was_sent():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        answer = charge(partners_at(f"http://127.0.0.1:{port}/soap", connect_seconds=0.3))
        for one in waiting:
            one.close()
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "CONNECT")


def test_a_partner_without_tls_where_tls_is_expected_means_nothing_was_sent(partner):
    answer = charge(partners_at(partner.url.replace("http:", "https:")), seconds=2)
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "TLS")
    assert partner.received == []


@pytest.fixture
def tls_partner(tmp_path) -> Iterator[FakePartner]:
    """A partner with a certificate of its own, for localhost; it lies at `certificate`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=1))
    builder = builder.not_valid_after(datetime.now(UTC) + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "both.pem").write_bytes(plain_key + signed)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    fake = FakePartner(tls=context)
    fake.certificate = tmp_path / "both.pem"
    yield fake
    fake.close()
    connection._tls_context.cache_clear()


def test_a_certificate_nobody_vouches_for_is_not_accepted(tls_partner):
    connection._tls_context.cache_clear()
    answer = charge(partners_at(tls_partner.url))
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "TLS")


def test_a_certificate_the_site_trusts_is_accepted_and_the_deadline_holds(tls_partner, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_partner.certificate))
    connection._tls_context.cache_clear()
    assert charge(partners_at(tls_partner.url)).is_yes
    tls_partner.script.append("drip:0.05")
    started = time.monotonic()
    assert charge(partners_at(tls_partner.url), seconds=0.6).code == "TIMEOUT"
    assert time.monotonic() - started < 20


def test_a_message_that_does_not_fit_the_contract_is_not_sent(partner, call):
    partners = partners_at(partner.url)
    request = dataclasses.replace(sample("ChargeItem"), charge_no=None)
    answer = partners.call("HIS", "ChargeItem", request, Stamp("GW-1", ORIGIN), 5)
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "MESSAGE")
    assert partner.received == []


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://his.example/soap", "his.example"),
        ("http://[::1]:8080/soap", "[::1]:8080"),
        ("https://[::1]/soap?x=1", "[::1]"),
        ("http://10.0.0.7:81", "10.0.0.7:81"),
    ],
)
def test_every_form_of_address_reaches_its_host_and_port(url, host, monkeypatch):
    asked, sent = [], []
    monkeypatch.setattr(connection, "_open", lambda *place: asked.append(place) or Recording(sent))
    monkeypatch.setattr(connection, "_tls_context", lambda: Recording(sent))
    charge(partners_at(url))
    parts = urlsplit(url)
    assert asked == [(parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme])]
    first, _, rest = sent[0].decode().partition("\r\n")
    assert first == f"POST {url.partition(parts.netloc)[2] or '/'} HTTP/1.1"
    assert f"Host: {host}\r\n" in rest


class Recording:
    """A connection that keeps what is sent and answers nothing."""

    def __init__(self, sent: list[bytes]) -> None:
        self._sent = sent

    def wrap_socket(self, opened, **settings):
        return opened

    def sendall(self, data: bytes) -> None:
        self._sent.append(data)

    def makefile(self, *mode):
        return io.BytesIO()

    def close(self) -> None:
        pass


# --- No kind of failure is forgotten ----------------------------------------------------------------------------------


def kinds_in(module) -> list[type[BaseException]]:
    found = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    ours = [kind for kind in found if kind.__module__ == module.__name__ and not kind.__name__.startswith("_")]
    return [kind for kind in ours if not issubclass(kind, Warning)]


@pytest.mark.parametrize("kind", kinds_in(zeep.exceptions) + kinds_in(http.client) + kinds_in(ssl) + kinds_in(socket))
def test_every_exception_of_the_libraries_is_in_the_table(kind):
    assert kind in FAILURES


@pytest.mark.parametrize("kind", [*FAILURES, *kinds_in(requests.exceptions)])  # what zeep's own transport raises
def test_what_may_have_left_is_unknown_whatever_happened(kind):
    way = Exchange(0, 0, "CONNECT", has_left=True)
    assert told_as_answer(kind.__new__(kind), way).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", list(FAILURES))
def test_what_has_not_left_is_never_unknown(kind):
    way = Exchange(0, 0, "CONNECT", has_left=False)
    assert told_as_answer(kind.__new__(kind), way).outcome in (Outcome.NOT_SENT, Outcome.FAULT)


# --- Secrets and threads ----------------------------------------------------------------------------------------------


def test_nothing_of_a_message_gets_into_a_log(partner, call, caplog):
    caplog.set_level(logging.DEBUG)
    for behaviour in ("ok", "http:500", "fault:Client/SYS-400", "reply:<王𠮷祥>", "close"):
        partner.script.append(behaviour)
        call(username="GATEWAY", password="geheim")
    logged = caplog.text
    assert not [word for word in ("王𠮷祥", "geheim", "Envelope", "P0000123456") if word in logged]


def test_many_threads_may_call_one_partner_at_once(partner):
    partners, answers = partners_at(partner.url), []
    threads = [threading.Thread(target=lambda: answers.append(charge(partners))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.is_yes for answer in answers] == [True] * 16
