"""The web server of the simulated insurance platform: POST /insurance takes one function of the national interface.

The rest is as for every simulated system (`server.py`).
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from gateway.simulators.insurance import Refused, SimulatedInsurance
from gateway.simulators.request_log import RequestLog
from gateway.simulators.server import Environ, Reply, Simulator, Worked, json_reply

LARGEST_MESSAGE = 8 * 1024 * 1024
FAILED = "-1"
NOTED = {
    "ipt_otp_no": "visit_no",
    "mdtrt_id": "platform_visit_no",
    "chrg_bchno": "batch_no",
    "setl_id": "settlement_no",
}
"""Fields of a message that the log shows; none of them is a name."""


class InsuranceSimulator(Simulator):
    """The platform behind its one address."""

    path = "/insurance"

    def __init__(self, platform: SimulatedInsurance, log: RequestLog) -> None:
        super().__init__(platform, log)
        self._platform = platform

    def _message(self, environ: Environ) -> Reply:
        try:
            size = min(int(environ.get("CONTENT_LENGTH") or 0), LARGEST_MESSAGE)
            message = json.loads(environ["wsgi.input"].read(size))
            function, number, content = str(message["infno"]), str(message["msgid"]), message["input"]
            sender = str(message["fixmedins_code"])
        except (ValueError, TypeError, KeyError):
            self._log.write("", FAILED)
            return json_reply(200, _answer("", FAILED, "报文格式错误"))
        noted = {"message_id": number, "sender": sender, **_numbers(content)}
        return self._disturbed(function, None, partial(self._worked, function, number, content), **noted)

    def _description(self, environ: Environ) -> Reply:
        return json_reply(200, {"platform": self._platform.name, "functions": sorted(self._platform.functions)})

    def _worked(self, function: str, number: str, content: Any, refusal: str | None) -> Worked:
        """One message at a time, so that nothing is done twice."""
        try:
            if refusal is not None:
                return _refused(number, refusal, "模拟的拒绝")
            if not self._platform.serves(function):
                return _refused(number, FAILED, "不支持的交易")
            with self._one_at_a_time:
                output = self._platform.carry_out(function, number, content)
        except Refused as reason:
            return _refused(number, FAILED, str(reason))
        except (KeyError, TypeError, AttributeError, IndexError):
            return _refused(number, FAILED, "入参不完整")
        return Worked("0", json_reply(200, _answer(number, "0", "", output)), {})


def _refused(number: str, code: str, text: str) -> Worked:
    return Worked(code, json_reply(200, _answer(number, code, text)), {})


def _answer(number: str, code: str, text: str, output: Any = None) -> dict[str, Any]:
    return {"infcode": code, "inf_refmsgid": number, "err_msg": text, "output": output}


def _numbers(content: Any) -> dict[str, str]:
    """What a message is about: the numbers of its first section."""
    section = next(iter(content.values()), None) if isinstance(content, dict) else None
    first = section[0] if isinstance(section, list) and section else section
    if not isinstance(first, dict):
        return {}
    return {ours: str(first[theirs]) for theirs, ours in NOTED.items() if first.get(theirs)}
