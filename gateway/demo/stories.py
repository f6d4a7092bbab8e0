"""What a hospital does with its gateway, played with real messages and checked at the partners' side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gateway.demo.books import books_compared
from gateway.demo.claims import insurer_reads
from gateway.demo.insured import reversed_before_refund
from gateway.demo.messages import (
    CT_DEPT,
    CT_PRICE,
    acknowledgement,
    contrast_charge,
    critical_value,
    ct_requisition,
    inpatient,
    now,
    outpatient,
    patient,
    record,
    refund,
    report,
    status,
    visit_event,
)
from gateway.demo.overdue import nobody_receives
from gateway.demo.packages import split_package
from gateway.demo.stage import Stage
from gateway.demo.strings import only_strings


class Story(NamedTuple):
    """A story and its name in both languages."""

    title: str
    chinese: str
    play: Callable[[Stage], None]


def paid_before_performed(stage: Stage) -> None:
    who, visit, number = patient(1, "王𠮷祥"), outpatient(1), "SQ101"
    requisition = ct_requisition(number, who, visit)
    answer = stage.send("HIS", "SubmitRequisition", requisition)
    stage.board.check("the gateway holds it", answer.GatewayStatus, "HELD")
    found = stage.send("PACS", "QueryRequisition", {"PerformDeptCode": CT_DEPT, "VisitNo": visit["VisitNo"]})
    stage.board.check("PACS does not see it when it asks", found.TotalCount, 0)
    too_early = status(number, "REGISTER")
    stage.send("PACS", "ReportStatus", too_early, expect="STA-402", why="refused: who has not paid is not registered")
    stage.board.check("PACS has not received it", stage.partners["PACS"].requests(requisition_no=number), [])

    paid = {"ReleaseEvent": "PAID", "PaidAt": now(), "ReceiptNo": "FP101"}
    answer = stage.send("HIS", "SubmitRequisition", {**requisition, **paid})
    stage.board.check("paid at the cashier: the gateway releases it", answer.GatewayStatus, "RELEASED")
    stage.arrived("PACS", "SubmitRequisition", requisition_no=number)
    _is_on_worklist(stage, number)

    stage.partners["PACS"].register(number)
    stage.send("PACS", "ReportStatus", status(number, "REGISTER", AccessionNo="CT20260001"))
    stage.arrived("HIS", "ReportStatus", requisition_no=number, event="REGISTER")
    stage.send("PACS", "SubmitReport", report("BG101", number, who))
    for name in ("HIS", "EMR"):
        stage.arrived(name, "SubmitReport", report_no="BG101")

    back = refund("TF101", "CASHIER", "PATIENT_REFUSED", "患者要求退费", RequisitionNo=number)
    stage.send("HIS", "RefundItem", back, expect="RFD-423", why="refused: the exam has been registered")
    money = [line for name in ("ChargeItem", "RefundItem") for line in stage.partners["HIS"].requests(name)]
    stage.board.check("no money message came back to HIS, where it was paid", money, [])


def charged_at_registration(stage: Stage) -> None:
    who, visit, number = patient(2, "欧阳示例"), inpatient(2), "SQ201"
    _deliver(stage, ct_requisition(number, who, visit, ReleaseEvent="NURSE_SENT"))
    stage.board.check("nothing is charged yet", stage.booked("charges", requisition_no=number), [])
    stage.partners["PACS"].register(number)
    registered = status(number, "REGISTER")
    answer = stage.send("PACS", "ReportStatus", registered)
    stage.arrived("HIS", "ChargeItem", requisition_no=number)
    charge = answer.ChargeResult
    told = (charge.TransactionState, charge.HisChargeNo, str(charge.Amount))
    books = stage.booked("charges", requisition_no=number)
    stage.board.check("HIS has booked it once", len(books), 1)
    stage.board.check("PACS knows HIS's number and amount", told, ("CONFIRMED", books[0]["his_charge_no"], CT_PRICE))

    again = stage.send("PACS", "ReportStatus", status(number, "REGISTER"))
    stage.board.check("registered again, under a new message number: nothing happens", again.Applied, False)
    stage.board.check("HIS still has it once", len(stage.booked("charges", requisition_no=number)), 1)


def fall_from_the_table(stage: Stage) -> None:
    who, visit, number = patient(3, "上官测试"), inpatient(3), "SQ301"
    _deliver(stage, ct_requisition(number, who, visit, ReleaseEvent="NURSE_SENT"))
    stage.partners["PACS"].register(number)
    charge = stage.send("PACS", "ReportStatus", status(number, "REGISTER")).ChargeResult
    stage.arrived("HIS", "ChargeItem", requisition_no=number)
    stage.board.check("registered and charged", (charge.TransactionState, str(charge.Amount)), ("CONFIRMED", CT_PRICE))
    stage.board.note("the patient falls from the CT table: no image was taken")
    original = {"OriginalChargeNo": charge.ChargeNo, "SourceSystem": "PACS"}
    by_doctor = refund("TF301", "HIS_DOCTOR", "OTHER", "患者坠床", **original)
    stage.send("HIS", "RefundItem", by_doctor, expect="RFD-423", why="refused: the clinic may not, it is in progress")
    by_department = refund("TF302", "PERFORM_DEPT", "OTHER", "患者从检查床坠落，检查未做", **original)
    answer = stage.send("PACS", "RefundItem", by_department)
    stage.arrived("HIS", "RefundItem", refund_no="TF302")
    books = stage.booked("refunds", refund_no="TF302")
    stage.board.check("the department may: HIS has given everything back, once", _amounts(books), [CT_PRICE])
    stage.board.check("PACS knows HIS's number", answer.HisRefundNo, books[0]["his_refund_no"])
    stopped = stage.send("PACS", "ReportStatus", status(number, "STOP", Reason="患者坠床，检查终止"))
    stage.board.check("the exam is stopped", stopped.CurrentStatus, "85")
    stage.arrived("HIS", "ReportStatus", requisition_no=number, event="STOP")


def lost_answer(stage: Stage) -> None:
    who, visit, number, charge_no = patient(2, "欧阳示例"), inpatient(2), "SQ201", "JF401"
    stage.board.note("HIS books the next charge, and its answer gets lost on the way")
    stage.partners["HIS"].disturb(drop_after_commit=1, operation="ChargeItem")
    charge = contrast_charge(charge_no, number, who, visit)
    message_id = "PACS-DEMO-JF401"
    answer = stage.send("PACS", "ChargeItem", charge, expect="CHG-504", message_id=message_id)
    stage.board.check("the gateway does not guess", answer.TransactionState, "PENDING_CONFIRM")
    again = stage.send("PACS", "ChargeItem", charge, message_id=message_id, expect="CHG-504")
    stage.board.check("PACS repeats it: still unknown", again.TransactionState, "PENDING_CONFIRM")
    stage.board.note("once the answer can no longer come, the gateway asks HIS before it sends anything again")
    stage.arrived("HIS", "QueryTransaction", charge_no=charge_no)
    stage.board.wait_for(
        "HIS knows the charge: the gateway takes it as booked",
        lambda: stage.callers["PACS"].call("ChargeItem", charge, message_id).code,
        "0",
        20,
    )
    answer = stage.send("PACS", "ChargeItem", charge, message_id=message_id)
    books = stage.booked("charges", charge_no=charge_no)
    stage.board.check("HIS has booked it once", _amounts(books), ["126.80"])
    sent = len(stage.partners["HIS"].requests("ChargeItem", charge_no=charge_no))
    stage.board.check("and was asked to book it once, although PACS asked many times", sent, 1)
    told = (answer.TransactionState, answer.HisChargeNo)
    stage.board.check("PACS knows HIS's number", told, ("CONFIRMED", books[0]["his_charge_no"]))


def down_and_back(stage: Stage) -> None:
    who, visit = patient(5, "司徒样例"), inpatient(5)
    numbers = ["SQ501", "SQ502", "SQ503"]
    stage.board.note("the PACS is switched off")
    stage.partners["PACS"].stop()
    for number in numbers:
        answer = stage.send("HIS", "SubmitRequisition", ct_requisition(number, who, visit, ReleaseEvent="NURSE_SENT"))
        stage.board.check(f"{number} is accepted", answer.GatewayStatus, "RELEASED")
    events = [("JZ501", "ADMIT"), ("JZ502", "TRANSFER"), ("JZ503", "DISCHARGE")]
    for event_no, event in events:
        stage.send("HIS", "ReportVisitEvent", visit_event(event_no, event, who, visit))
    stage.board.note("the PACS is switched on again")
    stage.partners["PACS"].start()
    stage.partners["PACS"].wait_until_it_answers()
    for number in numbers:
        stage.arrived("PACS", "SubmitRequisition", requisition_no=number)
        _is_on_worklist(stage, number)
    stage.arrived("PACS", "ReportVisitEvent", times=3, visit_no=visit["VisitNo"])
    came = [line["event_no"] for line in stage.partners["PACS"].requests("ReportVisitEvent", visit_no=visit["VisitNo"])]
    stage.board.check("what happened to the visit came in order, each once", came, [number for number, _ in events])


def critical_values(stage: Stage) -> None:
    who, visit, number = patient(2, "欧阳示例"), inpatient(2), "WJZ61"
    found = {
        "PACS": ("6", "胸部CT增强：右肺动脉主干充盈缺损，考虑急性肺动脉栓塞，请立即处理。"),
        "LIS": ("1", "血钾 7.2 mmol/L（>6.5），请立即处理。"),
    }
    opinions = {
        "PACS": "绝对卧床、吸氧，低分子肝素抗凝；血压 <90/60mmHg 时溶栓。",
        "LIS": "停补钾，10% 葡萄糖酸钙 10ml 静推。",
    }
    for name, (source, content) in found.items():
        answer = stage.send(name, "PushCriticalValue", critical_value(number, source, content, who, visit))
        stage.arrived("HIS", "PushCriticalValue", critical_id=number, origin_sender=name)
        stage.board.check(f"when {name} has its answer, HIS has the value", answer.CriticalStatus, "20")
    for name in found:
        for ack_type, state in (("RECEIVE_NURSE", "30"), ("RECEIVE_DOCTOR", "40"), ("HANDLE", "50")):
            opinion = opinions[name] if ack_type == "HANDLE" else None
            acked = acknowledgement(number, name, f"QR-{name}-{state}", ack_type, opinion)
            answer = stage.send("HIS", "AcknowledgeCriticalValue", acked)
            stage.arrived(name, "AcknowledgeCriticalValue", critical_id=number, ack_type=ack_type)
            stage.board.check(f"{name} knows, and its value is at {state}", answer.CriticalStatus, state)
        told = [a["opinion"] for a in stage.partners[name].state()["acknowledgements"] if a["opinion"]]
        stage.board.check(f"the opinion is back at {name}, and only its own", told, [opinions[name]])


def medical_records(stage: Stage) -> None:
    who, visit = patient(2, "欧阳示例"), inpatient(2)
    answer = stage.send("PACS", "GetMedicalRecord", record(who, visit, "THIS_VISIT", orders=False))
    visits = answer.Visits.Visit
    stage.arrived("EMR", "GetMedicalRecord", scope="THIS_VISIT")
    stage.board.check("PACS reads this visit", [v.VisitNo for v in visits], [visit["VisitNo"]])
    stage.board.check("without orders", visits[0].Orders, None)
    answer = stage.send("PACS", "GetMedicalRecord", record(who, visit, "ALL_VISITS", orders=True))
    stage.arrived("EMR", "GetMedicalRecord", scope="ALL_VISITS")
    orders = [len(v.Orders.Order) for v in answer.Visits.Visit]
    stage.board.check("PACS reads all three visits with their orders", orders, [3, 3, 3])
    every, this = (record(who, visit, scope, orders=False) for scope in ("ALL_VISITS", "THIS_VISIT"))
    stage.send("LIS", "GetMedicalRecord", every, expect="EMR-403", why="refused: LIS may not read every visit")
    stage.send("HIS", "GetMedicalRecord", this, expect="AUT-403", why="refused: HIS may read no record here")
    asked = len(stage.partners["EMR"].requests("GetMedicalRecord"))
    stage.board.check("what is not allowed never reached the EMR", asked, 2)


def _amounts(books: list[dict[str, Any]]) -> list[str]:
    return [str(booking["amount"]) for booking in books]


def _deliver(stage: Stage, requisition: dict[str, Any]) -> None:
    stage.send("HIS", "SubmitRequisition", requisition)
    stage.arrived("PACS", "SubmitRequisition", requisition_no=requisition["RequisitionNo"])


def _is_on_worklist(stage: Stage, number: str) -> None:
    entries = [e for e in stage.partners["PACS"].state()["worklist"] if e["requisition_no"] == number]
    requests = stage.partners["PACS"].requests("SubmitRequisition", requisition_no=number)
    found = ([entry["state"] for entry in entries], len(requests))
    stage.board.check(f"{number} is on PACS's worklist, received once", found, (["WAITING"], 1))


STORIES = (
    Story("An outpatient's CT waits until it is paid", "门诊CT：未缴费不执行，登记后不能退费", paid_before_performed),
    Story(
        "An inpatient is charged at registration, once",
        "住院检查：登记时计费，重复登记不重复计费",
        charged_at_registration,
    ),
    Story("A package is split between CT and ward", "组套：优惠分摊，病区放置的留置针转记病区", split_package),
    Story("The fall from the CT table", "患者坠床：执行中由执行科室退费", fall_from_the_table),
    Story("An answer gets lost, nobody pays twice", "应答丢失：结果待确认，不重复记账", lost_answer),
    Story("The PACS is down and comes back", "PACS 停机：申请单排队，恢复后按序送达", down_and_back),
    Story(
        "A critical value, from the push to the opinion",
        "危急值闭环：上报、接收、处理、意见回传",
        critical_values,
    ),
    Story(
        "An overdue critical value escalates",
        "危急值超时：逐级提醒病区、总值班，处理后停止",
        nobody_receives,
    ),
    Story("Records of this visit and of all visits", "病历调阅：本次与全部就诊，按权限", medical_records),
    Story("An insurer reads a claim's record, masked", "商保理赔：凭授权调阅，脱敏，限量", insurer_reads),
    Story(
        "An insured settlement is reversed before its refund",
        "医保：结算后退费，先撤销结算，再退费并撤销明细",
        reversed_before_refund,
    ),
    Story(
        "An ultrasound vendor speaks only strings",
        "超声厂商只会传字符串：映射下发，门面回传，规则照样执行",
        only_strings,
    ),
    Story("The books are compared", "对账：HIS 账目有差异，逐笔查出并给出处理建议", books_compared),
)
