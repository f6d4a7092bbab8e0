"""The encrypted connection to one partner: whom the gateway trusts there, and by which certificate it proves itself."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from gateway.file_secret import FileSecret
from gateway.partner_config import Partner
from gateway.partner_security import Tls
from gateway.partners.connection import VERIFY_FLAGS, TlsSource
from gateway.partners.files import (
    FromFiles,
    Term,
    UnusableFile,
    certificate_with_key,
    certificates_in,
    is_open_to_all,
    terms_of,
)

OLD = frozenset({"1.0", "1.1"})
_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_OLD_CIPHERS = "DEFAULT:@SECLEVEL=0"
"""What systems of twenty years ago offer: short keys, SHA-1, no forward secrecy."""
_LEGACY_SERVER_CONNECT = 0x4
"""ssl.OP_LEGACY_SERVER_CONNECT, which Python 3.11 has no name for: servers without secure renegotiation."""


def tls_of(partner: Partner) -> TlsSource | None:
    """What a partner's connections are encrypted by; None for the usual, which partners share."""
    if partner.tls == Tls():
        return None
    return FromFiles(partner.name, _paths(partner), lambda: make_context(partner))


def make_context(partner: Partner) -> ssl.SSLContext:
    """What one partner's partner.toml asks for. Raises UnusableFile."""
    tls = partner.tls
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags = VERIFY_FLAGS
    context.check_hostname = tls.check_name
    _allow_versions(context, tls)
    if tls.ca_file is None:
        context.load_default_certs()
    else:
        authorities = certificates_in(partner.path(tls.ca_file))
        context.load_verify_locations(cadata=b"".join(one.public_bytes(Encoding.DER) for one in authorities))
    if tls.certificate_file is not None:
        _prove_ourselves(context, partner)
    return context


def tls_terms(partner: Partner) -> Iterator[Term]:
    """Until when what is needed for its TLS holds. Raises UnusableFile for what cannot be used."""
    tls = partner.tls
    if tls.certificate_file is not None:
        path = partner.path(tls.certificate_file)
        certificate_with_key(path, *_key(partner))
        yield from terms_of(path, "our certificate", certificates_in(path))
    if tls.ca_file is not None:
        path = partner.path(tls.ca_file)
        yield from terms_of(path, "authority", certificates_in(path))


def tls_warnings(partner: Partner) -> list[str]:
    """What its partner.toml has made weaker than usual, for everybody to see."""
    tls, found = partner.tls, []
    if not tls.check_name:
        found.append("tls.check_name is off: any certificate its authority has signed is taken for the partner's")
    if tls.oldest in OLD:
        found.append(f"tls.oldest is {tls.oldest}: old versions and ciphers can be read by others")
    if partner.url.scheme not in ("https", "mllps") and tls != Tls():
        found.append("[tls] has no effect, because its address is not one of TLS (https)")
    key = tls.key_file or tls.certificate_file
    if key is not None and is_open_to_all(partner.path(key)):
        found.append(f"{key} holds our key and can be read by every user of this machine (chmod 600)")
    return found


def _allow_versions(context: ssl.SSLContext, tls: Tls) -> None:
    with warnings.catch_warnings():  # Python warns of the very thing that is asked for
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[tls.oldest]
    if tls.oldest in OLD:
        context.set_ciphers(_OLD_CIPHERS)
        context.options |= _LEGACY_SERVER_CONNECT


def _prove_ourselves(context: ssl.SSLContext, partner: Partner) -> None:
    assert partner.tls.certificate_file is not None
    certificate = partner.path(partner.tls.certificate_file)
    key, password = _key(partner)
    certificate_with_key(certificate, key, password)  # says what is wrong better than OpenSSL
    try:
        context.load_cert_chain(certificate, key, password or "")
    except (OSError, ValueError):
        raise UnusableFile(certificate, "OpenSSL refuses the certificate or its key") from None


def _key(partner: Partner) -> tuple[Path | None, bytes | None]:
    tls = partner.tls
    password = tls.key_password.get_secret_value().encode() if tls.key_password else None
    return (partner.path(tls.key_file) if tls.key_file else None), password


def _paths(partner: Partner) -> Iterator[Path]:
    tls = partner.tls
    if isinstance(tls.key_password, FileSecret):
        yield tls.key_password.path
    yield from (partner.path(name) for name in (tls.ca_file, tls.certificate_file, tls.key_file) if name is not None)
