"""Authorities and certificates made for a test."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.partners.connection import VERIFY_FLAGS

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, as files."""

    certificate: Path
    key: Path
    made: x509.Certificate
    private: Key


class Authority:
    """Signs certificates; `file` is what those who trust it need."""

    def __init__(
        self, folder: Path, name: str = "Hospital CA", days: int = 3650, *, under: Authority | None = None
    ) -> None:
        self._folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        above = under or self
        builder = _builder(self.name, above.name, self.key, days)
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        self.certificate = builder.sign(above.key, hashes.SHA256())
        self.file = folder / f"{name.replace(' ', '-').lower()}.pem"
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def issue(
        self, name: str = "localhost", days: int = 365, *, password: str = "", key: Key | None = None, file: str = ""
    ) -> Issued:
        """A certificate for a host or client, good until `days` from now."""
        private = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        alternative: x509.GeneralName = x509.DNSName(name)
        if name[0].isdigit():
            alternative = x509.IPAddress(ipaddress.ip_address(name))
        builder = _builder(subject, self.name, private, days)
        builder = builder.add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        made = builder.sign(self.key, hashes.SHA256())
        where = self._folder / (file or name)
        issued = Issued(where.with_suffix(".pem"), where.with_suffix(".key"), made, private)
        issued.certificate.write_bytes(made.public_bytes(Encoding.PEM))
        issued.key.touch(0o600)
        issued.key.chmod(0o600)
        issued.key.write_bytes(pem_of(private, password))
        return issued


def pem_of(key: Key, password: str = "") -> bytes:
    """A private key as a file holds it."""
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def server_context(issued: Issued, clients: Authority | None = None) -> ssl.SSLContext:
    """A partner's end of TLS; with `clients` only who has a certificate of theirs is let in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.file)
    return context


def client_context(authority: Path) -> ssl.SSLContext:
    """A client's end of TLS, with the same demands in every Python as the gateway has."""
    context = ssl.create_default_context(cafile=str(authority))
    context.verify_flags = VERIFY_FLAGS
    return context


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(days=400)).not_valid_after(now + timedelta(days=days))
