"""`gateway client record-policy`, `gateway authorization`, `gateway patient`: who may read whose record."""

from datetime import date
from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from emptying import clear
from gateway.model.journal import AuditEntry
from gateway.model.record import RecordAuthorization, RecordPolicy


@pytest.fixture(autouse=True)
def session(site: Path, migrated: str, gateway: Command):
    """A database with one client, INSURER, about whose records nothing was said."""
    engine = create_engine(migrated)
    clear(engine)
    with Session(engine) as session:
        gateway("client", "add", "INSURER", "--right", "GetMedicalRecord")
        yield session
    engine.dispose()


def audited(session: Session, action: str) -> AuditEntry:
    query = select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.at.desc())
    found = session.scalars(query).first()
    assert found is not None
    return found


INSURER = ("--purpose", "CLAIM", "--section", "LAB", "--section", "DIAG", "--mask", "insurer")
QUOTA = ("--per-minute", 30, "--per-day", 500, "--patients-per-day", 100)


def test_a_policy_is_set_shown_and_audited(gateway: Command, session: Session):
    said = gateway("client", "record-policy", "INSURER", *INSURER, *QUOTA)
    words = "for CLAIM; sections DIAG, LAB; masked for insurer; 30 a minute; 500 a day; 100 patients a day"
    assert said.out.strip() == f"Client INSURER reads records: {words}."
    assert words in gateway("client", "list").out
    assert f"Records: {words}." in gateway("client", "show", "INSURER").out
    assert audited(session, "RECORD_POLICY").detail == words


def test_a_policy_replaces_the_one_before_whole(gateway: Command, session: Session):
    gateway("client", "record-policy", "INSURER", *INSURER, *QUOTA)
    gateway("client", "record-policy", "INSURER", "--secret-section", "HIV", "--dept", "0103")
    policy = session.get_one(RecordPolicy, "INSURER")
    assert (policy.purposes, policy.sections, policy.secret_sections) == (["TREAT"], None, ["HIV"])
    assert (policy.departments, policy.mask, policy.per_minute) == (["0103"], "none", None)


def test_without_a_policy_a_client_reads_for_treatment(gateway: Command, session: Session):
    gateway("client", "record-policy", "INSURER", *INSURER)
    gateway("client", "record-policy", "INSURER", "--remove")
    assert session.get(RecordPolicy, "INSURER") is None
    assert "Records: for TREAT; all sections not secret." in gateway("client", "show", "INSURER").out


def test_an_authorization_is_added_listed_and_revoked(gateway: Command, session: Session):
    words = ("--client", "INSURER", "--purpose", "CLAIM", "--patient", "P1", "--from", "2026-01-01")
    said = gateway("authorization", "add", "SQ-1", *words, "--until", "2099-12-31", "--section", "LAB")
    assert "INSURER may read records of 1 patient(s) for CLAIM until 2099-12-31" in said.out
    row = session.get_one(RecordAuthorization, ("H1", "SQ-1"))
    assert (row.valid_from, row.valid_to, row.sections) == (date(2026, 1, 1), date(2099, 12, 31), ["LAB"])
    listed = gateway("authorization", "list", "--patient", "P1").out
    assert all(word in listed for word in ("SQ-1", "INSURER", "CLAIM", "P1", "LAB", "valid"))
    assert "SQ-1" not in gateway("authorization", "list", "--patient", "P2").out
    assert gateway("authorization", "revoke", "SQ-1").code == 0
    assert "revoked" in gateway("authorization", "list", "--client", "INSURER").out
    assert audited(session, "AUTHORIZATION_REVOKE").subject == "authorization SQ-1"


def test_research_may_be_about_a_list_of_patients_or_everybody(gateway: Command, tmp_path: Path):
    (tmp_path / "cohort.txt").write_text("P1\n\nP2 \n", encoding="utf-8")
    words = ("--client", "INSURER", "--purpose", "RESEARCH", "--until", "2099-12-31")
    assert (
        "2 patient(s)" in gateway("authorization", "add", "K1", *words, "--patients-file", tmp_path / "cohort.txt").out
    )
    assert "every patient" in gateway("authorization", "add", "K2", *words, "--every-patient").out
    assert gateway("authorization", "list", "--patient", "P2").out.count("RESEARCH") == 2


def test_a_restricted_patient_is_listed_until_it_is_no_more(gateway: Command, session: Session):
    assert gateway("patient", "restrict", "P1").code == 0
    assert gateway("patient", "restrict", "P1").code == 0
    assert "P1" in gateway("patient", "list").out
    assert gateway("patient", "unrestrict", "P1").code == 0
    assert "P1" not in gateway("patient", "list").out
    assert audited(session, "PATIENT_RESTRICT").subject == "patient P1"


CLAIM = ("--client", "INSURER", "--purpose", "CLAIM", "--until", "2099-12-31")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["client", "record-policy", "X"], 1, "there is no client 'X'"),
        (["client", "record-policy", "X", "--remove"], 1, "there is no client 'X'"),
        (["client", "record-policy", "INSURER", "--section", "病史"], 1, "1 to 20 visible ASCII characters"),
        (["client", "record-policy", "INSURER", "--purpose", "FUN"], 2, "'FUN'"),
        (["client", "record-policy", "INSURER", "--mask", "research"], 1, "for the purpose RESEARCH alone"),
        (["client", "record-policy", "INSURER", "--per-day", "0"], 2, "--per-day"),
        (["client", "show", "X"], 1, "There is no client 'X'"),
        (["authorization", "add", "A", *CLAIM], 1, "say either which patients"),
        (["authorization", "add", "A", *CLAIM, "--every-patient"], 1, "only research"),
        (["authorization", "add", "A", *CLAIM, "--patient", "P 1"], 1, "a patient's id has 1 to 50"),
        (["authorization", "add", "授权", *CLAIM, "--patient", "P1"], 1, "1 to 64 visible ASCII characters"),
        (["authorization", "add", "A", *CLAIM, "--patient", "P1", "--from", "2100-01-01"], 1, "end before it begins"),
        (["authorization", "add", "A", *CLAIM, "--purpose", "TREAT", "--patient", "P1"], 1, "TREAT needs no auth"),
        (["authorization", "add", "A", *CLAIM, "--client", "X", "--patient", "P1"], 1, "there is no client 'X'"),
        (["authorization", "add", "A", *CLAIM, "--patients-file", "/nowhere/p.txt"], 1, "No such file"),
        (["authorization", "revoke", "A"], 1, "there is no authorisation 'A'"),
        (["patient", "restrict", "王"], 1, "1 to 50 visible ASCII characters"),
        (["patient", "unrestrict", "P1"], 1, "patient 'P1' is not restricted"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(gateway: Command, words: list[str], code: int, told: str):
    said = gateway(*words)
    assert said.code == code
    assert told in said.mistake


def test_a_number_is_given_once(gateway: Command):
    words = ("authorization", "add", "A", *CLAIM, "--patient", "P1")
    gateway(*words)
    gateway("authorization", "revoke", "A")
    assert "authorisation A exists already" in gateway(*words).mistake
