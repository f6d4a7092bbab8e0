"""A PACS behind HIPMessageServer with HL7 v3: requisitions go to it, all it does comes back."""

import pytest

from tests.simulators.vendors.house import CANONICAL, House, new, until

SYSTEMS = {"PACS": "pacs", "HIS": CANONICAL + "his", "EMR": CANONICAL + "emr"}
FACADES = {"PACS": ("hip-hl7v3", {}), "PACS-XML": ("request-header-body", {})}
ROUTES = {
    "SubmitRequisition": ("PACS",),
    "ReportStatus": ("HIS",),
    "SubmitReport": ("HIS",),
    "ChargeItem": ("HIS",),
    "RefundItem": ("HIS",),
    "PushCriticalValue": ("HIS",),
    "GetMedicalRecord": ("EMR",),
}


def test_a_requisition_arrives_on_the_worklist_as_hl7_v3(house: House):
    number = house.order()
    order = house.remembered("PACS", "worklist", requisition_no=number)
    assert (order["state"], len(order["items"])) == ("WAITING", 3)
    assert order["items"][0] == {"order_no": "YZ2026111600031", "code": "CT0203", "name": "胸部CT平扫+增强"}
    assert house.seen("PACS", "CheckAppInfoAdd", requisition_no=number)["result_code"] == "AA"


def test_a_cancelled_requisition_leaves_the_worklist(house: House):
    number = house.order()
    house.remembered("PACS", "worklist", requisition_no=number)
    told = house.call("HIS", "SubmitRequisition", requisition_no=number, action="CANCEL")
    assert told.code == "0", told.text
    assert house.remembered("PACS", "worklist", requisition_no=number)["state"] == "CANCELLED"


def test_what_the_pacs_has_registered_it_does_not_let_go(house: House):
    number = house.order()
    house.remembered("PACS", "worklist", requisition_no=number)
    house["PACS"].register(number)
    assert house.call("HIS", "SubmitRequisition", requisition_no=number, action="CANCEL").code == "REQ-423"


def test_the_opinion_of_the_clinicians_comes_back_to_the_pacs(house: House):
    number, critical = registered(house), new("WJZ")
    assert house.say("PACS", "PushCriticalValue", requisition_no=number, critical_id=critical).code == "0"
    assert house.remembered("HIS", "critical_values", critical_id=critical)["sender"] == "PACS"
    ack = house.call(
        "HIS", "AcknowledgeCriticalValue", critical_id=critical, ack_id=new("QR"), opinion="立即溶栓 <90/60"
    )
    assert ack.code == "0", ack.text
    known = house.remembered("PACS", "opinions", critical_id=critical)
    assert (known["kind"], known["opinion"]) == ("HANDLE", "立即溶栓 <90/60")


def test_status_and_report_come_from_the_pacs_as_hl7_v3_and_charge_and_refund_as_xml(house: House):
    number, charge = registered(house), new("JF")
    assert house.remembered("HIS", "statuses", requisition_no=number)["event"] == "REGISTER"
    report = house.say("PACS", "SubmitReport", requisition_no=number, findings="右肺下叶𠮷 <5mm & 结节")
    assert (report.code, "MCCI_IN000002UV01" in report.text) == ("0", True)
    assert house.seen("HIS", "SubmitReport", requisition_no=number)["result_code"] == "0"
    assert house.received("PACS", "SubmitReport").soap_version == "1.1 facade PACS"
    assert house.say("PACS", "ChargeItem", requisition_no=number, charge_no=charge).code == "0"
    assert house.remembered("HIS", "charges", charge_no=charge)["amount"] == "126.80"
    refund = house.say("PACS", "RefundItem", charge_no=charge, refund_no=new("TF"))
    assert (refund.code, refund.find("RefundedAmount")) == ("0", "126.80")


def test_the_pacs_speaks_gb18030_amends_its_report_and_takes_it_back(house: House):
    number, report = registered(house), new("BG")
    for action, version, reason in (("PRELIM", 1, ""), ("FINAL", 2, ""), ("AMEND", 3, ""), ("WITHDRAW", 4, "左右写反")):
        told = house.say(
            "PACS", "SubmitReport", requisition_no=number, report_no=report, action=action, version=version,
            reason=reason, charset="gb18030", impression=f"第{version}版 𠮷",
        )  # fmt: skip
        assert told.code == "0", told.text
    until(lambda: len(house.log("HIS", "SubmitReport", report_no=report)) == 4)
    assert "第4版 𠮷".encode("gb18030") in house.received("PACS", "SubmitReport").xml


def test_the_pacs_is_told_in_an_acknowledgement_what_a_rule_does_not_allow(house: House):
    number = house.order()
    house.remembered("PACS", "worklist", requisition_no=number)
    assert house.call("HIS", "SubmitRequisition", requisition_no=number, action="CANCEL").code == "0"
    told = house.say("PACS", "ReportStatus", requisition_no=number, event="REGISTER")
    assert (told.status, told.code, 'acknowledgement typeCode="AE"' in told.text) == (200, "STA-410", True)
    draft = house.say("PACS", "SubmitReport", requisition_no=number, action="DRAFT")
    assert draft.code == "SYS-400", "what it might mean is not guessed"


def test_the_pacs_reads_the_record_of_its_patient(house: House):
    assert house.say("PACS", "GetMedicalRecord", requisition_no=registered(house)).find("VisitNo") == "ZY20260012345"


@pytest.mark.parametrize(
    "fault",
    [
        {"drop_before_commit": 1},
        {"drop_after_commit": 1},
        {"half_close": 1},
        {"garbage": 1},
        {"empty": 1},
        {"duplicate": 1},
        {"wrong_charset": 1},
        {"status": 503},
        {"slow_seconds": 0.3},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_whatever_goes_wrong_the_requisition_stands_on_the_worklist_once(fault: dict[str, int], house: House):
    house["PACS"].disturb(**fault)
    number = house.order()
    until(lambda: [one.state for one in house.deliveries("PACS", "SubmitRequisition")][-1] == "DELIVERED")
    assert len([one for one in house["PACS"].state()["worklist"] if one["requisition_no"] == number]) == 1


def test_a_refusal_of_the_pacs_is_kept_with_its_words(house: House):
    house["PACS"].disturb(refuse="AE")
    number = house.order()
    sent = "PACS", "SubmitRequisition"
    (delivery,) = until(lambda: [one for one in house.deliveries(*sent) if number in one.lock and one.state == "DEAD"])
    assert delivery.last_code == "AE"


def registered(house: House) -> str:
    """A requisition that the PACS has and has told to have registered."""
    number = house.order()
    house.remembered("PACS", "worklist", requisition_no=number)
    assert house.say("PACS", "ReportStatus", requisition_no=number, event="REGISTER").code == "0"
    return number
