"""var/demo.json: where the running demonstration is found, by whom it may be called and which processes it has."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from gateway.contract import Contract
from gateway.database.embedded import libpq_url
from gateway.demo.site import OPERATIONS
from gateway.simulators.process import SimulatorProcess


class Passport:
    """Written when everything is up, and again whenever a process is replaced; readable by its owner alone."""

    def __init__(
        self,
        path: Path,
        base: str,
        database: str,
        passwords: Mapping[str, str],
        simulators: Iterable[SimulatorProcess],
    ) -> None:
        contract = Contract()
        self.path = path
        self._lock = Lock()
        self.facts: dict[str, Any] = {
            "soap": f"{base}/soap",
            "wsdl": f"{base}/soap?wsdl",
            "wsdl12": f"{base}/soap?wsdl=soap12",
            "console": f"{base}/",
            "health": f"{base}/healthz",
            "metrics": f"{base}/metrics",
            "database": libpq_url(database),
            "clients": {
                name: {"password": password, "operations": list(OPERATIONS[name])}
                for name, password in passwords.items()
            },
            "pids": {},
            "partners": {s.name: {"url": s.url, "log": str(s.log.resolve())} for s in simulators},
            "samples": {o.name: str(contract.sample(o.name).resolve()) for o in contract.operations},
        }

    def write(self, pids: Mapping[str, int]) -> None:
        """In one step, so that nobody ever reads half of it."""
        with self._lock:
            scratch = self.path.with_name(f"{self.path.name}.new")
            scratch.unlink(missing_ok=True)
            handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self.facts | {"pids": dict(pids)}, file, ensure_ascii=False, indent=2)
                file.write("\n")
            scratch.replace(self.path)

    def remove(self) -> None:
        """When nothing runs any more, nothing is to be found."""
        self.path.unlink(missing_ok=True)
