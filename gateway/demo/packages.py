"""A story: a package is charged at its price, and the line the ward provided moves to the ward."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gateway.demo.messages import ct_requisition, inpatient, now, patient, status
from gateway.demo.stage import Stage

LINES = (
    ("CT0203", "胸部CT平扫+增强", "480.00"),
    ("YP1109", "碘海醇注射液（对比剂）", "238.50"),
    ("HC0021", "留置针", "31.80"),
)
PRICE = "680.00"
SHARED = ["435.03", "216.15", "28.82"]
"""What each line costs of a package of 680.00 whose lines would cost 750.30."""
NUMBER, WARD = "SQ251", "W2001"


def split_package(stage: Stage) -> None:
    who, visit = patient(11, "慕容样例"), inpatient(11)
    stage.send("HIS", "SubmitRequisition", _package(who, visit))
    stage.arrived("PACS", "SubmitRequisition", requisition_no=NUMBER)
    stage.partners["PACS"].register(NUMBER)
    charge = stage.send("PACS", "ReportStatus", status(NUMBER, "REGISTER")).ChargeResult
    stage.arrived("HIS", "ChargeItem", requisition_no=NUMBER)
    (booked,) = stage.booked("charges", charge_no=charge.ChargeNo)
    amounts = [line["amount"] for line in booked["lines"].values()]
    stage.board.check("its lines share the price of the package, to the cent", amounts, SHARED)
    stage.board.check("together they cost what the package costs", str(charge.Amount), PRICE)

    stage.board.note("the ward has placed the needle: CT gives it back, and it is charged to the ward")
    answer = stage.send("PACS", "RefundItem", _needle_to_ward(charge.ChargeNo))
    stage.board.check("only what the needle really cost goes back", str(answer.RefundedAmount), SHARED[2])
    stage.arrived("HIS", "RefundItem", refund_no="TF251")
    stage.arrived("HIS", "ChargeItem", charge_no=answer.MoveChargeNo)
    (moved,) = stage.booked("charges", charge_no=answer.MoveChargeNo)
    where = (moved["perform_dept_code"], moved["amount"])
    stage.board.check("HIS has charged it to the ward instead", where, (WARD, SHARED[2]))
    paid = sum(Decimal(one["amount"]) for one in stage.booked("charges", visit_no=visit["VisitNo"]))
    back = sum(Decimal(one["amount"]) for one in stage.booked("refunds", refund_no="TF251"))
    stage.board.check("the patient still pays the price of the package", str(paid - back), PRICE)


def _package(who: dict[str, Any], visit: dict[str, Any]) -> dict[str, Any]:
    """One item, sold for less than its three charge items together."""
    request = ct_requisition(NUMBER, who, visit, ReleaseEvent="NURSE_SENT")
    (item, _) = request["Items"]["Item"]
    parts = [
        {"ChargeCode": code, "ItemName": name, "Quantity": 1, "UnitPrice": Decimal(price), "Amount": Decimal(price)}
        for code, name, price in LINES
    ]
    package = {"PackageCode": "TC0203", "PackageName": "增强CT组套", "UnitPrice": None, "Amount": Decimal(PRICE)}
    request["Items"] = {"Item": [{**item, **package, "ChargeItems": {"ChargeItem": parts}}]}
    return request


def _needle_to_ward(charge_no: str) -> dict[str, Any]:
    return {
        "RefundNo": "TF251",
        "OriginalChargeNo": charge_no,
        "Initiator": "PERFORM_DEPT",
        "ReasonCode": "WARD_PERFORMED",
        "ReasonText": "留置针由病区放置",
        "OccurredAt": now(),
        "Lines": {"Line": [{"OriginalLineNo": 3, "ChargeCode": "HC0021", "RefundShare": 1}]},
        "MoveToDeptCode": WARD,
    }
