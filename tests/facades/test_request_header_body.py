"""A vendor that only knows strings and ResultCode does everything of the contract, under everybody's rules."""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import escape

import pytest
from facade_site import PASSWORD, Site, envelope, in_string, sample, words

SiteOf = Callable[..., Site]
SET = "request-header-body"
UNPAID = {"<ReleaseEvent>NURSE_SENT</ReleaseEvent>": "", "<VisitType>住院</VisitType>": "<VisitType>门诊</VisitType>"}


@pytest.fixture
def site(site_of: SiteOf) -> Site:
    return site_of(SET)


def without_payment(number: str = "SQ202611160012") -> str:
    return sample("SubmitRequisition", SQ202611160012=number, **UNPAID)


def test_the_day_of_a_requisition_told_in_strings(site: Site):
    told = [
        words(site.ask(sample("SubmitRequisition"), client="HIS")),
        words(site.ask(sample("ReportStatus"))),
        words(site.ask(sample("SubmitReport"))),
        words(site.ask(sample("PushCriticalValue"))),
        words(site.ask(sample("AcknowledgeCriticalValue"), client="HIS")),
        words(site.ask(sample("QueryRequisition"))),
    ]
    assert told == [("0", "")] * 6


def test_what_was_asked_for_stands_in_the_answer(site: Site):
    site.ask(sample("SubmitRequisition"), client="HIS")
    found = site.ask(sample("QueryRequisition")).inner()
    assert found.findtext("Body/Requisitions/Requisition/Patient/PatientName") == "王𠮷祥"
    assert found.findtext("Header/TradeCode") == "QueryRequisition"


def test_an_unpaid_outpatient_is_not_performed(site: Site):
    assert words(site.ask(without_payment(), client="HIS")) == ("0", "")
    refused = site.ask(sample("ReportStatus"))
    assert (refused.status, words(refused)) == (200, ("-1", "STA-402"))
    assert "未缴费" in refused.inner().findtext("Body/ResultContent")


def test_a_repetition_gets_the_first_answer(site: Site):
    first = site.ask(sample("SubmitRequisition"), client="HIS").inner()
    second = site.ask(sample("SubmitRequisition"), client="HIS").inner()
    assert (first.findtext("Body/Duplicate"), second.findtext("Body/Duplicate")) == ("false", "true")
    assert first.findtext("Body/GatewayTxnNo") == second.findtext("Body/GatewayTxnNo")


def test_without_a_number_the_same_content_is_a_repetition(site: Site):
    nameless = sample("SubmitRequisition").replace("<MessageId>HIS-20261116-000101</MessageId>", "")
    site.ask(nameless, client="HIS")
    assert site.ask(nameless, client="HIS").inner().findtext("Body/Duplicate") == "true"


def test_after_registration_the_clinic_cannot_refund(site: Site):
    site.ask(sample("SubmitRequisition"), client="HIS")
    assert words(site.ask(sample("ChargeItem", SUPPLEMENT="NURSE_SEND"), client="HIS")) == ("0", "")
    assert words(site.ask(sample("ReportStatus"))) == ("0", "")
    refund = sample("RefundItem", PERFORM_DEPT="HIS_DOCTOR", PACS="HIS")
    refused = site.ask(refund, client="HIS")
    assert words(refused) == ("-1", "RFD-423")
    assert "已登记" in refused.inner().findtext("Body/ResultContent")


def test_before_registration_it_can(site: Site):
    site.ask(sample("SubmitRequisition"), client="HIS")
    site.ask(sample("ChargeItem", SUPPLEMENT="NURSE_SEND"), client="HIS")
    assert words(site.ask(sample("RefundItem", PERFORM_DEPT="HIS_DOCTOR", PACS="HIS"), client="HIS")) == ("0", "")


def test_a_status_before_its_requisition_is_parked_and_said_so(site: Site):
    told = site.ask(sample("ReportStatus")).inner()
    assert told.findtext("Body/ErrorCode") == "STA-404"
    assert (told.findtext("Body/Retryable"), told.findtext("Body/Parked")) == ("1", "true")
    site.ask(sample("SubmitRequisition"), client="HIS")
    state = site.ask(sample("QueryRequisition")).inner().findtext("Body/Requisitions/Requisition/StatusCode")
    assert state == "30"


def test_the_journal_keeps_what_the_vendor_sent_and_by_which_door(site: Site):
    body = in_string(sample("SubmitRequisition"))
    site.send(f"/facade/{SET}", body, client="HIS")
    [kept] = site.journal()
    assert kept.xml == body.encode()
    assert kept.soap_version == f"1.1 facade {SET}"
    assert (kept.operation, kept.sender_code, kept.requisition_no) == ("SubmitRequisition", "HIS", "SQ202611160012")


# --- who calls --------------------------------------------------------------------------------------------------------


def test_nobody_comes_in_without_a_password(site: Site):
    told = site.ask(sample("SubmitRequisition"), client=None)
    assert (told.status, words(told)) == (200, ("-1", "AUT-401"))
    assert site.journal() == []


def test_a_site_may_want_the_status_of_http_too(site_of: SiteOf):
    site = site_of(SET, statuses="as-soap")
    told = site.ask(sample("SubmitRequisition"), client=None)
    assert (told.status, words(told)[1]) == (401, "AUT-401")
    assert "Basic" in told.headers["WWW-Authenticate"]


def test_a_wrong_password_is_refused_and_not_forever_guessed(site: Site):
    body = in_string(sample("QueryRequisition"))
    told = [words(site.send(f"/facade/{SET}", body, password="wrong-wrong-wrong"))[1] for _ in range(3)]
    assert told == ["AUT-401"] * 3


def test_a_client_without_the_right_is_refused(site: Site):
    told = site.ask(sample("SubmitRequisition"), client="READER")
    assert words(told) == ("-1", "AUT-403")


def test_the_string_may_hold_who_calls_and_the_journal_hides_the_password(site_of: SiteOf):
    site = site_of(SET, username="string(/*/Header/UserName)", password="string(/*/Header/Password)")
    secret = f"<UserName>HIS</UserName><Password>{PASSWORD}</Password></Header>"
    message = sample("SubmitRequisition").replace("</Header>", secret)
    assert words(site.ask(message, client=None)) == ("0", "")
    [kept] = site.journal()
    assert PASSWORD.encode() not in kept.xml
    assert b"***" in kept.xml
    assert words(site.ask(message.replace(PASSWORD, "wrong-wrong-wrong"), client=None)) == ("-1", "AUT-401")


def test_an_address_may_be_trusted_for_one_client(site_of: SiteOf):
    site = site_of(SET, client="HIS", addresses=("127.0.0.0/8",))
    assert words(site.ask(sample("SubmitRequisition"), client=None)) == ("0", "")
    assert site.journal()[0].sender_code == "HIS"


def test_another_address_is_not(site_of: SiteOf):
    site = site_of(SET, client="HIS", addresses=("10.1.2.0/24",))
    assert words(site.ask(sample("SubmitRequisition"), client=None)) == ("-1", "AUT-401")


# --- what vendors write -----------------------------------------------------------------------------------------------


def test_a_function_nobody_has_is_told_with_those_that_there_are(site: Site):
    told = site.ask(sample("ReportStatus").replace("<TradeCode>ReportStatus<", "<TradeCode>ReportStaus<")).inner()
    assert told.findtext("Body/ErrorCode") == "SYS-400"
    assert "ReportStatus" in told.findtext("Body/Expected")


def test_a_field_that_breaks_the_contract_is_told_by_its_place_and_never_by_its_value(site: Site):
    told = site.ask(sample("ReportStatus", **{"<StatusSeq>1<": "<StatusSeq>王五<"}))
    assert words(told) == ("-1", "SYS-400")
    assert told.inner().findtext("Body/Path") == "Request/StatusSeq"
    assert "王五" not in told.content.decode()


def test_a_field_the_contract_does_not_have_is_told(site: Site):
    told = site.ask(sample("ReportStatus").replace("<Body>", "<Body><Colour>red</Colour>")).inner()
    assert told.findtext("Body/ErrorCode") == "SYS-400"
    assert "Request/Colour" in told.findtext("Body/ResultContent")


def test_no_xml_at_all_gets_an_answer_in_the_vendors_form(site: Site):
    told = site.send(f"/facade/{SET}", "hello")
    assert (told.status, words(told)) == (200, ("-1", "SYS-400"))


def test_the_page_and_the_wsdl_are_there_and_nothing_else(site: Site):
    wsdl = site.get(f"/facade/{SET}?WSDL")
    assert b"HIPService" in wsdl.content
    assert f"/facade/{SET}".encode() in wsdl.content
    assert site.get("/facade/nothing").status == 404
    assert f"facade/{SET}".encode() in site.get("/").content


def test_a_sql_like_filter_is_never_passed_on(site: Site):
    filtered = sample("QueryRequisition", SQ202611160012="1' or apply_no='2")
    assert words(site.ask(filtered)) == ("-1", "SYS-400")
    assert words(site.ask("and apply_no='SQ1'")) == ("-1", "SYS-400")


def test_a_bomb_in_the_string_is_refused(site: Site):
    bomb = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><Request><Header/><Body>&b;</Body></Request>'
    assert words(site.ask(bomb)) == ("-1", "SYS-400")
    file = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><Request><Header/><Body>&a;</Body></Request>'
    told = site.ask(file)
    assert words(told) == ("-1", "SYS-400")
    assert b"root:" not in told.content
    assert words(site.ask("<Request>" + "<b/>" * 210_000 + "</Request>"))[1] == "SYS-413"


def test_a_message_in_cdata_as_elements_and_escaped_twice_is_the_same_message(site: Site):
    message = sample("SubmitRequisition")
    forms = (
        f"<![CDATA[{message}]]>",
        message,
        escape(escape(message)),
        "\ufeff" + escape('<?xml version="1.0" encoding="GB2312" standalong="yes"?>\n' + message),
    )
    for number, form in enumerate(forms):
        body = envelope(f"<HIPService><pInput>{form}</pInput></HIPService>")
        told = site.send(f"/facade/{SET}", body, client="HIS").inner()
        assert told.findtext("Body/ResultCode") == "0", (number, told.findtext("Body/ResultContent"))
        assert told.findtext("Body/Duplicate") == ("true" if number else "false")
