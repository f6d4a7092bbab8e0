"""The web server's settings: what it hides, what it refuses, and what others may hook into."""

import datetime
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.web.server import SETTINGS, GatewayServer, allow_open_files

POST = b"POST /soap HTTP/1.1\r\nHost: gateway\r\nContent-Type: text/xml\r\n"


def test_an_answer_does_not_tell_the_server_s_product_or_version(web, crowd):
    crowd.append(web.open(b"GET / HTTP/1.0\r\n\r\n"))
    answer = web.rest(crowd[0])
    assert "Server: gateway\r\n" in answer
    assert "gunicorn" not in answer


def test_a_script_name_header_changes_nothing(web):
    assert web.post(SCRIPT_NAME="/elsewhere")[0] == 200


def test_contradicting_scheme_headers_change_nothing(web):
    assert web.post(**{"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"})[0] == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Password secret\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nAuthorization secret\r\n\r\n", 400),
        (b"GET /" + b"secret" * 1000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"secret" * 2000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: secret\r\n" * 100 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nsecret", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nsecret", 400),
    ],
)
def test_what_is_not_http_is_refused_and_repeated_nowhere(web, crowd, head, status):
    crowd.append(web.open(head))
    answer = web.rest(crowd[0])
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert "secret" not in answer + web.log.read_text()


def test_two_requests_sent_at_once_are_answered_in_turn(web, crowd):
    one = POST + b"Content-Length: %d\r\n\r\n" % len(web.good) + web.good
    crowd.append(web.open(one + one.replace(b"Host", b"Connection: close\r\nHost")))
    assert web.rest(crowd[0]).count("well received") == 2


def test_a_kept_alive_connection_serves_one_request_after_the_other(web, crowd):
    crowd.append(web.open())
    for _ in range(3):
        crowd[0].sendall(POST + b"Content-Length: %d\r\n\r\n" % len(web.good))
        time.sleep(0.05)
        crowd[0].sendall(web.good)
        web.read_until(crowd[0], b"received %d" % len(web.good))


def test_a_client_that_waits_for_100_continue_gets_it(web, crowd):
    crowd.append(web.open(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(web.good)))
    web.read_until(crowd[0], b"HTTP/1.1 100 Continue\r\n\r\n")
    crowd[0].sendall(web.good)
    web.read_until(crowd[0], b"received %d" % len(web.good))


def test_the_log_holds_no_body(web):
    web.post(b"<Patient>Wang Xiaoming</Patient>")
    assert "Wang" not in web.log.read_text()


def test_a_stopped_server_ends_although_clients_are_connected(start_web, crowd):
    server = start_web(workers=1, threads=4)
    crowd += [server.open() for _ in range(5)]
    crowd.append(server.open(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"))
    server.process.terminate()
    assert server.process.wait(60) == 0


def test_others_may_hook_into_the_server():
    def child_exit(server, worker):
        """Mark the metrics of a dead process."""

    server = GatewayServer(lambda: None, {"child_exit": child_exit, "workers": 5})
    assert server.cfg.child_exit is child_exit
    assert server.cfg.workers == 5
    assert server.cfg.threads == SETTINGS["threads"]


def test_the_server_may_hold_as_many_connections_as_it_accepts():
    allow_open_files(2 * SETTINGS["worker_connections"])


@pytest.fixture
def certificate(tmp_path):
    """A key and a certificate for 127.0.0.1, in files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    signed = builder.not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (tmp_path / "certificate.pem").write_bytes(signed.public_bytes(pem))
    return {"keyfile": str(tmp_path / "key.pem"), "certfile": str(tmp_path / "certificate.pem")}


def test_silent_tls_clients_do_not_delay_a_good_one(start_web, crowd, certificate):
    server = start_web(workers=1, threads=4, head_seconds=20.0, **certificate)
    crowd += [server.open() for _ in range(20)]
    crowd += [server.open(b"\x16\x03\x01") for _ in range(3)]
    time.sleep(0.2)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    started = time.monotonic()
    with trusting.wrap_socket(socket.create_connection(("127.0.0.1", server.port), timeout=30)) as line:
        line.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(server.good) + server.good)
        server.read_until(line, b"received %d" % len(server.good))
        line.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert "well received" in server.rest(line)
    assert time.monotonic() - started < 15
