"""A pharmacy with delivery (药品配送): CallInterface(msgHeader, msgBody) in GBK, with yes and no in Chinese.

It takes orders as requisitions come to departments, on the general way, and tells how far a parcel is by the facade
`pharmacy`: in the same style and charset, its certificate being its password. Its labels are printed in GBK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree
from lxml.builder import E

from gateway.simulators.vendors.calling import Sent, flat, new_number, strings, when
from gateway.simulators.vendors.department import Department
from gateway.simulators.vendors.vendor import Carry, Question, Refused, Send
from gateway.styles.call_interface import CallInterface
from gateway.styles.served import Served
from gateway.styles.style import Said

STATES = {"BOOK": "已接单", "REGISTER": "已配药", "CANCEL_REG": "撤销配药", "EXAM_DONE": "已签收", "REJECT": "缺药"}
"""Our word -> its own."""


class Pharmacy(Department):
    """Orders by number, until the parcel has left."""

    name = "PHARMACY"
    path = "/csp/pharmacy/Pharmacy.BS.PUB0001.cls"
    charset = "gbk"
    prefix = "YF"
    busy = unknown = unsupported = "失败"
    contract = Served(
        CallInterface(),
        namespace="www.pharmacy.example",
        service="PharmacyPUB",
        names={"result:payload": "CallInterfaceResult"},
        action="www.pharmacy.example/Pharmacy.BS.PUB0001",
    )
    noted: Mapping[str, str] = {"DJH": "requisition_no"}

    def functions(self) -> Mapping[str, Carry]:
        return {"PrescriptionSend": self._prescription, "PrescriptionCancel": self._back}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _answer(code, text)

    def _prescription(self, question: Question) -> Said:
        if question.asked.password != "pharmacy":  # noqa: S105 - a simulator's
            raise Refused("失败", "certificate不正确")
        items = [
            {"code": (drug.findtext("YPDM") or "").strip(), "name": (drug.findtext("YPMC") or "").strip()}
            for drug in question.content.iterfind("YPLB/YP")
        ]
        if not items or not all(item["code"] for item in items):
            raise Refused("失败", "药品代码不能为空")
        patient = {
            "patient_id": question.needed("BRID"),
            "name": question.needed("XM"),
            "visit_no": question.text("JZH"),
        }
        if not _is_printable(patient["name"]):
            raise Refused("失败", "姓名中有GBK没有的字，药袋标签无法打印")
        order = self.take(question.needed("DJH"), patient=patient, items=items, again=False)
        return _answer("成功", "已接收", number=str(order["exam_no"]))

    def _back(self, question: Question) -> Said:
        self.cancel(question.needed("DJH"))
        return _answer("成功", "已取消")

    # --- what it tells ------------------------------------------------------------------------------------------------

    def sends(self) -> Mapping[str, Send]:
        return {"ReportStatus": self._delivery}

    def _delivery(self, values: Mapping[str, Any]) -> Sent:
        """How far the parcel is."""
        order, event = self.happened(values)
        name, certificate = self.login or ("", "")
        number = str(values.get("message_id") or new_number(self.name))
        header = {"serverName": "DeliveryStatus", "format": "XML", "callOperator": name, "certificate": certificate}
        told = {
            "DJH": order["requisition_no"],
            "ZT": STATES.get(event, event),
            "SJ": when(values, "%Y%m%d%H%M%S"),
            "YFDH": order["exam_no"],
            "CZY": values.get("courier", "孙样例"),
            "YY": values.get("reason"),
        }
        called = strings(
            "CallInterface",
            "www.pharmacy.example",
            msgHeader=flat("root", {**header, "msgNo": number}),
            msgBody=flat("root", told),
        )
        return Sent("/facade/PHARMACY", called, charset=self.charset, basic=False)


def _is_printable(name: str) -> bool:
    try:
        return bool(name.encode("gbk"))
    except UnicodeEncodeError:
        return False


def _answer(code: str, text: str, *, number: str = "") -> Said:
    document = E.root(E.JG(code), E.SM(text), E.LSH(number))
    return Said(etree.tostring(document, encoding="unicode"), code, text)
