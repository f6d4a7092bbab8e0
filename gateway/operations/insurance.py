"""What an insurance platform is told of a visit's money, when and in which order (docs/specification/insurance.md).

A charge of an insured visit is planned where it is entered, and told where it is booked: in the transaction that stores
HIS's yes. What a refund leaves of it is told in the same way. A site without a platform is asked nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.config import INSURANCE
from gateway.errors import RefundInsuranceSettled, RefundReversalPending, VisitEventIllegal
from gateway.messages.charge import ChargeItemRequest, ChargeLine
from gateway.messages.common import Header, Patient, Visit
from gateway.messages.requisition import SubmitRequisitionRequest
from gateway.model.insurance import (
    STANDING,
    InsuranceBatch,
    InsuranceEvent,
    InsuranceLine,
    InsuranceSettlement,
    InsuranceState,
)
from gateway.model.journal import Alert
from gateway.model.money import MoneyTransaction
from gateway.operations.dispatch import Dispatch, Forward, Origin, Outcome, PartnerAnswer
from gateway.operations.unit import Unit
from gateway.terms import ChargePoint, SexCode, VisitEvent, VisitState, VisitType

UPLOAD, WITHDRAW = "InsuranceUpload", "InsuranceWithdraw"
SETTLE, UNSETTLE = "InsuranceSettle", "InsuranceUnsettle"
OPERATIONS = (UPLOAD, WITHDRAW, SETTLE, UNSETTLE)
"""What a delivery to an insurance platform does. Each carries a bill: the ChargeItemRequest of what it is about."""

AFTER_YES = {
    UPLOAD: InsuranceState.UPLOADED,
    WITHDRAW: InsuranceState.WITHDRAWN,
    SETTLE: InsuranceState.SETTLED,
    UNSETTLE: InsuranceState.WITHDRAWN,
}
AFTER_NO = {
    UPLOAD: InsuranceState.REFUSED,
    WITHDRAW: InsuranceState.UPLOADED,
    SETTLE: InsuranceState.REFUSED,
    UNSETTLE: InsuranceState.SETTLED,
}
"""What a platform refused to take back, it still has."""


KEPT = (
    "transaction_key",
    "partner",
    "hospital_code",
    "branch_code",
    "visit_no",
    "visit_type",
    "visit_seq",
    "insurance_no",
    "dept_code",
    "patient_id",
    "perform_dept_code",
    "occurred_at",
)
"""What the next batch of a charge has in common with the one before."""


class Left(Protocol):
    """What is left of a charged line after its refunds."""

    @property
    def line_no(self) -> int: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def amount(self) -> Decimal | None: ...


# --- who is insured ---------------------------------------------------------------------------------------------------


def insurer_of(unit: Unit, visit: Visit, *, by_his: bool) -> str | None:
    """The platform with which a charge of a visit is registered by us.

    None for who is not insured or has no platform here, and for what HIS charged itself where HIS uploads that itself.
    """
    rules = unit.site.rules.insurance
    if by_his and rules.his_uploads_its_own:
        return None
    insured = visit.fee_type in rules.fee_types if rules.fee_types else visit.insurance_no is not None
    partners = unit.dispatch.partners_for(INSURANCE, hospital_code=unit.hospital_code) if insured else ()
    return partners[0] if partners else None


# --- details ----------------------------------------------------------------------------------------------------------


def plan(
    unit: Unit,
    insurer: str | None,
    key: str,
    visit: Visit,
    lines: Iterable[dict[str, Any]],
    *,
    branch_code: str,
    patient_id: str,
    perform_dept_code: str,
    occurred_at: datetime,
) -> None:
    """Keep what the platform has to know of a charge until HIS has booked it."""
    if insurer is None:
        return
    unit.add(
        InsuranceBatch,
        number=key,
        transaction_key=key,
        seq=1,
        partner=insurer,
        hospital_code=unit.hospital_code,
        branch_code=branch_code,
        visit_no=visit.visit_no,
        visit_type=visit.visit_type,
        visit_seq=visit.visit_seq,
        insurance_no=visit.insurance_no,
        dept_code=visit.dept_code,
        patient_id=patient_id,
        perform_dept_code=perform_dept_code,
        occurred_at=occurred_at,
    )
    for line in lines:
        unit.add(
            InsuranceLine,
            batch_number=key,
            line_no=line["line_no"],
            charge_code=line["charge_code"],
            insurance_code=line.get("insurance_code"),
            item_name=line["item_name"],
            quantity=line["quantity"],
            unit_price=line["unit_price"],
            amount=line["amount"],
        )
    unit.add(InsuranceEvent, subject=key, state=InsuranceState.PLANNED, at=unit.now)


def plan_requisition(
    unit: Unit,
    insurer: str | None,
    key: str,
    request: SubmitRequisitionRequest,
    lines: Iterable[dict[str, Any]],
    branch_code: str,
    occurred_at: datetime,
) -> None:
    """The same for what a requisition is charged."""
    codes = {
        (item.item_seq, charge.charge_code): charge.insurance_code
        for item in request.items
        for charge in item.charge_items
    }
    plan(
        unit,
        insurer,
        key,
        request.visit,
        [line | {"insurance_code": codes.get((line["item_seq"], line["charge_code"]))} for line in lines],
        branch_code=branch_code,
        patient_id=request.patient.patient_id,
        perform_dept_code=request.perform_dept_code,
        occurred_at=occurred_at,
    )


def booked(session: Session, charge: MoneyTransaction, left: Iterable[Left], cause: MoneyTransaction) -> list[Forward]:
    """Bring the platform in line with what is left of a charge, now that `cause` is booked: it or a refund of it.

    Returns the deliveries, to be queued in the same transaction.
    """
    first = select(InsuranceBatch).where(InsuranceBatch.transaction_key == charge.key, InsuranceBatch.seq == 1)
    if session.scalars(first.with_for_update()).one_or_none() is None:
        return []
    batches = select(InsuranceBatch).where(InsuranceBatch.transaction_key == charge.key)
    batch = session.scalars(batches.order_by(InsuranceBatch.seq.desc())).first()
    assert batch is not None
    state = state_of(session, batch.number)
    if state is InsuranceState.PLANNED:
        return [_tell(session, UPLOAD, batch, InsuranceState.PENDING, cause, charge)]
    told = []
    if state in STANDING:
        told.append(_tell(session, WITHDRAW, batch, InsuranceState.WITHDRAWING, cause, charge))
    rest = _rest(session, batch, [line for line in left if line.quantity > 0])
    if rest is not None:
        told.append(_tell(session, UPLOAD, rest, InsuranceState.PENDING, cause, charge))
    return told


def _rest(session: Session, batch: InsuranceBatch, left: Sequence[Left]) -> InsuranceBatch | None:
    """The next batch of a charge, with what is left of it."""
    if not left:
        return None
    same = {name: getattr(batch, name) for name in KEPT}
    rest = InsuranceBatch(number=f"{batch.transaction_key}{batch.seq + 1}", seq=batch.seq + 1, **same)
    known = {line.line_no: line for line in batch.lines}
    for line in left:
        was = known[line.line_no]
        rest.lines.append(
            InsuranceLine(
                batch_number=rest.number,
                line_no=line.line_no,
                charge_code=was.charge_code,
                insurance_code=was.insurance_code,
                item_name=was.item_name,
                quantity=line.quantity,
                unit_price=was.unit_price,
                amount=line.amount,
            )
        )
    session.add(rest)
    return rest


def _tell(
    session: Session,
    operation: str,
    batch: InsuranceBatch,
    state: InsuranceState,
    cause: MoneyTransaction,
    charge: MoneyTransaction,
) -> Forward:
    prices = {line.line_no: line.amount for line in charge.lines}
    origin = Origin(cause.txn_no, batch.hospital_code, batch.branch_code, cause.sender_code, cause.message_id)
    note(session, batch.number, state)
    return Forward(batch.partner, operation, _bill(batch, origin, prices), batch.visit_no, origin)


# --- settlement -------------------------------------------------------------------------------------------------------


def settled_by_his(unit: Unit, event: VisitEvent, visit_no: str, branch_code: str) -> None:
    """Settle at the platform, or reverse the settlement, where it leaves that to the gateway.

    Raises VisitEventIllegal when a settlement is to be reversed that the platform has not confirmed.
    """
    partners = unit.dispatch.partners_for(INSURANCE, hospital_code=unit.hospital_code)
    if event not in (VisitEvent.SETTLE, VisitEvent.UNSETTLE) or not partners:
        return
    if not unit.dispatch.settles_insurance(partners[0]):
        return
    settlement = settlement_of(unit.session, unit.hospital_code, branch_code, visit_no)
    state = state_of(unit.session, settlement.number) if settlement is not None else None
    if event is VisitEvent.SETTLE and state not in (InsuranceState.PENDING, InsuranceState.SETTLED):
        _settle(unit, visit_no, branch_code)
    elif event is VisitEvent.UNSETTLE and settlement is not None:
        _unsettle(unit, settlement, state)


def _settle(unit: Unit, visit_no: str, branch_code: str) -> None:
    standing = standing_batches(unit.session, unit.hospital_code, branch_code, visit_no)
    if not standing:
        return
    batch = standing[-1]
    total = sum((_amount(unit.session, one) for one in standing), Decimal("0.00"))
    settlement = InsuranceSettlement(
        number=f"{unit.txn_no}-S",
        partner=batch.partner,
        hospital_code=batch.hospital_code,
        branch_code=batch.branch_code,
        visit_no=visit_no,
        total=total,
        created_at=unit.now,
    )
    unit.session.add(settlement)
    note(unit.session, settlement.number, InsuranceState.PENDING)
    _forward(unit, SETTLE, settlement, batch, settlement.number)


def _unsettle(unit: Unit, settlement: InsuranceSettlement, state: InsuranceState | None) -> None:
    if state is InsuranceState.PENDING:
        raise VisitEventIllegal(
            "医保平台尚未确认结算，请稍后重报。", "The platform has not confirmed the settlement yet."
        )
    if state is not InsuranceState.SETTLED:
        return
    number = unit.session.scalars(
        select(InsuranceEvent.code)
        .where(InsuranceEvent.subject == settlement.number, InsuranceEvent.state == InsuranceState.SETTLED)
        .order_by(InsuranceEvent.id)
    ).first()
    batches = select(InsuranceBatch).where(
        InsuranceBatch.hospital_code == settlement.hospital_code,
        InsuranceBatch.branch_code == settlement.branch_code,
        InsuranceBatch.visit_no == settlement.visit_no,
    )
    batch = unit.session.scalars(batches.order_by(InsuranceBatch.number.desc())).first()
    assert batch is not None
    note(unit.session, settlement.number, InsuranceState.WITHDRAWING)
    _forward(unit, UNSETTLE, settlement, batch, number or "")


def _forward(unit: Unit, operation: str, settlement: InsuranceSettlement, batch: InsuranceBatch, number: str) -> None:
    """Queue a settlement's message; who the insured is, is known from a batch of the visit."""
    origin = Origin(unit.txn_no, batch.hospital_code, batch.branch_code, unit.sender_code, unit.message_id)
    total = ChargeLine(
        line_no=1, charge_code="TOTAL", item_name="合计", quantity=Decimal(1), actual_amount=settlement.total
    )
    bill = _bill_of(batch, origin, number, (total,))
    unit.dispatch.enqueue(unit.session, [Forward(batch.partner, operation, bill, batch.visit_no, origin)])


def refuse_while_settled(unit: Unit, charge: MoneyTransaction, state: VisitState) -> None:
    """Of an insured charge nothing goes back before its settlement is reversed, not even for HIS.

    Raises RefundInsuranceSettled, or RefundReversalPending while the platform has not confirmed the reversal.
    """
    if charge.insurer is None:
        return
    if state is VisitState.SETTLED:
        raise RefundInsuranceSettled()
    settlement = settlement_of(unit.session, charge.hospital_code, charge.branch_code, charge.visit_no)
    if settlement is None:
        return
    if state_of(unit.session, settlement.number) not in (InsuranceState.WITHDRAWN, InsuranceState.REFUSED):
        raise RefundReversalPending()


# --- what the platform answered ---------------------------------------------------------------------------------------


def insurance_answered(session: Session, forward: Forward, answer: PartnerAnswer, dispatch: Dispatch) -> None:
    """What a platform's answer means; runs in the transaction that stores it."""
    if answer.outcome in (Outcome.NOT_SENT, Outcome.UNKNOWN):
        return
    subject = forward.request.charge_no
    if forward.operation == UNSETTLE:
        subject = _reversed(session, forward)
    if answer.is_yes:
        number = answer.response.his_charge_no if forward.operation == SETTLE else None
        note(session, subject, AFTER_YES[forward.operation], number)
        return
    note(session, subject, AFTER_NO[forward.operation], answer.code)
    about = f"{forward.operation} {subject}, visit {forward.key}: {answer.code}"
    now = datetime.now(UTC)
    session.add(Alert(raised_at=now, kind="INSURANCE_REFUSED", subject=about, txn_no=forward.origin.txn_no))


def _reversed(session: Session, forward: Forward) -> str:
    """The settlement a reversal is about, which names it by the platform's number. A newer one may be on its way."""
    return session.scalars(
        select(InsuranceSettlement.number)
        .join(InsuranceEvent, InsuranceEvent.subject == InsuranceSettlement.number)
        .where(
            InsuranceSettlement.hospital_code == forward.origin.hospital_code,
            InsuranceSettlement.branch_code == forward.origin.branch_code,
            InsuranceSettlement.visit_no == forward.key,
            InsuranceEvent.state == InsuranceState.SETTLED,
            InsuranceEvent.code == forward.request.charge_no,
        )
        .limit(1)
    ).one()


# --- what is known ----------------------------------------------------------------------------------------------------


def state_of(session: Session, subject: str) -> InsuranceState:
    """The present state of a batch or settlement."""
    newest = select(InsuranceEvent.state).where(InsuranceEvent.subject == subject).order_by(InsuranceEvent.id.desc())
    return InsuranceState(session.scalars(newest.limit(1)).one())


def note(session: Session, subject: str, state: InsuranceState, code: str | None = None) -> None:
    """Add the next state of a batch or settlement."""
    session.add(InsuranceEvent(subject=subject, state=state, at=datetime.now(UTC), code=code))
    session.flush()


def settlement_of(session: Session, hospital_code: str, branch_code: str, visit_no: str) -> InsuranceSettlement | None:
    """The last settlement of a visit that the gateway had a platform make."""
    query = (
        select(InsuranceSettlement)
        .join(InsuranceEvent, InsuranceEvent.subject == InsuranceSettlement.number)
        .where(
            InsuranceSettlement.hospital_code == hospital_code,
            InsuranceSettlement.visit_no == visit_no,
            InsuranceEvent.state == InsuranceState.PENDING,
        )
    )
    if branch_code:
        query = query.where(InsuranceSettlement.branch_code == branch_code)
    return session.scalars(query.order_by(InsuranceEvent.id.desc()).limit(1)).one_or_none()


def standing_batches(session: Session, hospital_code: str, branch_code: str, visit_no: str) -> list[InsuranceBatch]:
    """What the platform has of a visit, or will have when all that is queued has arrived."""
    query = select(InsuranceBatch).where(
        InsuranceBatch.hospital_code == hospital_code, InsuranceBatch.visit_no == visit_no
    )
    if branch_code:
        query = query.where(InsuranceBatch.branch_code == branch_code)
    batches = session.scalars(query.order_by(InsuranceBatch.number)).all()
    numbers = [batch.number for batch in batches]
    history = select(InsuranceEvent.subject, InsuranceEvent.state).where(InsuranceEvent.subject.in_(numbers))
    states = {subject: InsuranceState(state) for subject, state in session.execute(history.order_by(InsuranceEvent.id))}
    return [batch for batch in batches if states[batch.number] in STANDING]


def _amount(session: Session, batch: InsuranceBatch) -> Decimal:
    charge = session.get_one(MoneyTransaction, batch.transaction_key)
    prices = {line.line_no: line.amount for line in charge.lines}
    amounts = (line.amount if line.amount is not None else prices.get(line.line_no) for line in batch.lines)
    return sum((amount for amount in amounts if amount is not None), Decimal("0.00"))


# --- bills ------------------------------------------------------------------------------------------------------------


def _bill(batch: InsuranceBatch, origin: Origin, prices: dict[int, Decimal | None]) -> ChargeItemRequest:
    lines = tuple(
        ChargeLine(
            line_no=line.line_no,
            charge_code=line.charge_code,
            insurance_code=line.insurance_code,
            item_name=line.item_name,
            quantity=line.quantity,
            unit_price=line.unit_price,
            actual_amount=line.amount if line.amount is not None else prices.get(line.line_no),
        )
        for line in batch.lines
    )
    return _bill_of(batch, origin, batch.number, lines)


def _bill_of(batch: InsuranceBatch, origin: Origin, number: str, lines: tuple[ChargeLine, ...]) -> ChargeItemRequest:
    """A message about a visit's money in the words of our contract; a platform knows a patient by InsuranceNo alone."""
    return ChargeItemRequest(
        header=Header(
            message_id=origin.message_id,
            sender_code=origin.sender_code,
            hospital_code=batch.hospital_code,
            branch_code=batch.branch_code or None,
            sent_at=batch.occurred_at,
        ),
        charge_no=number,
        patient=Patient(patient_id=batch.patient_id, patient_name="-", sex_code=SexCode.UNKNOWN),
        visit=Visit(
            visit_type=VisitType(batch.visit_type),
            visit_no=batch.visit_no,
            visit_seq=batch.visit_seq,
            dept_code=batch.dept_code,
            insurance_no=batch.insurance_no,
        ),
        charge_point=ChargePoint.SUPPLEMENT,
        occurred_at=batch.occurred_at,
        perform_dept_code=batch.perform_dept_code,
        lines=lines,
    )
