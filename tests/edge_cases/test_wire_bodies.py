"""Cases 31 and 33: what old programs write, and what becomes of it."""

from __future__ import annotations

import pytest
from raw import send_with

from building import ct_requisition
from gateway.errors import InvalidMessage
from gateway.model.journal import JournalEntry
from gateway.model.requisition import Requisition
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
