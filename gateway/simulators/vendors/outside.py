"""What systems outside the house have in common: orders that are paid already, and records read by an authorisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.simulators.vendors.calling import Sent, element, new_number, ours
from gateway.simulators.vendors.department import now


def paid_order(
    sender: str, values: Mapping[str, Any], *, number: str, patient: str, visit: str, department: str, doctor: str
) -> Sent:
    """A requisition of one examination, paid where it was ordered; patient and visit are elements of our contract."""
    fields = (
        "<Action>NEW</Action>"
        + element("RequisitionNo", number)
        + element("RequisitionType", values.get("requisition_type", "EXAM"))
        + f"<Patient>{patient}</Patient><Visit>{visit}</Visit><ReleaseEvent>PAID</ReleaseEvent>"
        + element("PaidAt", now())
        + element("ReceiptNo", new_number("ZF"))
        + "<Priority>ROUTINE</Priority>"
        + element("OrderingDeptCode", department)
        + element("OrderingDoctorCode", f"D{department}")
        + element("OrderingDoctorName", doctor)
        + element("OrderedAt", now())
        + element("PerformDeptCode", values.get("perform_dept", "0103"))
        + "<Items><Item><ItemSeq>1</ItemSeq>"
        + element("OrderNo", f"{number}-1")
        + "<ItemCode>CT0101</ItemCode><ItemName>胸部CT平扫</ItemName><Quantity>1</Quantity></Item></Items>"
    )
    return ours("SubmitRequisition", sender, fields, message_id=str(values.get("message_id", "")))


def authorised_record(sender: str, values: Mapping[str, Any], purpose: str) -> Sent:
    """A record of a patient for a purpose that needs an authorisation."""
    fields = (
        element("PatientId", values["patient_id"])
        + element("VisitNo", values.get("visit_no"))
        + element("Scope", values.get("scope", "THIS_VISIT"))
        + element("IncludeOrders", "false")
        + element("Purpose", purpose)
        + element("AuthorizationNo", values.get("authorization_no"))
    )
    return ours("GetMedicalRecord", sender, fields)
