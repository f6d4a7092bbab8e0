"""A critical value nobody answers for is not forgotten, however long it takes."""

import pytest

from building import TEN, acknowledgement, ct_requisition, minutes, push
from gateway.operations.overdue import alert_overdue
from gateway.terms import AckType
from hospital import Hospital


@pytest.fixture
def ward(hospital: Hospital) -> Hospital:
    """A hospital where WJZ1 was pushed at ten: to be received within 10 minutes, handled within 30."""
    hospital.send(ct_requisition())
    hospital.send(push())
    return hospital


def look(hospital: Hospital, after: float) -> list[str]:
    """The alerts so many minutes after ten."""
    with hospital.sessions.begin() as session:
        alert_overdue(session, TEN + minutes(after))
    return hospital.alerts()


@pytest.mark.parametrize(
    ("after", "alerts"),
    [
        (9, []),
        (10, ["CRITICAL_NOT_RECEIVED"]),
        (30, ["CRITICAL_NOT_RECEIVED", "CRITICAL_NOT_HANDLED"]),
        (24 * 60 + 1, ["CRITICAL_NOT_RECEIVED", "CRITICAL_NOT_HANDLED"]),
    ],
)
def test_each_deadline_alarms_when_it_has_passed(ward: Hospital, after: float, alerts: list[str]) -> None:
    assert look(ward, after) == alerts


def test_each_deadline_alarms_once(ward: Hospital) -> None:
    look(ward, 11)
    look(ward, 12)
    assert look(ward, 31) == ["CRITICAL_NOT_RECEIVED", "CRITICAL_NOT_HANDLED"]


@pytest.mark.parametrize("kind", [AckType.READ, AckType.TRANSFER, AckType.UNREACHABLE])
def test_what_is_no_receipt_stops_no_clock(ward: Hospital, kind: AckType) -> None:
    ward.send(acknowledgement(kind=kind))
    assert "CRITICAL_NOT_RECEIVED" in look(ward, 10)


def test_received_in_time_it_still_has_to_be_handled(ward: Hospital) -> None:
    ward.send(acknowledgement(kind=AckType.RECEIVE_DOCTOR))
    assert look(ward, 30) == ["CRITICAL_NOT_HANDLED"]


def test_handled_or_cancelled_it_is_quiet(ward: Hospital) -> None:
    ward.send(push("WJZ2"))
    ward.send(acknowledgement("WJZ1", AckType.HANDLE))
    ward.send(push("WJZ2", action="CANCEL"))
    assert look(ward, 24 * 60) == []
