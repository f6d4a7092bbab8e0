"""Envelopes signed by the gateway are verified by a library that has nothing to do with it."""

from base64 import b64decode
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml import DigestAlgorithm, SignatureMethod, XMLVerifier
from signxml.exceptions import InvalidDigest, InvalidSignature
from signxml.verifier import SignatureConfiguration

from gateway.partners.signature import WSSE, WSU, add_timestamp, sign
from tests.partners.certificates import Authority, Issued

MORNING = datetime(2026, 11, 28, 1, 2, 3, 456789, UTC)
SOAP11, SOAP12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"


def envelope(soap: str = SOAP11) -> etree._Element:
    """With all that makes canonical forms differ: spaces, prefixes in values, unused ones, comments, rare letters."""
    return etree.fromstring(
        f'<s:Envelope xmlns:s="{soap}" xmlns:unused="urn:unused" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xmlns:xs="http://www.w3.org/2001/XMLSchema">\n  <s:Body >\n'
        '<t:Do xmlns:t="http://tempuri.org/" b="2" a=\'1\'><!-- nothing --><name xmlns="">𠮷&amp;䶮&#13;</name>'
        '<t:v xsi:type="xs:string"> x </t:v><t:empty/></t:Do> </s:Body> \n</s:Envelope>'
    )


def read_as_sent(signed: etree._Element) -> etree._Element:
    return etree.fromstring(etree.tostring(signed, xml_declaration=True, encoding="utf-8"))


def verified(signed: etree._Element, issued: Issued, references: int = 1) -> list[str]:
    """The names of what the signature covers. Raises what signxml raises."""
    weak = {SignatureMethod.RSA_SHA1, SignatureMethod.ECDSA_SHA1}
    wanted = SignatureConfiguration(
        expect_references=references,
        signature_methods=frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.ECDSA_SHA256} | weak),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA1}),
    )
    found = XMLVerifier().verify(
        signed, x509_cert=issued.made, id_attribute="Id", expect_config=wanted, validate_schema=False
    )
    return [etree.QName(one.signed_xml).localname for one in (found if isinstance(found, list) else [found])]


def keys():
    return {
        "RSA": lambda: rsa.generate_private_key(65537, 2048),
        "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    }


@pytest.mark.parametrize("soap", [SOAP11, SOAP12], ids=["1.1", "1.2"])
@pytest.mark.parametrize("kind", keys())
@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_a_signed_body_is_verified_by_others(tmp_path, kind, algorithm, soap):
    issued = Authority(tmp_path).issue("gateway", key=keys()[kind]())
    signed = envelope(soap)
    sign(signed, issued.made, issued.private, algorithm=algorithm)
    assert verified(read_as_sent(signed), issued) == ["Body"]


def test_the_timestamp_is_signed_too(tmp_path):
    issued = Authority(tmp_path).issue("gateway")
    signed = envelope()
    sign(signed, issued.made, issued.private, timestamp=add_timestamp(signed, MORNING))
    sent = read_as_sent(signed)
    assert verified(sent, issued, 2) == ["Timestamp", "Body"]
    stamp = sent.find(f".//{{{WSU}}}Timestamp")
    assert [child.text for child in stamp] == ["2026-11-28T01:02:03.456Z", "2026-11-28T01:07:03.456Z"]


def test_the_certificate_goes_along_and_stands_before_the_signature_that_needs_it(tmp_path):
    issued = Authority(tmp_path).issue("gateway")
    signed = envelope()
    sign(signed, issued.made, issued.private, timestamp=add_timestamp(signed, MORNING))
    security = read_as_sent(signed).find(f".//{{{WSSE}}}Security")
    assert [etree.QName(child).localname for child in security] == ["BinarySecurityToken", "Timestamp", "Signature"]
    token, reference = security[0], security.find(f".//{{{WSSE}}}Reference")
    assert reference.get("URI") == "#" + token.get(f"{{{WSU}}}Id")
    assert b64decode(token.text) == issued.made.public_bytes(Encoding.DER)


@pytest.mark.parametrize("change", ["text", "attribute", "time"])
def test_whoever_changes_a_signed_message_is_found_out(tmp_path, change):
    issued = Authority(tmp_path).issue("gateway")
    signed = envelope()
    sign(signed, issued.made, issued.private, timestamp=add_timestamp(signed, MORNING))
    sent = read_as_sent(signed)
    if change == "text":
        sent.find(".//name").text = "another"
    elif change == "attribute":
        sent.find(".//{http://tempuri.org/}Do").set("a", "3")
    else:
        sent.find(f".//{{{WSU}}}Expires").text = "2036-11-28T01:07:03.456Z"
    with pytest.raises((InvalidDigest, InvalidSignature)):
        verified(sent, issued, 2)


def test_a_signature_of_another_key_is_found_out(tmp_path):
    authority = Authority(tmp_path)
    signed = envelope()
    ours, foreign = authority.issue("gateway"), authority.issue("thief")
    sign(signed, ours.made, foreign.private)
    with pytest.raises(InvalidSignature):
        verified(read_as_sent(signed), ours)
