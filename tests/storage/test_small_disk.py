"""A gateway whose database stands on a real disk of 200 MB: whatever becomes of it, what was answered is there."""

import base64
import io
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from gateway import migrate
from gateway.bootstrap.core import make_core
from gateway.bootstrap.web import web_application
from gateway.config import Settings, Storage
from gateway.contract import Contract
from gateway.database.embedded import EmbeddedDatabase
from gateway.security.clients import add_client
from gateway.security.secrets import create_key_file
from gateway.storage import room as rooms

PASSWORD = "a-password-of-a-test"
STATUS = Contract().sample("ReportStatus").read_bytes()


class SmallSite:
    """A site on the small disk, with its database running."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.answered: list[str] = []
        """MessageIds that were not answered by a fault."""
        self._database = EmbeddedDatabase(place / "database")
        self._sent = 0
        url = self.start()
        migrate.upgrade(url)
        engine = create_engine(url)
        with Session(engine) as session:
            add_client(session, "PACS", rights=["ReportStatus"], operations=["ReportStatus"], password=PASSWORD)
            session.commit()
        engine.dispose()

    def start(self) -> str:
        return self._database.start()

    def open(self, free_megabytes: int) -> None:
        settings = Settings(
            folder=self.place, hospital_code="44643245-7", storage=Storage(free_megabytes=free_megabytes)
        )
        self.core = make_core(settings, pool_size=2)
        self._application = web_application(self.core)

    def close(self) -> None:
        self.core.engine.dispose()

    def send(self) -> str:
        """One status with a MessageId of its own; the code of the answer."""
        self._sent += 1
        name = f"small-{self._sent}"
        body = re.sub(rb"<MessageId>[^<]*<", b"<MessageId>%s<" % name.encode(), STATUS)
        basic = base64.b64encode(f"PACS:{PASSWORD}".encode()).decode()
        environ = {
            "REQUEST_METHOD": "POST", "PATH_INFO": "/soap", "CONTENT_TYPE": "text/xml; charset=utf-8",
            "CONTENT_LENGTH": str(len(body)), "HTTP_AUTHORIZATION": f"Basic {basic}", "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": "gateway", "SERVER_PORT": "80", "wsgi.input": io.BytesIO(body), "wsgi.url_scheme": "http",
        }  # fmt: skip
        answer = b"".join(self._application(environ, lambda line, headers: None)).decode()
        found = re.search(r"<(?:\w+:)?ResultCode>([^<]+)<", answer)
        if found is not None:
            self.answered.append(name)
            return found[1]
        assert "SYS-503" in answer, answer
        assert ">true</" in answer.partition("Retryable")[2], "it may be sent again"
        return "SYS-503"

    def fill(self, left: int) -> None:
        """Let so many bytes be free."""
        with (self.place / "filler").open("wb") as filler:
            while (free := shutil.disk_usage(self.place).free) > left:
                try:
                    filler.write(bytes(max(min(free - left, 2**20), 1)))
                    filler.flush()
                except OSError:
                    return

    def empty(self) -> None:
        (self.place / "filler").unlink(missing_ok=True)

    def kept(self) -> set[str]:
        engine = create_engine(self.start())
        with engine.connect() as connection:
            names = set(connection.scalars(text("SELECT message_id FROM journal")))
        engine.dispose()
        return names

    def end(self) -> None:
        self.empty()
        self._database.remove()


@pytest.fixture
def small() -> Iterator[SmallSite]:
    place = Path(tempfile.mkdtemp(prefix="gateway-small-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m,mode=755", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        place.rmdir()
        pytest.skip("only the administrator may mount a disk")
    try:
        create_key_file(place / "secret.key")
        (place / "database").mkdir()
        site = SmallSite(place)
        yield site
        site.end()
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
        place.rmdir()


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "LOOK_SECONDS", 0.0)


def test_below_the_threshold_nothing_is_taken_and_above_it_again(small: SmallSite):
    small.open(free_megabytes=20)
    assert small.send() != "SYS-503"
    small.fill(left=10 * 2**20)
    assert small.send() == "SYS-503"
    small.empty()
    assert small.send() != "SYS-503"
    small.close()
    assert small.kept() == set(small.answered) == {"small-1", "small-3"}


def test_a_disk_that_is_full_to_the_last_byte_costs_no_message_that_was_answered(small: SmallSite):
    """No threshold: PostgreSQL itself finds the disk full, and may even end for a while."""
    small.open(free_megabytes=0)
    codes = [small.send() for _ in range(20)]
    small.fill(left=0)
    deadline = time.monotonic() + 60
    while "SYS-503" not in codes and time.monotonic() < deadline:
        codes.append(small.send())
    assert "SYS-503" in codes
    small.empty()
    small.start()
    assert small.kept() >= set(small.answered)
    deadline = time.monotonic() + 30
    while (code := small.send()) == "SYS-503" and time.monotonic() < deadline:
        time.sleep(0.5)
    assert code != "SYS-503", "it takes work again"
    small.close()
    assert small.kept() == set(small.answered)
