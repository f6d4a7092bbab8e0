"""`gateway codes`: from the file of a hospital to what counts, and back again."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from at_the_terminal import Command, Said
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from emptying import clear
from gateway.codes.picture import Asked
from gateway.codes.unmapped import remember
from gateway.delivery.jobs import Jobs
from gateway.mapping.codes import UnmappedPolicy
from gateway.model.code_table import CodeRow, CodeTable, CodeVersion, UnmappedCode, WaitingForCode
from gateway.model.delivery import Delivery, DeliveryState, Lane
from gateway.model.journal import Alert, AuditEntry

FIRST = "本院代码,本院名称,对方代码,失效日期\n0103,放射科,FSK,\n0577,血管科,XGK,\n"
SECOND = "本院代码,本院名称,对方代码,失效日期\n0103,放射科,RAD,\n0577,血管科,XGK,\n0999,康复科,KFK,\n"


@pytest.fixture
def session(site: Path, migrated: str):
    engine = create_engine(migrated)
    clear(engine)
    with Session(engine) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        session.commit()
        yield session
    engine.dispose()


@pytest.fixture
def file(tmp_path: Path):
    def write(content: str, name: str = "departments.csv") -> Path:
        (tmp_path / name).write_text(content, "utf-8")
        return tmp_path / name

    return write


def lines(said: Said) -> list[list[str]]:
    assert said.code == 0, said
    return [line.split() for line in said.out.splitlines()]


def test_a_file_becomes_a_draft_and_changes_nothing(gateway: Command, session: Session, file):
    said = gateway("codes", "import", "department", file(FIRST))
    assert said.out.splitlines()[-1] == "Version 1 of department for all partners at H1 is a draft, rows: 2."
    assert [row[:6] for row in lines(gateway("codes", "list"))[1:]] == [["H1", "department", "all", "-", "park", "1"]]
    assert session.scalars(select(CodeVersion.state)).all() == ["DRAFT"]


def test_a_draft_is_activated_after_a_look_at_what_changes(gateway: Command, session: Session, file):
    gateway("codes", "import", "department", file(FIRST), "--partner", "PACS")
    said = gateway("codes", "activate", "department", "--partner", "PACS")
    assert said.out == "Rows: 2 new or changed, 0 gone, 0 the same.\n"
    assert "Nothing is changed: add --yes to do it." in said.err
    assert "PACS is no partner of this site so far." in said.err
    said = gateway("codes", "activate", "department", "--partner", "PACS", "--yes")
    assert said.out.splitlines()[-1] == "Version 1 of department of PACS at H1 counts now."
    gateway("codes", "import", "department", file(SECOND), "--partner", "PACS")
    said = gateway("codes", "activate", "department", "--partner", "PACS", "--yes")
    assert said.out.splitlines() == [
        "Rows: 2 new or changed, 1 gone, 1 the same.",
        "Version 2 of department of PACS at H1 counts now in place of version 1.",
    ]


def test_a_rollback_is_asked_about_and_done(gateway: Command, session: Session, file):
    for content in (FIRST, SECOND):
        gateway("codes", "import", "department", file(content))
        gateway("codes", "activate", "department", "--yes")
    assert gateway("codes", "rollback", "department").out == "Rows: 1 new or changed, 2 gone, 1 the same.\n"
    assert lines(gateway("codes", "list"))[1][3] == "2"
    said = gateway("codes", "rollback", "department", "--yes")
    assert said.out.splitlines()[-1].endswith("counts again; version 2 is kept.")
    assert lines(gateway("codes", "list"))[1][3] == "1"
    assert "nothing to go back to" in gateway("codes", "rollback", "department", "--yes").mistake


def test_a_draft_is_deleted_and_what_counts_stays(gateway: Command, session: Session, file):
    gateway("codes", "import", "department", file(FIRST))
    gateway("codes", "activate", "department", "--yes")
    gateway("codes", "import", "department", file(SECOND))
    said = gateway("codes", "discard", "department")
    assert (said.out, "add --yes to do it" in said.err) == ("", True)
    assert "is deleted; what counts has not changed." in gateway("codes", "discard", "department", "--yes").out
    assert [row[3] for row in lines(gateway("codes", "list"))[1:]] == ["1"]
    assert session.scalars(select(CodeRow.version_id).distinct()).all() == session.scalars(select(CodeVersion.id)).all()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "CODES_DISCARD")).one()
    assert entry.detail == "version=2 rows=3"
    assert "no version that is DRAFT" in gateway("codes", "discard", "department", "--yes").mistake
    mistake = gateway("codes", "discard", "department", "--version", "1", "--yes").mistake
    assert "Version 1 of department is ACTIVE and stays" in mistake


def test_a_table_is_shown_with_its_versions_and_rows(gateway: Command, session: Session, file):
    for content in (FIRST, SECOND):
        gateway("codes", "import", "department", file(content))
        gateway("codes", "activate", "department", "--yes")
    said = gateway("codes", "show", "department")
    assert ["1", "RETIRED", "2", "departments.csv"] in [row[:4] for row in lines(said)]
    assert ["0103", "放射科", "<->", "RAD"] in lines(said)
    only = gateway("codes", "show", "department", "--code", "fsk".upper(), "--version", "1")
    assert lines(only)[-1] == ["0103", "放射科", "<->", "FSK"]
    assert "The first 1 of 3 are shown" in gateway("codes", "show", "department", "--limit", "1").err


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
def test_what_is_exported_is_imported_again_without_a_change(
    gateway: Command, session: Session, file, tmp_path: Path, name: str
):
    gateway("codes", "import", "department", file(FIRST))
    gateway("codes", "activate", "department", "--yes")
    assert gateway("codes", "export", "department", tmp_path / name).code == 0
    gateway("codes", "import", "department", tmp_path / name)
    said = gateway("codes", "activate", "department", "--yes")
    assert said.out.splitlines()[0] == "Rows: 0 new or changed, 0 gone, 2 the same."
    assert gateway("codes", "export", "department", tmp_path / "out.pdf").code == 2


def test_a_file_with_a_contradiction_is_refused_and_reported(gateway: Command, session: Session, file, tmp_path: Path):
    bad = file("本院代码,对方代码\n0103,FSK\n0103,RAD\n0104,\n")
    said = gateway("codes", "import", "department", bad, "--report", tmp_path / "report.csv")
    assert said.code == 1
    assert "Found: contradiction (stops it) 1, empty code 1" in said.out
    assert "Nothing is imported: mend what stops it (1) in departments.csv" in said.err
    report = (tmp_path / "report.csv").read_text("utf-8-sig")
    assert "contradiction,3,0103" in report
    assert session.scalars(select(CodeTable)).all() == []


def test_a_dry_run_imports_nothing(gateway: Command, session: Session, file):
    said = gateway("codes", "import", "department", file(FIRST), "--dry-run")
    assert (said.code, said.out) == (0, "departments.csv: usable rows: 2.\n")
    assert session.scalars(select(CodeTable)).all() == []


def test_codes_of_the_hospital_s_list_without_a_row_are_reported(gateway: Command, session: Session, file):
    known = file("代码\n0103\n0577\n0999\n", "all.csv")
    said = gateway("codes", "import", "department", file(FIRST), "--known", known)
    assert "Found: no row 1" in said.out
    assert "no row 1" in gateway("codes", "check", "department", "--known", known).out
    assert "Nothing is found." in gateway("codes", "check", "department").out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("show", "sex"), "There is no table sex for all partners at H1"),
        (("activate", "sex", "--yes"), "There is no table sex"),
        (("import", "sex", "none.csv"), "none.csv: It cannot be read"),
        (("import", "a b", "none.csv"), "without spaces"),
        (("show", "sex", "--hospital", "H9"), "H9 is no hospital of this site."),
        (("policy", "sex", "default"), "needs the value that stands in"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(gateway: Command, session: Session, words, reason: str):
    assert reason in gateway("codes", *words).mistake


def test_what_becomes_of_values_without_a_row_is_decided_and_shown(gateway: Command, session: Session):
    assert gateway("codes", "policy", "sex", "default", "--theirs", "9", "--ours", "0").code == 0
    assert "default (9 out, 0 in)" in gateway("codes", "list").out
    said = gateway("codes", "policy", "sex", "pass")
    assert said.out == "sex for all partners at H1: without a row pass\n"


def waiting(session: Session, value: str) -> int:
    now = datetime.now(UTC)
    row = Delivery(
        partner="PACS",
        operation="SubmitRequisition",
        lane=Lane.NORMAL,
        lock=f"requisition|PACS|H1||{value}",
        state=DeliveryState.QUEUED,
        attempts=0,
        txn_no="G1",
        hospital_code="H1",
        origin_sender_code="HIS",
        origin_message_id="M1",
        subject="R1",
        request="<Action>NEW</Action>",
        created_at=now,
        next_attempt_at=now,
        last_code="UNMAPPED",
    )
    session.add(row)
    session.flush()
    Jobs().add(session, row, at=now.replace(year=now.year + 1))
    remember(session, Asked("department", value, "PACS", "H1", True), UnmappedPolicy.PARK, 1, now)
    number = session.scalars(select(UnmappedCode.id).where(UnmappedCode.value == value)).one()
    session.add(WaitingForCode(delivery_id=row.id, unmapped_id=number, since=now))
    session.commit()
    return row.id


def test_what_has_no_row_is_listed_with_what_waits_for_it(gateway: Command, session: Session):
    waiting(session, "0103")
    row = lines(gateway("codes", "unmapped"))[1]
    assert row[:8] == ["H1", "PACS", "department", "ours", "to", "theirs", "0103", "park"]
    assert row[-3:] == ["1", "1", "0"]
    assert lines(gateway("codes", "unmapped", "--partner", "LIS"))[1:] == []


def test_what_a_message_waits_for_is_said(gateway: Command, session: Session):
    delivery = waiting(session, "0103")
    said = gateway("delivery", "show", f"GW-{delivery}")
    assert "Waits for a row of department for 0103: `gateway codes unmapped`" in said.out


def test_messages_go_on_when_the_version_with_their_row_is_activated(gateway: Command, session: Session, file):
    waiting(session, "0103")
    other = waiting(session, "0888")
    gateway("codes", "import", "department", file(FIRST))
    said = gateway("codes", "activate", "department", "--yes")
    assert "Values settled: 1. Messages that go on: 1." in said.out
    due = text("SELECT (args ->> 'delivery_id')::bigint FROM procrastinate_jobs WHERE scheduled_at > clock_timestamp()")
    assert session.scalars(due).all() == [other]
    assert lines(gateway("codes", "unmapped"))[1][6] == "0888"
    assert len(lines(gateway("codes", "unmapped", "--all"))) == 3
    assert [alert.settled_at is None for alert in session.scalars(select(Alert).order_by(Alert.id))] == [False, True]


def test_who_decided_stays_known(gateway: Command, session: Session, file):
    for content in (FIRST, SECOND):
        gateway("codes", "import", "department", file(content))
        gateway("codes", "activate", "department", "--yes")
    gateway("codes", "rollback", "department", "--yes")
    gateway("codes", "policy", "department", "reject")
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.at)).all()
    assert [(entry.action, entry.detail.split()[0]) for entry in entries] == [
        ("CODES_IMPORT", "version=1"),
        ("CODES_ACTIVATE", "version=1"),
        ("CODES_IMPORT", "version=2"),
        ("CODES_ACTIVATE", "version=2"),
        ("CODES_ROLLBACK", "from=2"),
        ("CODES_POLICY", "policy=reject"),
    ]
    assert all(entry.actor.startswith("terminal:") for entry in entries)
    assert {entry.subject for entry in entries} == {"codes department for all partners at H1"}
