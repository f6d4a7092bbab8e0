"""The gateway as a web application: who may send what, what comes back, and what stands at its addresses."""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
import threading

import pytest
from inprocess import (
    BOTH,
    CONTRACT,
    NOW,
    OPERATIONS,
    PASSWORD,
    SCHEMA,
    V11,
    V12,
    WIRE,
    Doorkeeper,
    Gateway,
    SoapClient,
    auth_header,
    basic,
    envelope,
    message,
    plain,
    random_message,
    sample,
    text_of,
)
from lxml import etree
from sqlalchemy.exc import OperationalError

from gateway.contract import NAMESPACE
from gateway.errors import InvalidMessage, NotAllowed
from gateway.model.client import SpecialRight
from gateway.soap.cycle import make_cycles
from gateway.soap.envelope import Envelope, Limits

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
TOKEN = (
    f'<w:Security xmlns:w="{WSSE}"><w:UsernameToken><w:Username>HIS</w:Username><w:Password>{PASSWORD}</w:Password>'
    "</w:UsernameToken></w:Security>"
)


# --- A message and its answer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_answered_in_the_version_of_its_question(gateway, operation, version):
    reply = gateway.post(message(operation, version))
    assert reply.response.tag == f"{{{NAMESPACE}}}{operation}Response"
    assert reply.version is version


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_a_client_sends_is_what_the_rules_get_and_what_they_answer_is_what_it_reads(operation, version):
    gateway = Gateway()
    client = SoapClient(gateway, version)
    for seed in range(3):
        request = random_message(f"{operation}Request", random.Random(seed))
        answer = client.call(operation, request)
        assert gateway.reception.received[-1].request == request
        assert plain(answer) == WIRE.plain(gateway.reception.answers[-1])


def test_the_rules_learn_who_sent_what_when_and_how(gateway):
    gateway.post(message("ReportStatus", V12, header=""), HTTP_AUTHORIZATION=basic("PACS"))
    [received] = gateway.reception.received
    assert (received.operation, received.caller.name, received.soap_version) == ("ReportStatus", "PACS", "1.2")
    assert received.request == WIRE.read("ReportStatusRequest", sample("ReportStatus")[0])
    assert received.received_at == NOW
    assert received.txn_no.startswith("G261116093015123")


def test_the_answer_uses_the_prefix_soap_and_no_other(gateway):
    content = gateway.post(message()).content.decode()
    assert content.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap="')
    assert f'<SubmitRequisitionResponse xmlns="{NAMESPACE}"><Response><Result>' in content


def test_many_threads_get_each_its_own_answer(gateway):
    wrong = []

    def send(number: int) -> None:
        for turn in range(10):
            message_id = f"M-{number}-{turn}"
            body = message().replace("HIS-20261116-000101", message_id)
            if turn % 2:
                body = body.replace("<Priority>URGENT<", "<Priority>SOON<")
            reply = gateway.post(body)
            told = reply.fault.fields["Path"] if turn % 2 else reply.response.findtext(f".//{{{NAMESPACE}}}MessageId")
            if told != ("Request/Priority" if turn % 2 else message_id):
                wrong.append((message_id, told))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(gateway.reception.received) == 40


def envelopes_in_memory() -> int:
    return sum(isinstance(kept, Envelope) for kept in gc.get_objects())


@pytest.mark.parametrize(
    "body",
    [message(), message().replace("<Action>NEW", "<Action>OLD"), message("RefundItem")],
    ids=["accepted", "refused", "an error of ours"],
)
def test_a_message_leaves_the_memory_with_its_answer(gateway, body):
    gateway.reception.problem = ZeroDivisionError() if "RefundItem" in body else None
    gc.collect()
    gc.disable()
    try:
        before = envelopes_in_memory()
        gateway.post(body, strict=False)
        gateway.reception.problem = None
        assert envelopes_in_memory() == before
    finally:
        gc.enable()


# --- Who may send -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(
    ("header", "authorization"),
    [(auth_header(), None), (TOKEN, None), ("", basic()), (auth_header(), basic()), (auth_header() + TOKEN, None)],
    ids=["AuthHeader", "UsernameToken", "Basic", "AuthHeader and Basic", "AuthHeader and UsernameToken"],
)
def test_a_client_is_let_in_whichever_way_it_says_its_name(gateway, version, header, authorization):
    assert gateway.post(message(version=version, header=header), HTTP_AUTHORIZATION=authorization).response is not None


@pytest.mark.parametrize(("version", "status"), [(V11, 401), (V12, 401)])
def test_without_any_credential_the_answer_says_which_are_understood(gateway, version, status):
    reply = gateway.post(message(version=version, header=""))
    assert reply.status == status
    assert reply.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert reply.fault.fields["Code"] == "AUT-401"


@pytest.mark.parametrize(("version", "status"), [(V11, 500), (V12, 400)])
def test_a_wrong_password_is_a_fault_and_no_browser_asks_for_another(gateway, version, status):
    reply = gateway.post(message(version=version, header=auth_header(password="wrong")))
    assert (reply.status, reply.fault.fields["Code"]) == (status, "AUT-401")
    assert "WWW-Authenticate" not in reply.headers


def test_a_client_without_the_right_learns_nothing_about_its_message():
    gateway = Gateway(directory=Doorkeeper({"LIS": frozenset({"SubmitReport"})}))
    reply = gateway.post(message(header=auth_header("LIS")).replace("<Action>NEW", "<Action>OLD"))
    assert reply.fault.fields["Code"] == "AUT-403"
    assert "SubmitRequisition" in reply.fault.text


def test_a_stranger_learns_nothing_about_the_contract(gateway):
    reply = gateway.post(message(header=auth_header(password="wrong")).replace("<Action>NEW", "<Action>OLD"))
    assert reply.fault.fields["Code"] == "AUT-401"


def test_an_unknown_operation_is_told_all_that_exist(gateway):
    fault = gateway.post(envelope(f'<SubmitRequisitions xmlns="{NAMESPACE}"/>')).fault
    assert fault.fields["Expected"] == " | ".join(OPERATIONS)
    assert "SubmitRequisition？" in fault.text


def test_a_foreign_sender_code_is_the_callers_fault(gateway):
    gateway.reception.problem = NotAllowed("SenderCode 与登录用户不一致。", "SenderCode differs from the user.")
    fault = gateway.post(message()).fault
    assert (fault.code, fault.fields["Code"], fault.fields["Retryable"]) == ("Client", "AUT-403", "false")


# --- What the journal keeps -------------------------------------------------------------------------------------------


def test_the_message_is_kept_byte_for_byte_as_it_came(gateway):
    body = message(header="").encode("gb18030", "xmlcharrefreplace")
    gateway.post(body, "text/xml; charset=GBK", HTTP_AUTHORIZATION=basic())
    assert gateway.reception.received[0].xml == body


@pytest.mark.parametrize("header", [auth_header(), TOKEN], ids=["AuthHeader", "UsernameToken"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_no_password_is_kept_with_the_message(gateway, header, encoding):
    body = message(header=header).encode(encoding)
    gateway.post(body, f"text/xml; charset={encoding}")
    kept = gateway.reception.received[0].xml
    assert PASSWORD not in kept.decode()
    assert etree.fromstring(kept).findtext(".//{*}Username") == "HIS"
    assert etree.fromstring(kept).findtext(".//{*}PatientName") == "王𠮷祥"


# --- Size -------------------------------------------------------------------------------------------------------------

LARGE = Doorkeeper({"PACS": frozenset({*OPERATIONS, SpecialRight.LARGE_REPORT}), "HIS": frozenset(OPERATIONS)})
LIMITS = Limits(body_bytes=64 * 1024, large_body_bytes=512 * 1024)


def large(operation: str, header: str, size: int = 100 * 1024, version=V11) -> str:
    """A message whose trailing white space makes it large."""
    return message(operation, version, header).replace("</Request>", " " * size + "</Request>")


@pytest.fixture
def narrow() -> Gateway:
    LARGE.asked.clear()
    return Gateway(directory=LARGE, limits=LIMITS)


@pytest.mark.parametrize("version", BOTH)
def test_a_large_report_comes_in_from_a_client_that_may_send_it(narrow, version):
    assert narrow.post(large("SubmitReport", auth_header("PACS"), version=version)).response is not None
    assert len(LARGE.asked) == 1, "a token counts once, so nobody may be asked for it twice"


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(
    ("operation", "header", "code"),
    [
        ("SubmitReport", auth_header("HIS"), "SYS-413"),
        ("SubmitReport", "", "SYS-413"),
        ("SubmitReport", auth_header("PACS", "wrong"), "AUT-401"),
        ("SubmitRequisition", auth_header("PACS"), "SYS-413"),
    ],
    ids=["without the right", "nobody", "wrong password", "other operation"],
)
def test_a_large_message_of_anybody_else_does_not(narrow, version, operation, header, code):
    reply = narrow.post(large(operation, header, version=version))
    assert reply.fault.fields["Code"] == code
    assert reply.version is version
    assert reply.status == (413 if code == "SYS-413" else 500 if version is V11 else 400)


def test_a_large_report_in_no_namespace_comes_in_too(narrow):
    body = large("SubmitReport", auth_header("PACS")).replace(f' xmlns="{NAMESPACE}"', "")
    assert narrow.post(body).response is not None


def test_even_a_large_report_has_its_limit(narrow):
    assert narrow.post(large("SubmitReport", auth_header("PACS"), 600 * 1024)).status == 413


def test_a_second_name_after_the_first_part_does_not_open_the_door(narrow):
    body = large("SubmitReport", auth_header("PACS")).replace("</s:Envelope>", "<s:Header/></s:Envelope>")
    assert narrow.post(body).fault.fields["Code"] == "SYS-400"
    assert narrow.reception.received == []


# --- Critical values nobody can read ----------------------------------------------------------------------------------

PUSH = message("PushCriticalValue", header=auth_header("LIS"))
NO_CONTENT = PUSH.replace("<Content>", "<Kontent>").replace("</Content>", "</Kontent>")
NO_XML = PUSH.replace("</Content>", "K <2.5 & falling</Content>")


def test_a_critical_value_in_no_namespace_that_nobody_can_read_is_kept_as_well(gateway):
    assert gateway.post(NO_CONTENT.replace(f' xmlns="{NAMESPACE}"', "")).fault.blames_the_caller
    assert [push["sender_code"] for push in gateway.unreadable] == ["LIS"]


@pytest.mark.parametrize("body", [NO_CONTENT, NO_XML], ids=["against the contract", "no XML"])
def test_a_critical_value_nobody_can_read_is_kept_besides_its_fault(gateway, body):
    assert gateway.post(body).fault.blames_the_caller
    [push] = gateway.unreadable
    assert (push["sender_code"], push["soap_version"], push["received_at"]) == ("LIS", "1.1", NOW)
    assert b"PushCriticalValue" in push["xml"]
    assert PASSWORD.encode() not in push["xml"]
    assert isinstance(push["reason"], InvalidMessage)


def test_a_critical_value_that_cannot_even_be_kept_is_to_be_sent_again(gateway):
    gateway.cannot_keep = OperationalError("INSERT", {}, Exception())
    fault = gateway.post(NO_CONTENT).fault
    assert (fault.code, fault.fields["Code"], fault.fields["Retryable"]) == ("Server", "SYS-503", "true")


@pytest.mark.parametrize("body", [NO_CONTENT, NO_XML])
def test_strangers_do_not_alarm_the_duty_office(body):
    strangers = Gateway(directory=Doorkeeper({"LIS": frozenset({"SubmitReport"}), "HIS": frozenset(OPERATIONS)}))
    strangers.post(body)
    strangers.post(body.replace(PASSWORD, "guessed").replace(">LIS<", ">HIS<", 1))
    assert strangers.unreadable == []


def test_other_refused_messages_and_good_pushes_alarm_nobody(gateway):
    gateway.post(PUSH)
    gateway.post(message().replace("<Action>NEW", "<Action>OLD"))
    gateway.post(message().replace("</Action>", "& </Action>"))
    gateway.reception.problem = NotAllowed()
    gateway.post(PUSH)
    assert gateway.unreadable == []


# --- Addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["wsdl", "WSDL", "Wsdl", "singleWsdl", "singlewsdl", "wsdl=soap12", "WSDL=SOAP12"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_wsdl_is_found_however_a_client_spells_it(gateway, query, method):
    reply = gateway.get(f"/soap?{query}", method)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    assert (method == "HEAD") == (reply.content == b"")
    assert int(reply.headers["Content-Length"]) > 100_000


def test_the_wsdl_names_the_configured_address_whatever_host_was_asked(gateway):
    reply = gateway.request("GET", "/soap", QUERY_STRING="wsdl", HTTP_HOST="evil.example", HTTP_X_FORWARDED_HOST="evil")
    assert b'location="http://gateway.example.org:8080/soap"' in reply.content
    assert b"evil" not in reply.content


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/soap", "text/html; charset=utf-8"),
        ("/xsd/common.xsd", "text/xml; charset=utf-8"),
        ("/wsdl/gateway.wsdl", "text/xml; charset=utf-8"),
        ("/samples/ChargeItem.xml", "text/xml; charset=utf-8"),
        ("/healthz", "application/json"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_every_published_address_answers(gateway, path, kind):
    reply = gateway.get(path)
    assert (reply.status, reply.headers["Content-Type"]) == (200, kind)
    assert reply.content


@pytest.mark.parametrize(
    "path",
    ["/x.wsdl", "/soap/x.wsdl", "/xsd/", "/xsd/../gateway.toml", "/samples/../../etc/passwd", "/soap?xsd=1", "/Soap"],
)
def test_nothing_stands_at_any_other_address(gateway, path):
    reply = gateway.get(path)
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("path", ["/", "/SOAP", "/soap/x", "/xsd/common.xsd", "/x.wsdl"])
def test_a_message_sent_elsewhere_is_told_so_in_its_own_version(gateway, version, path):
    reply = gateway.post(message(version=version), path=path)
    assert (reply.status, reply.version) == (404, version)
    assert reply.fault.blames_the_caller
    assert gateway.reception.received == []


def test_a_slash_too_many_is_forgiven(gateway):
    assert gateway.post(message(), path="/soap/").status == 200


@pytest.mark.parametrize(
    ("path", "allowed"), [("/soap", "GET, HEAD, POST"), ("/", "GET, HEAD"), ("/nowhere", "GET, HEAD")]
)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_other_methods_are_told_which_exist(gateway, path, allowed, method):
    reply = gateway.get(path, method)
    assert (reply.status, reply.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("found", "status"), [({"database": True, "migrations": True}, 200), ({"database": True, "migrations": False}, 503)]
)
def test_readiness_says_what_is_missing(found, status):
    reply = Gateway(readiness=lambda: found).get("/readyz")
    assert reply.status == status
    assert json.loads(reply.content) == {"ready": status == 200, **found}


def test_a_readiness_check_that_fails_means_not_ready_and_the_process_is_up_all_the_same():
    def failing():
        raise OperationalError("SELECT 1", {}, Exception("password of the database"))

    gateway = Gateway(readiness=failing)
    assert gateway.get("/readyz").status == 503
    assert gateway.get("/healthz").status == 200


def test_a_page_that_fails_says_a_number_and_nothing_else(caplog):
    class Broken:
        def render(self):
            raise ValueError("王小明")

    reply = Gateway(index_page=Broken()).get("/")
    assert reply.status == 500
    assert reply.content.decode().split()[-1] in caplog.text
    assert "王小明" not in caplog.text


# --- Figures ----------------------------------------------------------------------------------------------------------


def test_monitoring_counts_messages_by_operation_and_result(gateway):
    gateway.post(message())
    gateway.post(message().replace("<Action>NEW", "<Action>OLD"))
    gateway.post("no XML")
    figures = gateway.get("/metrics").content.decode()
    assert 'gateway_requests_total{code="0",operation="SubmitRequisition"} 1.0' in figures
    assert 'gateway_requests_total{code="SYS-400",operation="SubmitRequisition"} 1.0' in figures
    assert 'gateway_requests_total{code="SYS-400",operation="-"} 1.0' in figures
    assert 'gateway_request_seconds_count{operation="SubmitRequisition"} 2.0' in figures
    assert "gateway_requests_in_progress 0.0" in figures


TWO_PROCESSES = """
import os, pathlib, sys
from gateway.monitoring import Metrics, forget_process, prepare_folder
folder = pathlib.Path(sys.argv[1])
prepare_folder(folder)
for n in range(2):
    if (child := os.fork()) == 0:
        metrics = Metrics(folder)
        metrics.begin()
        metrics.end(metrics.begin(), "ReportStatus", "0")
        os._exit(0)
    os.waitpid(child, 0)
print(Metrics(folder).render().decode())
forget_process(folder, child)
print("AFTER", Metrics(folder).render().decode())
"""


def test_monitoring_adds_up_all_processes(tmp_path):
    told = subprocess.run(
        [sys.executable, "-c", TWO_PROCESSES, tmp_path / "figures"], capture_output=True, text=True, check=True
    ).stdout
    assert told.count('gateway_requests_total{code="0",operation="ReportStatus"} 2.0') == 2
    before, _, after = told.partition("AFTER")
    assert "gateway_requests_in_progress 2.0" in before
    assert "gateway_requests_in_progress 1.0" in after


# --- Spyne ------------------------------------------------------------------------------------------------------------


def test_spynes_interface_is_the_contract():
    interface = make_cycles(CONTRACT, WIRE)[V11].app.interface
    methods = {name: methods[0] for name, methods in interface.service_method_map.items()}
    assert sorted(methods) == sorted(f"{{{NAMESPACE}}}{operation}" for operation in OPERATIONS)
    for operation in OPERATIONS:
        method = methods[f"{{{NAMESPACE}}}{operation}"]
        assert list(method.in_message._type_info) == ["Request"]
        assert list(method.out_message._type_info) == ["Response"]
        assert method.out_message.get_type_name() == f"{operation}Response"
        compare(method.in_message._type_info["Request"], f"{operation}Request")
        compare(method.out_message._type_info["Response"], f"{operation}ResponseType")


def compare(spyne_type, type_name: str) -> None:
    """Names, order and occurrence of Spyne's type with those of the XSD, all the way down."""
    fields = CONTRACT.message_types[type_name].fields
    assert list(spyne_type._type_info) == [f.name for f in fields]
    for field in fields:
        member = spyne_type._type_info[field.name]
        assert member.Attributes.min_occurs == (0 if field.optional else 1)
        assert member.Attributes.max_occurs == field.max_occurs
        if field.type_name in CONTRACT.message_types:
            compare(member, field.type_name)


@pytest.mark.parametrize("flags", [["-W", "error"], ["-W", "error", "-O"]])
def test_spyne_is_imported_without_a_warning_now_or_later(flags):
    program = (
        "import gateway.soap.server, sys, logging\n"
        "try: import a_module_that_does_not_exist\n"
        "except ModuleNotFoundError: pass\n"
        "assert not logging.getLogger('spyne.application').isEnabledFor(logging.CRITICAL)\n"
    )
    done = subprocess.run([sys.executable, *flags, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_schema_the_tests_use_is_the_published_one():
    assert SCHEMA.validate(sample())
    assert text_of(sample()).startswith("<SubmitRequisition")
