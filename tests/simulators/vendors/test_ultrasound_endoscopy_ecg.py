"""Ultrasound, endoscopy and ECG: three dialects for requisition, cancellation and opinion, and for what they tell."""

import dataclasses

import pytest

from tests.partners.fake_partner import sample
from tests.simulators.vendors.house import CANONICAL, House, Told, new, until

SYSTEMS = {"US": "ultrasound", "ENDO": "endoscopy", "ECG": "ecg", "HIS": CANONICAL + "his", "EMR": CANONICAL + "emr"}
FACADES = {"US": ("ultrasound", {}), "ENDO": ("endoscopy", {}), "ECG": ("ecg", {})}
ROUTES = {
    "SubmitRequisition US": ("US",),
    "SubmitRequisition ENDO": ("ENDO",),
    "SubmitRequisition ECG": ("ECG",),
    "ReportStatus": ("HIS",),
    "SubmitReport": ("HIS",),
    "ChargeItem": ("HIS",),
    "PushCriticalValue": ("HIS",),
    "RefundItem": ("HIS",),
    "GetMedicalRecord": ("EMR",),
}
DEPARTMENTS = ("US", "ENDO", "ECG")
(ITEM, *_) = sample("SubmitRequisition").items


def accepted(told: Told) -> bool:
    """In the words of each."""
    return (told.find("State"), told.find("returnCode"), told.find("GETMQResult")) in (
        ("Success", "", ""),
        ("", "0", ""),
        ("", "", "true"),
    )


def ordered(house: House, department: str) -> str:
    number = house.order(department, items=(dataclasses.replace(ITEM, item_name="心脏彩超 & 左心功能"),))
    house.remembered(department, "worklist", requisition_no=number)
    return number


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_a_requisition_arrives_with_its_item(department: str, house: House):
    order = house.remembered(department, "worklist", requisition_no=ordered(house, department))
    assert order["items"] == [{"order_no": "YZ2026111600031", "code": "CT0203", "name": "心脏彩超 & 左心功能"}]


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_it_is_cancelled_only_while_it_waits(department: str, house: House):
    waiting, begun = ordered(house, department), ordered(house, department)
    house[department].register(begun)
    told = [
        house.call("HIS", "SubmitRequisition", requisition_no=number, action="CANCEL", requisition_type=department)
        for number in (waiting, begun)
    ]
    assert [one.code for one in told] == ["0", "REQ-423"]
    assert house.remembered(department, "worklist", requisition_no=waiting)["state"] == "CANCELLED"


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_the_opinion_about_its_critical_value_comes_back(department: str, house: House):
    number, critical = ordered(house, department), new("WJZ")
    assert accepted(house.say(department, "ReportStatus", requisition_no=number))
    assert accepted(house.say(department, "PushCriticalValue", requisition_no=number, critical_id=critical))
    ack = {"critical_id": critical, "ack_id": new("QR"), "opinion": "立即会诊 & 复查"}
    told = house.call("HIS", "AcknowledgeCriticalValue", source_system=department, **ack)
    assert told.code == "0", told.text
    assert house.remembered(department, "opinions", critical_id=critical)["opinion"] == "立即会诊 & 复查"


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_status_report_and_charge_reach_his(department: str, house: House):
    number, charge = ordered(house, department), new("JF")
    assert accepted(house.say(department, "ReportStatus", requisition_no=number))
    assert accepted(house.say(department, "SubmitReport", requisition_no=number))
    assert accepted(house.say(department, "ChargeItem", requisition_no=number, charge_no=charge))
    assert house.remembered("HIS", "statuses", requisition_no=number)["event"] == "REGISTER"
    assert house.seen("HIS", "SubmitReport", requisition_no=number)["origin_sender"] == department
    assert house.remembered("HIS", "charges", charge_no=charge)["amount"] == "126.80"


def test_an_ecg_requisition_of_several_items_is_told_to_be_impossible_there(house: House):
    house.order("ECG")
    problems = until(lambda: house.problems("ECG", "SubmitRequisition"))
    assert "The ECG system takes requisitions of one item." in problems[0]


def test_an_ecg_system_is_told_success_with_the_number_under_which_his_booked(house: House):
    number, charge = ordered(house, "ECG"), new("JF")
    about = {"requisition_no": number, "charge_no": charge}
    told = house.say("ECG", "ChargeItem", **about)
    booked = house.remembered("HIS", "charges", charge_no=charge)
    assert (told.find("State"), told.find("Value")) == ("Success", booked["his_charge_no"])
    refund = new("TF")
    assert accepted(house.say("ECG", "RefundItem", charge_no=charge, refund_no=refund))
    assert house.remembered("HIS", "refunds", refund_no=refund)


def test_an_ecg_system_is_told_fail_and_why_when_a_number_means_another_charge(house: House):
    number, charge = ordered(house, "ECG"), new("JF")
    about = {"requisition_no": number, "charge_no": charge}
    assert accepted(house.say("ECG", "ChargeItem", **about))
    other = house.say("ECG", "ChargeItem", **about, lines=[{"code": "HC0411", "price": "3.50"}])
    assert other.find("State") == "Fail"
    assert other.find("Value").startswith("CHG-409 ")
    assert "该 ChargeNo 已用于内容不同的计费" in other.find("Value")


def test_an_ecg_system_opens_the_record_of_its_patient_at_an_address(house: House):
    told = house.say("ECG", "GetMedicalRecord", requisition_no=ordered(house, "ECG"))
    assert (told.find("State"), told.find("Value").partition("://")[0]) == ("Success", "https"), told.text


def test_an_ultrasound_system_is_told_no_by_its_own_return_code_and_reads_why_in_its_own_words(house: House):
    number, message = ordered(house, "US"), new("US")
    about = {"requisition_no": number, "message_id": message, "occurred_at": "2026-11-16T09:41:00+08:00"}
    assert accepted(house.say("US", "ReportStatus", **about))
    other = house.say("US", "ReportStatus", **{**about, "event": "EXAM_DONE"})
    assert (other.find("returnCode"), other.find("cwdm")) == ("1", "SYS-409")
    assert "MessageId" in other.find("msg")


def test_an_ultrasound_system_reads_the_record_of_its_patient_in_its_own_words(house: House):
    told = house.say("US", "GetMedicalRecord", requisition_no=ordered(house, "US"))
    assert (told.find("returnCode"), told.find("bt")) == ("0", "病历摘要"), told.text


def test_an_endoscopy_system_gets_a_boolean_from_the_bus_and_why_not_in_its_message(house: House):
    number, charge = ordered(house, "ENDO"), new("JF")
    about = {"requisition_no": number, "charge_no": charge}
    told = house.say("ENDO", "ChargeItem", **about)
    assert (told.find("GETMQResult"), told.find("errMsg")) == ("true", "成功"), told.text
    assert told.find("HIS_NO") == house.remembered("HIS", "charges", charge_no=charge)["his_charge_no"]
    other = house.say("ENDO", "ChargeItem", **about, lines=[{"code": "HC0411", "price": "3.50"}])
    assert (other.find("GETMQResult"), other.find("REASON")) == ("false", "CHG-409")
    assert "该 ChargeNo 已用于内容不同的计费" in other.find("errMsg")
