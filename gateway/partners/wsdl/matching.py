"""Proposes which operation and which field of a partner is which of ours, by their names alone; a person decides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.contract import Contract
from gateway.partners.wsdl.describing import Field, Operation, Port

DEPARTMENT = ("SubmitRequisition", "AcknowledgeCriticalValue")
RECEIVES = {
    "HIS": ("ReportStatus", "SubmitReport", "ChargeItem", "RefundItem", "PushCriticalValue"),
    "EMR": ("SubmitReport", "PushCriticalValue", "GetMedicalRecord"),
}
"""What a system whose name holds this word is usually sent; every other one is a performing department."""
NAMES_ITS_OPERATIONS = ("typed", "single", "hl7-string")
"""Dialects in which the partner's operation itself says what it does."""

_CRITICAL = r"critical|crisis|panic|danger|危急"
_ANSWER = r"ack|confirm|handle|reply|feedback|opinion|确认|处理|反馈"
WORDS: dict[str, str] = {
    "RefundItem": r"refund|退费|return_?fee|(cancel|back)_?(charge|fee|bill)",
    "AcknowledgeCriticalValue": rf"({_ANSWER}).*({_CRITICAL})|({_CRITICAL}).*({_ANSWER})",
    "PushCriticalValue": _CRITICAL,
    "ReportStatus": r"status|stauts|state|regist|状态|登记",
    "ChargeItem": r"charge|fee|bill|计费|收费|记账",
    "GetMedicalRecord": r"(get|query|find|read|调阅|查询).*(record|history|emr|病历)",
    "SubmitReport": r"report|result|报告|结果",
    "SubmitRequisition": r"requisition|appl[iy]|order|request|申请|医嘱|开单",
    "ReportVisitEvent": r"visit|admit|discharge|inout|就诊|入院|出院",
}
"""Ours -> words in the name of the partner's operation that carries it out; the first that fits is taken."""
_READS = re.compile(r"^(get|query|find|read|select|list|load|search|查询|获取|调阅)|(query|get)$", re.IGNORECASE)
_UNDOES = re.compile(r"cancel|delete|remove|modify|update|取消|删除|修改", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One operation of ours, and the partner's that may carry it out."""

    ours: str
    theirs: Operation | None
    """None in a style where all messages go to one operation."""


def propose(name: str, dialect: str, port: Port) -> tuple[Proposal, ...]:
    """What a partner of this name may be sent, and by which of its operations."""
    upper = name.upper()
    usual = next((RECEIVES[word] for word in RECEIVES if word in upper), DEPARTMENT)
    if dialect not in NAMES_ITS_OPERATIONS:
        return tuple(Proposal(ours, None) for ours in usual)
    fits: dict[str, Operation] = {}
    for operation in port.operations:
        ours = _ours(operation)
        if ours is not None and operation.parameters and not _is_better(fits.get(ours), operation):
            fits[ours] = operation
    if not any(ours in fits for ours in usual):
        first = next((one for one in port.operations if one.parameters), port.operations[0])
        fits = {usual[0]: first} | {ours: one for ours, one in fits.items() if one is not first}
    order = [*(ours for ours in usual if ours in fits), *(ours for ours in fits if ours not in usual)]
    return tuple(Proposal(ours, fits[ours]) for ours in order)


def _ours(operation: Operation) -> str | None:
    for ours, words in WORDS.items():
        if re.search(words, operation.name, re.IGNORECASE):
            reads = _READS.search(operation.name) is not None
            return ours if reads == (ours == "GetMedicalRecord") else None
    return None


def _is_better(known: Operation | None, other: Operation) -> bool:
    """Of several that fit, one that undoes nothing, and then the first."""
    return known is not None and not (_UNDOES.search(known.name) and not _UNDOES.search(other.name))


# --- Fields -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OurField:
    """One value of a message of ours."""

    path: str
    """From below Request or Response."""
    chinese: str
    type: str
    optional: bool
    in_list: str
    """The path of the list it stands in; empty for none."""


def our_fields(contract: Contract, type_name: str) -> tuple[OurField, ...]:
    """All values of a message type, in order."""
    return tuple(_fields(contract, type_name, "", ""))


def _fields(contract: Contract, type_name: str, path: str, in_list: str) -> Iterator[OurField]:
    for field in contract.message_types[type_name].fields:
        here = f"{path}{field.name}"
        inner = contract.message_types.get(field.type_name)
        if inner is None:
            yield OurField(here, field.chinese, contract.primitive_of(field.type_name), field.optional, in_list)
        elif field.type_name != type_name:
            is_list = contract.message_types[type_name].is_list
            yield from _fields(contract, field.type_name, f"{here}/", here if is_list else in_list)


class Fields:
    """Finds the field of ours that a name of the partner's may mean."""

    def __init__(self, fields: tuple[OurField, ...]) -> None:
        self._all = fields
        self._by_name: dict[str, list[OurField]] = {}
        for field in fields:
            words = field.path.split("/")
            for count in range(1, min(len(words), 3) + 1):
                self._by_name.setdefault(_plain("".join(words[-count:])), []).append(field)

    def meant(self, name: str, in_list: str = "") -> OurField | None:
        """The one that has this name in this list; of several the least deep."""
        plain = _plain(name)
        entry = _plain(in_list.rpartition("/")[2])  # Code in an Item is our ItemCode
        for candidate in (plain, SYNONYMS.get(plain, ""), f"{entry}{plain}" if entry else ""):
            found = [field for field in self._by_name.get(candidate, ()) if field.in_list == in_list]
            if found:
                return min(found, key=lambda field: field.path.count("/"))
        return None

    def list_for(self, field: Field) -> str:
        """The list of ours whose entries share most names with those of a repeated element; empty for none."""
        names = [child.name for child in field.children]
        scores = {
            path: sum(self.meant(name, path) is not None for name in names) + 2 * _same_thing(field.name, path)
            for path in dict.fromkeys(one.in_list for one in self._all if one.in_list)
        }
        best = max(scores, key=lambda path: scores[path], default="")
        return best if best and scores[best] else ""


def _same_thing(name: str, path: str) -> bool:
    return _plain(name).rstrip("s").endswith(_plain(path.rpartition("/")[2]).rstrip("s"))


def _plain(name: str) -> str:
    return re.sub(r"[^0-9a-z\u4e00-\u9fff]", "", name.lower())


SYNONYMS = {
    "name": "patientname",
    "patname": "patientname",
    "sex": "sexcode",
    "gender": "sexcode",
    "birthday": "birthdate",
    "dob": "birthdate",
    "age": "agetext",
    "idcard": "idno",
    "idcardno": "idno",
    "tel": "phone",
    "telephone": "phone",
    "applyno": "requisitionno",
    "applicationno": "requisitionno",
    "requestno": "requisitionno",
    "reqno": "requisitionno",
    "patid": "patientid",
    "visitid": "visitno",
    "bed": "bedno",
    "ward": "wardcode",
    "dept": "deptcode",
    "applydept": "orderingdeptcode",
    "applydoctor": "orderingdoctorcode",
    "applytime": "orderedat",
    "execdept": "performdeptcode",
    "diagnosis": "diagnosesdiagnosisname",
    "diag": "diagnosesdiagnosisname",
    "price": "unitprice",
    "qty": "quantity",
    "msgid": "messageid",
    "hospitalid": "hospitalcode",
    "orgcode": "hospitalcode",
}
"""What vendors often call a field of ours."""
