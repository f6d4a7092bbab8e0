"""The simulated duty office (总值班): POST /notices takes a signed notice of the gateway's webhook, and lists it.

With a secret it believes only what is signed with it; the rest is as for every simulated system (`server.py`).
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from gateway.simulators.request_log import RequestLog
from gateway.simulators.server import Environ, Reply, Simulator, Worked, json_reply
from gateway.simulators.signed import is_signed
from gateway.simulators.system import SimulatedSystem

LARGEST_NOTICE = 64 * 1024
SECRET = "duty.secret"  # noqa: S105 - a file's name
OPERATION = "Notice"


class SimulatedDutyOffice(SimulatedSystem):
    """Keeps every notice once, by its number."""

    name = "DUTY"

    def take(self, notice: dict[str, Any]) -> None:
        self.memory.remember("notices", (str(notice["notice"]),), **notice)


class DutyOfficeSimulator(Simulator):
    """The office behind its one address."""

    path = "/notices"

    def __init__(self, office: SimulatedDutyOffice, log: RequestLog, secret_file: Path | None) -> None:
        super().__init__(office, log)
        self._office = office
        self._secret_file = secret_file

    def _message(self, environ: Environ) -> Reply:
        size = min(int(environ.get("CONTENT_LENGTH") or 0), LARGEST_NOTICE)
        body = environ["wsgi.input"].read(size)
        if not self._is_signed(environ, body):
            self._log.write(OPERATION, "401")
            return json_reply(401, {"error": "The signature is missing or wrong."})
        try:
            notice = json.loads(body)
            noted = {"message_id": notice["notice"], "critical_id": notice["critical_id"]}
            noted |= {"overdue_stage": notice["stage"], "escalation_level": str(notice["level"])}
        except (ValueError, TypeError, KeyError):
            self._log.write(OPERATION, "400")
            return json_reply(400, {"error": "This is no notice."})
        return self._disturbed(OPERATION, None, partial(self._taken, notice), **noted)

    def _description(self, environ: Environ) -> Reply:
        return json_reply(200, {"office": self._office.name, "takes": "notices of late critical values"})

    def _taken(self, notice: dict[str, Any], refusal: str | None) -> Worked:
        if refusal is not None:
            return Worked(refusal, json_reply(503, {"error": refusal}), {})
        with self._one_at_a_time:
            self._office.take(notice)
        return Worked("0", json_reply(200, {"taken": notice["notice"]}), {})

    def _is_signed(self, environ: Environ, body: bytes) -> bool:
        if self._secret_file is None or not self._secret_file.exists():
            return True
        return is_signed(self._secret_file.read_text(encoding="utf-8").strip(), body, environ)
