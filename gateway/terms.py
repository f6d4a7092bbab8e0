"""The closed sets all parts speak of. Made from xsd/ by messages/generate.py; change the XSD, not this file."""

from __future__ import annotations

from enum import StrEnum


class SexCode(StrEnum):
    """Sex (GB/T 2261.1). 性别代码（GB/T 2261.1）."""

    UNKNOWN = "0"
    """unknown. 未知."""
    MALE = "1"
    """male. 男."""
    FEMALE = "2"
    """female. 女."""
    NOT_STATED = "9"
    """not stated. 未说明."""


class VisitType(StrEnum):
    """Kind of visit (CV09.00.404). 就诊类型（CV09.00.404）."""

    OUTPATIENT = "1"
    """outpatient. 门诊."""
    EMERGENCY = "2"
    """emergency. 急诊."""
    INPATIENT = "3"
    """inpatient. 住院."""
    OTHER = "9"
    """other, health check included. 其他，含体检."""


class RequisitionType(StrEnum):
    """Kind of requisition. 申请单类型."""

    EXAM = "EXAM"
    """imaging examination. 检查."""
    LAB = "LAB"
    """laboratory. 检验."""
    PATH = "PATH"
    """pathology. 病理."""
    US = "US"
    """ultrasound. 超声."""
    ENDO = "ENDO"
    """endoscopy. 内镜."""
    ECG = "ECG"
    """electrocardiogram. 心电."""
    NM = "NM"
    """nuclear medicine. 核医学."""
    OP = "OP"
    """operation. 手术."""
    ANES = "ANES"
    """anaesthesia. 麻醉."""
    BLOOD = "BLOOD"
    """blood transfusion. 输血."""


class StatusCode(StrEnum):
    """State of a requisition or of one of its items. 状态代码."""

    HELD = "00"
    """held until paid or sent. 待缴费."""
    RELEASED = "10"
    """released. 待执行."""
    BOOKED = "20"
    """booked. 已预约."""
    IN_PROGRESS = "30"
    """registered, in progress. 执行中."""
    EXAMINED = "40"
    """examined. 检查完成."""
    PRELIMINARY = "50"
    """preliminary report. 初步报告."""
    REPORTED = "60"
    """reported. 已审核."""
    STOPPED = "85"
    """stopped. 已终止."""
    CANCELLED = "90"
    """cancelled. 已取消."""
    REJECTED = "91"
    """rejected. 已退单."""


class TransactionState(StrEnum):
    """State of a charge or refund. 计费/退费交易状态."""

    PROPOSED = "PROPOSED"
    """accepted, not sent yet. 已受理未发送."""
    SENT = "SENT"
    """sent, no answer yet. 已发送."""
    CONFIRMED = "CONFIRMED"
    """booked. 已记账."""
    REJECTED = "REJECTED"
    """refused by HIS. 已拒绝."""
    PENDING_CONFIRM = "PENDING_CONFIRM"
    """outcome unknown. 结果待确认."""
    REVERSED = "REVERSED"
    """reversed. 已冲正."""
    MANUAL = "MANUAL"
    """settled by hand. 人工处理."""


class RequisitionAction(StrEnum):
    """What to do with the requisition. 申请单操作."""

    NEW = "NEW"
    """new. 新增."""
    UPDATE = "UPDATE"
    """change it, or tell of the payment. 修改或告知缴费."""
    CANCEL = "CANCEL"
    """cancel it. 取消."""


class ReleaseEvent(StrEnum):
    """Why it may be performed; absent means held. 放行事件."""

    PAID = "PAID"
    """paid. 已缴费."""
    NURSE_SENT = "NURSE_SENT"
    """sent by the nurse. 护士已发送."""
    GREEN_CHANNEL = "GREEN_CHANNEL"
    """green channel, charged later. 绿色通道."""
    PREPAID_CARD = "PREPAID_CARD"
    """paid from a prepaid card. 预交金扣费."""
    HEALTH_CHECK = "HEALTH_CHECK"
    """health check. 体检."""


class Priority(StrEnum):
    """Priority. 优先级."""

    ROUTINE = "ROUTINE"
    """routine. 普通."""
    URGENT = "URGENT"
    """urgent. 急."""
    STAT = "STAT"
    """at once, at the bedside. 特急/床旁."""


class DiagnosisType(StrEnum):
    """Kind of diagnosis. 诊断类型."""

    MAIN = "MAIN"
    """main. 主要诊断."""
    OTHER = "OTHER"
    """other. 其他诊断."""
    TCM = "TCM"
    """traditional Chinese medicine. 中医诊断."""


class GatewayStatus(StrEnum):
    """Whether the gateway lets it be performed. 网关放行状态."""

    RELEASED = "RELEASED"
    """released. 已放行."""
    HELD = "HELD"
    """held. 待缴费."""
    CANCELLED = "CANCELLED"
    """cancelled. 已取消."""


class StatusEvent(StrEnum):
    """What happened to the requisition. 状态事件."""

    BOOK = "BOOK"
    """booked. 预约."""
    UNBOOK = "UNBOOK"
    """booking withdrawn. 取消预约."""
    REGISTER = "REGISTER"
    """registered, or specimen received. 登记或标本接收."""
    CANCEL_REG = "CANCEL_REG"
    """registration withdrawn. 取消登记."""
    EXAM_DONE = "EXAM_DONE"
    """examination done. 检查完成."""
    STOP = "STOP"
    """stopped unfinished. 终止."""
    REJECT = "REJECT"
    """rejected by the department. 退单."""
    PRELIM = "PRELIM"
    """preliminary report. 初步报告."""
    FINAL = "FINAL"
    """final report. 审核报告."""
    WITHDRAW = "WITHDRAW"
    """report withdrawn. 召回报告."""


class ReportAction(StrEnum):
    """What to do with the report. 报告操作."""

    FINAL = "FINAL"
    """final. 审核发布."""
    PRELIM = "PRELIM"
    """preliminary. 初步报告."""
    AMEND = "AMEND"
    """amended. 修订."""
    WITHDRAW = "WITHDRAW"
    """withdrawn. 召回."""


class ReportType(StrEnum):
    """Kind of report. 报告类型."""

    EXAM = "EXAM"
    """examination. 检查."""
    LAB = "LAB"
    """laboratory. 检验."""
    PATH = "PATH"
    """pathology. 病理."""
    ECG = "ECG"
    """electrocardiogram. 心电."""


class PositiveFlag(StrEnum):
    """Positive or negative. 阴阳性."""

    NEGATIVE = "0"
    """negative. 阴性."""
    POSITIVE = "1"
    """positive. 阳性."""
    UNCERTAIN = "9"
    """uncertain. 不确定."""


class AbnormalFlag(StrEnum):
    """Abnormal flag (HL7 0078). 异常标志（HL7 0078）."""

    N = "N"
    """normal. 正常."""
    L = "L"
    """low. 偏低."""
    H = "H"
    """high. 偏高."""
    LL = "LL"
    """critically low. 危急低."""
    HH = "HH"
    """critically high. 危急高."""
    A = "A"
    """abnormal. 异常."""
    AA = "AA"
    """very abnormal. 严重异常."""


class Susceptibility(StrEnum):
    """Susceptibility. 药敏结果."""

    S = "S"
    """susceptible. 敏感."""
    I = "I"
    """intermediate. 中介."""
    R = "R"
    """resistant. 耐药."""


class ReportFileFormat(StrEnum):
    """Format of a report file. 报告文件格式."""

    PDF = "PDF"
    """PDF. PDF."""
    CDA = "CDA"
    """CDA. CDA."""
    JPG = "JPG"
    """JPEG. JPEG."""
    XML = "XML"
    """XML. XML."""


class ChargePoint(StrEnum):
    """When an item is charged. 计费点."""

    NURSE_SEND = "NURSE_SEND"
    """when the nurse sends it. 护士发送."""
    REGISTER = "REGISTER"
    """when the department registers it. 登记."""
    SUPPLEMENT = "SUPPLEMENT"
    """afterwards, in addition. 补费."""


class Initiator(StrEnum):
    """Who starts a refund. 退费发起方."""

    PERFORM_DEPT = "PERFORM_DEPT"
    """performing department. 执行科室."""
    HIS_DOCTOR = "HIS_DOCTOR"
    """doctor, in HIS. 医生."""
    CASHIER = "CASHIER"
    """cashier. 收费处."""
    NURSE = "NURSE"
    """nurse. 护士."""


class RefundReason(StrEnum):
    """Why money goes back. 退费原因."""

    DEVICE_FAULT = "DEVICE_FAULT"
    """device fault. 设备故障."""
    PATIENT_REFUSED = "PATIENT_REFUSED"
    """patient refused. 患者拒绝."""
    DUPLICATE = "DUPLICATE"
    """duplicate. 重复."""
    WRONG_ITEM = "WRONG_ITEM"
    """wrong item. 项目错误."""
    WARD_PERFORMED = "WARD_PERFORMED"
    """performed by the ward. 病区已执行."""
    COMPLAINT_WAIVER = "COMPLAINT_WAIVER"
    """waived after a complaint. 投诉减免."""
    CANCELLED_ORDER = "CANCELLED_ORDER"
    """order cancelled. 医嘱取消."""
    PRICE_ERROR = "PRICE_ERROR"
    """wrong price. 价格错误."""
    OTHER = "OTHER"
    """other. 其他."""


class AckType(StrEnum):
    """Kind of acknowledgement. 确认类型."""

    READ = "READ"
    """first read. 首次阅读."""
    RECEIVE_NURSE = "RECEIVE_NURSE"
    """received by a nurse. 护士接收."""
    FORWARD_DOCTOR = "FORWARD_DOCTOR"
    """passed to the doctor. 转医生."""
    RECEIVE_DOCTOR = "RECEIVE_DOCTOR"
    """received by a doctor. 医生接收."""
    HANDLE = "HANDLE"
    """handled. 处理."""
    TRANSFER = "TRANSFER"
    """passed to somebody else. 转发."""
    TECH_CONFIRM = "TECH_CONFIRM"
    """outcome confirmed by the reporting department. 医技确认处理结果."""
    UNREACHABLE = "UNREACHABLE"
    """nobody reached. 未联系到."""


class CriticalStatus(StrEnum):
    """State of a critical value. 危急值状态."""

    NEW = "10"
    """new. 新建."""
    NOTIFIED = "20"
    """notified. 已通知."""
    NURSE_RECEIVED = "30"
    """received by a nurse. 护士已接收."""
    DOCTOR_RECEIVED = "40"
    """received by a doctor. 医生已接收."""
    HANDLED = "50"
    """handled. 已处理."""
    CLOSED = "60"
    """closed. 已关闭."""
    CANCELLED = "90"
    """cancelled. 已取消."""


class RecordScope(StrEnum):
    """Which visits. 调阅范围."""

    THIS_VISIT = "THIS_VISIT"
    """this visit. 本次就诊."""
    ALL_VISITS = "ALL_VISITS"
    """all visits. 全部就诊."""


class ReturnMode(StrEnum):
    """How the record comes back. 返回方式."""

    DATA = "DATA"
    """as data. 数据."""
    VIEW_URL = "VIEW_URL"
    """as an address to open once. 浏览地址."""


class RecordPurpose(StrEnum):
    """Why the record is read. 调阅目的."""

    TREAT = "TREAT"
    """treatment. 诊疗."""
    QC = "QC"
    """quality control. 质控."""
    RESEARCH = "RESEARCH"
    """research. 科研."""
    CLAIM = "CLAIM"
    """insurance claim. 理赔."""
    REGIONAL = "REGIONAL"
    """regional exchange. 区域共享."""


class VisitEvent(StrEnum):
    """What happened to a visit. 就诊事件."""

    ADMIT = "ADMIT"
    """registered or admitted. 挂号或入院."""
    TRANSFER = "TRANSFER"
    """transferred. 转科转床."""
    DISCHARGE = "DISCHARGE"
    """discharged. 出院."""
    CANCEL_DISCHARGE = "CANCEL_DISCHARGE"
    """discharge withdrawn. 取消出院."""
    SETTLE = "SETTLE"
    """settled. 结算."""
    UNSETTLE = "UNSETTLE"
    """settlement withdrawn. 取消结算."""
    CANCEL_VISIT = "CANCEL_VISIT"
    """visit cancelled. 退号或取消入院."""
    MERGE = "MERGE"
    """patients merged. 患者合并."""
    SPLIT = "SPLIT"
    """merged patients split again. 患者拆分."""
    IDENTIFY = "IDENTIFY"
    """unidentified patient identified. 无名氏确认身份."""


class VisitState(StrEnum):
    """State of a visit. 就诊状态."""

    UNKNOWN = "UNKNOWN"
    """unknown. 未知."""
    OPEN = "OPEN"
    """open. 在诊或在院."""
    DISCHARGED = "DISCHARGED"
    """discharged. 已出院."""
    SETTLED = "SETTLED"
    """settled. 已结算."""
    CANCELLED = "CANCELLED"
    """cancelled. 已取消."""
