"""An anaesthesia system on Axis 1.4: rpc/encoded operations; every value of its answers has its xsi:type.

It calls by Axis, too: rpc/encoded, beans and numbers behind the call (multiRef), and an empty SOAPAction. What was used
in an operation is charged after it, hundreds of lines in batches of 200, each at the time of its first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from gateway.simulators.vendors.calling import new_number
from gateway.simulators.vendors.department import CONTRAST, Department, now
from gateway.simulators.vendors.toolkits import Batches, axis_encoded
from gateway.simulators.vendors.typed import EXAMPLES, Typed
from gateway.simulators.vendors.vendor import Carry, Message, Question
from gateway.styles.style import Said

YES, NO = "1", "0"
BATCH = 200
"""Lines of one charge."""
_TYPES = (
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'
)


class Anaesthesia(Department):
    """Operations to come."""

    name = "ANES"
    path = "/services/OperationService"
    contract = Typed(
        EXAMPLES / "anaesthesia" / "wsdl" / "service.wsdl",
        "http://oper.anes.example.com",
        ("addOperationApply", "cancelOperationApply"),
    )
    prefix = "SS"
    modality = "ANES"
    toolkit = staticmethod(axis_encoded)
    busy, unknown, unsupported = NO, NO, NO
    noted: Mapping[str, str] = {"messageId": "message_id", "applyNo": "requisition_no"}

    def functions(self) -> Mapping[str, Carry]:
        return {"addOperationApply": self._add, "cancelOperationApply": self._cancel}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _said(question, code, text)

    def _add(self, question: Question) -> Said:
        number = question.needed("apply/applyNo")
        parts = [
            question.needed(f"apply/{name}").split(",") for name in ("orderIds", "operationCodes", "operationNames")
        ]
        items = [{"order_no": order, "code": code, "name": name} for order, code, name in zip(*parts, strict=False)]
        patient = {
            "patient_id": question.needed("apply/patientId"),
            "name": question.needed("apply/patientName"),
            "sex": question.text("apply/sex"),
            "visit_no": question.needed("apply/visitNo"),
        }
        known = self.memory.recall("worklist", (number,)) is not None
        order = self.take(number, patient=patient, items=items, again=known)
        return _said(question, YES, "ok", operation=str(order["exam_no"]))

    def _cancel(self, question: Question) -> Said:
        self.cancel(question.needed("applyNo"))
        return _said(question, YES, "ok")

    def _charge(self, values: Mapping[str, Any]) -> Message:
        """`lines` in the order of their use; a line may say when that was (`at`). Several charges are -1, -2 ..."""
        lines = sorted(values.get("lines") or [CONTRAST], key=lambda line: str(line.get("at", "")))
        number, size = str(values.get("charge_no") or new_number("JF")), int(values.get("batch", BATCH))
        batches = [lines[at : at + size] for at in range(0, len(lines), size)]
        charges: list[Message] = []
        for place, batch in enumerate(batches, 1):
            used_at = batch[0].get("at") or values.get("occurred_at") or now()
            own = number if len(batches) == 1 else f"{number}-{place}"
            charges.append(super()._charge({**values, "lines": batch, "charge_no": own, "occurred_at": used_at}))
        return Batches(charges)


def _said(question: Question, code: str, text: str, operation: str = "") -> Said:
    name = f"{question.function}Return"
    inner = (
        f'<{name} {_TYPES} xsi:type="n:ReturnInfo"><resultFlag xsi:type="xsd:int">{escape(code)}</resultFlag>'
        f'<resultMsg xsi:type="xsd:string">{escape(text)}</resultMsg>'
        f'<operationId xsi:type="xsd:string">{escape(operation)}</operationId></{name}>'
    )
    return Said(inner, code, text)
