"""Cases 31, 33, 35 and 54: what programs write, how much of it, and what becomes of it."""

from __future__ import annotations

import dataclasses

import pytest
from raw import send_with

from building import ct_requisition, find_requisitions, report
from gateway.errors import InvalidMessage
from gateway.messages.report import KeyImage, LabResult, ReportFile
from gateway.model.journal import JournalEntry
from gateway.model.requisition import Requisition
from gateway.terms import ReportFileFormat
from hospital import Hospital

NAME = "<PatientName>"


@pytest.mark.parametrize("character", ["\x0b", "&#x0;", "&#11;"])
def test_a_control_character_in_a_name_is_taken_out_and_its_sender_is_told(hospital: Hospital, character: str) -> None:
    """31: `\\x0b` or `&#x0;` in a text: cleaned, noted in the journal, told to the sender."""
    answer = send_with(hospital, ct_requisition(), NAME, f"{NAME}李{character}")
    assert answer.result.result_code == "0"
    assert "控制字符" in answer.result.warning
    assert hospital.row(JournalEntry).repairs == "control-characters"
    assert hospital.row(Requisition) is not None


def test_a_control_character_in_a_number_is_refused_and_nothing_is_stored(hospital: Hospital) -> None:
    """31: a number is never altered."""
    with pytest.raises(InvalidMessage):
        send_with(hospital, ct_requisition(), "<RequisitionNo>", "<RequisitionNo>\x0b")
    assert hospital.rows(Requisition) == []


@pytest.mark.parametrize("namespace", ["", "http://tempuri.org", "http://tempuri.org/", "urn:hospital-gateway:v1/"])
def test_a_request_in_the_wrong_namespace_is_the_same_message_as_in_ours(hospital: Hospital, namespace: str) -> None:
    """33: wrong namespace slash, un-namespaced params; a repetition in our namespace gets the first answer."""
    first = send_with(hospital, ct_requisition(), "<Request>", f'<Request xmlns="{namespace}">')
    again = hospital.send(ct_requisition())
    assert (first.result.result_code, again.result.duplicate) == ("0", True)
    assert {entry.repairs for entry in hospital.rows(JournalEntry)} == {"namespace", None}


def test_nil_stands_for_nothing_and_is_nothing_to_note(hospital: Hospital) -> None:
    """33: xsi:nil."""
    nil = '<BedNo xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/></Visit>'
    assert send_with(hospital, ct_requisition(), "</Visit>", nil).result.result_code == "0"
    assert hospital.row(JournalEntry).repairs is None


# --- 35: how much -----------------------------------------------------------------------------------------------------


def test_a_finding_of_33_000_characters_arrives_whole_at_its_partner(hospital: Hospital) -> None:
    """Edge case 35."""
    findings = "右肺动脉主干见充盈缺损，䶮。" * 2358
    hospital.send(ct_requisition())
    assert hospital.send(report(findings=findings)).result.result_code == "0"
    assert all(forward.request.findings == findings for forward in hospital.dispatch.forwards(None, "SubmitReport"))


def test_a_finding_of_200_000_characters_is_refused_by_name_and_comes_as_a_file(hospital: Hospital) -> None:
    """Edge case 35: the contract takes 65,535 in a text; a longer one is a file of the report."""
    hospital.send(ct_requisition())
    with pytest.raises(InvalidMessage):
        hospital.send(report(findings="查" * 200_000))
    file = ReportFile(format=ReportFileFormat.XML, content=f"<r>{'查' * 200_000}</r>".encode())
    assert hospital.send(report(report_files=(file,))).result.result_code == "0"


def test_500_laboratory_results_and_20_images_come_through(hospital: Hospital) -> None:
    """Edge case 35."""
    results = tuple(
        LabResult(item_code=f"I{number}", item_name=f"项目{number}", value_text="<0.5", ref_range="<=5 & >0")
        for number in range(500)
    )
    images = tuple(KeyImage(caption=f"图{number}", content=b"\xff\xd8" + bytes(1000)) for number in range(20))
    hospital.send(ct_requisition())
    assert hospital.send(report(results=results, key_images=images)).result.result_code == "0"
    for forward in hospital.dispatch.forwards(None, "SubmitReport"):
        assert (forward.request.results, forward.request.key_images) == (results, images)


# --- 54: filters of databases in messages -----------------------------------------------------------------------------

FILTERS = ["and apply_no='R1'", "R1' OR '1'='1", "R1'OR'1'='1", "R1;DROP--TABLE", "R%", "R_", "*"]


@pytest.mark.parametrize("filter_", FILTERS)
def test_a_filter_in_the_place_of_a_number_finds_nothing_that_it_describes(hospital: Hospital, filter_: str) -> None:
    """Edge case 54: it is a number like any other, or none at all; nothing of it is ever part of a question."""
    hospital.send(ct_requisition())
    try:
        found = hospital.send(find_requisitions(requisition_no=filter_)).total_count
    except InvalidMessage:
        found = 0
    assert found == 0
    assert len(hospital.rows(Requisition)) == 1


@pytest.mark.parametrize("filter_", FILTERS)
def test_a_filter_in_a_text_is_nothing_but_a_text(hospital: Hospital, filter_: str) -> None:
    """Edge case 54."""
    request = dataclasses.replace(ct_requisition(), clinical_summary=filter_)
    assert hospital.send(request).result.result_code == "0"
    assert hospital.row(Requisition) is not None
