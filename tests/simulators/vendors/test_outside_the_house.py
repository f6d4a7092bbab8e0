"""Who stands outside the hospital or beside it: insurers, platforms, laboratories, pharmacies, devices, guests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import requests
from sqlalchemy import select

from gateway.codes import tables
from gateway.codes.lines import Line
from gateway.codes.unmapped import settle
from gateway.delivery.waiting import go_on
from gateway.messages.report import RequisitionRef
from gateway.model.journal import JournalEntry
from gateway.model.record import Mask
from gateway.security.record_rights import add_authorization, set_policy
from gateway.terms import RecordPurpose, VisitEvent
from tests.partners.fake_partner import sample
from tests.simulators.vendors.house import CANONICAL, HOSPITAL, House, Told, new, until

SYSTEMS = {
    "HIS": CANONICAL + "his",
    "EMR": CANONICAL + "emr",
    "PACS": CANONICAL + "pacs",
    "SB": "commercial-insurer",
    "REGION": "regional",
    "INTERNET": "internet-hospital",
    "HRP": "hrp",
    "PHARMACY": "pharmacy",
    "REFLAB": "reference-lab",
    "POCT": "poct",
    "TJ": "health-check",
}
FACADES = {
    "PHARMACY": ("pharmacy", {}),
    "REFLAB": ("reference-lab", {}),
    "TJ": ("health-check", {}),
    "INTERNET": ("internet-hospital", {}),
    "REGION": ("regional", {}),
}
ROUTES = {
    "SubmitRequisition": ("PACS",),
    "SubmitRequisition LAB": ("REFLAB",),
    "ReportStatus": ("HIS", "HRP", "INTERNET", "TJ"),
    "SubmitReport": ("HIS", "REGION", "INTERNET"),
    "ChargeItem": ("HIS",),
    "PushCriticalValue": ("HIS", "TJ"),
    "ReportVisitEvent": ("REGION", "SB"),
    "GetMedicalRecord": ("EMR",),
}
PATIENT = "P0000123456"
SETTINGS = f"""
[[routes]]
operation = "SubmitRequisition"
hospital_code = "{HOSPITAL}"
perform_dept = "YF01"
partners = ["PHARMACY"]
"""
HL7 = {
    "POCT": """
    [[hl7.messages]]
    types = ["ORU^R01", "ORU^R40"]
    operation = "PushCriticalValue"
    request = "gateway:hl7/critical-from-hl7.xsl"
    """
}
HOSPITAL_TIME = timezone(timedelta(hours=8))


# --- insurers ---------------------------------------------------------------------------------------------------------


def test_a_commercial_insurer_is_told_of_a_settlement_once_and_of_nothing_else(house: House):
    visit, transfer, settled = new("ZY"), new("JZ"), new("JZ")
    told = visit_event(house, visit, "TRANSFER", transfer)
    assert told.code == "0", told.text
    house["SB"].disturb(drop_after_commit=1)
    assert visit_event(house, visit, "SETTLE", settled).code == "0"
    notice = house.remembered("SB", "notices", event_no=settled)
    assert (notice["event"], notice["visit_no"]) == ("SETTLED", visit)
    until(lambda: {one.state for one in house.deliveries("SB", "ReportVisitEvent")} == {"DELIVERED"})
    assert [one["event_no"] for one in house["SB"].state()["notices"]] == [settled]


def test_the_insurer_admits_nobody_without_its_token(house: House):
    answer = requests.post(str(house.settings.partner("SB").url), envelope12("<x/>"), timeout=30)
    assert answer.status_code == 400
    assert "UsernameToken" in answer.text


def test_a_claim_reads_the_record_it_is_authorised_for_masked_and_no_other(house: House):
    allow(house, "SB", RecordPurpose.CLAIM, "SB-AUTH-1", mask=Mask.INSURER)
    told = house.say("SB", "GetMedicalRecord", patient_id=PATIENT, authorization_no="SB-AUTH-1")
    assert told.code == "0", told.text
    assert told.find("PatientName") == "虚***"
    assert "99999919680417001X" not in told.text
    assert "http://www.w3.org/2003/05/soap-envelope" in told.text, "the version of the question"
    assert house.received("SB", "GetMedicalRecord", result_code="0").soap_version == "1.2"
    assert house.say("SB", "GetMedicalRecord", patient_id=PATIENT).code == "EMR-403"
    assert house.say("SB", "GetMedicalRecord", patient_id="P999", authorization_no="SB-AUTH-1").code == "EMR-403"


def test_hrp_gets_the_work_load_over_rpc_and_fetches_the_books_of_a_day_over_rpc(house: House):
    number, charge = registered(house), new("JF")
    assert house.remembered("HRP", "workload", requisition_no=number)["step"] == "1"
    told = house.call("PACS", "ChargeItem", charge_no=charge, requisition_no=number)
    assert told.code == "0", told.text
    today = datetime.now(HOSPITAL_TIME).date().isoformat()
    books = house.say("HRP", "QueryTransaction", day=today, days=2)
    assert books.code == "0", books.text
    assert charge in books.text
    assert house.received("HRP", "QueryTransaction").repairs == "namespace"
    assert house.say("HRP", "QueryTransaction", day=today, days=2, totals_only="true").find("PerformDeptCode") == "0103"
    before = house.say("HRP", "QueryTransaction")
    assert (before.code, charge in before.text) == ("0", False), "the day before, when nothing else is said"


def test_hrp_is_refused_books_of_more_days_than_anybody_is_given(house: House):
    told = house.say("HRP", "QueryTransaction", days=400)
    assert told.code == "QRY-400", told.text


# --- platforms --------------------------------------------------------------------------------------------------------


def test_the_region_gets_reports_by_kind_asks_for_them_again_while_it_loads_and_keeps_each_once(house: House):
    number, report = registered(house), new("BG")
    house["REGION"].books("load", "2")
    assert send_report(house, number, report).code == "0"
    document = house.remembered("REGION", "documents", report_no=report)
    assert (document["service"], document["patient"]) == ("C0007", "王𠮷祥")
    lines = house.log("REGION", "invoke", report_no=report)
    assert [line["result_code"] for line in lines] == ["99", "99", "0"]
    assert len({line["message_id"] for line in lines}) == 1, "the same number on every attempt"


def test_the_region_gets_visits_and_reads_records_by_an_authorisation(house: House):
    visit, event = new("ZY"), new("JZ")
    assert visit_event(house, visit, "DISCHARGE", event).code == "0"
    assert house.remembered("REGION", "visits", event_no=event)["event"] == "DISCHARGE"
    allow(house, "REGION", RecordPurpose.REGIONAL, "QY-1")
    about = {"patient_id": PATIENT, "visit_no": "ZY20260012345", "authorization_no": "QY-1"}
    told = house.say("REGION", "GetMedicalRecord", **about, message_id=event)
    assert (told.find("Code"), told.find("MessageId"), told.find("VisitNo")) == ("0", event, "ZY20260012345"), told.text
    assert "右下肢肿胀" in told.text


def test_the_region_is_told_no_in_its_own_codes_without_an_authorisation_and_without_its_token(house: House):
    refused = house.say("REGION", "GetMedicalRecord", patient_id=PATIENT)
    assert (refused.find("Code"), refused.find("VisitNo")) == ("-3", "")
    assert "AuthorizationNo" in refused.find("Message")
    message = f"<MessageHeader><ServiceCode>Q0001</ServiceCode><Account>REGION</Account><Token>{new('T')}</Token>"
    stranger = invoke(house, f"<Request>{message}</MessageHeader></Request>")
    assert (stranger.find("Code"), "身份验证失败" in stranger.find("Message")) == ("-3", True)


def test_what_was_ordered_and_paid_online_is_performed_and_its_state_goes_back_as_json(house: House):
    number, report = new("WL"), new("BG")
    told = house.say("INTERNET", "SubmitRequisition", requisition_no=number, visit_no=new("WZ"), patient_id="WX-7")
    assert (told.json["code"], told.json["data"]["orderNo"], told.json["data"]["paid"]) == (200, number, True)
    assert house.remembered("PACS", "worklist", requisition_no=number)
    (sent,) = (one for one in house.deliveries("PACS", "SubmitRequisition") if number in one.request)
    assert "<PatientId>WX-7</PatientId><EmpiId>E000000123456</EmpiId>" in sent.request
    status = house.call("PACS", "ReportStatus", requisition_no=number, event="REGISTER", items=())
    assert status.code == "0", status.text
    assert house.remembered("INTERNET", "orders", requisition_no=number)["event"] == "REGISTER"
    asked = house.say("INTERNET", "QueryRequisition", requisition_no=number).json
    assert asked["data"] == {"total": 1, "orders": [{"orderNo": number, "status": 30, "refundable": False}]}
    assert send_report(house, number, report, orders=()).code == "0"
    known = house.remembered("INTERNET", "reports", report_no=report)
    assert (known["orders"], known["positive"]) == ([number], True)


def test_an_order_online_waits_for_its_payment_and_a_number_is_not_used_for_another(house: House):
    number, at = new("WL"), present()
    same = {"requisition_no": number, "visit_no": new("WZ"), "occurred_at": at}
    unpaid = house.say("INTERNET", "SubmitRequisition", paid=False, **same).json
    assert (unpaid["code"], unpaid["msg"], unpaid["data"]["paid"]) == (200, "已接收，支付后执行", False)
    assert house.say("INTERNET", "QueryRequisition", requisition_no=number).json["code"] == 404
    other = house.say("INTERNET", "SubmitRequisition", item="MR0101", **same).json
    assert (other["code"], other["retry"]) == (409, False)
    assert "申请单号已存在" in other["msg"]
    assert house.log("PACS", requisition_no=number) == []
    assert house.say("INTERNET", "SubmitRequisition", **same).json["data"]["paid"] is True
    assert house.remembered("PACS", "worklist", requisition_no=number)


# --- laboratories, pharmacies, devices, guests ------------------------------------------------------------------------


def test_a_reference_laboratory_sees_no_name_gets_its_own_codes_and_waits_for_those_that_have_none(house: House):
    number = house.order("LAB", items=one_item("DF1001"))
    (waiting,) = until(
        lambda: [d for d in house.deliveries("REFLAB", "SubmitRequisition") if d.last_code == "UNMAPPED"]
    )
    assert waiting.state == "QUEUED"
    assert house.log("REFLAB") == []
    map_items(house, DF1001="RL1001")
    order = house.remembered("REFLAB", "worklist", requisition_no=number)
    assert order["items"] == [{"code": "RL1001", "name": "肿瘤标志物全套", "barcode": "TM0001"}]


def test_results_come_from_the_reference_laboratory_in_its_codes_and_in_characters_only_gb18030_has(house: House):
    map_items(house, DF1001="RL1001")
    number, report, value = house.order("LAB", items=one_item("DF1001"), patient=patient("𠮷䶮")), new("BG"), new("WJZ")
    house.remembered("REFLAB", "worklist", requisition_no=number)
    assert retcode(house.say("REFLAB", "ReportStatus", requisition_no=number)) == ("0000", "成功")
    about = {"requisition_no": number, "report_no": report}
    first = house.say("REFLAB", "SubmitReport", **about, checker="𠮷䶮㛃", value="<20 & 阴性")
    assert retcode(first) == ("0000", "成功")
    amended = house.say("REFLAB", "SubmitReport", **about, version=2, action="AMEND", value="弱阳性")
    assert retcode(amended) == ("0000", "成功")
    pushed = house.say("REFLAB", "PushCriticalValue", requisition_no=number, critical_id=value, content="𠮷䶮㛃 8.2E8")
    assert retcode(pushed) == ("0000", "成功")
    (told, _) = (one.request for one in house.deliveries("HIS", "SubmitReport") if report in one.request)
    assert "<PatientName>𠮷**</PatientName>" in told, "as it went out"
    assert "<AuditorName>𠮷䶮㛃</AuditorName>" in told
    assert "<ItemCode>DF1001</ItemCode>" in told
    (told,) = (one.request for one in house.deliveries("HIS", "PushCriticalValue") if value in one.request)
    assert "<Content>𠮷䶮㛃 8.2E8</Content>" in told
    assert "<ItemCode>DF1001</ItemCode>" in told


def test_the_reference_laboratory_is_told_in_its_codes_what_is_wrong_with_a_result(house: House):
    map_items(house, DF1001="RL1001")
    number, report = house.order("LAB", items=one_item("DF1001")), new("BG")
    house.remembered("REFLAB", "worklist", requisition_no=number)
    assert retcode(house.say("REFLAB", "ReportStatus", requisition_no=number))[0] == "0000"
    unknown = house.say(
        "REFLAB", "SubmitReport", requisition_no=number, tests=[{"code": "RL9999", "name": "未对照项目"}]
    )
    assert retcode(unknown) == ("E05", "报文中的代码没有对照，请在对照维护后重发。 对照表：item。")
    about = {"requisition_no": number, "report_no": report}
    assert retcode(house.say("REFLAB", "SubmitReport", **about))[0] == "0000"
    other = house.say("REFLAB", "SubmitReport", **about, value="阳性")
    assert retcode(other)[0] == "E07"
    assert "同一版本的内容不能改变" in retcode(other)[1]


def test_a_pharmacy_speaks_chinese_in_gbk_and_lets_go_what_it_has_not_packed(house: House):
    number = house.order(perform_dept_code="YF01", patient=patient("欧阳喆堃"))
    order = house.remembered("PHARMACY", "worklist", requisition_no=number)
    assert order["items"][0]["code"] == "CT0203"
    assert house.seen("PHARMACY", "PrescriptionSend", requisition_no=number)["result_code"] == "成功"
    cancelled = house.call(
        "HIS",
        "SubmitRequisition",
        requisition_no=number,
        perform_dept_code="YF01",
        action="CANCEL",
        cancel_reason="停药",
    )
    assert cancelled.code == "0", cancelled.text
    assert house.remembered("PHARMACY", "worklist", requisition_no=number)["state"] == "CANCELLED"
    told = house.say("PHARMACY", "ReportStatus", requisition_no=number)
    assert (told.find("JG"), told.find("SM")) == ("失败", "申请单已取消、已退单或已退费，不能登记。（STA-410）")


def test_how_far_a_parcel_is_reaches_his_from_words_in_gbk(house: House):
    number, message = house.order(perform_dept_code="YF01", patient=patient("欧阳喆堃")), new("YF")
    house.remembered("PHARMACY", "worklist", requisition_no=number)
    same = {"requisition_no": number, "message_id": message, "courier": "喆堃珺", "occurred_at": present()}
    told = [house.say("PHARMACY", "ReportStatus", **same) for _ in range(2)]
    assert [(one.find("JG"), one.find("SM")) for one in told] == [("成功", "成功"), ("成功", "重复报文，已处理")]
    assert len({one.find("LSH") for one in told}) == 1
    assert house.remembered("HIS", "statuses", requisition_no=number)["event"] == "REGISTER"
    done = house.say("PHARMACY", "ReportStatus", requisition_no=number, event="EXAM_DONE")
    assert done.find("JG") == "成功", done.text


def test_a_name_that_gbk_does_not_have_is_refused_by_the_pharmacy_and_waits_for_a_person(house: House):
    number = house.order(perform_dept_code="YF01", patient=patient("欧阳𠮷䶮㛃"))
    (sent,) = until(
        lambda: [
            one
            for one in house.deliveries("PHARMACY", "SubmitRequisition")
            if number in one.request and one.state == "DEAD"
        ]
    )
    assert (sent.last_code, sent.attempts) == ("REFUSED", 1)
    assert [one["result_code"] for one in house.log("PHARMACY", requisition_no=number)] == ["失败"]


@pytest.mark.parametrize("kind", ["ORU^R40", "ORU^R01"])
def test_a_value_of_a_device_without_a_visit_is_taken_and_its_flood_is_one_value(kind: str, house: House):
    flood = {"kind": kind, "result_no": new("GLU"), "found_at": f"{datetime.now(HOSPITAL_TIME):%Y%m%d%H%M%S}"}
    before = len(house.deliveries("HIS", "PushCriticalValue"))
    for second in range(4):
        at = f"{datetime.now(HOSPITAL_TIME) + timedelta(seconds=second):%Y%m%d%H%M%S}"
        told = house.say("POCT", "PushCriticalValue", patient_id=PATIENT, sent_at=at, **flood)
        assert told.code == "AA", told.text
    until(lambda: [d.state for d in house.deliveries("HIS", "PushCriticalValue")][before:] == ["DELIVERED"])
    assert house.received("POCT", "PushCriticalValue").visit_no is None
    until(lambda: [one for one in house["TJ"].state().get("alerts", ()) if "末梢血糖 1.9 mmol/L" in one["content"]])


def test_a_value_of_a_device_that_is_not_critical_is_no_critical_value(house: House):
    told = house.say("POCT", "PushCriticalValue", value="5.4", kind="ORU^R01")
    assert told.code == "AE", told.text


def test_a_guest_of_the_health_centre_is_examined_and_its_screens_show_it_in_chinese(house: House):
    number, value = new("TJ"), new("WJZ")
    told = house.say("TJ", "SubmitRequisition", requisition_no=number, name="张㛃")
    assert (told.find("returnCode"), told.find("说明")) == ("1", "收到"), told.text
    assert house.remembered("PACS", "worklist", requisition_no=number)
    assert house.call("PACS", "ReportStatus", requisition_no=number, event="REGISTER", items=()).code == "0"
    assert house.remembered("TJ", "guests", requisition_no=number)["state"] == "已登记"
    assert house.call("PACS", "PushCriticalValue", critical_id=value, requisition_no=number, orders=()).code == "0"
    assert "栓塞" in house.remembered("TJ", "alerts", critical_id=value)["content"]


def test_a_guest_whose_company_pays_is_examined_one_who_has_not_paid_waits(house: House):
    group, alone = new("TJ"), new("TJ")
    assert house.say("TJ", "SubmitRequisition", requisition_no=group, paid="团检").find("说明") == "收到"
    assert house.remembered("PACS", "worklist", requisition_no=group)
    waits = house.say("TJ", "SubmitRequisition", requisition_no=alone, paid="未收费")
    assert (waits.find("returnCode"), waits.find("说明")) == ("1", "已接收，收费后执行")
    early = house.call("PACS", "ReportStatus", requisition_no=alone, event="REGISTER", items=())
    assert early.code == "STA-402"


def test_a_guest_who_leaves_is_taken_off_the_list_unless_the_exam_has_begun(house: House):
    leaves, begun = new("TJ"), new("TJ")
    for number in (leaves, begun):
        assert house.say("TJ", "SubmitRequisition", requisition_no=number).find("returnCode") == "1"
        house.remembered("PACS", "worklist", requisition_no=number)
    house["PACS"].register(begun)
    told = [house.say("TJ", "SubmitRequisition", requisition_no=one, action="取消") for one in (leaves, begun)]
    assert [one.find("网关代码") for one in told] == ["0", "REQ-423"]
    assert "执行科室已登记" in told[1].find("说明")
    assert house.remembered("PACS", "worklist", requisition_no=leaves)["state"] == "CANCELLED"


def test_a_number_of_the_health_centre_that_means_something_else_is_refused_in_chinese(house: House):
    number, at = new("TJ"), present()
    same = {"requisition_no": number, "occurred_at": at}
    assert house.say("TJ", "SubmitRequisition", **same).find("returnCode") == "1"
    other = house.say("TJ", "SubmitRequisition", item="MR0101", **same)
    assert (other.find("returnCode"), other.find("网关代码")) == ("-1", "REQ-409")
    assert other.find("说明") == "申请单号已用于其他内容，修改请用操作“修改”"


@pytest.mark.parametrize("name", ["REGION", "TJ", "INTERNET"])
@pytest.mark.parametrize("fault", [{"garbage": 1}, {"half_close": 1}, {"wrong_charset": 1}, {"empty": 1}])
def test_whatever_goes_wrong_outside_what_was_to_be_told_is_told(house: House, name: str, fault: dict[str, int]):
    number, report = registered(house), new("BG")
    operation = "SubmitReport" if name in ("REGION", "INTERNET") else "ReportStatus"
    house[name].disturb(**fault)
    if operation == "SubmitReport":
        assert send_report(house, number, report).code == "0"
    else:
        assert house.call("PACS", "ReportStatus", requisition_no=number, event="EXAM_DONE", items=()).code == "0"
    until(lambda: {one.state for one in house.deliveries(name, operation)} == {"DELIVERED"})


def test_who_says_a_password_inside_the_message_finds_none_in_the_journal(house: House):
    number = house.order(perform_dept_code="YF01", patient=patient("欧阳喆堃"))
    house.remembered("PHARMACY", "worklist", requisition_no=number)
    told = [
        house.say("PHARMACY", "ReportStatus", requisition_no=number).find("JG"),
        house.say("INTERNET", "SubmitRequisition", requisition_no=new("WL"), visit_no=new("WZ")).json["code"],
        house.say("REGION", "GetMedicalRecord", patient_id=PATIENT).find("Code"),
    ]
    assert told == ["成功", 200, "-3"]
    with house.core.sessions() as session:
        for name in ("PHARMACY", "INTERNET", "REGION"):
            kept = session.scalars(select(JournalEntry.xml).where(JournalEntry.sender_code == name)).all()
            assert kept
            assert not any(house.password(name).encode() in one for one in kept)


# --- what they have in common -----------------------------------------------------------------------------------------


def registered(house: House) -> str:
    """A requisition that the PACS has registered."""
    number = house.order()
    house.remembered("PACS", "worklist", requisition_no=number)
    told = house.call("PACS", "ReportStatus", requisition_no=number, event="REGISTER", items=())
    assert told.code == "0", told.text
    return number


def send_report(house: House, number: str, report: str, **changes: Any) -> Told:
    requisitions = (RequisitionRef(requisition_no=number),)
    return house.call("PACS", "SubmitReport", report_no=report, requisitions=requisitions, **changes)


def visit_event(house: House, visit: str, event: str, number: str) -> Told:
    about = replace(sample("ReportVisitEvent").visit, visit_no=visit)
    return house.call("HIS", "ReportVisitEvent", event=VisitEvent(event), event_no=number, visit=about)


def allow(house: House, client: str, purpose: RecordPurpose, number: str, *, mask: Mask = Mask.NONE) -> None:
    with house.core.sessions.begin() as session:
        set_policy(session, client, purposes=[purpose], mask=mask)
        add_authorization(
            session, number, hospital_code=HOSPITAL, client=client, purpose=purpose, patients=[PATIENT],
            valid_from=date(2026, 1, 1), valid_to=date(2099, 1, 1),
        )  # fmt: skip


def map_items(house: House, **codes: str) -> None:
    """The hospital's codes -> the laboratory's."""
    now = datetime.now(UTC)
    with house.core.sessions.begin() as session:
        table = tables.take_table(session, tables.Name(HOSPITAL, "REFLAB", "item"), "test", now)
        lines = [Line(ours, theirs) for ours, theirs in codes.items()]
        tables.activate(session, table, tables.add_draft(session, table, lines, "test", "test", now), "test", now)
        go_on(session, settle(session, now), now)


def present() -> str:
    return datetime.now(HOSPITAL_TIME).isoformat(timespec="seconds")


def retcode(told: Told) -> tuple[str, str]:
    """What the reference laboratory was answered."""
    return told.find("RetCode"), told.find("RetMsg")


def invoke(house: House, message: str) -> Told:
    """Somebody calls the facade of the region."""
    body = f'<x:invoke xmlns:x="http://exchange.region.example.org"><request><![CDATA[{message}]]></request></x:invoke>'
    kind = {"Content-Type": "text/xml; charset=utf-8"}
    answer = requests.post(f"{house.url}/facade/REGION", envelope11(body), headers=kind, timeout=20)
    return Told(answer.status_code, answer.text)


def one_item(code: str) -> tuple[Any, ...]:
    first = sample("SubmitRequisition").items[0]
    return (replace(first, item_code=code, barcode="TM0001", package_code=None, package_name=None),)


def patient(name: str) -> Any:
    return replace(sample("SubmitRequisition").patient, patient_name=name)


def envelope12(body: str) -> bytes:
    return (
        f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{body}</s:Body></s:Envelope>'.encode()
    )


def envelope11(body: str) -> bytes:
    return (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>'.encode()
    )
