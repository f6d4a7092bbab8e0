"""A mapped message goes the way of every message: its sender, its rights, its number, the contract, the rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from lxml import etree
from pydantic import SecretStr
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from emptying import clear
from gateway.bootstrap.core import make_core
from gateway.bootstrap.doors import make_doors
from gateway.config import Settings
from gateway.errors import InvalidMessage, NotAllowed, NotAuthenticated
from gateway.facades.intake import Arrival, Intake
from gateway.model.journal import Alert, JournalEntry
from gateway.security.clients import add_client
from gateway.security.credentials import Credentials
from gateway.security.secrets import create_key_file

PASSWORD = "a-password-of-a-test"
NOW = datetime(2026, 11, 28, 9, 0, tzinfo=timezone(timedelta(hours=8)))
OPERATIONS = ["ReportVisitEvent", "PushCriticalValue", "QueryRequisition", "HIS"]
EVENT = (
    "<Request><Event>ADMIT</Event><OccurredAt>2026-11-28T08:00:00</OccurredAt><EventNo>E1</EventNo><Visit>"
    "<VisitNo>V1</VisitNo><VisitType>3</VisitType></Visit><Patient><SexCode>1</SexCode><PatientName>王𠮷祥</PatientName>"
    "<PatientId>P1</PatientId></Patient></Request>"
)


@pytest.fixture
def intake(engine: Engine, tmp_path: Path) -> Iterator[Intake]:
    clear(engine)
    with Session(engine) as session:
        add_client(session, "HIS", rights=OPERATIONS, operations=OPERATIONS, password=PASSWORD)
        add_client(session, "LIS", rights=["QueryRequisition"], operations=OPERATIONS, password=PASSWORD)
        session.commit()
    create_key_file(tmp_path / "secret.key")
    url = SecretStr(engine.url.render_as_string(hide_password=False))
    core = make_core(Settings(folder=tmp_path, hospital_code="44643245-7", database_url=url))
    yield make_doors(core).intake
    core.engine.dispose()


def arrived(number: int = 1) -> Arrival:
    return Arrival("MLLP test", b"as it came", NOW, f"G{number}", "44643245-7")


def admitted(intake: Intake, name: str = "HIS", number: int = 1) -> Arrival:
    arrival = arrived(number)
    intake.admit(arrival, Credentials(name, PASSWORD))
    return arrival


def take(intake: Intake, arrival: Arrival, text: str = EVENT, operation: str = "ReportVisitEvent"):
    return intake.take(arrival, operation, lambda: (operation, etree.fromstring(text)), set())


def test_it_is_put_in_order_completed_decided_and_kept_as_it_came(intake: Intake, engine: Engine):
    response = take(intake, admitted(intake))
    assert response.result.result_code == "0"
    with Session(engine) as session:
        [kept] = session.scalars(select(JournalEntry)).all()
    assert (kept.sender_code, kept.soap_version, kept.xml) == ("HIS", "MLLP test", b"as it came")


def test_the_same_content_without_a_number_is_a_repetition(intake: Intake):
    first, second = take(intake, admitted(intake, number=1)), take(intake, admitted(intake, number=2))
    assert (first.result.duplicate, second.result.duplicate) == (False, True)
    assert first.result.gateway_txn_no == second.result.gateway_txn_no


def test_other_content_without_a_number_is_no_repetition(intake: Intake):
    take(intake, admitted(intake, number=1))
    other = take(intake, admitted(intake, number=2), EVENT.replace("E1", "E2"))
    assert not other.result.duplicate


def test_a_client_without_the_right_is_refused_before_anything_is_mapped(intake: Intake):
    def never():
        raise AssertionError

    with pytest.raises(NotAllowed):
        intake.take(admitted(intake, "LIS"), "ReportVisitEvent", never, set())


def test_a_sender_may_not_speak_for_another(intake: Intake):
    other = EVENT.replace("<Event>", "<Header><SenderCode>LIS</SenderCode></Header><Event>")
    with pytest.raises(NotAllowed):
        take(intake, admitted(intake), other)


def test_what_breaks_the_contract_is_told_with_its_place(intake: Intake):
    with pytest.raises(InvalidMessage) as told:
        take(intake, admitted(intake), EVENT.replace("ADMIT", "ARRIVE"))
    assert told.value.path == "Request/Event"


def test_a_critical_value_nobody_can_read_is_kept_and_alarms(intake: Intake, engine: Engine):
    with pytest.raises(InvalidMessage):
        take(intake, admitted(intake), "<Request><CriticalId>C1</CriticalId></Request>", "PushCriticalValue")
    with Session(engine) as session:
        assert session.scalars(select(Alert.kind)).all() == ["CRITICAL_UNREADABLE"]


def test_nobody_comes_in_by_a_name_alone_that_is_no_client(intake: Intake):
    assert intake.admit_known(arrived(), "HIS").name == "HIS"
    with pytest.raises(NotAuthenticated):
        intake.admit_known(arrived(), "NOBODY")


def test_a_fault_has_the_result_a_response_would_have(intake: Intake):
    told = intake.fault(arrived(), NotAllowed("a", "b"), "E1")
    assert told.findtext("Result/ResultCode") == "AUT-403"
    assert told.findtext("Result/Retryable") == "false"
