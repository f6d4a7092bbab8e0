"""A caller whose answer got lost learns what became of its message, its charge or its refund."""

from dataclasses import replace
from decimal import Decimal

import pytest

from building import (
    OTHER_HOSPITAL,
    charge,
    ct_requisition,
    find_transactions,
    header,
    minutes,
    outpatient_ct,
    refund,
    report,
    status,
    visit,
)
from gateway.terms import TransactionState
from hospital import NOT_SENT, UNKNOWN, no, response_of, yes


def code_of(response):
    return response.result.result_code


def booked(number="HIS-1"):
    return yes(response_of("ChargeItem", his_charge_no=number))


@pytest.fixture
def charged(hospital):
    """A hospital where HIS has booked C1 of the PACS."""
    hospital.dispatch.script("his", "ChargeItem", booked())
    hospital.send(charge("C1"))
    return hospital


def test_a_charge_is_found_by_its_number(charged):
    (record,) = charged.send(find_transactions(charge_no="C1")).transactions
    assert (record.operation, record.sender_code, record.result_code) == ("ChargeItem", "PACS", "0")
    assert (record.charge_no, record.his_charge_no, record.refund_no) == ("C1", "HIS-1", None)
    assert (record.transaction_state, record.amount, record.delivered) == ("CONFIRMED", Decimal("238.50"), True)


def test_a_refund_is_found_by_its_number(charged):
    charged.dispatch.script("his", "RefundItem", yes(response_of("RefundItem", his_refund_no="HIS-2")))
    charged.send(refund("F1"))
    (record,) = charged.send(find_transactions(refund_no="F1")).transactions
    assert (record.operation, record.refund_no, record.his_refund_no, record.charge_no) == (
        "RefundItem",
        "F1",
        "HIS-2",
        None,
    )


@pytest.mark.parametrize(
    ("outcome", "state", "code"),
    [
        (NOT_SENT, TransactionState.PROPOSED, "CHG-503"),
        (UNKNOWN, TransactionState.PENDING_CONFIRM, "CHG-504"),
        (no("CHG-402"), TransactionState.REJECTED, "CHG-402"),
    ],
)
def test_a_charge_that_is_not_booked_shows_its_present_state(hospital, outcome, state, code):
    hospital.dispatch.script("his", "ChargeItem", outcome)
    hospital.send(charge("C1"))
    (record,) = hospital.send(find_transactions(charge_no="C1")).transactions
    assert (record.transaction_state, record.result_code, record.delivered) == (state, code, False)


def test_a_message_is_found_by_its_id_and_operation(charged):
    request = charge("C2")
    charged.send(request)
    number = request.header.message_id
    for operation in (None, "ChargeItem"):
        found = charged.send(find_transactions(queried_message_id=number, queried_operation=operation))
        assert [record.charge_no for record in found.transactions] == ["C2"]
    assert (
        code_of(charged.send(find_transactions(queried_message_id=number, queried_operation="RefundItem"))) == "QRY-404"
    )


def test_a_repeated_message_is_one_transaction_with_its_latest_result(hospital):
    hospital.dispatch.script("his", "ChargeItem", NOT_SENT)
    request = charge("C1")
    first = hospital.send(request)
    hospital.dispatch.deliver()
    hospital.clock.now += minutes(1)
    assert code_of(hospital.send(request)) == "0"
    (record,) = hospital.send(find_transactions(queried_message_id=request.header.message_id)).transactions
    assert (record.gateway_txn_no, record.result_code) == (first.result.gateway_txn_no, "0")


def test_a_conflicting_message_does_not_hide_the_first(charged):
    request = charge("C2")
    charged.send(request)
    assert code_of(charged.send(replace(request, charge_no="C3"))) == "SYS-409"
    (record,) = charged.send(find_transactions(queried_message_id=request.header.message_id)).transactions
    assert (record.charge_no, record.result_code) == ("C2", "0")


def test_a_message_is_found_by_the_gateways_number(hospital):
    hospital.send(outpatient_ct())
    answer = hospital.send(report())
    (record,) = hospital.send(find_transactions(gateway_txn_no=answer.result.gateway_txn_no)).transactions
    assert (record.operation, record.delivered, record.transaction_state) == ("SubmitReport", False, None)
    hospital.dispatch.deliver()
    (record,) = hospital.send(find_transactions(gateway_txn_no=answer.result.gateway_txn_no)).transactions
    assert record.delivered is True


def test_a_refused_message_is_found_with_its_refusal(hospital):
    answer = hospital.send(report(auditor_code=None))
    (record,) = hospital.send(find_transactions(gateway_txn_no=answer.result.gateway_txn_no)).transactions
    assert (record.result_code, record.delivered) == ("RPT-400", None)


def test_a_registration_shows_the_charge_it_made(hospital):
    hospital.send(ct_requisition())
    answer = hospital.send(status())
    (record,) = hospital.send(find_transactions(gateway_txn_no=answer.result.gateway_txn_no)).transactions
    assert (record.operation, record.charge_no) == ("ReportStatus", answer.charge_result.charge_no)


def test_all_numbers_given_must_fit(charged):
    other = charged.send(charge("C2")).result.gateway_txn_no
    assert code_of(charged.send(find_transactions(charge_no="C1", gateway_txn_no=other))) == "QRY-404"


def test_one_number_is_needed(hospital):
    assert code_of(hospital.send(find_transactions())) == "QRY-400"
    assert code_of(hospital.send(find_transactions(queried_operation="ChargeItem"))) == "QRY-400"


@pytest.mark.parametrize("number", ["charge_no", "refund_no", "queried_message_id", "gateway_txn_no"])
def test_what_is_unknown_is_said_to_be_unknown(charged, number):
    assert code_of(charged.send(find_transactions(**{number: "NOTHING"}))) == "QRY-404"


# --- whose transactions -----------------------------------------------------------------------------------------------


def test_a_caller_does_not_see_what_others_sent(charged):
    assert code_of(charged.send(find_transactions("LIS", charge_no="C1"))) == "QRY-404"
    assert code_of(charged.send(find_transactions("LIS", charge_no="C1", source_system="PACS"))) == "QRY-404"


def test_a_caller_may_name_itself_as_the_source(charged):
    assert code_of(charged.send(find_transactions(charge_no="C1", source_system="PACS"))) == "0"


def test_his_sees_everybodys_and_may_name_whose(charged):
    charged.dispatch.script("his", "ChargeItem", booked("HIS-9"))
    charged.send(charge("C1", header=header("LIS")))
    assert len(charged.send(find_transactions("HIS", charge_no="C1")).transactions) == 2
    (record,) = charged.send(find_transactions("HIS", charge_no="C1", source_system="LIS")).transactions
    assert record.his_charge_no == "HIS-9"


def test_another_hospitals_are_not_seen(charged):
    request = find_transactions(charge_no="C1")
    elsewhere = replace(request, header=replace(request.header, hospital_code=OTHER_HOSPITAL))
    assert code_of(charged.send(elsewhere)) == "QRY-404"


def test_the_audit_says_what_was_asked(charged):
    entry = charged.audit_of(charged.send(find_transactions(charge_no="C1")))
    assert (entry.subject, entry.detail) == ("charge_no C1", "found=1")


def test_a_department_is_not_told_what_the_insurance_makes_of_its_charge(hospital):
    hospital.dispatch.routes["Insurance"] = ("yb",)
    hospital.send(charge("C1", visit=visit(insurance_no="YB1")))
    (record,) = hospital.send(find_transactions(charge_no="C1")).transactions
    assert (hospital.dispatch.states("yb"), record.delivered) == (["QUEUED"], True)
