"""A health examination centre (体检): TechService(actionCode, xmlContent) -> returnCode, returnXml, in Chinese words.

It sends requisitions for its guests and shows their states and critical values on its screens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from gateway.simulators.vendors.calling import Sent, new_number
from gateway.simulators.vendors.outside import paid_order
from gateway.simulators.vendors.vendor import Carry, Question, Refused, Send, Vendor
from gateway.styles.plain import TechService
from gateway.styles.served import Served
from gateway.styles.style import Said

STATES = frozenset({"已预约", "已登记", "已检查", "已报告", "已取消"})


class HealthCheck(Vendor):
    """Guests instead of patients: visits of type 4 there, which our contract calls 9."""

    name = "TJ"
    path = "/TjService/TechService.asmx"
    unsupported = "-9"
    contract = Served(TechService(), namespace="http://tempuri.org/", service="TechService")
    noted: Mapping[str, str] = {"申请单号": "requisition_no", "危急值编号": "critical_id", "消息号": "message_id"}

    def functions(self) -> Mapping[str, Carry]:
        return {"状态通知": self._status, "危急值提醒": self._alert}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return Said("", code, text)

    def _status(self, question: Question) -> Said:
        number, state = question.needed("申请单号"), question.needed("状态")
        if state not in STATES:
            raise Refused("-2", "未知状态")
        self.memory.remember("guests", (number,), requisition_no=number, state=state)
        return _answer("收到")

    def _alert(self, question: Question) -> Said:
        number = question.needed("危急值编号")
        self.memory.remember("alerts", (number,), critical_id=number, content=question.needed("内容"))
        return _answer("收到")

    def sends(self) -> Mapping[str, Send]:
        return {"SubmitRequisition": self._order}

    def _order(self, values: Mapping[str, Any]) -> Sent:
        return paid_order(
            self.sender,
            values,
            number=str(values.get("requisition_no") or new_number("TJ")),
            patient="<PatientId>TJ-P0001</PatientId><PatientName>张体检</PatientName><SexCode>1</SexCode>",
            visit="<VisitType>9</VisitType><VisitNo>TJ20260001</VisitNo>",
            department="8001",
            doctor="体检示例",
        )


def _answer(text: str) -> Said:
    document = etree.Element("返回")
    etree.SubElement(document, "说明").text = text
    return Said(etree.tostring(document, encoding="unicode"), "1", text)
