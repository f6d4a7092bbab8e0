"""An internet hospital: Call(FuncCode, input) with JSON in the string, and patients by ids of its own.

Whatever was ordered there is paid there, so its requisitions come paid, by the facade `internet-hospital`. It wants to
know how far each is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.simulators.vendors.calling import Sent, new_number, strings, when
from gateway.simulators.vendors.json_content import content_of, needed, said
from gateway.simulators.vendors.vendor import Carry, Question, Refused, Send, Vendor
from gateway.styles.plain import Call
from gateway.styles.served import Served
from gateway.styles.style import Said

NAMESPACE = "http://online.example.org/hospital"
NO = "400"
TIME = "%Y-%m-%d %H:%M:%S"


class InternetHospital(Vendor):
    """Online outpatients."""

    name = "INTERNET"
    path = "/gateway/hospital.svc"
    unsupported = "404"
    contract = Served(Call(), namespace=NAMESPACE, service="Hospital")

    def functions(self) -> Mapping[str, Carry]:
        return {"orderStatus": self._status, "reportReady": self._report}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return said(code, code=int(code), msg=text, data=None)

    def numbers(self, question: Question) -> dict[str, str]:
        content = content_of(question, NO)
        words = {"msgId": "message_id", "orderNo": "requisition_no", "event": "event", "reportNo": "report_no"}
        return {ours_: str(content[theirs]) for theirs, ours_ in words.items() if content.get(theirs)}

    def _status(self, question: Question) -> Said:
        content = content_of(question, NO)
        number = needed(content, "orderNo", NO)
        self.memory.remember(
            "orders", (number, str(content.get("msgId"))), requisition_no=number, event=needed(content, "event", NO)
        )
        return said("200", code=200, msg="ok", data=None)

    def _report(self, question: Question) -> Said:
        content = content_of(question, NO)
        number = needed(content, "reportNo", NO)
        if not isinstance(content.get("orders"), list):
            raise Refused(NO, "orders必须是数组")
        self.memory.remember(
            "reports",
            (number,),
            report_no=number,
            orders=content["orders"],
            positive=content.get("positive"),
            impression=content.get("impression", ""),
        )
        return said("200", code=200, msg="ok", data=None)

    # --- what it tells ------------------------------------------------------------------------------------------------

    def sends(self) -> Mapping[str, Send]:
        return {"SubmitRequisition": self._order, "QueryRequisition": self._query}

    def _call(self, function: str, values: Mapping[str, Any], **told: Any) -> Sent:
        """JSON that says itself who calls."""
        name, secret = self.login or ("", "")
        number = values.get("message_id") or new_number(self.name)
        content = json.dumps({"appId": name, "appSecret": secret, "msgId": number, **told}, ensure_ascii=False)
        called = strings("Call", NAMESPACE, FuncCode=function, input=content)
        return Sent("/facade/INTERNET", called, action=f"{NAMESPACE}/Call", basic=False)

    def _order(self, values: Mapping[str, Any]) -> Sent:
        number, at = str(values.get("requisition_no") or new_number("WL")), when(values, TIME)
        paid = bool(values.get("paid", True))
        return self._call(
            "createOrder",
            values,
            orderNo=number,
            branch="01",
            user={
                "id": values.get("patient_id", "WX-0001"),
                "empi": "E000000123456",
                "name": values.get("name", "李网诊"),
                "sex": 2,
                "birthday": "1990-02-03",
            },
            visitNo=values.get("visit_no", "WZ0001"),
            paid=paid,
            payTime=at if paid else None,
            payNo=f"ZF{number}" if paid else None,
            orderTime=at,
            doctor={"id": "D9001", "name": "网诊示例", "dept": "9001"},
            performDept=values.get("perform_dept", "0103"),
            items=[{"code": values.get("item", "CT0101"), "name": "胸部CT平扫", "count": 1}],
        )

    def _query(self, values: Mapping[str, Any]) -> Sent:
        return self._call("queryOrder", values, orderNo=values["requisition_no"])
