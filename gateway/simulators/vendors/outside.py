"""What systems outside the house have in common: records read by an authorisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.simulators.vendors.calling import Sent, element, ours


def authorised_record(sender: str, values: Mapping[str, Any], purpose: str) -> Sent:
    """A record of a patient for a purpose that needs an authorisation."""
    fields = record_fields(values, purpose)
    return ours("GetMedicalRecord", sender, fields, message_id=str(values.get("message_id", "")))


def record_fields(values: Mapping[str, Any], purpose: str) -> str:
    """The same, without Header."""
    return (
        element("PatientId", values["patient_id"])
        + element("VisitNo", values.get("visit_no"))
        + element("Scope", values.get("scope", "THIS_VISIT"))
        + element("IncludeOrders", "false")
        + element("Purpose", purpose)
        + element("AuthorizationNo", values.get("authorization_no"))
    )
