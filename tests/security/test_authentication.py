"""Who is let in, who is refused, and when a change made by an operator acts."""

import logging
import threading
import time
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, event, func, select
from sqlalchemy.exc import OperationalError

from gateway.errors import NotAllowed, NotAuthenticated, TooMany
from gateway.model.client import SpecialRight, UsedNonce
from gateway.security.authentication import AuthenticatedClient, ClientDirectory
from gateway.security.clients import add_client, disable, enable, grant, revoke, set_password
from gateway.security.credentials import Credentials, read_credentials
from gateway.security.secrets import Secrets
from tests.security.builders import OPERATIONS, PASSWORD, Clock, auth_header, basic, digest_token, with_password

KEY = "r4Gk0nVQxw2M0dVQpJ0yqWQ0F8N4mE5b2cJm3y2n3aA="
OTHER_KEY = "u1b9Fh0m8aJ5pB7c6nW2xV4yZ3kD0eR8tQ1sL5gH7iA="
ANOTHER_PASSWORD = "another long password"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def directory(engine, session, clock):
    """A gateway's directory with one client, HIS, that may submit requisitions and prove itself by a digest."""
    secrets = Secrets([KEY])
    add_client(
        session,
        "HIS",
        rights=["SubmitRequisition", SpecialRight.GREEN_CHANNEL],
        operations=OPERATIONS,
        password=PASSWORD,
        allow_digest=True,
        secrets=secrets,
    )
    session.commit()
    return open_directory(engine, clock, secrets)


def open_directory(engine, clock, secrets=None):
    return ClientDirectory(engine, secrets or Secrets([KEY]), now=clock.now, monotonic=clock.monotonic)


def is_let_in(directory, credentials):
    try:
        return directory.authenticate(credentials).name == credentials.name
    except NotAuthenticated:
        return False


def fail(directory, times, name="HIS"):
    for attempt in range(times):
        assert not is_let_in(directory, with_password(name, f"wrong password {attempt}"))


@pytest.mark.parametrize(
    ("headers", "authorization"), [([auth_header()], None), ([], basic()), ([digest_token()], None)]
)
def test_a_client_that_proves_itself_is_known_with_its_rights(directory, headers, authorization):
    client = directory.authenticate(read_credentials(headers, authorization))
    assert client == AuthenticatedClient("HIS", frozenset({"SubmitRequisition", "GREEN_CHANNEL"}))


def test_a_client_may_do_only_what_it_was_granted(directory):
    client = directory.authenticate(with_password())
    client.require("SubmitRequisition")
    assert client.may(SpecialRight.GREEN_CHANNEL)
    assert not client.may(SpecialRight.HIS)
    with pytest.raises(NotAllowed) as refusal:
        client.require("ChargeItem")
    assert "ChargeItem" in refusal.value.text_zh
    assert "ChargeItem" in refusal.value.text_en


def test_a_client_without_any_right_is_known_and_may_do_nothing(directory, session):
    password = add_client(session, "PACS", operations=OPERATIONS)
    session.commit()
    client = directory.authenticate(with_password("PACS", password))
    assert client.rights == frozenset()


def test_a_request_without_credentials_is_asked_for_them(directory):
    with pytest.raises(NotAuthenticated) as refusal:
        directory.authenticate(None)
    assert not refusal.value.credentials_came


@pytest.mark.parametrize(
    "credentials",
    [
        with_password("HIS", "wrong password"),
        with_password("HIS", ""),
        with_password("his"),
        with_password("NOBODY"),
        Credentials("HIS", None),
        read_credentials([digest_token(password="wrong password")], None),
        read_credentials([digest_token("NOBODY")], None),
        read_credentials([digest_token(password="wrong password"), auth_header()], None),
        read_credentials([digest_token(), auth_header(password="wrong password")], None),
    ],
)
def test_a_wrong_name_or_password_is_refused_with_one_and_the_same_text(directory, credentials):
    with pytest.raises(NotAuthenticated) as refusal:
        directory.authenticate(credentials)
    assert refusal.value.credentials_came
    assert (refusal.value.text_zh, refusal.value.text_en) == NotAuthenticated.describe()


@pytest.mark.parametrize("by_digest", [True, False])
def test_a_disabled_client_is_refused_two_seconds_later_and_let_in_when_enabled(directory, session, clock, by_digest):
    def credentials():
        return read_credentials([digest_token(created=clock.now()) if by_digest else auth_header()], None)

    assert is_let_in(directory, credentials())
    disable(session, "HIS")
    session.commit()
    clock.passed += 2
    with pytest.raises(NotAuthenticated) as refusal:
        directory.authenticate(credentials())
    assert refusal.value.text_en == NotAuthenticated.describe()[1]
    enable(session, "HIS")
    session.commit()
    clock.passed += 2
    assert is_let_in(directory, credentials())


def test_a_changed_password_acts_within_two_seconds_though_the_old_one_was_proven(directory, session, clock):
    assert is_let_in(directory, with_password())
    set_password(session, "HIS", ANOTHER_PASSWORD, secrets=Secrets([KEY]))
    session.commit()
    clock.passed += 2
    assert not is_let_in(directory, with_password())
    assert not is_let_in(directory, read_credentials([digest_token()], None))
    assert is_let_in(directory, with_password("HIS", ANOTHER_PASSWORD))


def test_granted_and_revoked_rights_act_within_two_seconds(directory, session, clock):
    directory.authenticate(with_password())
    grant(session, "HIS", ["ChargeItem"], operations=OPERATIONS)
    revoke(session, "HIS", ["SubmitRequisition"], operations=OPERATIONS)
    session.commit()
    clock.passed += 1.9
    assert "SubmitRequisition" in directory.authenticate(with_password()).rights
    clock.passed += 0.1
    assert directory.authenticate(with_password()).rights == {"ChargeItem", "GREEN_CHANNEL"}


def test_clients_are_read_once_in_two_seconds(directory, engine, clock):
    with counting_queries(engine) as queries:
        for _ in range(40):
            directory.authenticate(with_password())
            clock.passed += 0.1
    assert len(queries) == 2


@contextmanager
def counting_queries(engine):
    queries = []

    def count(*args):
        queries.append(args[2])

    event.listen(engine, "before_cursor_execute", count)
    yield queries
    event.remove(engine, "before_cursor_execute", count)


def at_once(times, act):
    threads = [threading.Thread(target=act) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_that_arrive_together_read_the_clients_once_and_check_the_password_once(directory, engine):
    let_in = []
    began = time.process_time()
    with counting_queries(engine) as queries:
        at_once(20, lambda: let_in.append(is_let_in(directory, with_password())))
    assert time.process_time() - began < 10 * cost_of_one_check(directory)
    assert let_in == [True] * 20
    assert len(queries) == 1


def cost_of_one_check(directory):
    began = time.process_time()
    assert not is_let_in(directory, with_password("HIS", "wrong password"))
    return time.process_time() - began


def test_an_unknown_name_costs_as_much_time_as_a_wrong_password(directory):
    def least_seconds(name):
        costs = []
        for attempt in range(5):
            began = time.thread_time()
            assert not is_let_in(directory, with_password(name, f"wrong password {attempt}"))
            costs.append(time.thread_time() - began)
        return min(costs)

    directory.authenticate(with_password())
    assert least_seconds("HIS") == pytest.approx(least_seconds("NOBODY"), rel=0.7)


def test_errors_of_the_database_pass_through_and_the_next_request_tries_again(session, clock):
    nowhere = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    directory = open_directory(nowhere, clock)
    for _ in range(2):
        with pytest.raises(OperationalError):
            directory.authenticate(with_password())


def test_after_ten_wrong_passwords_a_name_is_checked_once_a_second(directory, clock):
    fail(directory, 10)
    assert is_let_in(directory, with_password())  # the first within this second
    other = with_password("HIS", "wrong password")
    with pytest.raises(NotAuthenticated, match="AUT-401") as refusal:
        directory.authenticate(other)
    assert "try again later" in refusal.value.text_en


def test_nobody_can_lock_the_his_out_by_sending_wrong_passwords(directory, clock):
    assert is_let_in(directory, with_password())
    for _ in range(40):
        fail(directory, 12)
        assert is_let_in(directory, with_password())
        clock.passed += 15


def test_nobody_can_lock_the_his_out_of_a_process_that_has_just_begun(directory):
    """Its password is kept for digests, so it need not be proven again among the guesses."""
    fail(directory, 12)
    assert is_let_in(directory, with_password())
    assert not is_let_in(directory, with_password("HIS", "wrong password"))


def test_a_right_password_is_let_in_amid_wrong_ones_even_when_never_proven_before(directory, session, clock):
    password = add_client(session, "PACS", operations=OPERATIONS)
    session.commit()
    fail(directory, 12, "PACS")
    assert not is_let_in(directory, with_password("PACS", password))
    clock.passed += 1
    assert is_let_in(directory, with_password("PACS", password))


def test_wrong_passwords_of_one_name_do_not_slow_another(directory, session):
    password = add_client(session, "PACS", operations=OPERATIONS)
    session.commit()
    fail(directory, 12)
    assert is_let_in(directory, with_password("PACS", password))


def test_a_name_that_does_not_exist_is_limited_like_one_that_does(directory):
    fail(directory, 11, "NOBODY")
    with pytest.raises(NotAuthenticated) as refusal:
        directory.authenticate(with_password("NOBODY"))
    assert "try again later" in refusal.value.text_en


def test_whoever_waits_too_long_for_the_check_is_asked_to_come_again(directory, monkeypatch):
    monkeypatch.setattr("gateway.security.authentication._LONGEST_WAIT", 0.001)
    refusals = []

    def guess():
        with pytest.raises((TooMany, NotAuthenticated)) as refusal:
            directory.authenticate(with_password("HIS", "wrong password"))
        refusals.append(refusal.value)

    at_once(8, guess)
    assert {refusal.retryable for refusal in refusals} == {True, False}


def test_the_log_says_that_a_client_is_disabled(directory, session, caplog):
    disable(session, "HIS")
    session.commit()
    assert not is_let_in(directory, with_password())
    assert "client HIS is refused: it is disabled" in caplog.text


def test_wrong_digests_never_shut_a_client_out(directory):
    for _ in range(30):
        assert not is_let_in(directory, read_credentials([digest_token(password="wrong password")], None))
    assert is_let_in(directory, read_credentials([digest_token()], None))


def test_a_nonce_is_good_for_one_message_in_every_process(directory, engine, clock):
    token = read_credentials([digest_token()], None)
    assert is_let_in(directory, token)
    for process in (directory, open_directory(engine, clock)):
        with pytest.raises(NotAuthenticated) as refusal:
            process.authenticate(token)
        assert "Nonce" in refusal.value.text_en


def test_of_many_threads_with_one_nonce_one_is_let_in(directory):
    token = read_credentials([digest_token()], None)
    let_in = []
    at_once(8, lambda: let_in.append(is_let_in(directory, token)))
    assert sorted(let_in) == [False] * 7 + [True]


def test_two_clients_may_use_the_same_nonce(directory, session):
    add_client(
        session,
        "PACS",
        operations=OPERATIONS,
        password=PASSWORD,
        allow_digest=True,
        secrets=Secrets([KEY]),
    )
    session.commit()
    for name in ("HIS", "PACS"):
        assert is_let_in(directory, read_credentials([digest_token(name, nonce=b"1")], None))


def test_a_token_with_a_plain_password_is_held_against_clock_and_nonce_as_well(directory, clock):
    def token():
        header = digest_token(nonce=b"1")
        header.find(".//{*}Password").text = PASSWORD
        del header.find(".//{*}Password").attrib["Type"]
        return read_credentials([header], None)

    assert is_let_in(directory, token())
    assert not is_let_in(directory, token())
    clock.passed += 301
    assert not is_let_in(directory, token())


@pytest.mark.parametrize(("seconds", "good"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_token_may_be_five_minutes_off(directory, clock, seconds, good):
    token = read_credentials([digest_token(created=clock.now())], None)
    clock.passed += seconds
    assert is_let_in(directory, token) is good


def test_a_caller_with_a_wrong_clock_is_told_so_but_only_if_it_knows_the_password(directory, clock):
    for password, told in ((PASSWORD, True), ("wrong password", False)):
        token = read_credentials([digest_token(password=password, created="2026-03-02T20:00:00Z")], None)
        with pytest.raises(NotAuthenticated) as refusal:
            directory.authenticate(token)
        assert ("clock" in refusal.value.text_en) is told


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_token_from_the_edge_of_time_is_refused(directory, created):
    assert not is_let_in(directory, read_credentials([digest_token(created=created)], None))


def test_refused_tokens_leave_nothing_and_used_nonces_are_forgotten_when_they_no_longer_matter(
    directory, session, clock
):
    is_let_in(directory, read_credentials([digest_token(password="wrong password")], None))
    is_let_in(directory, read_credentials([digest_token(created="2020-01-01T00:00:00Z")], None))
    assert nonces_kept(session) == 0
    for passed in (0, 800, 800):
        clock.passed += passed
        assert is_let_in(directory, read_credentials([digest_token(created=clock.now())], None))
    assert nonces_kept(session) == 2


def nonces_kept(session):
    session.rollback()
    return session.scalar(select(func.count()).select_from(UsedNonce))


def test_a_client_that_was_not_allowed_a_digest_cannot_use_one(directory, session):
    password = add_client(session, "PACS", operations=OPERATIONS)
    session.commit()
    assert not is_let_in(directory, read_credentials([digest_token("PACS", password)], None))
    assert is_let_in(directory, with_password("PACS", password))


def test_a_digest_whose_key_is_lost_is_refused_and_the_password_still_works(directory, engine, clock, caplog):
    without_key = open_directory(engine, clock, Secrets([OTHER_KEY]))
    assert not is_let_in(without_key, read_credentials([digest_token()], None))
    assert "client HIS is refused: its digest secret cannot be read" in caplog.text
    assert is_let_in(without_key, with_password())


def test_the_log_says_why_without_passwords_or_names_of_strangers(directory, caplog):
    caplog.set_level(logging.DEBUG)
    is_let_in(directory, with_password("HIS", "wrong password"))
    is_let_in(directory, with_password("my-password-by-error"))
    is_let_in(directory, read_credentials([digest_token()], None))
    assert "client HIS is refused: wrong password" in caplog.text
    assert "an unknown client is refused" in caplog.text
    for secret in (PASSWORD, "my-password-by-error", "$argon2"):
        assert secret not in caplog.text


def test_a_proven_password_costs_next_to_nothing(directory):
    credentials = with_password()
    directory.authenticate(credentials)
    began = time.process_time()
    for _ in range(1000):
        directory.authenticate(credentials)
    assert (time.process_time() - began) / 1000 < 100e-6  # measured 3 us; slow shared machines get room
