"""A gateway in this process, spoken to in real SOAP: over WSGI, with every answer checked against the contract."""

from __future__ import annotations

import base64
import io
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from wsgiref.validate import validator

import requests
from lxml import etree
from zeep import Client, Settings
from zeep.transports import Transport

from gateway import terms
from gateway.contract import NAMESPACE, Contract, Field
from gateway.documents import Documents
from gateway.errors import NotAuthenticated
from gateway.messages.wire import Wire
from gateway.monitoring import Metrics
from gateway.operations.unit import Received
from gateway.security.authentication import AuthenticatedClient
from gateway.security.credentials import Credentials
from gateway.soap.envelope import Limits, SoapVersion
from gateway.soap.pages import IndexPage
from gateway.soap.server import Parts, SoapServer

CONTRACT = Contract()
ZONE = timezone(timedelta(hours=8))
NOW = datetime(2026, 11, 16, 9, 30, 15, 123456, ZONE)
WIRE = Wire(CONTRACT, ZONE)
DOCUMENTS = Documents(CONTRACT, "http://gateway.example.org:8080/soap")
PAGE = IndexPage(CONTRACT, DOCUMENTS, "http://gateway.example.org:8080/soap")
OPERATIONS = [operation.name for operation in CONTRACT.operations]
V11, V12 = SoapVersion.V11, SoapVersion.V12
BOTH = (V11, V12)
PASSWORD = "口令-of-the-sender"
SECRET = "王机密" * 40
"""A patient's name, long enough to be noticed if it is repeated."""
SCHEMA = etree.XMLSchema(etree.parse(CONTRACT.folder / "xsd" / "gateway.xsd"))


# --- Messages ---------------------------------------------------------------------------------------------------------


def sample(operation: str = "SubmitRequisition") -> etree._Element:
    """The wrapper element of an operation's sample."""
    return etree.parse(CONTRACT.sample(operation)).getroot()[0][0]


def auth_header(name: str = "HIS", password: str = PASSWORD, attributes: str = "") -> str:
    return (
        f'<AuthHeader xmlns="{NAMESPACE}" {attributes}><Username>{name}</Username><Password>{password}</Password>'
        "</AuthHeader>"
    )


def basic(name: str = "HIS", password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def envelope(body: str, version: SoapVersion = V11, header: str | None = None) -> str:
    """An envelope without XML declaration; with the sender's AuthHeader unless another header is given."""
    header = auth_header() if header is None else header
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return f'<s:Envelope xmlns:s="{version.namespace}">{head}<s:Body>{body}</s:Body></s:Envelope>'


def text_of(wrapper: etree._Element) -> str:
    return etree.tostring(wrapper, encoding="unicode")


def message(operation: str = "SubmitRequisition", version: SoapVersion = V11, header: str | None = None) -> str:
    return envelope(text_of(sample(operation)), version, header)


def random_message(type_name: str, chance: random.Random) -> Any:
    """A message of this type with every field filled in."""
    values = {f.attribute: _random_value(f, chance) for f in CONTRACT.message_types[type_name].fields}
    return WIRE.class_of(type_name)(**values)


def _random_value(what: Field, chance: random.Random) -> Any:
    child = CONTRACT.list_child(what.type_name)
    if child is not None:
        return tuple(random_message(child.type_name, chance) for _ in range(chance.randint(1, 2)))
    if what.type_name in CONTRACT.message_types:
        return random_message(what.type_name, chance)
    if hasattr(terms, what.type_name):
        return chance.choice(list(getattr(terms, what.type_name)))
    special = {"Sha256": "a" * 64, "DicomUid": "1.2.840", "IdType": "01"}
    texts = ["王𠮷祥", "A&B <5>", "'\"\n 结论\t", "]]>", "䶮" * min(what.max_length or 9, 9)]
    made: dict[str, Callable[[], Any]] = {
        "string": lambda: chance.choice(texts),
        "token": lambda: special.get(what.type_name, "T&<7"),
        "int": lambda: chance.randint(1, 50),
        "decimal": lambda: _random_decimal(what.type_name, chance),
        "boolean": lambda: chance.random() < 0.5,
        "base64Binary": lambda: chance.randbytes(20),
        "date": lambda: date(2026, 1, 1) + timedelta(days=chance.randint(0, 300)),
        "dateTime": lambda: NOW - timedelta(microseconds=chance.randint(0, 10**12)),
    }
    return made[CONTRACT.primitive_of(what.type_name)]()


def _random_decimal(type_name: str, chance: random.Random) -> Decimal:
    facets = dict(CONTRACT.value_types[type_name].facets) if type_name in CONTRACT.value_types else {}
    highest = int(facets.get("maxInclusive", 10**6))
    return Decimal(chance.randint(1, highest * 100)).scaleb(-2)


# --- What stands around the SOAP side ---------------------------------------------------------------------------------


@dataclass
class EchoReception:
    """Takes every message and answers it with a full response; the rules of the hospital are tested elsewhere."""

    received: list[Received] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    problem: Exception | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def receive(self, received: Received) -> Any:
        self.received.append(received)
        if self.problem is not None:
            raise self.problem
        answer = random_message(f"{received.operation}ResponseType", self.chance)
        result = replace(
            answer.result,
            result_code="0",
            message_id=received.request.header.message_id,
            gateway_txn_no=received.txn_no,
            processed_at=received.received_at,
        )
        self.answers.append(replace(answer, result=result))
        return self.answers[-1]


@dataclass
class Doorkeeper:
    """Knows the clients by heart; real passwords and rights are tested elsewhere."""

    rights: dict[str, frozenset[str]] = field(
        default_factory=lambda: {name: frozenset(OPERATIONS) for name in ("HIS", "PACS", "LIS", "EMR")}
    )
    problem: Exception | None = None
    asked: list[Credentials | None] = field(default_factory=list)

    def authenticate(self, credentials: Credentials | None) -> AuthenticatedClient:
        self.asked.append(credentials)
        if self.problem is not None:
            raise self.problem
        if credentials is None:
            raise NotAuthenticated(credentials_came=False)
        is_token = credentials.token is not None and credentials.token.digest is not None
        if credentials.name not in self.rights or (credentials.password != PASSWORD and not is_token):
            raise NotAuthenticated()
        return AuthenticatedClient(credentials.name, self.rights[credentials.name])


@dataclass
class Reply:
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    content: bytes
    seconds: float
    """Of the processor, so that what else the machine does makes no test fail."""

    @property
    def root(self) -> etree._Element:
        return etree.fromstring(self.content)

    @property
    def version(self) -> SoapVersion:
        """The version of the answer; envelope and Content-Type must agree on it."""
        [version] = [v for v in BOTH if self.root.tag == f"{{{v.namespace}}}Envelope"]
        assert self.headers["Content-Type"] == version.content_type
        return version

    @property
    def body(self) -> etree._Element:
        """The one child of soap:Body."""
        [body] = self.root
        assert body.tag == f"{{{self.version.namespace}}}Body"
        [child] = body
        return child

    @property
    def response(self) -> etree._Element:
        """The response, which keeps to the contract."""
        assert self.status == 200, self.content.decode()
        SCHEMA.assertValid(self.body)
        return self.body

    @property
    def fault(self) -> Fault:
        return Fault.of(self)


@dataclass
class Fault:
    """A SOAP fault of either version, taken apart and held against the contract."""

    status: int
    version: SoapVersion
    code: str
    """Client, Server, Sender, Receiver, MustUnderstand or VersionMismatch."""
    text: str
    fields: dict[str, str]

    @classmethod
    def of(cls, reply: Reply) -> Fault:
        fault, version = reply.body, reply.version
        soap = f"{{{version.namespace}}}"
        assert fault.tag == f"{soap}Fault", reply.content.decode()
        if version is V11:
            assert [child.tag for child in fault] == ["faultcode", "faultstring", "detail"]
            code, text, detail = fault.findtext("faultcode"), fault.findtext("faultstring"), fault.find("detail")
        else:
            assert [etree.QName(child).localname for child in fault] == ["Code", "Reason", "Detail"]
            code, detail = fault.findtext(f"{soap}Code/{soap}Value"), fault.find(f"{soap}Detail")
            subcode = fault.find(f"{soap}Code/{soap}Subcode/{soap}Value")
            prefix, _, local = subcode.text.partition(":")
            assert subcode.nsmap[prefix] == NAMESPACE
            [reason] = fault.find(f"{soap}Reason")  # one text: gSOAP reads no fault that has two
            assert reason.get("{http://www.w3.org/XML/1998/namespace}lang") == "zh"
            text = reason.text
            assert text.startswith(f"[{local}] ")
        [gateway_fault] = detail
        SCHEMA.assertValid(gateway_fault)
        prefix, _, name = code.partition(":")
        assert fault.nsmap[prefix] == version.namespace
        assert len(text) <= 500
        fields = {etree.QName(child).localname: child.text or "" for child in gateway_fault}
        assert text.startswith(f"[{fields['Code']}] ")
        return cls(reply.status, version, name, text, fields)

    @property
    def blames_the_caller(self) -> bool:
        return self.code in ("Client", "Sender", "MustUnderstand", "VersionMismatch")


class Gateway:
    """The SOAP application with an echo behind it."""

    def __init__(self, **parts: Any) -> None:
        self.reception = parts.pop("reception", None) or EchoReception()
        self.doorkeeper = parts.pop("directory", None) or Doorkeeper()
        self.unreadable: list[Mapping[str, Any]] = []
        self.cannot_keep: Exception | None = None
        given = {
            "limits": Limits(),
            "index_page": PAGE,
            "metrics": Metrics(),
            "clock": lambda: NOW,
            "readiness": lambda: {"database": True, "migrations": True},
        }
        self.server = SoapServer(
            Parts(
                contract=CONTRACT,
                wire=WIRE,
                reception=self.reception,
                directory=self.doorkeeper,
                documents=DOCUMENTS,
                keep_unreadable_push=self._keep,
                **(given | parts),
            )
        )
        self.checked = validator(self.server)

    def _keep(self, **push: Any) -> None:
        if self.cannot_keep is not None:
            raise self.cannot_keep
        self.unreadable.append(push)

    def post(self, body: str | bytes, content_type: str | None = None, *, path: str = "/soap", **more: Any) -> Reply:
        """Send a message; its Content-Type follows its envelope unless given. `more` goes into the WSGI environment."""
        raw = body.encode() if isinstance(body, str) else body
        if content_type is None:
            content_type = (V12 if V12.namespace.encode() in raw else V11).content_type
        more.setdefault("CONTENT_LENGTH", str(len(raw)))
        return self.request("POST", path, body=raw, CONTENT_TYPE=content_type, **more)

    def get(self, path: str, method: str = "GET") -> Reply:
        path, _, query = path.partition("?")
        return self.request(method, path, QUERY_STRING=query)

    def request(self, method: str, path: str, *, body: bytes = b"", strict: bool = True, **more: Any) -> Reply:
        """One HTTP request. `strict` also checks that WSGI is kept to, by the server and by this test."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "gateway",
            "SERVER_PORT": "8080",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        environ |= {name: value for name, value in more.items() if value is not None}
        answered: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], Any]:
            answered.append((status, headers))
            return lambda written: None

        begun = time.thread_time()
        pieces = (self.checked if strict else self.server)(environ, start_response)
        content = b"".join(pieces)
        if strict:
            pieces.close()
        [(status, headers)] = answered
        reply = Reply(int(status[:3]), dict(headers), content, time.thread_time() - begun)
        if method != "HEAD":
            assert reply.headers["Content-Length"] == str(len(content))
        return reply


# --- A SOAP client ----------------------------------------------------------------------------------------------------


class InProcess(requests.adapters.BaseAdapter):
    """Carries what `requests` would send over the network to an application in this process, and checks the answers."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self.gateway = gateway
        self.replies: list[Reply] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        body = request.body or b""
        headers = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in request.headers.items()}
        content_type, _ = headers.pop("HTTP_CONTENT_TYPE", ""), headers.pop("HTTP_CONTENT_LENGTH", "")
        path, _, query = request.path_url.partition("?")
        reply = self.gateway.request(
            request.method,
            path,
            body=body.encode() if isinstance(body, str) else body,
            CONTENT_TYPE=content_type,
            CONTENT_LENGTH=str(len(body)),
            QUERY_STRING=query,
            **headers,
        )
        self.replies.append(reply)
        if request.method == "POST":
            _ = reply.response if reply.status == 200 else reply.fault
        response = requests.Response()
        response.status_code, response._content = reply.status, reply.content
        response.headers.update(reply.headers)
        response.url, response.request = request.url, request
        return response

    def close(self) -> None:
        """Nothing is open."""


class SoapClient:
    """zeep, speaking one version of SOAP to a gateway in this process as one client."""

    def __init__(self, gateway: Gateway, version: SoapVersion = V11, name: str = "HIS") -> None:
        self.adapter = InProcess(gateway)
        session = requests.Session()
        session.mount("http://", self.adapter)
        transport = Transport(session=session)
        suffix = "?wsdl" if version is V11 else "?wsdl=soap12"
        self.client = Client(
            f"http://gateway.example.org:8080/soap{suffix}",
            transport=transport,
            settings=Settings(strict=True, xml_huge_tree=True),
        )
        self.header = {"AuthHeader": {"Username": name, "Password": PASSWORD}}

    def call(self, operation: str, request: Any) -> Any:
        """Send a request (a dataclass, or dictionaries as zeep wants them) and return what zeep makes of the answer."""
        plain = request if isinstance(request, dict) else WIRE.plain(request)
        return getattr(self.client.service, operation)(Request=plain, _soapheaders=self.header)


def plain(answer: Any) -> Any:
    """zeep's answer as nested dictionaries without absent fields, to be compared with `Wire.plain`."""
    if hasattr(answer, "__values__"):
        found = {name: plain(value) for name, value in answer.__values__.items()}
        return {name: value for name, value in found.items() if value is not None}
    return [plain(one) for one in answer] if isinstance(answer, list) else answer


# --- Promises to every refused sender ---------------------------------------------------------------------------------


def refused(reply: Reply, version, gateway: Gateway | None = None) -> Fault:
    """A fault as promised: the caller's version, the caller's fault, quick, short, without its values."""
    fault = reply.fault
    assert reply.version is version
    assert fault.blames_the_caller, fault
    assert reply.seconds < 2
    assert SECRET[:65] not in reply.content.decode()
    assert "{" + NAMESPACE not in fault.text
    if gateway is not None:
        assert gateway.reception.received == []
    return fault
