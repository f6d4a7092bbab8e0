"""The HL7 v3 messages in which systems after WS/T 846 tell what they have done, written element by element."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lxml import etree
from lxml.builder import ElementMaker

from gateway.simulators.memory import Record
from gateway.simulators.vendors.calling import HOSPITAL_TIME, new_number

V3 = "urn:hl7-org:v3"
E = ElementMaker(namespace=V3, nsmap={None: V3})
REQUISITION, STUDY, STAFF = "2.16.156.10011.1.24", "2.16.156.10011.1.32", "2.16.156.10011.1.4"
PATIENT, SYSTEM, MESSAGE = "2.16.156.10011.2.5.1.5", "2.16.156.10011.2.5.1.3", "2.16.156.10011.2.5.1.1"
"""Which number an id is."""
STEPS = {
    "BOOK": "检查预约",
    "UNBOOK": "取消预约",
    "REGISTER": "检查登记",
    "CANCEL_REG": "取消登记",
    "EXAM_DONE": "检查完成",
    "STOP": "检查终止",
    "REJECT": "退单",
}
"""What happened, in our word -> in the words of a department."""
STATES = {"PRELIM": "active", "FINAL": "completed", "AMEND": "completed", "WITHDRAW": "nullified"}


def status(order: Record, values: Mapping[str, Any], event: str, sender: str) -> str:
    """POOR_IN200903UV: what has happened to a requisition."""
    request = E.observationRequest(
        _id((REQUISITION, order["requisition_no"]), (STUDY, order["exam_no"])),
        E.statusCode(code="active"),
        E.performer(E.time(value=_time(values.get("occurred_at"))), _person("R0331", "孙样例"), typeCode="PRF"),
        E.component1(E.processStep(E.code(E.displayName(value=STEPS.get(event, event))), *_reason(values))),
        classCode="OBS",
        moodCode="RQO",
    )
    return _message("POOR_IN200903UV", values, sender, E.subject(request, typeCode="SUBJ"))


def report(order: Record, values: Mapping[str, Any], modality: str, sender: str) -> str:
    """RCMR_IN000002UV02: a report with its sections."""
    at = _time(values.get("reported_at"))
    action = str(values.get("action", "FINAL"))
    document = E.clinicalDocument(
        _id(("2.16.156.10011.1.1", str(values.get("report_no") or "BG" + order["exam_no"]))),
        E.code(E.displayName(value="检查报告"), code=modality),
        E.statusCode(*_original(values), code=STATES.get(action, action)),
        E.effectiveTime(value=at),
        E.versionNumber(value=str(values.get("version", 1))),
        E.recordTarget(_patient(order), typeCode="RCT"),
        E.author(E.time(value=at), _person("R0345", "周试"), typeCode="AUT"),
        E.legalAuthenticator(E.time(value=at), _person("R0102", "吴䶮"), typeCode="LA"),
        E.inFulfillmentOf(E.order(_id((REQUISITION, order["requisition_no"]), (STUDY, order["exam_no"])))),
        E.component(
            E.structuredBody(
                _section("59776-5", "检查所见", values.get("findings", "未见明显异常 & 请结合临床。")),
                _section("19005-8", "检查结论", values.get("impression", "未见明显异常。")),
            )
        ),
        E.reference(value=f"https://pacs.example.org/viewer?accession={order['exam_no']}&mode=view"),
        classCode="DOCCLIN",
        moodCode="EVN",
    )
    return _message("RCMR_IN000002UV02", values, sender, E.subject(document, typeCode="SUBJ"))


def critical(order: Record, values: Mapping[str, Any], source: str, sender: str) -> str:
    """A critical value, in the dress of the others."""
    at = _time(values.get("found_at"))
    value = E.criticalValue(
        _id(("1.2.156.99999.1.3", str(values.get("critical_id") or new_number("WJZ")))),
        E.code(code=source),
        E.text(value=str(values.get("content", "右肺动脉主干栓塞"))),
        E.effectiveTime(value=at),
        E.author(E.time(value=at), _person("R0102", "吴䶮"), typeCode="AUT"),
        E.subject(_patient(order), typeCode="SBJ"),
        E.inFulfillmentOf(E.order(_id((REQUISITION, order["requisition_no"])))),
    )
    return _message("CriticalValueReport", values, sender, E.subject(value, typeCode="SUBJ"))


def _message(interaction: str, values: Mapping[str, Any], sender: str, subject: etree._Element) -> str:
    document = E(
        interaction,
        E.id(root=MESSAGE, extension=str(values.get("message_id") or new_number(sender))),
        E.creationTime(value=_time(None)),
        E.interactionId(root="2.16.840.1.113883.1.6", extension=interaction),
        E.processingCode(code="P"),
        E.processingModeCode(),
        E.acceptAckCode(code="AL"),
        E.receiver(E.device(_id((SYSTEM, "HIP")), classCode="DEV", determinerCode="INSTANCE"), typeCode="RCV"),
        E.sender(E.device(_id((SYSTEM, sender)), classCode="DEV", determinerCode="INSTANCE"), typeCode="SND"),
        E.controlActProcess(subject, classCode="STC", moodCode="APT"),
        ITSVersion="XML_1.0",
    )
    return str(etree.tostring(document, encoding="unicode"))


def _id(*numbers: tuple[str, str]) -> etree._Element:
    return E.id(*(E.item(root=root, extension=number) for root, number in numbers))


def _person(code: str, name: str) -> etree._Element:
    told = E.name(E.item(E.part(value=name)))
    return E.assignedEntity(_id((STAFF, code)), E.assignedPerson(told, classCode="PSN"), classCode="ASSIGNED")


def _patient(order: Record) -> etree._Element:
    patient = order["patient"]
    person = E.patientPerson(
        E.name(E.item(E.part(value=patient["name"]))), E.administrativeGenderCode(code=patient.get("sex") or "9")
    )
    return E.patient(_id((PATIENT, patient["patient_id"])), person, classCode="PAT")


def _section(code: str, name: str, text: Any) -> etree._Element:
    return E.component(E.section(E.code(E.displayName(value=name), code=code), E.text(str(text))))


def _reason(values: Mapping[str, Any]) -> list[etree._Element]:
    return [E.reasonCode(*_original(values))] if values.get("reason") else []


def _original(values: Mapping[str, Any]) -> list[etree._Element]:
    return [E.originalText(value=str(values["reason"]))] if values.get("reason") else []


def _time(said: Any) -> str:
    at = datetime.fromisoformat(str(said)) if said else datetime.now(HOSPITAL_TIME)
    return f"{at.astimezone(HOSPITAL_TIME):%Y%m%d%H%M%S}"
