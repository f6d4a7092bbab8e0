"""What a sender is told when its message cannot be taken, and what the log is told; neither ever repeats a value."""

from __future__ import annotations

import logging

import psycopg
import pytest
from inprocess import (
    BOTH,
    NOW,
    V11,
    V12,
    WIRE,
    Doorkeeper,
    Gateway,
    Reply,
    SoapClient,
    message,
    random_message,
)
from sqlalchemy import exc
from zeep.exceptions import Fault as ZeepFault

from gateway.errors import (
    ExamAlreadyStarted,
    InvalidMessage,
    MessageFault,
    NotAllowed,
    NotAuthenticated,
    NotUnderstood,
    TooMany,
    TooSlow,
    UnknownAddress,
    VersionMismatch,
)
from gateway.soap.faults import fault_content, http_status
from gateway.soap.protocol import enclose

SECRET = "王小明 110101199001011234"
EVERY_FAULT = [*MessageFault.catalogue(), NotUnderstood, VersionMismatch, TooSlow, UnknownAddress]


def written(version, fault: MessageFault) -> Reply:
    """The fault as it would be sent."""
    content = enclose(version, fault_content(version, fault, "E1", WIRE))
    return Reply(http_status(version, fault), {"Content-Type": version.content_type}, content, 0)


def orphan(kind: type[Exception] = exc.OperationalError) -> Exception:
    """An error of the database, with a patient in it."""
    return kind(f"INSERT INTO patient VALUES ('{SECRET}')", {"name": SECRET}, psycopg.OperationalError(SECRET))


# --- The fault itself -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("kind", EVERY_FAULT, ids=lambda kind: kind.__name__)
def test_every_fault_keeps_to_the_contract_in_both_versions(version, kind):
    fault = written(version, kind()).fault
    chinese, english = kind.describe()
    assert fault.fields["Code"] == kind.code
    assert fault.fields["Message"] == chinese
    assert fault.fields["MessageEn"] == english
    assert fault.fields["Retryable"] == str(kind.retryable).lower()
    assert fault.blames_the_caller == kind.sender


def test_the_text_of_a_fault_is_code_chinese_and_english():
    assert written(V11, TooMany()).fault.text == (
        "[SYS-429] 请求过于频繁，请稍后再试。 / Too many requests, try again later."
    )


@pytest.mark.parametrize("version", BOTH)
def test_texts_are_cut_and_escaped(version):
    fault = written(version, InvalidMessage("<长>&" * 400, "x" * 900, path="P" * 600, expected="]]>" * 300)).fault
    assert all(len(text) <= 500 for text in fault.fields.values())
    assert fault.fields["Path"].endswith("…")
    assert len(fault.text) == 500


def test_the_chinese_text_survives_when_both_do_not_fit():
    text = written(V11, InvalidMessage("长" * 300, "x" * 400)).fault.text
    assert "长" * 300 in text


def test_where_and_what_was_expected_is_said():
    fields = written(V12, InvalidMessage(path="Request/Items/Item[2]/Quantity", expected="decimal >= 0")).fault.fields
    assert (fields["Path"], fields["Expected"]) == ("Request/Items/Item[2]/Quantity", "decimal >= 0")


@pytest.mark.parametrize(
    ("fault", "soap11", "soap12"),
    [
        (InvalidMessage(), 500, 400),
        (NotAuthenticated(), 500, 400),
        (NotAuthenticated(credentials_came=False), 401, 401),
        (NotAllowed(), 500, 400),
        (NotUnderstood(), 500, 500),  # SOAP 1.2 part 2, table 20
        (VersionMismatch(), 500, 500),
        (UnknownAddress(), 404, 404),
        *((kind(), kind.http_status, kind.http_status) for kind in EVERY_FAULT if kind.code in ("SYS-413", "SYS-429")),
        *((kind(), 500, 500) for kind in EVERY_FAULT if kind.code in ("SYS-500", "SYS-503")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_http_status_follows_version_and_kind(fault, soap11, soap12):
    assert (http_status(V11, fault), http_status(V12, fault)) == (soap11, soap12)


@pytest.mark.parametrize("version", BOTH)
def test_a_soap_client_gets_the_fields_of_the_fault(gateway, version):
    gateway.reception.problem = InvalidMessage(path="Request/ChargeNo", expected="1..50 visible ASCII characters")
    with pytest.raises(ZeepFault) as caught:
        SoapClient(gateway, version).call("ChargeItem", random_message("ChargeItemRequest", gateway.reception.chance))
    detail = caught.value.detail
    assert caught.value.message.startswith("[SYS-400] 报文不符合接口规范。")
    assert caught.value.code == ("soap:Client" if version is V11 else "soap:Sender")
    if version is V12:
        assert caught.value.subcodes[0].localname == "SYS-400"
    assert detail[0].findtext("{*}Path") == "Request/ChargeNo"


# --- Errors of ours ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(
    "problem",
    [ValueError(SECRET), RecursionError(), MemoryError(), KeyError(SECRET), ExamAlreadyStarted(), StopIteration()],
    ids=lambda problem: type(problem).__name__,
)
def test_whatever_an_operation_raises_the_sender_gets_a_fault_and_may_try_again(gateway, version, problem):
    gateway.reception.problem = problem
    reply = gateway.post(message(version=version))
    fault = reply.fault
    assert (reply.status, fault.code) == (500, "Server" if version is V11 else "Receiver")
    assert (fault.fields["Code"], fault.fields["Retryable"]) == ("SYS-500", "true")
    assert SECRET not in reply.content.decode()


def test_the_log_tells_what_happened_where_by_number_and_never_a_value(gateway, caplog):
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as cause:
            raise ValueError(SECRET) from cause
    except ValueError as problem:
        gateway.reception.problem = problem
    fault = gateway.post(message()).fault
    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert fault.fields["ErrorId"] in line
    assert "operation SubmitRequisition, client HIS, message HIS-20261116-000101" in line
    assert "builtins.ValueError at soap/test_faults.py:" in line
    assert "soap/inprocess.py:" in line
    assert "<- builtins.KeyError at soap/test_faults.py:" in line
    assert "王小明" not in caplog.text
    assert "\n" not in line


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(
    "problem",
    [
        orphan(),
        orphan(exc.InterfaceError),
        exc.TimeoutError("QueuePool limit"),
        psycopg.OperationalError(SECRET),
        exc.DBAPIError(SECRET, {}, Exception(), connection_invalidated=True),
    ],
    ids=["connection lost", "interface", "no connection free", "driver", "invalidated"],
)
@pytest.mark.parametrize("where", ["authentication", "operation"])
def test_when_the_database_is_away_the_sender_is_to_come_again(version, problem, where):
    gateway = Gateway(directory=Doorkeeper(problem=problem if where == "authentication" else None))
    gateway.reception.problem = problem
    reply = gateway.post(message(version=version))
    assert (reply.status, reply.fault.fields["Code"], reply.fault.fields["Retryable"]) == (500, "SYS-503", "true")
    assert not reply.fault.blames_the_caller


def test_the_log_of_a_database_error_has_its_number_and_not_its_statement(gateway, caplog):
    class Cancelled(psycopg.OperationalError):
        sqlstate = "57014"

    gateway.reception.problem = exc.OperationalError(f"UPDATE {SECRET}", {}, Cancelled(SECRET))
    gateway.post(message())
    assert "sqlalchemy.exc.OperationalError (SQLSTATE 57014) at" in caplog.text
    assert "王小明" not in caplog.text
    assert "UPDATE" not in caplog.text


def test_an_error_before_the_message_is_even_read_is_a_fault_too():
    class Broken:
        def read(self, size=-1):
            raise OSError("line broken")

        readline = readlines = __iter__ = read

    gateway = Gateway()
    reply = gateway.post(message(version=V12), **{"wsgi.input": Broken()})
    assert reply.version is V12
    assert reply.fault.blames_the_caller


# --- Errors of the sender, in the log ---------------------------------------------------------------------------------


def test_a_refused_message_leaves_one_line_of_codes_and_numbers(gateway, caplog):
    caplog.set_level(logging.DEBUG)
    fault = gateway.post(message().replace("<PatientName>", f"<PatientName><王小明>{SECRET}</王小明>")).fault
    [line] = [record for record in caplog.records if record.name == "gateway.soap.faults"]
    assert line.levelno == logging.INFO
    assert line.getMessage() == (
        f"Fault SYS-400 {fault.fields['ErrorId']}: operation SubmitRequisition, client HIS, message -"
    )
    assert "王小明" not in caplog.text


def test_every_fault_has_a_number_of_its_own_that_begins_with_the_time(gateway):
    numbers = {gateway.post("no XML").fault.fields["ErrorId"] for _ in range(50)}
    assert len(numbers) == 50
    assert all(number.startswith(f"E{NOW:%y%m%d%H%M%S}-") for number in numbers)
