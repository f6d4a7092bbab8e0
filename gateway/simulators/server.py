"""The web server of a simulated system: its own address, and two addresses to look at it and to disturb it.

POST /soap      the operations of our contract, SOAP 1.1 and 1.2
GET /soap?wsdl  the contract
GET /state      what it remembers, as JSON
POST /control   faults to have from now on (`faults.py`), {"clear": true}, or {"act": "register", "number": "SQ1"}
"""

from __future__ import annotations

import html
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import Any

from waitress.channel import ClientDisconnected

from gateway.contract import NAMESPACE, Contract
from gateway.documents import Documents
from gateway.errors import InvalidMessage, MessageFault, RequestRefused
from gateway.messages.wire import Wire
from gateway.simulators.faults import Faults, UnknownFault
from gateway.simulators.request_log import RequestLog
from gateway.simulators.system import SimulatedSystem, System
from gateway.soap.envelope import Limits, SoapVersion, parse_envelope
from gateway.soap.explain import normalise
from gateway.soap.front import read_body, soap_version

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]

JSON = "application/json; charset=utf-8"
LARGEST_CONTROL = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    content_type: str
    body: bytes
    ends_early: bool = False
    """Whether the connection closes in the midst of the body."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request that could be read."""

    operation: str
    request: Any
    version: SoapVersion


@dataclass(frozen=True, slots=True)
class Worked:
    """What a system answered to a message that it read."""

    code: str
    reply: Reply
    noted: dict[str, Any]
    """What the log says of it beside its code."""


class Simulator(ABC):
    """A WSGI application around one simulated system, whatever it speaks at its own address."""

    path = "/soap"

    def __init__(self, system: System, log: RequestLog) -> None:
        self._system = system
        self._log = log
        self._faults = Faults()
        self._one_at_a_time = Lock()

    @property
    def name(self) -> str:
        return self._system.name

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        reply = self._reply(environ)
        status = f"{reply.status} {HTTPStatus(reply.status).phrase}"
        start_response(status, [("Content-Type", reply.content_type), ("Content-Length", str(len(reply.body)))])
        return _half(reply.body) if reply.ends_early else [reply.body]

    def _reply(self, environ: Environ) -> Reply:
        place = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if place == ("POST", self.path):
            return self._message(environ)
        if place == ("GET", self.path):
            return self._description(environ)
        if place == ("GET", "/state"):
            return self._state()
        if place == ("POST", "/control"):
            return self._control(environ)
        return Reply(404, "text/plain; charset=utf-8", (__doc__ or "").encode())

    @abstractmethod
    def _message(self, environ: Environ) -> Reply:
        """The answer to a message."""

    def _description(self, environ: Environ) -> Reply:
        """What stands at the address for who only looks."""
        return Reply(404, "text/plain", b"")

    def _disturbed(self, operation: str, request: Any, answer: Callable[[str | None], Worked], **noted: Any) -> Reply:
        """The answer, with the faults that are switched on; `answer` is given the code to refuse with, if so."""
        noted["arrived"] = datetime.now().astimezone().isoformat(timespec="microseconds")
        faults = self._faults.take(operation, noted.get("message_id") or _message_id(request))
        if "slow_seconds" in faults:
            time.sleep(float(faults["slow_seconds"]))
        if "drop_before_commit" in faults:
            self._log.write(operation, "-", request, **noted, fault="drop_before_commit")
            raise ClientDisconnected
        if "status" in faults:
            status = HTTPStatus(int(faults["status"]))
            self._log.write(operation, f"HTTP-{status.value}", request, **noted, fault="status")
            return Reply(status.value, "text/html", f"<h1>{status.phrase}</h1>".encode())
        worked = answer(faults.get("refuse"))
        if "wrong_code" in faults:
            worked = answer(str(faults["wrong_code"]))
        fault = next(iter(faults), None)
        self._log.write(operation, worked.code, request, **noted, **worked.noted, fault=fault)
        if "drop_after_commit" in faults:
            raise ClientDisconnected
        if "garbage" in faults:
            return Reply(200, "text/html; charset=utf-8", "<html>请先登录 <b>please log in".encode())
        return replace(worked.reply, body=_spoilt(worked.reply.body, faults), ends_early="half_close" in faults)

    # --- looking and disturbing ---------------------------------------------------------------------------------------

    def _state(self) -> Reply:
        with self._one_at_a_time:
            state = {"name": self._system.name, "faults": self._faults.listed(), **self._system.state()}
            return json_reply(200, state)

    def _control(self, environ: Environ) -> Reply:
        try:
            size = min(int(environ.get("CONTENT_LENGTH") or 0), LARGEST_CONTROL)
            wanted = json.loads(environ["wsgi.input"].read(size))
            if wanted.pop("clear", False):
                self._faults.clear()
            if (action := wanted.pop("act", None)) and (said := self._act(str(action), wanted)) is not None:
                return json_reply(200, said)
            if wanted:
                self._faults.switch_on(wanted)
        except (UnknownFault, LookupError) as problem:
            return json_reply(400, {"error": str(problem)})
        except (ValueError, TypeError, AttributeError):
            return json_reply(400, {"error": 'Post a JSON object, for example {"drop_after_commit": 1}.'})
        return json_reply(200, {"faults": self._faults.listed()})

    def _act(self, action: str, wanted: dict[str, Any]) -> Any:
        """Let its staff do something; takes what that needs from `wanted`, and may have something to tell."""
        with self._one_at_a_time:
            self._system.act(action, str(wanted.pop("number", "")), str(wanted.pop("amount", "")))


class SoapSimulator(Simulator):
    """A system that speaks our contract."""

    def __init__(
        self, system: SimulatedSystem, contract: Contract, wire: Wire, log: RequestLog, public_url: str
    ) -> None:
        super().__init__(system, log)
        self._system: SimulatedSystem = system
        self._contract = contract
        self._wire = wire
        self._documents = Documents(contract, public_url)
        self._operations = {operation.name: operation for operation in contract.operations}

    def _description(self, environ: Environ) -> Reply:
        wsdl = self._documents.wsdl(environ.get("QUERY_STRING", ""))
        return super()._description(environ) if wsdl is None else Reply(200, "text/xml; charset=utf-8", wsdl)

    def _message(self, environ: Environ) -> Reply:
        limits = Limits()
        body = b""
        try:
            body = read_body(environ, lambda _: True, limits)
            message = self._read(body, environ.get("CONTENT_TYPE", ""), limits)
        except MessageFault as problem:
            self._log.write("", problem.code)
            return _fault(problem, soap_version(environ, body))
        return self._disturbed(message.operation, message.request, partial(self._worked, message))

    def _read(self, body: bytes, content_type: str, limits: Limits) -> Message:
        envelope = parse_envelope(body, content_type, limits, huge=len(body) > limits.body_bytes)
        namespace, _, name = envelope.wrapper.tag.rpartition("}")
        if namespace != "{" + NAMESPACE or name not in self._operations or not self._system.serves(name):
            raise InvalidMessage(f"{self._system.name} 不提供该操作。", f"{self._system.name} has no such operation.")
        schema, wrapper = self._contract.schema, envelope.wrapper
        if not schema.validate(wrapper) and not (normalise(self._contract, wrapper) and schema.validate(wrapper)):
            raise InvalidMessage()
        request = self._wire.read(self._operations[name].request_type, wrapper[0])
        return Message(name, request, envelope.version)

    def _worked(self, message: Message, refusal: str | None) -> Worked:
        response = self._answer(message) if refusal is None else self._refusal(message, refusal)
        result = response.result
        document = self._wire.document(f"{message.operation}Response", response)
        noted = {
            "his_charge_no": getattr(response, "his_charge_no", None),
            "his_refund_no": getattr(response, "his_refund_no", None),
            "duplicate": result.duplicate or None,
        }
        reply = Reply(200, message.version.content_type, _envelope(document, message.version))
        return Worked(result.result_code, reply, noted)

    def _answer(self, message: Message) -> Any:
        """One request at a time, so that a number is never booked twice."""
        with self._one_at_a_time:
            try:
                return self._system.answer(message.operation, message.request)
            except RequestRefused as reason:
                result = self._system.result(
                    message.request, reason.code, reason.text_zh, reason.text_en, retryable=reason.retryable
                )
                return self._response_class(message)(result=result)

    def _refusal(self, message: Message, code: str) -> Any:
        result = self._system.result(message.request, code, "模拟的拒绝", "A refusal that was asked for")
        return self._response_class(message)(result=result)

    def _response_class(self, message: Message) -> Any:
        return self._wire.class_of(self._operations[message.operation].response_type)


def _spoilt(body: bytes, faults: dict[str, Any]) -> bytes:
    """The body of an answer with what is wrong with it."""
    if "empty" in faults:
        return b""
    if "duplicate" in faults:
        return body * 2
    if "wrong_charset" not in faults:
        return body
    try:
        return body.decode("utf-8").encode("gb18030")
    except UnicodeDecodeError:
        return body.decode("gb18030").encode("utf-8")


def _half(body: bytes) -> Iterator[bytes]:
    """The first half of an answer, and then the connection is gone."""
    yield body[: len(body) // 2]
    raise ClientDisconnected


def _message_id(request: Any) -> str:
    header = getattr(request, "header", None)
    return str(getattr(header, "message_id", ""))


def json_reply(status: int, content: Any) -> Reply:
    return Reply(status, JSON, json.dumps(content, ensure_ascii=False, default=str).encode())


def _envelope(body: str, version: SoapVersion) -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{version.namespace}">'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _fault(problem: MessageFault, version: SoapVersion) -> Reply:
    """A SOAP fault that blames the sender, as short as a partner's."""
    text = html.escape(problem.text_en)
    if version is SoapVersion.V11:
        body = f"<s:Fault><faultcode>s:Client</faultcode><faultstring>{text}</faultstring></s:Fault>"
        return Reply(500, version.content_type, _envelope(body, version))
    body = (
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{text}</s:Text></s:Reason></s:Fault>'
    )
    return Reply(400, version.content_type, _envelope(body, version))
