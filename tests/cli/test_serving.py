"""`gateway serve` as a site runs it, with real processes: it answers, repairs what dies, and leaves nothing behind."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from at_the_terminal import Command

from gateway import cli
from gateway.config import ConfigurationError, load_settings
from gateway.database.embedded import EmbeddedDatabase
from gateway.serving import Serving

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}


class Site:
    """A running `gateway serve`."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = ENVIRONMENT | environment
        self.log = folder / "gateway.log"
        command = [sys.executable, "-m", "gateway", "serve", "--folder", folder, "--port", "0", "--log-file", self.log]
        self.process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @property
    def known(self) -> dict[str, object]:
        try:
            return json.loads((self.folder / "run" / "processes.json").read_text())
        except FileNotFoundError:
            return {}

    @property
    def pids(self) -> dict[str, int]:
        return self.known.get("pids", {})  # type: ignore[return-value]

    def ask(self, path: str) -> tuple[int, bytes]:
        """GET a page; status 0 while nothing answers."""
        address = str(self.known.get("address", "http://127.0.0.1:1")).removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def said(self, words: str) -> bool:
        return any(words in str(line["event"]) for line in self.lines())


def until(what: Callable[[], object], seconds: float = 100) -> float:
    """Wait for something to be true; how long it took."""
    started = time.monotonic()
    while not what():
        assert time.monotonic() - started < seconds, "it never became true"
        time.sleep(0.05)
    return time.monotonic() - started


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    """One site with its embedded database for all tests here, in a folder every user can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="gw-serve-"))
    folder.chmod(0o755)
    assert cli.run(["init", "--folder", str(folder), "--hospital-code", "44643245-7"]) == 0
    site = Site(folder)
    until(lambda: site.ask("/healthz")[0] == 200)
    yield site
    site.process.send_signal(signal.SIGTERM)
    site.process.communicate(timeout=60)
    EmbeddedDatabase(folder / "database").remove()
    shutil.rmtree(folder)


def test_it_answers_and_shows_its_own_address(served: Site):
    soap = str(served.known["soap"])
    assert json.loads(served.ask("/readyz")[1]) == {"ready": True, "database": True, "migrations": True}
    assert f'location="{soap}"'.encode() in served.ask("/soap?wsdl")[1]
    until(lambda: {"web", "web-worker-1", "web-worker-2", "worker-1", "database"} == set(served.pids))


def test_a_client_can_be_added_and_call_while_it_runs(served: Site, gateway: Command):
    password = gateway("client", "add", "HIS", "--all-operations", "--folder", served.folder).out
    words = ("call", "SubmitRequisition", "--to", served.known["soap"], "--user", "HIS", "--password-stdin")
    said = gateway(*words, stdin=password)
    assert (said.code, said.err) == (0, "")
    assert b'gateway_requests_total{code="0",operation="SubmitRequisition"} 1.0' in served.ask("/metrics")[1]


def test_check_finds_nothing_wrong_with_it(served: Site, gateway: Command):
    assert gateway("check", "--folder", served.folder).code == 0


def test_a_folder_is_served_once(served: Site):
    with pytest.raises(ConfigurationError, match=f"Another `gateway serve` runs in {served.folder}"):
        Serving(load_settings(served.folder), port=0).run()


def test_a_port_in_use_is_named(served: Site, empty_site: Path):
    port = int(str(served.known["address"]).rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=f"Nothing can listen on 127.0.0.1 port {port} "):
        Serving(load_settings(empty_site), port=port).run()


def test_a_killed_database_is_repaired_within_seconds(served: Site):
    database = served.pids["database"]
    os.kill(database, signal.SIGKILL)
    until(lambda: served.ask("/readyz")[0] != 200, 5)
    assert until(lambda: served.ask("/readyz")[0] == 200) < 10
    until(lambda: served.pids.get("database") not in (None, database))


def test_a_killed_delivery_worker_is_started_again_with_a_line_in_the_log(served: Site):
    worker = served.pids["worker-1"]
    os.kill(worker, signal.SIGKILL)
    until(lambda: served.pids.get("worker-1") not in (None, worker), 5)
    assert served.said(f"Process worker-1 ({worker}) ended with signal SIGKILL: it is started again at once.")


def test_a_killed_web_server_refuses_no_connection(served: Site):
    web = served.pids["web"]
    os.kill(web, signal.SIGKILL)
    until(lambda: served.pids.get("web") not in (None, web), 5)
    assert served.ask("/healthz")[0] == 200
    until(lambda: served.said("ended with signal SIGKILL") and "web-worker-2" in served.pids)


def test_the_log_has_one_object_a_line(served: Site):
    lines = served.lines()
    assert {line["process"] for line in lines} >= {"serve", "web"}
    assert all({"time", "level", "process", "pid", "event"} <= set(line) for line in lines)


def test_sigterm_ends_web_workers_and_database_in_this_order(served: Site):
    until(lambda: {"web", "web-worker-2", "worker-1", "database"} <= set(served.pids))
    pids, address = served.pids, str(served.known["address"]).removeprefix("http://")
    served.process.send_signal(signal.SIGTERM)
    out, err = served.process.communicate(timeout=60)
    assert (served.process.returncode, err) == (0, b"")
    assert address.encode() in out
    assert [name for name, pid in pids.items() if alive(pid)] == []
    assert sorted(path.name for path in (served.folder / "run").iterdir()) == ["metrics", "serve.lock"]
    host, _, port = address.partition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=1)


def test_when_the_supervisor_is_killed_nothing_goes_on_without_it(empty_site: Path, migrated: str):
    fewer = {"GATEWAY_SERVER__WORKERS": "1", "GATEWAY_DATABASE_URL": migrated}
    site = Site(empty_site, **fewer)
    until(lambda: site.ask("/healthz")[0] == 200 and {"web", "web-worker-1", "worker-1"} == set(site.pids))
    pids = site.pids
    site.process.kill()
    site.process.communicate(timeout=30)
    until(lambda: not any(alive(pid) for pid in pids.values()), 20)


def test_ctrl_c_while_the_sites_database_is_away_ends_it_at_once(empty_site: Path):
    site = Site(empty_site, GATEWAY_DATABASE_URL="postgresql://u:hidden@127.0.0.1:1/x")
    until(lambda: site.said("The database cannot be reached: nothing answers at that address."))
    site.process.send_signal(signal.SIGINT)
    assert site.process.communicate(timeout=30) == (b"", b"")
    assert site.process.returncode == 0
    assert "hidden" not in site.log.read_text()
