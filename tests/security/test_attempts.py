"""How long a proven password is remembered, and how many guesses a name allows."""

from gateway.security.attempts import FailureLimit, ProvenPasswords
from tests.security.builders import Clock


def test_a_proven_password_is_forgotten_five_minutes_after_its_last_use():
    clock = Clock()
    proven = ProvenPasswords(clock.monotonic)
    proven.remember("HIS", "hash", "password")
    for _ in range(3):
        clock.passed += 299
        assert proven.knows("HIS", "hash", "password")
    clock.passed += 300
    assert not proven.knows("HIS", "hash", "password")


def test_only_the_same_name_hash_and_password_are_known():
    proven = ProvenPasswords(Clock().monotonic)
    proven.remember("HIS", "hash", "password")
    assert not proven.knows("PACS", "hash", "password")
    assert not proven.knows("HIS", "hash of a new password", "password")
    assert not proven.knows("HIS", "hash", "Password")


def test_of_more_passwords_than_fit_the_longest_unused_is_forgotten():
    proven = ProvenPasswords(Clock().monotonic, most=2)
    proven.remember("A", "hash", "password")
    proven.remember("B", "hash", "password")
    assert proven.knows("A", "hash", "password")
    proven.remember("C", "hash", "password")
    assert [proven.knows(name, "hash", "password") for name in "ABC"] == [True, False, True]


def test_nothing_readable_is_remembered():
    proven = ProvenPasswords(Clock().monotonic)
    proven.remember("HIS", "hash", "password")
    assert "password" not in repr(vars(proven))


def test_ten_failures_within_a_minute_leave_one_try_a_second_until_the_minute_is_over():
    clock = Clock()
    limit = FailureLimit(clock.monotonic)
    for _ in range(10):
        assert limit.may_try("HIS")
        limit.failed("HIS")
    clock.passed = 30
    assert [limit.may_try("HIS") for _ in range(3)] == [True, False, False]
    clock.passed = 31
    assert [limit.may_try("HIS") for _ in range(3)] == [True, False, False]
    clock.passed = 60
    assert all(limit.may_try("HIS") for _ in range(3))


def test_the_names_that_are_counted_are_bounded():
    limit = FailureLimit(Clock().monotonic, failures=1, names=2)
    for name in ("A", "B", "C"):
        limit.failed(name)
        limit.may_try(name)
    assert [limit.may_try(name) for name in ("A", "B", "C")] == [True, False, False]
