"""The sample messages partners start from: one believable story, valid in every respect."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta, timezone
from decimal import Decimal

import pytest
from lxml import etree

from gateway.contract import NAMESPACE, Contract
from gateway.messages.wire import Wire

CONTRACT = Contract()
WIRE = Wire(CONTRACT, timezone(timedelta(hours=8)))
OPERATIONS = [operation.name for operation in CONTRACT.operations]
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"


def wrapper_of(operation: str) -> etree._Element:
    """The one child of the sample's soap:Body."""
    body = etree.parse(CONTRACT.sample(operation)).getroot().find(f"{SOAP}Body")
    assert len(body) == 1
    return body[0]


def message_of(operation: str):
    return WIRE.read(f"{operation}Request", wrapper_of(operation)[0])


def canonical(element: etree._Element) -> bytes:
    bare = etree.fromstring(etree.tostring(element, with_tail=False), etree.XMLParser(remove_blank_text=True))
    return etree.tostring(bare, method="c14n", exclusive=True)


def test_every_operation_has_one_sample_and_no_other_file_lies_beside_them():
    files = {path.name for path in (CONTRACT.folder / "wsdl" / "samples").iterdir()}
    assert files == {f"{name}.xml" for name in OPERATIONS}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_sample_keeps_to_the_contract(operation):
    wrapper = wrapper_of(operation)
    assert wrapper.tag == f"{{{NAMESPACE}}}{operation}"
    CONTRACT.schema.assertValid(wrapper)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_sample_comes_back_unchanged_from_reading_and_writing(operation):
    message = message_of(operation)
    written = etree.fromstring(WIRE.document(operation, message))
    assert canonical(written) == canonical(wrapper_of(operation))
    assert WIRE.read(f"{operation}Request", written[0]) == message


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_sample_is_soap_1_1_and_carries_no_credentials(operation):
    envelope = etree.parse(CONTRACT.sample(operation)).getroot()
    assert envelope.tag == f"{SOAP}Envelope"
    assert envelope.find(f"{SOAP}Header") is None
    assert b"Password" not in CONTRACT.sample(operation).read_bytes()


def test_the_samples_tell_of_one_hospital_and_each_message_has_its_own_id():
    headers = [message_of(operation).header for operation in OPERATIONS]
    assert {header.hospital_code for header in headers} == {"44643245-7"}
    assert {header.sender_code for header in headers} <= {"HIS", "PACS", "EMR", "LIS"}
    assert len({(header.sender_code, header.message_id) for header in headers}) == len(OPERATIONS)


def test_the_samples_tell_of_one_patient_one_visit_and_one_requisition():
    requisition = message_of("SubmitRequisition")
    for operation in OPERATIONS[1:]:
        message = message_of(operation)
        named = getattr(message, "requisition_no", None)
        assert named in (None, requisition.requisition_no)
        patient, visit = getattr(message, "patient", None), getattr(message, "visit", None)
        assert patient is None or patient.patient_id == requisition.patient.patient_id
        assert visit is None or visit.visit_no == requisition.visit.visit_no


def test_the_patient_is_invented_and_has_a_rare_name():
    patient = message_of("SubmitRequisition").patient
    assert any(ord(letter) > 0xFFFF for letter in patient.patient_name)
    assert patient.id_no.startswith("999999")
    assert patient.id_no[6:14] == patient.birth_date.strftime("%Y%m%d")
    assert id_checksum(patient.id_no[:17]) == patient.id_no[17]


def id_checksum(digits: str) -> str:
    """The last character of an identity number (GB 11643)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11]


def test_each_amount_is_quantity_times_price():
    items = message_of("SubmitRequisition").items
    for item in items:
        assert item.amount == item.quantity * item.unit_price
        assert item.amount == sum(charge.amount for charge in item.charge_items)
    for line in message_of("ChargeItem").lines:
        assert line.actual_amount == line.list_amount == line.quantity * line.unit_price


def test_the_refund_gives_back_part_of_the_charge():
    charge, refund = message_of("ChargeItem"), message_of("RefundItem")
    assert refund.original_charge_no == charge.charge_no
    [line] = refund.lines
    [original] = [one for one in charge.lines if one.line_no == line.original_line_no]
    assert (line.charge_code, line.refund_amount) == (original.charge_code, original.unit_price * line.refund_quantity)
    assert Decimal(0) < line.refund_quantity <= original.quantity


def test_the_acknowledgement_and_the_queries_are_about_what_was_sent_before():
    push, answer = message_of("PushCriticalValue"), message_of("AcknowledgeCriticalValue")
    assert answer.critical_id == push.critical_id
    assert answer.source_system == push.header.sender_code
    assert answer.opinion
    assert message_of("QueryTransaction").charge_no == message_of("ChargeItem").charge_no


def test_the_report_carries_a_real_picture_and_a_file_with_its_checksum():
    report = message_of("SubmitReport")
    picture, document = report.key_images[0].content, report.report_files[0]
    assert picture.startswith(b"\xff\xd8\xff")
    assert picture.endswith(b"\xff\xd9")
    assert document.content.startswith(b"%PDF-")
    assert hashlib.sha256(document.content).hexdigest() == document.sha256
    assert base64.b64decode(report.signature_value)
