"""The demonstration, as everybody meets it first: one command that shows the whole gateway at work."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from lxml import etree

from gateway.contract import NAMESPACE, Contract
from gateway.demo.stories import STORIES
from gateway.simulators.process import free_port

pytestmark = pytest.mark.timeout(240)
OPERATIONS = [operation.name for operation in Contract().operations]
NUMBERS = [str(number) for number, _ in enumerate(STORIES, 1)]


class Demonstration:
    """`gateway demo` in a process of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder / "demo"
        self.passport = folder / "demo.json"
        self.output = folder / "output.txt"
        command = [sys.executable, "-m", "gateway", "demo", "--folder", str(self.folder), *words]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

    @property
    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.passport.read_text())
        return found

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_until(self, so: Callable[[], bool], seconds: float = 100) -> None:
        deadline = time.monotonic() + seconds
        while not so():
            assert time.monotonic() < deadline, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.1)

    def end(self, order: signal.Signals = signal.SIGINT) -> int:
        if self.process.poll() is None:
            os.killpg(self.process.pid, order)  # as Ctrl-C in a terminal does
        return self.process.wait(60)

    def processes(self) -> list[str]:
        """The command lines of everything that runs for it: its own folder stands in each."""
        found = []
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.folder) in line and "pytest" not in line:
                found.append(line)
        return found


def is_running(pid: int) -> bool:
    """False also for a process that has ended and that nobody has asked for its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def send_sample(facts: dict[str, Any], operation: str) -> str:
    """The ResultCode of a sample sent as the client its Header names."""
    body = Path(facts["samples"][operation]).read_bytes()
    sender = etree.fromstring(body).findtext(f".//{{{NAMESPACE}}}SenderCode")
    answer = requests.post(
        facts["soap"],
        body,
        headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'},
        auth=(sender, facts["clients"][sender]["password"]),
        timeout=30,
    )
    return etree.fromstring(answer.content).findtext(f".//{{{NAMESPACE}}}ResultCode") or answer.text


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """One that only serves."""
    demo = Demonstration(tmp_path_factory.mktemp("serving"), "--port", "0", "--no-stories")
    demo.wait_until(demo.passport.exists)
    yield demo
    demo.end()


def test_the_stories_come_true_at_the_partners_and_nothing_is_left_running(tmp_path: Path) -> None:
    demo = Demonstration(tmp_path, "--port", "0", "--exit")
    assert demo.process.wait(150) == 0, demo.text
    assert re.findall(r"^✓ +(\d+) ", demo.text, re.MULTILINE) == NUMBERS
    assert "✗" not in demo.text
    assert max(map(len, demo.text.splitlines())) <= 100
    log = [json.loads(line) for line in (demo.folder / "simulators" / "his.jsonl").read_text().splitlines()]
    assert [line["operation"] for line in log if line.get("charge_no") == "JF401"][:2] == [
        "ChargeItem",
        "QueryTransaction",
    ]
    assert demo.processes() == []
    assert not demo.passport.exists()
    assert not (demo.folder / "database").exists()


@pytest.mark.long
def test_a_story_that_does_not_come_true_ends_the_demonstration_loudly(tmp_path: Path) -> None:
    demo = Demonstration(tmp_path, "--port", "0")
    settings = demo.folder / "partners" / "EMR" / "partner.toml"
    demo.wait_until(lambda: settings.exists() and _refuse_next_report(settings.read_text()))
    assert demo.process.wait(150) == 1
    assert "✗ 1  at EMR: expected SubmitReport BG101, accepted once; its log has answered RPT-400" in demo.text
    assert re.findall(r"^✓ +(\d+) ", demo.text, re.MULTILINE) == NUMBERS[1:]
    assert demo.processes() == []


def _refuse_next_report(partner: str) -> bool:
    """Tell the simulated system of a partner.toml to refuse one report; False while it does not listen yet."""
    try:
        address = tomllib.loads(partner)["url"].replace("/soap", "/control")
        return requests.post(address, json={"refuse": "RPT-400", "operation": "SubmitReport"}, timeout=30).ok
    except (KeyError, requests.RequestException):
        return False


def test_its_json_file_says_everything_and_only_to_its_owner(serving: Demonstration) -> None:
    facts = serving.facts
    assert list(facts) == [
        *("soap", "wsdl", "wsdl12", "console", "health", "metrics", "database"),
        *("clients", "pids", "partners", "samples"),
    ]
    assert serving.passport.stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/soap", facts["soap"])
    assert {"web", "web-worker-1", "web-worker-2", "worker-1", "database"} == set(facts["pids"])
    assert list(facts["clients"]) == ["HIS", "PACS", "LIS", "EMR", "US", "INSURER"]
    assert list(facts["partners"]) == ["HIS", "PACS", "LIS", "EMR", "YB", "DUTY", "US"]
    assert all(set(client) == {"password", "operations"} for client in facts["clients"].values())
    assert list(facts["samples"]) == OPERATIONS


def test_every_address_of_it_answers(serving: Demonstration) -> None:
    facts = serving.facts
    for name in ("wsdl", "wsdl12", "console", "health", "metrics"):
        assert requests.get(facts[name], timeout=30).status_code == 200, name
    for partner in facts["partners"].values():
        assert requests.get(f"{partner['url']}?wsdl", timeout=30).ok
        assert Path(partner["log"]).is_file()
    with psycopg.connect(facts["database"]) as connection:
        assert connection.execute("SELECT count(*) FROM client").fetchone() == (6,)


def test_the_samples_sent_once_each_in_order_are_all_accepted(serving: Demonstration) -> None:
    facts = serving.facts
    assert {operation: send_sample(facts, operation) for operation in OPERATIONS} == dict.fromkeys(OPERATIONS, "0")
    log = Path(facts["partners"]["PACS"]["log"])
    serving.wait_until(lambda: "SubmitRequisition" in log.read_text(), 100)


@pytest.mark.parametrize("name", ["worker-1", "web-worker-1", "web", "database"])
def test_a_process_that_dies_is_replaced_and_the_file_says_so(serving: Demonstration, name: str) -> None:
    before = serving.facts["pids"]
    os.kill(before[name], signal.SIGKILL)
    serving.wait_until(lambda: serving.facts["pids"].keys() >= before.keys() and _is_new(serving, before, name), 100)
    serving.wait_until(lambda: _is_healthy(serving.facts["health"]), 100)


def _is_new(serving: Demonstration, before: dict[str, int], name: str) -> bool:
    pids = serving.facts["pids"]
    return before[name] not in pids.values() and all(map(is_running, pids.values()))


def _is_healthy(address: str) -> bool:
    try:
        return requests.get(address.replace("healthz", "readyz"), timeout=30).status_code == 200
    except requests.RequestException:
        return False


def test_ctrl_c_stops_everything_and_removes_the_database(tmp_path: Path) -> None:
    demo = Demonstration(tmp_path, "--port", "0", "--no-stories")
    demo.wait_until(demo.passport.exists)
    pids = demo.facts["pids"].values()
    assert demo.end() == 0
    assert demo.processes() == []
    assert not [pid for pid in pids if is_running(pid)]
    assert not (demo.folder / "database").exists()
    assert not demo.passport.exists()


def test_a_second_one_in_the_same_folder_is_refused_in_one_line(serving: Demonstration, tmp_path: Path) -> None:
    second = Demonstration(serving.folder.parent, "--port", "0")
    assert second.process.wait(60) == 1
    assert second.text.count("\n") == 1
    assert "Another demonstration runs in" in second.text


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        demo = Demonstration(tmp_path, "--port", str(port))
        assert demo.process.wait(60) == 1
    assert demo.text == f"gateway: Port {port} is in use: choose another one with --port, or 0 for any.\n"


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("mine")
    demo = Demonstration(tmp_path, "--port", "0")
    assert demo.process.wait(60) == 1
    assert "holds something that is no demonstration" in demo.text
    assert (tmp_path / "demo" / "thesis.txt").read_text() == "mine"


def test_the_samples_need_no_credentials_of_their_own() -> None:
    for operation in OPERATIONS:
        assert b"AuthHeader" not in Contract().sample(operation).read_bytes()
