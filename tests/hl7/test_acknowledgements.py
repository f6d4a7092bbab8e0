"""Acknowledgements in both directions."""

from datetime import UTC, datetime

import pytest

from gateway.hl7.acknowledgements import acknowledgement, read_acknowledgement
from gateway.hl7.er7 import read, write

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
ORDER = "MSH|^~\\&|HIS|H1|GATEWAY|G1|20261116||ORM^O01|M1|P|2.3.1|||||156|GB18030\rPID|1\r"


def test_the_answer_turns_the_addresses_round_and_names_the_message():
    answer = acknowledgement(read(ORDER), "AA", control_id="A1", now=NOON)
    assert write(answer) == ("MSH|^~\\&|GATEWAY|G1|HIS|H1|20261116120000||ACK^O01|A1|P|2.3.1||||||GB18030\rMSA|AA|M1\r")


def test_a_refusal_says_which_field_and_why():
    answer = acknowledgement(
        read(ORDER), "AE", "申请单不存在。", control_id="A1", now=NOON, error="REQ-404", location="ORC-2"
    )
    _, msa, err = write(answer).split("\r")[:3]
    assert msa == "MSA|AE|M1|申请单不存在。"
    assert err == "ERR||ORC^2|204^Unknown key identifier^HL70357|E|REQ-404|||申请单不存在。"


def test_even_what_cannot_be_read_is_answered():
    answer = acknowledgement(None, "AR", "no HL7", control_id="A1", now=NOON, error="SYS-400", location="MSH")
    assert write(answer).startswith("MSH|^~\\&|||||20261116120000||ACK|A1|P|2.4\rMSA|AR||no HL7\rERR||MSH|")


def test_the_answer_keeps_the_separators_of_the_message():
    message = read("MSH#*@!%#HIS##GW##20261116##ORM*O01#M1#P#2.4\r")
    assert write(acknowledgement(message, "AA", control_id="A1", now=NOON)).startswith("MSH#*@!%#GW##HIS##")


@pytest.mark.parametrize(
    ("answer", "code", "text", "error"),
    [
        ("MSA|AA|M1", "AA", "", ""),
        ("MSA|CA|M1", "CA", "", ""),
        ("MSA|ae|M1|no such patient", "AE", "no such patient", ""),
        ("MSA|AR|M1\rERR|||101^Required field missing^HL70357|E|X9|||PID-3", "AR", "PID-3", "X9"),
        ("MSA|AE|M1|||E7", "AE", "", ""),
        ("MSA|AE|M1|too lon\rERR|||||||x|too long for here", "AE", "too long for here", ""),
        ("MSA|AE|M1|no\rERR|||||||x|something else", "AE", "no", ""),
        ("MSA|AE|M1||||207^Application error\rERR|PID^1^3", "AE", "", "207"),
    ],
)
def test_what_a_partner_says_is_read(answer: str, code: str, text: str, error: str):
    found = read_acknowledgement(read(f"MSH|^~\\&|||||||ACK|9|P|2.4\r{answer}\r"))
    assert found is not None
    assert (found.code, found.control_id, found.text, found.error) == (code, "M1", text, error)


@pytest.mark.parametrize("answer", ["PID|1", "MSA||M1", "MSA|OK|M1", "MSA|A|M1"])
def test_what_acknowledges_nothing_is_no_acknowledgement(answer: str):
    assert read_acknowledgement(read(f"MSH|^~\\&|||||||ACK|9|P|2.4\r{answer}\r")) is None
