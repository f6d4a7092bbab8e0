"""Signs an envelope with the gateway's certificate (WS-Security 1.0, X.509 token profile).

The body, and the Timestamp where there is one, are signed; the certificate goes along as BinarySecurityToken. Exclusive
canonicalisation is libxml2's; the steps around it are few, and doing them here spares the site a C library.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from gateway.partners.files import PrivateKey

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
X509V3 = f"{_PROFILE}x509-token-profile-1.0#X509v3"
BASE64 = f"{_PROFILE}soap-message-security-1.0#Base64Binary"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"

Algorithm = Literal["sha256", "sha1"]
"""sha1 is for partners whose software knows nothing newer."""
_DIGESTS = {"sha256": "http://www.w3.org/2001/04/xmlenc#sha256", "sha1": f"{DSIG}sha1"}
_SIGNATURES = {
    ("rsa", "sha256"): "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    ("rsa", "sha1"): f"{DSIG}rsa-sha1",
    ("ec", "sha256"): "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    ("ec", "sha1"): "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
}
_HASHES: dict[Algorithm, hashes.HashAlgorithm] = {"sha256": hashes.SHA256(), "sha1": hashes.SHA1()}  # noqa: S303
_LIFETIME = timedelta(minutes=5)


def security_header(envelope: etree._Element) -> etree._Element:
    """The wsse:Security block of an envelope, made where there is none."""
    soap = etree.QName(envelope).namespace
    header = envelope.find(f"{{{soap}}}Header")
    if header is None:
        header = etree.Element(f"{{{soap}}}Header")
        envelope.insert(0, header)
    found = header.find(f"{{{WSSE}}}Security")
    if found is None:
        found = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})
    return found


def add_timestamp(envelope: etree._Element, now: datetime) -> etree._Element:
    """Say when the message was made, and until when it counts; `now` is UTC."""
    stamp = etree.SubElement(security_header(envelope), f"{{{WSU}}}Timestamp")
    for name, at in (("Created", now), ("Expires", now + _LIFETIME)):
        etree.SubElement(stamp, f"{{{WSU}}}{name}").text = written(at)
    return stamp


def written(at: datetime) -> str:
    """A moment of UTC as xs:dateTime, to the millisecond."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def sign(
    envelope: etree._Element,
    certificate: x509.Certificate,
    key: PrivateKey,
    *,
    timestamp: etree._Element | None = None,
    algorithm: Algorithm = "sha256",
) -> None:
    """Sign an envelope. Nothing of what is signed may be changed afterwards, white space neither."""
    security = security_header(envelope)
    body = envelope.find(f"{{{etree.QName(envelope).namespace}}}Body")
    assert body is not None
    token = etree.Element(f"{{{WSSE}}}BinarySecurityToken", EncodingType=BASE64, ValueType=X509V3)
    token.text = b64encode(certificate.public_bytes(Encoding.DER)).decode()
    token_id = _identified(token)
    security.insert(0, token)
    parts = [body] if timestamp is None else [timestamp, body]
    names = [_identified(part) for part in parts]
    signature = etree.SubElement(security, f"{{{DSIG}}}Signature", nsmap={"ds": DSIG})
    signed = _signed_info(signature, key, algorithm)
    for part, name in zip(parts, names, strict=True):
        _reference(signed, part, name, algorithm)
    value = _signature_of(_canonical(signed), key, _HASHES[algorithm])
    etree.SubElement(signature, f"{{{DSIG}}}SignatureValue").text = b64encode(value).decode()
    key_info = etree.SubElement(signature, f"{{{DSIG}}}KeyInfo")
    reference = etree.SubElement(key_info, f"{{{WSSE}}}SecurityTokenReference")
    etree.SubElement(reference, f"{{{WSSE}}}Reference", URI=f"#{token_id}", ValueType=X509V3)


def _identified(element: etree._Element) -> str:
    name = f"id-{secrets.token_hex(12)}"
    element.set(f"{{{WSU}}}Id", name)
    return name


def _signed_info(signature: etree._Element, key: PrivateKey, algorithm: Algorithm) -> etree._Element:
    info = etree.SubElement(signature, f"{{{DSIG}}}SignedInfo")
    etree.SubElement(info, f"{{{DSIG}}}CanonicalizationMethod", Algorithm=C14N)
    kind = "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ec"
    etree.SubElement(info, f"{{{DSIG}}}SignatureMethod", Algorithm=_SIGNATURES[kind, algorithm])
    return info


def _reference(info: etree._Element, part: etree._Element, name: str, algorithm: Algorithm) -> None:
    reference = etree.SubElement(info, f"{{{DSIG}}}Reference", URI=f"#{name}")
    transforms = etree.SubElement(reference, f"{{{DSIG}}}Transforms")
    etree.SubElement(transforms, f"{{{DSIG}}}Transform", Algorithm=C14N)
    etree.SubElement(reference, f"{{{DSIG}}}DigestMethod", Algorithm=_DIGESTS[algorithm])
    digest = hashes.Hash(_HASHES[algorithm])
    digest.update(_canonical(part))
    etree.SubElement(reference, f"{{{DSIG}}}DigestValue").text = b64encode(digest.finalize()).decode()


def _canonical(element: etree._Element) -> bytes:
    return bytes(etree.tostring(element, method="c14n", exclusive=True, with_comments=False))


def _signature_of(content: bytes, key: PrivateKey, algorithm: hashes.HashAlgorithm) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), algorithm)
    size = (key.key_size + 7) // 8
    pair = decode_dss_signature(key.sign(content, ec.ECDSA(algorithm)))
    return b"".join(number.to_bytes(size, "big") for number in pair)  # as XML signatures write it, not as OpenSSL does
