"""`gateway partner`: who is configured, and what is wrong with the way to one of them."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from at_the_terminal import Command
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.contract import Contract
from gateway.documents import Documents
from tests.partners.certificates import Authority, server_context

Wrap = Callable[[socket.socket], socket.socket]
WSDL = Documents(Contract(), "http://his.example.org/soap").wsdl("wsdl") or b""


@contextmanager
def answering(status: int, content: bytes, wrap: Wrap | None = None) -> Iterator[int]:
    """A web server that always answers the same."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if wrap:
        server.socket = wrap(server.socket)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def partner(site: Path, address: str, more: str = "") -> None:
    (site / "partners" / "HIS" / "partner.toml").write_text(f'url = "{address}"\n{more}')


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody trusts unless told to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "his")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "certificate.pem", folder / "key.pem"


def test_partners_are_listed_with_what_is_routed_to_them(gateway: Command, empty_site: Path):
    partner(empty_site, "http://user:hidden@his.example.org/soap?token=hidden")
    with (empty_site / "gateway.toml").open("a") as file:
        file.write('[[routes]]\noperation = "ReportStatus"\npartners = ["HIS"]\n')
    said = gateway("partner", "list")
    assert said.code == 0
    assert said.out.splitlines()[1].split() == [
        "HIS",
        "http://his.example.org/soap",
        "1.1",
        "canonical",
        "HIS",
        "ReportStatus",
    ]


def test_a_partner_that_answers_shows_its_operations(gateway: Command, empty_site: Path):
    with answering(200, WSDL) as port:
        partner(empty_site, f"http://127.0.0.1:{port}/soap")
        said = gateway("partner", "ping", "HIS")
    assert (said.code, said.err) == (0, "")
    assert f"127.0.0.1:{port} accepts connections" in said.out
    assert "SubmitRequisition" in said.out


def test_a_partner_with_tls_shows_until_when_its_certificate_is_valid(
    gateway: Command, empty_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    certificate, key = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with answering(200, WSDL, lambda plain: context.wrap_socket(plain, server_side=True)) as port:
        partner(empty_site, f"https://127.0.0.1:{port}/soap")
        told = gateway("partner", "ping", "HIS").mistake
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        said = gateway("partner", "ping", "HIS")
    assert told == "HIS accepts connections, but TLS fails: self-signed certificate."
    assert said.code == 0
    assert "certificate valid until" in said.out


@pytest.mark.parametrize(
    ("status", "content", "told"),
    [
        (404, b"", "gives no WSDL at http://127.0.0.1"),
        (500, b"<x/>", "?wsdl: HTTP 500"),
        (200, b"<html/>", "is no WSDL"),
        (200, b"not even XML", "is no WSDL"),
        (200, b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "is no WSDL"),
    ],
)
def test_an_answer_that_is_no_wsdl_is_named(gateway: Command, empty_site: Path, status: int, content: bytes, told: str):
    with answering(status, content) as port:
        partner(empty_site, f"http://127.0.0.1:{port}/soap")
        said = gateway("partner", "ping", "HIS")
    assert said.code == 1
    assert told in said.mistake


def test_a_partner_where_nothing_listens_is_named(gateway: Command, empty_site: Path):
    partner(empty_site, "http://127.0.0.1:1/soap")
    assert gateway("partner", "ping", "HIS").mistake == "HIS cannot be reached at 127.0.0.1:1: nothing listens there."


def test_a_partner_whose_name_nobody_knows_is_named(gateway: Command, empty_site: Path):
    partner(empty_site, "http://his.invalid/soap")
    assert "cannot be reached at his.invalid:80: its host name is unknown." in gateway("partner", "ping", "HIS").mistake


def test_a_partner_that_accepts_and_says_nothing_is_given_up(gateway: Command, empty_site: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        partner(empty_site, f"http://127.0.0.1:{silent.getsockname()[1]}/soap", "total_seconds = 0.3")
        told = gateway("partner", "ping", "HIS").mistake
    assert told == "HIS accepts connections, but does not answer HTTP: it does not answer in time."


def test_a_partner_that_does_not_exist_is_answered_with_the_known_ones(gateway: Command, empty_site: Path):
    partner(empty_site, "http://his/soap")
    said = gateway("partner", "ping", "LIS")
    assert (said.code, said.mistake) == (2, "There is no partner LIS; known are: HIS.")


def test_an_insurance_platform_is_not_asked_for_a_wsdl(gateway: Command, site: Path):
    more = 'dialect = "insurance"\n[insurance]\nfixmedins_code = "H1"\nmdtrtarea_admvs = "440100"\n'
    with answering(405, b"") as port:
        partner(site, f"http://127.0.0.1:{port}/fsi/api", more)
        said = gateway("partner", "ping", "HIS")
    assert said.code == 0
    assert "answers 405" in said.out.splitlines()[-1]


# --- TLS and credentials of its own -----------------------------------------------------------------------------------


def test_ping_uses_the_authority_and_certificate_of_the_folder(gateway: Command, empty_site: Path):
    folder = empty_site / "partners" / "HIS"
    authority = Authority(folder)
    context = server_context(authority.issue("127.0.0.1", file="server"), authority)
    authority.issue("gateway")
    files = '[tls]\nca_file = "hospital-ca.pem"\n'
    ours = 'certificate_file = "gateway.pem"\nkey_file = "gateway.key"\n'
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with answering(200, WSDL, lambda plain: context.wrap_socket(plain, server_side=True)) as port:
        partner(empty_site, f"https://127.0.0.1:{port}/soap", files)
        missing = gateway("partner", "ping", "HIS").mistake
        partner(empty_site, f"https://127.0.0.1:{port}/soap", files + ours)
        said = gateway("partner", "ping", "HIS")
    assert missing.startswith("HIS accepts connections, but TLS fails: ")
    assert (said.code, said.err) == (0, "")
    assert "certificate valid until" in said.out


def test_ping_and_list_warn_when_the_name_is_not_checked(gateway: Command, empty_site: Path):
    folder = empty_site / "partners" / "HIS"
    context = server_context(Authority(folder).issue("another.name"))
    with answering(200, WSDL, lambda plain: context.wrap_socket(plain, server_side=True)) as port:
        address, tls = f"https://127.0.0.1:{port}/soap", '[tls]\nca_file = "hospital-ca.pem"\n'
        partner(empty_site, address, tls)
        refused = gateway("partner", "ping", "HIS").mistake
        partner(empty_site, address, tls + "check_name = false\n")
        pinged, listed = gateway("partner", "ping", "HIS"), gateway("partner", "list")
    assert "certificate is not valid for" in refused
    assert (pinged.code, listed.code) == (0, 0)
    warning = "HIS: tls.check_name is off: any certificate its authority has signed is taken for the partner's.\n"
    assert (pinged.err, listed.err) == (warning, warning)


def test_ping_and_list_name_a_file_that_cannot_be_used(gateway: Command, empty_site: Path):
    partner(empty_site, "https://127.0.0.1:1/soap", '[tls]\nca_file = "none.pem"\n')
    assert "none.pem: it cannot be read: No such file or directory." in gateway("partner", "list").err


def test_no_secret_of_a_partner_is_listed_or_pinged(gateway: Command, empty_site: Path):
    (empty_site / "partners" / "HIS" / "key.txt").write_text("hidden")
    auth = 'username = "gw"\npassword = "hidden"\n[auth]\n'
    auth += 'http_headers = {X-Key = "{key}"}\nsecret_files = {key = "key.txt"}\n'
    with answering(401, b"hidden") as port:
        partner(empty_site, f"http://127.0.0.1:{port}/soap", auth)
        said = [gateway("partner", "list"), gateway("partner", "ping", "HIS")]
    assert "hidden" not in "".join(one.out + one.err for one in said)
