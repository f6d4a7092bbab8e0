"""What a person should do about each kind of difference, in Chinese and English."""

from __future__ import annotations

from gateway.reconciliation.booking import Counterpart, Direction, Kind

Advice = tuple[str, str]
"""Chinese, English."""

_ADVICE: dict[Kind, Advice] = {
    Kind.GW_ONLY: (
        "先按流水号向 {them} 核实；{them} 确无此笔时，由财务用 gateway money adjust 冲平，或通知执行科室重新{word}。",
        "Ask {them} for this number; if it is not booked there, cancel it out with `gateway money adjust`, or let the "
        "department send it again.",
    ),
    Kind.HIS_ONLY: (
        "网关没有此笔：询问执行科室来源；属实则用 gateway money adjust 补记，不属实则请 HIS 作废。",
        "The gateway does not know it: ask the department. If it is right, enter it with `gateway money adjust`; "
        "if not, HIS cancels it.",
    ),
    Kind.INS_ONLY: (
        "医保平台有而网关没有：核对是否在 HIS 端直接上传；多传的请撤销明细。",
        "Only the insurer has it: see whether HIS uploaded it by itself; withdraw the detail if it is too much.",
    ),
    Kind.AMOUNT_DIFF: (
        "核对物价与数量，以正确一方为准：网关错用 gateway money adjust 调差额，{them} 错请其更正。",
        "Check price and quantity. Correct the gateway by the difference with `gateway money adjust`, or let {them} "
        "correct.",
    ),
    Kind.STATUS_DIFF: (
        "两边状态不同：结果待确认的用 gateway money resolve 按 {them} 的结果了结；一方作废的核实后对方同步。",
        "Settle an unknown outcome as {them} has it with `gateway money resolve`; where one side cancelled, the other "
        "follows.",
    ),
    Kind.MISSED_CHARGE: (
        "已登记未计费：执行科室核实后补计费（ChargeItem）；若免费，请注明原因后核销。",
        "Registered and not charged: the department sends ChargeItem, or settles this line with the reason.",
    ),
    Kind.NOT_PERFORMED: (
        "已收费逾期未做：联系科室与患者，改约或退费（RefundItem）。",
        "Charged and not performed: call department and patient, book the exam or send RefundItem.",
    ),
    Kind.CARRIED: ("临近零点：次日对账时核实。", "Close to midnight: the next day's comparison decides."),
    Kind.ACROSS: ("跨零点相符，无需处理。", "Equal across midnight: nothing to do."),
}
_DUPLICATE: Advice = (
    "{them} 重复记账：核实后请 {them} 作废多记的一笔。",
    "{them} has booked this number twice: let {them} cancel the second booking.",
)
_OTHER_DAY: Advice = (
    "两边金额相同、记账日不同：无需调账，日报注明即可。",
    "Both sides agree on the amount and booked it on different days: no correction, only a note on the day sheet.",
)
_THEM = {Counterpart.HIS: ("HIS", "HIS"), Counterpart.INSURER: ("医保平台", "the insurer")}
_WORD = {Direction.CHARGE: "计费", Direction.REFUND: "退费"}


def advice(kind: str, counterpart: str, direction: str, remark: str = "") -> Advice:
    """What to do about a difference."""
    if remark == "DUPLICATE":
        chinese, english = _DUPLICATE
    elif remark == "OTHER_DAY":
        chinese, english = _OTHER_DAY
    else:
        chinese, english = _ADVICE[Kind(kind)]
    them = _THEM[Counterpart(counterpart)]
    spoken = english.format(them=them[1])
    return chinese.format(them=them[0], word=_WORD[Direction(direction)]), spoken[0].upper() + spoken[1:]
