"""A pathology system: an asmx with types of its own, whose names are misspelt and stay so.

It calls by the same .NET 2.0. One requisition may have two reports, the frozen section's within the hour and the
routine one days later.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from gateway.simulators.vendors.department import Department
from gateway.simulators.vendors.toolkits import dotnet
from gateway.simulators.vendors.typed import EXAMPLES, Typed
from gateway.simulators.vendors.vendor import Carry, Question, Refused
from gateway.styles.style import Said

YES, NO = "true", "false"
TAKEN_BACK = "9"


class Pathology(Department):
    """It refuses an application without a specimen's place."""

    name = "PIS"
    path = "/PisService.asmx"
    contract = Typed(
        EXAMPLES / "pathology" / "wsdl" / "service.wsdl",
        "http://tempuri.org/",
        ("SendAplication", "ModifyStauts", "CriticalFeedBack"),
    )
    prefix = "BL"
    modality = "SM"
    report_type = "PATH"
    source_type = "2"
    toolkit = staticmethod(dotnet)
    busy, unknown, unsupported = NO, NO, NO
    noted: Mapping[str, str] = {"MsgNo": "message_id", "AplyNo": "requisition_no", "CriticalNo": "critical_id"}

    def functions(self) -> Mapping[str, Carry]:
        return {"SendAplication": self._add, "ModifyStauts": self._modify, "CriticalFeedBack": self._feedback}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _said(question, NO, text)

    def _add(self, question: Question) -> Said:
        specimens = question.content.findall("aplication/Specimens/Specimen")
        if not specimens or any(not (one.findtext("Position") or "").strip() for one in specimens):
            raise Refused(NO, "标本取材部位必填")
        items = [
            {
                "order_no": one.findtext("OrderNo") or "",
                "code": one.findtext("ItemCode") or "",
                "name": one.findtext("ItemName") or "",
                "position": one.findtext("Position") or "",
            }
            for one in specimens
        ]
        patient = {
            "patient_id": question.needed("aplication/PatientID"),
            "name": question.needed("aplication/Name"),
            "sex": question.text("aplication/Sex"),
            "visit_no": question.needed("aplication/InHospitalNo"),
        }
        number = question.needed("aplication/AplyNo")
        known = self.memory.recall("worklist", (number,)) is not None
        order = self.take(number, patient=patient, items=items, again=known)
        return _said(question, YES, "", number=str(order["exam_no"]))

    def _modify(self, question: Question) -> Said:
        if question.needed("Stauts") != TAKEN_BACK:
            raise Refused(NO, "未知状态")
        self.cancel(question.needed("AplyNo"))
        return _said(question, YES, "")

    def _feedback(self, question: Question) -> Said:
        self.opinion(
            question.needed("CriticalNo"),
            question.needed("FeedBackNo"),
            question.needed("Kind"),
            question.text("Opinion"),
        )
        return _said(question, YES, "")


def _said(question: Question, code: str, text: str, number: str = "") -> Said:
    name = f"n:{question.function}Result"
    inner = (
        f"<{name}><n:Sucess>{code}</n:Sucess><n:ErrMsg>{escape(text)}</n:ErrMsg><n:PathNo>{number}</n:PathNo></{name}>"
    )
    return Said(inner, code, text)
