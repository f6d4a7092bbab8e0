"""The toolkits of other languages: each is a program that reads a job as JSON and writes what came of each call."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Toolkit:
    """One toolkit, speaking one version of SOAP."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} SOAP {self.version}"

    @property
    def command(self) -> list[str]:
        commands = {
            "PHP SoapClient": ["php", str(HERE / "client.php")],
            "node soap": ["node", str(HERE / "node" / "client.js")],
            "zeep": [sys.executable, str(HERE / "client_zeep.py")],
            "suds-community": [sys.executable, str(HERE / "client_suds.py")],
        }
        return commands[self.name]

    @property
    def missing(self) -> str | None:
        """What has to be installed before it can be tried."""
        if self.name == "PHP SoapClient" and not _php_has_soap():
            return "PHP's soap extension is not installed: apt install php-cli php-soap"
        if self.name == "node soap" and not (shutil.which("node") and (HERE / "node" / "node_modules").is_dir()):
            return "node's soap is not installed: run `npm ci` in tests/interop/node"
        return None

    def call(self, wsdl: str, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Load the WSDL and make the calls, one after the other; each ends in an `answer` or a `fault`."""
        job = json.dumps({"wsdl": wsdl, "version": self.version, "calls": calls})
        done = subprocess.run(self.command, input=job, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        outcomes: list[dict[str, Any]] = json.loads(done.stdout)
        return outcomes


TOOLKITS = (
    Toolkit("PHP SoapClient", "1.1"),
    Toolkit("PHP SoapClient", "1.2"),
    Toolkit("node soap", "1.1"),
    Toolkit("node soap", "1.2"),
    Toolkit("zeep", "1.1"),
    Toolkit("zeep", "1.2"),
    Toolkit("suds-community", "1.1"),
)


@cache
def _php_has_soap() -> bool:
    if not shutil.which("php"):
        return False
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout
    return "soap" in modules.lower().split()
