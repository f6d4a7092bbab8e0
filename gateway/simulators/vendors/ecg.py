"""An electrocardiogram system: Call(FuncCode, input) with success told as a word, or nothing but its database.

With a database of its own it is asked by rows in a table, and what it has to tell stands in views.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree
from lxml.builder import E

from gateway.simulators.vendors.department import Department
from gateway.simulators.vendors.ecg_tables import EcgTables, report, status
from gateway.simulators.vendors.vendor import Carry, Question, Send
from gateway.styles.plain import Call
from gateway.styles.served import Served
from gateway.styles.style import Said

YES, NO = "Success", "Fail"


class Ecg(Department):
    """One item per requisition: it records one curve."""

    name = "ECG"
    path = "/EcgService/Service.svc"
    contract = Served(Call(), namespace="http://tempuri.org", service="EcgService")
    prefix = "ECG"
    modality = "ECG"
    report_type = "ECG"
    source_type = "3"
    busy, unknown, unsupported = NO, NO, NO
    noted: Mapping[str, str] = {"MessageID": "message_id", "RequestID": "requisition_no", "CriticalID": "critical_id"}

    _tables: EcgTables | None = None

    def use_database(self, url: str) -> None:
        self._tables = EcgTables(url)

    def state(self) -> dict[str, Any]:
        """With a database, what stands there."""
        if self._tables is None:
            return super().state()
        return {"applies": self._tables.rows("ecg_apply"), "replies": self._tables.rows("ecg_reply")}

    def sends(self) -> Mapping[str, Send]:
        tables = self._tables
        if tables is None:
            return super().sends()
        return {
            "ReportStatus": lambda values: status(tables, values),
            "SubmitReport": lambda values: report(tables, values),
        }

    def functions(self) -> Mapping[str, Carry]:
        return {"AddRequest": self._add, "DelRequest": self._cancel, "CriticalReply": self._feedback}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _said(code, text)

    def _add(self, question: Question) -> Said:
        """A second time is a change; the system tells no difference."""
        number = question.needed("RequestID")
        item = {
            "order_no": question.needed("OrderID"),
            "code": question.needed("ItemCode"),
            "name": question.needed("ItemName"),
        }
        patient = {
            "patient_id": question.needed("PatientID"),
            "name": question.needed("PatientName"),
            "sex": question.text("Gender"),
            "visit_no": question.needed("VisitID"),
            "visit_type": question.text("VisitType"),
        }
        known = self.memory.recall("worklist", (number,)) is not None
        return _said(YES, str(self.take(number, patient=patient, items=[item], again=known)["exam_no"]))

    def _cancel(self, question: Question) -> Said:
        return _said(YES, str(self.cancel(question.needed("RequestID"))["exam_no"]))

    def _feedback(self, question: Question) -> Said:
        self.opinion(
            question.needed("CriticalID"), question.needed("ReplyID"), question.needed("Type"), question.text("Text")
        )
        return _said(YES, "")


def _said(code: str, text: str) -> Said:
    return Said(etree.tostring(E.Result(E.State(code), E.Value(text)), encoding="unicode"), code, text)
