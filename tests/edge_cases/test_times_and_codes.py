"""Clocks that are wrong, days that are none, and codes as old systems write them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from raw import send_with

from building import (
    TEN,
    ZONE,
    acknowledgement,
    charge,
    charge_line,
    ct_requisition,
    minutes,
    patient,
    push,
    requisition_item,
    status,
    visit,
    visit_event,
)
from gateway.errors import InvalidMessage
from gateway.model.journal import JournalEntry
from gateway.model.requisition import Requisition, StatusRecord
from gateway.model.visit import Visit
from gateway.terms import StatusEvent, VisitEvent
from hospital import no
from readers import code_of

SENT_AT, OCCURRED_AT = f"<SentAt>{TEN.isoformat()}</SentAt>", f"<OccurredAt>{TEN.isoformat()}</OccurredAt>"
ADMIT, DISCHARGE = VisitEvent.ADMIT, VisitEvent.DISCHARGE
A_DAY = 24 * 60


def sent(request, off):
    """The request stamped by a clock that is `off` minutes off."""
    return replace(request, header=replace(request.header, sent_at=TEN + minutes(off)))


# --- 41: clocks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("off", [-10, -1, 0, 1, 10])
def test_a_clock_up_to_ten_minutes_off_is_as_good_as_right(hospital, off):
    """Edge case 41."""
    assert hospital.send(sent(ct_requisition(), off)).result.warning is None


@pytest.mark.parametrize("off", [-A_DAY, -11, 11, A_DAY, 366 * A_DAY])
@pytest.mark.parametrize("request_", [ct_requisition(), push(), visit_event()])
def test_a_clock_further_off_is_pointed_out_and_never_refused(hospital, request_, off):
    """Edge case 41."""
    answer = hospital.send(sent(request_, off))
    assert code_of(answer) == "0"
    assert "SentAt" in answer.result.warning
    assert answer.result.processed_at == TEN


def test_a_critical_value_without_sent_at_has_no_clock_to_be_wrong(hospital):
    """Edge case 41."""
    bare = push()
    answer = hospital.send(replace(bare, header=replace(bare.header, sent_at=None)))
    assert "SentAt" not in (answer.result.warning or "")


@pytest.mark.parametrize("request_", [status(occurred_at=TEN + minutes(A_DAY)), charge(occurred_at=TEN + minutes(11))])
def test_what_has_not_happened_yet_is_pointed_out_and_taken(hospital, request_):
    """Edge case 41."""
    hospital.send(ct_requisition())
    answer = hospital.send(request_)
    assert code_of(answer) == "0"
    assert answer.result.warning.startswith("OccurredAt 晚于网关时间")


def test_a_registration_from_the_future_does_not_make_the_next_status_old(hospital):
    """Edge case 41."""
    hospital.send(ct_requisition())
    hospital.send(status(occurred_at=TEN + minutes(A_DAY)))
    assert hospital.send(status(event=StatusEvent.EXAM_DONE)).applied is True


def test_an_event_of_his_from_the_future_does_not_make_the_next_one_old(hospital):
    """Edge case 41."""
    hospital.send(visit_event(ADMIT, occurred_at=TEN + minutes(A_DAY)))
    hospital.clock.now += minutes(5)
    assert hospital.send(visit_event(DISCHARGE, occurred_at=hospital.clock.now)).visit_state == "DISCHARGED"


def test_a_push_whose_clock_is_a_day_ahead_has_the_gateways_deadline(hospital):
    """Edge case 41."""
    answer = hospital.send(push(found_at=TEN + minutes(A_DAY), reported_at=TEN + minutes(A_DAY)))
    assert (code_of(answer), answer.receive_deadline) == ("0", TEN + minutes(10))
    assert "FoundAt" in answer.result.warning


def test_a_message_that_had_to_wait_is_not_called_late(hospital):
    """Edge case 41."""
    early = acknowledgement()
    assert hospital.send(early).result.parked is True
    hospital.clock.now += minutes(60)
    hospital.send(sent(push(), 60))
    answer = hospital.send(early)
    assert (code_of(answer), answer.result.duplicate, answer.result.warning) == ("0", True, None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-16T10:00:00", TEN),
        ("2026-11-16T02:00:00Z", TEN),
        ("2026-11-16T11:00:00+09:00", TEN),
        ("2026-11-15T24:00:00", datetime(2026, 11, 16, tzinfo=ZONE)),
        ("2026-11-16T10:00:00.123456789", TEN + timedelta(microseconds=123456)),
    ],
)
def test_a_time_without_zone_is_the_hospitals_and_one_of_another_zone_is_converted(hospital, written, meant):
    """Edge case 41."""
    hospital.send(ct_requisition())
    assert code_of(send_with(hospital, status(), OCCURRED_AT, f"<OccurredAt>{written}</OccurredAt>")) == "0"
    assert hospital.row(StatusRecord).occurred_at == meant


@pytest.mark.parametrize(
    "written", ["2024-02-30T10:00:00", "20240101120000", "2024-01-01 12:00:00", "2024-1-1T12:00:00", "2024-01-01", ""]
)
def test_a_time_that_is_none_is_a_clear_fault_and_leaves_nothing(hospital, written):
    """Edge case 41."""
    hospital.send(ct_requisition())
    with pytest.raises(InvalidMessage):
        send_with(hospital, status(), OCCURRED_AT, f"<OccurredAt>{written}</OccurredAt>")
    assert hospital.rows(StatusRecord) == []
    assert len(hospital.rows(JournalEntry)) == 1


@pytest.mark.parametrize("placeholder", ["1900-01-01", "0001-01-01"])
def test_a_placeholder_date_in_an_optional_field_counts_as_absent(hospital, placeholder):
    """Edge case 41."""
    person = patient(birth_date=date(1968, 4, 17), id_type="01", id_no="99999919680417001X")
    answer = send_with(hospital, ct_requisition(patient=person), "1968-04-17", placeholder)
    assert (code_of(answer), answer.result.warning) == ("0", None)
    assert hospital.dispatch.forwards("pacs")[0].request.patient.birth_date is None


def test_a_placeholder_where_a_time_is_needed_is_told_but_not_believed(hospital):
    """Edge case 41."""
    hospital.send(visit_event(ADMIT))
    answer = hospital.send(visit_event(DISCHARGE, occurred_at=datetime(1900, 1, 1, tzinfo=ZONE)))
    assert answer.visit_state == "OPEN"
    assert "仅记录" in answer.result.warning


# --- 42: codes --------------------------------------------------------------------------------------------------------


def test_leading_zeros_of_a_staff_number_are_kept(hospital):
    """Edge case 42."""
    hospital.send(ct_requisition(ordering_doctor_code="0577", perform_dept_code="0103"))
    forwarded = hospital.dispatch.forwards("pacs")[0].request
    assert (forwarded.ordering_doctor_code, forwarded.perform_dept_code) == ("0577", "0103")


def test_the_spaces_around_a_code_are_dropped_and_do_not_make_another_message(hospital):
    """Edge case 42."""
    request = ct_requisition(ordering_doctor_code="0577")
    hospital.send(request)
    spaced = " <OrderingDoctorCode> 0577 \n</OrderingDoctorCode>"
    answer = send_with(hospital, request, "<OrderingDoctorCode>0577</OrderingDoctorCode>", spaced.strip())
    assert (code_of(answer), answer.result.duplicate) == ("0", True)


def test_spaces_behind_a_number_do_not_make_another_requisition(hospital):
    """Edge case 42."""
    hospital.send(ct_requisition())
    answer = send_with(hospital, status(), "<RequisitionNo>R1<", "<RequisitionNo>R1   <")
    assert code_of(answer) == "0"


def test_a_code_in_full_width_digits_is_another_code_and_kept_as_it_is(hospital):
    """Edge case 42."""
    hospital.send(ct_requisition(ordering_doctor_code="０５７７"))
    assert hospital.dispatch.forwards("pacs")[0].request.ordering_doctor_code == "０５７７"


def test_a_requisition_number_in_full_width_digits_is_a_clear_fault(hospital):
    """Edge case 42."""
    with pytest.raises(InvalidMessage):
        send_with(hospital, ct_requisition(), "<RequisitionNo>R1<", "<RequisitionNo>Ｒ１<")
    assert hospital.rows(Requisition) == []


def test_a_department_nobody_performs_for_is_pointed_out(hospital):
    """Edge case 42."""
    hospital.dispatch.routes["SubmitRequisition"] = ()
    answer = hospital.send(ct_requisition(perform_dept_code="０１０３"))
    assert (code_of(answer), answer.result.forwarded) == ("0", None)
    assert "PerformDeptCode" in answer.result.warning


def test_a_ward_nobody_knows_is_kept_as_his_wrote_it(hospital):
    """Edge case 42."""
    hospital.send(visit_event(visit=visit(dept_code="9999", ward_code="未对照")))
    row = hospital.row(Visit)
    assert (row.dept_code, row.ward_code) == ("9999", "未对照")


@pytest.mark.parametrize("code", ["CHG-422", "CHG-410"])
def test_a_price_code_his_does_not_know_or_has_retired_is_refused_with_its_answer(hospital, code):
    """Edge case 42."""
    hospital.dispatch.script("his", "ChargeItem", no(code))
    lines = (charge_line(code="TF0001", price="12.00", quantity=Decimal(1)),)
    assert code_of(hospital.send(charge(lines=lines))) == code


def test_an_item_code_the_department_does_not_know_is_its_refusal_and_blocks_no_other(hospital):
    """Edge case 42."""
    hospital.send(ct_requisition("R1", items=(requisition_item(item_code="UNMAPPED"),)))
    hospital.send(ct_requisition("R2"))
    hospital.dispatch.script("pacs", "SubmitRequisition", no("REQ-422"))
    hospital.dispatch.deliver()
    assert hospital.dispatch.states("pacs") == ["REFUSED", "DELIVERED"]


# --- 53: clocks that are put forward, back, or stopped ----------------------------------------------------------------


@pytest.mark.parametrize("field", ["SentAt", "OccurredAt"])
@pytest.mark.parametrize("written", ["2016-12-31T23:59:60Z", "2017-01-01T07:59:60+08:00", "2026-11-16T10:00:60"])
def test_a_leap_second_is_a_clear_fault(hospital, field, written):
    """Edge case 53."""
    hospital.send(ct_requisition())
    old = {"SentAt": SENT_AT, "OccurredAt": OCCURRED_AT}[field]
    with pytest.raises(InvalidMessage):
        send_with(hospital, status(), old, f"<{field}>{written}</{field}>")
    assert hospital.rows(StatusRecord) == []


def test_a_day_in_the_summer_time_of_1988_is_the_day_that_was_written(hospital):
    """Edge case 53."""
    person = patient(birth_date=date(1968, 4, 17), id_type="01", id_no="999999198807150015")
    answer = send_with(hospital, ct_requisition(patient=person), "1968-04-17", "1988-07-15+09:00")
    assert code_of(answer) == "0"
    assert "不一致" not in (answer.result.warning or "")
    assert hospital.dispatch.forwards("pacs")[0].request.patient.birth_date.isoformat() == "1988-07-15"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1988-07-15T00:30:00", datetime(1988, 7, 15, 0, 30, tzinfo=ZONE)),
        ("1988-07-15T00:30:00+09:00", datetime(1988, 7, 14, 23, 30, tzinfo=ZONE)),
    ],
)
def test_a_time_of_the_old_summer_time_is_in_the_fixed_offset_unless_it_says_another(hospital, written, meant):
    """Edge case 53."""
    hospital.send(ct_requisition())
    send_with(hospital, status(), OCCURRED_AT, f"<OccurredAt>{written}</OccurredAt>")
    assert hospital.row(StatusRecord).occurred_at == meant


def test_a_partner_gets_the_time_with_the_hospitals_offset(hospital):
    """Edge case 53."""
    hospital.send(ct_requisition(ordered_at=datetime(2026, 11, 16, 2, tzinfo=UTC)))
    assert hospital.dispatch.forwards("pacs")[0].request.ordered_at.isoformat() == "2026-11-16T10:00:00+08:00"
