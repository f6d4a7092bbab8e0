"""`gateway audit`: who looked at whom is found, and who asked for it is found too."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from emptying import clear
from gateway.model.journal import AuditEntry
from gateway.model.visit import PatientMerge
from gateway.operations.unit import new_txn_no

NOW = datetime.now(UTC)


def look(patient: str, actor: str = "PACS", *, days_ago: float = 1, operator: str | None = "D1066") -> AuditEntry:
    at = NOW - timedelta(days=days_ago)
    return AuditEntry(
        txn_no=new_txn_no(at),
        at=at,
        actor=actor,
        operator_code=operator,
        action="GetMedicalRecord",
        subject=f"patient {patient}",
        result_code="0",
        purpose="TREAT",
        detail="scope=THIS_VISIT",
    )


@pytest.fixture(autouse=True)
def session(site: Path, migrated: str):
    engine = create_engine(migrated)
    clear(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def keep(session: Session, *rows: AuditEntry | PatientMerge) -> None:
    session.add_all(rows)
    session.commit()


def patients(out: str) -> list[str]:
    return [word for line in out.splitlines() for word in line.split() if word.startswith("A-")]


def test_who_looked_at_a_patient_is_listed_in_order(gateway: Command, session: Session):
    keep(session, look("A-1", "LIS", days_ago=2), look("A-1"), look("A-2"))
    out = gateway("audit", "list", "--patient", "A-1").out
    assert patients(out) == ["A-1", "A-1"]
    assert out.index("LIS") < out.index("PACS")
    assert all(word in out for word in ("D1066", "GetMedicalRecord", "TREAT", "scope=THIS_VISIT"))


def test_a_merged_patient_is_found_under_every_id(gateway: Command, session: Session):
    merges = [("A-3", "A-4"), ("A-4", "A-5")]
    rows = [PatientMerge(hospital_code="H1", former_patient_id=a, patient_id=b, merged_at=NOW) for a, b in merges]
    keep(session, *rows, *(look(one) for one in ("A-3", "A-4", "A-5", "A-6")))
    for one in ("A-3", "A-5"):
        listed = gateway("audit", "list", "--patient", one, "--action", "GetMedicalRecord").out
        assert sorted(patients(listed)) == ["A-3", "A-4", "A-5"]


def test_a_client_or_a_time_narrows_the_list(gateway: Command, session: Session):
    keep(session, look("A-7", "RADIOLOGY", days_ago=3), look("A-8", "RADIOLOGY"), look("A-9", "RADIOLOGY", days_ago=40))
    assert sorted(patients(gateway("audit", "list", "--actor", "RADIOLOGY").out)) == ["A-7", "A-8"]
    since = f"{NOW - timedelta(days=2):%Y-%m-%d}"
    assert patients(gateway("audit", "list", "--actor", "RADIOLOGY", "--since", since).out) == ["A-8"]
    assert patients(gateway("audit", "list", "--actor", "RADIOLOGY", "--action", "ChargeItem").out) == []
    said = gateway("audit", "list", "--actor", "RADIOLOGY", "--limit", 1)
    assert (patients(said.out), "Only the first 1 are shown" in said.err) == (["A-7"], True)


def test_an_export_is_a_table_that_no_spreadsheet_calculates_with(gateway: Command, session: Session):
    keep(session, look("A-10", "EXPORTED", operator="=1+1"))
    rows = list(csv.DictReader(io.StringIO(gateway("audit", "export", "--actor", "EXPORTED").out)))
    assert [(r["actor"], r["operator"], r["subject"], r["purpose"]) for r in rows] == [
        ("EXPORTED", "'=1+1", "patient A-10", "TREAT")
    ]


@pytest.mark.parametrize(("command", "action"), [("list", "AUDIT_LIST"), ("export", "AUDIT_EXPORT")])
def test_who_reads_the_audit_is_audited(gateway: Command, session: Session, command: str, action: str):
    gateway("audit", command, "--patient", "A-11", "--since", "2026-01-01", "--until", "2026-02-01")
    entry = session.scalars(
        select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.at.desc())
    ).first()
    assert entry is not None
    assert entry.actor.startswith("terminal:")
    assert (entry.subject, entry.detail) == ("patient A-11", "since=2026-01-01T00:00 until=2026-02-01T00:00")


@pytest.mark.parametrize("tampering", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"])
def test_a_migrated_database_refuses_to_change_the_audit(session: Session, tampering: str):
    keep(session, look("A-13"))
    with pytest.raises(DBAPIError, match="kept as they were written"):
        session.execute(text(tampering))


def test_who_cannot_be_noted_sees_nothing(gateway: Command, session: Session, monkeypatch: pytest.MonkeyPatch):
    keep(session, look("A-12"))

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("gateway.cli.audit.audit", fail)
    said = gateway("audit", "list", "--patient", "A-12")
    assert (said.code, said.out) == (1, "")
