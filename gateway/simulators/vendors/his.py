"""A HIS of the PowerBuilder and .NET age: an asmx in GBK whose every operation takes one string pInput.

Inside is XML with a declaration that says GBK; 1 is yes, -1 is no, whatever else is. Amounts and times are texts in the
forms its stored procedures like. Charges and refunds are booked once by the number of the system that asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from lxml import etree
from lxml.builder import E

from gateway.simulators.memory import Record
from gateway.simulators.vendors.calling import (
    HOSPITAL_TIME,
    Sent,
    element,
    handled,
    new_number,
    ordered,
    request_of,
    strings,
)
from gateway.simulators.vendors.vendor import Carry, Question, Refused, Send, Vendor
from gateway.styles.plain import Single
from gateway.styles.served import Served
from gateway.styles.style import Said

YES, NO = "1", "-1"
DECLARATION = '<?xml version="1.0" encoding="GBK"?>'
CENT = Decimal("0.01")
LIST_PRICE = Decimal("120.00")
"""What anything costs that comes without a price."""


class His(Vendor):
    """Where the patients, the orders and the money are."""

    name = "HIS"
    path = "/HisInterface.asmx"
    charset = "gbk"
    contract = Served(
        Single(),
        operations=("ExamStatus", "AutoCharge", "CancelCharge", "SaveCVResult", "SetReportInfo", "QueryBill"),
        service="HisInterface",
    )
    noted: Mapping[str, str] = {
        "MsgId": "message_id",
        "SysCode": "sender",
        "ApplyNo": "requisition_no",
        "BillSerial": "charge_no",
        "ReturnSerial": "refund_no",
        "CVId": "critical_id",
        "ReportNo": "report_no",
        "AdmNo": "visit_no",
    }

    def functions(self) -> Mapping[str, Carry]:
        return {
            "ExamStatus": self._status,
            "AutoCharge": self._charge,
            "CancelCharge": self._refund,
            "SaveCVResult": self._critical,
            "SetReportInfo": self._report,
            "QueryBill": self._query,
        }

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _said(code, text)

    # --- what it tells the gateway: one string again, with the words of its screens ----------------------------------

    def sends(self) -> Mapping[str, Send]:
        return {
            "SubmitRequisition": self._order,
            "RefundItem": self._refunded,
            "AcknowledgeCriticalValue": self._acknowledged,
        }

    def _call(self, function: str, values: Mapping[str, Any], fields: str) -> Sent:
        told = request_of(function, self.name, fields, message_id=str(values.get("message_id", "")))
        body = strings("HIPService", "http://tempuri.org/", pInput=DECLARATION + told)
        return Sent("/facade/HIS", body, charset="gbk", action="http://tempuri.org/HIPService")

    def _order(self, values: Mapping[str, Any]) -> Sent:
        return self._call("SubmitRequisition", values, ordered(values))

    def _refunded(self, values: Mapping[str, Any]) -> Sent:
        """The cash desk has given money back; `source` is the system that had charged."""
        fields = (
            element("RefundNo", values.get("refund_no") or new_number("HT"))
            + element("OriginalChargeNo", values["charge_no"])
            + element("SourceSystem", values.get("source"))
            + "<Initiator>CASHIER</Initiator><ReasonCode>PATIENT_REFUSED</ReasonCode>"
            + "<Lines><Line><OriginalLineNo>1</OriginalLineNo>"
            + element("ChargeCode", values["code"])
            + "<RefundQuantity>1</RefundQuantity></Line></Lines>"
        )
        return self._call("RefundItem", values, fields)

    def _acknowledged(self, values: Mapping[str, Any]) -> Sent:
        fields = handled(values, "QR", "赵示例", f"{datetime.now(HOSPITAL_TIME):%Y%m%d%H%M%S}")
        return self._call("AcknowledgeCriticalValue", values, fields)

    # --- what it is told ----------------------------------------------------------------------------------------------

    def _status(self, question: Question) -> Said:
        state = question.needed("Body/Status")
        if state not in ("1", "2", "3", "4", "5", "6", "7"):
            raise Refused(NO, "状态代码不存在")
        self.memory.remember(
            "statuses",
            (question.needed("Head/MsgId"),),
            requisition_no=question.needed("Body/ApplyNo"),
            status=state,
            sender=question.needed("Head/SysCode"),
        )
        return _said(YES, "成功")

    def _report(self, question: Question) -> Said:
        """Findings are kept as HIS shows them; it says how many characters arrived."""
        number = question.needed("Body/ReportNo")
        self.memory.remember(
            "reports",
            (question.needed("Head/SysCode"), number),
            report_no=number,
            version=question.text("Body/Version"),
            requisition_nos=[(one.text or "") for one in question.content.iterfind("Body/ApplyNos/ApplyNo")],
            characters=len(question.text("Body/See")) + len(question.text("Body/Diagnose")),
            url=question.text("Body/ViewUrl"),
        )
        return _said(YES, "成功")

    def _critical(self, question: Question) -> Said:
        number = question.needed("Body/CVId")
        self.memory.remember(
            "critical_values",
            (question.needed("Head/SysCode"), number),
            critical_id=number,
            sender=question.needed("Head/SysCode"),
            kind=question.text("Body/Type"),
            content=question.needed("Body/Content"),
            visit_no=question.text("Body/AdmNo"),
        )
        return _said(YES, "成功")

    # --- money --------------------------------------------------------------------------------------------------------

    def _charge(self, question: Question) -> Said:
        number, sender = question.needed("Body/BillSerial"), question.needed("Head/SysCode")
        lines = [_line(one) for one in question.content.iterfind("Body/Items/Item")]
        if not lines:
            raise Refused(NO, "没有费用明细")
        known = self.memory.recall("charges", (sender, number))
        if known is not None and known["lines"] != lines:
            raise Refused(NO, "流水号已用于其他费用")
        charge = known or self.memory.remember(
            "charges",
            (sender, number),
            charge_no=number,
            sender=sender,
            his_no=self.memory.next_number("charges", "HF"),
            message_id=question.needed("Head/MsgId"),
            visit_no=question.needed("Body/AdmNo"),
            lines=lines,
            amount=str(sum((Decimal(line["amount"]) for line in lines), Decimal("0.00"))),
            occurred_at=question.needed("Body/OccurTime"),
            sent_at=question.text("Head/SendTime"),
            booked_at=datetime.now().astimezone().isoformat(timespec="milliseconds"),
        )
        return _said(YES, "成功", bill=charge["his_no"], amounts=charge["lines"])

    def _refund(self, question: Question) -> Said:
        number, sender = question.needed("Body/ReturnSerial"), question.needed("Head/SysCode")
        known = self.memory.recall("refunds", (sender, number))
        refund = known or self._new_refund(question, sender, number)
        return _said(YES, "成功", bill=refund["his_no"], amount=refund["amount"])

    def _new_refund(self, question: Question, sender: str, number: str) -> Record:
        original = question.needed("Body/BillSerial")
        charge = self.memory.recall("charges", (question.text("Body/BillSys") or sender, original))
        if charge is None:
            raise Refused(NO, "未找到原计费记录")
        lines = [_line(one) for one in question.content.iterfind("Body/Items/Item")]
        back = sum((Decimal(line["amount"]) for line in lines), Decimal("0.00"))
        earlier = [Decimal(one["amount"]) for one in self.memory.all("refunds") if one["charge_no"] == original]
        if back + sum(earlier) > Decimal(charge["amount"]):
            raise Refused(NO, "退费金额超过计费金额")
        return self.memory.remember(
            "refunds",
            (sender, number),
            refund_no=number,
            charge_no=original,
            sender=sender,
            his_no=self.memory.next_number("refunds", "HT"),
            message_id=question.needed("Head/MsgId"),
            amount=str(back),
            booked_at=datetime.now().astimezone().isoformat(timespec="milliseconds"),
        )

    def _query(self, question: Question) -> Said:
        """What is booked under a number of a system; nothing is not a no."""
        system = question.needed("Body/BillSys")
        wanted = {"charges": question.text("Body/BillSerial"), "refunds": question.text("Body/ReturnSerial")}
        found = [self.memory.recall(kind, (system, number)) for kind, number in wanted.items() if number]
        return _said(YES, "成功", found=[record for record in found if record is not None])


def _line(item: etree._Element) -> dict[str, str]:
    """A line of a charge as it is booked. Raises Refused."""
    try:
        quantity = Decimal((item.findtext("Qty") or "").strip())
        told = (item.findtext("Charges") or "").strip()
        amount = Decimal(told) if told else (LIST_PRICE * quantity).quantize(CENT, ROUND_HALF_UP)
    except InvalidOperation:
        raise Refused(NO, "数量或金额不是数字") from None
    return {
        "line_no": (item.findtext("LineNo") or "").strip(),
        "code": (item.findtext("ItemCode") or "").strip(),
        "quantity": str(quantity),
        "amount": str(amount),
    }


def _said(code: str, text: str, **more: Any) -> Said:
    root = E.Response(E.ResultCode(code), E.ResultContent(text))
    if "bill" in more:
        root.append(E.BillNo(str(more["bill"])))
    if "amount" in more:
        root.append(E.Amount(str(more["amount"])))
    for line in more.get("amounts", ()):
        root.append(E.Item(E.LineNo(line["line_no"]), E.Charges(line["amount"])))
    for record in more.get("found", ()):
        root.append(
            E.Bill(
                E.SysCode(record["sender"]),
                E.BillSerial(record["charge_no"] if "refund_no" not in record else ""),
                E.ReturnSerial(record.get("refund_no", "")),
                E.BillNo(record["his_no"]),
                E.Amount(record["amount"]),
                E.MsgId(record["message_id"]),
                E.BookTime(record["booked_at"][:19].replace("T", " ")),
            )
        )
    written = etree.tostring(root, encoding="unicode")
    return Said(DECLARATION + written, code, text)
