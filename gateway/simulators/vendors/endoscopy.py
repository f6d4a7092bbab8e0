"""An endoscopy system behind a bus: GETMQ(fid, putcmsg, getcmsg, errMsg) answers a boolean, and why not in errMsg.

It calls over the same bus, by the facade `endoscopy`: services with numbers, elements in capitals.
"""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree
from lxml.builder import E

from gateway.simulators.vendors.calling import new_number, strings
from gateway.simulators.vendors.department import Department
from gateway.simulators.vendors.vendor import Carry, Question
from gateway.simulators.vendors.words import EVENTS, Screen, in_words
from gateway.styles.esb_entry import EsbEntry
from gateway.styles.served import Served
from gateway.styles.style import Said

NO = "false"
SERVICES = {
    "ReportStatus": "BS10024",
    "SubmitReport": "BS10025",
    "ChargeItem": "BS10026",
    "RefundItem": "BS10027",
    "PushCriticalValue": "BS10028",
    "GetMedicalRecord": "BS10030",
}
SCREEN: Screen = {
    "SexCode": {"1": "M", "2": "F", "9": "O"},
    "VisitType": {"1": "O", "2": "E", "3": "I"},
    "Event": EVENTS,
}


class Endoscopy(Department):
    """Its services have the bus's numbers BS100xx."""

    name = "ENDO"
    path = "/services/MQService"
    contract = Served(EsbEntry(), namespace="http://esb.example.com/mq", service="MQService", action="")
    prefix = "NJ"
    modality = "ES"
    source_type = "5"
    busy, unknown, unsupported = NO, NO, NO
    facade, basic = "ENDO", False
    noted: Mapping[str, str] = {"APPLY_NO": "requisition_no", "CRITICAL_ID": "critical_id"}

    def functions(self) -> Mapping[str, Carry]:
        return {"BS10021": self._add, "BS10022": self._change, "BS10023": self._cancel, "BS10029": self._feedback}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        """Whatever the code, the boolean is all there is."""
        return Said("", NO, text)

    def wrapped(self, operation: str, told: str) -> str:
        """Who calls is said in AccessControl, as the bus wants it."""
        name, password = self.login or ("", "")
        service = SERVICES[operation]
        entry = E.ESBEntry(
            E.AccessControl(E.UserName(name), E.Password(password), E.Fid(service)),
            E.MessageHeader(E.Fid(service), E.SourceSysCode("S005"), E.MsgID(new_number(self.name))),
            E.MsgInfo(E.Msg(f"<REQUEST>{in_words('endoscopy', told, SCREEN)}</REQUEST>")),
        )
        text = etree.tostring(entry, encoding="unicode")
        return strings("GETMQ", "http://esb.example.com/mq", fid=service, putcmsg=text, getcmsg="", errMsg="")

    def _add(self, question: Question) -> Said:
        return self._taken(question, again=False)

    def _change(self, question: Question) -> Said:
        return self._taken(question, again=True)

    def _taken(self, question: Question, *, again: bool) -> Said:
        items = [
            {"order_no": row.get("ORDER_NO", ""), "code": row.get("ITEM_CODE", ""), "name": row.get("ITEM_NAME", "")}
            for row in question.content.iterfind("ITEMS/ROW")
        ]
        patient = {
            "patient_id": question.needed("PATIENT_ID"),
            "name": question.needed("PATIENT_NAME"),
            "sex": {"M": "1", "F": "2"}.get(question.text("SEX"), "9"),
            "visit_no": question.needed("VISIT_NO"),
            "visit_type": {"O": "1", "E": "2", "I": "3"}.get(question.text("VISIT_TYPE"), "9"),
        }
        order = self.take(question.needed("APPLY_NO"), patient=patient, items=items, again=again)
        answer = E.RETURN(E.EXAM_NO(str(order["exam_no"])))
        return Said(etree.tostring(answer, encoding="unicode"), "true")

    def _cancel(self, question: Question) -> Said:
        self.cancel(question.needed("APPLY_NO"))
        return Said("", "true")

    def _feedback(self, question: Question) -> Said:
        self.opinion(
            question.needed("CRITICAL_ID"),
            question.needed("FEEDBACK_ID"),
            question.needed("FEEDBACK_TYPE"),
            question.text("FEEDBACK_TEXT"),
        )
        return Said("", "true")
