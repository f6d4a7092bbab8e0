"""Repetitions and races: nothing a sender repeats happens twice, on one process or on several."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from building import (
    HOSPITAL,
    TEN,
    again,
    charge,
    ct_requisition,
    find_requisitions,
    minutes,
    outpatient_ct,
    refund,
    refund_line,
    status,
)
from gateway.errors import NotAllowed, ServiceUnavailable
from gateway.model.journal import AuditEntry, JournalEntry, MessageKey
from gateway.model.money import MoneyTransaction
from gateway.model.requisition import Requisition
from gateway.operations.unit import Received
from gateway.store import make_engine
from gateway.terms import Initiator
from hospital import Caller, Hospital


def code(response: Any) -> str:
    return str(response.result.result_code)


# --- repetitions ------------------------------------------------------------------------------------------------------


def test_the_same_message_gives_the_first_answer_again(hospital: Hospital) -> None:
    first = hospital.send(ct_requisition(header=hospital_header()))
    hospital.clock.now = TEN + minutes(5)
    second = hospital.send(ct_requisition(header=hospital_header()))
    assert second == replace(first, result=replace(first.result, duplicate=True))
    assert len(hospital.dispatch.forwards("pacs")) == 1


def hospital_header() -> Any:
    """A header with a MessageId that stays."""
    return replace(ct_requisition().header, message_id="HIS-SAME")


def test_what_a_client_stamps_anew_on_a_retry_is_not_content(hospital: Hospital) -> None:
    request = ct_requisition()
    hospital.send(request)
    header = replace(request.header, sent_at=TEN + minutes(3), operator_code="0577", version="2")
    assert hospital.send(replace(request, header=header)).result.duplicate is True


def test_the_same_message_id_with_other_content_is_refused(hospital: Hospital) -> None:
    request = ct_requisition()
    hospital.send(request)
    assert code(hospital.send(replace(request, requisition_no="R2"))) == "SYS-409"
    assert len(hospital.rows(Requisition)) == 1


def test_another_sender_or_operation_may_use_the_same_message_id(hospital: Hospital) -> None:
    hospital.send(ct_requisition(header=hospital_header()))
    by_pacs = replace(status(), header=replace(hospital_header(), sender_code="PACS"))
    assert code(hospital.send(by_pacs)) == "0"


def test_a_refusal_whose_cause_goes_away_is_decided_again(hospital: Hospital) -> None:
    hospital.send(outpatient_ct(release_event=None))
    registration = status()
    assert code(hospital.send(registration)) == "STA-402"
    hospital.send(again(outpatient_ct()))
    assert code(hospital.send(registration)) == "0"


def test_a_final_refusal_is_answered_again(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    other = ct_requisition(items=2)
    assert code(hospital.send(other)) == "REQ-409"
    repeated = hospital.send(other)
    assert (code(repeated), repeated.result.duplicate) == ("REQ-409", True)


def test_a_query_is_answered_anew(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    query = find_requisitions(requisition_no="R1")
    hospital.send(query)
    hospital.send(status())
    answer = hospital.send(query)
    assert (answer.result.duplicate, answer.requisitions[0].status_code) == (False, "30")
    assert hospital.rows(MessageKey, operation="QueryRequisition") == []


def test_every_message_is_journalled_and_audited_the_refused_ones_too(hospital: Hospital) -> None:
    request = ct_requisition()
    hospital.send(request)
    hospital.send(request)
    hospital.send(status("R9"))
    assert sorted(entry.result_code for entry in hospital.rows(JournalEntry)) == ["0", "0", "STA-404"]
    assert len(hospital.rows(AuditEntry)) == 3
    assert all(entry.operation.encode() in entry.xml for entry in hospital.rows(JournalEntry))


# --- who may send -----------------------------------------------------------------------------------------------------


def test_nobody_sends_under_anothers_name(hospital: Hospital) -> None:
    foreign = replace(ct_requisition().header, sender_code="LIS")
    received = Received(
        "SubmitRequisition", ct_requisition(header=foreign), Caller("HIS", frozenset()), b"", "1.1", TEN, "G1"
    )
    with pytest.raises(NotAllowed):
        hospital.reception.receive(received)


def test_a_hospital_that_is_not_served_is_refused(hospital: Hospital) -> None:
    request = ct_requisition()
    with pytest.raises(NotAllowed):
        hospital.send(replace(request, header=replace(request.header, hospital_code="ELSEWHERE")))


def test_without_a_database_nothing_is_acknowledged(engine: Engine) -> None:
    unreachable = make_engine("postgresql+psycopg://nobody@/nowhere?host=/nonexistent-gateway-socket")
    with pytest.raises(ServiceUnavailable):
        Hospital(unreachable).send(ct_requisition())


# --- races ------------------------------------------------------------------------------------------------------------


def at_once(hospital: Hospital, requests: list[Any]) -> list[Any]:
    """The responses to messages that are sent at the same time."""
    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(lambda pair: hospital.send(pair[1], by=pair[0]), requests))


def test_identical_messages_at_once_have_one_effect(hospital: Hospital) -> None:
    request = ct_requisition()
    answers = at_once(hospital, [("HIS", request)] * 8)
    assert {code(answer) for answer in answers} == {"0"}
    assert sorted(answer.result.duplicate for answer in answers) == [False] + [True] * 7
    assert len(hospital.dispatch.forwards("pacs")) == 1


def test_the_same_requisition_at_once_under_several_message_ids_is_one(hospital: Hospital) -> None:
    request = ct_requisition()
    answers = at_once(hospital, [("HIS", again(request)) for _ in range(6)])
    assert {code(answer) for answer in answers} == {"0"}
    assert len(hospital.rows(Requisition)) == 1


def test_registrations_at_once_charge_once(hospital: Hospital) -> None:
    hospital.send(ct_requisition())
    at_once(hospital, [("PACS", status()) for _ in range(6)])
    assert len(hospital.rows(MoneyTransaction)) == 1


def test_charges_at_once_under_one_number_are_one(hospital: Hospital) -> None:
    request = charge()
    at_once(hospital, [("PACS", again(request)) for _ in range(6)])
    assert len(hospital.rows(MoneyTransaction)) == 1
    assert len(hospital.dispatch.asked) == 1


@pytest.mark.parametrize("number", range(12))
def test_of_refund_and_registration_at_once_exactly_one_wins(hospital: Hospital, number: int) -> None:
    hospital.send(outpatient_ct())
    line = refund_line(1, "210300001", "400.00")
    back = refund(f"F{number}", None, initiator=Initiator.CASHIER, requisition_no="R1", lines=(line,))
    pair = [("HIS", back), ("PACS", status())]
    outcomes = {code(answer) for answer in at_once(hospital, pair if number % 2 else pair[::-1])}
    assert outcomes in ({"0", "RFD-423"}, {"0", "STA-410"})


def _send_in_a_process(url: str, request: Any, results: Any) -> None:
    answer = Hospital(make_engine(url)).send(request)
    results.put((code(answer), answer.result.duplicate))


def test_identical_messages_on_several_processes_have_one_effect(hospital: Hospital, engine: Engine) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    url = engine.url.render_as_string(hide_password=False)
    arguments = (url, ct_requisition(), results)
    processes = [context.Process(target=_send_in_a_process, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    answers = sorted(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(30)
    assert answers == [("0", False), ("0", True), ("0", True), ("0", True)]
    assert len(hospital.rows(Requisition, hospital_code=HOSPITAL)) == 1
