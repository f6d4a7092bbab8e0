"""A health examination centre (体检): TechService(actionCode, xmlContent) -> returnCode, returnXml, in Chinese words.

It sends requisitions for its guests by the facade `health-check`, in the same style and words, and shows their states
and critical values on its screens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from gateway.simulators.vendors.calling import Sent, flat, new_number, strings, when
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
        """One examination of a guest; `paid` says how: 已收费, 团检 (the company pays) or 未收费."""
        number, at = str(values.get("requisition_no") or new_number("TJ")), when(values, "%Y年%m月%d日 %H:%M")
        paid = str(values.get("paid", "已收费"))
        fields = {
            "消息号": values.get("message_id") or new_number(self.name),
            "操作": values.get("action", "新增"),
            "申请单号": number,
            "院区": "01",
            "体检号": values.get("visit_no", "TJ20260001"),
            "收费": paid,
            "收费时间": at if paid == "已收费" else None,
            "收据号": f"SJ{number}" if paid == "已收费" else None,
            "申请时间": at,
            "科室": "8001",
            "医生工号": "D8001",
            "医生": "体检示例",
            "执行科室": values.get("perform_dept", "0103"),
            "原因": values.get("reason"),
        }
        guest = {"编号": "TJ-P0001", "姓名": values.get("name", "张体检"), "性别": "男", "出生日期": "1980年1月2日"}
        item = {"编码": values.get("item", "CT0101"), "名称": "胸部CT平扫", "数量": "1"}
        told = flat("申请", fields, flat("客人", guest) + flat("项目", item))
        called = strings("TechService", "http://tempuri.org/", actionCode="体检申请", xmlContent=told)
        return Sent("/facade/TJ", called, action="http://tempuri.org/TechService")


def _answer(text: str) -> Said:
    document = etree.Element("返回")
    etree.SubElement(document, "说明").text = text
    return Said(etree.tostring(document, encoding="unicode"), "1", text)
