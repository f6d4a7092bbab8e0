"""`gateway demo --no-stories` in processes of its own: the gateway the toolkits call, with simulated partners."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from toolkits import Toolkit

START_SECONDS = 100.0


@dataclass(frozen=True)
class Site:
    """What var/demo.json says of the gateway, and which worker of the test run asks."""

    facts: dict[str, Any]
    worker: int

    def wsdl(self, toolkit: Toolkit) -> str:
        return str(self.facts["wsdl12" if toolkit.version == "1.2" else "wsdl"])

    def password(self, client: str) -> str:
        return str(self.facts["clients"][client]["password"])


def start(folder: Path) -> None:
    folder.chmod(0o755)
    command = [sys.executable, "-m", "gateway", "demo", "--no-stories", "--port", "0", "--folder", str(folder / "demo")]
    with (folder / "output.txt").open("wb") as output:
        # It may outlive the worker that starts it, so it is no child of it.
        subprocess.run(["setsid", "--fork", *command], stdout=output, stderr=subprocess.STDOUT, check=True)
    deadline = time.monotonic() + START_SECONDS
    while not (folder / "demo.json").exists():
        assert time.monotonic() < deadline, (folder / "output.txt").read_text()
        time.sleep(0.1)


def stop(folder: Path) -> None:
    web = json.loads((folder / "demo.json").read_text())["pids"]["web"]
    demonstration = psutil.Process(web).parent()
    assert demonstration is not None
    demonstration.terminate()
    demonstration.wait(60)
    shutil.rmtree(folder)
