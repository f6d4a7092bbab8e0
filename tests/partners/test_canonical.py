"""What a partner that speaks our contract gets from us."""

import base64
import dataclasses
from datetime import UTC, datetime

import pytest
from lxml import etree

from gateway.messages.query import TransactionRecord
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partners import queried
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners
from gateway.terms import TransactionState
from tests.partners.conftest import ORIGIN
from tests.partners.fake_partner import CONTRACT, SOAP12, WIRE, FakePartner, response_class, result, sample

OPERATIONS = [operation.name for operation in CONTRACT.operations]


def test_a_yes_of_the_partner_is_a_yes(call):
    answer = call("ChargeItem")
    assert answer.is_yes
    assert answer.response.his_charge_no == "H1"


def test_a_refusal_keeps_its_code_and_text(partner, call):
    partner.script.append("refuse:CHG-410")
    answer = call("ChargeItem")
    assert (answer.outcome, answer.code, answer.text) == (Outcome.ANSWERED, "CHG-410", "不允许")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_message_arrives_as_it_was_apart_from_its_header(partner, call, operation, version):
    assert call(operation, soap_version=version).outcome is Outcome.ANSWERED
    got, meant = partner.received[0].request, sample(operation)
    without = {"header": meant.header}
    if hasattr(meant, "source_system"):
        without["source_system"] = meant.source_system
    assert dataclasses.replace(got, **without) == meant


@pytest.mark.parametrize("operation", ["ChargeItem", "PushCriticalValue"])
def test_the_header_names_the_gateway_and_beside_it_the_origin(partner, call, operation):
    call(operation, our_code="GW01")
    header = partner.received[0].request.header
    assert (header.sender_code, header.message_id) == ("GW01", "GW-1")
    assert (header.origin_sender_code, header.origin_message_id) == ("PACS", "PACS-1")
    assert header.hospital_code == sample(operation).header.hospital_code


def test_a_critical_value_without_hospital_and_time_can_be_passed_on(partner):
    push = sample("PushCriticalValue")
    bare = dataclasses.replace(push.header, hospital_code=None, branch_code=None, sent_at=None)
    partners = Partners([partner.partner()], CONTRACT, WIRE, lambda: datetime.now(UTC))
    request = dataclasses.replace(push, header=bare)
    assert partners.call("HIS", "PushCriticalValue", request, Stamp("GW-1", ORIGIN), 5).is_yes
    assert partner.received[0].request.header.hospital_code is None


@pytest.mark.parametrize(("operation", "source"), [("RefundItem", "PACS"), ("AcknowledgeCriticalValue", "LIS01")])
def test_a_number_that_is_only_unique_with_its_sender_always_carries_it(partner, operation, source):
    partners = Partners([partner.partner(client="LIS01")], CONTRACT, WIRE, lambda: datetime.now(UTC))
    request = dataclasses.replace(sample(operation), source_system=None)
    partners.call("HIS", operation, request, Stamp("GW-1", ORIGIN), 5)
    assert partner.received[0].request.source_system == source


def test_soap_12_is_spoken_where_the_partner_wants_it(partner, call):
    assert call(soap_version="1.2").is_yes
    got = partner.received[0]
    assert etree.fromstring(got.envelope).tag == f"{{{SOAP12}}}Envelope"
    assert got.headers["Content-Type"].startswith("application/soap+xml")


def test_credentials_go_out_as_http_basic_and_as_our_header(partner, call):
    assert call(username="GATEWAY", password="geheim").is_yes
    got = partner.received[0]
    assert got.headers["Authorization"] == "Basic " + base64.b64encode(b"GATEWAY:geheim").decode()
    assert b"Password>geheim<" in got.envelope


def test_without_credentials_none_go_out(partner, call):
    call()
    assert "Authorization" not in partner.received[0].headers
    assert b"AuthHeader" not in partner.received[0].envelope


def test_a_proxy_of_the_environment_is_not_used(partner, call, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert call().is_yes


def test_rare_characters_and_large_numbers_arrive_unchanged(partner):
    charge = sample("ChargeItem")
    line = dataclasses.replace(
        charge.lines[0], item_name="𠮷䶮㛃 <&> ]]> \t碘", quantity=charge.lines[0].quantity * 1000
    )
    request = dataclasses.replace(charge, lines=(line,))
    partners = Partners([partner.partner()], CONTRACT, WIRE, lambda: datetime.now(UTC))
    assert partners.call("HIS", "ChargeItem", request, Stamp("GW-1", ORIGIN), 5).is_yes
    assert partner.received[0].request.lines == (line,)


def test_a_partner_the_site_has_removed_gets_nothing():
    partners = Partners([], CONTRACT, WIRE, lambda: datetime.now(UTC))
    answer = partners.call("HIS", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN), 5)
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "NO-PARTNER")


# --- A lost answer about money ----------------------------------------------------------------------------------------


def find(partner: FakePartner, operation: str = "ChargeItem"):
    partners = Partners([partner.partner(total_seconds=2)], CONTRACT, WIRE, lambda: datetime.now(UTC))
    return partners.find_booking("HIS", operation, sample(operation), Stamp("GW-1", ORIGIN))


def test_a_partner_that_tells_of_other_transactions_has_not_said_that_it_knows_none():
    record = TransactionRecord(
        operation="ChargeItem", gateway_txn_no="T1", sender_code="GATEWAY", message_id="GW-9", result_code="0",
        received_at=datetime.now(UTC), charge_no="ANOTHER", transaction_state="CONFIRMED",
    )  # fmt: skip
    told = response_class("QueryTransaction")(result=result("GW-1"), transactions=(record,))
    yes = PartnerAnswer(Outcome.ANSWERED, "0", told)
    found = queried.find_booking(lambda *_: yes, "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN), 1)
    assert found is not None, "it would be sent, and perhaps booked, once more"
    assert (found.outcome, found.code) == (Outcome.UNKNOWN, "QUERY-OTHER")


def test_a_charge_the_partner_has_booked_is_found_as_a_yes(partner):
    partner.booked[sample("ChargeItem").charge_no] = TransactionState.CONFIRMED
    answer = find(partner)
    assert answer.is_yes
    assert (answer.response.his_charge_no, answer.response.result.duplicate) == ("H1", True)
    assert partner.received[0].request.source_system == "PACS"


def test_a_charge_the_partner_has_refused_is_found_as_a_no(partner):
    partner.booked[sample("ChargeItem").charge_no] = TransactionState.REJECTED
    answer = find(partner)
    assert (answer.outcome, answer.code) == (Outcome.ANSWERED, "CHG-409")


def test_a_refund_is_asked_for_by_its_own_number(partner):
    partner.booked[sample("RefundItem").refund_no] = TransactionState.CONFIRMED
    assert find(partner, "RefundItem").is_yes
    assert partner.received[0].request.charge_no is None


def test_a_charge_the_partner_never_saw_has_to_be_sent_again(partner):
    assert find(partner) is None


@pytest.mark.parametrize("state", [TransactionState.PENDING_CONFIRM, TransactionState.MANUAL])
def test_a_charge_the_partner_has_not_decided_stays_unknown(partner, state):
    partner.booked[sample("ChargeItem").charge_no] = state
    answer = find(partner)
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, state)


@pytest.mark.parametrize("trouble", ["http:503", "close", "fault:Client", "refuse:QRY-400"])
def test_an_unanswered_question_leaves_the_charge_unknown(partner, trouble):
    partner.booked[sample("ChargeItem").charge_no] = TransactionState.CONFIRMED
    partner.script.append(trouble)
    answer = find(partner)
    assert answer.outcome is Outcome.UNKNOWN
    assert answer.code.startswith("QUERY-")
