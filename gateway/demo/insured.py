"""A story: the charge of an insured patient is uploaded and settled, and goes back in the one order that is right."""

from __future__ import annotations

from typing import Any

from gateway.demo.messages import contrast_charge, inpatient, patient, refund, visit_event
from gateway.demo.stage import Stage

INSURED = {"FeeType": "01", "InsuranceNo": "YB999999000000007"}
PRICE = "126.80"
REVERSAL_SECONDS = 20


def reversed_before_refund(stage: Stage) -> None:
    who, visit = patient(10, "诸葛演示"), {**inpatient(10), **INSURED}
    number = visit["VisitNo"]
    charge = contrast_charge("JF901", "", who, visit)
    del charge["RequisitionNo"]
    stage.send("PACS", "ChargeItem", charge)
    stage.arrived("HIS", "ChargeItem", charge_no="JF901")
    _at_platform(stage, "2401", visit_no=number)
    (known,) = _state(stage, "visits", number)
    about = {"platform_visit_no": known["platform_visit_no"]}
    _at_platform(stage, "2301", **about)
    _is(stage, "HIS has booked it, and the insurance platform has its details", "details", number, ("UPLOADED", PRICE))

    stage.send("HIS", "ReportVisitEvent", visit_event("JZ901", "SETTLE", who, visit))
    _at_platform(stage, "2304", **about)
    _is(stage, "the visit is settled with the insurance", "settlements", number, ("SETTLED", PRICE))

    back = _refund()
    message_id = "HIS-DEMO-TF901"
    why = "refused, even for HIS: the settlement has to be reversed first"
    stage.send("HIS", "RefundItem", back, message_id=message_id, expect="RFD-424", why=why)
    stage.send("HIS", "ReportVisitEvent", visit_event("JZ902", "UNSETTLE", who, visit))
    _at_platform(stage, "2305", **about)
    _is(stage, "the settlement is reversed", "settlements", number, ("REVERSED", PRICE))
    stage.board.wait_for(
        "now the same refund is accepted",
        lambda: stage.callers["HIS"].call("RefundItem", back, message_id).code,
        "0",
        REVERSAL_SECONDS,
    )
    stage.partners["HIS"].books("refund", "TF901", PRICE)
    _at_platform(stage, "2302", **about)
    _is(stage, "and its details are withdrawn", "details", number, ("WITHDRAWN", PRICE))
    order = [line["operation"] for line in stage.partners["YB"].requests(**about)]
    stage.board.check("the platform was told in this order", order, ["2301", "2303", "2304", "2305", "2302"])
    money = stage.partners["HIS"].requests("RefundItem", refund_no="TF901")
    stage.board.check("the refund did not come back to HIS, where it was made", money, [])


def _refund() -> dict[str, Any]:
    """The cashier gives back what JF901 cost."""
    back = refund("TF901", "CASHIER", "PRICE_ERROR", "价格错误", OriginalChargeNo="JF901", SourceSystem="PACS")
    (line, *_) = back["Lines"]["Line"]
    back["Lines"] = {"Line": [{**line, "ChargeCode": "YP1108", "RefundAmount": PRICE}]}
    return back


def _at_platform(stage: Stage, function: str, **numbers: Any) -> None:
    stage.arrived("YB", function, **numbers)


def _state(stage: Stage, kind: str, visit_no: str) -> list[dict[str, Any]]:
    """What the platform remembers of a visit."""
    return [record for record in stage.partners["YB"].state().get(kind, []) if record["visit_no"] == visit_no]


def _is(stage: Stage, sentence: str, kind: str, visit_no: str, expected: tuple[str, str]) -> None:
    found = [(record["state"], record.get("amount") or record["total"]) for record in _state(stage, kind, visit_no)]
    stage.board.check(sentence, found, [expected])
