"""Ultrasound, endoscopy and ECG: three dialects for requisition, cancellation and opinion, and for what comes back."""

import dataclasses

import pytest

from tests.partners.fake_partner import sample
from tests.simulators.vendors.house import CANONICAL, House, new, until

SYSTEMS = {"US": "ultrasound", "ENDO": "endoscopy", "ECG": "ecg", "HIS": CANONICAL + "his"}
FACADES = {"US": ("tech-service", {}), "ENDO": ("esb-entry", {})}
ROUTES = {
    "SubmitRequisition US": ("US",),
    "SubmitRequisition ENDO": ("ENDO",),
    "SubmitRequisition ECG": ("ECG",),
    "ReportStatus": ("HIS",),
    "SubmitReport": ("HIS",),
    "ChargeItem": ("HIS",),
    "PushCriticalValue": ("HIS",),
}
DEPARTMENTS = ("US", "ENDO", "ECG")
(ITEM, *_) = sample("SubmitRequisition").items


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
    assert house.say(department, "ReportStatus", requisition_no=number).code == "0"
    assert house.say(department, "PushCriticalValue", requisition_no=number, critical_id=critical).code == "0"
    ack = {"critical_id": critical, "ack_id": new("QR"), "opinion": "立即会诊 & 复查"}
    told = house.call("HIS", "AcknowledgeCriticalValue", source_system=department, **ack)
    assert told.code == "0", told.text
    assert house.remembered(department, "opinions", critical_id=critical)["opinion"] == "立即会诊 & 复查"


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_status_report_and_charge_reach_his(department: str, house: House):
    number, charge = ordered(house, department), new("JF")
    assert house.say(department, "ReportStatus", requisition_no=number).code == "0"
    assert house.say(department, "SubmitReport", requisition_no=number).code == "0"
    assert house.say(department, "ChargeItem", requisition_no=number, charge_no=charge).code == "0"
    assert house.remembered("HIS", "statuses", requisition_no=number)["event"] == "REGISTER"
    assert house.seen("HIS", "SubmitReport", requisition_no=number)["origin_sender"] == department
    assert house.remembered("HIS", "charges", charge_no=charge)["amount"] == "126.80"


def test_an_ecg_requisition_of_several_items_is_told_to_be_impossible_there(house: House):
    house.order("ECG")
    problems = until(lambda: house.problems("ECG", "SubmitRequisition"))
    assert "The ECG system takes requisitions of one item." in problems[0]
