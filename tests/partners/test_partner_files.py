"""What is wrong with a certificate or key is said in words an administrator can act on."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

from gateway.partners.files import (
    FromFiles,
    UnusableFile,
    certificate_with_key,
    certificates_in,
    key_in,
    terms_of,
)
from tests.partners.certificates import Authority, pem_of


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path)


def refusal(read, *arguments) -> str:
    with pytest.raises(UnusableFile) as told:
        read(*arguments)
    return str(told.value)


def file(folder: Path, content: bytes) -> Path:
    (folder / "given").write_bytes(content)
    return folder / "given"


def test_a_certificate_and_its_key_are_read_from_two_files_or_one(authority, tmp_path):
    issued = authority.issue("gateway")
    both = file(tmp_path, issued.certificate.read_bytes() + issued.key.read_bytes())
    assert certificate_with_key(issued.certificate, issued.key, None)[0] == issued.made
    assert certificate_with_key(both, None, None)[0] == issued.made


def test_an_encrypted_key_needs_its_password(authority):
    issued = authority.issue("gateway", password="s3cret-phrase")
    assert key_in(issued.key, b"s3cret-phrase").private_numbers() == issued.private.private_numbers()
    without, wrong = refusal(key_in, issued.key, None), refusal(key_in, issued.key, b"wrong-phrase")
    assert without.endswith("gateway.key: the key is encrypted: its password belongs into key_password_file.")
    assert wrong.endswith("gateway.key: the key cannot be opened with the password of key_password_file.")
    assert "phrase" not in without + wrong


def test_a_password_for_a_key_without_one_does_no_harm(authority):
    assert key_in(authority.issue("gateway").key, b"not needed")


def test_an_old_rsa_key_is_read(tmp_path):
    key = rsa.generate_private_key(65537, 2048)
    old = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert key_in(file(tmp_path, old), None).private_numbers() == key.private_numbers()


def test_the_key_of_another_certificate_is_found_out(authority):
    ours, other = authority.issue("gateway"), authority.issue("other")
    said = refusal(certificate_with_key, ours.certificate, other.key, None)
    assert re.search(r"other\.key: the key does not belong to the certificate in .*gateway\.pem\.$", said)


def test_files_in_other_forms_are_told_with_what_to_do(authority, tmp_path):
    issued = authority.issue("gateway")
    der = issued.made.public_bytes(Encoding.DER)
    bundle = pkcs12.serialize_key_and_certificates(b"gw", issued.private, issued.made, None, NoEncryption())
    assert "it is DER, PEM is needed: openssl x509 -inform DER" in refusal(certificates_in, file(tmp_path, der))
    assert "openssl pkcs12" in refusal(certificates_in, file(tmp_path, bundle))
    assert "openssl pkcs12" in refusal(key_in, file(tmp_path, bundle), None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"hello", "it holds no certificate in PEM"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "it holds no certificate in PEM that could",
        ),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", "it holds no certificate in PEM that could be read"),
    ],
)
def test_a_certificate_that_is_none_is_told(tmp_path, content, said):
    assert said in refusal(certificates_in, file(tmp_path, content))


def test_a_key_that_is_none_is_told(authority, tmp_path):
    assert "it holds no private key" in refusal(key_in, authority.issue("gateway").certificate, None)
    damaged = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    assert "the key is damaged" in refusal(key_in, file(tmp_path, damaged), None)
    odd = ed25519.Ed25519PrivateKey.generate()
    assert "RSA or of an elliptic curve" in refusal(key_in, file(tmp_path, pem_of(odd)), None)


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert refusal(certificates_in, tmp_path / "no.pem") == f"{tmp_path}/no.pem: it cannot be read: {NO_FILE}."


NO_FILE = "No such file or directory"


def test_of_several_authorities_of_one_name_the_one_counts_that_holds_longest(authority, tmp_path):
    old, other = Authority(tmp_path, days=-5), Authority(tmp_path, "City CA", days=20)
    every = (old.certificate, authority.certificate, other.certificate)
    found = list(terms_of(Path("ca.pem"), "authority", every))
    assert [(one.subject, one.ends) for one in found] == [
        ("Hospital CA", authority.certificate.not_valid_after_utc),
        ("City CA", other.certificate.not_valid_after_utc),
    ]


def test_files_are_read_again_when_they_change_and_the_old_are_used_while_the_new_are_no_good(tmp_path, caplog):
    path = file(tmp_path, b"one")
    read = []

    def make() -> bytes:
        read.append(path.read_bytes())
        if read[-1] == b"bad":
            raise UnusableFile(path, "it is bad")
        return read[-1]

    kept = FromFiles("HIS", [path], make)
    assert [kept(), kept()] == [b"one"] * 2
    path.write_bytes(b"bad")
    assert [kept(), kept()] == [b"one"] * 2
    path.write_bytes(b"three")
    assert [kept(), kept()] == [b"three"] * 2
    assert read == [b"one", b"bad", b"three"]
    assert "Partner HIS goes on with the certificates it had: " in caplog.text


def test_files_that_never_could_be_used_are_tried_again_each_time(tmp_path):
    kept = FromFiles("HIS", [tmp_path / "given"], lambda: certificates_in(tmp_path / "given"))
    assert "cannot be read" in refusal(kept)
    file(tmp_path, Authority(tmp_path).file.read_bytes())
    assert len(kept()) == 1
