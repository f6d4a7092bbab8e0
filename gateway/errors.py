"""Everything the gateway can answer when it does not say yes: one class per reason, each with its stable code.

The docstring of a class is the text a partner reads: Chinese first, English after the bar. A refusal by a hospital rule
is a `RequestRefused` and travels in the `Result` block of a normal answer; a `MessageFault` is a SOAP fault. Which is
which, and the HTTP status of each, is docs/specification/answers-and-errors.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self


class GatewayError(Exception):
    """网关错误。 | The gateway could not do what was asked."""

    code: ClassVar[str] = "SYS-500"
    retryable: ClassVar[bool] = False

    def __init__(self, detail_zh: str = "", detail_en: str = "", *, path: str = "", expected: str = "") -> None:
        super().__init__(self.code)
        self.text_zh = self.__join(self.describe()[0], detail_zh)
        self.text_en = self.__join(self.describe()[1], detail_en)
        self.detail_en = detail_en or self.text_en
        """What is wrong in this one case alone."""
        self.path = path
        self.expected = expected

    @staticmethod
    def __join(text: str, detail: str) -> str:
        return f"{text} {detail}" if detail else text

    @classmethod
    def describe(cls) -> tuple[str, str]:
        """The Chinese and the English text of this reason, without the particulars of one case."""
        chinese, _, english = (cls.__doc__ or "").partition("|")
        return " ".join(chinese.split()), " ".join(english.split())

    @classmethod
    def catalogue(cls) -> Iterator[type[Self]]:
        """Every reason below this one that has a code of its own, in the order of their definition."""
        for reason in cls.__subclasses__():
            if "code" in vars(reason):
                yield reason
            yield from reason.catalogue()


# --- Faults: the message itself, its sender or the gateway is at fault ------------------------------------------------


class MessageFault(GatewayError):
    """报文无法处理。 | The message cannot be processed."""

    http_status: ClassVar[int] = 500
    """The HTTP status for SOAP 1.1; where it is 500, SOAP 1.2 has 400 for a fault of the sender (gateway/soap/faults.py)."""
    sender: ClassVar[bool] = True
    """Whose fault it is: Client/Sender when true, Server/Receiver when false."""


class InvalidMessage(MessageFault):
    """报文不符合接口规范。 | The message does not keep to the contract."""

    code = "SYS-400"


class NotUnderstood(InvalidMessage):
    """报文头中有标为 mustUnderstand 的内容，网关不支持。 | A header block marked mustUnderstand is unknown to the gateway."""


class UnknownAddress(InvalidMessage):
    """此地址没有 SOAP 服务，请发送到 WSDL 中的地址。 | There is no SOAP service at this address: send to the one in the WSDL."""

    http_status = 404


class VersionMismatch(InvalidMessage):
    """报文信封不是 SOAP 1.1 或 SOAP 1.2。 | The envelope is neither SOAP 1.1 nor SOAP 1.2."""


class NotAuthenticated(MessageFault):
    """身份验证失败：请检查用户名和密码。 | Authentication failed: check user name and password."""

    code = "AUT-401"

    def __init__(self, detail_zh: str = "", detail_en: str = "", *, credentials_came: bool = True) -> None:
        super().__init__(detail_zh, detail_en)
        self.credentials_came = credentials_came


class NotAllowed(MessageFault):
    """没有权限。 | Not allowed."""

    code = "AUT-403"


class TooLarge(MessageFault):
    """报文过大。 | The message is too large."""

    code = "SYS-413"
    http_status = 413


class CodeNotMapped(MessageFault):
    """报文中的代码没有对照。 | A code of the message is not mapped."""

    code = "SYS-422"


class CodeAwaited(CodeNotMapped):
    """报文中的代码没有对照，请在对照维护后重发。
    | A code of the message is not mapped: send it again when the code table has it."""

    retryable = True


class TooMany(MessageFault):
    """请求过于频繁，请稍后再试。 | Too many requests, try again later."""

    code = "SYS-429"
    http_status = 429
    retryable = True


class TooSlow(InvalidMessage):
    """报文未在时限内传完。 | The message did not arrive completely in time."""

    retryable = True


class InternalFault(MessageFault):
    """网关内部错误，请用同一 MessageId 重发；如仍失败，请把错误编号告知信息科。
    | Internal error of the gateway: send again with the same MessageId; if it persists tell the hospital's IT the error id."""

    code = "SYS-500"
    retryable = True
    sender = False


class ServiceUnavailable(MessageFault):
    """网关暂时无法保存报文，请用同一 MessageId 稍后重发。
    | The gateway cannot keep messages at the moment: send again later with the same MessageId."""

    code = "SYS-503"
    retryable = True
    sender = False


class NoRoom(ServiceUnavailable):
    """网关存储空间不足，暂不接收新报文，请用同一 MessageId 稍后重发。
    | The gateway has too little room to keep new messages at the moment: send again later with the same MessageId."""


# --- Refusals: the message is fine, a rule of the hospital says no -----------------------------------------------------


class RequestRefused(GatewayError):
    """业务规则不允许。 | A rule of the hospital does not allow this."""

    def __init__(
        self,
        detail_zh: str = "",
        detail_en: str = "",
        *,
        path: str = "",
        expected: str = "",
        waits_for: str = "",
        **answer: Any,
    ) -> None:
        """`waits_for`: what has to arrive so that the parked message is applied; `answer`: more fields of the response."""
        super().__init__(detail_zh, detail_en, path=path, expected=expected)
        self.waits_for = waits_for
        self.answer = answer

    @property
    def parked(self) -> bool:
        """True when the gateway keeps the message and applies it if what it is about arrives in time."""
        return bool(self.waits_for)


class MessageConflict(RequestRefused):
    """同一 MessageId 已用于内容不同的报文。 | This MessageId was already used for a message with other content."""

    code = "SYS-409"


class RequisitionInvalid(RequestRefused):
    """申请单内容不符合业务规则。 | The requisition breaks a rule."""

    code = "REQ-400"


class RequisitionNotPaid(RequestRefused):
    """门诊申请单未缴费。 | The outpatient requisition is not paid."""

    code = "REQ-402"


class RequisitionForeign(RequestRefused):
    """申请单由其他系统提交，只有该系统或 HIS 可以修改和取消。 | Another system submitted this requisition: only it, or HIS, may change or cancel it."""

    code = "REQ-403"


class RequisitionUnknown(RequestRefused):
    """申请单不存在。 | The requisition is unknown."""

    code = "REQ-404"


class RequisitionConflict(RequestRefused):
    """申请单号已存在且内容不同；修改请用 Action=UPDATE。
    | The requisition number exists with other content; to change it use Action=UPDATE."""

    code = "REQ-409"


class RequisitionCancelled(RequestRefused):
    """申请单已取消。 | The requisition is cancelled."""

    code = "REQ-410"


class RequisitionUnmapped(RequestRefused):
    """代码未对照或院区不明确。 | A code is not mapped or the branch is ambiguous."""

    code = "REQ-422"


class RequisitionLocked(RequestRefused):
    """执行科室已登记或未同意，不能修改或取消；请联系执行科室。
    | The performing department has registered it or did not agree: it cannot be changed or cancelled; contact the department."""

    code = "REQ-423"


class RequisitionNotAsked(RequestRefused):
    """现在不能询问执行科室系统，申请单未变更；请稍后重试，或联系执行科室。
    | The department's system cannot be asked now, the requisition is unchanged: repeat later, or contact the department."""

    code = "REQ-503"
    retryable = True


class RequisitionPatientInvalid(RequestRefused):
    """患者主索引已合并或无效。 | The patient was merged or is invalid."""

    code = "REQ-424"


class StatusInvalid(RequestRefused):
    """状态回传内容不符合业务规则。 | The status report breaks a rule."""

    code = "STA-400"


class StatusNotPaid(RequestRefused):
    """申请单未缴费，不能登记。 | The requisition is not paid and cannot be registered."""

    code = "STA-402"


class StatusForeign(RequestRefused):
    """该申请单由其他科室执行，本系统不能回传其状态。 | Another department performs this requisition: its status is not this system's to report."""

    code = "STA-403"


class StatusRequisitionUnknown(RequestRefused):
    """状态回传的申请单不存在。 | The requisition of this status is unknown."""

    code = "STA-404"
    retryable = True


class StatusIllegal(RequestRefused):
    """当前状态不允许该事件。 | The event is not possible in the present state."""

    code = "STA-409"


class StatusRequisitionFinal(RequestRefused):
    """申请单已取消、已退单或已退费，不能登记。 | The requisition is cancelled, rejected or refunded and cannot be registered."""

    code = "STA-410"


class StatusUnmapped(RequestRefused):
    """项目不明确或代码未对照。 | The item is ambiguous or a code is not mapped."""

    code = "STA-422"


class ReportInvalid(RequestRefused):
    """报告内容不符合业务规则。 | The report breaks a rule."""

    code = "RPT-400"


class ReportRequisitionUnknown(RequestRefused):
    """报告对应的申请单不存在。 | The requisition of this report is unknown."""

    code = "RPT-404"
    retryable = True


class ReportConflict(RequestRefused):
    """报告版本号必须大于已有版本；同一版本的内容不能改变。
    | The report's version is not greater than the known one, or the same version has other content."""

    code = "RPT-409"


class ReportWithdrawn(RequestRefused):
    """报告已召回。 | The report is withdrawn."""

    code = "RPT-410"


class ReportTooLarge(RequestRefused):
    """报告附件过大，请改传 Url。 | An attachment is too large: send its Url instead."""

    code = "RPT-413"


class ReportUnmapped(RequestRefused):
    """报告的申请单或项目不明确。 | The report's requisition or item is ambiguous."""

    code = "RPT-422"


class ChargeInvalid(RequestRefused):
    """计费内容不符合业务规则。 | The charge breaks a rule."""

    code = "CHG-400"


class ChargeNoFunds(RequestRefused):
    """欠费或余额不足。 | The visit is in debt or has no funds."""

    code = "CHG-402"


class ChargeUnknown(RequestRefused):
    """就诊或申请单不存在。 | The visit or requisition is unknown."""

    code = "CHG-404"


class AlreadyCharged(RequestRefused):
    """该项目已计费，不能重复计费。 | The item is already charged and is never charged twice."""

    code = "CHG-409"


class ChargeVisitClosed(RequestRefused):
    """就诊已出院、已结算或已取消。 | The visit is discharged, settled or cancelled."""

    code = "CHG-410"


class ChargeUnmapped(RequestRefused):
    """收费项目未对照或已停用。 | The price item is not mapped or disabled."""

    code = "CHG-422"


class ChargeAmountWrong(RequestRefused):
    """金额与数量乘单价不符。 | The amount is not quantity times unit price."""

    code = "CHG-425"


class ChargeNotSent(RequestRefused):
    """HIS 暂时无法连接，计费已排队，尚未记账。 | HIS could not be reached: the charge is queued and not booked yet."""

    code = "CHG-503"
    retryable = True


class ChargeOutcomeUnknown(RequestRefused):
    """计费已发往 HIS，结果未知；请用同一 MessageId 和 ChargeNo 查询或重发。
    | The charge was sent to HIS and its outcome is unknown: query or resend with the same MessageId and ChargeNo."""

    code = "CHG-504"
    retryable = True


class RefundInvalid(RequestRefused):
    """退费内容不符合业务规则。 | The refund breaks a rule."""

    code = "RFD-400"


class RefundOriginalUnknown(RequestRefused):
    """原计费记录不存在。 | The original charge is unknown."""

    code = "RFD-404"


class RefundExceedsCharge(RequestRefused):
    """退费数量或金额超过该笔计费的可退余额。 | The refund exceeds what is left of the charge."""

    code = "RFD-409"


class RefundOfRefund(RequestRefused):
    """退费记录不能再退费。 | A refund cannot be refunded."""

    code = "RFD-410"


class RefundUnmapped(RequestRefused):
    """原计费记录不明确，请给出 SourceSystem 或院区。
    | The original charge is ambiguous: give SourceSystem or the branch."""

    code = "RFD-422"


class ExamAlreadyStarted(RequestRefused):
    """检查已登记（执行中），不能退费；请执行科室先取消登记，或由执行科室退费。
    | The exam is registered and cannot be refunded: the performing department must cancel the registration or refund it."""

    code = "RFD-423"


class RefundVisitClosed(RequestRefused):
    """就诊已结算或出院，只能由 HIS 退费。 | The visit is settled or discharged: only HIS may refund."""

    code = "RFD-424"


class RefundInsuranceSettled(RefundVisitClosed):
    """医保已结算，须先撤销结算（UNSETTLE）再退费。
    | Settled with the insurance: report UNSETTLE first, then refund."""


class RefundReversalPending(RefundVisitClosed):
    """医保平台尚未确认撤销结算，请稍后重试。
    | The insurance platform has not confirmed the reversal of its settlement yet: repeat the refund later."""

    retryable = True


class RefundWrongChannel(RequestRefused):
    """门诊费用须由收费处按原渠道退费，执行科室只能取消登记。
    | Outpatient money goes back at the cashier: the performing department may only cancel the registration."""

    code = "RFD-425"


class RefundNotSent(RequestRefused):
    """HIS 暂时无法连接，退费已排队，尚未记账。 | HIS could not be reached: the refund is queued and not booked yet."""

    code = "RFD-503"
    retryable = True


class RefundOutcomeUnknown(RequestRefused):
    """退费已发往 HIS，结果未知；请用同一 MessageId 和 RefundNo 查询或重发。
    | The refund was sent to HIS and its outcome is unknown: query or resend with the same MessageId and RefundNo."""

    code = "RFD-504"
    retryable = True


class CriticalValueUnknown(RequestRefused):
    """危急值不存在。 | The critical value is unknown."""

    code = "CRV-404"
    retryable = True


class CriticalValueConflict(RequestRefused):
    """危急值编号或确认编号已用于内容不同的报文。 | This critical value or acknowledgement number has other content already."""

    code = "CRV-409"


class CriticalValueCancelled(RequestRefused):
    """危急值已取消。 | The critical value is cancelled."""

    code = "CRV-410"


class OpinionMissing(RequestRefused):
    """处理危急值必须填写处理意见。 | Handling a critical value needs an opinion."""

    code = "CRV-412"


class AcknowledgedBeforePush(RequestRefused):
    """网关尚未收到该危急值，确认已暂存，收到后自动生效。
    | The critical value has not arrived yet: the acknowledgement is kept and applied when it does."""

    code = "CRV-413"
    retryable = True


class CriticalValueAmbiguous(RequestRefused):
    """危急值编号不唯一，请给出 SourceSystem。 | The critical value number is ambiguous: give SourceSystem."""

    code = "CRV-422"


class CriticalValueHandled(RequestRefused):
    """危急值已处理，不能取消。 | The critical value is handled and cannot be cancelled."""

    code = "CRV-423"


class RecordNotAllowed(RequestRefused):
    """没有诊疗关系，或该调阅目的不被允许。 | There is no treatment relation or the purpose is not allowed."""

    code = "EMR-403"


class RecordInvalid(RequestRefused):
    """病历调阅条件不完整。 | The request for the record is incomplete."""

    code = "EMR-400"


class RecordUnknown(RequestRefused):
    """患者或病历不存在。 | The patient or record is unknown."""

    code = "EMR-404"


class RecordPatientMerged(RequestRefused):
    """患者主索引已合并。 | The patient was merged."""

    code = "EMR-409"


class RecordTooLarge(RequestRefused):
    """病历过大，请分页调阅。 | The record is too large: read it page by page."""

    code = "EMR-413"


class RecordQuota(RequestRefused):
    """调阅过于频繁。 | Too many records were read."""

    code = "EMR-429"
    retryable = True


class RecordSystemUnreachable(RequestRefused):
    """电子病历系统暂时无法连接。 | The EMR cannot be reached at the moment."""

    code = "EMR-503"
    retryable = True


class RecordTimeout(RequestRefused):
    """电子病历系统未在时限内应答。 | The EMR did not answer in time."""

    code = "EMR-504"
    retryable = True


class VisitEventInvalid(RequestRefused):
    """就诊事件内容不符合业务规则。 | The visit event breaks a rule."""

    code = "VIS-400"


class VisitEventIllegal(RequestRefused):
    """当前就诊状态不允许该事件。 | The event is not possible in the visit's present state."""

    code = "VIS-409"


class VisitAmbiguous(RequestRefused):
    """就诊不唯一，请给出院区。 | The visit is ambiguous: give the branch."""

    code = "VIS-422"


class QueryInvalid(RequestRefused):
    """查询条件不完整。 | The query is incomplete."""

    code = "QRY-400"


class QueryUnknown(RequestRefused):
    """没有查到符合条件的记录。 | Nothing was found."""

    code = "QRY-404"
