"""An ultrasound system behind TechService(actionCode, xmlContent): returnCode 0 is yes, 1 is no, 9 is not now.

It calls in the same style, by the facade `ultrasound`: its actions are numbers there, too, its elements first letters.
"""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree
from lxml.builder import E

from gateway.simulators.vendors.calling import strings
from gateway.simulators.vendors.department import Department
from gateway.simulators.vendors.vendor import Carry, Question
from gateway.simulators.vendors.words import EVENTS, Screen, in_words
from gateway.styles.plain import TechService
from gateway.styles.served import Served
from gateway.styles.style import Said

ACTIONS = {
    "ReportStatus": "2001",
    "SubmitReport": "2002",
    "ChargeItem": "2003",
    "RefundItem": "2004",
    "PushCriticalValue": "2005",
    "GetMedicalRecord": "2006",
}
SCREEN: Screen = {
    "SexCode": {"1": "男", "2": "女", "9": "未说明"},
    "VisitType": {"1": "门诊", "2": "急诊", "3": "住院", "9": "体检"},
    "Event": EVENTS,
}


class Ultrasound(Department):
    """Its actions have numbers; order numbers come joined by ^."""

    name = "US"
    path = "/TechInterface/TechService.asmx"
    contract = Served(TechService(), service="TechService")
    prefix = "US"
    modality = "US"
    report_type = "EXAM"
    source_type = "4"
    busy, unknown, unsupported = "1", "1", "1"
    facade = "US"
    noted: Mapping[str, str] = {"msgid": "message_id", "sqdh": "requisition_no", "wjzid": "critical_id"}

    def functions(self) -> Mapping[str, Carry]:
        return {"1001": self._add, "1002": self._change, "1003": self._cancel, "1009": self._feedback}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _said(code, text)

    def wrapped(self, operation: str, told: str) -> str:
        content = f"<xml>{in_words('ultrasound', told, SCREEN)}</xml>"
        return strings("TechService", "http://tempuri.org/", actionCode=ACTIONS[operation], xmlContent=content)

    def _add(self, question: Question) -> Said:
        return self._taken(question, again=False)

    def _change(self, question: Question) -> Said:
        return self._taken(question, again=True)

    def _taken(self, question: Question, *, again: bool) -> Said:
        orders = question.needed("yzid").split("^")
        codes, names = question.needed("xmdm").split("^"), question.needed("xmmc").split("^")
        items = [
            {"order_no": order, "code": code, "name": name}
            for order, code, name in zip(orders, codes, names, strict=False)
        ]
        patient = {
            "patient_id": question.needed("brid"),
            "name": question.needed("xm"),
            "sex": {"男": "1", "女": "2"}.get(question.text("xb"), "9"),
            "visit_no": question.needed("jzh"),
            "visit_type": {"门诊": "1", "急诊": "2", "住院": "3"}.get(question.text("jzlx"), "9"),
        }
        order = self.take(question.needed("sqdh"), patient=patient, items=items, again=again)
        return _said("0", "成功", jch=str(order["exam_no"]))

    def _cancel(self, question: Question) -> Said:
        self.cancel(question.needed("sqdh"))
        return _said("0", "成功")

    def _feedback(self, question: Question) -> Said:
        self.opinion(question.needed("wjzid"), question.needed("qrid"), question.needed("qrlx"), question.text("clyj"))
        return _said("0", "成功")


def _said(code: str, text: str, **more: str) -> Said:
    root = E.xml(E.msg(text), *[E(name, value) for name, value in more.items()])
    return Said(etree.tostring(root, encoding="unicode"), code, text)
