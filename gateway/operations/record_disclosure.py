"""What leaves the gateway of a record: no more than was asked for and allowed, masked where it must be.

Only the answer to the reader is masked here, never what is forwarded to HIS, EMR or a department
(docs/specification/records.md, "Masking").
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from gateway import masking
from gateway.errors import RecordSystemUnreachable, RecordTooLarge
from gateway.messages.common import Patient
from gateway.messages.medical_record import (
    GetMedicalRecordResponseType,
    RecordDocument,
    RecordOrder,
    RecordSection,
    RecordVisit,
)
from gateway.model.record import Mask
from gateway.operations.record_access import Access
from gateway.terms import RecordScope, ReturnMode

OLDEST = 90
"""The highest age that research is told: older people are few enough to be recognised."""
NOBODY = masking.STAR * 3


def disclose(
    record: GetMedicalRecordResponseType, access: Access, *, today: date, most_bytes: int
) -> GetMedicalRecordResponseType:
    """The record as the reader gets it. Raises what keeps it from leaving."""
    record = _masked(_narrowed(record, access), access, today)
    _check_size(record, most_bytes)
    return record


# --- no more than was asked for ---------------------------------------------------------------------------------------


def _narrowed(record: GetMedicalRecordResponseType, access: Access) -> GetMedicalRecordResponseType:
    """An EMR that answers generously must not widen what may be read."""
    if access.request.return_mode is ReturnMode.VIEW_URL and record.view_url is not None:
        return replace(record, visits=(), view_url=_checked(record.view_url))
    visits = tuple(_without_extras(visit, access) for visit in record.visits if _is_wanted(visit, access))
    if access.request.scope is RecordScope.ALL_VISITS:
        return replace(record, visits=visits, view_url=None)
    return replace(record, visits=visits[:1], view_url=None, total_count=len(visits[:1]))


def _checked(view_url: str) -> str:
    if not view_url.startswith(("https://", "http://")):
        raise RecordSystemUnreachable("电子病历系统返回的浏览地址无效。", "The EMR answered with no usable address.")
    return view_url


def _is_wanted(visit: RecordVisit, access: Access) -> bool:
    if access.visit_no is not None:
        return visit.visit_no == access.visit_no
    if access.request.scope is RecordScope.THIS_VISIT:
        return True
    first, last = access.request.date_from or date.min, access.request.date_to or date.max
    began = visit.started_at.date() if visit.started_at is not None else None
    ended = visit.ended_at.date() if visit.ended_at is not None else date.max
    return began is None or (began <= last and ended >= first)


def _without_extras(visit: RecordVisit, access: Access) -> RecordVisit:
    sections = tuple(section for section in visit.sections if access.shows(section.code))
    return replace(visit, sections=sections, orders=visit.orders if access.request.include_orders else ())


def _check_size(record: GetMedicalRecordResponseType, most_bytes: int) -> None:
    """An answer that old clients could not take is refused whole, and the caller told how many visits would fit."""
    size = sum(_size(visit) for visit in record.visits)
    if size <= most_bytes:
        return
    fits = max(len(record.visits) * most_bytes // size, 1)
    if len(record.visits) > 1:
        raise RecordTooLarge(f"请将 PageSize 减至 {fits}。", f"Ask with a PageSize of {fits}.")
    raise RecordTooLarge("请用 Sections 分部分调阅。", "Ask for its Sections one by one.")


def _size(visit: RecordVisit) -> int:
    texts = [document.content or "" for section in visit.sections for document in section.documents]
    return 500 + sum(500 + len(text.encode()) for text in texts) + 300 * len(visit.orders)


# --- masked -----------------------------------------------------------------------------------------------------------


def _masked(record: GetMedicalRecordResponseType, access: Access, today: date) -> GetMedicalRecordResponseType:
    if access.mask is Mask.NONE:
        return record
    if record.patient is None:
        raise RecordSystemUnreachable(
            "电子病历系统未返回患者信息，无法脱敏。", "The EMR did not say whose record it is: it cannot be masked."
        )
    is_insurer = access.mask is Mask.INSURER
    hide = _for_insurer(record.patient) if is_insurer else _for_research(record.patient, access, today)
    return replace(
        record,
        patient=hide.patient(record.patient),
        visits=tuple(hide.visit(visit) for visit in record.visits),
        masked=True,
        view_url=None,
    )


@dataclass(frozen=True, slots=True)
class _Hiding:
    """How one patient is hidden: what becomes of texts and of the hospital's numbers."""

    patient: Callable[[Patient], Patient]
    text: Callable[[str], str]
    number: Callable[[str], str]
    shows_staff: bool

    def visit(self, visit: RecordVisit) -> RecordVisit:
        return replace(
            visit,
            visit_no=self.number(visit.visit_no),
            visit_seq=visit.visit_seq if self.shows_staff else None,
            sections=tuple(self.section(section) for section in visit.sections),
            orders=tuple(self.order(order) for order in visit.orders),
        )

    def section(self, section: RecordSection) -> RecordSection:
        return replace(section, documents=tuple(self.document(document) for document in section.documents))

    def document(self, document: RecordDocument) -> RecordDocument:
        """Without its address: what lies there is not masked."""
        return replace(
            document,
            doc_id=self.number(document.doc_id),
            title=self.text(document.title),
            content=self.text(document.content) if document.content is not None else None,
            author_code=document.author_code if self.shows_staff else None,
            author_name=document.author_name if self.shows_staff else None,
            url=None,
        )

    def order(self, order: RecordOrder) -> RecordOrder:
        return replace(
            order,
            order_no=self.number(order.order_no),
            order_text=self.text(order.order_text),
            doctor_name=order.doctor_name if self.shows_staff else None,
        )


def _for_insurer(patient: Patient) -> _Hiding:
    return _Hiding(_insured, _scrubber(patient, shown=True), lambda number: number, shows_staff=True)


def _insured(patient: Patient) -> Patient:
    return replace(
        patient,
        patient_name=masking.name(patient.patient_name),
        id_no=masking.id_no(patient.id_no) if patient.id_no is not None else None,
        phone=masking.phone(patient.phone) if patient.phone is not None else None,
        address=masking.address(patient.address) if patient.address is not None else None,
    )


def _for_research(patient: Patient, access: Access, today: date) -> _Hiding:
    key = access.authorization.pseudonym_key if access.authorization is not None else b""

    def pseudonym(number: str) -> str:
        return hmac.new(key, number.encode(), hashlib.sha256).hexdigest()[:20].upper()

    def subject(patient: Patient) -> Patient:
        return Patient(
            patient_id=pseudonym(patient.patient_id),
            patient_name=NOBODY,
            sex_code=patient.sex_code,
            age_text=_age(patient, today),
            mother_patient_id=pseudonym(patient.mother_patient_id) if patient.mother_patient_id else None,
        )

    return _Hiding(subject, _scrubber(patient, shown=False), pseudonym, shows_staff=False)


def _age(patient: Patient, today: date) -> str | None:
    """In whole years: a birthday would tell who it is."""
    if patient.birth_date is None:
        return None
    return f"{min(today.year - patient.birth_date.year, OLDEST)}岁"


def _scrubber(patient: Patient, *, shown: bool) -> Callable[[str], str]:
    numbers = [number for number in (patient.id_no, None if shown else patient.patient_id) if number is not None]
    phones = [patient.phone] if patient.phone is not None else []
    return masking.scrubber([patient.patient_name], numbers, phones, shown=shown)
