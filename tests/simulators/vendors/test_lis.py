"""A laboratory with HL7: orders as a string of its web service, tubes and results over MLLP, a pull by barcode."""

import dataclasses

from tests.partners.fake_partner import sample
from tests.simulators.vendors.house import CANONICAL, House, new

SYSTEMS = {"LIS": "lis", "HIS": CANONICAL + "his"}
ROUTES = {
    "SubmitRequisition": ("LIS",),
    "ReportStatus": ("HIS",),
    "SubmitReport": ("HIS",),
    "PushCriticalValue": ("HIS",),
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
