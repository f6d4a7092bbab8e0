"""An EMR on Caché behind CallInterface: records as CDA or as a link; reports and critical values reach it."""

from tests.simulators.vendors.house import CANONICAL, House, new, reference

SYSTEMS = {"EMR": "emr", "HIS": CANONICAL + "his", "PACS": CANONICAL + "pacs"}
FACADES = {"EMR": ("call-interface", {"namespace": '"www.example-emr.com.cn"'})}
ROUTES = {
    "SubmitRequisition": ("PACS",),
    "ReportStatus": ("HIS",),
    "SubmitReport": ("EMR",),
    "PushCriticalValue": ("EMR",),
    "GetMedicalRecord": ("EMR",),
}


def record(house: House, **changes: object):
    house.order()
    told = house.call("PACS", "GetMedicalRecord", requisition_no=None, include_orders=False, sections=(), **changes)
    assert told.code == "0", told.text
    return told


def test_a_record_comes_as_cda_documents_that_pass_through(house: House):
    told = record(house)
    assert told.find("VisitNo") == "ZY20260012345"
    assert told.find("Content").startswith('<ClinicalDocument xmlns="urn:hl7-org:v3">')
    assert "SpO2 89%（&lt;90%），右下肢肿胀 &amp; 压痛" in told.find("Content")


def test_a_record_comes_as_a_link_when_that_is_wanted(house: House):
    assert record(house, return_mode="VIEW_URL").find("ViewUrl").startswith("https://emr.example.org/view?ticket=")


def test_a_report_and_a_critical_value_reach_the_emr(house: House):
    number, report, critical = house.order(), new("BG"), new("WJZ")
    assert house.call("PACS", "ReportStatus", requisition_no=number, items=()).code == "0"
    assert house.call("PACS", "SubmitReport", report_no=report, requisitions=(reference(number),)).code == "0"
    assert house.call("PACS", "PushCriticalValue", critical_id=critical, content="血钾 <2.5").code == "0"
    assert house.remembered("EMR", "reports", report_no=report)["requisition_nos"] == [number]
    assert house.remembered("EMR", "critical_values", critical_id=critical)["content"] == "血钾 <2.5"


def test_a_doctor_answers_a_critical_value_in_the_record(house: House):
    critical = new("WJZ")
    assert house.call("PACS", "PushCriticalValue", critical_id=critical).code == "0"
    told = house.say(
        "EMR", "AcknowledgeCriticalValue", critical_id=critical, source="PACS", opinion="已处理 & 复查 <1h>"
    )
    assert (told.code, told.find("ResultContent")) == ("0", "成功"), told.text
    assert house.remembered("PACS", "acknowledgements", critical_id=critical)["opinion"] == "已处理 & 复查 <1h>"
