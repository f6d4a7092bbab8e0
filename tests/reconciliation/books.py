"""Both sides' books for tests: ours as rows of the database, HIS's as the file it would export."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from gateway.config import Reconciliation, Settings
from gateway.model.money import ChargeOnce, MoneyKind, MoneyLine, MoneyState, MoneyTransaction
from gateway.model.reconciliation import ReconciliationDifference
from gateway.model.requisition import Requisition, RequisitionItem, StatusRecord
from gateway.reconciliation.booking import Counterpart
from gateway.reconciliation.listing import FileList
from gateway.reconciliation.results import Summary
from gateway.reconciliation.running import Order, Runner
from gateway.store import make_sessions
from gateway.terms import TransactionState

ZONE = timezone(timedelta(hours=8))
HOSPITAL = "44643245-7"
DAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 12, tzinfo=ZONE)
HEADINGS = ("计费流水号", "类型", "金额", "状态", "科室", "日期")

_numbers = itertools.count(1)


def at(clock: str, day: date = DAY) -> datetime:
    """A time of the day, such as 23:59:58."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE)


@dataclass
class Ledger:
    """The gateway's ledger with a place for lists."""

    engine: Engine
    folder: Path
    reconciliation: Reconciliation = field(default_factory=Reconciliation)
    hospital: str = HOSPITAL

    def __post_init__(self) -> None:
        self.sessions = make_sessions(self.engine)

    @property
    def settings(self) -> Settings:
        return Settings(folder=self.folder, hospital_code=self.hospital, reconciliation=self.reconciliation)

    # --- our side -----------------------------------------------------------------------------------------------------

    def book(
        self,
        number: str,
        amount: str = "100.00",
        *,
        when: datetime = NOON,
        kind: MoneyKind = MoneyKind.CHARGE,
        state: TransactionState = TransactionState.CONFIRMED,
        sender: str = "PACS",
        branch: str = "",
        dept: str = "0103",
        **values: Any,
    ) -> str:
        """A charge or refund in our books; returns its key."""
        key = f"K{next(_numbers):06d}"
        known: dict[str, Any] = {
            "txn_no": key,
            "visit_type": "3",
            "visit_no": "V1",
            "patient_id": "P1",
            "source": "GATEWAY",
            "message_id": key,
            "content_hash": "",
            "occurred_at": when,
            "created_at": when,
        }
        settled = values.pop("settled_at", when)
        row = MoneyTransaction(
            key=key, kind=kind, hospital_code=self.hospital, branch_code=branch, sender_code=sender,
            number=number, perform_dept_code=dept, **known | values,
        )  # fmt: skip
        line = MoneyLine(
            transaction_key=key, line_no=1, item_seq=1, charge_code="210300002", item_name="CT", quantity=Decimal(1),
            stated_amount=Decimal(amount),
        )  # fmt: skip
        status = MoneyState(
            transaction_key=key, seq=1, state=state, at=settled or when, his_no=values.pop("his_no", None)
        )
        with self.sessions.begin() as session:
            session.add(row)
            session.flush()
            session.add_all([line, status])
        return key

    def refund(self, number: str, amount: str = "100.00", **values: Any) -> str:
        return self.book(number, amount, kind=MoneyKind.REFUND, **values)

    def requisition(
        self,
        number: str,
        status: str = "30",
        *,
        charge_point: str = "REGISTER",
        registered: datetime | None = NOON,
        branch: str = "",
        refunded: bool = False,
    ) -> str:
        """A requisition with one item in a state; returns its key."""
        key = f"Q{next(_numbers):06d}"
        requisition = Requisition(
            key=key, hospital_code=self.hospital, branch_code=branch, requisition_no=number, sender_code="HIS",
            requisition_type="EXAM", patient_id="P1", visit_type="3", visit_no="V1", perform_dept_code="0103",
            priority="ROUTINE", ordered_at=NOON, received_at=NOON, gateway_status="RELEASED", charge_point=charge_point,
            content_hash="", request="", tombstone=False,
        )  # fmt: skip
        item = RequisitionItem(
            requisition_key=key, item_seq=1, order_no="O1", item_code="CT0201", status_code=status, refunded=refunded
        )
        with self.sessions.begin() as session:
            session.add(requisition)
            session.flush()
            session.add(item)
            if registered is not None:
                session.add(
                    StatusRecord(
                        requisition_key=key,
                        item_seq=1,
                        event="REGISTER",
                        from_status="10",
                        to_status="30",
                        applied=True,
                        inferred=False,
                        occurred_at=registered,
                        sender_code="PACS",
                        txn_no="T",
                    )
                )
        return key

    def charged(self, requisition_no: str, transaction_key: str, branch: str = "") -> None:
        """The place that the charge of an item takes."""
        with self.sessions.begin() as session:
            session.add(
                ChargeOnce(
                    hospital_code=self.hospital,
                    branch_code=branch,
                    requisition_no=requisition_no,
                    item_seq=1,
                    charge_code="210300002",
                    transaction_key=transaction_key,
                    line_no=1,
                )
            )

    # --- their side ---------------------------------------------------------------------------------------------------

    def list_of(
        self,
        *rows: tuple[Any, ...],
        headings: tuple[str, ...] = HEADINGS,
        name: str = "his.csv",
        encoding: str = "utf-8",
        delimiter: str = ",",
    ) -> Path:
        """The file HIS exports; a row may leave out what stands at its end."""
        path = self.folder / name
        with path.open("w", encoding=encoding, newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows([headings, *rows])
        return path

    # --- comparing ----------------------------------------------------------------------------------------------------

    def order(self, day: date = DAY, counterpart: Counterpart = Counterpart.HIS, **values: Any) -> Order:
        return Order(self.hospital, day, counterpart, "test", **values)

    def compare(
        self, path: Path, day: date = DAY, counterpart: Counterpart = Counterpart.HIS, **values: Any
    ) -> Summary:
        runner = Runner(self.settings, lambda: NOON + timedelta(days=1))
        with self.sessions.begin() as session:
            file = FileList(path, self.settings.reconciliation, self.settings.zone)
            return runner.with_file(session, self.order(day, counterpart, **values), file)

    def found(self, summary: Summary) -> list[tuple[str, str]]:
        """Class and number of each line of a comparison."""
        with self.sessions() as session:
            rows = session.scalars(
                select(ReconciliationDifference)
                .where(ReconciliationDifference.run_id == summary.run.id)
                .order_by(ReconciliationDifference.id)
            ).all()
        return [(row.kind, row.number or row.requisition_no) for row in rows]

    def compared(self, *rows: tuple[Any, ...], day: date = DAY, **values: Any) -> list[tuple[str, str]]:
        """What a comparison with these rows of HIS finds."""
        return self.found(self.compare(self.list_of(*rows), day, **values))

    def line(self, summary: Summary, number: str) -> ReconciliationDifference:
        with self.sessions() as session:
            return session.scalars(
                select(ReconciliationDifference).where(
                    ReconciliationDifference.run_id == summary.run.id, ReconciliationDifference.number == number
                )
            ).one()

    def count(self, model: Any) -> int:
        with self.sessions() as session:
            return session.scalar(select(func.count()).select_from(model)) or 0

    def kinds(self, summary: Summary) -> Counter[str]:
        return Counter(kind for kind, _ in self.found(summary))


def row(
    number: str,
    amount: str = "100.00",
    kind: str = "计费",
    state: str = "已记账",
    dept: str = "0103",
    when: str = "2026-11-24 12:00:00",
) -> tuple[str, ...]:
    """A row of HIS's list."""
    return (number, kind, amount, state, dept, when)
