"""The release before the newest step of the tables, as it stands in the history, beside this one on the same tables."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from gateway import cli, migrate
from gateway.contract import Contract
from gateway.database.embedded import create_database, drop_database
from gateway.delivery.leases import OWNER
from gateway.security.clients import add_client
from gateway.simulators.process import free_port
from gateway.storage import months
from gateway.store import make_engine
from tests.nodes.proof.load import Load
from tests.partners.fake_partner import FakePartner

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "GIT_"))}
PASSWORD = "a-password-of-a-test"
OPERATIONS = [operation.name for operation in Contract().operations]
PARTNERS = ("EMR", "LIS", "OR", "PACS")


def git(*words: str) -> bytes:
    done = subprocess.run(["git", "-C", str(ROOT), *words], env=ENVIRONMENT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("the previous release is not in the history of this checkout")
    return done.stdout


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The gateway as it was before the newest step was added."""
    newest = next((migrate.SCRIPTS / "versions").glob(f"{migrate.newest()}_*.py")).relative_to(ROOT)
    added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", str(newest)).decode().strip()
    if not added:
        pytest.skip("the newest step of the tables is not in the history yet")
    folder = tmp_path / "previous"
    folder.mkdir()
    archive = git("archive", f"{added}^", "gateway", "wsdl", "xsd")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    assert not list((folder / "gateway" / "migrations" / "versions").glob(f"{migrate.newest()}_*.py"))
    return folder


@pytest.fixture
def url(database_server: str) -> Iterator[str]:
    """A database with this release's tables."""
    name = f"previous_{uuid.uuid4().hex}"
    url = create_database(database_server, name)
    migrate.upgrade(url)
    months.prepare(url, datetime.now(UTC))
    yield url
    drop_database(database_server, name)


@pytest.fixture
def database(url: str) -> Iterator[Engine]:
    engine = make_engine(url, pool_size=1)
    with Session(engine) as session:
        add_client(session, "HIS", rights=[*OPERATIONS, "HIS"], operations=OPERATIONS, password=PASSWORD)
        session.commit()
    yield engine
    engine.dispose()


@pytest.fixture
def partners() -> Iterator[dict[str, FakePartner]]:
    fakes = {name: FakePartner() for name in PARTNERS}
    yield fakes
    for fake in fakes.values():
        fake.close()


@pytest.fixture
def site(tmp_path: Path, partners: dict[str, FakePartner]) -> Path:
    folder = tmp_path / "site"
    assert cli.run(["init", "--folder", str(folder), "--hospital-code", "44643245-7"]) == 0
    names = ", ".join(f'"{name}"' for name in PARTNERS)
    route = f'[[routes]]\noperation = "ReportVisitEvent"\npartners = [{names}]\n'
    (folder / "gateway.toml").write_text(f'hospital_code = "44643245-7"\n{route}')
    for name, fake in partners.items():
        (folder / "partners" / name).mkdir(exist_ok=True)
        (folder / "partners" / name / "partner.toml").write_text(f'url = "{fake.url}"\n')
    return folder


class Release:
    """Web server and delivery process of one release."""

    def __init__(self, code: Path, site: Path, url: str) -> None:
        self.port = free_port()
        self.folder = site.with_name(f"site-of-{code.name}")
        shutil.copytree(site, self.folder)
        environment = {
            **ENVIRONMENT,
            "PYTHONPATH": str(code),
            "GATEWAY_DATABASE_URL": url,
            "GATEWAY_SERVER__PORT": str(self.port),
            "GATEWAY_SERVER__WORKERS": "1",
        }
        command = [sys.executable, "-m", "gateway"]
        self.processes = [
            subprocess.Popen(
                [*command, what, "--folder", str(self.folder), "--log-file", str(self.folder / f"{what}.log")],
                env=environment,
                cwd=code,
            )
            for what in ("web", "worker")
        ]

    @property
    def worker(self) -> int:
        return self.processes[1].pid

    def answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            return bool(answer.read()) and answer.status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(40)


def served_by(database: Engine) -> list[int]:
    """The delivery process of each partner, by its number."""
    query = (
        "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND classid = :owner AND granted AND datname = current_database()"
    )
    with database.connect() as connection:
        names = connection.execute(text(query), {"owner": OWNER}).scalars()
        return [int(name.rpartition("-")[2]) for name in names]


def until(what, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.1)


def test_the_previous_release_takes_and_delivers_messages_beside_this_one(previous, site, url, database, partners):
    releases = [Release(previous, site, url), Release(ROOT, site, url)]
    try:
        until(lambda: all(release.answers() for release in releases))
        until(lambda: set(served_by(database)) == {release.worker for release in releases})
        loads = [Load("127.0.0.1", release.port, PASSWORD, threads=2, pause=0.1) for release in releases]
        for load in loads:
            load.start()
        until(lambda: all(len(load.sent) > 20 for load in loads))
        for load in loads:
            load.stop()
        told = {one.event_no for load in loads for one in load.sent}
        assert [one.failures for load in loads for one in load.sent if one.failures] == []
        until(lambda: all({one.request.event_no for one in fake.sent()} == told for fake in partners.values()))
    finally:
        for release in releases:
            release.stop()
    assert [process.returncode for release in releases for process in release.processes] == [0, 0, 0, 0]
