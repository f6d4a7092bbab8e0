"""A HIS with an asmx in GBK and one string for everything: what departments tell it arrives, and money is asked for."""

import pytest

from tests.simulators.vendors.house import CANONICAL, House, new, reference, until

SYSTEMS = {"HIS": "his", "PACS": CANONICAL + "pacs"}
CHANGES = {"HIS": {"total_seconds = 10": "total_seconds = 1"}}
SETTINGS = "[limits]\nsync_seconds = 1\n"
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
    number = registered(house)
    house["HIS"].disturb(refuse=code, operation="AutoCharge")
    told = house.call("PACS", "ChargeItem", charge_no=new("JF"), requisition_no=number)
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
