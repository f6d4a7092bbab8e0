"""Reports whose versions come in disorder, and reports that are not one to one with requisitions."""

import pytest

from building import ct_requisition, report, requisition_item, status, withdrawal
from gateway.model.report import ReportVersion
from gateway.model.requisition import Requisition
from gateway.terms import ReportAction, StatusCode
from readers import code_of


@pytest.fixture
def ward(hospital):
    """The exam is registered."""
    hospital.send(ct_requisition())
    hospital.send(status())
    return hospital


def heard(hospital, partner):
    """Which versions of reports a system got, in order."""
    return [f.request.report_version for f in hospital.dispatch.forwards(partner, "SubmitReport")]


def states(hospital):
    return {row.requisition_no: row.status for row in hospital.rows(Requisition)}


# --- 36: versions -----------------------------------------------------------------------------------------------------


def test_version_2_before_version_1_counts_and_version_1_is_refused(ward):
    """Edge case 36."""
    assert code_of(ward.send(report("BG1", 2, action=ReportAction.AMEND))) == "0"
    assert code_of(ward.send(report("BG1", 1))) == "RPT-409"
    assert heard(ward, "emr") == [2]


def test_the_same_version_with_new_content_is_refused_and_the_first_stands(ward):
    """Edge case 36."""
    ward.send(report("BG1", 1))
    assert code_of(ward.send(report("BG1", 1, impression="未见异常。"))) == "RPT-409"
    assert [f.request.impression for f in ward.dispatch.forwards("emr")] == ["右肺动脉栓塞。"]
    assert len(ward.rows(ReportVersion)) == 1


def test_the_same_version_with_the_same_content_is_known(ward):
    """Edge case 36."""
    ward.send(report("BG1", 1))
    answer = ward.send(report("BG1", 1))
    assert (code_of(answer), answer.result.duplicate, heard(ward, "emr")) == ("0", True, [1])


def test_a_report_the_patient_has_read_is_withdrawn_from_the_app_too(ward):
    """Edge case 36."""
    ward.dispatch.routes["SubmitReport"] = ("his", "emr", "app")
    ward.send(report("BG1", 1))
    ward.dispatch.deliver()
    ward.dispatch.routes["SubmitReport"] = ("his", "emr")
    answer = ward.send(withdrawal("BG1", 2))
    assert (code_of(answer), answer.current_status) == ("0", StatusCode.EXAMINED)
    last = ward.dispatch.forwards("app", "SubmitReport")[-1].request
    assert (last.action, last.withdraw_reason) == (ReportAction.WITHDRAW, "部位错误")


def test_after_the_withdrawal_only_a_greater_version_brings_the_report_back(ward):
    """Edge case 36."""
    ward.send(report("BG1", 1))
    ward.send(withdrawal("BG1", 2))
    assert code_of(ward.send(report("BG1", 1, impression="其他。"))) == "RPT-410"
    assert code_of(ward.send(withdrawal("BG1", 3))) == "RPT-410"
    assert code_of(ward.send(report("BG1", 3))) == "0"
    assert heard(ward, "emr") == [1, 2, 3]
    assert states(ward) == {"R1": "60"}


# --- 37: one for three, two for one -----------------------------------------------------------------------------------


def test_one_report_answers_three_requisitions_and_is_passed_on_once(hospital):
    """Edge case 37."""
    for number in ("R1", "R2", "R3"):
        hospital.send(ct_requisition(number))
    assert code_of(hospital.send(report("BG1", 1, "R1", "R2", "R3"))) == "0"
    assert states(hospital) == {"R1": "60", "R2": "60", "R3": "60"}
    assert heard(hospital, "emr") == [1]
    charged = [f.request.requisition_no for f in hospital.dispatch.forwards("his", "ChargeItem")]
    assert sorted(charged) == ["R1", "R2", "R3"]


def test_withdrawn_all_three_are_open_again(hospital):
    """Edge case 37."""
    for number in ("R1", "R2", "R3"):
        hospital.send(ct_requisition(number))
    hospital.send(report("BG1", 1, "R1", "R2", "R3"))
    hospital.send(withdrawal("BG1", 2, requisitions=report("BG1", 1, "R1", "R2", "R3").requisitions))
    assert set(states(hospital).values()) == {"40"}


def test_with_one_of_the_three_unknown_the_report_waits_whole(hospital):
    """Edge case 37."""
    hospital.send(ct_requisition("R1"))
    hospital.send(ct_requisition("R2"))
    answer = hospital.send(report("BG1", 1, "R1", "R2", "R3"))
    assert (code_of(answer), answer.result.parked) == ("RPT-404", True)
    assert (states(hospital), heard(hospital, "emr")) == ({"R1": "10", "R2": "10"}, [])
    hospital.send(ct_requisition("R3"))
    assert (set(states(hospital).values()), heard(hospital, "emr")) == ({"60"}, [1])


def test_frozen_section_and_routine_are_two_reports_of_one_requisition(ward):
    """Edge case 37."""
    frozen = report("BD1", 1, action=ReportAction.PRELIM, auditor_code=None, audited_at=None)
    assert ward.send(frozen).current_status is StatusCode.PRELIMINARY
    assert ward.send(report("CG1", 1)).current_status is StatusCode.REPORTED
    numbers = [f.request.report_no for f in ward.dispatch.forwards("emr", "SubmitReport")]
    assert numbers == ["BD1", "CG1"]


def test_the_frozen_section_withdrawn_afterwards_takes_its_own_report_back(ward):
    """Edge case 37."""
    ward.send(report("BD1", 1, action=ReportAction.PRELIM))
    ward.send(report("CG1", 1))
    assert code_of(ward.send(withdrawal("BD1", 2))) == "0"
    assert code_of(ward.send(report("CG1", 2, action=ReportAction.AMEND))) == "0"


def test_two_reports_may_each_answer_an_item_of_one_requisition(hospital):
    """Edge case 37."""
    hospital.send(ct_requisition(items=(requisition_item(1), requisition_item(2))))
    assert hospital.send(report("BG1", 1, orders=("O1",))).current_status is StatusCode.RELEASED
    assert hospital.send(report("BG2", 1, orders=("O2",))).current_status is StatusCode.REPORTED
