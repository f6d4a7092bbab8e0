"""`gateway client`: who may call, and that a password is seen once or not at all."""

from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from emptying import clear
from gateway.model.client import Client, ClientRight
from gateway.model.journal import AuditEntry
from gateway.security.passwords import password_matches
from gateway.security.secrets import Secrets


@pytest.fixture(autouse=True)
def session(site: Path, migrated: str):
    """A database in which nobody may call yet."""
    engine = create_engine(migrated)
    clear(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def rights(session: Session, name: str) -> set[str]:
    return set(session.scalars(select(ClientRight.right).where(ClientRight.client == name)))


def test_a_generated_password_is_shown_once_and_alone(gateway: Command, session: Session):
    said = gateway("client", "add", "HIS", "--right", "ReportStatus", "--right", "HIS")
    password = said.out.strip()
    assert said.err.strip() == "Client HIS may call from now on. Its password, shown this once only:"
    assert password_matches(session.get_one(Client, "HIS").password_hash, password)
    assert rights(session, "HIS") == {"ReportStatus", "HIS"}
    assert password not in gateway("client", "list").out


def test_a_password_of_ones_own_is_never_shown(gateway: Command, session: Session):
    said = gateway("client", "add", "HIS", "--password-stdin", stdin="my-own-password-1\nsecond line\n")
    assert said.out == ""
    assert "my-own" not in said.err
    assert password_matches(session.get_one(Client, "HIS").password_hash, "my-own-password-1")


def test_a_client_may_be_given_every_operation(gateway: Command, session: Session):
    gateway("client", "add", "HIS", "--all-operations")
    assert len(rights(session, "HIS")) == 11


def test_a_client_that_sends_digests_has_its_secret_encrypted_with_the_sites_key(
    gateway: Command, session: Session, site: Path
):
    password = gateway("client", "add", "LIS", "--digest").out.strip()
    secret = session.get_one(Client, "LIS").digest_secret
    assert secret is not None
    assert Secrets.from_file(site / "secret.key").decrypt(secret) == password


def test_rights_come_and_go(gateway: Command, session: Session):
    gateway("client", "add", "PACS")
    assert gateway("client", "grant", "PACS", "--all-operations").code == 0
    assert gateway("client", "revoke", "PACS", "--right", "ChargeItem", "--right", "RefundItem").code == 0
    assert len(rights(session, "PACS")) == 9


def test_a_disabled_client_is_listed_so_until_it_is_enabled(gateway: Command):
    gateway("client", "add", "EMR", "--description", "电子病历")
    gateway("client", "disable", "EMR")
    assert "disabled" in gateway("client", "list").out
    gateway("client", "enable", "EMR")
    assert "may call" in gateway("client", "list").out


def test_a_new_password_replaces_the_old(gateway: Command, session: Session):
    old = gateway("client", "add", "HIS").out.strip()
    new = gateway("client", "password", "HIS").out.strip()
    stored = session.get_one(Client, "HIS").password_hash
    assert (password_matches(stored, old), password_matches(stored, new)) == (False, True)
    assert gateway("client", "password", "HIS", "--password-stdin", stdin="my-own-password-2\n").out == ""


def test_every_change_is_audited_without_the_password(gateway: Command, session: Session):
    password = gateway("client", "add", "HIS", "--right", "HIS").out.strip()
    gateway("client", "disable", "HIS")
    gateway("client", "revoke", "HIS", "--right", "HIS")
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.at)).all()
    assert [(e.action, e.subject, e.detail) for e in entries] == [
        ("CLIENT_ADD", "client HIS", "HIS"),
        ("CLIENT_DISABLE", "client HIS", None),
        ("CLIENT_REVOKE", "client HIS", "HIS"),
    ]
    assert all(entry.actor.startswith("terminal:") for entry in entries)
    assert password not in str([vars(entry) for entry in entries])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["add", "HIS"], 1, "client HIS exists already"),
        (["add", "a b"], 1, "1 to 20 visible ASCII characters and no colon"),
        (["add", "医院"], 1, "1 to 20 visible ASCII characters and no colon"),
        (["add", "X", "--right", "Submit"], 1, "unknown right 'Submit'; there are: AcknowledgeCriticalValue"),
        (["add", "X", "--description", "a\nb"], 1, "on one line"),
        (["grant", "HIS", "--right", "Everything"], 1, "unknown right 'Everything'"),
        (["grant", "HIS"], 2, "Say which right"),
        (["grant", "X", "--right", "HIS"], 1, "there is no client 'X'"),
        (["revoke", "X", "--right", "HIS"], 1, "there is no client 'X'"),
        (["revoke", "HIS"], 2, "Say which right"),
        (["disable", "X"], 1, "there is no client 'X'"),
        (["enable", "X"], 1, "there is no client 'X'"),
        (["password", "X"], 1, "there is no client 'X'"),
        (["add", "X", "--password-stdin"], 2, "Standard input holds no password"),
        (["password", "HIS", "--password-stdin"], 2, "Standard input holds no password"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    gateway: Command, session: Session, words: list[str], code: int, told: str
):
    gateway("client", "add", "HIS")
    said = gateway("client", *words)
    assert said.code == code
    assert told in said.mistake
    assert said.out == ""
    assert session.scalars(select(Client.name)).all() == ["HIS"]


def test_too_short_a_password_is_refused_without_repeating_it(gateway: Command):
    told = gateway("client", "add", "X", "--password-stdin", stdin="short7\n").mistake
    assert "the password must have" in told
    assert "short7" not in told


def test_a_password_is_not_typed_at_a_terminal(gateway: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("at_the_terminal.Piped.isatty", lambda _: True)
    assert "pipe the password into the command" in gateway("client", "add", "X", "--password-stdin").mistake


def test_without_its_key_file_a_site_registers_nobody(gateway: Command, session: Session, site: Path):
    (site / "secret.key").unlink()
    said = gateway("client", "add", "HIS")
    assert (said.code, "secret.key cannot be read" in said.mistake) == (2, True)
    assert session.scalars(select(Client.name)).all() == []
