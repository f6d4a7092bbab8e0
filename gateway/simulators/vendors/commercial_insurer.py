"""A commercial insurer (商保): typed operations over SOAP 1.2, by a UsernameToken, from the internet.

It is told that a visit was settled, and reads the record and the charges of its policy holder for a claim, by CXF.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from gateway.simulators.vendors.calling import element
from gateway.simulators.vendors.toolkits import cxf
from gateway.simulators.vendors.typed import EXAMPLES, Typed
from gateway.simulators.vendors.vendor import Carry, Message, NotAdmitted, Question, Refused, Send, Vendor
from gateway.styles.style import Said

NAMESPACE = "http://claims.insurer.example.org/notify/v2"
WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
USERNAME, PASSWORD = "hospital-44643245", "insurer-password"
EVENTS = frozenset({"SETTLED", "REVERSED", "DISCHARGED"})


class CommercialInsurer(Vendor):
    """Notices of visits, each once."""

    name = "SB"
    path = "/claims/services/NotifyService"
    contract = Typed(EXAMPLES / "commercial-insurer" / "wsdl" / "service.wsdl", NAMESPACE, ("notifyVisit",))
    toolkit = staticmethod(cxf)
    noted: Mapping[str, str] = {"noticeNo": "event_no", "visitNo": "visit_no", "event": "event"}

    def functions(self) -> Mapping[str, Carry]:
        return {"notifyVisit": self._notice}

    def admit(self, header: etree._Element | None, environ: Mapping[str, Any]) -> None:
        token = None if header is None else header.find(f"{WSSE}Security/{WSSE}UsernameToken")
        said = (None, None) if token is None else (token.findtext(f"{WSSE}Username"), token.findtext(f"{WSSE}Password"))
        if said != (USERNAME, PASSWORD):
            raise NotAdmitted("The UsernameToken is missing or wrong.")

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _answer("REJECTED", text)

    def _notice(self, question: Question) -> Said:
        number, event = question.needed("notice/noticeNo"), question.needed("notice/event")
        if event not in EVENTS:
            raise Refused("REJECTED", "未知事件")
        if self.memory.recall("notices", (number,)) is not None:
            return _answer("DUPLICATE", "已收到过")
        self.memory.remember(
            "notices", (number,), event_no=number, event=event, visit_no=question.needed("notice/visitNo")
        )
        return _answer("ACCEPTED", "")

    def sends(self) -> Mapping[str, Send]:
        return {"GetMedicalRecord": self._record, "QueryTransaction": self._charges}

    def _record(self, values: Mapping[str, Any]) -> Message:
        fields = (
            element("PatientId", values["patient_id"])
            + element("VisitNo", values.get("visit_no"))
            + element("Scope", values.get("scope", "THIS_VISIT"))
            + element("IncludeOrders", "false")
            + element("Purpose", "CLAIM")
            + element("AuthorizationNo", values.get("authorization_no"))
        )
        return self.by_contract("GetMedicalRecord", values, fields)

    def _charges(self, values: Mapping[str, Any]) -> Message:
        fields = element("ChargeNo", values["charge_no"]) + element("SourceSystem", values.get("source_system"))
        return self.by_contract("QueryTransaction", values, fields)


def _answer(status: str, text: str) -> Said:
    payload = f'<n:ack xmlns:n="{NAMESPACE}"><n:status>{status}</n:status><n:reason>{text}</n:reason></n:ack>'
    return Said(payload, status, text)
