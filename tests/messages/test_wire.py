"""How the text of a message becomes values and text again; what old clients write must mean what they meant."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway import terms
from gateway.contract import NAMESPACE, Contract
from gateway.errors import InvalidMessage
from gateway.messages.wire import Wire

CONTRACT = Contract()
ZONE = timezone(timedelta(hours=8))
WIRE = Wire(CONTRACT, ZONE)
MESSAGES = sorted(kind.name for kind in CONTRACT.message_types.values() if not kind.is_list)


def sample(operation: str) -> etree._Element:
    return etree.parse(CONTRACT.sample(operation)).getroot()[0][0]


def read_with(operation: str, path: str, text: str | None):
    """The sample message in which one element has another text."""
    wrapper = sample(operation)
    [element] = wrapper.xpath("/".join(f"g:{step}" for step in path.split("/")), namespaces={"g": NAMESPACE})
    element.text = text
    return WIRE.read(f"{operation}Request", wrapper[0])


def requisition(path: str, text: str | None):
    return read_with("SubmitRequisition", f"Request/{path}", text)


def refusal(operation: str, path: str, text: str | None) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        read_with(operation, path, text)
    return caught.value


# --- Dates and times --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-16T09:05:00", datetime(2026, 11, 16, 9, 5, tzinfo=ZONE)),
        ("2026-11-16T09:05:00+08:00", datetime(2026, 11, 16, 9, 5, tzinfo=ZONE)),
        ("2026-11-16T21:06:00Z", datetime(2026, 11, 17, 5, 6, tzinfo=ZONE)),
        ("2026-11-15T20:05:00-05:00", datetime(2026, 11, 16, 9, 5, tzinfo=ZONE)),
        ("2026-11-16T09:05:00.5", datetime(2026, 11, 16, 9, 5, 0, 500000, tzinfo=ZONE)),
        ("2026-11-16T09:05:00.123456789", datetime(2026, 11, 16, 9, 5, 0, 123456, tzinfo=ZONE)),
        ("2026-11-16T24:00:00", datetime(2026, 11, 17, tzinfo=ZONE)),
        ("2026-12-31T24:00:00", datetime(2027, 1, 1, tzinfo=ZONE)),
        (" 2026-11-16T09:05:00\n", datetime(2026, 11, 16, 9, 5, tzinfo=ZONE)),
        ("1988-07-01T12:00:00", datetime(1988, 7, 1, 12, tzinfo=ZONE)),
    ],
)
def test_every_time_becomes_hospital_time(text, moment):
    read = requisition("OrderedAt", text).ordered_at
    assert read == moment
    assert read.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize("text", ["1968-04-17", "1968-04-17+08:00", "1968-04-17Z", "1968-04-17-11:00", " 1968-04-17 "])
def test_the_zone_of_a_date_is_dropped_because_a_birthday_has_none(text):
    assert requisition("Patient/BirthDate", text).patient.birth_date == date(1968, 4, 17)


@pytest.mark.parametrize("text", ["1900-01-01", "0001-01-01", "0001-01-01Z"])
def test_a_placeholder_birthday_is_no_birthday(text):
    assert requisition("Patient/BirthDate", text).patient.birth_date is None


@pytest.mark.parametrize("text", ["1900-01-01T00:00:00", "0001-01-01T00:00:00", "0001-01-01T00:00:00Z"])
def test_a_placeholder_time_is_no_time(text):
    assert read_with("SubmitReport", "Request/AuditedAt", text).audited_at is None


@pytest.mark.parametrize("text", ["1900-01-01T00:00:00", "0001-01-01T00:00:00"])
def test_a_required_placeholder_stays_a_time_the_database_can_keep(text):
    assert requisition("Header/SentAt", text).header.sent_at == datetime(1900, 1, 1, tzinfo=ZONE)


@pytest.mark.parametrize(
    "text", ["9999-12-31T24:00:00", "9999-12-31T23:00:00-05:00", "12026-01-01T00:00:00", "0000-01-01T00:00:00"]
)
def test_a_time_outside_the_calendar_is_refused(text):
    told = refusal("SubmitRequisition", "Request/OrderedAt", text)
    assert (told.path, told.expected) == ("Request/OrderedAt", "YYYY-MM-DDThh:mm:ss")
    assert "开单时间（OrderedAt）" in told.text_zh


@pytest.mark.parametrize("text", ["0000-01-01", "12026-01-01", "-0044-03-15"])
def test_a_date_outside_the_calendar_is_refused(text):
    told = refusal("SubmitRequisition", "Request/Patient/BirthDate", text)
    assert (told.path, told.expected) == ("Request/Patient/BirthDate", "YYYY-MM-DD")


# --- Numbers and booleans ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("180", "180"), ("+180.50", "180.50"), (" 180.50 ", "180.50"), (".5", "0.5"), ("5.", "5"), ("180.500", "180.500")],
)
def test_every_way_to_write_a_decimal_is_read(text, value):
    assert requisition("Items/Item[1]/Quantity", text).items[0].quantity == Decimal(value)


def test_an_amount_keeps_its_written_digits():
    message = requisition("Items/Item[1]/Amount", "0480.50")
    assert "<Amount>480.50</Amount>" in WIRE.write(message)


def test_a_small_number_is_never_written_with_an_exponent():
    message = requisition("Items/Item[1]/UnitPrice", "0.000001")
    assert "<UnitPrice>0.000001</UnitPrice>" in WIRE.write(message)


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("true", True), (" true ", True), ("0", False), ("false", False)]
)
def test_every_way_to_write_a_boolean_is_read(text, value):
    assert requisition("Pregnant", text).pregnant is value


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("+7", 7), (" 007 ", 7)])
def test_every_way_to_write_a_number_is_read(text, value):
    assert requisition("Items/Item[1]/ItemSeq", text).items[0].item_seq == value


# --- Text, codes, attachments -----------------------------------------------------------------------------------------


def test_white_space_of_codes_is_collapsed():
    assert requisition("Visit/BedNo", "  加 \n\t 12 \u3000").visit.bed_no == "加 12"
    assert requisition("RequisitionNo", "  A1 \n").requisition_no == "A1"
    assert requisition("Action", " NEW ").action is terms.RequisitionAction.NEW


def test_free_text_is_kept_as_it_is():
    text = "  第一行\n\t第二行 & <正常>  "
    assert requisition("ClinicalSummary", text).clinical_summary == text


@pytest.mark.parametrize("text", [None, "", "   ", "\n\t", "\u3000"])
def test_an_empty_optional_text_is_absent(text):
    assert requisition("ClinicalSummary", text).clinical_summary is None
    assert requisition("Visit/BedNo", text).visit.bed_no is None


@pytest.mark.parametrize("text", [None, "", "   ", "\u3000"])
def test_an_empty_required_text_is_refused(text):
    told = refusal("SubmitRequisition", "Request/Patient/PatientName", text)
    assert (told.path, told.expected) == ("Request/Patient/PatientName", "1..50 characters")
    assert "患者姓名（PatientName）的内容不对。" in told.text_zh


def test_a_required_code_of_wide_spaces_is_refused():
    wrapper = sample("SubmitRequisition")
    wrapper[0].find(f"{{{NAMESPACE}}}PerformDeptCode").text = "\u3000\u3000"
    CONTRACT.schema.assertValid(wrapper)
    told = refusal("SubmitRequisition", "Request/PerformDeptCode", "\u3000\u3000")
    assert told.expected == "not empty"


def test_text_is_counted_in_characters_and_a_rare_name_is_one_each():
    assert requisition("Patient/PatientName", "𠮷" * 50).patient.patient_name == "𠮷" * 50
    told = refusal("SubmitRequisition", "Request/Patient/PatientName", "𠮷" * 51)
    assert told.expected == "1..50 characters"
    assert "𠮷" not in told.text_zh + told.text_en + told.path


def test_a_refusal_names_the_line_of_a_list():
    told = refusal("SubmitRequisition", "Request/Items/Item[2]/ItemName", "长" * 201)
    assert told.path == "Request/Items/Item[2]/ItemName"
    assert "ItemName (项目名称)" in told.text_en


@pytest.mark.parametrize("text", ["/9j/4AAQ", "/9j/\n4AAQ", " /9j/4A== "])
def test_base64_is_read_with_line_breaks(text):
    assert (
        read_with("SubmitReport", "Request/KeyImages/KeyImage/Content", text)
        .key_images[0]
        .content.startswith(b"\xff\xd8\xff")
    )


@pytest.mark.parametrize("text", ["!!!!", "/9j/4A", "/9j/4AA=====", "图像", "/9j/4A==/9j/", None, " "])
def test_base64_with_stray_characters_or_nothing_is_refused(text):
    told = refusal("SubmitReport", "Request/KeyImages/KeyImage/Content", text)
    assert told.path == "Request/KeyImages/KeyImage[1]/Content"
    assert told.expected in ("base64", "not empty")


def test_an_empty_optional_attachment_is_absent():
    assert read_with("SubmitReport", "Request/ReportFiles/ReportFile[1]/Content", "").report_files[0].content is None


# --- Writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["A&B <C> 'D' \"E\"", "]]>", "&amp;", "一\r\n二\r三\n", "\ttab", "𠮷䶮", "\U0010fffd"])
def test_any_text_comes_back_as_it_was(text):
    message = requisition("ClinicalSummary", text)
    again = etree.fromstring(WIRE.document("SubmitRequisition", message))
    assert WIRE.read("SubmitRequisitionRequest", again[0]).clinical_summary == text


def test_what_is_written_has_the_zone_of_the_hospital():
    message = requisition("OrderedAt", "2026-11-16T01:05:00Z")
    assert "<OrderedAt>2026-11-16T09:05:00+08:00</OrderedAt>" in WIRE.write(message)


def test_absent_fields_and_empty_lists_are_not_written():
    message = requisition("ClinicalSummary", "")
    text = WIRE.write(message)
    assert "ClinicalSummary" not in text
    assert "CancelReason" not in text


def test_the_gateway_reads_what_it_kept():
    message = requisition("ClinicalSummary", "A&B")
    assert WIRE.read_text("SubmitRequisitionRequest", WIRE.write(message)) == message


def test_a_soap_client_takes_the_message_as_plain_dictionaries():
    plain = WIRE.plain(requisition("ClinicalSummary", ""))
    assert plain["Items"]["Item"][0]["Quantity"] == Decimal(1)
    assert plain["Action"] == "NEW"
    assert type(plain["Action"]) is str
    assert "ClinicalSummary" not in plain


# --- Any message ------------------------------------------------------------------------------------------------------

LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Z", "Co"))
LINES = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")) | st.sampled_from("\n\r\t&<>]𠮷")
TIMES = st.datetimes(datetime(1901, 1, 1), datetime(2100, 1, 1), timezones=st.just(ZONE))  # noqa: DTZ001
BUILT_IN = {
    "boolean": st.booleans(),
    "date": st.dates(date(1901, 1, 1), date(2100, 1, 1)),
    "dateTime": TIMES,
    "base64Binary": st.binary(min_size=1, max_size=40),
    "decimal": st.decimals(-1000, 1000, places=3),
}


def values(field) -> st.SearchStrategy:
    """Values the contract allows in a field."""
    child = CONTRACT.list_child(field.type_name)
    if child is not None:
        return st.lists(messages(child.type_name), min_size=1, max_size=2).map(tuple)
    if field.type_name in CONTRACT.message_types:
        return messages(field.type_name)
    if hasattr(terms, field.type_name):
        return st.sampled_from(getattr(terms, field.type_name))
    if field.type_name == "string":
        return st.text(LINES, min_size=1, max_size=min(field.max_length or 30, 30)).filter(lambda text: text.strip())
    if field.type_name in BUILT_IN:
        return BUILT_IN[field.type_name]
    return facetted(CONTRACT.value_types[field.type_name])


def facetted(kind) -> st.SearchStrategy:
    """Values of a type with facets."""
    facets = dict(kind.facets)
    if kind.primitive == "int":
        return st.integers(int(facets["minInclusive"]), int(facets.get("maxInclusive", 2**31 - 1)))
    if kind.primitive == "decimal":
        bounds = Decimal(facets.get("minInclusive", 0)), Decimal(facets.get("maxInclusive", 10**9))
        return st.decimals(*bounds, places=int(facets["fractionDigits"]))
    if "pattern" in facets:
        longest = min(int(facets.get("maxLength", 64)), 12)
        return {
            "[!-~]+": st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=longest),
            "[0-9]{2,3}": st.sampled_from(["01", "110"]),
            "[0-9.]+": st.just("2.25.1"),
            "[0-9a-fA-F]{64}": st.just("a" * 64),
        }[facets["pattern"]]
    return st.text(LETTERS, min_size=1, max_size=min(int(facets["maxLength"]), 12))


def messages(name: str) -> st.SearchStrategy:
    """Messages of a type, with and without their optional fields."""
    fields = CONTRACT.message_types[name].fields
    needed = {field.attribute: values(field) for field in fields if not field.optional}
    optional = {field.attribute: values(field) for field in fields if field.optional}
    return st.fixed_dictionaries(needed, optional=optional).map(lambda found: WIRE.class_of(name)(**found))


@pytest.mark.parametrize(
    "name",
    [
        "SubmitRequisition",
        "SubmitReport",
        "ChargeItem",
        "PushCriticalValue",
        "QueryRequisitionResponse",
        "GetMedicalRecordResponse",
    ],
)
@given(data=st.data())
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_message_the_contract_allows_comes_back_unchanged(name, data):
    kind = f"{name}Type" if name.endswith("Response") else f"{name}Request"
    message = data.draw(messages(kind))
    wrapper = etree.fromstring(WIRE.document(name, message))
    CONTRACT.schema.assertValid(wrapper)
    assert WIRE.read(kind, wrapper[0]) == message
