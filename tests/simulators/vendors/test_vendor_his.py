"""A HIS with an asmx in GBK and one string for everything: what departments tell it arrives, and money is asked for."""

import dataclasses

import pytest

from tests.partners.fake_partner import sample
from tests.simulators.vendors.house import CANONICAL, House, new, reference, until

SYSTEMS = {"HIS": "his", "PACS": CANONICAL + "pacs"}
CHANGES = {"HIS": {"total_seconds = 10": "total_seconds = 1"}}
SETTINGS = "[limits]\nsync_seconds = 1\n"
FACADES = {"HIS": ("request-header-body", {"charset": '"gbk"', "declaration": "true"})}
ROUTES = {
    "SubmitRequisition": ("PACS",),
    "ReportStatus": ("HIS",),
    "SubmitReport": ("HIS",),
    "ChargeItem": ("HIS",),
    "RefundItem": ("HIS",),
    "PushCriticalValue": ("HIS",),
}


def registered(house: House) -> str:
    number = house.order()
    told = house.call("PACS", "ReportStatus", requisition_no=number, items=())
    assert told.code == "0", told.text
    return number


def charged(house: House, **changes: object) -> str:
    charge = new("JF")
    told = house.call("PACS", "ChargeItem", charge_no=charge, requisition_no=registered(house), **changes)
    assert told.code == "0", told.text
    return charge


def test_a_registration_reaches_his_as_its_own_state(house: House):
    number = registered(house)
    status = house.remembered("HIS", "statuses", requisition_no=number)
    assert (status["status"], status["sender"]) == ("2", "PACS")


def test_a_charge_is_booked_and_its_number_comes_back_to_the_caller(house: House):
    charge = new("JF")
    told = house.call("PACS", "ChargeItem", charge_no=charge, requisition_no=registered(house))
    booked = house.remembered("HIS", "charges", charge_no=charge)
    assert (told.code, told.find("HisChargeNo"), told.find("TransactionState")) == ("0", booked["his_no"], "CONFIRMED")
    assert booked["amount"] == "184.00"


def test_a_refund_gives_back_what_his_says(house: House):
    charge = charged(house)
    told = house.call("PACS", "RefundItem", refund_no=new("TF"), original_charge_no=charge, requisition_no=None)
    assert (told.code, told.find("TransactionState")) == ("0", "CONFIRMED"), told.text
    assert house.remembered("HIS", "refunds", charge_no=charge)["amount"] == told.find("RefundedAmount")


def test_a_charge_whose_answer_is_lost_is_asked_for_and_never_booked_twice(house: House):
    charge, number = new("JF"), registered(house)
    house["HIS"].disturb(drop_after_commit=1, operation="AutoCharge")
    assert house.call("PACS", "ChargeItem", charge_no=charge, requisition_no=number).code == "CHG-504"
    assert house.seen("HIS", "QueryBill", charge_no=charge)["result_code"] == "1"
    until(lambda: house.call("PACS", "QueryTransaction", **query(charge)).find("TransactionState") == "CONFIRMED")
    assert len(house.log("HIS", "AutoCharge", charge_no=charge)) == 1


def test_a_charge_that_never_arrived_is_sent_again_after_his_was_asked(house: House):
    charge, number = new("JF"), registered(house)
    house["HIS"].disturb(drop_before_commit=1, operation="AutoCharge")
    assert house.call("PACS", "ChargeItem", charge_no=charge, requisition_no=number).code == "CHG-504"
    until(lambda: house.call("PACS", "QueryTransaction", **query(charge)).find("TransactionState") == "CONFIRMED")
    assert [one["result_code"] for one in house.log("HIS", "AutoCharge", charge_no=charge)] == ["-", "1"]


@pytest.mark.parametrize(("code", "outcome"), [("-1", "REJECTED"), ("0", "PENDING_CONFIRM")])
def test_only_minus_one_is_a_no_and_a_nought_says_nothing_about_money(code: str, outcome: str, house: House):
    visit = dataclasses.replace(sample("ChargeItem").visit, visit_no=new("ZY"))  # nothing else waits behind its money
    house["HIS"].disturb(refuse=code, operation="AutoCharge")
    told = house.call("PACS", "ChargeItem", charge_no=new("JF"), requisition_no=None, visit=visit)
    assert told.code != "0"
    assert told.find("TransactionState") == outcome


def test_a_critical_value_with_a_name_that_gbk_does_not_know_arrives_whole(house: House):
    critical = new("WJZ")
    told = house.call("PACS", "PushCriticalValue", critical_id=critical, content="𠮷先生 䶮 㛃：血钾 7.2 & 心率 <40")
    assert told.code == "0", told.text
    known = house.remembered("HIS", "critical_values", critical_id=critical)
    assert known["content"] == "𠮷先生 䶮 㛃：血钾 7.2 & 心率 <40"


def test_a_report_reaches_his_with_its_viewer(house: House):
    report = new("BG")
    told = house.call("PACS", "SubmitReport", report_no=report, requisitions=(reference(registered(house)),))
    assert told.code == "0", told.text
    assert house.remembered("HIS", "reports", report_no=report)["url"].startswith("https://pacs.example.org/viewer")


def query(charge: str) -> dict[str, object]:
    empty = dict.fromkeys(("queried_message_id", "queried_operation", "gateway_txn_no", "refund_no", "booked_from"))
    return {**empty, "booked_to": None, "charge_no": charge, "page_no": None, "page_size": None, "source_system": None}


# --- what HIS says, by the facade request-header-body in GBK ----------------------------------------------------------


def test_his_orders_and_cancels_with_the_words_of_its_screens(house: House):
    number = new("SQ")
    told = house.say("HIS", "SubmitRequisition", requisition_no=number, name="喆堃珺·䶮")
    assert (told.code, told.find("GatewayStatus")) == ("0", "RELEASED"), told.text
    assert house.remembered("PACS", "worklist", requisition_no=number)["state"] == "WAITING"
    assert house.say("HIS", "SubmitRequisition", requisition_no=number, action="CANCEL").code == "0"
    assert house.remembered("PACS", "worklist", requisition_no=number)["state"] == "CANCELLED"


def test_his_is_told_no_in_its_own_words_when_the_exam_has_begun(house: House):
    number = registered(house)
    house["PACS"].register(number)
    told = house.say("HIS", "SubmitRequisition", requisition_no=number, action="CANCEL")
    assert (told.find("ResultCode"), told.code) == ("-1", "REQ-423")
    assert "登记" in told.find("ResultContent") or "执行" in told.find("ResultContent")


def test_the_cash_desk_may_not_give_back_what_the_department_has_begun(house: House):
    charge = charged(house)
    told = house.say("HIS", "RefundItem", charge_no=charge, source="PACS", code="YP1108")
    assert (told.find("ResultCode"), told.code) == ("-1", "RFD-423")


def test_the_opinion_of_a_doctor_goes_from_his_to_the_department(house: House):
    critical = new("WJZ")
    assert house.call("PACS", "PushCriticalValue", critical_id=critical).code == "0"
    told = house.say("HIS", "AcknowledgeCriticalValue", critical_id=critical, source="PACS", opinion="立即处理 <5 分钟")
    assert told.code == "0", told.text
    assert house.remembered("PACS", "acknowledgements", critical_id=critical)["opinion"] == "立即处理 <5 分钟"
