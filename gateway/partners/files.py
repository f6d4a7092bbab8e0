"""Certificates and keys in a partner's folder: read, compared, and told what is wrong with one that cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

Made = TypeVar("Made")
_Stamp = tuple[tuple[int, int, int] | None, ...]
"""When each file was last changed, how large it is and which it is; None for one that is not there."""
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_PEM = b"-----BEGIN "

_log = logging.getLogger(__name__)


class UnusableFile(Exception):
    """A file of a partner cannot be used. The text names the file and says what is wrong; nothing of its content."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}.")
        self.path = path


class FromFiles(Generic[Made]):
    """Something made from files when it is first needed, and again whenever one of them has changed: a renewed
    certificate needs no restart. While the new files cannot be used (the certificate is there and its key not yet), the
    old ones are gone on with. Any number of threads may use it."""

    def __init__(self, partner: str, paths: Iterable[Path], make: Callable[[], Made]) -> None:
        self._partner = partner
        self._paths = tuple(paths)
        self._make = make
        self._lock = Lock()
        self._stamp: _Stamp | None = None
        self._made: Made | None = None

    def __call__(self) -> Made:
        """What the files say now, or said last. Raises UnusableFile when they never could be used."""
        stamp = tuple(map(_stamp_of, self._paths))
        with self._lock:
            if self._made is None or stamp != self._stamp:
                self._made = self._read()
                self._stamp = stamp
            return self._made

    def _read(self) -> Made:
        try:
            made = self._make()
        except UnusableFile as problem:
            if self._made is None:
                raise
            _log.warning("Partner %s goes on with the certificates it had: %s", self._partner, problem)
            return self._made
        if self._made is not None:
            _log.info("The certificates of partner %s have been read again.", self._partner)
        return made


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@dataclass(frozen=True, slots=True)
class Term:
    """Until when something the gateway needs at a partner holds."""

    path: Path
    what: str
    """Our certificate, or an authority."""
    subject: str
    begins: datetime
    ends: datetime


def certificates_in(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file, in their order; our own comes first. Raises UnusableFile."""
    content = _read(path)
    if _PEM not in content:
        raise UnusableFile(path, _other_format(content, "certificate"))
    try:
        found = tuple(x509.load_pem_x509_certificates(content))
    except ValueError:
        raise UnusableFile(path, "it holds no certificate in PEM that could be read") from None
    return found


def key_in(path: Path, password: bytes | None) -> PrivateKey:
    """The private key of a PEM file. Raises UnusableFile."""
    content = _read(path)
    if b"PRIVATE KEY-----" not in content:
        raise UnusableFile(path, _other_format(content, "key"))
    encrypted = b"ENCRYPTED" in content
    try:
        key = load_pem_private_key(content, password if encrypted else None)
    except TypeError:
        raise UnusableFile(path, "the key is encrypted: its password belongs into key_password_file") from None
    except (ValueError, UnsupportedAlgorithm):
        why = "the key cannot be opened with the password of key_password_file" if encrypted else "the key is damaged"
        raise UnusableFile(path, why) from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise UnusableFile(path, "keys are RSA or of an elliptic curve; this one is neither")
    return key


def certificate_with_key(
    certificate: Path, key: Path | None, password: bytes | None
) -> tuple[x509.Certificate, PrivateKey]:
    """Our certificate and the key that belongs to it, which may stand in the same file. Raises UnusableFile."""
    ours = certificates_in(certificate)[0]
    path = key or certificate
    found = key_in(path, password)
    if _spki(found.public_key()) != _spki(ours.public_key()):
        raise UnusableFile(path, f"the key does not belong to the certificate in {certificate}")
    return ours, found


def is_open_to_all(path: Path) -> bool:
    """Whether every user of this machine may read it."""
    try:
        return bool(path.stat().st_mode & 0o004)
    except OSError:
        return False


def terms_of(path: Path, what: str, certificates: tuple[x509.Certificate, ...]) -> Iterator[Term]:
    """Until when they hold; of several for one name the one that holds longest, for the others are being replaced."""
    longest: dict[bytes, x509.Certificate] = {}
    for one in certificates:
        name = one.subject.public_bytes()
        if name not in longest or longest[name].not_valid_after_utc < one.not_valid_after_utc:
            longest[name] = one
    for one in longest.values():
        yield Term(path, what, _shown(one.subject), one.not_valid_before_utc, one.not_valid_after_utc)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise UnusableFile(path, f"it cannot be read: {problem.strerror}") from None


def _other_format(content: bytes, wanted: str) -> str:
    """What to do with a file that is not what it should be; those of other systems come in these forms."""
    if wanted == "key" and _PEM in content:
        return "it holds no private key"
    if not content.strip():
        return "it is empty"
    if content[:1] != b"\x30":
        return f"it holds no {wanted} in PEM"
    if wanted == "certificate" and _is_der(content):
        return "it is DER, PEM is needed: openssl x509 -inform DER -in IT -out NEW.pem"
    return "it is binary, perhaps PKCS#12; PEM is needed: openssl pkcs12 -in IT -out NEW.pem"


def _is_der(content: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(content)
    except ValueError:
        return False
    return True


def _spki(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]


def _shown(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()
