"""SubmitReport: a department's report about one or more requisitions; passed on, kept by the receivers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from gateway.errors import (
    ReportConflict,
    ReportInvalid,
    ReportRequisitionUnknown,
    ReportTooLarge,
    ReportUnmapped,
    ReportWithdrawn,
)
from gateway.messages.report import CriticalRef, ReportFile, SubmitReportRequest, SubmitReportResponseType
from gateway.model.delivery import Delivery
from gateway.model.exam_state import Verdict
from gateway.model.report import ReportVersion
from gateway.model.requisition import Requisition
from gateway.operations.critical_report import open_loops
from gateway.operations.ledger import content_hash
from gateway.operations.lookups import find_requisition, patient_ids, requisition_arrival
from gateway.operations.progress import queue_bookings, report_progress
from gateway.operations.unit import Unit
from gateway.terms import ReportAction, RequisitionType, StatusEvent

OPERATION = "SubmitReport"
PUBLISHED = frozenset({ReportAction.FINAL, ReportAction.AMEND})
EVENTS = {
    ReportAction.PRELIM: StatusEvent.PRELIM,
    ReportAction.FINAL: StatusEvent.FINAL,
    ReportAction.AMEND: StatusEvent.FINAL,
    ReportAction.WITHDRAW: StatusEvent.WITHDRAW,
}


def submit_report(request: SubmitReportRequest, unit: Unit) -> SubmitReportResponseType:
    """Take a version of a report, move its items on and pass it on (docs/specification/report.md)."""
    unit.subject = f"report {request.report_no}"
    unit.requisition_no = request.requisitions[0].requisition_no
    unit.visit_no = request.visit.visit_no if request.visit is not None else None
    unit.detail = f"version={request.report_version} action={request.action}"
    _check(request, unit)
    requisitions = _requisitions(request, unit)
    seqs = _items(request, requisitions)
    digest = content_hash(unit, request)
    versions = _versions(request, unit)
    if _is_repetition(request, versions, digest):
        return _answer(request, unit, requisitions[0], duplicate=True)
    unit.add(
        ReportVersion,
        hospital_code=unit.hospital_code,
        sender_code=unit.sender_code,
        report_no=request.report_no,
        version=request.report_version,
        action=request.action,
        branch_code=unit.branch_code,
        requisition_nos=[requisition.requisition_no for requisition in requisitions],
        patient_id=request.patient.patient_id,
        content_hash=digest,
        received_at=unit.now,
        txn_no=unit.txn_no,
    )
    unit.warnings += _warn_of_patient(request, unit, requisitions)
    for requisition in requisitions:
        unit.warnings += _progress(request, unit, requisition, seqs[requisition.key])
    receivers = _receivers(unit, requisitions[0], versions)
    forwarded = unit.send(receivers, OPERATION, request, requisitions[0].requisition_no)
    opened = open_loops(request, unit)
    answer = _answer(request, unit, requisitions[0], opened=opened)
    result = replace(answer.result, forwarded=False if forwarded else None)
    return replace(answer, result=result)


# --- what the message itself must hold --------------------------------------------------------------------------------


def _check(request: SubmitReportRequest, unit: Unit) -> None:
    if request.action in PUBLISHED:
        if request.auditor_code is None or request.audited_at is None:
            raise ReportInvalid(
                "审核发布和修订必须填写 AuditorCode 和 AuditedAt。", "FINAL and AMEND need AuditorCode and AuditedAt."
            )
        if request.audited_at < request.reported_at:
            raise ReportInvalid("AuditedAt 早于 ReportedAt。", "AuditedAt is before ReportedAt.")
    if request.action is ReportAction.WITHDRAW and request.withdraw_reason is None:
        raise ReportInvalid("召回必须填写 WithdrawReason。", "WITHDRAW needs a WithdrawReason.")
    for number, file in enumerate(request.report_files, 1):
        _check_file(number, file)
    for number, image in enumerate(request.key_images, 1):
        if len(image.content) > unit.site.limits.key_image_bytes:
            raise ReportTooLarge(f"KeyImage[{number}]。", f"KeyImage[{number}].")


def _check_file(number: int, file: ReportFile) -> None:
    where_zh, where_en = f"ReportFile[{number}]。", f"ReportFile[{number}]."
    if (file.url is None) == (file.content is None):
        raise ReportInvalid(f"Url 和 Content 须且只能填一个，{where_zh}", f"Give either Url or Content, {where_en}")
    if file.sha256 is None or file.content is None:
        return
    if hashlib.sha256(file.content).hexdigest() != file.sha256.lower():
        raise ReportInvalid(f"Sha256 与 Content 不符，{where_zh}", f"Sha256 does not match Content, {where_en}")


# --- what it is about -------------------------------------------------------------------------------------------------


def _requisitions(request: SubmitReportRequest, unit: Unit) -> list[Requisition]:
    """The requisitions the report answers, locked, the first named first; all must be known."""
    names = list(dict.fromkeys(reference.requisition_no for reference in request.requisitions))
    found = {}
    for name in sorted(names):  # always in the same order, so that two reports never wait for each other
        requisition = find_requisition(unit, name, ambiguous=ReportUnmapped)
        if requisition is None:
            raise ReportRequisitionUnknown(waits_for=requisition_arrival(unit.hospital_code, name))
        if requisition.tombstone:
            raise ReportRequisitionUnknown("申请单已取消。", "It was cancelled before it came.")
        found[name] = requisition
    unit.visit_no = unit.visit_no or found[names[0]].visit_no
    return [found[name] for name in names]


def _items(request: SubmitReportRequest, requisitions: Sequence[Requisition]) -> dict[str, frozenset[int] | None]:
    """By requisition the items reported on: those of the orders named; all where none of its orders is named."""
    wanted = {reference.order_no for reference in request.orders}
    known = {item.order_no for requisition in requisitions for item in requisition.items}
    if not wanted <= known:
        raise ReportUnmapped("申请单中没有该医嘱。", "The requisitions have no such order.")
    named = {r.key: frozenset(i.item_seq for i in r.items if i.order_no in wanted) for r in requisitions}
    return {key: seqs or None for key, seqs in named.items()}


def _versions(request: SubmitReportRequest, unit: Unit) -> list[ReportVersion]:
    """The versions of this report known so far, in order."""
    query = select(ReportVersion).where(
        ReportVersion.hospital_code == unit.hospital_code,
        ReportVersion.sender_code == unit.sender_code,
        ReportVersion.report_no == request.report_no,
    )
    return list(unit.session.scalars(query.order_by(ReportVersion.version)))


def _is_repetition(request: SubmitReportRequest, versions: Sequence[ReportVersion], digest: str) -> bool:
    """True when this version is known. Raises ReportConflict or ReportWithdrawn when it cannot follow what is known."""
    same = next((known for known in versions if known.version == request.report_version), None)
    if same is not None and same.content_hash == digest:
        return True
    if not versions:
        return False
    latest = versions[-1]
    is_withdrawn = latest.action == ReportAction.WITHDRAW
    if request.report_version > latest.version:
        if is_withdrawn and request.action is ReportAction.WITHDRAW:
            raise ReportWithdrawn()
        return False
    raise (ReportWithdrawn if is_withdrawn else ReportConflict)(
        f"已有版本：{latest.version}。", f"The known version is {latest.version}."
    )


# --- what follows from it ---------------------------------------------------------------------------------------------


def _warn_of_patient(request: SubmitReportRequest, unit: Unit, requisitions: Sequence[Requisition]) -> list[str]:
    """A report about somebody else than the requisition is passed on, because it may be urgent, and looked at."""
    others = {requisition.patient_id for requisition in requisitions} - {request.patient.patient_id}
    if not others or others <= patient_ids(unit, request.patient.patient_id):
        return []
    unit.alert("REPORT_OF_ANOTHER_PATIENT", f"report {request.report_no} of {unit.sender_code}")
    return ["报告患者与申请单不一致 (the report's patient is not the requisition's)"]


def _progress(
    request: SubmitReportRequest, unit: Unit, requisition: Requisition, seqs: frozenset[int] | None
) -> list[str]:
    """The report implies a status; what is cancelled or not paid stays as it is, and somebody is told."""
    progress = report_progress(
        unit,
        requisition,
        EVENTS[request.action],
        item_seqs=seqs,
        occurred_at=request.audited_at or request.reported_at,
        reason=request.withdraw_reason,
        accession_no=request.accession_no,
    )
    queue_bookings(unit, requisition, progress.bookings)
    if progress.verdict in (Verdict.APPLY, Verdict.STALE, Verdict.ILLEGAL):
        return []
    kind = "REPORT_AFTER_CANCEL" if progress.verdict is Verdict.FINAL else "REPORT_BEFORE_RELEASE"
    unit.alert(kind, f"requisition {requisition.requisition_no}, report {request.report_no} of {unit.sender_code}")
    return [f"申请单状态为 {progress.status}，未改变 (the requisition's status {progress.status} is unchanged)"]


def _receivers(unit: Unit, requisition: Requisition, earlier: Sequence[ReportVersion]) -> list[str]:
    """Whom the routes name, and everybody who got an earlier version: a correction must reach all of them."""
    routed = unit.dispatch.partners_for(
        OPERATION,
        hospital_code=unit.hospital_code,
        requisition_type=RequisitionType(requisition.requisition_type),
        perform_dept=requisition.perform_dept_code,
    )
    if not earlier:
        return list(routed)
    told = unit.session.scalars(
        select(Delivery.partner).where(
            Delivery.txn_no.in_([version.txn_no for version in earlier]), Delivery.operation == OPERATION
        )
    )
    return list(dict.fromkeys([*routed, *told]))


def _answer(
    request: SubmitReportRequest,
    unit: Unit,
    requisition: Requisition,
    *,
    duplicate: bool = False,
    opened: Sequence[str] = (),
) -> SubmitReportResponseType:
    return SubmitReportResponseType(
        result=replace(unit.accepted(), duplicate=duplicate),
        report_no=request.report_no,
        report_version=request.report_version,
        current_status=requisition.status,
        criticals=tuple(CriticalRef(critical_id=number) for number in opened),
    )
