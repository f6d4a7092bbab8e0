"""The key file, and what is encrypted with it."""

import os
import stat

import pytest
from cryptography.fernet import Fernet

from gateway.security.secrets import KeyFileError, Secrets, SecretUnreadable, add_key, create_key_file


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "keys"
    create_key_file(path)
    return path


def write(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_new_key_file_is_its_owners_alone_and_can_be_used(key_file):
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    secrets = Secrets.from_file(key_file)
    token = secrets.encrypt("密码")
    assert "密码".encode() not in token
    assert secrets.decrypt(token) == "密码"


def test_a_key_file_is_never_overwritten(key_file):
    before = key_file.read_text()
    with pytest.raises(KeyFileError, match="exists already"):
        create_key_file(key_file)
    assert key_file.read_text() == before


def test_an_added_key_is_used_for_new_secrets_and_old_ones_stay_readable(key_file):
    old = Secrets.from_file(key_file)
    token = old.encrypt("secret")
    key_file.chmod(0o640)
    add_key(key_file)
    new = Secrets.from_file(key_file)
    assert new.decrypt(token) == "secret"
    with pytest.raises(SecretUnreadable):
        old.decrypt(new.encrypt("secret"))
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o640
    assert os.listdir(key_file.parent) == ["keys"]


def test_a_renewed_secret_no_longer_needs_the_old_key():
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    token = Secrets([old]).encrypt("secret")
    assert Secrets([new]).decrypt(Secrets([new, old]).renew(token)) == "secret"
    with pytest.raises(SecretUnreadable):
        Secrets([new]).renew(token)


def test_notes_and_empty_lines_in_a_key_file_are_for_people(tmp_path):
    key = Fernet.generate_key().decode()
    secrets = Secrets.from_file(write(tmp_path / "keys", f"\n  # made by Li\n\n  {key}  \r\n"))
    assert Secrets.from_file(write(tmp_path / "plain", key)).decrypt(secrets.encrypt("a secret")) == "a secret"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no key"),
        ("# nothing\n", "holds no key"),
        ("c2VjcmV0\n", "Line 1 of the key file"),
        ("# note\nnot base64!\n", "Line 2 of the key file"),
        ("密钥", "not a text file with keys"),
    ],
)
def test_a_bad_key_file_is_told_in_one_sentence_that_does_not_show_it(tmp_path, text, said):
    with pytest.raises(KeyFileError, match=said) as refusal:
        Secrets.from_file(write(tmp_path / "keys", text))
    assert str(refusal.value).count("\n") == 0
    assert "c2VjcmV0" not in str(refusal.value)


def test_a_missing_key_file_is_told_in_one_sentence(tmp_path):
    for use in (Secrets.from_file, add_key):
        with pytest.raises(KeyFileError, match="cannot be read: No such file"):
            use(tmp_path / "keys")


def test_a_key_file_that_cannot_be_made_is_told_in_one_sentence(tmp_path):
    with pytest.raises(KeyFileError, match="cannot be written: No such file"):
        create_key_file(tmp_path / "nowhere" / "keys")


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o644])
def test_a_key_file_that_others_can_read_or_change_is_refused(key_file, mode):
    key_file.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Secrets.from_file(key_file)
