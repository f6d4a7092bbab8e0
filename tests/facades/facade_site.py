"""A site with facades behind a real web server, and a vendor's program that calls it."""

from __future__ import annotations

import base64
import http.client
import threading
from dataclasses import dataclass
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from xml.sax.saxutils import escape

from lxml import etree
from pydantic import SecretStr
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from emptying import clear
from gateway.bootstrap.core import make_core
from gateway.bootstrap.web import web_application
from gateway.config import Settings, read_facade
from gateway.contract import Contract
from gateway.facade_config import Facade
from gateway.mapping.stylesheet import STANDARD_FOLDER
from gateway.mapping.success import without_namespaces
from gateway.model.client import Client
from gateway.model.journal import JournalEntry
from gateway.security.clients import add_client
from gateway.security.secrets import create_key_file

PASSWORD = "a-password-of-a-test"
SETS = STANDARD_FOLDER / "facades"
OPERATIONS = [operation.name for operation in Contract().operations]
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@dataclass
class Reply:
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> etree._Element:
        """The one element in the SOAP body, without namespaces."""
        return without_namespaces(etree.fromstring(self.content)[-1][0])

    @property
    def result(self) -> str:
        """The first result of the style."""
        return self.body[0].text or ""

    def inner(self, number: int = 0) -> etree._Element:
        """The message in a result."""
        text = self.body[number].text or ""
        return without_namespaces(etree.fromstring(text.partition("?>")[2] if text.startswith("<?xml") else text))


class Site:
    """HIS, PACS and LIS may do everything, RIS also send large reports, READER may ask; all have one password."""

    def __init__(self, engine: Engine, folder: Path, sets: tuple[str, ...], changes: dict[str, Any]) -> None:
        self.engine = engine
        create_key_file(folder / "secret.key")
        facades = tuple(facade_of(name, **changes) for name in sets)
        url = SecretStr(engine.url.render_as_string(hide_password=False))
        settings = Settings(folder=folder, hospital_code="44643245-7", database_url=url, facades=facades)
        self.core = make_core(settings)
        self._server = make_server(
            "127.0.0.1", 0, web_application(self.core), server_class=_Server, handler_class=_Quiet
        )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def empty(self) -> None:
        """No message has come yet."""
        with Session(self.engine) as session:
            is_ours = session.get(Client, "READER") is not None
        clear(self.engine, but=("client", "client_right") if is_ours else ())
        if is_ours:
            return
        with Session(self.engine) as session:
            for name in ("HIS", "PACS", "LIS"):
                rights = [*OPERATIONS, "HIS"] if name == "HIS" else OPERATIONS
                add_client(session, name, rights=rights, operations=OPERATIONS, password=PASSWORD)
            large = [*OPERATIONS, "LARGE_REPORT"]
            add_client(session, "RIS", rights=large, operations=OPERATIONS, password=PASSWORD)
            add_client(session, "READER", rights=["QueryRequisition"], operations=OPERATIONS, password=PASSWORD)
            session.commit()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.core.codes.close()
        self.core.engine.dispose()

    # --- a vendor's program -------------------------------------------------------------------------------------------

    def send(
        self,
        path: str,
        body: bytes | str,
        *,
        client: str | None = "PACS",
        password: str = PASSWORD,
        content_type: str = "text/xml; charset=utf-8",
        **headers: str,
    ) -> Reply:
        """One POST, exactly as given."""
        if client is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{client}:{password}".encode()).decode()
        raw = body.encode() if isinstance(body, str) else body
        return self._ask("POST", path, raw, {"Content-Type": content_type, **headers})

    def get(self, path: str) -> Reply:
        return self._ask("GET", path, None, {})

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def ask(self, message: str, *, client: str | None = "PACS", facade: str = "request-header-body") -> Reply:
        """A message in the one string of the style `single`."""
        return self.send(f"/facade/{facade}", in_string(message), client=client)

    # --- what the gateway has kept ------------------------------------------------------------------------------------

    def journal(self) -> list[JournalEntry]:
        with Session(self.engine) as session:
            return list(session.scalars(select(JournalEntry).order_by(JournalEntry.received_at, JournalEntry.txn_no)))


def facade_of(name: str, **changes: Any) -> Facade:
    """A ready-made set, with other settings."""
    found = read_facade(SETS / name / "facade.toml")
    return Facade.model_validate(found.model_dump(exclude_defaults=True) | {"folder": found.folder} | changes)


def envelope(inner: str, *, soap: str = SOAP_11) -> str:
    return f'<s:Envelope xmlns:s="{soap}"><s:Body>{inner}</s:Body></s:Envelope>'


def in_string(message: str, operation: str = "HIPService", parameter: str = "pInput") -> str:
    """The message as escaped text in the one parameter of an operation."""
    return envelope(
        f'<{operation} xmlns="http://tempuri.org/"><{parameter}>{escape(message)}</{parameter}></{operation}>'
    )


def sample(name: str, of: str = "request-header-body", **changes: str) -> str:
    """A sample of a set, with texts replaced: sample("ReportStatus", REGISTER="CANCEL_REG")."""
    text = (SETS / of / "samples" / f"{name}.xml").read_text("utf-8")
    for found, instead in changes.items():
        assert found in text, found
        text = text.replace(found, instead)
    return text


def words(reply: Reply) -> tuple[str, str]:
    """ResultCode and ErrorCode of an answer of request-header-body."""
    body = reply.inner()
    return body.findtext("Body/ResultCode", ""), body.findtext("Body/ErrorCode", "") or ""
