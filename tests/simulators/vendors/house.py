"""A house whose systems speak as their vendors do: a whole gateway, and simulated systems in processes of their own."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import unquote, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import requests
from lxml import etree
from sqlalchemy import select

from gateway.bootstrap import hl7
from gateway.bootstrap.core import make_core
from gateway.bootstrap.doors import make_doors
from gateway.bootstrap.polling import polled
from gateway.bootstrap.web import web_application
from gateway.config import load_settings
from gateway.database.embedded import libpq_url
from gateway.delivery.worker import DeliveryWorker
from gateway.hl7.listener import Listener
from gateway.messages.report import RequisitionRef
from gateway.model.delivery import Delivery, DeliveryAttempt
from gateway.model.journal import JournalEntry
from gateway.monitoring import Metrics
from gateway.polling.worker import run_polls
from gateway.security.clients import add_client
from gateway.security.secrets import create_key_file
from gateway.simulators.process import SimulatorProcess, free_port
from gateway.simulators.vendors.typed import EXAMPLES
from tests.delivery.site import delivering
from tests.partners.fake_partner import CONTRACT, WIRE, sample

HOSPITAL = "44643245-7"
OPERATIONS = [operation.name for operation in CONTRACT.operations]
RIGHTS = {"HIS": ("HIS", "GREEN_CHANNEL"), "HRP": ("HIS",)}
WITH_DATABASE = "-database"
"""Behind a kind that offers only a database."""
CANONICAL = "canonical:"
"""Before a kind that speaks our contract, because the test is not about it."""
MESSAGES = ("<?xml", "<Response", "<Result>", "<ESBEntry", "<RETURN>", "<MCCI_IN", "<xml>", "<返回>")
"""How an answer inside a string begins."""
_numbers = count(1)

Systems = Mapping[str, str]
"""Name of partner and client -> kind of simulator."""
Routes = Mapping[str, tuple[str, ...]]
"""Operation, or operation of a kind of requisition ("SubmitRequisition US") -> partners."""


def new(prefix: str) -> str:
    """A number of this run alone."""
    return f"{prefix}{time.time_ns() // 1_000_000}{next(_numbers):03d}"


@dataclasses.dataclass(frozen=True)
class Told:
    """What the gateway answered by its own contract."""

    status: int
    text: str

    def find(self, name: str) -> str:
        """The first element of that name, in a string inside too; empty when there is none."""
        for element in self._elements(self.text):
            if etree.QName(element).localname == name:
                return element.text or ""
        return ""

    def _elements(self, text: str) -> Iterator[etree._Element]:
        if text.startswith("<?xml"):
            text = text.partition("?>")[2]
        for element in etree.fromstring(text).iter(etree.Element):
            yield element
            if (element.text or "").startswith(MESSAGES):
                yield from self._elements(element.text)

    @property
    def json(self) -> Any:
        """The JSON in the string of a Call."""
        return json.loads(self.find("CallResult"))

    @property
    def code(self) -> str:
        """Ours, also where a vendor is told only yes or no; of an acknowledgement in HL7 v2 its word."""
        if self.text.startswith("MSH"):
            return self.text.partition("\rMSA|")[2].partition("|")[0]
        told = self.find("ErrorCode") or self.find("ResultCode") or self.find("Code")
        named = (element for element in self._elements(self.text) if etree.QName(element).localname == "code")
        return told or next((str(element.get("code")) for element in named), "")


class _Server(ThreadingMixIn, WSGIServer):
    """Any number of callers at once."""


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    """Else nobody who expects it is told to continue."""

    def log_message(self, *words: object) -> None:
        pass


class House:
    """One site. The gateway's web side answers in this process, and its delivery side works in a thread."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        systems: Systems,
        routes: Routes,
        extra: str = "",
        changes: Mapping[str, Mapping[str, str]] | None = None,
        facades: Mapping[str, tuple[str, Mapping[str, str]]] | None = None,
        hl7: Mapping[str, str] | None = None,
        middle: str = "",
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.passwords: dict[str, str] = {}
        self._systems = systems
        self._changes = changes or {}
        self._database_url = database_url
        self.simulators: dict[str, SimulatorProcess] = {}
        self._middle = middle
        """The URL of an empty database, for a system that works with one."""
        self._hl7_ports = {client: free_port() for client in hl7 or ()}
        self._hl7_messages = hl7 or {}
        for name, (kind, settings) in (facades or {}).items():
            self._add_facade(name, kind, settings)
        self._write(routes, extra)
        self.settings = load_settings(folder)
        self.core = make_core(self.settings, pool_size=10)
        self._add_clients()

    # --- the site -----------------------------------------------------------------------------------------------------

    def _write(self, routes: Routes, extra: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        create_key_file(self.folder / "secret.key")
        head = f'hospital_code = "{HOSPITAL}"\ndatabase_url = "{self._database_url}"\n[server]\nport = {self.port}\n'
        ports = "".join(
            f'[[hl7]]\nname = "{client}"\nclient = "{client}"\nport = {port}\naddresses = ["127.0.0.1/32"]\n'
            f"{self._hl7_messages[client]}\n"
            for client, port in self._hl7_ports.items()
        )
        written = ports + "".join(_route(*name.partition(" ")[::2], partners) for name, partners in routes.items())
        (self.folder / "gateway.toml").write_text(f"{head}{extra}\n{written}", encoding="utf-8")
        for name, kind in self._systems.items():
            self.add_partner(name, kind)

    def add_partner(self, name: str, kind: str) -> None:
        """The partner's folder: the example's, or three words for one with our contract."""
        port, place = free_port(), self.folder / "partners" / name
        if kind.startswith(CANONICAL):
            place.mkdir(parents=True)
            (place / "partner.toml").write_text(f'url = "http://127.0.0.1:{port}/soap"\n')
        elif (EXAMPLES / kind).is_dir():  # else it only calls
            shutil.copytree(EXAMPLES / kind, place)
            settings = (place / "partner.toml").read_text(encoding="utf-8")
            address = settings.partition('url = "')[2].partition('"')[0]
            there = urlsplit(address)._replace(netloc=f"127.0.0.1:{port}").geturl()
            if kind.endswith(WITH_DATABASE):
                there, settings = self._given_database(place, settings)
            settings = settings.replace(address, there)
            for old, new in self._changes.get(name, {}).items():
                assert old in settings
                settings = settings.replace(old, new)
            (place / "partner.toml").write_text(settings, encoding="utf-8")
        self.simulators[name] = SimulatorProcess(
            kind.removeprefix(CANONICAL).removesuffix(WITH_DATABASE),
            port,
            self.folder / "simulators" / name,
            vendor=not kind.startswith(CANONICAL),
            gateway=self.url,
            login=f"{name}:{self.password(name)}",
            database=libpq_url(self._middle) if kind.endswith(WITH_DATABASE) else "",
        )

    def _given_database(self, place: Path, settings: str) -> tuple[str, str]:
        """The address of the system's database without user and password, and partner.toml with the user."""
        url = urlsplit(self._middle)
        (place / "password").write_text(unquote(url.password or ""))
        bare = f"postgresql://{url.netloc.rpartition('@')[2]}{url.path}?{url.query}"
        return bare, settings.replace('username = "gateway"', f'username = "{url.username}"')

    def _add_facade(self, name: str, kind: str, settings: Mapping[str, str]) -> None:
        """A facade of a set that ships, with some lines replaced: key -> what it is instead."""
        place = self.folder / "facades" / name
        shutil.copytree(EXAMPLES.parent / "facades" / kind, place)
        lines = (place / "facade.toml").read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.partition(" = ")[0] not in settings]
        written = [f"{key} = {value}" for key, value in settings.items()]
        (place / "facade.toml").write_text("\n".join([*written, *kept]), encoding="utf-8")

    def password(self, name: str) -> str:
        return self.passwords.setdefault(name, f"password-of-{name}")

    def _add_clients(self) -> None:
        with self.core.sessions.begin() as session:
            for name, password in self.passwords.items():
                rights = (*OPERATIONS, *RIGHTS.get(name, ()))
                add_client(session, name, rights=rights, operations=OPERATIONS, password=password)

    @contextmanager
    def open(self) -> Iterator[House]:
        """Everything runs."""
        systems = list(self.simulators.values())
        try:
            for system in systems:
                system.launch()
            with self._web(), self._delivery(), self._pipes(), self._polls():
                for system in systems:
                    system.wait_until_it_answers()
                yield self
        finally:
            for system in systems:
                system.tell_to_stop()
            for system in systems:
                system.stop()
            self.core.partners.close()
            self.core.engine.dispose()

    @contextmanager
    def _web(self) -> Iterator[None]:
        server = make_server("127.0.0.1", self.port, web_application(self.core), _Server, _Quiet)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @contextmanager
    def _pipes(self) -> Iterator[None]:
        """The ports where HL7 comes in."""
        doors, metrics, work = make_doors(self.core), Metrics(), []
        for port in self.settings.hl7:
            door = hl7.make_door(self.core, doors, metrics, port)
            listening = socket.create_server((port.host, port.port))
            listener = Listener(port.name, listening, door.answer)
            thread = threading.Thread(target=listener.serve)
            thread.start()
            work.append((listener, thread, listening))
        try:
            yield
        finally:
            for listener, thread, listening in work:
                listener.stop()
                thread.join()
                listening.close()

    @contextmanager
    def _polls(self) -> Iterator[None]:
        """The reader of the views of partners; it begins when their systems have made them."""
        stopping = threading.Event()
        for system in self.simulators.values():
            system.wait_until_it_answers()
        around = polled(self.core)
        thread = threading.Thread(target=run_polls, args=(self.settings.partners, around, stopping))
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def _delivery(self) -> AbstractContextManager[DeliveryWorker]:
        return delivering(self.settings.partners, self._database_url, self.core.sender)

    # --- what its systems do ------------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> SimulatorProcess:
        return self.simulators[name]

    def call(self, name: str, operation: str, *, header: Mapping[str, Any] | None = None, **changes: Any) -> Told:
        """A system calls by our contract: the sample of the operation, changed."""
        request = sample(operation)
        own = {"message_id": new("M"), "sender_code": name, **(header or {})}
        request = dataclasses.replace(request, header=dataclasses.replace(request.header, **own), **changes)
        body = WIRE.document(operation, request)
        envelope = (
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>' + body + "</s:Body></s:Envelope>"
        )
        answer = requests.post(
            f"{self.url}/soap", envelope.encode(), auth=(name, self.password(name)), timeout=60,
            headers={"Content-Type": "text/xml; charset=utf-8"},
        )  # fmt: skip
        return Told(answer.status_code, answer.text)

    def say(self, name: str, operation: str, /, **values: Any) -> Told:
        """A vendor's system calls the gateway in its own way; what it was answered."""
        if name in self._hl7_ports:
            values.setdefault("port", self._hl7_ports[name])
        return Told(*self.simulators[name].send(operation, **values))

    def order(self, requisition_type: str = "EXAM", **changes: Any) -> str:
        """HIS submits a requisition; its number, when the gateway has accepted it."""
        number = new("SQ")
        told = self.call(
            "HIS", "SubmitRequisition", requisition_no=number, requisition_type=requisition_type, **changes
        )
        assert told.code == "0", told.text
        return number

    # --- what one can see ---------------------------------------------------------------------------------------------

    def deliveries(self, partner: str, operation: str) -> list[Delivery]:
        with self.core.sessions() as session:
            query = select(Delivery).where(Delivery.partner == partner, Delivery.operation == operation)
            return list(session.scalars(query.order_by(Delivery.id)))

    def problems(self, partner: str, operation: str) -> list[str]:
        """What was wrong with each attempt to deliver, in words."""
        numbers = [one.id for one in self.deliveries(partner, operation)]
        with self.core.sessions() as session:
            query = select(DeliveryAttempt.detail).where(DeliveryAttempt.delivery_id.in_(numbers))
            return [detail for detail in session.scalars(query.order_by(DeliveryAttempt.id)) if detail]

    def received(self, client: str, operation: str, **numbers: str) -> JournalEntry:
        """The last message of a client in the journal, byte for byte as it came, with what had to be mended."""
        with self.core.sessions() as session:
            query = select(JournalEntry).filter_by(sender_code=client, operation=operation, **numbers)
            return session.scalars(query.order_by(JournalEntry.received_at.desc()).limit(1)).one()

    def log(self, partner: str, function: str | None = None, **numbers: Any) -> list[dict[str, Any]]:
        """What a system received."""
        return self.simulators[partner].requests(function, **numbers)

    def seen(self, partner: str, function: str, seconds: float = 60, **numbers: Any) -> dict[str, Any]:
        """What a system received as soon as it has received it."""
        return until(lambda: self.log(partner, function, **numbers), seconds)[-1]

    def remembered(self, partner: str, kind: str, seconds: float = 60, **values: Any) -> dict[str, Any]:
        """A record of a system as soon as it has it."""
        return until(
            lambda: [one for one in self.simulators[partner].state().get(kind, ()) if values.items() <= one.items()],
            seconds,
        )[-1]


def until(what: Callable[[], Any], seconds: float = 60) -> Any:
    """What it gives, once that is something."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def reference(number: str) -> RequisitionRef:
    """To a requisition, in a report."""
    return RequisitionRef(requisition_no=number)


def _route(operation: str, requisition_type: str, partners: Iterable[str]) -> str:
    kind = f'requisition_type = "{requisition_type}"\n' if requisition_type else ""
    names = ", ".join(f'"{name}"' for name in partners)
    return f'[[routes]]\noperation = "{operation}"\n{kind}partners = [{names}]\n\n'
