"""A reference laboratory (第三方检验): Call(FuncCode, input) in GB18030, with item codes of its own.

It is told no more of a patient than it needs and refuses a name without a mask. A specimen is known by its barcode;
results come back at night, several versions under one number of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree
from lxml.builder import E

from gateway.simulators.vendors.calling import element
from gateway.simulators.vendors.department import Department, now, patient_of
from gateway.simulators.vendors.vendor import Carry, Question, Refused
from gateway.styles.plain import Call
from gateway.styles.served import Served
from gateway.styles.style import Said

CATALOGUE = {"RL1001": "肿瘤标志物全套", "RL2002": "遗传性耳聋基因检测", "RL3003": "肝炎病毒定量"}


class ReferenceLab(Department):
    """Takes orders by its own catalogue."""

    name = "REFLAB"
    path = "/RefLab/Service.asmx"
    charset = "gb18030"
    prefix = "RL"
    report_type = "LAB"
    source_type = "1"
    busy, unknown, unsupported = "E03", "E02", "E01"
    contract = Served(Call(), namespace="http://tempuri.org", service="RefLab")
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

    def _report(self, values: Mapping[str, Any]) -> Any:
        """A laboratory's report has results, one for each item of the order, and no findings."""
        order = self.known(values)
        results = "".join(
            "<Result>"
            + element("ItemCode", item["code"])
            + element("ItemName", item["name"])
            + element("ValueText", values.get("value", "阴性"))
            + "</Result>"
            for item in order["items"]
        )
        fields = (
            element("ReportNo", values.get("report_no") or f"BG{order['exam_no']}")
            + element("ReportVersion", values.get("version", 1))
            + element("Action", values.get("action", "FINAL"))
            + "<Requisitions><Requisition>"
            + element("RequisitionNo", order["requisition_no"])
            + "</Requisition></Requisitions>"
            + patient_of(order)
            + element("ReportType", self.report_type)
            + "<ReporterCode>L0001</ReporterCode><ReporterName>外检示例</ReporterName>"
            + element("ReportedAt", values.get("reported_at") or now())
            + "<AuditorCode>L0002</AuditorCode><AuditorName>外检审核</AuditorName>"
            + element("AuditedAt", values.get("reported_at") or now())
            + f"<Results>{results}</Results>"
        )
        return self._ours("SubmitReport", values, fields)


def _answer(code: str, text: str, *, lab_no: str = "") -> Said:
    document = E.Output(E.RetCode(code), E.RetMsg(text), E.LabNo(lab_no))
    return Said(etree.tostring(document, encoding="unicode"), code, text)
