"""A laboratory with HL7: orders as a string of its web service, tubes and results over MLLP, a pull by barcode."""

import dataclasses

from tests.partners.fake_partner import sample
from tests.simulators.vendors.house import CANONICAL, House, new, until

SYSTEMS = {"LIS": "lis", "HIS": CANONICAL + "his"}
HL7 = {"LIS": ""}
ROUTES = {
    "SubmitRequisition": ("LIS",),
    "ReportStatus": ("HIS",),
    "SubmitReport": ("HIS",),
    "PushCriticalValue": ("HIS",),
    "ChargeItem": ("HIS",),
}
(ITEM, *_) = sample("SubmitRequisition").items


def ordered(house: House, **changes: object) -> str:
    """Blood in two tubes."""
    number = new("JY")
    tubes = tuple(
        dataclasses.replace(
            ITEM,
            item_seq=seq,
            order_no=f"{number}{seq}",
            item_code="K",
            item_name="血清钾 & 钠",
            barcode=f"6{number[2:]}{seq}",
        )
        for seq in (1, 2)
    )
    told = house.call("HIS", "SubmitRequisition", requisition_no=number, requisition_type="LAB", items=tubes, **changes)
    assert told.code == "0", told.text
    house.remembered("LIS", "worklist", requisition_no=number)
    return number


def test_an_order_arrives_with_its_tubes(house: House):
    number = ordered(house)
    order = house.remembered("LIS", "worklist", requisition_no=number)
    assert [(one["seq"], one["name"], one["barcode"]) for one in order["items"]] == [
        (str(seq), "血清钾 & 钠", f"6{number[2:]}{seq}") for seq in (1, 2)
    ]


def test_a_changed_and_a_cancelled_order_are_told_by_orc(house: House):
    number = ordered(house)
    for action, control in (("UPDATE", "XO"), ("CANCEL", "CA")):
        told = house.call("HIS", "SubmitRequisition", requisition_no=number, requisition_type="LAB", action=action)
        assert told.code == "0", told.text
        assert house.seen("LIS", "AcceptMessage", requisition_no=number, action=control)["result_code"] == "AA"


def test_the_laboratory_pulls_a_requisition_by_the_barcode_of_a_tube(house: House):
    number = ordered(house)
    told = house.say("LIS", "QueryRequisition", barcode=f"6{number[2:]}2")
    assert (told.code, told.find("RequisitionNo"), told.find("TotalCount")) == ("0", number, "1")


def test_each_tube_is_received_and_reported_by_itself_in_its_order(house: House):
    number = ordered(house)
    for tube in (0, 1):
        assert house.say("LIS", "ReportStatus", requisition_no=number, tube=tube).code == "AA"
        assert house.say("LIS", "ReportStatus", requisition_no=number, tube=tube, status="CM").code == "AA"
    for tube in (0, 1):
        told = house.say("LIS", "SubmitReport", requisition_no=number, tube=tube, report_no=f"{number}R{tube}")
        assert told.code == "AA", told.text
    house.seen("HIS", "SubmitReport", report_no=f"{number}R1")
    events = [one["event"] for one in until(lambda: _statuses(house, number, 4))]
    assert events == ["REGISTER", "EXAM_DONE", "REGISTER", "EXAM_DONE"]


def test_a_critical_value_goes_to_his_and_the_opinion_comes_back_as_pipes(house: House):
    number, critical = ordered(house), new("WJZ")
    told = house.say("LIS", "PushCriticalValue", requisition_no=number, critical_id=critical)
    assert told.code == "AA", told.text
    house.remembered("HIS", "critical_values", critical_id=critical)
    ack = {"critical_id": critical, "ack_id": new("QR"), "opinion": "复查 & 补钾|10%"}
    told = house.call("HIS", "AcknowledgeCriticalValue", source_system="LIS", **ack)
    assert told.code == "0", told.text
    assert house.remembered("LIS", "opinions", critical_id=critical)["opinion"] == "复查 & 补钾|10%"


def test_a_charge_of_the_laboratory_is_booked_once_as_dft(house: House):
    number, charge = ordered(house), new("LF")
    told = house.say("LIS", "ChargeItem", requisition_no=number, charge_no=charge)
    assert told.code == "AA", told.text
    assert house.remembered("HIS", "charges", charge_no=charge)["amount"] == "17.00"


def test_the_same_result_sent_again_is_one_report(house: House):
    number = ordered(house)
    assert house.say("LIS", "ReportStatus", requisition_no=number).code == "AA"
    message = {"requisition_no": number, "report_no": f"{number}R", "message_id": new("L"), "at": "20261128100000"}
    for _ in range(3):
        assert house.say("LIS", "SubmitReport", **message).code == "AA"
    house.seen("HIS", "SubmitReport", report_no=f"{number}R")
    assert len([one for one in house.deliveries("HIS", "SubmitReport") if one.subject == number]) == 1


def _statuses(house: House, number: str, count: int) -> list[dict[str, object]]:
    found = house.log("HIS", "ReportStatus", requisition_no=number)
    return found if len(found) >= count else []
