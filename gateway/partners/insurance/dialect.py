"""The way to one insurance platform: details of charges, settlements and their reversal, and its books.

The rules behind it are docs/specification/insurance.md. Nothing a message or an answer holds gets into a log.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import count
from threading import Lock
from typing import Any

from gateway.contract import Contract
from gateway.messages.charge import ChargeItemRequest, ChargeItemResponseType
from gateway.messages.common import Result
from gateway.messages.wire import Wire
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.operations.insurance import SETTLE, UNSETTLE, UPLOAD, WITHDRAW
from gateway.operations.insurance_books import InsuranceDetail, InsuranceTotals, InsuranceUnavailable
from gateway.partner_config import InsurancePlatform, Partner
from gateway.partners.addressing import Stamp
from gateway.partners.client import Door, Reply
from gateway.partners.connection import Exchange, exchange
from gateway.partners.failures import UnusableReply, told_as_answer
from gateway.partners.insurance import fields
from gateway.partners.insurance.messages import (
    DayQuery,
    Detail,
    DetailReference,
    Envelope,
    Function,
    Message,
    Registration,
    Settlement,
    SettlementReversal,
    SignIn,
    Undo,
    Upload,
    Withdrawal,
)
from gateway.partners.insurance.signing import SIGNATURES
from gateway.partners.reply import REFUSED_UNREAD
from gateway.terms import VisitType

F = Function

OK = "0"
MAIN: dict[str, tuple[Function, Function]] = {
    UPLOAD: (F.OUTPATIENT_UPLOAD, F.INPATIENT_UPLOAD),
    WITHDRAW: (F.OUTPATIENT_WITHDRAW, F.INPATIENT_WITHDRAW),
    SETTLE: (F.OUTPATIENT_SETTLE, F.INPATIENT_SETTLE),
    UNSETTLE: (F.OUTPATIENT_UNSETTLE, F.INPATIENT_UNSETTLE),
}
"""Operation -> its function for outpatients (and emergencies), for inpatients."""
REGISTER = (F.OUTPATIENT_REGISTER, F.INPATIENT_REGISTER)
PRESETTLE = (F.OUTPATIENT_PRESETTLE, F.INPATIENT_PRESETTLE)
REMEMBERED_VISITS = 10_000
QUESTIONS = 5_000
"""The last four digits of a msgid are below it for deliveries, from it on for questions: they never meet."""


class PlatformRefused(Exception):
    """The platform answered with an infcode other than 0; it has done nothing."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code, self.text = code, text


@dataclass(frozen=True, slots=True)
class Answered:
    """A yes of the platform."""

    reference: str
    """Its own number of the message."""
    output: Any


class Insurance:
    """One platform; any number of threads may use it. Nothing is sent before the first message."""

    def __init__(self, partner: Partner, contract: Contract, wire: Wire, now: Callable[[], datetime]) -> None:
        assert partner.insurance is not None
        self._partner = partner
        self._platform: InsurancePlatform = partner.insurance
        self._now = now
        self._door = Door(partner)
        self._lock = Lock()
        self._questions = count(secrets.randbelow(QUESTIONS))
        self._sign_no: tuple[date, str] | None = None
        self._visits: dict[tuple[str, str, str], str] = {}

    # --- deliveries ---------------------------------------------------------------------------------------------------

    def call(self, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer:
        """Carry out one delivery within `seconds` from now; never raises."""
        with exchange(seconds, self._partner.connect_seconds) as way:
            try:
                message = self._prepared(operation, request, stamp)
            except Exception as problem:
                return _nothing_done(problem, way)
            way.has_left, way.stage = False, "CONNECT"
            try:
                function = _of(MAIN[operation], request)
                answered = self._ask(function, message, message_no(self._platform, stamp))
                return self._yes(request, stamp, answered)
            except Exception as problem:
                return _told(problem, way)

    def find_booking(self, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer | None:
        """Undo a delivery whose answer was lost (2601), so that it can be sent again; None once that is certain.

        A platform that refuses to undo has nothing of it, or refuses its repetition too: either way it has it once at
        most. UNKNOWN when it gave no answer.
        """
        with exchange(seconds, self._partner.connect_seconds) as way:
            try:
                function = _of(MAIN[operation], request)
                lost = message_no(self._platform, stamp)
                undo = Undo(person_no=_person(request), message_no=lost, function=function.value)
                self._ask(F.UNDO, undo, self._fresh_no())
            except PlatformRefused:
                return None
            except Exception as problem:
                return PartnerAnswer(Outcome.UNKNOWN, f"QUERY-{told_as_answer(problem, way).code}")
        return None

    # --- its books, for reconciliation --------------------------------------------------------------------------------

    def insurance_totals(self, day: date) -> InsuranceTotals:
        """What the platform has of a day in all (3201). Raises InsuranceUnavailable."""
        output = self._read(F.TOTALS, day)
        count, amount = fields.found(output, fields.COUNT), fields.found(output, fields.TOTAL)
        return InsuranceTotals(day=day, count=int(count or 0), amount=_money(amount or "0"))

    def insurance_details(self, day: date) -> tuple[InsuranceDetail, ...]:
        """Every line the platform has of a day (3202). Raises InsuranceUnavailable."""
        return tuple(
            InsuranceDetail(
                batch_no=str(row.get(fields.BATCH_NO, "")),
                detail_no=str(row.get(fields.DETAIL_NO, "")),
                visit_no=row.get(fields.VISIT_NO),
                amount=_money(row.get(fields.AMOUNT, "0")),
                state=str(row.get(fields.STATE, "")),
            )
            for row in fields.rows(self._read(F.DETAILS, day), fields.DETAIL_LIST)
        )

    def _read(self, function: Function, day: date) -> Any:
        with exchange(self._partner.total_seconds, self._partner.connect_seconds) as way:
            try:
                return self._ask(function, DayQuery(begin=day, end=day), self._fresh_no()).output
            except Exception as problem:
                raise InsuranceUnavailable(_told(problem, way).code) from None

    # --- what a delivery says -----------------------------------------------------------------------------------------

    def _prepared(self, operation: str, bill: ChargeItemRequest, stamp: Stamp) -> Message:
        """The message, after what has to come before it: signing in, registering the visit, the trial settlement."""
        person, visit_no = _person(bill), self._platform_visit_no(bill, stamp)
        if operation == UPLOAD:
            lines = tuple(_detail(bill, line) for line in bill.lines)
            return Upload(person_no=person, platform_visit_no=visit_no, batch_no=bill.charge_no, lines=lines)
        if operation == WITHDRAW:
            numbers = (fields.detail_no(bill.charge_no, line.line_no) for line in bill.lines)
            references = tuple(DetailReference(detail_no=number) for number in numbers)
            return Withdrawal(person_no=person, platform_visit_no=visit_no, batch_no=bill.charge_no, lines=references)
        if operation == UNSETTLE:
            return SettlementReversal(person_no=person, platform_visit_no=visit_no, settlement_no=bill.charge_no)
        settlement = Settlement(
            person_no=person,
            platform_visit_no=visit_no,
            batch_no=bill.charge_no,
            medical_type=_medical_type(bill),
            insurance_type=self._platform.insutype,
            total=_total(bill),
        )
        self._try_settlement(bill, settlement)
        return settlement

    def _try_settlement(self, bill: ChargeItemRequest, settlement: Settlement) -> None:
        """Settle on trial: a platform that comes to another total is not told to settle."""
        answered = self._ask(_of(PRESETTLE, bill), settlement, self._fresh_no())
        total = fields.found(answered.output, fields.TOTAL)
        if total is None or _money(total) != settlement.total:
            raise PlatformRefused("TOTAL", "医保平台的总额与上传明细不一致。")

    def _platform_visit_no(self, bill: ChargeItemRequest, stamp: Stamp) -> str:
        """The platform's number of the visit: HIS's VisitSeq, or the one it gives on registration, ever the same."""
        visit = bill.visit
        if not self._platform.registers:
            if visit.visit_seq is None:
                raise ValueError("VisitSeq")
            return visit.visit_seq
        origin = stamp.origin
        key = (origin.hospital_code, origin.branch_code, visit.visit_no)
        known = self._visits.get(key)
        return known if known is not None else self._registered(bill, key)

    def _registered(self, bill: ChargeItemRequest, key: tuple[str, str, str]) -> str:
        visit = bill.visit
        message = Registration(
            person_no=_person(bill),
            visit_no=visit.visit_no,
            medical_type=_medical_type(bill),
            insurance_type=self._platform.insutype,
            began_at=bill.occurred_at,
            dept_code=visit.dept_code,
        )
        answered = self._ask(_of(REGISTER, bill), message, _registration_no(self._platform, key))
        number = fields.found(answered.output, fields.PLATFORM_VISIT_NO)
        if number is None:
            raise UnusableReply("OFF-CONTRACT")
        with self._lock:
            if len(self._visits) >= REMEMBERED_VISITS:
                self._visits.clear()
            self._visits[key] = number
        return number

    def _yes(self, bill: ChargeItemRequest, stamp: Stamp, answered: Answered) -> PartnerAnswer:
        result = Result(
            result_code=OK,
            result_text="成功",
            result_text_en="Accepted",
            message_id=stamp.message_id,
            gateway_txn_no=answered.reference,
            duplicate=False,
            retryable=False,
            processed_at=self._now(),
        )
        number = fields.found(answered.output, fields.SETTLEMENT_NO)
        response = ChargeItemResponseType(result=result, charge_no=bill.charge_no, his_charge_no=number)
        return PartnerAnswer(Outcome.ANSWERED, OK, response)

    # --- one function -------------------------------------------------------------------------------------------------

    def _ask(self, function: Function, message: Message, number: str) -> Answered:
        """Send one message and read the answer; signs in first, and again when the platform wants it."""
        try:
            return self._post(function, message, number, self._signed_in())
        except PlatformRefused as refusal:
            if not self._platform.sign_in or refusal.code not in self._platform.sign_in_again:
                raise
        with self._lock:
            self._sign_no = None
        return self._post(function, message, number, self._signed_in())

    def _signed_in(self) -> str | None:
        """Today's sign_no, asked for when there is none."""
        if not self._platform.sign_in:
            return None
        today = self._now().date()
        if self._sign_no is None or self._sign_no[0] != today:
            answered = self._post(F.SIGN_IN, SignIn(operator=self._platform.opter), self._fresh_no(), None)
            number = fields.found(answered.output, fields.SIGN_NO)
            if number is None:
                raise UnusableReply("OFF-CONTRACT")
            self._sign_no = today, number
        return self._sign_no[1]

    def _post(self, function: Function, message: Message, number: str, sign_no: str | None) -> Answered:
        now = self._now()
        envelope = Envelope(function=function, message_no=number, sent_at=now, sign_no=sign_no, message=message)
        body = json.dumps(fields.written(envelope, self._platform), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}
        headers |= SIGNATURES[self._platform.signature](body, self._platform, now)
        headers |= self._door.credentials.http_headers()
        return self._answer(number, self._door.post(str(self._partner.url), body, headers))

    def _answer(self, number: str, reply: Reply) -> Answered:
        content = _content(reply)
        code, reference = str(content["infcode"]).strip(), str(content.get("inf_refmsgid") or "")
        if self._platform.echoes_msgid and reference != number:
            raise UnusableReply("WRONG-REPLY")
        if code != OK:
            raise PlatformRefused(code[:20], str(content.get("err_msg") or "")[:500])
        return Answered(reference, content.get("output"))

    def _fresh_no(self) -> str:
        """The number of a question, which changes nothing however often it is asked."""
        sequence = QUESTIONS + next(self._questions) % QUESTIONS
        return f"{self._platform.fixmedins_code}{self._now():%Y%m%d%H%M%S}{sequence:04d}"


def message_no(platform: InsurancePlatform, stamp: Stamp) -> str:
    """msgid: the hospital, when its message came to the gateway, four digits; the same on every attempt."""
    told = re.fullmatch(r"G(\d{12})\d{3}[0-9a-f]+", stamp.origin.txn_no)
    moment = f"20{told[1]}" if told else "0" * 14
    delivery = int(re.sub(r"\D", "", stamp.message_id) or 0)
    return f"{platform.fixmedins_code}{moment}{delivery % QUESTIONS:04d}"


def _registration_no(platform: InsurancePlatform, visit: tuple[str, str, str]) -> str:
    """msgid of a visit's registration, which every upload may have to repeat: eighteen digits of the visit itself."""
    digest = int(hashlib.sha256("|".join(visit).encode()).hexdigest(), 16)
    return f"{platform.fixmedins_code}{digest % 10**18:018d}"


def _content(reply: Reply) -> dict[str, Any]:
    """The JSON object of an answer. Raises UnusableReply, which says what came instead."""
    if reply.status != 200:
        raise UnusableReply(f"HTTP-{reply.status}", REFUSED_UNREAD.get(reply.status, Outcome.UNKNOWN))
    if not reply.body.strip():
        raise UnusableReply("EMPTY", detail="The reply has no content.")
    try:
        content = json.loads(reply.body.decode("utf-8-sig"), parse_float=Decimal)
    except (ValueError, RecursionError):
        page = reply.body.lstrip()[:1] == b"<"
        what = "A web page or XML came instead of JSON." if page else "The reply is no JSON, or only a part of it."
        raise UnusableReply("NOT-JSON", detail=what) from None
    if not isinstance(content, dict) or content.get("infcode") in (None, ""):
        raise UnusableReply("OFF-CONTRACT", detail="The JSON of the reply has no infcode.")
    return content


def _told(problem: Exception, way: Exchange) -> PartnerAnswer:
    if isinstance(problem, PlatformRefused):
        return PartnerAnswer(Outcome.ANSWERED, problem.code, None, problem.text)
    return told_as_answer(problem, way)


def _nothing_done(problem: Exception, way: Exchange) -> PartnerAnswer:
    """What goes before a delivery has failed, so that nothing of the delivery itself has happened."""
    answer = _told(problem, way)
    return PartnerAnswer(Outcome.NOT_SENT, answer.code) if answer.outcome is Outcome.UNKNOWN else answer


def _of(pair: tuple[Function, Function], bill: ChargeItemRequest) -> Function:
    return pair[bill.visit.visit_type == VisitType.INPATIENT]


def _person(bill: ChargeItemRequest) -> str:
    """Raises ValueError for an insured visit without InsuranceNo."""
    if not bill.visit.insurance_no:
        raise ValueError("InsuranceNo")
    return bill.visit.insurance_no


def _medical_type(bill: ChargeItemRequest) -> str:
    return fields.MEDICAL_TYPES.get(bill.visit.visit_type, fields.ORDINARY)


def _detail(bill: ChargeItemRequest, line: Any) -> Detail:
    return Detail(
        detail_no=fields.detail_no(bill.charge_no, line.line_no),
        item_code=line.charge_code,
        insurance_code=line.insurance_code,
        item_name=line.item_name,
        quantity=line.quantity,
        unit_price=line.unit_price,
        amount=line.actual_amount,
        occurred_at=bill.occurred_at,
        dept_code=bill.perform_dept_code,
    )


def _total(bill: ChargeItemRequest) -> Decimal:
    return sum((line.actual_amount or Decimal(0) for line in bill.lines), Decimal("0.00"))


def _money(value: Any) -> Decimal:
    """An amount, whether the platform writes it as a number or as text."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise UnusableReply("OFF-CONTRACT") from None
