"""A field that is too long for a partner is refused or sent as an address; it is never cut off."""

from dataclasses import replace

import pytest

from gateway.partner_config import FieldLimit
from gateway.partners.field_limits import FieldLimits, FieldTooLong, unknown_fields
from tests.partners.fake_partner import CONTRACT, sample

REPORT = sample("SubmitReport")
ADDRESS = "https://pacs.example.org/report/{ReportNo}"


def limited(charset: str = "utf-8", **limit) -> FieldLimits:
    return FieldLimits([FieldLimit(**{"path": "Findings", "length": 100, **limit})], CONTRACT, charset)


def findings(text: str):
    return replace(REPORT, findings=text)


def refusal(limits: FieldLimits, request) -> str:
    with pytest.raises(FieldTooLong) as told:
        limits.kept("SubmitReport", request)
    return str(told.value)


def test_what_is_within_its_limit_goes_as_it_is():
    report = findings("𠮷" * 100)
    assert limited().kept("SubmitReport", report) is report
    assert FieldLimits([], CONTRACT, "utf-8").kept("SubmitReport", report) is report


def test_a_report_that_is_too_long_is_refused_with_numbers_and_without_its_text():
    said = refusal(limited(), findings("未见异常。" * 20 + "."))
    assert said == "Findings has 101 characters, the partner takes 100"


@pytest.mark.parametrize(
    ("charset", "text", "fits"),
    [
        ("gb18030", "未" * 50, True),
        ("gb18030", "未" * 50 + "x", False),
        ("gb18030", "𠮷" * 25, True),
        ("gb18030", "𠮷" * 26, False),
        ("gbk", "䶮" * 50 + "x", False),
        ("gb2312", "喆" * 50, True),
        ("utf-8", "未" * 33, True),
        ("utf-8", "未" * 34, False),
    ],
)
def test_a_limit_in_bytes_is_counted_in_the_charset_of_the_partner(charset, text, fits):
    limits, report = limited(charset, unit="bytes"), findings(text)
    if fits:
        assert limits.kept("SubmitReport", report) is report
    else:
        assert f"Findings has {len(text.encode('gb18030' if charset[0] == 'g' else charset))} bytes" in refusal(
            limits, report
        )


def test_the_address_of_the_report_goes_in_its_place_when_the_site_says_so():
    report = replace(findings("x" * 101), report_no="R 1/7&号")
    kept = limited(above="url", url=ADDRESS).kept("SubmitReport", report)
    assert kept == replace(report, findings="https://pacs.example.org/report/R%201%2F7%26%E5%8F%B7")


def test_an_address_may_use_numbers_further_in():
    kept = limited(above="url", url="https://x/{Patient/PatientId}").kept("SubmitReport", findings("x" * 101))
    assert kept.findings == f"https://x/{REPORT.patient.patient_id}"


def test_a_message_without_the_number_for_the_address_is_refused():
    limits = limited(above="url", url="https://x/{StudyInstanceUid}")
    said = refusal(limits, replace(findings("x" * 101), study_instance_uid=None))
    assert said.endswith("the message has no StudyInstanceUid for the address that is sent instead")


def test_an_address_that_is_longer_than_the_limit_is_refused():
    assert "longer, too" in refusal(limited(length=20, above="url", url=ADDRESS), findings("x" * 21))


def test_fields_of_parts_and_of_lists_have_limits_too():
    requisition = sample("SubmitRequisition")
    limits = limited(path="Items/Item/ItemName", length=3)
    with pytest.raises(FieldTooLong, match="Items/Item/ItemName has"):
        limits.kept("SubmitRequisition", requisition)
    with pytest.raises(FieldTooLong, match="Patient/PatientName has"):
        limited(path="Patient/PatientName", length=1).kept("SubmitRequisition", requisition)
    other = limited(path="Items/Item/ItemName", length=3, above="url", url="u{RequisitionNo}"[:2])
    kept = other.kept("SubmitRequisition", requisition)
    assert {item.item_name for item in kept.items} == {"u{"}


def test_a_limit_of_one_operation_is_no_limit_of_another():
    report = findings("x" * 101)
    assert limited(operation="SubmitRequisition").kept("SubmitReport", report) is report
    assert limited().kept("ReportStatus", sample("ReportStatus")) == sample("ReportStatus")


def test_an_absent_field_is_not_too_long():
    report = replace(REPORT, findings=None)
    assert limited().kept("SubmitReport", report) is report


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"path": "Finding"}, "Finding is no field of text"),
        ({"path": "Patient"}, "Patient is no field of text"),
        ({"path": "Findings/Text"}, "Findings/Text is no field of text"),
        ({"path": "Items/ItemName"}, "Items/ItemName is no field of text"),
        ({"operation": "ReportStatus"}, "Findings is no field of text of ReportStatus"),
        ({"operation": "Nothing"}, "there is no operation Nothing"),
        (
            {"above": "url", "url": "https://x/{Nothing}"},
            "SubmitReport has no Nothing, which the url of Findings needs",
        ),
    ],
)
def test_a_limit_of_something_that_does_not_exist_is_found_out_beforehand(limit, said):
    assert said in "\n".join(
        unknown_fields([FieldLimit(path="Findings", length=1) if not limit else _(limit)], CONTRACT)
    )


def _(limit) -> FieldLimit:
    return FieldLimit(**{"path": "Findings", "length": 1, **limit})


def test_limits_of_what_exists_are_fine():
    fine = [_({}), _({"path": "Items/Item/ItemName"}), _({"above": "url", "url": ADDRESS})]
    assert list(unknown_fields(fine, CONTRACT)) == []
