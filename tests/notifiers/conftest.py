"""Receivers of notices, a late critical value, and a certificate for a mail server."""

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import Engine

from building import ct_requisition, push
from emptying import clear
from gateway.notifiers.notice import Notice
from hospital import Hospital
from tests.notifiers.receivers import WebReceiver

NOTICE = Notice(
    notice="GW-N7",
    hospital_code="44643245-7",
    critical_id="WJZ1",
    sender="PACS",
    source="放射",
    stage="RECEIVE",
    level=1,
    receivers=("W2001",),
    department="2001",
    ward="W2001",
    bed="加12",
    due_at=datetime.datetime(2026, 11, 16, 2, 10, tzinfo=datetime.UTC),
    late_minutes=2.5,
    text="危急值未接收，已超时2.5分钟",
)


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    receiver = WebReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def ward(engine: Engine) -> Hospital:
    """A hospital where WJZ1 was pushed at ten."""
    clear(engine)
    hospital = Hospital(engine)
    hospital.send(ct_requisition())
    hospital.send(push())
    return hospital


@pytest.fixture
def mail_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The certificate of a mail server at 127.0.0.1, which this site trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "mail.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
