"""Anaesthesia on Axis with rpc/encoded types, and pathology with types of its own and misspelt names."""

import dataclasses

import pytest

from tests.partners.fake_partner import sample
from tests.simulators.vendors.house import CANONICAL, House, new

SYSTEMS = {"ANES": "anaesthesia", "PIS": "pathology", "HIS": CANONICAL + "his", "EMR": CANONICAL + "emr"}
ROUTES = {
    "SubmitRequisition ANES": ("ANES",),
    "SubmitRequisition PATH": ("PIS",),
    "ReportStatus": ("HIS",),
    "SubmitReport": ("HIS",),
    "ChargeItem": ("HIS",),
    "RefundItem": ("HIS",),
    "GetMedicalRecord": ("EMR",),
    "PushCriticalValue": ("HIS",),
}
KINDS = {"ANES": "ANES", "PIS": "PATH"}
(ITEM, *_) = sample("SubmitRequisition").items


def ordered(house: House, system: str, name: str = "腹腔镜胆囊切除术 & 探查") -> str:
    number = house.order(KINDS[system], items=(dataclasses.replace(ITEM, item_name=name),))
    house.remembered(system, "worklist", requisition_no=number)
    return number


@pytest.mark.parametrize("system", KINDS)
def test_a_requisition_arrives_in_the_types_of_the_vendor(system: str, house: House):
    order = house.remembered(system, "worklist", requisition_no=ordered(house, system))
    assert (order["items"][0]["code"], order["items"][0]["name"]) == ("CT0203", "腹腔镜胆囊切除术 & 探查")
    assert order["visit_no"] == "ZY20260012345"


@pytest.mark.parametrize("system", KINDS)
def test_it_is_cancelled_only_while_it_waits(system: str, house: House):
    waiting, begun = ordered(house, system), ordered(house, system)
    house[system].register(begun)
    told = [
        house.call("HIS", "SubmitRequisition", requisition_no=number, action="CANCEL", requisition_type=KINDS[system])
        for number in (waiting, begun)
    ]
    assert [one.code for one in told] == ["0", "REQ-423"]
    assert house.remembered(system, "worklist", requisition_no=waiting)["state"] == "CANCELLED"


def test_what_an_operation_used_is_charged_after_it_in_batches_of_two_hundred_lines(house: House):
    number = ordered(house, "ANES")
    assert house.say("ANES", "ReportStatus", requisition_no=number).code == "0"
    used = [{"code": f"YP{n:04d}", "name": f"麻醉药 {n}", "quantity": "2", "price": "1.25"} for n in range(450)]
    for batch in (used[:200], used[200:400], used[400:]):
        charge = new("JF")
        told = house.say(
            "ANES",
            "ChargeItem",
            requisition_no=number,
            charge_no=charge,
            lines=batch,
            occurred_at="2026-11-15T08:30:00+08:00",
        )
        assert told.code == "0", told.text
        booked = house.remembered("HIS", "charges", charge_no=charge)
        assert (len(booked["lines"]), booked["amount"]) == (len(batch), f"{len(batch) * 2.5:.2f}")
    more = house.say("ANES", "ChargeItem", requisition_no=number, lines=used[:201])
    assert (more.status, more.code) == (500, "SYS-400")


def test_the_frozen_section_and_the_routine_report_are_two_reports_of_one_requisition(house: House):
    number = ordered(house, "PIS", "术中冰冻快速病理诊断")
    assert house.say("PIS", "ReportStatus", requisition_no=number).code == "0"
    frozen, routine = new("BD"), new("CG")
    for report, text, at in (
        (frozen, "（冰冻）倾向良性，待石蜡。", "2026-11-16T10:40:00+08:00"),
        (routine, "甲状腺乳头状癌 <1cm>。", "2026-11-20T16:00:00+08:00"),
    ):
        told = house.say(
            "PIS", "SubmitReport", requisition_no=number, report_no=report, impression=text, reported_at=at
        )
        assert told.code == "0", told.text
    numbers = [
        one["report_no"] for one in (house.seen("HIS", "SubmitReport", report_no=no) for no in (frozen, routine))
    ]
    assert numbers == [frozen, routine]


@pytest.mark.parametrize("system", KINDS)
def test_it_reads_the_record_of_its_patient(system: str, house: House):
    told = house.say(system, "GetMedicalRecord", requisition_no=ordered(house, system))
    assert (told.code, told.find("VisitNo")) == ("0", "ZY20260012345"), told.text


def test_pathology_charges_a_further_stain_and_gives_it_back(house: House):
    number, charge = ordered(house, "PIS"), new("JF")
    stain = {"code": "270500002", "name": "免疫组化染色", "quantity": "3", "price": "110.00"}
    assert house.say("PIS", "ChargeItem", requisition_no=number, charge_no=charge, lines=[stain]).code == "0"
    told = house.say("PIS", "RefundItem", charge_no=charge, code="270500002", quantity="1")
    assert (told.code, told.find("RefundedAmount")) == ("0", "110.00"), told.text


def test_the_opinion_comes_back_to_pathology(house: House):
    number, critical = ordered(house, "PIS"), new("WJZ")
    assert house.say("PIS", "PushCriticalValue", requisition_no=number, critical_id=critical).code == "0"
    ack = {"critical_id": critical, "ack_id": new("QR"), "opinion": "已联系手术室 <10 分钟"}
    assert house.call("HIS", "AcknowledgeCriticalValue", source_system="PIS", **ack).code == "0"
    assert house.remembered("PIS", "opinions", critical_id=critical)["opinion"] == "已联系手术室 <10 分钟"
