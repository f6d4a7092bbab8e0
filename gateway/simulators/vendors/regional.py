"""A regional health platform: one method `invoke`, and messages after WS/T 790 inside its one string.

Laboratory reports are C0006, others C0007, visits C0001, and H0001 is a heartbeat. A document that comes again under
its number and version is taken as it is; while the platform is loading, it asks for it again later (code 99).
It asks for records by `invoke`, too: Q0001 at the facade `regional`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree
from lxml.builder import E

from gateway.simulators.memory import Memory
from gateway.simulators.vendors.calling import Sent, element, flat, new_number, when
from gateway.simulators.vendors.vendor import Carry, Question, Refused, Send, Vendor
from gateway.styles.plain import Single
from gateway.styles.served import Served
from gateway.styles.style import Said

LABORATORY, EXAMINATION, VISIT, HEARTBEAT = "C0006", "C0007", "C0001", "H0001"
RECORD = "Q0001"
LOADING = "99"
NAMESPACE = "http://exchange.region.example.org"


class Regional(Vendor):
    """Keeps what hospitals upload, and reads records by an authorisation."""

    name = "REGION"
    path = "/services/RegionalExchange"
    contract = Served(
        Single(),
        namespace=NAMESPACE,
        operations=("invoke",),
        names={"payload": "request", "result:payload": "return"},
        service="RegionalExchange",
        action="",
        qualified=False,
    )
    noted: Mapping[str, str] = {
        "MessageId": "message_id",
        "ReportNo": "report_no",
        "ReportVersion": "report_version",
        "EventNo": "event_no",
        "VisitNo": "visit_no",
        "RequisitionNo": "requisition_no",
    }

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self._loading = 0

    def functions(self) -> Mapping[str, Carry]:
        return {"invoke": self._invoke}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _answer(question, code, text)

    def act(self, action: str, number: str, amount: str = "") -> None:
        """`load`: the next so many uploads are asked for again later."""
        if action != "load":
            return super().act(action, number, amount)
        self._loading = int(number)
        return None

    def _invoke(self, question: Question) -> Said:
        services = {
            LABORATORY: self._document,
            EXAMINATION: self._document,
            VISIT: self._visit,
            HEARTBEAT: _alive,
        }
        service = question.needed("MessageHeader/ServiceCode")
        if service not in services:
            raise Refused("-2", f"未注册的服务：{service[:10]}")
        if self._loading and service != HEARTBEAT:
            self._loading -= 1
            return _answer(question, LOADING, "平台忙，请稍后重传")
        return services[service](question)

    def _document(self, question: Question) -> Said:
        number, version = (
            question.needed("MessageBody/Report/ReportNo"),
            question.needed("MessageBody/Report/ReportVersion"),
        )
        key = (question.needed("MessageHeader/SourceOrg"), number, version)
        if self.memory.recall("documents", key) is None:
            self.memory.remember(
                "documents",
                key,
                service=question.text("MessageHeader/ServiceCode"),
                report_no=number,
                report_version=version,
                requisition_no=question.text("MessageBody/Report/RequisitionNo"),
                patient=question.needed("MessageBody/Report/PatientName"),
                impression=question.text("MessageBody/Report/Impression"),
                withdrawn=question.text("MessageBody/Report/Status") == "9",
            )
        return _answer(question, "0", "上传成功")

    def _visit(self, question: Question) -> Said:
        number = question.needed("MessageBody/Visit/EventNo")
        self.memory.remember(
            "visits",
            (number,),
            event_no=number,
            event=question.needed("MessageBody/Visit/Event"),
            visit_no=question.needed("MessageBody/Visit/VisitNo"),
        )
        return _answer(question, "0", "上传成功")

    # --- what it asks -------------------------------------------------------------------------------------------------

    def sends(self) -> Mapping[str, Send]:
        return {"GetMedicalRecord": self._record}

    def _record(self, values: Mapping[str, Any]) -> Sent:
        """One visit of a patient, by an authorisation; who asks is said in the head of the message."""
        account, token = self.login or ("", "")
        header = {
            "ServiceCode": RECORD,
            "MessageId": values.get("message_id") or new_number(self.name),
            "SourceOrg": "100000000000",
            "Account": account,
            "Token": token,
            "SendTime": when(values, "%Y-%m-%d %H:%M:%S"),
        }
        query = {
            "PatientId": values["patient_id"],
            "VisitNo": values.get("visit_no"),
            "AuthorizationNo": values.get("authorization_no"),
        }
        told = flat("Request", {}, flat("MessageHeader", header) + flat("MessageBody", {}, flat("Query", query)))
        return Sent(
            "/facade/REGION", f'<x:invoke xmlns:x="{NAMESPACE}">{element("request", told)}</x:invoke>', basic=False
        )


def _alive(question: Question) -> Said:
    return _answer(question, "0", "平台正常")


def _answer(question: Question, code: str, text: str) -> Said:
    try:
        number = question.text("MessageHeader/MessageId")
    except Refused:
        number = ""
    document = E.Response(E.MessageHeader(E.MessageId(number)), E.MessageBody(E.Result(E.Code(code), E.Message(text))))
    return Said(etree.tostring(document, encoding="unicode"), code, text)
