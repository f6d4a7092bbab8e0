"""The simulated PACS and LIS: a department's worklist, and what clinicians answered to its critical values."""

from __future__ import annotations

from typing import Any

from gateway.errors import RequisitionCancelled, RequisitionLocked, RequisitionUnknown
from gateway.messages.query import (
    ItemState,
    QueryRequisitionRequest,
    QueryRequisitionResponseType,
    RequisitionRecord,
)
from gateway.messages.requisition import SubmitRequisitionRequest, SubmitRequisitionResponseType
from gateway.simulators.clinical import TellsOfVisits
from gateway.simulators.memory import Record
from gateway.terms import GatewayStatus, RequisitionAction, StatusCode

WAITING, REGISTERED, CANCELLED = "WAITING", "REGISTERED", "CANCELLED"


class Department(TellsOfVisits):
    """A worklist by requisition number; once its staff has registered one, HIS can neither change nor cancel it."""

    accession_prefix = ""

    # --- what the gateway asks ----------------------------------------------------------------------------------------

    def submit_requisition(self, request: SubmitRequisitionRequest) -> SubmitRequisitionResponseType:
        key = _key(request)
        known = self.memory.recall("worklist", key)
        if request.action is RequisitionAction.CANCEL:
            return self._cancel(request, key, known)
        if known is None and request.action is RequisitionAction.UPDATE:
            raise RequisitionUnknown()
        if known is not None and known["state"] == CANCELLED:
            raise RequisitionCancelled()
        if known is not None and known["state"] == REGISTERED and request.action is RequisitionAction.UPDATE:
            raise RequisitionLocked()
        if known is None or request.action is RequisitionAction.UPDATE:
            self._keep(request, key, WAITING)
        return self._answer(request, GatewayStatus.RELEASED, duplicate=known is not None)

    def query_requisition(self, request: QueryRequisitionRequest) -> QueryRequisitionResponseType:
        """The worklist, for whoever looks for a requisition, a visit or a patient."""
        wanted = {
            "requisition_no": request.requisition_no,
            "visit_no": request.visit_no,
            "patient_id": request.patient_id,
        }
        wanted = {name: value for name, value in wanted.items() if value is not None}
        found = [
            entry
            for entry in self.memory.all("worklist")
            if entry["state"] != CANCELLED and all(entry[name] == value for name, value in wanted.items())
        ]
        return QueryRequisitionResponseType(
            result=self.accepted(request),
            requisitions=tuple(self._record(entry) for entry in found[:50]),
            total_count=len(found),
        )

    def _cancel(
        self, request: SubmitRequisitionRequest, key: tuple[str, ...], known: Record | None
    ) -> SubmitRequisitionResponseType:
        if known is None:
            raise RequisitionUnknown()
        if known["state"] == REGISTERED:
            raise RequisitionLocked()
        if known["state"] == WAITING:
            self._keep(request, key, CANCELLED)
        return self._answer(request, GatewayStatus.CANCELLED, duplicate=known["state"] == CANCELLED)

    def _keep(self, request: SubmitRequisitionRequest, key: tuple[str, ...], state: str) -> None:
        known = self.memory.recall("worklist", key)
        self.memory.remember(
            "worklist",
            key,
            requisition_no=request.requisition_no,
            state=state,
            visit_no=request.visit.visit_no,
            patient_id=request.patient.patient_id,
            accession_no=(
                known["accession_no"] if known else self.memory.next_number("worklist", self.accession_prefix)
            ),
            request=self.wire.write(request),
        )

    def _answer(
        self, request: SubmitRequisitionRequest, status: GatewayStatus, *, duplicate: bool
    ) -> SubmitRequisitionResponseType:
        entry = self.memory.recall("worklist", _key(request))
        return SubmitRequisitionResponseType(
            result=self.accepted(request, duplicate=duplicate),
            requisition_no=request.requisition_no,
            gateway_status=status,
            accession_no=entry["accession_no"] if entry else None,
        )

    def _record(self, entry: Record) -> RequisitionRecord:
        request: SubmitRequisitionRequest = self.wire.read_text("SubmitRequisitionRequest", entry["request"])
        status = StatusCode.IN_PROGRESS if entry["state"] == REGISTERED else StatusCode.RELEASED
        return RequisitionRecord(
            branch_code=request.header.branch_code,
            requisition_no=request.requisition_no,
            requisition_type=request.requisition_type,
            status_code=status,
            gateway_status=GatewayStatus.RELEASED,
            refund_allowed=entry["state"] != REGISTERED,
            patient=request.patient,
            visit=request.visit,
            release_event=request.release_event,
            priority=request.priority,
            ordering_dept_code=request.ordering_dept_code,
            ordering_doctor_code=request.ordering_doctor_code,
            ordering_doctor_name=request.ordering_doctor_name,
            ordered_at=request.ordered_at,
            perform_dept_code=request.perform_dept_code,
            items=request.items,
            item_states=tuple(ItemState(item_seq=item.item_seq, status_code=status) for item in request.items),
        )

    def state(self) -> dict[str, Any]:
        """The worklist by its numbers, without the requisitions themselves: they hold names."""
        worklist = [{k: v for k, v in entry.items() if k != "request"} for entry in self.memory.all("worklist")]
        return super().state() | {"worklist": worklist}

    # --- what its own staff does --------------------------------------------------------------------------------------

    def act(self, action: str, number: str, amount: str = "") -> None:
        """`register` or `unregister` a requisition at the department's own screen."""
        state = {"register": REGISTERED, "unregister": WAITING}.get(action)
        if state is None:
            return super().act(action, number, amount)
        for entry in self.memory.all("worklist"):
            if entry["requisition_no"] == number and entry["state"] != CANCELLED:
                request = self.wire.read_text("SubmitRequisitionRequest", entry["request"])
                return self._keep(request, _key(request), state)
        raise LookupError(f"{number} is not on the worklist of {self.name}.")


class SimulatedPacs(Department):
    """Radiology, ultrasound and endoscopy."""

    name = "PACS"
    accession_prefix = "ACC"


class SimulatedLis(Department):
    """The laboratory."""

    name = "LIS"
    accession_prefix = "LAB"


def _key(request: SubmitRequisitionRequest) -> tuple[str, ...]:
    header = request.header
    return (header.hospital_code, header.branch_code or "", request.requisition_no)
