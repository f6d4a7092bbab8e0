"""The partner folder that ships as the example of a PACS with an intermediate database works, on both databases."""

from __future__ import annotations

import threading
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gateway
from building import ZONE
from gateway.database_config import Poll
from gateway.model.poll import PollRow
from gateway.model.report import ReportVersion
from gateway.partner_config import Partner
from gateway.terms import RequisitionAction
from hospital import Hospital
from tests.partners.database.conftest import Middle
from tests.partners.database.poller import Reader
from tests.partners.fake_partner import sample

EXAMPLE = Path(gateway.__file__).parent / "examples" / "partners" / "database-pacs"


@pytest.fixture
def pacs(middle: Middle) -> Middle:
    """The PACS of the example, with its tables made by the SQL beside it."""
    kind = "mysql" if middle.is_mariadb else "postgresql"
    script = (EXAMPLE / f"tables.{kind}.sql").read_text(encoding="utf-8")
    lines = "\n".join(line for line in script.splitlines() if not line.startswith("--"))
    middle.run(*[statement for statement in lines.split(";") if statement.strip()])
    middle.settings = {**_settings(), "url": middle.url, "password": middle.password, "username": middle.username}
    middle.settings["folder"] = EXAMPLE
    return middle


def _settings() -> dict[str, Any]:
    values = tomllib.loads((EXAMPLE / "partner.toml").read_text(encoding="utf-8"))
    del values["password_file"]
    return values


def answering(pacs: Middle, flag: str, message: str = "") -> threading.Thread:
    """The program of the PACS, which takes or refuses the next requisition."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.05):
            if pacs.rows("SELECT REQUEST_NO FROM EXAM_REQUEST WHERE FLAG = '0'"):
                pacs.run(f"UPDATE EXAM_REQUEST SET FLAG = '{flag}', MSG = '{message}' WHERE FLAG = '0'")
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def send(pacs: Middle, action: RequisitionAction, number: int):
    partner = Partner(name="PACS", **pacs.settings)
    request = replace(sample("SubmitRequisition"), action=action)
    return pacs.send("SubmitRequisition", partner=partner, request=request, message_id=f"GW-{number}", seconds=8)


def test_a_requisition_goes_into_its_tables_and_is_answered_there(pacs: Middle):
    thread = answering(pacs, "1")
    assert send(pacs, RequisitionAction.NEW, 1).is_yes
    thread.join()
    request = sample("SubmitRequisition")
    assert pacs.rows("SELECT REQUEST_NO, PATIENT_NAME, STATE, URGENT FROM EXAM_REQUEST") == [
        (request.requisition_no, request.patient.patient_name, "N", 1)
    ]
    assert len(pacs.rows("SELECT * FROM EXAM_REQUEST_ITEM")) == len(request.items)
    thread = answering(pacs, "2", "already begun")
    answer = send(pacs, RequisitionAction.CANCEL, 2)
    thread.join()
    assert (answer.code, answer.text) == ("2", "already begun")
    assert pacs.rows("SELECT STATE FROM EXAM_REQUEST") == [("C",)]


def poll(name: str) -> Poll:
    return next(Poll.model_validate(one) for one in _settings()["polls"] if one["name"] == name)


class Pacs(Reader):
    """A reader of one of its polls, by the example's own stylesheet."""

    def __post_init__(self) -> None:
        self.client = "PACS"
        self.rights = frozenset({self.poll.operation})
        super().__post_init__()


def test_its_steps_and_reports_become_messages(pacs: Middle, hospital: Hospital):
    request = sample("SubmitRequisition")
    hospital.send(request)
    status = Pacs(pacs, hospital, poll("status"))
    report = Pacs(pacs, hospital, poll("report"))
    report.look()
    number, moment = request.requisition_no, f"{hospital.clock.now.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"
    columns = "(REQUEST_NO, STATE, HAPPENED_AT, WHO_CODE, WHO_NAME)"
    pacs.run(
        f"INSERT INTO EXAM_STATUS {columns} VALUES ('{number}', 'R', '{moment}', 'R1', '孙样例')",
        f"INSERT INTO EXAM_STATUS {columns} VALUES ('{number}', '?', '{moment}', 'R1', '孙样例')",
    )
    status.look()
    assert pacs.rows("SELECT STATE, FLAG, RESULT_CODE FROM EXAM_STATUS ORDER BY ID") == [
        ("R", "1", "0"),
        ("?", "2", "SYS-400"),
    ]
    assert "STATE is none of" in hospital.row(PollRow, poll="status", state="PARKED").words
    patient = request.patient
    pacs.run(
        "INSERT INTO EXAM_REPORT VALUES ('B1', 1, "
        f"'{number}', '{patient.patient_id}', '{patient.patient_name}', '1', '未见异常', '正常', "
        f"'R1', '孙样例', '{moment}', 'R2', '吴䶮', '{moment}', '{moment}')"
    )
    report.look()
    assert [row.report_no for row in hospital.rows(ReportVersion)] == ["B1"]
