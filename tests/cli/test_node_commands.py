"""The nodes of a site as its staff sees them, and taking one out of service under the eyes of a balancer."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest
from at_the_terminal import Command
from test_serving import Site, until

from gateway import migrate
from gateway.database.embedded import create_database, drop_database
from gateway.security.secrets import create_key_file
from gateway.simulators.process import free_port


@pytest.fixture
def node(
    empty_site: Path, database_server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Site]:
    """A running node that takes three seconds to leave, or as many as a test says."""
    name = f"node_{uuid.uuid4().hex}"
    url = create_database(database_server, name)
    migrate.upgrade(url)
    monkeypatch.setenv("GATEWAY_DATABASE_URL", url)
    monkeypatch.setenv("GATEWAY_NODE", "gw1")
    own = {"GATEWAY_SERVER__WORKERS": "1", "GATEWAY_SERVER__DRAIN_SECONDS": getattr(request, "param", "3")}
    running = Site(empty_site, GATEWAY_DATABASE_URL=url, GATEWAY_NODE="gw1", **own)
    until(lambda: running.ask("/readyz")[0] == 200, 60)
    yield running
    running.process.kill()
    running.process.communicate()
    until(lambda: drop_database(database_server, name) is None)


def test_a_node_is_listed_with_its_processes_and_drains_when_told(node: Site, gateway: Command):
    until(lambda: gateway("node", "list").out.count("running") == 3)
    words = [line.split() for line in gateway("node", "list").out.splitlines()]
    assert words[0][:4] == ["NODE", "PROCESS", "HOST", "PID"]
    assert [line[:2] for line in words[1:]] == [["gw1", "web"], ["gw1", "serve"], ["gw1", "delivery"]]
    assert {int(line[3]) for line in words[1:]} == {
        node.pids["web-worker-1"],
        node.pids["worker-1"],
        node.process.pid,
    }
    assert gateway("node", "drain", "gw9").mistake == "No process of a node gw9 is alive; alive are: gw1."
    address = str(node.known["address"]).removeprefix("http://")
    with ThreadPoolExecutor(1) as terminal:
        drained = terminal.submit(gateway, "node", "drain")
        until(lambda: node.ask("/readyz")[0] == 503)
        assert json.loads(node.ask("/readyz")[1]) == {"ready": False, "draining": True}
        assert closes_its_connection(address)
        assert drained.result(60).out == "Node gw1 has ended.\n"
    assert node.process.wait(60) == 0
    assert "gw1" not in gateway("node", "list").out


def closes_its_connection(address: str) -> bool:
    """Whether a client that comes now is served, and told not to come again on this connection."""
    connection = HTTPConnection(address, timeout=30)
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return (answer.status, answer.getheader("Connection")) == (200, "close")


@pytest.mark.parametrize("node", ["300"], indirect=True)
def test_a_second_sigterm_does_not_wait_for_the_drain(node: Site):
    node.process.send_signal(signal.SIGTERM)
    until(lambda: node.ask("/readyz")[0] == 503)
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(60) == 0


def test_a_node_with_another_key_is_found_out_and_refused(empty_site: Path, database_server: str, gateway: Command):
    name = f"foreign_{uuid.uuid4().hex}"
    url = create_database(database_server, name)
    migrate.upgrade(url)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GATEWAY_DATABASE_URL", url)
        assert gateway("client", "add", "PACS", "--digest").code == 0
        (empty_site / "secret.key").unlink()
        create_key_file(empty_site / "secret.key")
        told = "secret.key is not the key of this database (it does not open the secrets of PACS): copy secret.key"
        assert told in gateway("check").out
        for what in ("serve", "web", "worker"):
            ended = subprocess.run([sys.executable, "-m", "gateway", what], capture_output=True, text=True, timeout=90)
            assert (ended.returncode, told in ended.stderr) == (2, True)
        assert gateway("client", "password", "PACS").code == 0
        assert told not in gateway("check").out
    drop_database(database_server, name)


def test_without_nodes_there_is_nothing_to_list_and_nobody_serves_a_partner(site: Path, gateway: Command):
    (site / "partners" / "HIS" / "partner.toml").write_text('url = "http://127.0.0.1:1/soap"\n')
    said = gateway("node", "list")
    assert (said.code, said.out.split()[0], said.out.count("\n")) == (0, "NODE", 1)
    assert said.err == "Served by nobody at this moment: HIS.\n"


def test_web_and_delivery_that_were_started_one_by_one_end_when_their_node_is_drained(site: Path, gateway: Command):
    own = {"GATEWAY_NODE": "gw7", "GATEWAY_SERVER__PORT": str(free_port()), "GATEWAY_SERVER__WORKERS": "2"}
    environment = {**os.environ, **own, "GATEWAY_SERVER__DRAIN_SECONDS": "1"}
    started = [
        subprocess.Popen([sys.executable, "-m", "gateway", what, "--log-file", site / f"{what}.log"], env=environment)
        for what in ("web", "worker")
    ]
    try:
        until(lambda: gateway("node", "list").out.count("gw7") >= 3, 60)
        assert gateway("node", "drain", "gw7").out == "Node gw7 has ended.\n"
        assert [process.wait(60) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
            process.wait()
