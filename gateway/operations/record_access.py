"""Whether a record may be read: right, purpose, authorisation, treatment relation, and what of it may be seen.

Nothing is read here; what is decided is docs/specification/records.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, true

from gateway.errors import RecordInvalid, RecordNotAllowed, RecordPatientMerged, RecordUnknown
from gateway.messages.medical_record import GetMedicalRecordRequest, SectionRef
from gateway.model.client import SpecialRight
from gateway.model.record import (
    NEEDS_AUTHORIZATION,
    Mask,
    RecordAuthorization,
    RecordAuthorizationPatient,
    RecordPolicy,
    RestrictedPatient,
)
from gateway.model.requisition import Requisition, RequisitionItem
from gateway.model.visit import Visit
from gateway.operations.lookups import merged_into, patient_ids
from gateway.operations.unit import Unit
from gateway.terms import RecordPurpose, RecordScope, ReturnMode, StatusCode, VisitState

ORDERS = "ORDER"
"""The section that holds orders; it needs the same right as IncludeOrders."""
MOST_SECTIONS = 20
LARGEST_PAGE = 50
ENDED = (VisitState.DISCHARGED, VisitState.SETTLED)
NEVER_PERFORMED = (StatusCode.CANCELLED, StatusCode.REJECTED)


@dataclass(frozen=True, slots=True)
class Access:
    """What one look may see of a record, and how it is shown."""

    request: GetMedicalRecordRequest
    policy: RecordPolicy
    secret_sections: tuple[str, ...]
    patient_id: str | None
    """Whose record it is; None when only the EMR can tell."""
    patient_ids: frozenset[str]
    visit_no: str | None
    """The one visit that may be read, None when it is not known or all may be."""
    authorization: RecordAuthorization | None
    is_emergency: bool

    @property
    def mask(self) -> Mask:
        return self.policy.mask_for(self.request.purpose)

    @property
    def is_narrowed(self) -> bool:
        """Whether policy or authorisation name the only sections that may be seen."""
        return self.policy.sections is not None or (
            self.authorization is not None and self.authorization.sections is not None
        )

    def covers(self, section: str) -> bool:
        """Whether the section may be seen, asked for or not."""
        if self.authorization is not None and self.authorization.sections is not None:
            return section in self.authorization.sections and self.policy.shows(section, self.secret_sections)
        return self.policy.shows(section, self.secret_sections)

    def shows(self, section: str) -> bool:
        """Whether the section is part of the answer: asked for, or nothing was named and it may be seen."""
        wanted = {one.code for one in self.request.sections}
        if wanted:
            return section in wanted and self.covers(section)
        return self.covers(section) and (section != ORDERS or self.request.include_orders)

    def question(self) -> GetMedicalRecordRequest:
        """What the EMR is asked: what the caller asked and the gateway knows, and no more than is allowed."""
        return replace(
            self.request,
            patient_id=self.patient_id or self.request.patient_id,
            visit_no=self.visit_no or self.request.visit_no,
            sections=self.request.sections or tuple(SectionRef(code=code) for code in self._only_sections()),
            page_no=self.request.page_no or 1,
            page_size=self.request.page_size or LARGEST_PAGE,
        )

    def _only_sections(self) -> list[str]:
        """The sections to ask for by name; none when all are wanted, or too many to be named."""
        codes = self.named_sections()
        return codes if len(codes) <= MOST_SECTIONS else []

    def named_sections(self) -> list[str]:
        """Where policy or authorisation name the only sections that may be seen: those."""
        if not self.is_narrowed:
            return []
        authorized = self.authorization.sections if self.authorization is not None else None
        named = {*(self.policy.sections or ()), *self.policy.secret_sections, *(authorized or ())}
        return sorted(code for code in named if self.shows(code))


def check_access(request: GetMedicalRecordRequest, unit: Unit) -> Access:
    """What the caller may see. Raises what forbids it; the audit's subject is the patient as soon as that is known."""
    _check_question(request)
    policy = unit.session.get(RecordPolicy, unit.sender_code) or RecordPolicy.default(unit.sender_code)
    _check_rights(request, policy, unit)
    requisition = _requisition(request, unit)
    patient_id = request.patient_id or (requisition.patient_id if requisition is not None else None)
    if patient_id is not None:
        unit.subject, unit.patient_id = f"patient {patient_id}", patient_id
    ids = patient_ids(unit, patient_id) if patient_id is not None else frozenset()
    access = Access(
        request=request,
        policy=policy,
        secret_sections=unit.site.rules.records.secret_sections,
        patient_id=patient_id,
        patient_ids=ids,
        visit_no=_visit_no(request, requisition),
        authorization=_authorization(request, unit, ids),
        is_emergency=not _is_allowed_without_reason(request, unit, policy, requisition, ids),
    )
    _check_sections(access)
    _check_address(access)
    _refuse_merged(access, unit)
    return access


def check_whose(access: Access, unit: Unit, answered: str | None) -> None:
    """Of a record that was asked for without a patient's id: whether this patient's may be read."""
    if access.patient_id is None and answered is not None:
        unit.subject = f"patient {answered}"
        if not access.is_emergency and _is_restricted(unit, patient_ids(unit, answered)):
            raise _restricted()


# --- the question itself ----------------------------------------------------------------------------------------------


def _check_question(request: GetMedicalRecordRequest) -> None:
    if request.patient_id is None and request.empi_id is None and request.requisition_no is None:
        raise RecordInvalid("PatientId、EmpiId、RequisitionNo 至少填一个。", "Give PatientId, EmpiId or RequisitionNo.")
    if request.date_from is not None and request.date_to is not None and request.date_from > request.date_to:
        raise RecordInvalid("DateFrom 晚于 DateTo。", "DateFrom is after DateTo.")


def _check_rights(request: GetMedicalRecordRequest, policy: RecordPolicy, unit: Unit) -> None:
    may = unit.caller.may
    if request.purpose not in policy.purposes:
        raise RecordNotAllowed(
            f"该系统未被允许以 {request.purpose} 为目的调阅病历。",
            f"This system may not read records for {request.purpose}.",
        )
    if request.scope is RecordScope.ALL_VISITS and not may(SpecialRight.RECORD_ALL_VISITS):
        raise RecordNotAllowed("没有调阅全部就诊的权限。", "ALL_VISITS needs a right of its own.")
    if _wants_orders(request) and not may(SpecialRight.RECORD_ORDERS):
        raise RecordNotAllowed("没有调阅医嘱的权限。", "Orders need a right of their own.")
    if request.purpose in NEEDS_AUTHORIZATION and request.authorization_no is None:
        raise RecordNotAllowed("该目的必须填写 AuthorizationNo。", "This purpose needs an AuthorizationNo.")


def _wants_orders(request: GetMedicalRecordRequest) -> bool:
    return request.include_orders or any(section.code == ORDERS for section in request.sections)


def _check_sections(access: Access) -> None:
    """A section that is named and may not be seen is refused; one that is not named is left out."""
    forbidden = [section.code for section in access.request.sections if not access.covers(section.code)]
    if forbidden:
        raise RecordNotAllowed(
            f"不允许调阅的部分：{'、'.join(forbidden)}。", f"These sections may not be read: {', '.join(forbidden)}."
        )
    if access.is_narrowed and not access.request.sections and not access.named_sections():
        raise RecordNotAllowed("授权不含该系统可调阅的部分。", "The authorisation covers no section it may read.")


def _check_address(access: Access) -> None:
    """Behind an address the gateway can neither mask nor leave out anything."""
    if access.request.return_mode is not ReturnMode.VIEW_URL:
        return
    if access.mask is not Mask.NONE or access.is_narrowed:
        raise RecordNotAllowed(
            "该系统只能以 DATA 方式调阅：浏览地址无法脱敏或筛选。",
            "This system reads as DATA only: behind an address nothing can be masked or left out.",
        )


def _requisition(request: GetMedicalRecordRequest, unit: Unit) -> Requisition | None:
    """The requisition named; it must be known, of the patient named, and of one branch."""
    if request.requisition_no is None:
        return None
    query = select(Requisition).where(
        Requisition.hospital_code == unit.hospital_code,
        Requisition.requisition_no == request.requisition_no,
        Requisition.tombstone.is_(False),
    )
    if unit.branch_code:
        query = query.where(Requisition.branch_code == unit.branch_code)
    found = unit.session.scalars(query.limit(2)).all()
    if len(found) > 1:
        raise RecordInvalid(
            "多个院区有相同的申请单号，请填写 BranchCode。", "Several branches have this number: give BranchCode."
        )
    if not found and request.patient_id is not None and request.emergency_reason is not None:
        return None
    if not found:
        raise RecordUnknown("申请单不存在。", "The requisition is unknown.")
    if request.patient_id is not None and found[0].patient_id not in patient_ids(unit, request.patient_id):
        raise RecordNotAllowed("申请单不属于该患者。", "The requisition is not of this patient.")
    return found[0]


def _visit_no(request: GetMedicalRecordRequest, requisition: Requisition | None) -> str | None:
    if request.scope is RecordScope.ALL_VISITS:
        return None
    return request.visit_no or (requisition.visit_no if requisition is not None else None)


def _refuse_merged(access: Access, unit: Unit) -> None:
    """An id that was merged is answered with today's, so that the caller mends its own data."""
    asked = access.request.patient_id
    new_id = merged_into(unit, asked) if asked is not None else None
    if new_id is not None:
        raise RecordPatientMerged(new_patient_id=new_id)


# --- authorisation ----------------------------------------------------------------------------------------------------


def _authorization(request: GetMedicalRecordRequest, unit: Unit, ids: frozenset[str]) -> RecordAuthorization | None:
    """The authorisation named, where the purpose needs one. Another system's is as good as unknown."""
    if request.purpose not in NEEDS_AUTHORIZATION or request.authorization_no is None:
        return None
    found = unit.session.get(RecordAuthorization, (unit.hospital_code, request.authorization_no))
    if found is None or found.client != unit.sender_code:
        raise RecordNotAllowed("授权号不存在，或不属于该系统。", "The authorisation is unknown or not of this system.")
    if found.purpose != request.purpose:
        raise RecordNotAllowed("授权不适用于该目的。", "The authorisation is for another purpose.")
    if found.revoked_at is not None:
        raise RecordNotAllowed("授权已撤销。", "The authorisation was revoked.")
    if unit.now.date() < found.valid_from:
        raise RecordNotAllowed("授权尚未生效。", "The authorisation is not yet valid.")
    if unit.now.date() > found.valid_to:
        raise RecordNotAllowed("授权已过期。", "The authorisation has expired.")
    if not found.every_patient and not _is_about(unit, found, ids):
        raise RecordNotAllowed("授权不适用于该患者。", "The authorisation is not about this patient.")
    return found


def _is_about(unit: Unit, authorization: RecordAuthorization, ids: Iterable[str]) -> bool:
    query = select(RecordAuthorizationPatient.patient_id).where(
        RecordAuthorizationPatient.hospital_code == authorization.hospital_code,
        RecordAuthorizationPatient.authorization_no == authorization.authorization_no,
        RecordAuthorizationPatient.patient_id.in_(ids),
    )
    return unit.session.scalars(query.limit(1)).first() is not None


# --- treatment relation, restricted patients and the emergency that breaks both ---------------------------------------


def _is_allowed_without_reason(
    request: GetMedicalRecordRequest,
    unit: Unit,
    policy: RecordPolicy,
    requisition: Requisition | None,
    ids: frozenset[str],
) -> bool:
    """False when only the EmergencyReason opens the record. Raises when there is none."""
    problem = _problem(request, unit, policy, requisition, ids)
    if problem is None:
        return True
    if request.purpose is not RecordPurpose.TREAT or request.emergency_reason is None:
        raise problem
    unit.detail = f"{unit.detail} emergency=yes"
    unit.alert("RECORD_EMERGENCY", f"{unit.subject}, read by {unit.sender_code}")
    return False


def _problem(
    request: GetMedicalRecordRequest,
    unit: Unit,
    policy: RecordPolicy,
    requisition: Requisition | None,
    ids: frozenset[str],
) -> RecordNotAllowed | None:
    if request.purpose is RecordPurpose.TREAT and not _is_related(request, unit, policy, requisition, ids):
        return RecordNotAllowed(
            "没有诊疗关系；紧急情况请填写 EmergencyReason。",
            "There is no treatment relation; in an emergency give EmergencyReason.",
        )
    return _restricted() if _is_restricted(unit, ids) else None


def _restricted() -> RecordNotAllowed:
    return RecordNotAllowed(
        "该患者的病历受限，请联系医务科。", "This patient's record is restricted: ask the medical affairs office."
    )


def _is_restricted(unit: Unit, ids: Iterable[str]) -> bool:
    if unit.caller.may(SpecialRight.RECORD_RESTRICTED):
        return False
    query = select(RestrictedPatient.patient_id).where(
        RestrictedPatient.hospital_code == unit.hospital_code, RestrictedPatient.patient_id.in_(ids)
    )
    return unit.session.scalars(query.limit(1)).first() is not None


def _is_related(
    request: GetMedicalRecordRequest,
    unit: Unit,
    policy: RecordPolicy,
    requisition: Requisition | None,
    ids: frozenset[str],
) -> bool:
    """Whether the caller's departments treat the patient: by a requisition they perform, or a visit that is theirs."""
    this_visit = request.visit_no if request.scope is RecordScope.THIS_VISIT else None
    if requisition is not None and this_visit not in (None, requisition.visit_no):
        return False
    if not ids:
        return False  # of an EmpiId alone the gateway cannot tell whose it is
    requisitions = _live_requisitions(unit, policy, ids)
    visits = _live_visits(unit, policy, ids)
    if requisition is not None:
        requisitions = requisitions.where(Requisition.key == requisition.key)
        visits = visits.where(Visit.visit_no == requisition.visit_no)
    elif this_visit is not None:
        requisitions = requisitions.where(Requisition.visit_no == this_visit)
        visits = visits.where(Visit.visit_no == this_visit)
    return bool(unit.session.scalar(select(or_(requisitions.exists(), visits.exists()))))


def _live_requisitions(unit: Unit, policy: RecordPolicy, ids: frozenset[str]) -> Select[Any]:
    """Requisitions of the patient that are or were performed, whose visit lasts or has ended only lately.

    Of a visit HIS has told nothing about, the end is unknown: then the requisition itself must be of late.
    """
    visit = and_(
        Visit.hospital_code == Requisition.hospital_code,
        Visit.visit_no == Requisition.visit_no,
        Visit.branch_code == Requisition.branch_code,
    )
    is_alive = exists().where(
        RequisitionItem.requisition_key == Requisition.key, RequisitionItem.status_code.not_in(NEVER_PERFORMED)
    )
    since = unit.now - timedelta(days=unit.site.rules.records.relation_days)
    departments = policy.departments
    return (
        select(Requisition.key)
        .outerjoin(Visit, visit)
        .where(
            Requisition.hospital_code == unit.hospital_code,
            Requisition.patient_id.in_(ids),
            Requisition.tombstone.is_(False),
            true() if departments is None else Requisition.perform_dept_code.in_(departments),
            is_alive,
            or_(
                and_(Visit.visit_no.is_(None), Requisition.received_at >= since),
                _lasts(unit),
            ),
        )
    )


def _live_visits(unit: Unit, policy: RecordPolicy, ids: frozenset[str]) -> Select[Any]:
    departments = policy.departments
    return select(Visit.visit_no).where(
        Visit.hospital_code == unit.hospital_code,
        Visit.patient_id.in_(ids),
        true() if departments is None else or_(Visit.dept_code.in_(departments), Visit.ward_code.in_(departments)),
        _lasts(unit),
    )


def _lasts(unit: Unit) -> ColumnElement[bool]:
    """The visit is open, or has ended only lately. A cancelled one never was."""
    since = unit.now - timedelta(days=unit.site.rules.records.relation_days)
    return or_(
        Visit.state == VisitState.OPEN,
        Visit.state == VisitState.UNKNOWN,
        and_(Visit.state.in_(ENDED), Visit.changed_at >= since),
    )
