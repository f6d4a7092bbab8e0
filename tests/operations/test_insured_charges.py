"""Insured visits: what HIS books is uploaded, what goes back is withdrawn, and after settlement the order is kept."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from building import (
    TEN,
    at_branch,
    cancellation,
    charge,
    charge_code,
    charge_line,
    ct_requisition,
    header,
    outpatient_ct,
    refund,
    refund_line,
    requisition_item,
    status,
    update,
    visit,
    visit_event,
)
from gateway.config import InsuranceRules, Rules
from gateway.messages.charge import LineOutcome
from gateway.messages.status import ChargeOutcome
from gateway.model.insurance import InsuranceBatch, InsuranceEvent, InsuranceSettlement
from gateway.model.journal import Alert
from gateway.model.money import MoneyTransaction
from gateway.operations import by_hand
from gateway.terms import Initiator, ReleaseEvent, StatusEvent, TransactionState, VisitEvent, VisitState, VisitType
from hospital import FAULT, NOT_SENT, UNKNOWN, Hospital, no, response_of, yes

UPLOAD, WITHDRAW = "InsuranceUpload", "InsuranceWithdraw"
SETTLE, UNSETTLE = "InsuranceSettle", "InsuranceUnsettle"


@pytest.fixture
def insured(hospital: Hospital) -> Hospital:
    """A hospital with an insurance platform that leaves settling to it."""
    hospital.dispatch.routes["Insurance"] = ("yb",)
    hospital.dispatch.settling.add("yb")
    return hospital


def insured_visit(**changes: Any) -> Any:
    return visit(**{"insurance_no": "YB1", "visit_seq": "JZ1", "fee_type": "01"} | changes)


def insured_charge(charge_no: str = "C1", **changes: Any) -> Any:
    return charge(charge_no, **{"visit": insured_visit()} | changes)


def his_refund(refund_no: str = "F1", **changes: Any) -> Any:
    """HIS gives back what the PACS charged."""
    return refund(refund_no, **{"initiator": Initiator.CASHIER, "source_system": "PACS"} | changes)


def told(hospital: Hospital) -> list[tuple[str, str]]:
    """What the platform was told, or will be: operation and the number it is about, without what is random in it."""
    return [(f.operation, f.request.charge_no[26:]) for f in hospital.dispatch.forwards("yb")]


def states(hospital: Hospital, subject: str = "-C") -> list[str]:
    """The states of a batch or settlement so far."""
    events = hospital.rows(InsuranceEvent)
    return [e.state for e in events if e.subject[26:] == subject]


def code(answer: Any) -> str:
    return str(answer.result.result_code)


def report(hospital: Hospital, happened: VisitEvent) -> str:
    return code(hospital.send(visit_event(happened)))


def settled(hospital: Hospital, number: str = "JS1") -> None:
    """The visit is settled, and the platform has confirmed it."""
    hospital.dispatch.script("yb", SETTLE, yes(response_of("ChargeItem", his_charge_no=number)))
    assert report(hospital, VisitEvent.SETTLE) == "0"
    hospital.dispatch.deliver()


# --- details ----------------------------------------------------------------------------------------------------------


def test_a_charge_is_uploaded_once_his_has_booked_it(insured: Hospital) -> None:
    insured.send(insured_charge())
    (upload,) = insured.dispatch.forwards("yb")
    assert (upload.operation, upload.key) == (UPLOAD, "V1")
    (line,) = upload.request.lines
    assert (line.charge_code, line.actual_amount, upload.request.visit.insurance_no) == (
        "YP1108", Decimal("238.50"), "YB1",
    )  # fmt: skip
    insured.dispatch.deliver()
    assert states(insured) == ["PLANNED", "PENDING", "UPLOADED"]


def test_the_platform_is_told_no_name(insured: Hospital) -> None:
    insured.send(insured_charge())
    assert insured.dispatch.forwards("yb")[0].request.patient.patient_name == "-"


def test_nothing_is_uploaded_while_his_has_not_booked(insured: Hospital) -> None:
    insured.dispatch.script("his", "ChargeItem", UNKNOWN, NOT_SENT)
    for number in ("C1", "C2"):
        insured.send(insured_charge(number, visit=insured_visit(visit_no=number)))
    assert told(insured) == []
    insured.dispatch.deliver()
    assert told(insured) == [(UPLOAD, "-C")]


def test_what_his_refuses_is_never_uploaded(insured: Hospital) -> None:
    insured.dispatch.script("his", "ChargeItem", no("CHG-410"))
    insured.send(insured_charge())
    assert (told(insured), states(insured)) == ([], ["PLANNED"])


def test_a_charge_sent_twice_is_uploaded_once(insured: Hospital) -> None:
    request = insured_charge()
    insured.send(request), insured.send(request)
    insured.send(insured_charge())
    assert told(insured) == [(UPLOAD, "-C")]


def test_what_his_charges_itself_is_uploaded_at_once(insured: Hospital) -> None:
    insured.send(insured_charge(), by="HIS")
    assert told(insured) == [(UPLOAD, "-C")]
    assert insured.dispatch.forwards("his") == []


def test_what_an_insured_outpatient_paid_is_uploaded_when_the_requisition_is_released(insured: Hospital) -> None:
    held = outpatient_ct(visit=insured_visit(visit_type=VisitType.OUTPATIENT), release_event=None)
    insured.send(held)
    assert told(insured) == []
    insured.send(update(held, release_event=ReleaseEvent.PAID))
    (upload,) = insured.dispatch.forwards("yb")
    assert (upload.request.visit.visit_type, upload.request.lines[0].actual_amount) == (
        VisitType.OUTPATIENT, Decimal("400.00"),
    )  # fmt: skip


def test_what_was_paid_before_it_came_is_uploaded_with_it(insured: Hospital) -> None:
    item = requisition_item(charge_items=(charge_code(insurance_code="YBXM1"),))
    insured.send(outpatient_ct(items=(item,), visit=insured_visit(visit_type=VisitType.OUTPATIENT)))
    (upload,) = insured.dispatch.forwards("yb")
    assert [(line.charge_code, line.insurance_code) for line in upload.request.lines] == [("210300002", "YBXM1")]


def test_what_registration_charges_is_uploaded_and_what_its_withdrawal_reverses_is_withdrawn(insured: Hospital) -> None:
    insured.send(ct_requisition(visit=insured_visit()))
    insured.send(status())
    insured.dispatch.deliver()
    insured.send(status(event=StatusEvent.CANCEL_REG))
    insured.dispatch.deliver()
    insured.dispatch.deliver()
    assert told(insured) == [(UPLOAD, "-C"), (WITHDRAW, "-C")]
    assert states(insured) == ["PLANNED", "PENDING", "UPLOADED", "WITHDRAWING", "WITHDRAWN"]


def test_a_his_that_charges_on_register_by_itself_is_followed_too(insured: Hospital) -> None:
    insured.dispatch.registering_charges.add("his")
    outcome = ChargeOutcome(
        charge_no="X", his_charge_no="H1", transaction_state=TransactionState.CONFIRMED, result_code="0"
    )
    insured.dispatch.script("his", "ReportStatus", yes(response_of("ReportStatus", charge_result=outcome)))
    insured.send(ct_requisition(visit=insured_visit()))
    insured.send(status())
    insured.dispatch.deliver()
    assert told(insured) == [(UPLOAD, "-C")]


def test_an_item_without_a_price_is_uploaded_at_what_his_answered(insured: Hospital) -> None:
    unpriced = charge_line(unit_price=None, list_amount=None, actual_amount=None)
    outcome = LineOutcome(line_no=1, result_code="0", amount=Decimal("120.00"))
    insured.dispatch.script("his", "ChargeItem", yes(response_of("ChargeItem", lines=(outcome,))))
    insured.send(insured_charge(lines=(unpriced,)))
    assert insured.dispatch.forwards("yb")[0].request.lines[0].actual_amount == Decimal("120.00")


def test_a_requisition_that_his_cancels_takes_its_details_back(insured: Hospital) -> None:
    rules = Rules.model_validate({"charge_points": [{"charge_point": "NURSE_SEND"}]})
    insured.choose(rules=rules)
    request = ct_requisition(visit=insured_visit())
    insured.send(request)
    insured.dispatch.deliver()
    insured.send(cancellation(request))
    assert told(insured) == [(UPLOAD, "-C"), (WITHDRAW, "-C")]


def test_a_refund_takes_the_details_back(insured: Hospital) -> None:
    insured.send(insured_charge())
    insured.send(refund())
    assert told(insured) == [(UPLOAD, "-C"), (WITHDRAW, "-C")]
    upload, withdrawal = insured.dispatch.forwards("yb")
    assert upload.request.lines == withdrawal.request.lines


def test_a_refund_that_his_has_not_booked_takes_nothing_back(insured: Hospital) -> None:
    insured.send(insured_charge())
    insured.dispatch.script("his", "RefundItem", no("RFD-400"))
    insured.send(refund())
    assert told(insured) == [(UPLOAD, "-C")]


def test_what_a_partial_refund_leaves_is_uploaded_again(insured: Hospital) -> None:
    line = charge_line(
        quantity=Decimal(3), unit_price=Decimal("10"), list_amount=Decimal("30"), actual_amount=Decimal("30")
    )
    insured.send(insured_charge(lines=(line, charge_line(2, "YP2", "5.00"))))
    for number in ("F1", "F2"):
        insured.send(refund(number, lines=(refund_line(1, amount="10.00"),)))
        insured.dispatch.deliver()
    assert told(insured) == [(UPLOAD, "-C"), (WITHDRAW, "-C"), (UPLOAD, "-C2"), (WITHDRAW, "-C2"), (UPLOAD, "-C3")]
    rest = insured.dispatch.forwards("yb")[-1].request
    assert [(line.line_no, line.quantity, line.actual_amount) for line in rest.lines] == [
        (1, Decimal(1), Decimal("10.00")), (2, Decimal(1), Decimal("5.00")),
    ]  # fmt: skip
    assert [states(insured, batch)[-1] for batch in ("-C", "-C2", "-C3")] == ["WITHDRAWN", "WITHDRAWN", "UPLOADED"]


def test_two_refunds_that_come_together_leave_one_batch(insured: Hospital) -> None:
    line = charge_line(
        quantity=Decimal(3), unit_price=Decimal("10"), list_amount=Decimal("30"), actual_amount=Decimal("30")
    )
    insured.send(insured_charge(lines=(line,)))
    back = [his_refund(n, header=header("HIS"), lines=(refund_line(1, amount="10.00"),)) for n in ("F1", "F2")]
    insured.send_at_once(*back)
    assert told(insured) == [(UPLOAD, "-C"), (WITHDRAW, "-C"), (UPLOAD, "-C2"), (WITHDRAW, "-C2"), (UPLOAD, "-C3")]
    assert insured.dispatch.forwards("yb")[-1].request.lines[0].quantity == Decimal(1)


def test_a_refused_upload_alarms_and_the_charge_stands(insured: Hospital) -> None:
    insured.dispatch.script("yb", UPLOAD, no("-1", "王𠮷祥的费用不允许上传"))
    insured.send(insured_charge())
    insured.dispatch.deliver()
    assert states(insured)[-1] == "REFUSED"
    alert = insured.row(Alert, kind="INSURANCE_REFUSED")
    assert "InsuranceUpload" in alert.subject
    assert "王" not in alert.subject
    assert insured.row(MoneyTransaction).state == "CONFIRMED"
    insured.send(refund())
    assert told(insured) == [(UPLOAD, "-C")]


def test_what_cannot_be_withdrawn_is_still_there(insured: Hospital) -> None:
    insured.send(insured_charge())
    insured.dispatch.deliver()
    insured.dispatch.script("yb", WITHDRAW, FAULT)
    insured.send(refund())
    insured.dispatch.deliver()
    assert states(insured)[-2:] == ["WITHDRAWING", "UPLOADED"]
    assert insured.alerts() == ["INSURANCE_REFUSED"]


@pytest.mark.parametrize("answer", [UNKNOWN, NOT_SENT])
def test_an_upload_that_was_not_answered_is_neither_done_nor_refused(insured: Hospital, answer: Any) -> None:
    insured.dispatch.script("yb", UPLOAD, answer)
    insured.send(insured_charge())
    insured.dispatch.deliver()
    assert states(insured)[-1] == "PENDING"


def test_details_of_two_branches_are_kept_apart(insured: Hospital) -> None:
    for branch in ("01", "02"):
        insured.send(at_branch(insured_charge(f"C{branch}"), branch))
    assert [f.origin.branch_code for f in insured.dispatch.forwards("yb")] == ["01", "02"]


# --- who is insured ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fee_types", "fee_type", "insurance_no", "is_insured"),
    [
        ((), None, "YB1", True),
        ((), "07", None, False),
        (("01", "02"), "02", "YB1", True),
        (("01", "02"), "02", None, True),
        (("01", "02"), "07", "YB1", False),
        (("01", "02"), None, "YB1", False),
    ],
)
def test_the_fee_type_or_else_the_insurance_number_says_who_is_insured(
    insured: Hospital, fee_types: tuple[str, ...], fee_type: str | None, insurance_no: str | None, is_insured: bool
) -> None:
    insured.choose(rules=Rules(insurance=InsuranceRules(fee_types=fee_types)))
    insured.send(insured_charge(visit=visit(fee_type=fee_type, insurance_no=insurance_no)))
    assert (told(insured) != []) == is_insured


def test_where_his_uploads_what_it_charged_itself_the_gateway_uploads_only_the_rest(insured: Hospital) -> None:
    insured.choose(rules=Rules(insurance=InsuranceRules(his_uploads_its_own=True)))
    insured.send(outpatient_ct(visit=insured_visit(visit_type=VisitType.OUTPATIENT)))
    insured.send(insured_charge("C1"), by="HIS")
    insured.send(his_refund("F1", source_system="HIS"), by="HIS")
    assert told(insured) == []
    insured.send(insured_charge("C2"))
    assert told(insured) == [(UPLOAD, "-C")]


def test_a_site_without_a_platform_notices_nothing(hospital: Hospital) -> None:
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)

    event.listen(hospital.sessions.kw["bind"], "before_cursor_execute", note)
    try:
        hospital.send(insured_charge())
        hospital.send(refund())
        hospital.send(ct_requisition(visit=insured_visit()))
        hospital.send(status())
        report(hospital, VisitEvent.SETTLE), report(hospital, VisitEvent.UNSETTLE)
        hospital.send(insured_charge("C2"), by="HIS")
        hospital.dispatch.deliver()
    finally:
        event.remove(hospital.sessions.kw["bind"], "before_cursor_execute", note)
    assert asked
    assert not [statement for statement in asked if "insurance_" in statement.replace("insurance_code", "")]


# --- settlement -------------------------------------------------------------------------------------------------------


def test_his_settles_and_the_platform_is_told_the_sum_of_what_stands(insured: Hospital) -> None:
    insured.send(insured_charge("C1"))
    insured.send(insured_charge("C2", lines=(charge_line(price="1.50"),)))
    insured.send(insured_charge("C3"))
    insured.send(refund("F3", "C3"))
    report(insured, VisitEvent.SETTLE)
    settlement = insured.dispatch.forwards("yb")[-1]
    assert (settlement.operation, settlement.key) == (SETTLE, "V1")
    assert [line.actual_amount for line in settlement.request.lines] == [Decimal("240.00")]
    insured.dispatch.deliver()
    assert states(insured, "-S") == ["PENDING", "SETTLED"]


def test_a_visit_of_which_nothing_stands_is_not_settled_at_the_platform(insured: Hospital) -> None:
    insured.send(charge())
    report(insured, VisitEvent.SETTLE)
    assert told(insured) == []


def test_a_platform_that_his_settles_with_is_told_nothing(insured: Hospital) -> None:
    insured.dispatch.settling.clear()
    insured.send(insured_charge())
    for happened in (VisitEvent.SETTLE, VisitEvent.UNSETTLE):
        report(insured, happened)
    assert told(insured) == [(UPLOAD, "-C")]


def test_settled_twice_is_settled_once(insured: Hospital) -> None:
    insured.send(insured_charge())
    for _ in range(2):
        settled(insured)
    assert len(insured.rows(InsuranceSettlement)) == 1


def test_a_settlement_the_platform_refuses_alarms_and_is_tried_again_when_his_reports_it_again(
    insured: Hospital,
) -> None:
    insured.send(insured_charge())
    insured.dispatch.script("yb", SETTLE, no("TOTAL"))
    report(insured, VisitEvent.SETTLE)
    insured.dispatch.deliver()
    assert (states(insured, "-S"), insured.alerts()) == (["PENDING", "REFUSED"], ["INSURANCE_REFUSED"])
    settled(insured)
    assert [s.total for s in insured.rows(InsuranceSettlement)] == [Decimal("238.50")] * 2


def test_a_settlement_is_reversed_by_the_number_the_platform_gave_it(insured: Hospital) -> None:
    insured.send(insured_charge())
    settled(insured, "JS77")
    assert report(insured, VisitEvent.UNSETTLE) == "0"
    reversal = insured.dispatch.forwards("yb")[-1]
    assert (reversal.operation, reversal.request.charge_no) == (UNSETTLE, "JS77")
    insured.dispatch.deliver()
    assert states(insured, "-S") == ["PENDING", "SETTLED", "WITHDRAWING", "WITHDRAWN"]


def test_what_the_platform_has_not_settled_yet_cannot_be_reversed(insured: Hospital) -> None:
    insured.send(insured_charge())
    report(insured, VisitEvent.SETTLE)
    answer = insured.send(visit_event(VisitEvent.UNSETTLE))
    assert code(answer) == "VIS-409"
    insured.dispatch.deliver()
    assert report(insured, VisitEvent.UNSETTLE) == "0"


def test_a_reversal_the_platform_refuses_leaves_the_settlement_and_may_be_reported_again(insured: Hospital) -> None:
    insured.send(insured_charge())
    settled(insured)
    insured.dispatch.script("yb", UNSETTLE, no("-1"))
    report(insured, VisitEvent.UNSETTLE)
    insured.dispatch.deliver()
    assert states(insured, "-S")[-1] == "SETTLED"
    assert code(insured.send(his_refund(), by="HIS")) == "RFD-424"
    report(insured, VisitEvent.UNSETTLE)
    insured.dispatch.deliver()
    assert code(insured.send(his_refund("F2"), by="HIS")) == "0"


def test_settled_anew_while_the_reversal_is_still_on_its_way(insured: Hospital) -> None:
    insured.send(insured_charge())
    settled(insured)
    insured.dispatch.script("yb", SETTLE, yes(response_of("ChargeItem", his_charge_no="JS2")))
    report(insured, VisitEvent.UNSETTLE), report(insured, VisitEvent.SETTLE)
    assert [operation for operation, _ in told(insured)] == [UPLOAD, SETTLE, UNSETTLE, SETTLE]
    insured.dispatch.deliver()
    last = {event.subject: event.state for event in insured.rows(InsuranceEvent)}
    assert list(last.values()) == ["UPLOADED", "WITHDRAWN", "SETTLED"]


# --- refunds after settlement -----------------------------------------------------------------------------------------


def test_after_settlement_not_even_his_refunds_an_insured_charge(insured: Hospital) -> None:
    insured.send(insured_charge())
    settled(insured)
    answer = insured.send(his_refund(), by="HIS")
    assert (code(answer), "UNSETTLE" in answer.result.result_text_en) == ("RFD-424", True)
    assert told(insured)[-1] == (SETTLE, "-S")


def test_while_the_reversal_is_on_its_way_the_refund_has_to_wait(insured: Hospital) -> None:
    insured.send(insured_charge())
    settled(insured)
    report(insured, VisitEvent.UNSETTLE)
    request = his_refund()
    early = insured.send(request, by="HIS")
    assert (code(early), early.result.retryable) == ("RFD-424", True)
    insured.dispatch.deliver()
    assert code(insured.send(request, by="HIS")) == "0", "the same message is decided again"


def test_a_department_never_refunds_after_settlement(insured: Hospital) -> None:
    insured.send(insured_charge())
    settled(insured)
    assert code(insured.send(refund())) == "RFD-424"
    report(insured, VisitEvent.UNSETTLE)
    insured.dispatch.deliver()
    assert code(insured.send(refund())) == "RFD-424"


def test_who_is_not_insured_gets_money_back_from_his_after_settlement(insured: Hospital) -> None:
    insured.send(charge())
    assert report(insured, VisitEvent.SETTLE) == "0"
    assert code(insured.send(his_refund(), by="HIS")) == "0"


def test_the_whole_way_back_in_its_order(insured: Hospital) -> None:
    insured.send(insured_charge())
    settled(insured)
    answers = [code(insured.send(his_refund(), by="HIS"))]
    answers.append(report(insured, VisitEvent.UNSETTLE))
    insured.dispatch.deliver()
    answers.append(code(insured.send(his_refund("F2"), by="HIS")))
    insured.dispatch.deliver()
    assert answers == ["RFD-424", "0", "0"]
    assert [f.operation for f in insured.dispatch.forwards("yb")] == [UPLOAD, SETTLE, UNSETTLE, WITHDRAW]
    assert [batch.number[26:] for batch in insured.rows(InsuranceBatch)] == ["-C"]
    assert insured.send(visit_event(VisitEvent.SETTLE)).visit_state is VisitState.SETTLED


def test_a_line_that_moves_to_another_department_moves_at_the_platform_too(insured: Hospital) -> None:
    insured.send(insured_charge(lines=(charge_line(1), charge_line(2, "YP2", "5.00"))))
    assert code(insured.send(refund(move_to_dept_code="2001"))) == "0"
    insured.dispatch.deliver()
    assert sorted(told(insured)) == sorted([(UPLOAD, "-C"), (WITHDRAW, "-C"), (UPLOAD, "-C2"), (UPLOAD, "-M")])
    moved = next(f.request for f in insured.dispatch.forwards("yb") if f.request.charge_no.endswith("-M"))
    assert (moved.perform_dept_code, moved.lines[0].actual_amount) == ("2001", Decimal("238.50"))


def test_a_charge_corrected_by_hand_is_uploaded_again_at_what_it_costs_now(insured: Hospital) -> None:
    insured.send(insured_charge())
    insured.dispatch.deliver()
    with insured.sessions.begin() as session:
        row = by_hand.find(session, "C1")
        people = by_hand.People("K01", "K02", "price of the day")
        by_hand.adjust_charge(session, row, 1, Decimal("-38.50"), people, TEN, "A1", insured.dispatch)
    assert [operation for operation, _ in told(insured)] == [UPLOAD, WITHDRAW, UPLOAD]
    assert insured.dispatch.forwards("yb")[-1].request.lines[0].actual_amount == Decimal("200.00")
