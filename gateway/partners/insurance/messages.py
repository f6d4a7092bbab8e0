"""What is said to an insurance platform, in our words; `fields.py` knows the platform's names for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Function(StrEnum):
    """The functions of the national interface that are used."""

    OUTPATIENT_REGISTER = "2201"
    OUTPATIENT_UPLOAD = "2204"
    OUTPATIENT_WITHDRAW = "2205"
    OUTPATIENT_PRESETTLE = "2206"
    OUTPATIENT_SETTLE = "2207"
    OUTPATIENT_UNSETTLE = "2208"
    INPATIENT_UPLOAD = "2301"
    INPATIENT_WITHDRAW = "2302"
    INPATIENT_PRESETTLE = "2303"
    INPATIENT_SETTLE = "2304"
    INPATIENT_UNSETTLE = "2305"
    INPATIENT_REGISTER = "2401"
    UNDO = "2601"
    """冲正: what came of a message whose answer was lost is undone."""
    TOTALS = "3201"
    DETAILS = "3202"
    SIGN_IN = "9001"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The day's first message of an operator (签到)."""

    operator: str
    ip: str = "127.0.0.1"
    mac: str = "00-00-00-00-00-00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A visit becomes known to the platform (挂号, 入院)."""

    person_no: str
    visit_no: str
    medical_type: str
    insurance_type: str
    began_at: datetime
    dept_code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One line of an upload (费用明细)."""

    detail_no: str
    item_code: str
    insurance_code: str | None
    item_name: str
    quantity: Decimal
    unit_price: Decimal | None
    amount: Decimal
    occurred_at: datetime
    dept_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The details of a charge (明细上传)."""

    person_no: str
    platform_visit_no: str
    batch_no: str
    lines: tuple[Detail, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailReference:
    """One line that was uploaded."""

    detail_no: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """An upload is taken back whole (明细撤销)."""

    person_no: str
    platform_visit_no: str
    batch_no: str
    lines: tuple[DetailReference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What was uploaded of a visit is settled (预结算, 结算); the platform must come to the same total."""

    person_no: str
    platform_visit_no: str
    batch_no: str
    medical_type: str
    insurance_type: str
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementReversal:
    """A settlement is taken back (撤销结算)."""

    person_no: str
    platform_visit_no: str
    settlement_no: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Whatever came of this message is to be undone (冲正)."""

    person_no: str
    message_no: str
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayQuery:
    """What the platform has of a day, for reconciliation (对账)."""

    begin: date
    end: date


Message = SignIn | Registration | Upload | Withdrawal | Settlement | SettlementReversal | Undo | DayQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What stands around every message."""

    function: Function
    message_no: str
    sent_at: datetime
    sign_no: str | None
    message: Message
