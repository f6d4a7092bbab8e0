"""Anaesthesia on Axis with rpc/encoded types, and pathology with types of its own and misspelt names."""

import dataclasses
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from gateway.model.money import MoneyTransaction
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


def test_what_an_operation_used_is_charged_after_it_in_batches_of_two_hundred_lines_as_axis_writes_them(house: House):
    number, charge = ordered(house, "ANES"), new("JF")
    assert house.say("ANES", "ReportStatus", requisition_no=number).code == "0"
    used = [
        {"code": f"YP{n:04d}", "name": f"麻醉药𠮷 {n}", "price": "1.25", "at": f"2026-11-15T08:{n // 10:02d}:00+08:00"}
        for n in range(450)
    ]
    told = house.say("ANES", "ChargeItem", requisition_no=number, charge_no=charge, lines=used)
    assert told.code == "0", told.text
    for batch, lines, amount, minute in ((1, 200, "250.00", 0), (2, 200, "250.00", 20), (3, 50, "62.50", 40)):
        booked = house.remembered("HIS", "charges", charge_no=f"{charge}-{batch}")
        assert (len(booked["lines"]), booked["amount"]) == (lines, amount)
        assert used_at(house, f"{charge}-{batch}") == datetime(2026, 11, 15, 0, minute, tzinfo=UTC)
    came = house.received("ANES", "ChargeItem")
    assert came.repairs == "namespace, references, soap-encoding"
    assert came.xml.count(b"<multiRef ") < came.xml.count(b'href="#') / 2, "equal numbers are one object"
    assert b"&#xD842;&#xDFB7;" in came.xml


def test_a_batch_of_more_lines_than_agreed_is_refused_and_nothing_of_it_is_booked(house: House):
    number, charge = ordered(house, "ANES"), new("JF")
    used = [{"code": f"YP{n:04d}", "price": "1.25"} for n in range(201)]
    told = house.say("ANES", "ChargeItem", requisition_no=number, charge_no=charge, lines=used, batch=201)
    assert (told.status, told.code) == (500, "SYS-400")
    assert not [one for one in house["HIS"].state().get("charges", ()) if one["charge_no"] == charge]


def used_at(house: House, charge: str) -> datetime:
    """When the gateway has it that things were used."""
    with house.core.sessions() as session:
        return session.scalars(select(MoneyTransaction.occurred_at).filter_by(number=charge)).one()


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
    came = house.received("PIS", "SubmitReport")
    assert came.repairs is None
    assert b".8310547+08:00</ReportedAt>" in came.xml, ".NET writes seven digits"


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
    told = house.say("PIS", "RefundItem", charge_no=charge, code="270500002", quantity="3")
    assert told.code == "RFD-409", "more than is left is not given back"


def test_the_opinion_comes_back_to_pathology(house: House):
    number, critical = ordered(house, "PIS"), new("WJZ")
    assert house.say("PIS", "PushCriticalValue", requisition_no=number, critical_id=critical).code == "0"
    ack = {"critical_id": critical, "ack_id": new("QR"), "opinion": "已联系手术室 <10 分钟"}
    assert house.call("HIS", "AcknowledgeCriticalValue", source_system="PIS", **ack).code == "0"
    assert house.remembered("PIS", "opinions", critical_id=critical)["opinion"] == "已联系手术室 <10 分钟"
