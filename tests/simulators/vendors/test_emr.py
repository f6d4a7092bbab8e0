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


def test_a_doctor_orders_in_the_record_and_takes_back_only_what_waits(house: House):
    waiting, begun = new("SQ"), new("SQ")
    for number in (waiting, begun):
        told = house.say("EMR", "SubmitRequisition", requisition_no=number, name="王𠮷䶮㛃")
        assert (told.find("ResultCode"), told.find("GatewayStatus")) == ("0", "RELEASED"), told.text
        house.remembered("PACS", "worklist", requisition_no=number)
    house["PACS"].register(begun)
    told = [house.say("EMR", "SubmitRequisition", requisition_no=one, action="CANCEL") for one in (waiting, begun)]
    assert [(one.find("ResultCode"), one.find("ErrorCode")) for one in told] == [("0", ""), ("-1", "REQ-423")]
    assert "执行科室已登记" in told[1].find("ResultContent")
    assert house.remembered("PACS", "worklist", requisition_no=waiting)["state"] == "CANCELLED"


def test_a_number_of_the_record_that_means_another_order_is_refused(house: House):
    same = {"requisition_no": new("SQ"), "occurred_at": "2026-11-16T09:05:00+08:00"}
    assert house.say("EMR", "SubmitRequisition", **same).code == "0"
    other = house.say("EMR", "SubmitRequisition", **same, item="MR0101")
    assert (other.find("ResultCode"), other.code) == ("-1", "REQ-409")
