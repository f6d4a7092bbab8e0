"""The parts put together as a site's processes put them together, on a real database."""

import base64
import io
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, delete, func, select
from sqlalchemy.orm import Session

from gateway import migrate
from gateway.bootstrap import delivery
from gateway.bootstrap.core import make_core
from gateway.bootstrap.web import web_application
from gateway.config import Settings, Storage
from gateway.contract import Contract
from gateway.database.embedded import create_database, drop_database
from gateway.model.journal import Alert, JournalEntry, ParkedMessage
from gateway.security.clients import add_client
from gateway.security.secrets import create_key_file
from gateway.soap.server import SoapServer

PASSWORD = "a-password-of-a-test"
OPERATIONS = [operation.name for operation in Contract().operations]


@pytest.fixture(scope="module")
def url(database_server: str) -> Iterator[str]:
    """A migrated database in which PACS may call."""
    name = f"bootstrap_{uuid.uuid4().hex}"
    url = create_database(database_server, name)
    migrate.upgrade(url)
    engine = create_engine(url)
    with Session(engine) as session:
        add_client(session, "PACS", rights=OPERATIONS, operations=OPERATIONS, password=PASSWORD)
        session.commit()
    engine.dispose()
    yield url
    drop_database(database_server, name)


@pytest.fixture
def session(url: str) -> Iterator[Session]:
    engine = create_engine(url)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def settings(tmp_path: Path, url: str) -> Settings:
    create_key_file(tmp_path / "secret.key")
    return Settings(folder=tmp_path, hospital_code="44643245-7", database_url=SecretStr(url))


@pytest.fixture
def made() -> Iterator[Callable[[Settings], SoapServer]]:
    """Makes applications, and closes their connections afterwards."""
    cores = []

    def make(settings: Settings) -> SoapServer:
        cores.append(make_core(settings))
        return web_application(cores[-1])

    yield make
    for core in cores:
        core.engine.dispose()


Made = Callable[[Settings], SoapServer]


def ask(application: Any, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
    """One request to the application as a web server would pass it on."""
    basic = base64.b64encode(f"PACS:{PASSWORD}".encode()).decode()
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "CONTENT_TYPE": "text/xml; charset=utf-8",
        "CONTENT_LENGTH": str(len(body)), "HTTP_AUTHORIZATION": f"Basic {basic}", "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "gateway", "SERVER_PORT": "80", "wsgi.input": io.BytesIO(body), "wsgi.url_scheme": "http",
    }  # fmt: skip
    status: list[int] = []
    answer = application(environ, lambda line, _: status.append(int(line.split()[0])))
    return status[0], b"".join(answer).decode()


def push() -> bytes:
    return Contract().sample("PushCriticalValue").read_bytes()


def test_a_sample_goes_all_the_way_into_the_journal(made: Made, settings: Settings, session: Session):
    status, answer = ask(made(settings), "POST", "/soap", push())
    assert (status, "<ResultCode>0</ResultCode>" in answer) == (200, True)
    assert session.scalars(select(JournalEntry.operation)).all() == ["PushCriticalValue"]


def test_a_critical_value_nobody_can_read_is_kept_and_alarms(made: Made, settings: Settings, session: Session):
    broken = push().replace(b"<CriticalId>", b"<CriticalIdentity>").replace(b"</CriticalId>", b"</CriticalIdentity>")
    status, answer = ask(made(settings), "POST", "/soap", broken)
    assert (status, "SYS-400" in answer) == (500, True)
    alert = session.scalars(select(Alert).where(Alert.kind == "CRITICAL_UNREADABLE")).one()
    kept = session.get_one(JournalEntry, alert.txn_no)
    assert b"CriticalIdentity" in kept.xml
    assert kept.message_id.startswith("PACS-")


def test_it_is_ready_with_its_database(made: Made, settings: Settings):
    status, answer = ask(made(settings), "GET", "/readyz")
    assert (status, json.loads(answer)) == (200, {"ready": True, "database": True, "migrations": True})


def test_without_its_database_it_lives_says_so_and_takes_nothing(made: Made, settings: Settings):
    away = settings.model_copy(update={"database_url": SecretStr("postgresql+psycopg://u:p@127.0.0.1:1/x")})
    application = made(away)
    assert ask(application, "GET", "/healthz")[0] == 200
    status, answer = ask(application, "GET", "/readyz")
    assert (status, json.loads(answer)) == (503, {"ready": False, "database": False, "migrations": False})
    status, answer = ask(application, "POST", "/soap", push())
    assert (status, "SYS-503" in answer) == (500, True)


def test_without_room_it_says_so_refuses_new_work_and_goes_on_answering_queries(
    made: Made, settings: Settings, session: Session
):
    application = made(settings.model_copy(update={"storage": Storage(free_megabytes=10**9)}))
    status, answer = ask(application, "GET", "/readyz")
    found = json.loads(answer)
    assert (status, found["ready"], found["database"]) == (503, False, True)
    assert found["room"].startswith("no new work is taken: only ")
    assert ask(application, "GET", "/healthz")[0] == 200
    before = session.scalar(select(func.count()).select_from(JournalEntry))
    status, answer = ask(application, "POST", "/soap", Contract().sample("ReportStatus").read_bytes())
    assert status == 500
    assert "SYS-503" in answer
    assert "<Retryable>true</Retryable>" in answer
    assert "too little room" in answer
    assert session.scalar(select(func.count()).select_from(JournalEntry)) == before
    status, answer = ask(application, "POST", "/soap", Contract().sample("QueryRequisition").read_bytes())
    assert (status, "<ResultCode>0</ResultCode>" in answer) == (200, True)
    with session.begin_nested():
        session.execute(delete(Alert).where(Alert.kind == "STORAGE_FULL"))
    session.commit()


def test_tables_of_another_version_make_it_not_ready(made: Made, settings: Settings, database_server: str):
    name = f"bootstrap_{uuid.uuid4().hex}"
    empty = settings.model_copy(update={"database_url": SecretStr(create_database(database_server, name))})
    status, answer = ask(made(empty), "GET", "/readyz")
    assert (status, json.loads(answer)["migrations"]) == (503, False)
    drop_database(database_server, name)


def test_what_is_due_by_the_clock_is_done_even_when_no_message_comes(
    settings: Settings, session: Session, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delivery, "UPKEEP_SECONDS", 0.01)
    core, ended = make_core(settings), threading.Event()
    hour_ago = core.clock() - timedelta(hours=1)
    session.add(
        ParkedMessage(
            sender_code="LIS", operation="ReportStatus", message_id="M1", txn_no="G1", waits_for="requisition|H|R1",
            request="", parked_at=hour_ago, expires_at=hour_ago,
        )
    )  # fmt: skip
    session.commit()
    thread = threading.Thread(target=delivery._keep_up, args=(core, ended))
    thread.start()
    deadline = time.monotonic() + 60
    waiting = select(Alert.kind).where(Alert.txn_no == "G1")
    while not (kinds := session.scalars(waiting).all()) and time.monotonic() < deadline:
        session.rollback()
        time.sleep(0.02)
    ended.set()
    thread.join()
    core.engine.dispose()
    assert kinds == ["PARKED_EXPIRED"]
