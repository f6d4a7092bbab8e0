"""The standard stylesheets: every message of ours to HL7 and back, and HL7 as other systems write it."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from lxml import etree

from gateway.contract import NAMESPACE, Contract
from gateway.hl7.er7 import read, write, write_bytes
from gateway.mapping.errors import MappingFailed
from gateway.mapping.functions import Circumstances, under
from gateway.mapping.ours import as_source, from_result
from gateway.mapping.stylesheet import STANDARD_FOLDER, Stylesheet
from gateway.messages.wire import Wire

HOSPITAL_TIME = timezone(timedelta(hours=8))
NOON = datetime(2026, 11, 16, 12, tzinfo=HOSPITAL_TIME)
CONTRACT = Contract()
WIRE = Wire(CONTRACT, HOSPITAL_TIME)
SAMPLES = Path(__file__).parents[2] / "wsdl" / "samples"
HEAD = "MSH|^~\\&|LIS|H1|GATEWAY||20261116110000||{}|M1|P|2.4\r"
PATIENT = "PID|1||P1||王^䶮||19680417|M\rPV1|1|I|W2001^^加12|||||||2001^呼吸科|||||||||ZY1\r"


def segment(name: str, fields: dict[int, str]) -> str:
    """A segment from its fields by number."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))]) + "\r"


def sheet(name: str) -> Stylesheet:
    return Stylesheet(STANDARD_FOLDER / "hl7" / f"{name}.xsl")


def sample(operation: str) -> etree._Element:
    """The Request of a sample."""
    root = etree.parse(str(SAMPLES / f"{operation}.xml"))
    found = root.find(f".//{{{NAMESPACE}}}Request")
    assert found is not None
    return found


def to_hl7(name: str, request: etree._Element, operation: str, function: str = "") -> str:
    message = WIRE.read(f"{operation}Request", request)
    with under(Circumstances(partner="PACS", now=NOON, values={"function": function})):
        made = sheet(f"{name}-to-hl7").apply(as_source("Request", WIRE.write(message)))
    assert isinstance(made, etree._Element)
    return write_bytes(made, "gb18030").decode("gb18030")


def from_hl7(name: str, text: str, operation: str, **values: str) -> etree._Element:
    """Our request, which keeps to the contract."""
    values = {"client": "LIS", "hospital_code": "44643245-7", **values}
    with under(Circumstances(partner="LIS", now=NOON, outbound=False, values=values)):
        element = from_result(CONTRACT, f"{operation}Request", sheet(f"{name}-from-hl7").apply(read(text)))
    wrapper = etree.Element(f"{{{NAMESPACE}}}{operation}", nsmap={None: NAMESPACE})
    wrapper.append(element)
    CONTRACT.schema.assertValid(wrapper)
    return element


def texts(element: etree._Element, path: str) -> list[str | None]:
    steps = "/".join(f"{{{NAMESPACE}}}{step}" for step in path.split("/"))
    return [found.text for found in element.iterfind(steps)]


def text(element: etree._Element, path: str) -> str | None:
    return next(iter(texts(element, path)), None)


def content(element: etree._Element, operation: str) -> str:
    """All of a message, without what a sender stamps anew."""
    written = WIRE.write(WIRE.read(f"{operation}Request", element))
    return written[written.index("</Header>") :]


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("requisition", "SubmitRequisition"),
        ("status", "ReportStatus"),
        ("report", "SubmitReport"),
        ("critical", "PushCriticalValue"),
        ("charge", "ChargeItem"),
        ("refund", "RefundItem"),
    ],
)
def test_the_sample_of_each_message_comes_back_whole(name: str, operation: str):
    pipes = to_hl7(name, sample(operation), operation)
    back = from_hl7(name, pipes, operation)
    assert content(back, operation) == content(sample(operation), operation)


# --- Requisitions as others write them --------------------------------------------------------------------------------

ORC = {1: "NW", 2: "YZ1", 7: "^^^^^S", 9: "20261116090500", 17: "2001^呼吸科"}
OBR = {1: "1", 2: "YZ1", 4: "CT0203^胸部CT", 16: "D1066^赵䶮", 21: "0103", 24: "CT"}
ORDER = segment("ORC", ORC) + segment("OBR", OBR)


def order(*, kind: str = "ORM^O01", segments: str = ORDER) -> str:
    return HEAD.format(kind) + PATIENT + segments


def test_an_order_of_another_system_becomes_a_requisition():
    request = from_hl7("requisition", order(), "SubmitRequisition", inpatient_release="NURSE_SENT")
    told = {
        "Header/MessageId": "M1",
        "Header/SenderCode": "LIS",
        "Header/SentAt": "2026-11-16T11:00:00+08:00",
        "Action": "NEW",
        "RequisitionNo": "YZ1",
        "RequisitionType": "EXAM",
        "Patient/PatientName": "王䶮",
        "Patient/SexCode": "1",
        "Visit/VisitType": "3",
        "Visit/BedNo": "加12",
        "ReleaseEvent": "NURSE_SENT",
        "Priority": "STAT",
        "OrderingDoctorName": "赵䶮",
        "Items/Item/OrderNo": "YZ1",
        "Items/Item/ItemCode": "CT0203",
        "Items/Item/Quantity": "1",
    }
    assert {path: text(request, path) for path in told} == told


@pytest.mark.parametrize(("control", "action"), [("NW", "NEW"), ("XO", "UPDATE"), ("CA", "CANCEL"), ("OC", "CANCEL")])
def test_order_control_says_what_is_to_be_done(control: str, action: str):
    request = from_hl7("requisition", order(segments=ORDER.replace("|NW|", f"|{control}|")), "SubmitRequisition")
    assert text(request, "Action") == action


@pytest.mark.parametrize(
    ("kind", "code", "meant"), [("OMG^O19", "MR", "EXAM"), ("OML^O21", "", "LAB"), ("ORM^O01", "SP", "PATH")]
)
def test_the_kind_of_requisition_stands_in_obr_24(kind: str, code: str, meant: str):
    request = from_hl7(
        "requisition", order(kind=kind, segments=ORDER.replace("|CT\r", f"|{code}\r")), "SubmitRequisition"
    )
    assert text(request, "RequisitionType") == meant


def test_several_orders_of_a_group_are_one_requisition():
    segments = "".join(
        segment("ORC", {**ORC, 2: f"YZ{n}", 4: "SQ1"})
        + segment("OBR", {**OBR, 2: f"YZ{n}", 4: f"B{n}^血{n}", 24: "LAB"})
        + f"SPM|1|BC{n}||BLD^血\r"
        for n in (1, 2)
    )
    request = from_hl7("requisition", order(kind="OML^O21", segments=segments), "SubmitRequisition")
    assert text(request, "RequisitionNo") == "SQ1"
    assert texts(request, "Items/Item/OrderNo") == ["YZ1", "YZ2"]
    assert texts(request, "Items/Item/ItemSeq") == ["1", "2"]
    assert texts(request, "Items/Item/Barcode") == ["BC1", "BC2"]


@pytest.mark.parametrize("joined", [r"YZ1\S\YZ2", "YZ1^YZ2", "YZ1,YZ2", "YZ1~YZ2"])
def test_joined_order_numbers_are_parted(joined: str):
    segments = ORDER.replace("OBR|1|YZ1||CT0203^胸部CT", rf"OBR|1|{joined}||CT1\S\CT2^平扫\S\增强").replace(
        "NW|YZ1", "NW|SQ1"
    )
    request = from_hl7("requisition", order(segments=segments), "SubmitRequisition")
    assert texts(request, "Items/Item/OrderNo") == ["YZ1", "YZ2"]
    assert texts(request, "Items/Item/ItemCode") == ["CT1", "CT2"]
    assert texts(request, "Items/Item/ItemName") == ["平扫", "增强"]


def test_the_name_of_the_placer_s_system_is_no_order_number():
    request = from_hl7(
        "requisition", order(segments=ORDER.replace("OBR|1|YZ1|", "OBR|1|YZ1^HIS|")), "SubmitRequisition"
    )
    assert texts(request, "Items/Item/OrderNo") == ["YZ1"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("|CT\r", "|\r", "OBR-24"),
        ("ORC|NW", "ORC|ZZ", "ORC-1"),
        ("ORC|NW", "ORC|CA|X\rORC|NW", "ORC-1 differs"),
        ("20261116090500", "20261316", "no date"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused(old: str, new: str, reason: str):
    with pytest.raises(MappingFailed, match=reason) as refused:
        from_hl7("requisition", order(segments=ORDER.replace(old, new)), "SubmitRequisition")
    assert "王" not in str(refused.value)


@pytest.mark.parametrize(("sex", "code"), [("F", "2"), ("男", "1"), ("U", "0"), ("X", "0"), ("", "0"), ("O", "9")])
def test_an_unknown_sex_is_never_made_a_known_one(sex: str, code: str):
    request = from_hl7("requisition", order().replace("|19680417|M", f"|19680417|{sex}"), "SubmitRequisition")
    assert text(request, "Patient/SexCode") == code


@pytest.mark.parametrize(
    ("name", "read_as"),
    [
        ("王𠮷祥", "王𠮷祥"),
        ("王^𠮷祥", "王𠮷祥"),
        ("Smith^John", "John Smith"),
        ("Wang^^^^^^A~王㛃^^^^^^^I", "王㛃"),
        ("欧阳^", "欧阳"),
    ],
)
def test_names_are_written_as_their_language_does(name: str, read_as: str):
    name = name.replace("王㛃^^^^^^^I", "王㛃^^^^^^L^I")
    request = from_hl7("requisition", order().replace("王^䶮", name), "SubmitRequisition")
    assert text(request, "Patient/PatientName") == read_as


def test_the_settings_choose_another_order_message():
    assert "||OMG^O19|" in to_hl7("requisition", sample("SubmitRequisition"), "SubmitRequisition", "OMG^O19")


# --- Status -----------------------------------------------------------------------------------------------------------

EVENTS = ["BOOK", "UNBOOK", "REGISTER", "CANCEL_REG", "EXAM_DONE", "STOP", "REJECT", "PRELIM", "FINAL", "WITHDRAW"]


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_of_an_exam_comes_back_as_itself(event: str):
    request = sample("ReportStatus")
    request.find(f"{{{NAMESPACE}}}Event").text = event
    assert text(from_hl7("status", to_hl7("status", request, "ReportStatus"), "ReportStatus"), "Event") == event


@pytest.mark.parametrize(
    ("control", "status", "event"),
    [
        ("SC", "IP", "REGISTER"),
        ("SC", "CM", "EXAM_DONE"),
        ("SC", "DC", "STOP"),
        ("SC", "SC", "BOOK"),
        ("SC", "A", "PRELIM"),
        ("SC", "CA", "CANCEL_REG"),
        ("UA", "", "REJECT"),
    ],
)
def test_status_messages_of_others_say_what_happened(control: str, status: str, event: str):
    request = from_hl7("status", HEAD.format("ORM^O01") + f"ORC|{control}|SQ1|||{status}||||20261116\r", "ReportStatus")
    assert (text(request, "RequisitionNo"), text(request, "Event")) == ("SQ1", event)
    assert texts(request, "Items/Item/OrderNo") == [], "of all items"


def test_a_status_of_joined_orders_names_each():
    pipes = HEAD.format("ORM^O01") + "ORC|SC|SQ1|||IP\r" + r"OBR|1|YZ1\S\YZ2\S\YZ9" + "\r"
    assert texts(from_hl7("status", pipes, "ReportStatus"), "Items/Item/OrderNo") == ["YZ1", "YZ2", "YZ9"]


# --- Reports ----------------------------------------------------------------------------------------------------------

RESULTS = (
    "ORC|RE|SQ1\r"
    + segment("OBR", {2: "YZ1", 3: "BC1", 4: "B1^血常规", 22: "20261116105500", 24: "CH", 25: "F", 32: "L01&李"})
    + "OBX|1|NM|WBC^白细胞^L^6690-2^^LN||12.50|10*9/L|3.5-9.5|H|||F\r"
    "OBX|2|ST|NIT^亚硝酸盐||阴性 ^ (-)|||N|||F\r"
    "OBX|3|CE|ABO^血型||A^A型^L||||||F\r"
    "OBX|4|SN|AFP^甲胎蛋白||>^1000|ng/mL|<20|HH~A|||F\r"
    "OBX|5|NM|OLD^作废||1||||||D\r"
)


def report(segments: str = RESULTS) -> str:
    return HEAD.format("ORU^R01") + PATIENT + segments


def test_laboratory_results_keep_value_unit_range_and_flag():
    request = from_hl7("report", report(), "SubmitReport")
    assert text(request, "ReportType") == "LAB"
    assert text(request, "Action") == "FINAL"
    assert texts(request, "Requisitions/Requisition/RequisitionNo") == ["SQ1"]
    assert texts(request, "Orders/Order/OrderNo") == ["YZ1"]
    assert texts(request, "Results/Result/ValueText") == ["12.50", "阴性 ^ (-)", "A型", ">1000"]
    assert texts(request, "Results/Result/ValueNum") == ["12.50"]
    assert texts(request, "Results/Result/LoincCode") == ["6690-2"]
    assert texts(request, "Results/Result/AbnormalFlag") == ["H", "N", "HH"]
    assert texts(request, "Results/Result/ItemCode") == ["WBC", "NIT", "ABO", "AFP"], "what is deleted is no result"


def test_a_critical_flag_makes_the_report_critical():
    assert text(from_hl7("report", report(), "SubmitReport"), "Critical") == "true"
    assert text(from_hl7("report", report(RESULTS.replace("HH~A", "H")), "SubmitReport"), "Critical") is None


@pytest.mark.parametrize(("status", "action"), [("F", "FINAL"), ("P", "PRELIM"), ("C", "AMEND"), ("X", "WITHDRAW")])
def test_the_status_of_a_report_is_its_action(status: str, action: str):
    assert (
        text(from_hl7("report", report(RESULTS.replace("|CH|F|", f"|CH|{status}|")), "SubmitReport"), "Action")
        == action
    )


@pytest.mark.parametrize(("status", "action"), [("F", "FINAL"), ("P", "PRELIM"), ("C", "AMEND")])
def test_without_it_the_status_of_the_results_says_so(status: str, action: str):
    pipes = report(RESULTS.replace("|CH|F|", "|CH||").replace("||F\r", f"||{status}\r"))
    assert text(from_hl7("report", pipes, "SubmitReport"), "Action") == action


def test_a_later_report_has_a_higher_version_though_nobody_counts():
    first, later = (
        text(from_hl7("report", report(RESULTS.replace("20261116105500", at)), "SubmitReport"), "ReportVersion")
        for at in ("20261116105500", "20261201000000")
    )
    assert first is not None
    assert later is not None
    assert int(first) < int(later)


def test_an_imaging_report_brings_texts_pictures_and_addresses():
    pipes = report(
        segment("OBR", {2: "SQ1", 3: "CT1", 18: "CT1", 22: "20261116", 24: "CT", 25: "F", 32: "R01&周"})
        + r"OBX|1|TX|CT&GDT^所见||两肺纹理增多。\.br\右肺 A\T\B||||||F"
        + "\r"
        "OBX|2|TX|CT&GDT^所见||心脏增大。||||||F\r"
        "OBX|3|FT|CT&IMP^诊断||肺栓塞||||||F\r"
        "OBX|4|ED|IMG^图||^IM^JPEG^Base64^/9j/4AAQ||||||F\r"
        "OBX|5|ED|DOC^报告||^AP^PDF^Base64^JVBERi0xLjQK||||||F\r"
        r"OBX|6|RP|URL^阅片||https://pacs.example.org/v?a=1\T\b=2^^AP^HTML||||||F" + "\r"
    )
    request = from_hl7("report", pipes, "SubmitReport")
    assert text(request, "Findings") == "两肺纹理增多。\n右肺 A&B\n心脏增大。"
    assert text(request, "Impression") == "肺栓塞"
    assert texts(request, "KeyImages/KeyImage/Content") == ["/9j/4AAQ"]
    assert texts(request, "ReportFiles/ReportFile/Format") == ["PDF"]
    assert text(request, "ViewerUrl") == "https://pacs.example.org/v?a=1&b=2"
    assert texts(request, "Results/Result/ItemCode") == []


def test_who_is_responsible_for_a_final_report_has_audited_it():
    request = from_hl7("report", report(), "SubmitReport")
    assert text(request, "AuditorCode") == "L01"
    assert text(request, "AuditorName") == "李"
    assert text(request, "AuditedAt") == "2026-11-16T10:55:00+08:00"
    preliminary = from_hl7("report", report(RESULTS.replace("|CH|F|", "|CH|P|")), "SubmitReport")
    assert text(preliminary, "AuditorCode") is None


@pytest.mark.parametrize(
    ("document", "reason"), [("^AP^DOCX^Base64^AAAA", "neither PDF"), ("^AP^PDF^Hex^AAAA", "not Base64")]
)
def test_a_document_nobody_can_take_is_refused(document: str, reason: str):
    with pytest.raises(MappingFailed, match=reason):
        from_hl7("report", report(RESULTS + f"OBX|9|ED|D||{document}||||||F\r"), "SubmitReport")


def test_cultures_keep_organism_and_susceptibilities():
    request = sample("SubmitReport")
    results = etree.fromstring(
        f'<Results xmlns="{NAMESPACE}"><Result><ItemCode>CUL</ItemCode><ItemName>菌</ItemName><ValueText>1</ValueText>'
        "<OrganismCode>ECO</OrganismCode><OrganismName>大肠埃希菌</OrganismName><Antibiotics>"
        "<Antibiotic><Code>AMK</Code><Name>阿米卡星</Name><Result>S</Result><ValueText>&lt;=2</ValueText></Antibiotic>"
        "<Antibiotic><Name>氨苄西林</Name><Result>R</Result></Antibiotic></Antibiotics></Result></Results>"
    )
    request.insert([etree.QName(e).localname for e in request].index("StudyInstanceUid"), results)
    assert content(from_hl7("report", to_hl7("report", request, "SubmitReport"), "SubmitReport"), "SubmitReport") == (
        content(request, "SubmitReport")
    )


# --- Critical values --------------------------------------------------------------------------------------------------


def test_critical_flags_become_a_critical_value():
    request = from_hl7("critical", report(), "PushCriticalValue")
    assert text(request, "Content") == "甲胎蛋白 > ng/mL HH"
    assert texts(request, "Details/Detail/ItemCode") == ["AFP"]
    assert text(request, "SourceType") == "1"
    assert text(request, "Visit/WardCode") == text(request, "TargetWardCode") == "W2001"


def test_the_same_critical_results_are_the_same_critical_value():
    def number(pipes: str) -> str | None:
        return text(from_hl7("critical", pipes, "PushCriticalValue"), "CriticalId")

    assert number(report()) == number(report().replace("|M1|", "|M2|"))
    assert number(report()) != number(report(RESULTS.replace("1000", "2000")))


def test_without_a_critical_flag_there_is_no_critical_value():
    with pytest.raises(MappingFailed, match="OBX-8"):
        from_hl7("critical", report(RESULTS.replace("HH~A", "H")), "PushCriticalValue")


# --- Money ------------------------------------------------------------------------------------------------------------

LINES = (
    "FT1|1|C1||20261116100000||CG|210300002^CT增强||次|3|1.00|0.3333|0103||||||||||SQ1||0021\r"
    "FT1|2|C1||20261116100000||CG|YP1^对比剂||瓶|1.5|357.75&CNY|238.500000|0103||||||||||SQ1\r"
)


def money(lines: str = LINES) -> str:
    return HEAD.format("DFT^P03") + PATIENT + lines


def test_amounts_are_taken_to_the_last_digit():
    request = from_hl7("charge", money(), "ChargeItem")
    assert text(request, "ChargeNo") == "C1"
    assert text(request, "RequisitionNo") == "SQ1"
    assert texts(request, "Lines/Line/Quantity") == ["3", "1.5"]
    assert texts(request, "Lines/Line/UnitPrice") == ["0.3333", "238.500000"]
    assert texts(request, "Lines/Line/ActualAmount") == ["1.00", "357.75"]


def test_a_refund_is_told_by_its_type_and_not_by_a_sign():
    lines = "FT1|1|R1||20261116100000||CD|210300002|||-1|-0.34||0103||||||||||SQ1\r"
    request = from_hl7("refund", money(lines), "RefundItem", initiator="PERFORM_DEPT")
    assert text(request, "RefundNo") == "R1"
    assert text(request, "Lines/Line/RefundQuantity") == "1"
    assert text(request, "Lines/Line/RefundAmount") == "0.34"


@pytest.mark.parametrize(
    ("name", "lines", "reason"),
    [
        ("charge", LINES.replace("||CG|YP1", "||CD|YP1"), "FT1-6"),
        ("charge", LINES.replace("|2|C1|", "|2|C2|"), "FT1-2"),
        ("refund", LINES, "FT1-6"),
    ],
)
def test_charges_and_refunds_are_never_mixed(name: str, lines: str, reason: str):
    with pytest.raises(MappingFailed, match=reason):
        from_hl7(name, money(lines), "ChargeItem" if name == "charge" else "RefundItem")


# --- All of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
def test_rare_characters_survive_every_way(codec: str):
    pipes = order().replace("王^䶮", "𠮷䶮㛃")
    request = from_hl7("requisition", write(read(write_bytes(read(pipes), codec))), "SubmitRequisition")
    assert text(request, "Patient/PatientName") == "𠮷䶮㛃"


def test_every_stylesheet_that_ships_is_sound():
    for path in sorted((STANDARD_FOLDER / "hl7").glob("*.xsl")):
        Stylesheet(path)
