"""A partner that takes HL7 over MLLP, over real sockets: what leaves, and what each answer means for the delivery."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.hl7.er7 import read, value
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners
from gateway.styles.served import Served
from gateway.styles.style import Said
from gateway.styles.table import STYLES
from tests.partners.certificates import Authority, server_context
from tests.partners.conftest import ORIGIN
from tests.partners.fake_partner import CONTRACT, WIRE, sample
from tests.partners.raw_partner import RawPartner
from tests.partners.vendor import Vendor

HEAD = "MSH|^~\\&|PACS||GATEWAY||20261116||{kind}|9|P|2.4"
SHEETS = {
    "SubmitRequisition": {
        "request": "gateway:hl7/requisition-to-hl7.xsl",
        "response": "gateway:hl7/order-response-from-hl7.xsl",
    },
    "ReportStatus": {"request": "gateway:hl7/status-to-hl7.xsl"},
    "ChargeItem": {"request": "gateway:hl7/charge-to-hl7.xsl"},
}


def received(connection: socket.socket) -> bytes:
    came = b""
    while not came.endswith(b"\x1c\r"):
        piece = connection.recv(65536)
        if not piece:
            break
        came += piece
    return came


class Listening:
    """Answers every message with what a test says, and keeps the messages."""

    def __init__(self, answer: str | bytes | Callable[[socket.socket], None], codec: str = "utf-8") -> None:
        self.messages: list[bytes] = []

        def converse(connection: socket.socket) -> None:
            self.messages.append(received(connection).strip(b"\x0b\x1c\r"))
            if callable(answer):
                answer(connection)
            elif isinstance(answer, bytes):
                connection.sendall(answer)
            else:
                text = answer if answer.startswith("MSH") else f"{HEAD.format(kind='ACK')}\r{answer}\r"
                connection.sendall(b"\x0b" + text.encode(codec) + b"\x1c\r")

        self.partner = RawPartner(converse)


@pytest.fixture
def listen() -> Iterator[Callable[..., Listening]]:
    made: list[Listening] = []

    def start(*arguments: Any) -> Listening:
        made.append(Listening(*arguments))
        return made[-1]

    yield start
    for one in made:
        one.partner.close()


def send(
    port: int, operation: str = "SubmitRequisition", *, seconds: float = 20, scheme: str = "mllp", **settings: Any
) -> PartnerAnswer:
    settings = {"operations": SHEETS, **settings}
    partner = Partner(name="PACS", url=f"{scheme}://127.0.0.1:{port}", dialect="hl7-mllp", **settings)
    partners = Partners([partner], CONTRACT, WIRE, lambda: datetime.now(UTC))
    return partners.call("PACS", operation, sample(operation), Stamp("GW-1", ORIGIN), seconds)


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "gbk"])
def test_a_requisition_leaves_as_an_order_in_the_characters_of_the_partner(listen: Any, charset: str):
    pacs = listen("MSA|AA|GW-1")
    assert send(pacs.partner.port, charset=charset).is_yes
    order = read(pacs.messages[0])
    assert (value(order, "MSH", 9), value(order, "MSH", 10)) == ("ORM", "GW-1")
    assert (value(order, "MSH", 3), value(order, "MSH", 5)) == ("GATEWAY", "PACS")
    assert value(order, "PID", 5) == "王𠮷祥"
    assert value(order, "MSH", 18) == ("UNICODE UTF-8" if charset == "utf-8" else "GB 18030-2000")


def test_the_accession_number_in_the_answer_is_taken(listen: Any):
    pacs = listen(f"{HEAD.format(kind='ORR^O02')}\rMSA|AA|GW-1\rORC|OK||CT1\rOBR|1|||CT\r")
    answer = send(pacs.partner.port)
    assert answer.is_yes
    assert answer.response.accession_no == "CT1"
    assert answer.response.result.message_id == "GW-1"


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_no_is_told_in_the_partners_own_words(listen: Any, code: str):
    pacs = listen(f"MSA|{code}|GW-1|患者不存在|||\rERR|||204^x^HL70357|E|P12", "gb18030")
    answer = send(pacs.partner.port, charset="gbk")
    assert (answer.outcome, answer.code, answer.text) == (Outcome.ANSWERED, code, "P12 患者不存在")
    assert not answer.response.result.retryable


def test_a_no_that_means_later_is_a_setting(listen: Any):
    later = {"at": "code", "accepted": ["AA"], "refused": ["AE"], "retry": ["AR"]}
    operations = {"ReportStatus": {**SHEETS["ReportStatus"], "success": later}}
    pacs = listen("MSA|AR|GW-1|busy")
    answer = send(pacs.partner.port, "ReportStatus", operations=operations)
    assert answer.outcome is Outcome.ANSWERED
    assert answer.response.result.retryable


def test_a_commit_is_a_yes_but_books_no_money(listen: Any):
    assert send(listen("MSA|CA|GW-1").partner.port, "ReportStatus").is_yes
    assert send(listen("MSA|AA|GW-1").partner.port, "ChargeItem").is_yes
    answer = send(listen("MSA|CA|GW-1").partner.port, "ChargeItem")
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "UNCLEAR")
    answer = send(listen("MSA|CA|GW-1").partner.port, "ReportStatus", registration_charges=True)
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "UNCLEAR")


def test_a_message_without_a_number_is_not_sent_since_any_answer_would_fit(listen: Any, tmp_path: Path):
    (tmp_path / "unnumbered.xsl").write_text(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
        "<HL7><MSH><MSH.9>DFT</MSH.9></MSH></HL7></xsl:template></xsl:stylesheet>"
    )
    billing = listen("MSA|AA|")
    answer = send(
        billing.partner.port, "ChargeItem", folder=tmp_path, operations={"ChargeItem": {"request": "unnumbered.xsl"}}
    )
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "MAPPING")
    assert "MSH-10" in answer.detail
    assert billing.messages == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("MSA|AA|GW-2", "WRONG-REPLY"),
        ("MSA|AA|", "WRONG-REPLY"),
        ("MSA|OK|GW-1", "UNCLEAR"),
        ("MSA|AA|GW-1\rMSA|AE|GW-1", "UNCLEAR"),
        ("PID|1", "UNCLEAR"),
        (b"\x0bno HL7\x1c\r", "UNREADABLE"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "UNREADABLE"),
        (b"\x0bMSH|^~\\&|PACS||||||ACK|9|P|2.4\rMSA|AA|GW", "CUT-OFF"),
        (b"", "CUT-OFF"),
    ],
)
def test_what_is_no_answer_leaves_the_outcome_unknown(listen: Any, answer: str | bytes, code: str):
    found = send(listen(answer).partner.port, "ChargeItem")
    assert (found.outcome, found.code) == (Outcome.UNKNOWN, code)


def test_silence_is_unknown_after_the_deadline(listen: Any):
    pacs = listen(lambda connection: connection.recv(1))
    found = send(pacs.partner.port, seconds=0.5)
    assert (found.outcome, found.code) == (Outcome.UNKNOWN, "TIMEOUT")


def test_nothing_was_sent_when_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = send(port)
    assert (found.outcome, found.code) == (Outcome.NOT_SENT, "CONNECT")


def test_nothing_was_sent_when_tls_fails(listen: Any):
    pacs = listen(b"plain")
    found = send(pacs.partner.port, "ReportStatus", scheme="mllps")
    assert (found.outcome, found.code) == (Outcome.NOT_SENT, "TLS")


def test_an_encrypted_partner_is_known_by_its_authority_and_knows_us_by_our_certificate(tmp_path: Path):
    authority = Authority(tmp_path)
    ours = authority.issue("gateway")

    def converse(connection: socket.socket) -> None:
        received(connection)
        connection.sendall(b"\x0b" + f"{HEAD.format(kind='ACK')}\rMSA|AA|GW-1\r".encode() + b"\x1c\r")

    pacs = RawPartner(converse, server_context(authority.issue("127.0.0.1"), authority))
    tls = {"ca_file": str(authority.file), "certificate_file": str(ours.certificate), "key_file": str(ours.key)}
    try:
        assert send(pacs.port, "ReportStatus", scheme="mllps", tls=tls).is_yes
        found = send(pacs.port, "ReportStatus", scheme="mllps")
        assert (found.outcome, found.code) == (Outcome.NOT_SENT, "TLS")
    finally:
        pacs.close()


def test_hl7_in_the_string_of_a_web_service_takes_the_same_way(tmp_path: Path):
    vendor = Vendor(Served(STYLES["hl7-string"], operations=("Send",)))
    vendor.answer = lambda asked: Said(f"{HEAD.format(kind='ACK')}\rMSA|AE|GW-1|\\T\\ 床位已满\r")
    success = {"xpath": "string(//MSA.1)", "accepted": ["AA"], "refused": ["AE", "AR"], "message": "string(//MSA.3)"}
    operations = {"ReportStatus": {"operation": "Send", "success": success, **SHEETS["ReportStatus"]}}
    try:
        partner = vendor.partner(tmp_path, payload="hl7", operations=operations)
        partners = Partners([partner], CONTRACT, WIRE, lambda: datetime.now(UTC))
        found = partners.call("PACS", "ReportStatus", sample("ReportStatus"), Stamp("GW-1", ORIGIN), 5)
        assert (found.outcome, found.code, found.text) == (Outcome.ANSWERED, "AE", "& 床位已满")
        assert value(read(vendor.asked[0].payload), "ORC", 5) == "IP"
    finally:
        vendor.close()


def test_an_operation_without_a_stylesheet_is_not_sent(listen: Any):
    pacs = listen("MSA|AA|GW-1")
    assert send(pacs.partner.port, "RefundItem").outcome is not Outcome.ANSWERED
    assert pacs.messages == []


def test_values_of_the_settings_reach_the_stylesheet(listen: Any):
    pacs = listen("MSA|AA|GW-1")
    operations = {
        "SubmitRequisition": {**SHEETS["SubmitRequisition"], "function": "OMG^O19", "fixed": {"version": "2.5.1"}}
    }
    assert send(pacs.partner.port, operations=operations).is_yes
    order = read(pacs.messages[0])
    assert (value(order, "MSH", 9), value(order, "MSH", 12)) == ("OMG", "2.5.1")


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("http://pacs:6661", "hl7-mllp"),
        ("mllp://pacs", "hl7-mllp"),
        ("mllp://pacs:6661", "canonical"),
        ("ftp://x", "canonical"),
    ],
)
def test_an_address_that_does_not_fit_the_dialect_is_refused(url: str, dialect: Any):
    with pytest.raises(ValidationError, match="url"):
        Partner(name="PACS", url=url, dialect=dialect)
