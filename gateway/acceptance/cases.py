"""The cases, in the order in which they are tried: what a partner must do for the hospital to rely on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import median
from typing import Any

from gateway.acceptance.kit import Kit, NotApplicable, Unmet, expect
from gateway.operations.dispatch import Outcome
from gateway.partners.queried import UNKNOWN_NUMBER
from gateway.terms import ReportAction, RequisitionAction, StatusEvent, TransactionState, VisitEvent

RARE = "𠮷䶮㛃𬭳·艾力"
"""Characters of names that GBK does not know, with the dot of names that are not Chinese."""
MARKUP = "SpO2<90% & D-二聚体>4.6 \"急\" '查'"
LONG_TEXT = 33_000
CALLS = 10
PATIENCE = 8.0
"""Seconds a caller of the gateway waits at most."""
CRITICAL_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Case:
    """One thing a partner must do."""

    number: str
    zh: str
    en: str
    needs: tuple[str, ...]
    """The operations the partner must be sent for it to be tried."""
    run: Callable[[Kit], None]


CASES: list[Case] = []


def case(number: str, zh: str, en: str, *needs: str) -> Callable[[Callable[[Kit], None]], Callable[[Kit], None]]:
    """Put a case into the list."""

    def add(run: Callable[[Kit], None]) -> Callable[[Kit], None]:
        CASES.append(Case(number, zh, en, needs, run))
        return run

    return add


# --- requisitions -----------------------------------------------------------------------------------------------------

REQUISITION = "SubmitRequisition"


@case("REQ-1", "接受新申请单", "a new requisition is accepted", REQUISITION)
def _new(kit: Kit) -> None:
    kit.accepted(REQUISITION, kit.message(REQUISITION))


@case("REQ-2", "同一消息重发仍答成功", "the same message sent again is answered yes again", REQUISITION)
def _again(kit: Kit) -> None:
    request, number = kit.message(REQUISITION), kit.number("GW-")
    kit.accepted(REQUISITION, request, number)
    kit.accepted(REQUISITION, request, number)


@case("REQ-3", "未执行的申请单可修改、可取消", "before it is performed it can be changed and cancelled", REQUISITION)
def _change(kit: Kit) -> None:
    request = kit.message(REQUISITION)
    kit.accepted(REQUISITION, request)
    changed = replace(request, action=RequisitionAction.UPDATE, clinical_summary="修改后的临床摘要")
    kit.accepted(REQUISITION, changed)
    kit.accepted(REQUISITION, replace(request, action=RequisitionAction.CANCEL, cancel_reason="验收取消"))


@case("REQ-4", "取消不存在的申请单被明确拒绝", "the cancellation of an unknown one is clearly refused", REQUISITION)
def _unknown(kit: Kit) -> None:
    request = kit.message(REQUISITION, action=RequisitionAction.CANCEL, cancel_reason="验收取消")
    kit.refused(REQUISITION, request)


@case("REQ-5", "生僻字姓名与特殊符号", "names with rare characters, and text with markup", REQUISITION)
def _rare(kit: Kit) -> None:
    request = kit.message(REQUISITION, clinical_summary=MARKUP)
    kit.accepted(REQUISITION, replace(request, patient=replace(request.patient, patient_name=RARE)))


@case("REQ-6", "一单 30 个项目，接受或明确拒绝", "thirty items are taken, or clearly refused", REQUISITION)
def _many(kit: Kit) -> None:
    request = kit.message(REQUISITION)
    first = replace(request.items[0], package_code=None, package_name=None, charge_items=())
    items = tuple(replace(first, item_seq=n, order_no=f"{first.order_no}{n:02d}") for n in range(1, 31))
    kit.clear(REQUISITION, replace(request, items=items))


# --- statuses ---------------------------------------------------------------------------------------------------------

STATUS = "ReportStatus"


@case("STA-1", "状态依次：登记、完成、报告", "the statuses in their order", STATUS)
def _statuses(kit: Kit) -> None:
    first = kit.message(STATUS)
    number = _requisition(kit, first)
    for seq, event in enumerate((StatusEvent.REGISTER, StatusEvent.EXAM_DONE, StatusEvent.FINAL), 1):
        kit.accepted(STATUS, replace(first, requisition_no=number, event=event, status_seq=seq))


@case("STA-2", "同一状态重发仍答成功", "the same status sent again is answered yes again", STATUS)
def _same_status(kit: Kit) -> None:
    request, sent_as = kit.message(STATUS), kit.number("GW-")
    request = replace(request, requisition_no=_requisition(kit, request))
    kit.accepted(STATUS, request, sent_as)
    kit.accepted(STATUS, request, sent_as)


def _requisition(kit: Kit, message: Any) -> str:
    """A requisition the partner knows: sent to it just now, where it takes them."""
    if not kit.serves(REQUISITION):
        return str(message.requisition_no)
    request = kit.message(REQUISITION)
    kit.accepted(REQUISITION, request)
    return str(request.requisition_no)


# --- money ------------------------------------------------------------------------------------------------------------

CHARGE, REFUND, QUERY = "ChargeItem", "RefundItem", "QueryTransaction"


@case("CHG-1", "计费成功并返回记账号", "a charge is booked, and its number told", CHARGE)
def _charge(kit: Kit) -> None:
    answer = kit.accepted(CHARGE, kit.message(CHARGE)).response
    expect(bool(answer.his_charge_no), "未返回 HisChargeNo", "HisChargeNo is missing: nobody could find the booking")


@case("CHG-2", "同一计费重发不重复记账", "a charge sent again is booked once", CHARGE)
def _charge_again(kit: Kit) -> None:
    request, number = kit.message(CHARGE), kit.number("GW-")
    first = kit.accepted(CHARGE, request, number).response
    second = kit.accepted(CHARGE, request, number).response
    same = first.his_charge_no is not None and first.his_charge_no == second.his_charge_no
    expect(same, "两次返回的记账号不同，可能重复记账", "another booking number the second time: it may be booked twice")


@case("CHG-3", "四位小数单价按行四舍五入", "a price of four places is rounded once, to the cent", CHARGE)
def _rounded(kit: Kit) -> None:
    request = kit.message(CHARGE)
    line = replace(
        request.lines[0],
        quantity=Decimal(3),
        unit_price=Decimal("0.3333"),
        list_amount=Decimal("1.00"),
        actual_amount=Decimal("1.00"),
    )
    kit.accepted(CHARGE, replace(request, lines=(line,)))


@case("CHG-4", "结果未知时可查询", "what became of a charge can be asked", CHARGE, QUERY)
def _asked(kit: Kit) -> None:
    request = kit.message(CHARGE)
    kit.accepted(CHARGE, request)
    query = _query(kit, request)
    found = kit.accepted(QUERY, query).response.transactions
    booked = any(one.transaction_state in (TransactionState.CONFIRMED, None) for one in found)
    expect(booked, "查询不到刚才的记账", "the query does not find what was booked a moment ago")


@case("CHG-5", "未知单号的查询被明确否定", "asked for an unknown charge it says so", CHARGE, QUERY)
def _asked_unknown(kit: Kit) -> None:
    charge = kit.message(CHARGE)
    answer = kit.ask(QUERY, _query(kit, charge))
    says_so = answer.outcome is Outcome.ANSWERED and answer.code == UNKNOWN_NUMBER
    known = answer.response.transactions if answer.is_yes else ()
    finds_nothing = answer.is_yes and all(one.charge_no != charge.charge_no for one in known)
    expect(
        says_so or finds_nothing,
        f"应答 {answer.code}：既非 {UNKNOWN_NUMBER}，也不是不含该单的成功应答，网关无法据此判定未记账",
        f"{answer.code} is neither {UNKNOWN_NUMBER} nor a yes without that charge, so whether it was booked stays open",
    )


@case("RFD-1", "计费后可退费", "what was charged can be given back", CHARGE, REFUND)
def _refund(kit: Kit) -> None:
    charge = kit.message(CHARGE)
    kit.accepted(CHARGE, charge)
    kit.accepted(REFUND, _refund_of(kit, charge, charge.lines[0].quantity))


@case("RFD-2", "超额退费被明确拒绝", "more than was charged is not given back", CHARGE, REFUND)
def _too_much(kit: Kit) -> None:
    charge = kit.message(CHARGE)
    kit.accepted(CHARGE, charge)
    kit.refused(REFUND, _refund_of(kit, charge, charge.lines[0].quantity + 1))


@case("RFD-3", "同一退费重发只退一次", "a refund sent again is carried out once", CHARGE, REFUND)
def _refund_again(kit: Kit) -> None:
    charge = kit.message(CHARGE)
    kit.accepted(CHARGE, charge)
    request, number = _refund_of(kit, charge, charge.lines[0].quantity), kit.number("GW-")
    kit.accepted(REFUND, request, number)
    kit.accepted(REFUND, request, number)


def _query(kit: Kit, charge: Any) -> Any:
    query = kit.message(QUERY)
    asked = dict.fromkeys(("queried_message_id", "queried_operation", "refund_no", "charge_no", "requisition_no"))
    known = {name: value for name, value in asked.items() if hasattr(query, name)}
    return replace(query, **known | {"charge_no": charge.charge_no, "source_system": charge.header.sender_code})


def _refund_of(kit: Kit, charge: Any, quantity: Decimal) -> Any:
    request = kit.message(REFUND)
    line = replace(
        request.lines[0],
        original_line_no=charge.lines[0].line_no,
        charge_code=charge.lines[0].charge_code,
        refund_quantity=quantity,
        refund_amount=None,
        refund_share=None,
    )
    return replace(
        request,
        original_charge_no=charge.charge_no,
        requisition_no=charge.requisition_no,
        source_system=charge.header.sender_code,
        lines=(line,),
    )


# --- critical values --------------------------------------------------------------------------------------------------

PUSH, ACKNOWLEDGE = "PushCriticalValue", "AcknowledgeCriticalValue"


@case("CRV-1", "危急值 5 秒内接收", "a critical value is taken within five seconds", PUSH)
def _critical(kit: Kit) -> None:
    started = time.monotonic()
    kit.accepted(PUSH, kit.message(PUSH))
    seconds = time.monotonic() - started
    expect(seconds <= CRITICAL_PATIENCE, f"用时 {seconds:.1f} 秒", f"it took {seconds:.1f} s")


@case("CRV-2", "只有必填项的危急值也接收", "one with nothing but the required fields is taken too", PUSH)
def _bare(kit: Kit) -> None:
    full = kit.message(PUSH)
    kit.accepted(PUSH, type(full)(header=full.header, critical_id=full.critical_id, content=full.content))


@case("CRV-3", "同一危急值重发仍答成功", "the same value sent again is answered yes again", PUSH)
def _critical_again(kit: Kit) -> None:
    request, number = kit.message(PUSH), kit.number("GW-")
    kit.accepted(PUSH, request, number)
    kit.accepted(PUSH, request, number)


@case("CRV-4", "接收处理意见", "the opinion about a value is taken", ACKNOWLEDGE)
def _opinion(kit: Kit) -> None:
    kit.accepted(ACKNOWLEDGE, kit.message(ACKNOWLEDGE))


# --- reports and records ----------------------------------------------------------------------------------------------

REPORT, RECORD = "SubmitReport", "GetMedicalRecord"


@case("RPT-1", "接受报告", "a report is accepted", REPORT)
def _report(kit: Kit) -> None:
    kit.accepted(REPORT, kit.message(REPORT))


@case("RPT-2", "三万三千字报告完整接受或明确拒绝", "33,000 characters are taken, or clearly refused", REPORT)
def _long(kit: Kit) -> None:
    kit.clear(REPORT, kit.message(REPORT, findings=("所见𠮷" * LONG_TEXT)[:LONG_TEXT]))


@case("RPT-3", "修订与撤回", "it can be amended and withdrawn", REPORT)
def _amended(kit: Kit) -> None:
    request = kit.message(REPORT)
    kit.accepted(REPORT, request)
    version = request.report_version + 1
    kit.accepted(REPORT, replace(request, action=ReportAction.AMEND, report_version=version, impression="修订诊断"))
    withdrawn = replace(request, action=ReportAction.WITHDRAW, report_version=version + 1, withdraw_reason="验收撤回")
    kit.accepted(REPORT, withdrawn)


@case("EMR-1", "调阅本次就诊病历", "the record of a visit is given", RECORD)
def _record(kit: Kit) -> None:
    answer = kit.accepted(RECORD, kit.message(RECORD)).response
    given = bool(answer.visits) or bool(answer.view_url)
    expect(given, "应答既无病历也无浏览地址", "neither a record nor an address to view it")


@case("EMR-2", "不存在的患者被明确否定", "an unknown patient is clearly refused", RECORD)
def _no_record(kit: Kit) -> None:
    nobody = dict.fromkeys(("empi_id", "requisition_no", "visit_no"))
    kit.refused(RECORD, kit.message(RECORD, patient_id="NOBODY-0000", **nobody))


VISIT = "ReportVisitEvent"


@case("VIS-1", "出院与结算事件", "a discharge and a settlement are taken", VISIT)
def _visit(kit: Kit) -> None:
    for event in (VisitEvent.DISCHARGE, VisitEvent.SETTLE):
        kit.accepted(VISIT, kit.message(VISIT, event=event))


# --- all of it --------------------------------------------------------------------------------------------------------


@case("TIME-1", "十次调用的响应时间", "how long ten calls take")
def _speed(kit: Kit) -> None:
    operation = next((one for one in (STATUS, REQUISITION, RECORD, PUSH, REPORT, VISIT) if kit.serves(one)), None)
    if operation is None:
        raise NotApplicable("没有可重复调用的操作", "it is sent nothing that can be called ten times")
    before = len(kit.exchanges)
    for _ in range(CALLS):
        kit.accepted(operation, kit.message(operation))
    times = sorted(one.milliseconds for one in kit.exchanges[before:])
    if times[-1] > PATIENCE * 1000:
        raise Unmet(f"最慢 {times[-1]} 毫秒", f"the slowest took {times[-1]} ms")
    middle, slowest = f"{median(times):.0f}", times[-1]
    kit.note = (
        f"{operation}：中位数 {middle} 毫秒，{CALLS} 次中最慢 {slowest} 毫秒",
        f"{operation}: {middle} ms median, {slowest} ms slowest of {CALLS}",
    )
