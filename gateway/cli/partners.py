"""Commands about partners: who is configured, and whether one can be reached from here."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

import typer
from lxml import etree

from gateway.cli import downtime, partner_add, partner_check
from gateway.cli.terminal import HERE, Failure, Folder, note, one_line, plain_table, say, show
from gateway.config import Settings, load_settings
from gateway.contract import WSDL
from gateway.partner_config import DATABASE, HL7_MLLP, HOOK, Partner
from gateway.partners.client import Door
from gateway.partners.database.checking import look
from gateway.partners.expiry import ending, terms_of_partner
from gateway.partners.files import UnusableFile
from gateway.partners.tls import make_context, tls_warnings

LARGEST_WSDL = 20 * 1024 * 1024


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The systems messages are forwarded to.")
    group.command("list")(list_partners)
    group.command("ping")(ping)
    partner_add.add_to(group)
    partner_check.add_to(group)
    downtime.add_to(group)
    app.add_typer(group, name="partner")


def list_partners(folder: Folder = HERE) -> None:
    """All partners with their addresses and what is routed to them."""
    settings = load_settings(folder)
    table = plain_table("PARTNER", "ADDRESS", "SOAP", "DIALECT", "CALLS US AS", "IS SENT")
    for partner in settings.partners:
        version, routed = partner.soap_version, ", ".join(_routed(settings, partner)) or "nothing"
        table.add_row(partner.name, shown_address(partner), version, partner.dialect, partner.client_name, routed)
    show(table)
    for partner in settings.partners:
        _note_weaknesses(partner)


def ping(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The partner, as its folder is named.")],
    folder: Folder = HERE,
) -> None:
    """Connect to a partner, shake hands if it has TLS, ask for its WSDL, and say how long each took.

    An insurance platform and a hook have no WSDL: that it answers HTTP at its address is all that is asked. One that
    takes HL7 over MLLP is sent nothing. Of one that offers its database the tables and polls of the settings are looked
    for.
    """
    settings = load_settings(folder)
    partner = settings.partner(name)
    _note_weaknesses(partner)
    if partner.dialect == DATABASE:
        _look_at_database(partner, settings)
        return
    connection = _connected(partner)
    try:
        if partner.insurance is not None or partner.dialect == HOOK:
            _ask_for_answer(partner, connection)
        elif partner.dialect != HL7_MLLP:
            _ask_for_wsdl(partner, connection)
    finally:
        connection.close()


def _look_at_database(partner: Partner, settings: Settings) -> None:
    """Its tables and polls, as far as they can be seen without writing."""
    wrong = 0
    for finding in look(partner, settings.zone):
        wrong += not finding.is_good
        say(f"{('!' if finding.is_weak else '✓') if finding.is_good else '✗'} {finding.words}")
    if wrong:
        raise Failure(f"{partner.name}: {wrong} things are not as partner.toml says.")


def _note_weaknesses(partner: Partner) -> None:
    """What its settings have made weaker, and what of its certificates ends soon."""
    try:
        ends = list(ending(terms_of_partner(partner), datetime.now(UTC)))
    except UnusableFile as problem:
        ends = [str(problem).rstrip(".")]
    for said in (*tls_warnings(partner), *ends):
        note(f"{partner.name}: {said}.")


def shown_address(partner: Partner) -> str:
    """Its address without user and password, which some write into it."""
    parts = urlsplit(str(partner.url))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def _routed(settings: Settings, partner: Partner) -> list[str]:
    return sorted({route.operation for route in settings.routes if partner.name in route.partners})


def _connected(partner: Partner) -> http.client.HTTPConnection:
    """An open connection, after TCP and TLS have been timed."""
    host, port = str(partner.url.host), partner.url.port or 80
    secure = partner.url.scheme in ("https", "mllps")
    try:
        started = time.monotonic()
        plain = socket.create_connection((host.strip("[]"), port), timeout=partner.connect_seconds)
        say(f"TCP   {_since(started)}  {host}:{port} accepts connections")
    except OSError as error:
        raise Failure(f"{partner.name} cannot be reached at {host}:{port}: {_why(error)}.") from None
    connection = http.client.HTTPConnection(host, port, timeout=partner.total_seconds)
    connection.sock = _with_tls(partner, plain, host) if secure else plain
    connection.sock.settimeout(partner.total_seconds)
    return connection


def _with_tls(partner: Partner, plain: socket.socket, host: str) -> ssl.SSLSocket:
    try:
        started = time.monotonic()
        secured = make_context(partner).wrap_socket(plain, server_hostname=host.strip("[]"))
    except UnusableFile as problem:
        plain.close()
        raise Failure(str(problem)) from None
    except OSError as error:
        plain.close()
        why = getattr(error, "verify_message", "") or getattr(error, "reason", "") or _why(error)
        raise Failure(f"{partner.name} accepts connections, but TLS fails: {one_line(str(why))}.") from None
    until = dict(secured.getpeercert() or {}).get("notAfter", "unknown")
    say(f"TLS   {_since(started)}  {secured.version()}, certificate valid until {until}")
    return secured


def _asked(
    partner: Partner, connection: http.client.HTTPConnection, path: str
) -> tuple[http.client.HTTPResponse, bytes]:
    try:
        connection.request("GET", path, headers={"User-Agent": "hospital-gateway"} | _login(partner))
        answer = connection.getresponse()
        return answer, answer.read(LARGEST_WSDL)
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{partner.name} accepts connections, but does not answer HTTP: {_why(error)}.") from None


def _login(partner: Partner) -> dict[str, str]:
    """What the partner's web server may want to see before it shows a WSDL; a login would need an exchange."""
    return Door(partner).credentials.http_headers() if partner.auth.login is None else {}


def _ask_for_answer(partner: Partner, connection: http.client.HTTPConnection) -> None:
    started = time.monotonic()
    answer, _ = _asked(partner, connection, partner.url.path or "/")
    say(f"HTTP  {_since(started)}  {shown_address(partner)} answers {answer.status} to who only looks")


def _ask_for_wsdl(partner: Partner, connection: http.client.HTTPConnection) -> None:
    started = time.monotonic()
    answer, content = _asked(partner, connection, f"{partner.url.path or '/'}?wsdl")
    if answer.status != 200:
        raise Failure(
            f"{partner.name} answers, but gives no WSDL at {shown_address(partner)}?wsdl: HTTP {answer.status}."
        )
    operations = _operations(content)
    if operations is None:
        raise Failure(f"{partner.name} answers, but what it gives at {shown_address(partner)}?wsdl is no WSDL.")
    say(f"WSDL  {_since(started)}  {len(content)} bytes, operations: {', '.join(operations) or 'none'}")


def _operations(content: bytes) -> list[str] | None:
    """The operations of a WSDL; None if it is none."""
    try:
        root = etree.fromstring(content, etree.XMLParser(no_network=True, resolve_entities=False))
    except etree.XMLSyntaxError:
        return None
    found = root.iterfind(f"{WSDL}portType/{WSDL}operation")
    return sorted({operation.get("name", "") for operation in found}) if root.tag == f"{WSDL}definitions" else None


def _since(started: float) -> str:
    return f"{(time.monotonic() - started) * 1000:6.0f} ms"


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, socket.gaierror):
        return "its host name is unknown"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return getattr(error, "strerror", None) or type(error).__name__
