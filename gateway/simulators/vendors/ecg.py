"""An electrocardiogram system: Call(FuncCode, input) with success told as a word, or nothing but its database.

It calls the gateway in the same style, by the facade `ecg`. With a database of its own it is asked by rows in a table,
and what it has to tell stands in views.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree
from lxml.builder import E

from gateway.simulators.memory import Record
from gateway.simulators.vendors.calling import Sent, flat, new_number, strings, when
from gateway.simulators.vendors.department import CONTRAST, Department, amount_of
from gateway.simulators.vendors.ecg_tables import STATES, EcgTables, report, status
from gateway.simulators.vendors.vendor import Carry, Question, Send
from gateway.styles.plain import Call
from gateway.styles.served import Served
from gateway.styles.style import Said

YES, NO = "Success", "Fail"
NAMESPACE = "http://tempuri.org"
TIME = "%Y%m%d%H%M%S"
REPORTS = {"FINAL": "1", "PRELIM": "2", "AMEND": "3", "WITHDRAW": "9"}
"""Our word for what becomes of a report -> its state."""


class Ecg(Department):
    """One item per requisition: it records one curve."""

    name = "ECG"
    path = "/EcgService/Service.svc"
    contract = Served(Call(), namespace=NAMESPACE, service="EcgService")
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

    # --- what it tells: Call again, in its own words ------------------------------------------------------------------

    def _call(self, function: str, values: Mapping[str, Any], fields: Mapping[str, Any], more: str = "") -> Sent:
        number = values.get("message_id") or new_number(self.name)
        told = flat("Request", {"MessageID": number, **fields}, more)
        called = strings("Call", NAMESPACE, FuncCode=function, input=told)
        return Sent("/facade/ECG", called, action=f"{NAMESPACE}/Call")

    def _status(self, values: Mapping[str, Any]) -> Sent:
        order, event = self.happened(values)
        fields = {
            "RequestID": order["requisition_no"],
            "ExamID": order["exam_no"],
            "State": STATES.get(event, event),
            "Time": when(values, TIME),
            "Reason": values.get("reason"),
        }
        return self._call("StatusNotify", values, fields)

    def _report(self, values: Mapping[str, Any]) -> Sent:
        order, at = self.known(values), when(values, TIME)
        fields = {
            "ReportID": values.get("report_no") or f"BG{order['exam_no']}",
            "Version": values.get("version", 1),
            "State": REPORTS[str(values.get("action", "FINAL"))],
            "RequestID": order["requisition_no"],
            "ExamID": order["exam_no"],
            **_patient(order),
            "See": values.get("findings", "窦性心律 & ST段<0.1mV"),
            "Conclusion": values.get("impression", "正常心电图"),
            "DoctorID": "R0345",
            "DoctorName": "周试",
            "ReportTime": at,
            "AuditorID": "R0102",
            "AuditorName": "吴䶮",
            "AuditTime": at,
            "ViewUrl": f"https://ecg.example.org/viewer?exam={order['exam_no']}&mode=view",
        }
        return self._call("ReportUpload", values, fields)

    def _charge(self, values: Mapping[str, Any]) -> Sent:
        order = self.known(values)
        fields = {
            "ChargeID": values.get("charge_no") or new_number("JF"),
            "RequestID": order["requisition_no"],
            **_patient(order),
            "VisitID": order["visit_no"],
            "VisitType": order["patient"].get("visit_type"),
            "DeptID": values.get("perform_dept", "0103"),
            "Time": when(values, TIME),
        }
        items = [
            {
                "Code": line["code"],
                "Name": line.get("name", line["code"]),
                "Quantity": line.get("quantity", "1"),
                "Price": line.get("price"),
                "Amount": amount_of(line),
            }
            for line in values.get("lines") or [CONTRAST]
        ]
        return self._call("ChargeAdd", values, fields, "".join(flat("Item", item) for item in items))

    def _refund(self, values: Mapping[str, Any]) -> Sent:
        fields = {
            "BackID": values.get("refund_no") or new_number("TF"),
            "ChargeID": values["charge_no"],
            "Line": values.get("line_no", 1),
            "Code": values.get("code", CONTRAST["code"]),
            "Quantity": values.get("quantity", "1"),
        }
        return self._call("ChargeBack", values, fields)

    def _critical(self, values: Mapping[str, Any]) -> Sent:
        fields = {
            "CriticalID": values.get("critical_id") or new_number("WJZ"),
            "RequestID": self.known(values)["requisition_no"],
            "Text": values.get("content", "室性心动过速，心率 >180"),
            "FoundTime": when(values, TIME),
            "DoctorID": "R0102",
            "DoctorName": "吴䶮",
        }
        return self._call("CriticalNotify", values, fields)

    def _record(self, values: Mapping[str, Any]) -> Sent:
        """The address where the record may be looked at."""
        order = self.known(values)
        return self._call(
            "RecordQuery", values, {"PatientID": order["patient"]["patient_id"], "VisitID": order["visit_no"]}
        )

    # --- what it is told ----------------------------------------------------------------------------------------------

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


def _patient(order: Record) -> dict[str, str]:
    patient = order["patient"]
    return {"PatientID": patient["patient_id"], "PatientName": patient["name"], "Gender": patient.get("sex") or "9"}


def _said(code: str, text: str) -> Said:
    return Said(etree.tostring(E.Result(E.State(code), E.Value(text)), encoding="unicode"), code, text)
