"""A message platform of an office or SMS system (OA、短信): signed web forms, a receipt number for every prompt.

It shows prompts on the screens and telephones of those they are for. It refuses by HTTP 422, and says why in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from gateway.simulators.signed import is_signed
from gateway.simulators.vendors.json_content import said
from gateway.simulators.vendors.posting import PostedVendor
from gateway.simulators.vendors.vendor import Carry, NotAdmitted, Question, Refused
from gateway.styles.style import Said

SECRET = "message-platform-secret"  # noqa: S105 - of a simulated system
OK, NOBODY, NO_TEXT, NO_FUNCTION = "0", "1203", "1204", "1404"
LONGEST = 500
"""Characters of a prompt."""


class MessagePlatform(PostedVendor):
    """Each prompt once, by the number its sender gives it."""

    name = "OA"
    path = "/message/v1"
    unsupported = NO_FUNCTION

    def trust(self, body: bytes, environ: Mapping[str, Any]) -> None:
        if not is_signed(SECRET, body, environ):
            raise NotAdmitted("The signature is missing or wrong.")

    def functions(self) -> Mapping[str, Carry]:
        return {"prompt/critical": self._critical, "prompt/report": self._report}

    def status(self, said: Said) -> int:
        return 200 if said.code == OK else 422

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return said(code, code=code, msg=text)

    def numbers(self, question: Question) -> dict[str, str]:
        words = {"extno": "message_id", "critical_id": "critical_id", "report_no": "report_no"}
        fields = _fields(question)
        return {ours: fields[theirs] for theirs, ours in words.items() if fields.get(theirs)}

    def _critical(self, question: Question) -> Said:
        return self._prompted(_fields(question), "critical_prompts", "critical_id")

    def _report(self, question: Question) -> Said:
        return self._prompted(_fields(question), "report_prompts", "report_no")

    def _prompted(self, fields: Mapping[str, str], kind: str, about: str) -> Said:
        number, receivers = fields.get("extno", ""), [one for one in fields.get("to", "").split(",") if one]
        if not number or not receivers:
            raise Refused(NOBODY, "接收人或消息编号不能为空")
        if not 0 < len(fields.get("text", "")) <= LONGEST:
            raise Refused(NO_TEXT, f"内容为空或超过{LONGEST}字")
        known = self.memory.recall(kind, (number,))
        if known is None:
            known = self.memory.remember(
                kind,
                (number,),
                receipt=self.memory.next_number(kind, "HZ"),
                to=receivers,
                text=fields["text"],
                level=fields.get("level", ""),
                **{about: fields.get(about, "")},
            )
        return said(OK, code=0, msg="", receipt=known["receipt"])


def _fields(question: Question) -> dict[str, str]:
    return dict(parse_qsl(question.payload, keep_blank_values=True))
