"""The proof from beginning to end: what is done to the nodes under load, and what is measured meanwhile."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from gateway.delivery.leases import owners
from gateway.model.node import NodeProcess
from gateway.store import make_engine
from tests.nodes.proof.balancer import Balancer
from tests.nodes.proof.database import Database
from tests.nodes.proof.load import Load
from tests.nodes.proof.network import Network
from tests.nodes.proof.node import ENVIRONMENT, Node
from tests.partners.fake_partner import FakePartner

HOSPITAL = "44643245-7"
PARTNERS = ("PACS", "LIS", "EMR", "OR")
START_SECONDS = 90
MOVE_SECONDS, BACK_SECONDS = 15.0, 5.0
"""What is promised: for partners of a dead node to be served, and for the service after its database is back."""
OUTAGE_SECONDS = 2.0

Say = Callable[[str], None]


class ProofFailed(Exception):
    """It could not even be tried; the text says why."""


@dataclass
class Findings:
    """What was measured, what was promised, and whether it was kept (None: nothing was promised)."""

    rows: list[tuple[str, str, str, str, bool | None]] = field(default_factory=list)

    def note(self, step: str, what: str, measured: str, promised: str = "", kept: bool | None = None) -> None:
        self.rows.append((step, what, measured, promised, kept))

    def seconds(self, step: str, what: str, measured: float | None, most: float | None = None) -> None:
        words = "never" if measured is None else f"{measured:.1f} s"
        kept = None if most is None else measured is not None and measured < most
        self.note(step, what, words, "" if most is None else f"< {most:g} s", kept)

    def none(self, step: str, what: str, count: int) -> None:
        self.note(step, what, str(count), "0", count == 0)

    @property
    def broken(self) -> list[str]:
        return [f"{step}: {what}" for step, what, _, _, kept in self.rows if kept is False]


class Proof:
    """The site of one run."""

    def __init__(self, network: Network, folder: Path, say: Say) -> None:
        self.network = network
        self.findings = Findings()
        self._folder = folder
        self._say = say
        self.database = Database(folder / "database", network.address)
        self.balancer = Balancer(network, folder)
        self.partners = {name: FakePartner(host=network.address) for name in PARTNERS}
        self.nodes = [Node(place, folder / place.name, self.database.url) for place in network.places]
        self._engine = make_engine(self.database.url.replace("postgresql:", "postgresql+psycopg:"), pool_size=1)
        self.load: Load
        self._longest_gap = 0.0

    @contextmanager
    def running(self) -> Iterator[Proof]:
        """Database, partners, both nodes, the balancer and the load. Nothing of them is left at the end."""
        with ExitStack() as stack:
            for partner in self.partners.values():
                stack.callback(partner.close)
            stack.callback(self.database.remove)
            stack.callback(self._engine.dispose)
            self._say("PostgreSQL, the site's folders, two nodes and HAProxy are started")
            self.database.make()
            password = self._make_site()
            for node in self.nodes:
                stack.callback(node.stop)
                node.start()
            stack.callback(self.balancer.stop)
            self.balancer.start()
            self._await(lambda: len(set(self.served().values())) == 2 and len(self.served()) == len(PARTNERS))
            address, port = self.balancer.address, self.balancer.port
            self.load = Load(address, port, password, threads=4, pause=0.3)
            stack.callback(self.load.stop)
            self.load.start()
            if self.load.next_answer(time.monotonic(), 30) is None:
                raise ProofFailed(f"No message is answered: see the logs in {self._folder}.")
            yield self

    # --- what is done -------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Everything, one after the other, under load all the while."""
        first, second = self.nodes
        time.sleep(4)
        self._kill(first, second)
        self._join(first)
        self._drain(second, first)
        second.start()
        self._await(lambda: self._is_serving(second))
        self._restart_database()
        if self.network.has_cables:
            self._cut_off(second, first)
        time.sleep(3)
        self._conclude()

    def _kill(self, victim: Node, other: Node) -> None:
        step = f"{victim.place.name} is killed (-9, every process)"
        self._say(step)
        lost = [name for name, node in self.served().items() if node == victim.place.name]
        at = time.monotonic()
        count = victim.kill()
        moved = self._until_served_by(other, at)
        self.findings.note(step, "processes killed, partners they served", f"{count}, {', '.join(lost)}")
        self.findings.seconds(step, f"until {other.place.name} serves every partner", moved, MOVE_SECONDS)
        self.findings.seconds(step, "until each partner is sent something again", self._sent_again(at, lost, 20))
        self._after_retry(step, at)

    def _join(self, node: Node) -> None:
        step = f"{node.place.name} joins again"
        self._say(step)
        at = time.monotonic()
        node.start()
        self._await(lambda: self._is_serving(node))
        self.findings.seconds(step, "until it serves its share (with the start of Python)", time.monotonic() - at)
        time.sleep(2)  # until the balancer sends it messages
        self._after_retry(step, at)

    def _drain(self, node: Node, other: Node) -> None:
        step = f"{node.place.name} is drained"
        self._say(step)
        at = time.monotonic()
        command = node.drain()
        moved, gap = self._until_served_by(other, at, 60), self._longest_gap
        out, _ = command.communicate(timeout=60)
        code = node.process.wait(30) if node.process else -1
        ended = time.monotonic() - at
        time.sleep(1)
        failed = [one for one in self.load.since(at) for when, _ in one.failures if when > at]
        self.findings.none(step, "messages that failed at the first attempt", len(failed))
        self.findings.seconds(step, f"until {other.place.name} serves every partner", moved)
        self.findings.seconds(step, "a partner was served by nobody at most", gap)
        self.findings.seconds(step, "until it has ended (the command's own start included)", ended)
        self.findings.note(step, "exit code of the node and of the command", f"{code}, {command.returncode}", "0, 0",
                           (code, command.returncode) == (0, 0))  # fmt: skip
        if command.returncode:
            self._say(out.decode(errors="replace"))

    def _restart_database(self) -> None:
        step = "PostgreSQL is ended at once and started again"
        self._say(step)
        at = time.monotonic()
        self.database.end_at_once()
        time.sleep(OUTAGE_SECONDS)
        back = self.database.start()
        answer = self.load.next_answer(back, 30)
        sent = self._sent_again(back, list(PARTNERS), 30)
        self.findings.seconds(step, "database away", back - at)
        after = None if answer is None else answer - back
        self.findings.seconds(step, "from the database's first yes to the first answer 0", after, BACK_SECONDS)
        self.findings.seconds(step, "... and until each partner is sent something again", sent, BACK_SECONDS)
        time.sleep(1)
        self._after_retry(step, at)

    def _cut_off(self, node: Node, other: Node) -> None:
        step = f"{node.place.name} vanishes from the network"
        self._say(step)
        at = time.monotonic()
        node.place.pull_cable()
        moved = self._until_served_by(other, at, 30)
        self.findings.seconds(step, f"until {other.place.name} serves every partner", moved, MOVE_SECONDS)
        time.sleep(max(0.0, 15.5 - (time.monotonic() - at)))  # longer than a sender waits for its answer
        node.place.plug_in()
        back = time.monotonic()
        self._await(lambda: self._is_serving(node))
        self.findings.seconds(step, "back on the network, until it serves its share", time.monotonic() - back)
        self._after_retry(step, at)

    def _conclude(self) -> None:
        step = "all in all"
        self._say("the load ends; everything is delivered and counted")
        self.load.stop()
        answered = {one.event_no for one in self.load.sent if one.answered is not None}
        until = time.monotonic() + 60
        while self._missing(answered) and time.monotonic() < until:
            time.sleep(0.2)
        received = [Counter(one.request.event_no for one in fake.sent()) for fake in self.partners.values()]
        again = sum(count - 1 for numbers in received for count in numbers.values())
        broken = sum(len(fake.broken) for fake in self.partners.values())
        self.findings.note(step, "messages answered 0", str(len(answered)))
        self.findings.none(step, "messages without a good answer at the end", len(self.load.sent) - len(answered))
        self.findings.none(step, "answered 0 but not delivered to a partner", self._missing(answered))
        self.findings.none(step, "received that breaks the contract", broken)
        self.findings.note(
            step, "deliveries, of them repeated under the same number", f"{sum(map(len, received))}, {again}"
        )

    # --- looking ------------------------------------------------------------------------------------------------------

    def served(self) -> dict[str, str]:
        """Partner -> the node that serves it now."""
        try:
            with Session(self._engine) as session:
                leases = dict(session.execute(select(NodeProcess.lease, NodeProcess.node)).tuples().all())
                held = owners(session, PARTNERS)
        except SQLAlchemyError:
            return {}
        return {name: leases[number] for name, number in held.items() if number in leases}

    def _is_serving(self, node: Node) -> bool:
        return node.place.name in self.served().values()

    def _until_served_by(self, node: Node, since: float, seconds: float = 25) -> float | None:
        """Seconds until every partner is served by a node; None when it takes too long."""
        seen = dict.fromkeys(PARTNERS, time.monotonic())
        self._longest_gap = 0.0
        while (now := time.monotonic()) < since + seconds:
            served = self.served()
            for name in served:
                self._longest_gap = max(self._longest_gap, now - seen[name])
                seen[name] = now
            if served == dict.fromkeys(PARTNERS, node.place.name):
                return now - since
            time.sleep(0.05)
        return None

    def _sent_again(self, since: float, names: list[str], seconds: float) -> float | None:
        """Seconds until each of these partners has got something that was sent afterwards."""
        moment = time.time() - time.monotonic() + since + 0.2  # not what was just being sent
        while time.monotonic() < since + seconds:
            firsts = [
                min((one.started for one in self.partners[name].sent() if one.started > moment), default=None)
                for name in names
            ]
            if None not in firsts:
                return max((first for first in firsts if first is not None), default=moment) - moment + 0.2
            time.sleep(0.05)
        return None

    def _after_retry(self, step: str, since: float) -> None:
        """How many messages needed a retry since then, and how many more than one."""
        time.sleep(1.5)
        failed = [one for one in self.load.since(since) if one.failures and one.failures[-1][0] > since]
        why = Counter(reason for one in failed for _, reason in one.failures)
        words = ", ".join(f"{count} x {reason}" for reason, count in why.most_common(4))
        self.findings.note(step, "messages that needed a retry", f"{len(failed)}" + (f" ({words})" if words else ""))
        waiting = [one for one in failed if one.answered is None]
        until = time.monotonic() + 40
        while any(one.answered is None for one in waiting) and time.monotonic() < until:
            time.sleep(0.1)
        self.findings.none(step, "without a good answer after it", sum(one.answered is None for one in waiting))

    def _missing(self, answered: set[str]) -> int:
        return sum(len(answered - {one.request.event_no for one in fake.sent()}) for fake in self.partners.values())

    def _await(self, what: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        until = time.monotonic() + seconds
        while not what():
            if time.monotonic() > until:
                raise ProofFailed(f"It did not come so far within {seconds} s: see the logs in {self._folder}.")
            time.sleep(0.05)

    # --- the site -----------------------------------------------------------------------------------------------------

    def _make_site(self) -> str:
        """The folder of the first node, copied for the second; the password of HIS."""
        first, second = self.nodes
        self._gateway(first, "init", "--hospital-code", HOSPITAL)
        routed = ", ".join(f'"{name}"' for name in PARTNERS)
        text = f'hospital_code = "{HOSPITAL}"\npublic_url = "http://gateway.example.org"\n'
        route = f'\n[[routes]]\noperation = "ReportVisitEvent"\npartners = [{routed}]\n'
        (first.folder / "gateway.toml").write_text(text + route)
        for name, fake in self.partners.items():
            folder = first.folder / "partners" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "partner.toml").write_text(f'url = "{fake.url}"\ntotal_seconds = 5\n')
        shutil.copytree(first.folder, second.folder)
        self._gateway(first, "migrate")
        return self._gateway(first, "client", "add", "HIS", "--all-operations", "--right", "HIS").strip()

    def _gateway(self, node: Node, *words: str) -> str:
        command = [sys.executable, "-m", "gateway", *words, "--folder", str(node.folder)]
        environment = {**ENVIRONMENT, "GATEWAY_DATABASE_URL": self.database.url}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ProofFailed(done.stderr.strip())
        return done.stdout
