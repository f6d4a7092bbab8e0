"""What examining departments have in common: a worklist, and what they tell of it by the gateway's own contract."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from gateway.simulators.memory import Record
from gateway.simulators.vendors.calling import HOSPITAL_TIME, Sent, element, new_number, request_of
from gateway.simulators.vendors.vendor import Message, Refused, Send, Vendor

WAITING, REGISTERED, CANCELLED = "WAITING", "REGISTERED", "CANCELLED"

CONTRAST = {"code": "YP1108", "name": "碘海醇注射液（追加）", "quantity": "1", "price": "126.80"}


class Department(Vendor):
    """A worklist by requisition number; what its staff has registered can be neither changed nor cancelled."""

    prefix = "ACC"
    """Its own numbers of examinations begin so."""
    modality = "CT"
    report_type = "EXAM"
    source_type = "6"
    """Of its critical values."""
    busy = "2"
    """Its code for what the department has begun already."""
    unknown = "-1"
    facade = ""
    """By which facade it calls the gateway; by our own contract without one."""
    basic = True
    """Whether HTTP says there who calls."""

    def state(self) -> dict[str, Any]:
        """The worklist by its numbers, without whom it is about."""
        shown = [{name: v for name, v in one.items() if name != "patient"} for one in self.memory.all("worklist")]
        return super().state() | {"worklist": shown}

    def act(self, action: str, number: str, amount: str = "") -> None:
        """`register` or `unregister` a requisition at the department's own screen."""
        state = {"register": REGISTERED, "unregister": WAITING}.get(action)
        if state is None:
            return super().act(action, number, amount)
        order = self.memory.recall("worklist", (number,))
        if order is None or order["state"] == CANCELLED:
            raise LookupError(f"{number} is not on the worklist of {self.name}.")
        self.memory.remember("worklist", (number,), **{**order, "state": state})
        return None

    # --- what the gateway asks ----------------------------------------------------------------------------------------

    def take(self, number: str, *, patient: Mapping[str, str], items: list[dict[str, str]], again: bool) -> Record:
        """Put a requisition on the worklist, or change it there when it comes `again`. Raises Refused."""
        known = self.memory.recall("worklist", (number,))
        if known is None and again:
            raise Refused(self.unknown, "申请单不存在")
        if known is not None and known["state"] == CANCELLED:
            raise Refused(self.unknown, "申请单已作废")
        if known is not None and again and known["state"] == REGISTERED:
            raise Refused(self.busy, "已登记，不能修改")
        if known is not None and not again:
            return known
        return self.memory.remember(
            "worklist",
            (number,),
            requisition_no=number,
            state=WAITING,
            exam_no=known["exam_no"] if known else self.memory.next_number("worklist", self.prefix),
            items=items,
            visit_no=patient.get("visit_no", ""),
            patient=dict(patient),
        )

    def cancel(self, number: str) -> Record:
        """Raises Refused."""
        order = self.memory.recall("worklist", (number,))
        if order is None:
            raise Refused(self.unknown, "申请单不存在")
        if order["state"] == REGISTERED:
            raise Refused(self.busy, "已登记，不能取消")
        return self.memory.remember("worklist", (number,), **{**order, "state": CANCELLED})

    def opinion(self, critical_id: str, ack_id: str, kind: str, opinion: str) -> None:
        """What clinicians answered to a critical value; every one is kept."""
        self.memory.remember(
            "opinions", (critical_id, ack_id), critical_id=critical_id, ack_id=ack_id, kind=kind, opinion=opinion
        )

    # --- what it tells the gateway ------------------------------------------------------------------------------------

    def sends(self) -> Mapping[str, Send]:
        return {
            "ReportStatus": self._status,
            "SubmitReport": self._report,
            "ChargeItem": self._charge,
            "RefundItem": self._refund,
            "PushCriticalValue": self._critical,
            "GetMedicalRecord": self._record,
        }

    def known(self, values: Mapping[str, Any]) -> Record:
        """The requisition a message is about. Raises LookupError."""
        number = str(values.get("requisition_no", ""))
        order = self.memory.recall("worklist", (number,))
        if order is None:
            raise LookupError(f"{number or 'a message without requisition_no'} is not on the worklist of {self.name}.")
        return order

    def _ours(self, operation: str, values: Mapping[str, Any], fields: str) -> Message:
        if self.facade:
            told = request_of(operation, self.sender, fields, message_id=str(values.get("message_id", "")))
            return Sent(f"/facade/{self.facade}", self.wrapped(operation, told), basic=self.basic)
        return self.by_contract(operation, values, fields)

    def wrapped(self, operation: str, told: str) -> str:
        """A message in the operation of its facade."""
        raise NotImplementedError

    def happened(self, values: Mapping[str, Any]) -> tuple[Record, str]:
        """The requisition a state is told of, and our word for that. A REGISTER is one on its own screen, too."""
        order, event = self.known(values), str(values.get("event", "REGISTER"))
        action = {"REGISTER": "register", "CANCEL_REG": "unregister"}.get(event)
        if action is not None and order["state"] != CANCELLED:
            self.act(action, order["requisition_no"])
        return order, event

    def _status(self, values: Mapping[str, Any]) -> Message:
        order, event = self.happened(values)
        fields = (
            element("RequisitionNo", order["requisition_no"])
            + element("Event", event)
            + element("OccurredAt", values.get("occurred_at") or now())
            + element("AccessionNo", order["exam_no"])
            + element("Reason", values.get("reason"))
        )
        return self._ours("ReportStatus", values, fields)

    def _report(self, values: Mapping[str, Any]) -> Message:
        order = self.known(values)
        number = str(values.get("report_no") or "BG" + order["exam_no"])
        fields = (
            element("ReportNo", number)
            + element("ReportVersion", values.get("version", 1))
            + element("Action", values.get("action", "FINAL"))
            + "<Requisitions><Requisition>"
            + element("RequisitionNo", order["requisition_no"])
            + "</Requisition></Requisitions>"
            + element("AccessionNo", order["exam_no"])
            + patient_of(order)
            + element("ReportType", self.report_type)
            + element("Findings", values.get("findings", "未见明显异常 & 请结合临床。"))
            + element("Impression", values.get("impression", "未见明显异常。"))
            + "<ReporterCode>R0345</ReporterCode><ReporterName>周试</ReporterName>"
            + element("ReportedAt", values.get("reported_at") or now())
            + "<AuditorCode>R0102</AuditorCode><AuditorName>吴䶮</AuditorName>"
            + element("AuditedAt", values.get("reported_at") or now())
            + element("Modality", self.modality)
            + element("ViewerUrl", f"https://pacs.example.org/viewer?accession={order['exam_no']}&mode=view")
        )
        return self._ours("SubmitReport", values, fields)

    def _charge(self, values: Mapping[str, Any]) -> Message:
        order = self.known(values)
        lines = values.get("lines") or [CONTRAST]
        written = "".join(
            "<Line>"
            + element("LineNo", number)
            + element("ChargeCode", line["code"])
            + element("ItemName", line.get("name", line["code"]))
            + element("Quantity", line.get("quantity", "1"))
            + element("UnitPrice", line.get("price"))
            + element("ListAmount", amount_of(line))
            + element("ActualAmount", amount_of(line))
            + "</Line>"
            for number, line in enumerate(lines, 1)
        )
        fields = (
            element("ChargeNo", values.get("charge_no") or new_number("JF"))
            + element("RequisitionNo", order["requisition_no"])
            + patient_of(order)
            + visit_of(order)
            + element("ChargePoint", "SUPPLEMENT")
            + element("OccurredAt", values.get("occurred_at") or now())
            + element("PerformDeptCode", values.get("perform_dept", "0103"))
            + f"<Lines>{written}</Lines>"
        )
        return self._ours("ChargeItem", values, fields)

    def _refund(self, values: Mapping[str, Any]) -> Message:
        fields = (
            element("RefundNo", values.get("refund_no") or new_number("TF"))
            + element("OriginalChargeNo", values["charge_no"])
            + "<Initiator>PERFORM_DEPT</Initiator><ReasonCode>DEVICE_FAULT</ReasonCode>"
            + "<Lines><Line>"
            + element("OriginalLineNo", values.get("line_no", 1))
            + element("ChargeCode", values.get("code", "YP1108"))
            + element("RefundQuantity", values.get("quantity", "1"))
            + "</Line></Lines>"
        )
        return self._ours("RefundItem", values, fields)

    def _critical(self, values: Mapping[str, Any]) -> Message:
        order = self.known(values)
        fields = (
            element("CriticalId", values.get("critical_id") or new_number("WJZ"))
            + element("SourceType", self.source_type)
            + element("RequisitionNo", order["requisition_no"])
            + element("Content", values.get("content", "右肺动脉主干栓塞"))
            + element("FoundAt", now())
            + element("ReportedAt", now())
            + "<ReporterCode>R0102</ReporterCode><ReporterName>吴䶮</ReporterName>"
        )
        return self._ours("PushCriticalValue", values, fields)

    def _record(self, values: Mapping[str, Any]) -> Message:
        order = self.known(values)
        fields = (
            element("PatientId", order["patient"]["patient_id"])
            + element("VisitNo", order["visit_no"])
            + element("Scope", values.get("scope", "THIS_VISIT"))
            + element("IncludeOrders", "false")
            + element("ReturnMode", values.get("mode"))
            + element("Purpose", "TREAT")
        )
        return self._ours("GetMedicalRecord", values, fields)


def amount_of(line: Mapping[str, str]) -> str:
    """What a line costs; nothing when the list of HIS is to say."""
    if "price" not in line:
        return ""
    return str((Decimal(line["price"]) * Decimal(line.get("quantity", "1"))).quantize(Decimal("0.01"), ROUND_HALF_UP))


def now() -> str:
    return datetime.now(HOSPITAL_TIME).isoformat(timespec="seconds")


def patient_of(order: Record) -> str:
    """The patient of a requisition, by our contract."""
    patient = order["patient"]
    return (
        "<Patient>"
        + element("PatientId", patient["patient_id"])
        + element("PatientName", patient["name"])
        + element("SexCode", patient.get("sex") or "9")
        + "</Patient>"
    )


def visit_of(order: Record) -> str:
    patient = order["patient"]
    return (
        "<Visit>"
        + element("VisitType", patient.get("visit_type") or "3")
        + element("VisitNo", patient["visit_no"])
        + "</Visit>"
    )
