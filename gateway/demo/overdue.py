"""A story: nobody receives a critical value, so one level of the house after the other is told, until a doctor acts."""

from __future__ import annotations

from gateway.demo.messages import Request, acknowledgement, critical_value, inpatient, patient
from gateway.demo.stage import Stage

OPINION = "50% 葡萄糖 40ml 静推，15 分钟后复测。"


def nobody_receives(stage: Stage) -> None:
    who, visit, number = patient(7, "慕容范例"), inpatient(7), "WJZ71"
    about: Request = {"critical_id": number}
    stage.send("LIS", "PushCriticalValue", critical_value(number, "7", "床旁血糖 1.6 mmol/L，请立即处理。", who, visit))
    stage.arrived("HIS", "PushCriticalValue", action="NEW", **about)
    stage.board.note("nobody at the ward receives it; here such a value is late after 2 s, and after 5 s in all")
    stage.arrived("HIS", "PushCriticalValue", action="UPDATE", overdue_stage="RECEIVE", **about)
    stage.arrived("DUTY", "Notice", overdue_stage="TOTAL", **about)
    stage.arrived("HIS", "PushCriticalValue", action="UPDATE", overdue_stage="TOTAL", **about)
    (notice,) = [one for one in stage.partners["DUTY"].state()["notices"] if one["critical_id"] == number]
    told = (notice["ward"], notice["bed"], notice["level"], notice["late_minutes"] >= 0)
    stage.board.check("the duty office knows ward, bed and how late it is", told, ("W2001", "加12", 3, True))
    named = [word for word in (who["PatientName"], who["PatientId"], "血糖") if word in str(notice)]
    stage.board.check("and neither who the patient is nor what was found", named, [])

    handled = acknowledgement(number, "LIS", "QR-LIS-71", "HANDLE", OPINION)
    answer = stage.send("HIS", "AcknowledgeCriticalValue", handled)
    stage.arrived("LIS", "AcknowledgeCriticalValue", ack_type="HANDLE", **about)
    stage.board.check("the doctor telephoned by the duty office has acted", answer.CriticalStatus, "50")
    stages = [
        line["overdue_stage"] for line in stage.partners["HIS"].requests("PushCriticalValue", action="UPDATE", **about)
    ]
    stage.board.check("each level was told once", stages, ["RECEIVE", "TOTAL"])
