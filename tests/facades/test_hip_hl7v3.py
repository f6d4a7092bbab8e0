"""HL7 v3 in HIPMessageServer: requisitions and states come in, acknowledgements go out, and the rules are the same."""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import escape

import pytest
from facade_site import SETS, Reply, Site, envelope, facade_of, in_string, sample
from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.mapping.success import without_namespaces
from gateway.model.critical_value import CriticalValue
from gateway.model.report import ReportVersion
from gateway.model.requisition import Requisition
from gateway.terms import StatusCode

SiteOf = Callable[..., Site]
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"


@pytest.fixture
def site(site_of: SiteOf) -> Site:
    return site_of("hip-hl7v3", "request-header-body")


def asked(action: str, message: str, *, soap: str | None = None) -> str:
    inner = (
        f'<HIPMessageServer xmlns="urn:hl7-org:v3"><action>{action}</action><message>{escape(message)}</message>'
        "</HIPMessageServer>"
    )
    return envelope(inner, **({} if soap is None else {"soap": soap}))


def send(site: Site, name: str, *, client: str | None = "HIS", **changes: str) -> Reply:
    """A sample of the set: its name up to the first point is the action."""
    message = sample(name, "hip-hl7v3", **changes)
    return site.send("/facade/hip-hl7v3", asked(name.partition(".")[0], message), client=client)


def said(reply: Reply) -> tuple[str, str]:
    """typeCode and our code in an acknowledgement."""
    inner = reply.inner()
    assert inner.tag == "MCCI_IN000002UV01"
    acknowledgement = inner.find("acknowledgement")
    return acknowledgement.get("typeCode"), acknowledgement.find("acknowledgementDetail/code").get("code")


def stored(site: Site) -> Requisition:
    with Session(site.engine) as session:
        return session.scalars(select(Requisition)).one()


def queried(site: Site) -> etree._Element:
    """The requisition as the gateway has it."""
    query = sample("QueryRequisition", SQ202611160012="SQ202611160021")
    for field in (
        "<BranchCode>01</BranchCode>",
        "<VisitNo>ZY20260012345</VisitNo>",
        "<PatientId>P0000123456</PatientId>",
    ):
        query = query.replace(field, "")
    found = site.send("/facade/request-header-body", in_string(query)).inner()
    return found.find("Body/Requisitions/Requisition")


def test_a_requisition_comes_in_whole(site: Site):
    reply = send(site, "CheckAppInfoAdd")
    assert said(reply) == ("AA", "0")
    found = queried(site)
    told = {
        path: found.findtext(path)
        for path in (
            "RequisitionType", "StatusCode", "Patient/PatientName", "Patient/BirthDate", "Patient/IdNo",
            "Patient/EmpiId", "Visit/VisitType", "Visit/VisitNo", "Visit/VisitSeq", "Visit/WardCode", "Visit/BedNo",
            "Priority", "OrderingDeptCode", "OrderingDoctorName", "PerformDeptCode", "Purpose",
            "Diagnoses/Diagnosis/Code", "Items/Item[2]/OrderNo", "Items/Item[2]/ItemName", "Items/Item[2]/Method",
        )
    }  # fmt: skip
    assert told == {
        "RequisitionType": "EXAM",
        "StatusCode": "10",
        "Patient/PatientName": "王𠮷祥",
        "Patient/BirthDate": "1968-04-17",
        "Patient/IdNo": "99999919680417001X",
        "Patient/EmpiId": "E000000123456",
        "Visit/VisitType": "3",
        "Visit/VisitNo": "ZY20260012345",
        "Visit/VisitSeq": "2",
        "Visit/WardCode": "W2001",
        "Visit/BedNo": "加12",
        "Priority": "URGENT",
        "OrderingDeptCode": "2001",
        "OrderingDoctorName": "郑示范",
        "PerformDeptCode": "0103",
        "Purpose": "排除肺栓塞",
        "Diagnoses/Diagnosis/Code": "I26.900",
        "Items/Item[2]/OrderNo": "YZ2026111600132",
        "Items/Item[2]/ItemName": "肺动脉CTA",
        "Items/Item[2]/Method": "增强",
    }


def test_the_acknowledgement_names_the_message_and_turns_sender_and_receiver_round(site: Site):
    answer = send(site, "CheckAppInfoAdd").inner()
    assert answer.find("acknowledgement/targetMessage/id").get("extension") == "JC-20261116-0001"
    assert answer.find("receiver/device/id/item").get("extension") == "S001"
    assert answer.find("sender/device/id/item").get("extension") == "HIP"
    assert answer.find("id").get("extension").startswith("G")


def test_it_is_changed_and_cancelled(site: Site):
    send(site, "CheckAppInfoAdd")
    assert said(send(site, "CheckAppInfoUpdate")) == ("AA", "0")
    assert queried(site).findtext("Purpose") == "排除肺栓塞；肾功能正常"
    assert said(send(site, "CheckAppInfoUpdate.cancel")) == ("AA", "0")
    assert stored(site).gateway_status == "CANCELLED"


def test_a_cancelled_requisition_cannot_be_registered(site: Site):
    send(site, "CheckAppInfoAdd")
    send(site, "CheckAppInfoUpdate.cancel")
    assert said(send(site, "CheckStatusInfoUpdate", client="PACS")) == ("AE", "STA-410")


def test_a_change_of_what_nobody_knows_is_refused(site: Site):
    assert said(send(site, "CheckAppInfoUpdate")) == ("AE", "REQ-404")


def test_after_registration_it_can_no_longer_be_cancelled(site: Site):
    send(site, "CheckAppInfoAdd")
    assert said(send(site, "CheckStatusInfoUpdate", client="PACS")) == ("AA", "0")
    reply = send(site, "CheckAppInfoUpdate.cancel")
    assert said(reply) == ("AE", "REQ-423")
    assert "已登记" in reply.inner().find("acknowledgement/acknowledgementDetail/text").get("value")


def test_an_unpaid_outpatient_is_not_registered_until_a_change_tells_of_the_payment(site: Site):
    outpatient = {'code="03" codeSystem="2.16.156.10011.2.3.1.271"': 'code="01" codeSystem="2.16.156.10011.2.3.1.271"'}
    send(site, "CheckAppInfoAdd", **outpatient)
    assert said(send(site, "CheckStatusInfoUpdate", client="PACS"))[1] == "STA-402"
    paid = {'<priorityCode code="2">': '<reasonCode><item code="PAID"/></reasonCode><priorityCode code="2">'}
    assert said(send(site, "CheckAppInfoUpdate", **outpatient, **paid)) == ("AA", "0")
    assert said(send(site, "CheckStatusInfoUpdate", client="PACS")) == ("AA", "0")


def test_a_state_before_its_requisition_is_told_to_come_again(site: Site):
    assert said(send(site, "CheckStatusInfoUpdate", client="PACS")) == ("AR", "STA-404")


def test_a_report_comes_in_with_its_sections_and_persons(site: Site):
    send(site, "CheckAppInfoAdd")
    send(site, "CheckStatusInfoUpdate", client="PACS")
    assert said(send(site, "CheckReportInfoAdd", client="PACS")) == ("AA", "0")
    with Session(site.engine) as session:
        kept = session.scalars(select(ReportVersion)).one()
    assert (kept.report_no, kept.version, kept.action) == ("BG-20261116-0001", 1, "FINAL")
    assert stored(site).status == StatusCode.REPORTED
    state = '<statusCode code="completed"/>'
    withdrawn = {state: '<statusCode code="nullified"><originalText value="左右写反"/></statusCode>'}
    later = {'versionNumber value="1"': 'versionNumber value="2"', "BG-M-20261116-0001": "BG-M-20261116-0002"}
    assert said(send(site, "CheckReportInfoAdd", client="PACS", **withdrawn, **later)) == ("AA", "0")


@pytest.mark.parametrize("changed", [{'<statusCode code="completed"/>': ""}, {"clinicalDocument": "someDocument"}])
def test_a_report_that_does_not_say_what_it_is_is_refused(site: Site, changed: dict[str, str]):
    send(site, "CheckAppInfoAdd")
    assert said(send(site, "CheckReportInfoAdd", client="PACS", **changed)) == ("AE", "SYS-400")


def test_a_critical_value_comes_in_and_is_taken_once(site: Site):
    assert said(send(site, "CriticalValueAdd", client="PACS")) == ("AA", "0")
    again = send(site, "CriticalValueAdd", client="PACS", **{"WJZ-M-20261116-0001": "WJZ-M-20261116-0002"})
    assert said(again) == ("AA", "0")
    with Session(site.engine) as session:
        value = session.scalars(select(CriticalValue)).one()
    assert value.critical_id == "WJZ-20261116-0001"


def test_a_repetition_is_done_once(site: Site):
    first, second = send(site, "CheckAppInfoAdd"), send(site, "CheckAppInfoAdd")
    assert said(second) == ("AA", "0")
    assert first.inner().find("id").get("extension") == second.inner().find("id").get("extension")


def test_lab_is_exam_and_imaging_is_check(site: Site):
    message = sample("CheckAppInfoAdd", "hip-hl7v3")
    site.send("/facade/hip-hl7v3", asked("ExamAppInfoAdd", message), client="HIS")
    assert stored(site).requisition_type == "LAB"


def test_soap_12_is_answered_in_soap_12(site: Site):
    body = asked("CheckAppInfoAdd", sample("CheckAppInfoAdd", "hip-hl7v3"), soap=SOAP_12)
    reply = site.send(
        "/facade/hip-hl7v3", body, client="HIS", content_type="application/soap+xml; charset=utf-8; action=anything"
    )
    assert said(reply) == ("AA", "0")
    assert reply.headers["Content-Type"].startswith("application/soap+xml")
    assert f'"{SOAP_12}"'.encode() in reply.content


@pytest.mark.parametrize(
    ("action", "message", "code"),
    [
        ("CheckAppInfoAdd", "<MCCI_IN000002UV01/>", "SYS-400"),
        ("CheckAppInfoAdd", "hello", "SYS-400"),
        ("CheckAppInfoAdd", "", "SYS-400"),
        ("DocumentRegister", "<a/>", "SYS-400"),
        ("", "<a/>", "SYS-400"),
    ],
)
def test_what_it_is_not_for_gets_an_acknowledgement_that_says_so(site: Site, action: str, message: str, code: str):
    reply = site.send("/facade/hip-hl7v3", asked(action, message), client="HIS")
    assert (reply.status, said(reply)) == (200, ("AE", code))


def test_a_code_of_a_state_without_a_row_names_the_table_and_not_the_value(site: Site):
    send(site, "CheckAppInfoAdd")
    reply = send(site, "CheckStatusInfoUpdate", client="PACS", 检查登记="某状态")
    assert said(reply) == ("AR", "SYS-422")  # a table nobody has made waits for its row
    text = etree.tostring(reply.inner(), encoding="unicode")
    assert "status" in text
    assert "160.003" not in text.partition("acknowledgement")[2]


def test_nobody_without_a_password(site: Site):
    assert said(send(site, "CheckAppInfoAdd", client=None)) == ("AE", "AUT-401")


def test_the_samples_keep_to_the_hospitals_own_form():
    for path in sorted((SETS / "hip-hl7v3" / "samples").glob("*.xml")):
        root = etree.parse(path).getroot()
        assert root.nsmap[None] == "urn:hl7-org:v3"
        assert without_namespaces(root).find("interactionId").get("extension") == etree.QName(root).localname


def test_the_wsdl_shows_the_service_as_platforms_have_it():
    from gateway.facades.door import Door

    wsdl = Door(facade_of("hip-hl7v3")).served.wsdl("http://gateway/facade/hip").decode()
    assert 'name="HIPService"' in wsdl
    assert 'targetNamespace="urn:hl7-org:v3"' in wsdl
