"""`gateway call`: sends what a partner's program would send, and its exit code is the answer."""

import base64
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from at_the_terminal import Command
from lxml import etree

from gateway.contract import NAMESPACE, Contract

SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
ANSWER = (
    f'<s:Envelope xmlns:s="{SOAP11}"><s:Body><R xmlns="urn:hospital-gateway:v1"><Response>'
    "<Result><ResultCode>{}</ResultCode></Result></Response></R></s:Body></s:Envelope>"
)
FAULT = (
    f'<s:Envelope xmlns:s="{SOAP11}"><s:Body><s:Fault><faultcode>s:Client</faultcode>'
    '<detail><GatewayFault xmlns="urn:hospital-gateway:v1"><Code>AUT-401</Code></GatewayFault></detail></s:Fault>'
    "</s:Body></s:Envelope>"
)


class Service(ThreadingHTTPServer):
    """Keeps what it is sent and answers as told."""

    status, content = 200, ANSWER.format(0)

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[dict[str, str], etree._Element]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/soap"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((dict(self.headers), etree.fromstring(body)))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.content.encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.05,))
        thread.start()
        yield service
        service.shutdown()
        thread.join()


def test_without_a_file_the_contracts_sample_is_sent(gateway: Command, service: Service):
    said = gateway("call", "ReportStatus", "--to", service.url)
    headers, envelope = service.received[0]
    assert (said.code, said.err) == (0, "")
    assert "<ResultCode>0</ResultCode>" in said.out
    assert headers["SOAPAction"] == '"urn:hospital-gateway:v1/ReportStatus"'
    sample = etree.parse(Contract().sample("ReportStatus"))
    assert etree.tostring(envelope, method="c14n") == etree.tostring(sample.getroot(), method="c14n")


def test_user_and_password_go_into_the_http_header(gateway: Command, service: Service):
    words = ("call", "ReportStatus", "--to", service.url, "--user", "HIS", "--password-stdin")
    said = gateway(*words, stdin="密码 1:2\n")
    expected = base64.b64encode("HIS:密码 1:2".encode()).decode()
    assert service.received[0][0]["Authorization"] == f"Basic {expected}"
    assert "密码" not in said.out + said.err


def test_user_and_password_go_into_the_soap_header_when_asked(gateway: Command, service: Service):
    words = ("call", "ReportStatus", "--to", service.url, "--user", "HIS", "--password-stdin", "--auth", "header")
    gateway(*words, stdin="p<&>\n")
    headers, envelope = service.received[0]
    block = envelope.find(f"{{*}}Header/{{{NAMESPACE}}}AuthHeader")
    assert [(etree.QName(child).localname, child.text) for child in block] == [
        ("Username", "HIS"),
        ("Password", "p<&>"),
    ]
    assert "Authorization" not in headers


def test_an_envelope_of_soap_1_2_is_sent_as_such(gateway: Command, service: Service, tmp_path: Path):
    text = Contract().sample("ReportStatus").read_text(encoding="utf-8")
    (tmp_path / "m.xml").write_text(text.replace(SOAP11, SOAP12), encoding="utf-8")
    assert gateway("call", "ReportStatus", tmp_path / "m.xml", "--to", service.url).code == 0
    content_type = service.received[0][0]["Content-Type"]
    assert content_type.startswith("application/soap+xml; charset=utf-8; action=")


@pytest.mark.parametrize(
    ("status", "content", "told"),
    [
        (200, ANSWER.format("REQ-404"), "The answer is REQ-404 (HTTP 200)."),
        (500, FAULT, "The answer is AUT-401 (HTTP 500)."),
        (500, ANSWER.format(0), "The answer is 0 (HTTP 500)."),
        (200, "<x/>", "The answer is a fault (HTTP 200)."),
        (502, "Bad gateway", "The answer is HTTP 502 and no XML: is this the address of a SOAP service?"),
    ],
)
def test_any_answer_but_yes_is_a_failure(gateway: Command, service: Service, status: int, content: str, told: str):
    service.status, service.content = status, content
    said = gateway("call", "ReportStatus", "--to", service.url)
    assert (said.code, said.mistake) == (1, told)


def test_the_answer_is_shown_even_when_it_is_no(gateway: Command, service: Service):
    service.content = ANSWER.format("REQ-404")
    assert "<ResultCode>REQ-404</ResultCode>" in gateway("call", "ReportStatus", "--to", service.url).out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not XML"),
        ("<x/>", "is not a SOAP envelope"),
        (
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/></e:Envelope>',
            "is not a SOAP envelope",
        ),
        (
            f'<e:Envelope xmlns:e="{SOAP11}"><e:Body><x/></e:Body></e:Envelope>',
            "holds x, not ReportStatus of urn:hospital-gateway:v1",
        ),
    ],
)
def test_a_file_that_is_no_message_is_not_sent(
    gateway: Command, service: Service, tmp_path: Path, text: str, told: str
):
    (tmp_path / "m.xml").write_text(text)
    said = gateway("call", "ReportStatus", tmp_path / "m.xml", "--to", service.url)
    assert said.code == 2
    assert told in said.mistake
    assert service.received == []


def test_a_wrong_command_is_answered_in_one_line(gateway: Command, tmp_path: Path):
    assert "There is no operation Submit; there are: SubmitRequisition" in gateway("call", "Submit").mistake
    assert (
        "none.xml cannot be read" in gateway("call", "ReportStatus", tmp_path / "none.xml", "--to", "http://x").mistake
    )
    assert "--to must be an address" in gateway("call", "ReportStatus", "--to", "his").mistake
    assert "--user needs --password-stdin" in gateway("call", "ReportStatus", "--to", "http://x", "--user", "A").mistake


def test_an_address_where_nothing_listens_is_one_line(gateway: Command):
    told = gateway("call", "ReportStatus", "--to", "http://127.0.0.1:1/soap").mistake
    assert told == "127.0.0.1:1 cannot be reached: Connection refused."


def test_an_answer_that_never_comes_is_given_up(gateway: Command):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/soap"
        told = gateway("call", "ReportStatus", "--to", url, "--timeout", "0.3").mistake
    assert told == "No answer from 127.0.0.1 within 0.3 s: the message may have been carried out."


def test_without_an_address_the_site_itself_is_called(gateway: Command, service: Service, empty_site: Path):
    with (empty_site / "gateway.toml").open("a") as file:
        file.write("")
    text = (empty_site / "gateway.toml").read_text().replace("#port = 8080", f"port = {service.server_address[1]}")
    (empty_site / "gateway.toml").write_text(text)
    assert gateway("call", "ReportStatus").code == 0
