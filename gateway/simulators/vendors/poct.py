"""Point-of-care devices and wearables: a server that only calls, without visit numbers, and calls again and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.simulators.vendors.calling import Sent, element, new_number, ours
from gateway.simulators.vendors.department import now
from gateway.simulators.vendors.vendor import Carry, Question, Send, Vendor
from gateway.styles.plain import Single
from gateway.styles.served import Served
from gateway.styles.style import Said


class Poct(Vendor):
    """Values of a patient whose wristband was scanned, or of nobody known."""

    name = "POCT"
    path = "/poct"
    contract = Served(Single(), namespace="http://poct.example.org/", operations=("Ping",), service="Poct")

    def functions(self) -> Mapping[str, Carry]:
        return {"Ping": lambda question: Said("<pong/>", "0")}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return Said(f"<no>{text}</no>", code, text)

    def sends(self) -> Mapping[str, Send]:
        return {"PushCriticalValue": self._value}

    def _value(self, values: Mapping[str, Any]) -> Sent:
        patient = element("PatientId", values.get("patient_id"))
        fields = (
            element("CriticalId", values.get("critical_id") or new_number("POCT"))
            + element("SourceType", values.get("source_type", "POCT"))
            + (f"<Patient>{patient}</Patient>" if patient else "")
            + element("Content", values.get("content", "末梢血糖 1.9 mmol/L"))
            + element("FoundAt", values.get("found_at") or now())
        )
        sender = self.sender
        return ours("PushCriticalValue", sender, fields, message_id=str(values.get("message_id", "")))
