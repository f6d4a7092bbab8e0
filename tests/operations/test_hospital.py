"""The played hospital keeps its promises to the tests that rely on it."""

from building import ct_requisition, outpatient_ct, status
from gateway.model.delivery import DeliveryState
from gateway.model.requisition import Requisition
from gateway.terms import StatusCode


def test_a_requisition_reaches_the_department_and_its_registration_reaches_his(hospital):
    assert hospital.send(outpatient_ct()).result.result_code == "0"
    assert hospital.send(status()).current_status is StatusCode.IN_PROGRESS
    assert [(f.partner, f.operation) for f in hospital.dispatch.forwards()] == [
        ("pacs", "SubmitRequisition"),
        ("his", "ReportStatus"),
    ]


def test_the_queue_delivers_when_told(hospital):
    hospital.send(ct_requisition())
    hospital.dispatch.deliver()
    assert hospital.dispatch.states() == [DeliveryState.DELIVERED]


def test_every_test_begins_with_an_empty_hospital(hospital):
    assert hospital.rows(Requisition) == []
