"""An ultrasound vendor whose system knows one method and strings: it lives by the hospital's rules like all others."""

from __future__ import annotations

from gateway.demo.messages import acknowledgement, ct_requisition, now, outpatient, patient, refund
from gateway.demo.stage import Stage

ACTIONS = {"add": "1001", "opinion": "1009"}
"""What its one method calls a requisition and an opinion."""


def only_strings(stage: Stage) -> None:
    """A requisition goes out in its words, and what it does comes back by a facade."""
    who, visit, number, value = patient(6, "慕容𠮷䶮"), outpatient(6), "SQ1301", "WJZ131"
    paid = {"ReleaseEvent": "PAID", "PaidAt": now(), "ReceiptNo": "FP1301", "RequisitionType": "US"}
    stage.board.note("its one method: TechService(actionCode, xmlContent) -> returnCode, returnXml")
    stage.send("HIS", "SubmitRequisition", ct_requisition(number, who, visit, **paid))
    stage.arrived("US", ACTIONS["add"], requisition_no=number)
    (order,) = [one for one in stage.partners["US"].state()["worklist"] if one["requisition_no"] == number]
    codes = [item["code"] for item in order["items"]]
    stage.board.check("on its worklist, in its own words, with the items", codes, ["CT0203", "YP1109"])

    stage.tells("US", "ReportStatus", requisition_no=number, event="REGISTER")
    stage.arrived("HIS", "ReportStatus", requisition_no=number, event="REGISTER")
    back = refund("TF1301", "CASHIER", "PATIENT_REFUSED", "患者要求退费", RequisitionNo=number)
    stage.send("HIS", "RefundItem", back, expect="RFD-423", why="refused: it has been registered, by whatever door")
    stage.tells("US", "ReportStatus", requisition_no=number, event="REGISTER")
    came = stage.partners["HIS"].requests("ReportStatus", requisition_no=number)
    stage.board.check("registered once more: HIS hears of it once", len(came), 1)

    stage.tells("US", "SubmitReport", requisition_no=number, report_no="BG1301")
    for name in ("HIS", "EMR"):
        stage.arrived(name, "SubmitReport", report_no="BG1301")
    stage.tells("US", "PushCriticalValue", requisition_no=number, critical_id=value)
    stage.arrived("HIS", "PushCriticalValue", critical_id=value, origin_sender="US")
    stage.send("HIS", "AcknowledgeCriticalValue", acknowledgement(value, "US", "QR-US-1", "HANDLE", "立即会诊"))
    stage.arrived("US", ACTIONS["opinion"], critical_id=value)
    told = [one["opinion"] for one in stage.partners["US"].state()["opinions"]]
    stage.board.check("the opinion is back at the vendor, in its own words", told, ["立即会诊"])
