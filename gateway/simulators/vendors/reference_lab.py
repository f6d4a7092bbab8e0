"""A reference laboratory (第三方检验): Call(FuncCode, input) in GB18030, with item codes of its own.

It is told no more of a patient than it needs and refuses a name without a mask. A specimen is known by its barcode;
results come back at night, several versions under one number of its own, by the facade `reference-lab`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree
from lxml.builder import E

from gateway.simulators.vendors.calling import Sent, flat, new_number, strings, when
from gateway.simulators.vendors.department import Department
from gateway.simulators.vendors.vendor import Carry, Question, Refused, Send
from gateway.styles.plain import Call
from gateway.styles.served import Served
from gateway.styles.style import Said

CATALOGUE = {"RL1001": "肿瘤标志物全套", "RL2002": "遗传性耳聋基因检测", "RL3003": "肝炎病毒定量"}
NAMESPACE = "http://tempuri.org"
DECLARATION = '<?xml version="1.0" encoding="GB18030"?>'
TIME = "%Y/%m/%d %H:%M:%S"
STATES = {"REGISTER": "10", "CANCEL_REG": "11", "EXAM_DONE": "20", "REJECT": "90"}
REPORTS = {"PRELIM": "0", "FINAL": "1", "AMEND": "2", "WITHDRAW": "9"}
"""Our words -> its own."""


class ReferenceLab(Department):
    """Takes orders by its own catalogue."""

    name = "REFLAB"
    path = "/RefLab/Service.asmx"
    charset = "gb18030"
    prefix = "RL"
    report_type = "LAB"
    source_type = "1"
    busy, unknown, unsupported = "E03", "E02", "E01"
    contract = Served(Call(), namespace=NAMESPACE, service="RefLab")
    noted: Mapping[str, str] = {"MsgId": "message_id", "HospOrderNo": "requisition_no"}

    def functions(self) -> Mapping[str, Carry]:
        return {"F1001": self._order, "F1002": self._withdraw}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _answer(code, text)

    def _order(self, question: Question) -> Said:
        name = question.needed("Patient/Name")
        if "*" not in name:
            raise Refused("E09", "姓名未脱敏，拒收")
        items = []
        for test in question.content.iterfind("Tests/Test"):
            code = (test.findtext("LabCode") or "").strip()
            if code not in CATALOGUE:
                raise Refused("E05", "项目不在目录内")
            items.append({"code": code, "name": CATALOGUE[code], "barcode": (test.findtext("Barcode") or "").strip()})
        if not items:
            raise Refused("E05", "没有项目")
        patient = {
            "patient_id": question.needed("Patient/Id"),
            "name": name,
            "sex": question.text("Patient/Sex"),
            "visit_no": question.needed("Patient/VisitNo"),
        }
        order = self.take(question.needed("HospOrderNo"), patient=patient, items=items, again=False)
        return _answer("0000", "接收成功", lab_no=str(order["exam_no"]))

    def _withdraw(self, question: Question) -> Said:
        order = self.cancel(question.needed("HospOrderNo"))
        return _answer("0000", "已撤销", lab_no=str(order["exam_no"]))

    # --- what it tells ------------------------------------------------------------------------------------------------

    def sends(self) -> Mapping[str, Send]:
        return {"ReportStatus": self._status, "SubmitReport": self._report, "PushCriticalValue": self._critical}

    def _call(self, function: str, values: Mapping[str, Any], fields: Mapping[str, Any], more: str = "") -> Sent:
        told = flat("Input", {"MsgId": values.get("message_id") or new_number(self.name), **fields}, more)
        called = strings("Call", NAMESPACE, FuncCode=function, input=DECLARATION + told)
        return Sent("/facade/REFLAB", called, charset=self.charset, action=f"{NAMESPACE}/Call")

    def _status(self, values: Mapping[str, Any]) -> Sent:
        order, event = self.happened(values)
        fields = {
            "HospOrderNo": order["requisition_no"],
            "LabNo": order["exam_no"],
            "State": STATES.get(event, event),
            "Time": when(values, TIME),
            "Remark": values.get("reason"),
        }
        return self._call("F2001", values, fields)

    def _report(self, values: Mapping[str, Any]) -> Sent:
        """A laboratory's report has results, one for each item of the order, and no findings."""
        order, at = self.known(values), when(values, TIME)
        fields = {
            "ReportNo": values.get("report_no") or f"BG{order['exam_no']}",
            "Version": values.get("version", 1),
            "State": REPORTS[str(values.get("action", "FINAL"))],
            "HospOrderNo": order["requisition_no"],
            "LabNo": order["exam_no"],
            "TesterNo": "L0001",
            "Tester": "外检示例",
            "TestTime": at,
            "CheckerNo": "L0002",
            "Checker": values.get("checker", "外检审核"),
            "CheckTime": at,
        }
        patient = order["patient"]
        whose = {"Id": patient["patient_id"], "Name": patient["name"], "Sex": patient.get("sex")}
        tests = [
            {"LabCode": item["code"], "LabName": item["name"], "Result": values.get("value", "阴性")}
            for item in values.get("tests") or order["items"]
        ]
        written = "".join(flat("Test", test) for test in tests)
        return self._call("F2002", values, fields, f"{flat('Patient', whose)}<Tests>{written}</Tests>")

    def _critical(self, values: Mapping[str, Any]) -> Sent:
        order = self.known(values)
        fields = {
            "AlertNo": values.get("critical_id") or new_number("WJZ"),
            "HospOrderNo": order["requisition_no"],
            "LabCode": order["items"][0]["code"],
            "LabName": order["items"][0]["name"],
            "Text": values.get("content", "HBV DNA 8.2E8"),
            "Time": when(values, TIME),
            "CheckerNo": "L0002",
            "Checker": "外检审核",
        }
        return self._call("F2003", values, fields)


def _answer(code: str, text: str, *, lab_no: str = "") -> Said:
    document = E.Output(E.RetCode(code), E.RetMsg(text), E.LabNo(lab_no))
    return Said(etree.tostring(document, encoding="unicode"), code, text)
