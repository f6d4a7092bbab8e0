"""A partner's password follows its file."""

from pathlib import Path

import pytest

from gateway.config import ConfigurationError, load_settings
from gateway.file_secret import FileSecret
from gateway.partner_config import Partner


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "password"
    path.write_text("one\n")
    return path


def test_a_changed_password_is_used_without_a_restart(file):
    partner = Partner(name="HIS", url="http://his/", username="gw", password=FileSecret(file))
    assert partner.password.get_secret_value() == "one"
    file.write_text("second\n")
    assert partner.password.get_secret_value() == "second"


@pytest.mark.parametrize("spoil", ["", "two\nlines", None, b"\xff\xfe\xfd"])
def test_the_last_good_one_counts_while_the_file_is_no_good(file, spoil):
    secret = FileSecret(file)
    if spoil is None:
        file.unlink()
    else:
        file.write_bytes(spoil if isinstance(spoil, bytes) else spoil.encode())
    assert secret.get_secret_value() == "one"
    file.write_text("three")
    assert secret.get_secret_value() == "three"


def test_it_is_not_shown(file):
    assert "one" not in repr(FileSecret(file)) + str(FileSecret(file))


def test_the_settings_read_secrets_so(file, tmp_path):
    folder = tmp_path / "partners" / "HIS"
    folder.mkdir(parents=True)
    (tmp_path / "gateway.toml").write_text('hospital_code = "H1"\n')
    lines = f'url = "http://his/"\nusername = "gw"\npassword_file = "{file}"\n'
    (folder / "partner.toml").write_text(lines + '[auth]\nsecret_files = {key = "key.txt"}\n')
    (folder / "key.txt").write_text("k1")
    (partner,) = load_settings(tmp_path).partners
    file.write_text("changed")
    (folder / "key.txt").write_text("k2-new")
    found = partner.password, partner.auth.secrets["key"]
    assert [secret.get_secret_value() for secret in found] == ["changed", "k2-new"]
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="password_file is no text in UTF-8"):
        load_settings(tmp_path)
