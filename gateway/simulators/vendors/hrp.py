"""Resource planning (HRP): rpc/literal from an old Axis, and the books of a day fetched the day after.

It is told what departments have performed, as their work load, and lists what was booked of each department. It calls
by the same Axis, rpc/literal: the part Request in no namespace, what is in it in ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from gateway.simulators.vendors.calling import HOSPITAL_TIME, element
from gateway.simulators.vendors.toolkits import axis_literal
from gateway.simulators.vendors.typed import EXAMPLES, Typed
from gateway.simulators.vendors.vendor import Carry, Message, Question, Refused, Send, Vendor
from gateway.styles.style import Said

NAMESPACE = "http://ws.hrp.example.com"


class Hrp(Vendor):
    """Work load by requisition, and nothing of patients."""

    name = "HRP"
    path = "/hrp/services/WorkloadService"
    contract = Typed(EXAMPLES / "hrp" / "wsdl" / "service.wsdl", NAMESPACE, ("addWorkload",))
    toolkit = staticmethod(axis_literal)
    noted: Mapping[str, str] = {"billNo": "requisition_no", "kind": "event", "seqNo": "message_id"}

    def functions(self) -> Mapping[str, Carry]:
        return {"addWorkload": self._workload}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _answer(code, text)

    def _workload(self, question: Question) -> Said:
        number, kind = question.needed("billNo"), question.needed("kind")
        if not kind.isdigit():
            raise Refused("-1", "kind必须是数字")
        key = (question.needed("seqNo"),)
        if self.memory.recall("workload", key) is None:
            self.memory.remember("workload", key, requisition_no=number, step=kind, dept=question.text("deptCode"))
        return _answer("1", "")

    def sends(self) -> Mapping[str, Send]:
        return {"QueryTransaction": self._books}

    def _books(self, values: Mapping[str, Any]) -> Message:
        """What was booked on a `day`, yesterday when none is said (T+1); a page of it, or its totals by department."""
        said = values.get("day")
        day = date.fromisoformat(str(said)) if said else datetime.now(HOSPITAL_TIME).date() - timedelta(days=1)
        begin = datetime.combine(day, time(), HOSPITAL_TIME)
        fields = (
            element("BookedFrom", begin.isoformat())
            + element("BookedTo", (begin + timedelta(days=int(values.get("days", 1)))).isoformat())
            + element("PageNo", values.get("page"))
            + element("PageSize", values.get("size"))
            + element("TotalsOnly", values.get("totals_only"))
        )
        return self.by_contract("QueryTransaction", values, fields)


def _answer(code: str, text: str) -> Said:
    return Said(f"<retCode>{code}</retCode><retMsg>{text}</retMsg>", code, text)
