"""One node of the proof: `gateway serve` in its place, with a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.nodes.proof.network import Place

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
DRAIN_SECONDS = 5


class Node:
    """A node that can be started, killed with all its processes, and told to drain."""

    def __init__(self, place: Place, folder: Path, database_url: str) -> None:
        self.place = place
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **ENVIRONMENT,
            "GATEWAY_DATABASE_URL": database_url,
            "GATEWAY_NODE": place.name,
            "GATEWAY_SERVER__HOST": place.address,
            "GATEWAY_SERVER__PORT": str(place.port),
            "GATEWAY_SERVER__WORKERS": "1",
            "GATEWAY_SERVER__DRAIN_SECONDS": str(DRAIN_SECONDS),
        }

    def start(self) -> None:
        log = ["--log-file", self.folder / "gateway.log"]
        command = [*self.place.prefix, sys.executable, "-m", "gateway", "serve", "--quiet", "--folder", self.folder]
        self.process = subprocess.Popen([*command, *log], env=self._environment, start_new_session=True)

    def kill(self) -> int:
        """End every process at once, as when the power fails; how many there were."""
        assert self.process is not None
        with suppress(psutil.NoSuchProcess):
            head = psutil.Process(self.process.pid)
            victims = [head, *head.children(recursive=True)]
            for victim in victims:  # nobody may start another one meanwhile
                with suppress(psutil.NoSuchProcess):
                    victim.send_signal(signal.SIGSTOP)
            for victim in victims:
                with suppress(psutil.NoSuchProcess):
                    victim.kill()
            self.process.wait(10)
            return len(victims)
        return 0

    def drain(self) -> subprocess.Popen[bytes]:
        """What an operator types on any node."""
        command = [sys.executable, "-m", "gateway", "node", "drain", self.place.name, "--folder", self.folder]
        return subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            time.sleep(0.2)
            self.process.terminate()  # a second order does not wait
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
            self.kill()
