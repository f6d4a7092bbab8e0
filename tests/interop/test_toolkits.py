"""Departments and vendors call with what they have: PHP, node, zeep and suds load the served WSDL and use all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any

import psycopg
import pytest
from running_gateway import Site
from story import CONTRACT, OPERATIONS, Message, fresh, renumbered, request_in, sender, values
from toolkits import TOOLKITS, Toolkit

from gateway.messages.wire import Wire
from gateway.model.packed import unpack

WIRE = Wire(CONTRACT, timezone(timedelta(hours=8)))
JOURNAL = "SELECT operation, xml FROM journal WHERE message_id = ANY(%s) ORDER BY received_at"


@dataclass(frozen=True)
class Conversation:
    """The story of the samples as one toolkit told it, and how it ended."""

    site: Site
    number: int
    sent: dict[str, Message]
    outcomes: dict[str, dict[str, Any]]

    def answer(self, what: str) -> Message:
        assert "answer" in self.outcomes[what], self.outcomes[what]
        found: Message = self.outcomes[what]["answer"]
        return found

    def code(self, what: str) -> str:
        found: str = self.answer(what)["Result"]["ResultCode"]
        return found


@pytest.fixture(scope="module", params=TOOLKITS, ids=str)
def told(request: pytest.FixtureRequest) -> Conversation:
    """Every operation in the order of the contract; then a refund nobody may have, and a call with a wrong password."""
    toolkit: Toolkit = request.param
    if toolkit.missing:
        pytest.skip(toolkit.missing)
    site: Site = request.getfixturevalue("site")
    number = 10_000_000 + 100 * TOOLKITS.index(toolkit) + site.worker
    sent = {operation: fresh(operation, number) for operation in OPERATIONS}
    sent["late refund"] = late_refund(sent["RefundItem"])
    calls = [call(site, what, message) for what, message in sent.items()]
    calls.append(call(site, "QueryTransaction", sent["QueryTransaction"]) | {"password": "not-the-password"})
    outcomes = toolkit.call(site.wsdl(toolkit), calls)
    return Conversation(site, number, sent, dict(zip([*sent, "wrong password"], outcomes, strict=True)))


def call(site: Site, what: str, message: Message) -> dict[str, Any]:
    operation = what if what in OPERATIONS else "RefundItem"
    user = sender(message)
    return {"operation": operation, "request": message, "username": user, "password": site.password(user)}


def late_refund(refund: Message) -> Message:
    """The cashier gives money back although the patient lies on the table."""
    header = refund["Header"] | {"SenderCode": "HIS", "MessageId": refund["Header"]["MessageId"] + "-L"}
    return refund | {"Header": header, "RefundNo": refund["RefundNo"] + "-L", "Initiator": "CASHIER"}


def test_it_calls_every_operation_of_the_served_wsdl(told: Conversation) -> None:
    assert {what: told.code(what) for what in OPERATIONS} == dict.fromkeys(OPERATIONS, "0")


def test_every_field_arrives_as_the_department_wrote_it(told: Conversation) -> None:
    ids = [told.sent[operation]["Header"]["MessageId"] for operation in OPERATIONS]
    with psycopg.connect(told.site.facts["database"]) as connection:
        arrived = {operation: read(operation, unpack(xml)) for operation, xml in connection.execute(JOURNAL, (ids,))}
    for operation in OPERATIONS:
        assert arrived[operation] == read(operation, renumbered(operation, told.number))


def test_rare_names_and_several_items_come_back_whole(told: Conversation) -> None:
    ordered, found = told.sent["SubmitRequisition"], told.answer("QueryRequisition")["Requisitions"]
    assert values(found, "PatientName") == values(ordered, "PatientName") == ["王𠮷祥"]
    assert values(found, "OrderingDoctorName") == ["赵䶮"]
    assert values(found, "ItemName") == values(ordered, "ItemName")
    assert values(found, "Address") == ["示例市样例区测试路88号A&B座501室"]


def test_a_refusal_by_a_rule_is_an_answer(told: Conversation) -> None:
    result = told.answer("late refund")["Result"]
    assert result["ResultCode"] == "RFD-423"
    assert "退费" in result["ResultText"]
    assert str(result["Retryable"]).lower() == "false"


def test_a_wrong_password_is_a_fault_whose_fields_it_can_read(told: Conversation) -> None:
    fault = told.outcomes["wrong password"]["fault"]
    assert fault["Code"] == "AUT-401"
    assert fault["Message"].startswith("身份验证失败")
    assert fault["MessageEn"].startswith("Authentication failed")
    assert fault["ErrorId"]
    assert str(fault["Retryable"]).lower() == "false"
    assert "AUT-401" in fault["text"]


def read(operation: str, envelope: bytes) -> Any:
    return WIRE.read(f"{operation}Request", request_in(envelope))
