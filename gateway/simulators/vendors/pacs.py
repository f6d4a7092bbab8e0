"""A PACS that takes part in a regional platform after WS/T 846: HIPMessageServer with HL7 v3 inside.

Accepted is told by acknowledgement/@typeCode AA, refused by AE; the number of the examination comes back in an
attentionLine. It tells states, reports and critical values in the same way by the facade PACS, and what no part of the
standard has, money and records, by the facade PACS-XML. Its reports name a viewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from gateway.simulators.memory import Record
from gateway.simulators.vendors import hl7v3
from gateway.simulators.vendors.calling import Sent, strings
from gateway.simulators.vendors.department import Department
from gateway.simulators.vendors.hl7v3 import V3, E
from gateway.simulators.vendors.vendor import Carry, Question, Refused
from gateway.styles.plain import HipMessageServer
from gateway.styles.served import Served
from gateway.styles.style import Said

N = {"v": V3}
VISIT_NO, PATIENT_ID = "2.16.156.10011.1.12", "2.16.156.10011.1.11"
"""Which number an id is (WS/T 500)."""


class Pacs(Department):
    """Radiology: requisitions as POOR_IN200901UV, changes as POOR_IN200902UV."""

    name = "PACS"
    path = "/HIPService"
    contract = Served(HipMessageServer(), namespace=V3, service="HIPService", names={"result:payload": "payload"})
    busy = unknown = unsupported = "AE"
    facade = "PACS-XML"

    def functions(self) -> Mapping[str, Carry]:
        return {
            "CheckAppInfoAdd": self._add,
            "CheckAppInfoUpdate": self._update,
            "CheckAppInfoCancel": self._cancel,
            "CriticalValueFeedback": self._feedback,
        }

    def numbers(self, question: Question) -> dict[str, str]:
        content = question.content
        found = {"message_id": "v:id/@extension", "requisition_no": "//v:observationRequest/v:id/v:item/@extension"}
        found |= {"critical_id": "//v:criticalValue/v:id/@extension"}
        return {name: values[0] for name, path in found.items() if (values := content.xpath(path, namespaces=N))}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _acknowledged(question, code, text)

    def _add(self, question: Question) -> Said:
        return self._taken(question, "POOR_IN200901UV", again=False)

    def _update(self, question: Question) -> Said:
        return self._taken(question, "POOR_IN200902UV", again=True)

    def _taken(self, question: Question, interaction: str, *, again: bool) -> Said:
        if etree.QName(question.content).localname != interaction:
            raise Refused("AE", f"消息类型应为{interaction}")
        order = _one(question, "//v:observationRequest")
        items = [
            {
                "order_no": _attribute(part, "v:id/@extension"),
                "code": _attribute(part, "v:code/@code"),
                "name": _attribute(part, "v:code/v:displayName/@value"),
            }
            for part in order.iterfind("v:component2/v:observationRequest", N)
        ]
        if not items:
            raise Refused("AE", "没有检查项目")
        patient = {
            "patient_id": _attribute(order, f".//v:patient/v:id/v:item[@root='{PATIENT_ID}']/@extension"),
            "name": _attribute(order, ".//v:patientPerson/v:name/v:item/v:part/@value"),
            "sex": _attribute(order, ".//v:patientPerson/v:administrativeGenderCode/@code"),
            "visit_no": _attribute(order, f".//v:encounter/v:id/v:item[@root='{VISIT_NO}']/@extension"),
            "visit_type": _attribute(order, ".//v:encounter/v:code/@code"),
        }
        number = _attribute(order, "v:id/v:item/@extension")
        return _accepted(question, self.take(number, patient=patient, items=items, again=again))

    def _cancel(self, question: Question) -> Said:
        number = _attribute(_one(question, "//v:observationRequest"), "v:id/v:item/@extension")
        return _accepted(question, self.cancel(number))

    def _feedback(self, question: Question) -> Said:
        value = _one(question, "//v:criticalValue")
        self.opinion(
            _attribute(value, "v:id/@extension"),
            _attribute(value, "v:acknowledgement/v:id/@extension"),
            _attribute(value, "v:acknowledgement/@typeCode"),
            (value.findtext("v:acknowledgement/v:text", namespaces=N) or "").strip(),
        )
        return _acknowledged(question, "AA", "接收成功")

    # --- what it tells the gateway ------------------------------------------------------------------------------------

    def _status(self, values: Mapping[str, Any]) -> Sent:
        order, event = self.happened(values)
        return _told("CheckStatusInfoUpdate", values, hl7v3.status(order, values, event, self.sender))

    def _report(self, values: Mapping[str, Any]) -> Sent:
        action = "Add" if values.get("action", "FINAL") in ("PRELIM", "FINAL") else "Update"
        message = hl7v3.report(self.known(values), values, self.modality, self.sender)
        return _told(f"CheckReportInfo{action}", values, message)

    def _critical(self, values: Mapping[str, Any]) -> Sent:
        message = hl7v3.critical(self.known(values), values, self.source_type, self.sender)
        return _told("CriticalValueAdd", values, message)

    def wrapped(self, operation: str, told: str) -> str:
        return strings("HIPService", "http://tempuri.org/", pInput=told)


def _told(action: str, values: Mapping[str, Any], message: str) -> Sent:
    """One HIPMessageServer; `charset` may be gb18030, of the envelope as of the message in it."""
    charset = str(values.get("charset", "utf-8"))
    declared = f'<?xml version="1.0" encoding="{charset.upper()}"?>{message}'
    body = strings("HIPMessageServer", V3, action=action, message=declared)
    return Sent("/facade/PACS", body, charset=charset, action=f"{V3}:HIPMessageServer")


def _one(question: Question, path: str) -> etree._Element:
    found = question.content.xpath(f"({path})[1]", namespaces=N)
    if not found:
        raise Refused("AE", f"缺少{path.rpartition(':')[2]}")
    element: etree._Element = found[0]
    return element


def _attribute(element: etree._Element, path: str) -> str:
    found = element.xpath(path, namespaces=N)
    if not found or not str(found[0]).strip():
        raise Refused("AE", f"缺少{path.replace('v:', '')}")
    return str(found[0]).strip()


def _accepted(question: Question, order: Record) -> Said:
    return _acknowledged(question, "AA", "处理成功", exam_no=str(order["exam_no"]))


def _acknowledged(question: Question, code: str, text: str, *, exam_no: str = "") -> Said:
    """MCCI_IN000002UV01."""
    try:
        asked_in = str(next(iter(question.content.xpath("v:id/@extension", namespaces=N)), ""))
    except Refused:
        asked_in = ""
    attention = [E.attentionLine(E.keyWordText("检查号"), E.value(exam_no))] if exam_no else []
    document = E.MCCI_IN000002UV01(
        E.id(root="2.16.156.10011.2.5.1.1", extension=f"PACS{exam_no or code}"),
        E.interactionId(root="2.16.840.1.113883.1.6", extension="MCCI_IN000002UV01"),
        E.acknowledgement(
            E.targetMessage(E.id(root="2.16.156.10011.2.5.1.1", extension=asked_in)),
            E.acknowledgementDetail(E.text(value=text)),
            typeCode=code,
        ),
        *attention,
        ITSVersion="XML_1.0",
    )
    return Said(etree.tostring(document, encoding="unicode"), code, text)
