"""Which processes of which nodes there are, and whether the nodes agree on what must be the same."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from gateway import migrate
from gateway.config import Route, Settings
from gateway.database.embedded import create_database, drop_database
from gateway.model.journal import Alert
from gateway.nodes.agreement import agreed_settings, differences
from gateway.nodes.joining import refuse_foreign_key
from gateway.nodes.listing import alert_disagreements, disagreements, order_drain, processes
from gateway.nodes.presence import Identity, Kind, Presence
from gateway.partner_config import Partner
from gateway.security.clients import add_client
from gateway.security.secrets import KeyFileError, Secrets, create_key_file
from gateway.store import make_engine

HIS = Partner(name="HIS", url="http://his.example.org/soap", username="gateway", password=SecretStr("one"))


@pytest.fixture
def url(database_server: str) -> Iterator[str]:
    """A migrated database in which no process is known."""
    name = f"nodes_{uuid.uuid4().hex}"
    url = create_database(database_server, name)
    migrate.upgrade(url)
    yield url
    drop_database(database_server, name)


@pytest.fixture
def database(url: str) -> Iterator[Engine]:
    engine = make_engine(url, pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    create_key_file(tmp_path / "secret.key")
    return Secrets.from_file(tmp_path / "secret.key")


def settings(**values: object) -> Settings:
    return Settings(**{"folder": Path("."), "hospital_code": "H1", "partners": (HIS,), **values})


def until(what: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.05)


@contextmanager
def running(url: str, node: str, agreed: dict[str, str] | None = None, **asked: object) -> Iterator[Presence]:
    presence = Presence(url, Identity(node, Kind.WEB, migrate.newest(), agreed or {}), **asked)
    presence.start()
    yield presence
    presence.leave()


def known(database: Engine) -> list[tuple[str, str]]:
    with Session(database) as session:
        return [(one.row.node, one.state) for one in processes(session)]


def test_a_process_is_listed_while_it_runs_and_takes_its_leave(url: str, database: Engine):
    with running(url, "gw1"):
        until(lambda: known(database) == [("gw1", "running")])
    assert known(database) == []


def test_a_process_that_died_is_shown_as_lost_and_forgotten_later(url: str, database: Engine):
    with running(url, "gw1"):
        until(lambda: known(database))
        with database.begin() as connection:
            copy = "INSERT INTO node_process (node, kind, host, pid, version, revision, agreed, seen_at)"
            columns = "'gw0', kind, host, pid, version, revision, agreed"
            connection.execute(text(f"{copy} SELECT {columns}, now() - interval '11 s' FROM node_process"))
            connection.execute(text(f"{copy} SELECT {columns}, now() - interval '1 h' FROM node_process LIMIT 1"))
        with running(url, "gw2"):
            until(lambda: known(database) == [("gw0", "lost"), ("gw1", "running"), ("gw2", "running")])


def test_an_order_to_drain_reaches_the_processes_of_that_node_alone_and_once(url: str, database: Engine):
    told: list[str] = []
    first, other = threading.Event(), threading.Event()
    with (
        running(url, "gw1", on_drain=lambda: (told.append("gw1"), first.set())),
        running(url, "gw2", on_drain=lambda: (told.append("gw2"), other.set())),
    ):
        until(lambda: len(known(database)) == 2)
        with Session(database) as session:
            assert order_drain(session, "gw1") == 1
            session.commit()
        assert first.wait(60)
        assert known(database) == [("gw1", "draining"), ("gw2", "running")]
        assert not other.wait(2.5)
    assert told == ["gw1"]


def test_nobody_hears_an_order_to_a_node_that_is_not_there(database: Engine):
    with Session(database) as session:
        assert order_drain(session, "gw9") == 0


def test_a_process_whose_row_is_lost_with_the_database_comes_back(url: str, database: Engine):
    with running(url, "gw1"):
        until(lambda: known(database))
        with database.begin() as connection:
            connection.execute(text("DELETE FROM node_process"))
        until(lambda: known(database) == [("gw1", "running")])


# --- agreement --------------------------------------------------------------------------------------------------------


def test_nodes_may_differ_in_what_is_their_own(secrets: Secrets):
    one = settings(node="gw1", delivery_workers=1, server={"port": 1, "host": "10.0.0.1"})
    other = settings(node="gw2", folder=Path("/x"), delivery_workers=4, database_url=SecretStr("postgresql://u:p@h/x"))
    assert agreed_settings(one, secrets) == agreed_settings(other, secrets)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"hospital_code": "H2"}, "hospital_code"),
        ({"other_hospital_codes": ("H2",)}, "other_hospital_codes"),
        ({"utc_offset": "+07:00"}, "utc_offset"),
        ({"rules": {"unpaid": "refuse"}}, "rules"),
        ({"routes": (Route(operation="ReportStatus", partners=("HIS",)),)}, "routes"),
        ({"partners": (HIS.model_copy(update={"concurrency": 9}),)}, "partner HIS"),
        ({"partners": (HIS.model_copy(update={"password": SecretStr("two")}),)}, "partner HIS"),
        ({"partners": ()}, "partner HIS"),
    ],
)
def test_what_must_be_the_same_is_named_where_it_is_not(secrets: Secrets, changed: dict[str, object], what: str):
    facts = [("gw1", agreed_settings(settings(), secrets)), ("gw2", agreed_settings(settings(**changed), secrets))]
    assert differences(facts) == {what: ["gw1", "gw2"]}


def test_of_another_key_only_the_key_is_named(secrets: Secrets, tmp_path: Path):
    create_key_file(tmp_path / "other.key")
    other = Secrets.from_file(tmp_path / "other.key")
    facts = [("gw1", agreed_settings(settings(), secrets)), ("gw2", agreed_settings(settings(), other))]
    assert differences(facts) == {"secret.key": ["gw1", "gw2"]}


def test_a_fingerprint_tells_nothing_of_a_password_to_who_has_no_key(secrets: Secrets):
    facts = json.dumps(agreed_settings(settings(), secrets))
    assert "one" not in facts
    assert "example.org" not in facts


def test_nodes_that_differ_for_minutes_alarm_once(url: str, database: Engine):
    now = datetime.now(UTC)
    with running(url, "gw1", {"routes": "a"}), running(url, "gw2", {"routes": "b"}):
        until(lambda: len(known(database)) == 2)
        for minutes in (0, 6, 7):
            with Session(database) as session:
                alert_disagreements(session, now + timedelta(minutes=minutes))
                session.commit()
                count = 0 if minutes == 0 else 1
                assert [alert.subject for alert in session.query(Alert)] == ["nodes gw1, gw2: routes"] * count


def test_a_process_that_is_lost_disagrees_with_nobody(url: str, database: Engine):
    with running(url, "gw1", {"routes": "a"}), running(url, "gw2", {"routes": "b"}):
        until(lambda: len(known(database)) == 2)
        with Session(database) as session:
            assert disagreements(processes(session)) == {"routes": ["gw1", "gw2"]}
            session.execute(text("UPDATE node_process SET seen_at = now() - interval '11 s' WHERE node = 'gw1'"))
            assert disagreements(processes(session)) == {}


def test_a_node_with_a_foreign_key_may_not_join(url: str, database: Engine, secrets: Secrets, tmp_path: Path):
    with Session(database) as session:
        add_client(session, "PACS", rights=[], operations=[], allow_digest=True, secrets=secrets)
        session.commit()
    refuse_foreign_key(url, secrets, tmp_path / "secret.key")
    create_key_file(tmp_path / "other.key")
    other = Secrets.from_file(tmp_path / "other.key")
    with pytest.raises(KeyFileError, match=r"other\.key is not the key of this database .*secrets of PACS\): copy"):
        refuse_foreign_key(url, other, tmp_path / "other.key")
    with Session(database) as session:
        add_client(session, "LIS", rights=[], operations=[], allow_digest=True, secrets=other)
        session.commit()
    refuse_foreign_key(url, other, tmp_path / "other.key")
