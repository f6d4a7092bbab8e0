"""How passwords are made and checked."""

from gateway.security.passwords import generate_password, hash_password, password_is_acceptable, password_matches


def test_generated_passwords_differ_and_are_good_for_every_use():
    passwords = {generate_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(password_is_acceptable(password, for_digest=True) for password in passwords)


def test_a_password_is_checked_against_an_argon2id_hash():
    password_hash = hash_password("正确的密码")
    assert password_hash.startswith("$argon2id$")
    assert password_matches(password_hash, "正确的密码")
    assert not password_matches(password_hash, "错误的密码")


def test_a_hash_that_is_none_matches_no_password():
    assert not password_matches("", "")
    assert not password_matches("not a hash", "not a hash")
