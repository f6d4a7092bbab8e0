"""Messages and deliveries of other months, put straight into the tables."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from gateway.model.delivery import Delivery, DeliveryAttempt, DeliveryState
from gateway.model.journal import JournalEntry

NOW = datetime(2027, 3, 10, 9, tzinfo=UTC)


def message(number: int, at: datetime, **values: Any) -> JournalEntry:
    given = {
        "txn_no": f"G{at:%y%m%d%H%M%S}000{number:010x}", "received_at": at, "operation": "SubmitRequisition",
        "sender_code": "HIS", "message_id": f"M{number}", "hospital_code": "H1", "branch_code": "",
        "requisition_no": f"R{number}", "visit_no": f"V{number}", "patient_id": f"P{number}", "soap_version": "1.1",
        "xml": b"<x/>", "result_code": "0", "answered_at": at,
    }  # fmt: skip
    return JournalEntry(**given | values)


def delivery(at: datetime, state: DeliveryState = DeliveryState.DELIVERED, **values: Any) -> Delivery:
    given = {
        "partner": "PACS", "operation": "SubmitRequisition", "lane": "normal", "lock": "requisition|PACS|H1||R1",
        "state": state, "attempts": 1, "txn_no": "G1", "hospital_code": "H1", "origin_sender_code": "HIS",
        "origin_message_id": "M1", "subject": "R1", "request": "<Action>NEW</Action>", "created_at": at,
    }  # fmt: skip
    return Delivery(**given | values)


def attempt(of: Delivery, at: datetime | None = None) -> DeliveryAttempt:
    return DeliveryAttempt(
        delivery_id=of.id, started_at=at or of.created_at, milliseconds=5, outcome="ANSWERED", code="0"
    )


def keep(store: Engine, *rows: Any) -> None:
    with Session(store, expire_on_commit=False) as session:
        for row in rows:
            session.add(row)
            session.flush()
        session.commit()


def places(store: Engine, table: str) -> dict[str, int]:
    """How many rows stand in which part."""
    with store.connect() as connection:
        found = connection.execute(text(f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1"))
        return {str(name): int(count) for name, count in found}
