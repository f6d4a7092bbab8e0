"""An electrocardiogram system without any service: requests are rows of a table, what it tells stands in views."""

import dataclasses

from tests.partners.fake_partner import sample
from tests.simulators.vendors.house import CANONICAL, House, new

SYSTEMS = {"ECG": "ecg-database", "HIS": CANONICAL + "his"}
ROUTES = {
    "SubmitRequisition": ("ECG",),
    "ReportStatus": ("HIS",),
    "SubmitReport": ("HIS",),
    "PushCriticalValue": ("HIS",),
}
CHANGES = {"ECG": {"every_seconds = 2": "every_seconds = 0.2"}}
(ITEM, *_) = sample("SubmitRequisition").items


def ordered(house: House) -> str:
    number = house.order("ECG", items=(dataclasses.replace(ITEM, item_name="十二导联心电图 & 𠮷"),))
    house.remembered("ECG", "applies", apply_no=number)
    return number


def test_a_requisition_is_a_row_of_the_table(house: House):
    row = house.remembered("ECG", "applies", apply_no=ordered(house))
    assert (row["state"], row["item_name"], row["visit_no"]) == ("0", "十二导联心电图 & 𠮷", "ZY20260012345")


def test_it_is_cancelled_only_while_it_waits(house: House):
    waiting, begun = ordered(house), ordered(house)
    house.say("ECG", "ReportStatus", requisition_no=begun)
    house.seen("HIS", "ReportStatus", requisition_no=begun)
    told = [
        house.call("HIS", "SubmitRequisition", requisition_no=number, action="CANCEL", requisition_type="ECG")
        for number in (waiting, begun)
    ]
    assert [one.code for one in told] == ["0", "REQ-423"]
    assert house.remembered("ECG", "applies", apply_no=waiting)["state"] == "9"


def test_what_stands_in_its_views_reaches_his_once(house: House):
    number = ordered(house)
    house.say("ECG", "ReportStatus", requisition_no=number)
    house.say("ECG", "ReportStatus", requisition_no=number, event="EXAM_DONE")
    house.seen("HIS", "ReportStatus", requisition_no=number, event="EXAM_DONE")
    house.say("ECG", "SubmitReport", requisition_no=number, report_no=f"XD{number}")
    assert house.seen("HIS", "SubmitReport", report_no=f"XD{number}")["origin_sender"] == "ECG"
    events = [one["event"] for one in house.log("HIS", "ReportStatus", requisition_no=number)]
    assert events == ["REGISTER", "EXAM_DONE"]


def test_the_opinion_about_a_critical_value_is_a_row_too(house: House):
    critical = new("WJZ")
    assert house.call("ECG", "PushCriticalValue", critical_id=critical).code == "0"
    told = house.call(
        "HIS", "AcknowledgeCriticalValue", critical_id=critical, source_system="ECG", opinion="除颤 <1 分钟"
    )
    assert told.code == "0", told.text
    assert house.remembered("ECG", "replies", critical_id=critical)["reply_text"] == "除颤 <1 分钟"
