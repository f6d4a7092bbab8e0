"""The names of the national insurance interface for what `messages.py` says; nothing else here knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from gateway.partner_config import InsurancePlatform
from gateway.partners.insurance.messages import (
    DayQuery,
    Detail,
    DetailReference,
    Envelope,
    Function,
    Registration,
    Settlement,
    SettlementReversal,
    SignIn,
    Undo,
    Upload,
    Withdrawal,
)
from gateway.terms import VisitType

F = Function

_PERSON_AND_VISIT = {"person_no": "psn_no", "platform_visit_no": "mdtrt_id"}
FIELDS: dict[type[Any], dict[str, str]] = {
    SignIn: {"operator": "opter_no", "ip": "ip", "mac": "mac"},
    Registration: {
        "person_no": "psn_no",
        "visit_no": "ipt_otp_no",
        "medical_type": "med_type",
        "insurance_type": "insutype",
        "began_at": "begntime",
        "dept_code": "dept_code",
    },
    Upload: {**_PERSON_AND_VISIT, "batch_no": "chrg_bchno"},
    Detail: {
        "detail_no": "feedetl_sn",
        "item_code": "medins_list_codg",
        "insurance_code": "med_list_codg",
        "item_name": "medins_list_name",
        "quantity": "cnt",
        "unit_price": "pric",
        "amount": "det_item_fee_sumamt",
        "occurred_at": "fee_ocur_time",
        "dept_code": "bilg_dept_codg",
    },
    Withdrawal: {**_PERSON_AND_VISIT, "batch_no": "chrg_bchno"},
    DetailReference: {"detail_no": "feedetl_sn"},
    Settlement: {
        **_PERSON_AND_VISIT,
        "batch_no": "chrg_bchno",
        "medical_type": "med_type",
        "insurance_type": "insutype",
        "total": "medfee_sumamt",
    },
    SettlementReversal: {**_PERSON_AND_VISIT, "settlement_no": "setl_id"},
    Undo: {"person_no": "psn_no", "message_no": "omsgid", "function": "oinfno"},
    DayQuery: {"begin": "stmt_begndate", "end": "stmt_enddate"},
}
"""Message -> our name -> the platform's. A field that has no value is left out."""

SECTIONS: dict[Function, tuple[str, bool]] = {
    F.SIGN_IN: ("signIn", False),
    F.OUTPATIENT_REGISTER: ("data", False),
    F.OUTPATIENT_UPLOAD: ("feedetail", True),
    F.OUTPATIENT_WITHDRAW: ("data", False),
    F.OUTPATIENT_PRESETTLE: ("data", False),
    F.OUTPATIENT_SETTLE: ("data", False),
    F.OUTPATIENT_UNSETTLE: ("data", False),
    F.INPATIENT_UPLOAD: ("feedetail", True),
    F.INPATIENT_WITHDRAW: ("data", True),
    F.INPATIENT_PRESETTLE: ("data", False),
    F.INPATIENT_SETTLE: ("data", False),
    F.INPATIENT_UNSETTLE: ("data", False),
    F.INPATIENT_REGISTER: ("mdtrtinfo", False),
    F.UNDO: ("data", False),
    F.TOTALS: ("data", False),
    F.DETAILS: ("data", False),
}
"""The section of `input` a message stands in, and whether it is a list with an entry for every line."""

MEDICAL_TYPES = {VisitType.OUTPATIENT: "11", VisitType.EMERGENCY: "13", VisitType.INPATIENT: "21"}
"""Kind of visit -> med_type (医疗类别): ordinary outpatient, emergency, ordinary inpatient."""
ORDINARY = "11"

PLATFORM_VISIT_NO, SETTLEMENT_NO, SIGN_NO, TOTAL = "mdtrt_id", "setl_id", "sign_no", "medfee_sumamt"
"""Fields of `output` that are read, wherever in it they stand: platforms differ in the sections they use."""
COUNT, DETAIL_LIST = "setl_cnt", "detail"
BATCH_NO, DETAIL_NO, VISIT_NO, AMOUNT, STATE = "chrg_bchno", "feedetl_sn", "ipt_otp_no", "det_item_fee_sumamt", "state"

_DETAIL_NO = re.compile(r"[G-]")


def written(envelope: Envelope, platform: InsurancePlatform) -> dict[str, Any]:
    """A message with its envelope, as the platform reads it."""
    return {
        "infno": envelope.function.value,
        "msgid": envelope.message_no,
        "mdtrtarea_admvs": platform.mdtrtarea_admvs,
        "insuplc_admdvs": platform.insuplc_admdvs or platform.mdtrtarea_admvs,
        "recer_sys_code": platform.recer_sys_code,
        "dev_no": None,
        "dev_safe_info": None,
        "cainfo": None,
        "signtype": None,
        "infver": platform.infver,
        "opter_type": platform.opter_type,
        "opter": platform.opter,
        "opter_name": platform.opter_name,
        "inf_time": f"{envelope.sent_at:%Y-%m-%d %H:%M:%S}",
        "fixmedins_code": platform.fixmedins_code,
        "sign_no": envelope.sign_no,
        "input": _input(envelope),
    }


def _input(envelope: Envelope) -> dict[str, Any]:
    section, by_line = SECTIONS[envelope.function]
    zone = envelope.sent_at.tzinfo
    common = _named(envelope.message, zone)
    if not by_line:
        return {section: common}
    lines = getattr(envelope.message, "lines", ())
    return {section: [common | _named(line, zone) for line in lines]}


def _named(message: Any, zone: tzinfo | None) -> dict[str, str]:
    names = FIELDS[type(message)]
    values = {field.name: getattr(message, field.name) for field in fields(message) if field.name in names}
    return {names[ours]: _text(value, zone) for ours, value in values.items() if value is not None}


def _text(value: Any, zone: tzinfo | None) -> str:
    """A value as the platform reads it: times in hospital time without a zone, money and quantities exactly.

    A JSON number would pass through binary fractions at many platforms.
    """
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return value.isoformat() if isinstance(value, date) else str(value)


def detail_no(batch_no: str, line_no: int) -> str:
    """The number of a line at the platform (feedetl_sn, 30 characters): the batch without its dashes, then the line."""
    return f"{_DETAIL_NO.sub('', batch_no)}{line_no:03d}"


def found(output: Any, name: str) -> str | None:
    """The first value of that name anywhere in `output`."""
    return next((str(value) for value in _values(output, name) if value not in (None, "")), None)


def rows(output: Any, section: str) -> list[Mapping[str, Any]]:
    """The entries of a list of that name anywhere in `output`."""
    for value in _values(output, section):
        if isinstance(value, list):
            return [entry for entry in value if isinstance(entry, dict)]
    return []


def _values(output: Any, name: str) -> Iterator[Any]:
    if isinstance(output, dict):
        if name in output:
            yield output[name]
        for value in output.values():
            yield from _values(value, name)
    elif isinstance(output, list):
        for value in output:
            yield from _values(value, name)
