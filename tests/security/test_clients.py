"""What an operator can do with clients, and what one line says when it cannot be done."""

import pytest

from gateway.model.client import Client, SpecialRight
from gateway.security.clients import (
    ClientError,
    add_client,
    disable,
    enable,
    grant,
    list_clients,
    renew_secrets,
    revoke,
    set_password,
)
from gateway.security.passwords import password_matches
from gateway.security.secrets import Secrets
from tests.security.builders import NOON, OPERATIONS

KEY = "r4Gk0nVQxw2M0dVQpJ0yqWQ0F8N4mE5b2cJm3y2n3aA="
NEW_KEY = "u1b9Fh0m8aJ5pB7c6nW2xV4yZ3kD0eR8tQ1sL5gH7iA="
SECRETS = Secrets([KEY])


def add_his(session, **changes):
    return add_client(session, "HIS", **{"operations": OPERATIONS, **changes})


def rights_of_his(session):
    session.commit()
    return list_clients(session)[0].rights


def digest_secret(session):
    return session.get(Client, "HIS").digest_secret


def test_a_new_client_gets_a_password_that_is_kept_as_a_hash_alone(session):
    password = add_his(session)
    assert len(password) == 24
    stored = session.get(Client, "HIS")
    assert password_matches(stored.password_hash, password)
    assert password not in stored.password_hash
    assert stored.digest_secret is None


def test_clients_are_listed_by_name_with_all_that_may_be_shown(session):
    add_client(session, "PACS", operations=OPERATIONS)
    add_his(session, rights=["ReportStatus", SpecialRight.HIS], description="门诊 HIS", now=NOON)
    disable(session, "HIS", now=NOON)
    session.commit()
    his, pacs = list_clients(session)
    assert (his.name, his.rights, his.digest_allowed) == ("HIS", ("HIS", "ReportStatus"), False)
    assert (his.created_at, his.disabled_at, his.description) == (NOON, NOON, "门诊 HIS")
    assert (pacs.name, pacs.rights, pacs.disabled_at) == ("PACS", (), None)


@pytest.mark.parametrize("name", ["", "H IS", "H:IS", "医院", "H" * 21, "HIS\n"])
def test_a_name_that_a_message_could_not_carry_is_refused(session, name):
    with pytest.raises(ClientError, match="1 to 20 visible ASCII"):
        add_client(session, name, operations=OPERATIONS)


def test_a_name_is_given_once(session):
    add_his(session)
    with pytest.raises(ClientError, match="client HIS exists already"):
        add_his(session)


@pytest.mark.parametrize("description", ["two\nlines", "x" * 201, "nul\0"])
def test_a_description_is_one_short_line(session, description):
    with pytest.raises(ClientError, match="description"):
        add_his(session, description=description)


def test_an_unknown_right_is_refused_with_the_list_of_those_there_are(session):
    with pytest.raises(ClientError) as refusal:
        add_his(session, rights=["SubmitRequisition", "DropTable\n"])
    assert str(refusal.value) == (
        "unknown right 'DropTable\\n'; there are: ChargeItem, GREEN_CHANNEL, HIS, LARGE_REPORT, RECORD_ALL_VISITS, "
        "RECORD_ORDERS, RECORD_RESTRICTED, ReportStatus, SubmitRequisition"
    )
    assert list_clients(session) == []


def test_rights_are_granted_and_revoked_and_doing_so_twice_changes_nothing(session):
    add_his(session, rights=["SubmitRequisition"])
    for _ in range(2):
        grant(session, "HIS", ["ChargeItem", SpecialRight.LARGE_REPORT], operations=OPERATIONS)
        assert rights_of_his(session) == ("ChargeItem", "LARGE_REPORT", "SubmitRequisition")
    for _ in range(2):
        revoke(session, "HIS", ["ChargeItem"], operations=OPERATIONS)
        assert rights_of_his(session) == ("LARGE_REPORT", "SubmitRequisition")


def test_a_right_of_an_operation_that_is_gone_can_still_be_revoked(session):
    add_his(session, rights=["OldOperation"], operations=["OldOperation"])
    revoke(session, "HIS", ["OldOperation"], operations=OPERATIONS)
    assert rights_of_his(session) == ()


def test_unknown_rights_are_neither_granted_nor_revoked(session):
    add_his(session)
    for change in (grant, revoke):
        with pytest.raises(ClientError, match="unknown right 'submitrequisition'"):
            change(session, "HIS", ["submitrequisition"], operations=OPERATIONS)


def test_disabling_twice_keeps_the_first_time_and_enabling_ends_it(session):
    add_his(session)
    disable(session, "HIS", now=NOON)
    disable(session, "HIS")
    assert list_clients(session)[0].disabled_at == NOON
    enable(session, "HIS")
    enable(session, "HIS")
    assert list_clients(session)[0].disabled_at is None


@pytest.mark.parametrize(
    "change",
    [
        lambda session: grant(session, "NOBODY", [], operations=OPERATIONS),
        lambda session: revoke(session, "NOBODY", [], operations=OPERATIONS),
        lambda session: disable(session, "NOBODY"),
        lambda session: enable(session, "NOBODY"),
        lambda session: set_password(session, "NOBODY"),
    ],
)
def test_a_client_that_does_not_exist_cannot_be_changed(session, change):
    with pytest.raises(ClientError, match="there is no client 'NOBODY'"):
        change(session)


def test_a_client_with_a_nul_in_its_name_does_not_exist(session):
    with pytest.raises(ClientError, match="there is no client"):
        disable(session, "HIS\0")


@pytest.mark.parametrize(
    ("password", "allow_digest"),
    [
        ("", False),
        ("eleven char", False),
        (" twelve characters ", False),
        ("twelve\ncharacters", False),
        ("x" * 129, False),
        ("fifteen charact", True),
    ],
)
def test_a_password_that_is_weak_or_would_not_survive_the_way_is_refused_unseen(session, password, allow_digest):
    with pytest.raises(ClientError, match="the password must have") as refusal:
        add_his(session, password=password, allow_digest=allow_digest, secrets=SECRETS)
    assert not password or password not in str(refusal.value)


def test_a_new_password_keeps_whether_a_digest_is_allowed_until_it_is_said(session):
    add_his(session, allow_digest=True, secrets=SECRETS)
    password = set_password(session, "HIS", secrets=SECRETS)
    assert SECRETS.decrypt(digest_secret(session)) == password
    set_password(session, "HIS", "a password without digest", allow_digest=False)
    assert digest_secret(session) is None
    set_password(session, "HIS")
    assert digest_secret(session) is None


def test_a_digest_needs_the_key_file(session):
    with pytest.raises(ClientError, match="needs the key file"):
        add_his(session, allow_digest=True)


def test_stored_secrets_are_renewed_so_that_an_old_key_can_be_dropped(session):
    password = add_his(session, allow_digest=True, secrets=SECRETS)
    add_client(session, "PACS", operations=OPERATIONS)
    assert renew_secrets(session, Secrets([NEW_KEY, KEY])) == 1
    assert Secrets([NEW_KEY]).decrypt(digest_secret(session)) == password


def test_a_secret_that_no_key_opens_is_named_by_its_client(session):
    add_his(session, allow_digest=True, secrets=SECRETS)
    with pytest.raises(ClientError, match="digest secret of client HIS"):
        renew_secrets(session, Secrets([NEW_KEY]))
