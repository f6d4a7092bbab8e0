"""An EMR on Caché: CallInterface(msgHeader, msgBody) of a .cls, in a namespace without scheme.

Records are CDA documents, given as text or as a link to its viewer that holds for five minutes. All of it is invented.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from lxml import etree
from lxml.builder import E, ElementMaker

from gateway.simulators.vendors.calling import (
    HOSPITAL_TIME,
    Sent,
    flat,
    handled,
    new_number,
    ordered,
    request_of,
    strings,
)
from gateway.simulators.vendors.vendor import Carry, Question, Refused, Send, Vendor
from gateway.styles.call_interface import CallInterface
from gateway.styles.served import Served
from gateway.styles.style import Said

CDA = ElementMaker(namespace="urn:hl7-org:v3", nsmap={None: "urn:hl7-org:v3"})
KNOWN_PATIENTS = "P"
NAME = "虚构患者"
SECTIONS = {
    "C0004": ("ADMISSION", "入院记录", "突发胸痛、气促 2 小时入院；SpO2 89%（<90%），右下肢肿胀 & 压痛。"),
    "C0006": ("EXAM", "检查报告", "心电图：窦性心动过速，SⅠQⅢTⅢ。"),
    "C0007": ("LAB", "检验报告", "D-二聚体 4.6 mg/L ↑；血钾 3.9 mmol/L。"),
}
"""Kinds of CDA documents (WS/T 500) -> the section of a record they belong to, title, text."""
LINK_MINUTES = 5


class Emr(Vendor):
    """The electronic medical record; what it is told must name a serverName it knows."""

    name = "EMR"
    path = "/csp/emr/EMR.Interface.Service.cls"
    namespace = "www.example-emr.com.cn"
    contract = Served(CallInterface(), namespace=namespace, service="EMRInterface", action="")
    noted: Mapping[str, str] = {
        "ReportID": "report_no",
        "CriticalID": "critical_id",
        "RequestNO": "requisition_no",
        "VisitNO": "visit_no",
        "QueryScope": "scope",
    }

    def functions(self) -> Mapping[str, Carry]:
        return {"S0101": self._record, "S0042": self._report, "S0070": self._critical}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _said(code, text)

    def sends(self) -> Mapping[str, Send]:
        return {"SubmitRequisition": self._order, "AcknowledgeCriticalValue": self._acknowledge}

    def _call(self, function: str, values: Mapping[str, Any], fields: str) -> Sent:
        """Who calls is said in msgHeader."""
        name, password = self.login or ("", "")
        header = {"serverName": function, "format": "XML", "callOperator": name, "certificate": password}
        number = str(values.get("message_id") or new_number(self.name))
        told = request_of(function, self.name, fields, message_id=number)
        head = flat("root", {**header, "msgNo": number})
        return Sent("/facade/EMR", strings("CallInterface", self.namespace, msgHeader=head, msgBody=told), basic=False)

    def _order(self, values: Mapping[str, Any]) -> Sent:
        """A doctor orders in the record."""
        return self._call("SubmitRequisition", values, ordered(values))

    def _acknowledge(self, values: Mapping[str, Any]) -> Sent:
        """A doctor answers on the record's own screen."""
        fields = handled(values, "YJ", "赵䶮", f"{datetime.now(HOSPITAL_TIME):%Y-%m-%d %H:%M:%S}")
        return self._call("AcknowledgeCriticalValue", values, fields)

    def _record(self, question: Question) -> Said:
        """Documents of this visit or of all; with ViewMode 1 only a link."""
        patient = question.needed("PatientID")
        if not patient.startswith(KNOWN_PATIENTS):
            raise Refused("-2", "患者不存在")
        if question.text("ViewMode") == "1":
            until = datetime.now(HOSPITAL_TIME) + timedelta(minutes=LINK_MINUTES)
            token = secrets.token_urlsafe(16)
            return _said(
                "0", "成功", E.ViewURL(f"https://emr.example.org/view?ticket={token}&until={until:%Y%m%d%H%M%S}")
            )
        visits = [question.text("VisitNO") or "ZY20260012345"]
        if question.text("QueryScope") == "ALL":
            visits.append("MZ20250312007")
        wanted = [one.text for one in question.content.iterfind("DocTypes/DocType")]
        return _said("0", "成功", *[_visit(number, wanted) for number in visits])

    def _report(self, question: Question) -> Said:
        number = question.needed("ReportID")
        self.memory.remember(
            "reports",
            (question.needed("SourceSystem"), number),
            report_no=number,
            sender=question.needed("SourceSystem"),
            withdrawn=question.text("UpdateFlag") == "D",
            requisition_nos=[(one.text or "") for one in question.content.iterfind("RequestNOs/RequestNO")],
        )
        return _said("0", "成功")

    def _critical(self, question: Question) -> Said:
        number = question.needed("CriticalID")
        self.memory.remember(
            "critical_values",
            (question.needed("SourceSystem"), number),
            critical_id=number,
            sender=question.needed("SourceSystem"),
            content=question.needed("CriticalContent"),
        )
        return _said("0", "成功")


def _visit(number: str, wanted: list[str | None]) -> etree._Element:
    now = datetime.now(HOSPITAL_TIME)
    documents = [
        E.Document(
            E.DocID(f"{number}.{kind}"),
            E.DocType(kind),
            E.SectionCode(section),
            E.DocTitle(title),
            E.DocTime(f"{now:%Y-%m-%d %H:%M:%S}"),
            E.DocContent(etree.tostring(_cda(kind, title, text), encoding="unicode")),
        )
        for kind, (section, title, text) in SECTIONS.items()
        if not wanted or section in wanted or kind in wanted
    ]
    kind = "1" if number.startswith("MZ") else "3"
    return E.Visit(E.VisitNO(number), E.VisitTypeCode(kind), E.DeptName("呼吸与危重症医学科"), *documents)


def _cda(kind: str, title: str, text: str) -> etree._Element:
    return CDA.ClinicalDocument(
        CDA.code(code=kind, codeSystem="2.16.156.10011.2.4"),
        CDA.title(title),
        CDA.recordTarget(CDA.patientRole(CDA.patient(CDA.name(NAME)))),
        CDA.component(CDA.structuredBody(CDA.component(CDA.section(CDA.text(text))))),
    )


def _said(code: str, text: str, *more: etree._Element) -> Said:
    root = E.Response(E.ResultCode(code), E.ResultContent(text), *more)
    return Said(etree.tostring(root, encoding="unicode"), code, text)
